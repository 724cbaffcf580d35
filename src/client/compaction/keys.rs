use crate::base::{Map, Offset, ProducerId, crc32c};

/// The last offset of each key, and the last batch of each producer, of a stretch of the log.
///
/// The keys themselves are kept, not their hashes: a collision would delete a record that is the last of its key.
#[derive(Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Places of entries by the hash of their keys, plus one; 0 is free. Its length is a power of two.
    table: Vec<u32>,
    producers: Map<ProducerId, Offset>,
}

#[derive(Debug)]
struct Entry {
    /// Where the key is in `bytes`.
    key: (usize, usize),
    last: Offset,
}

impl Keys {
    const BYTES_MAX: usize = 4 << 20;
    const KEYS_MAX: usize = 1 << 16;

    /// True once no further batch should be added: the pass ends before it.
    pub fn full(&self) -> bool {
        self.bytes.len() >= Self::BYTES_MAX || self.entries.len() >= Self::KEYS_MAX
    }

    /// The record at `offset` has this key. Offsets must grow.
    pub fn put(&mut self, key: &[u8], offset: Offset) {
        if self.entries.len() * 2 >= self.table.len() {
            self.grow();
        }
        let slot = self.slot(key);
        match self.entry(slot) {
            Some(entry) => self.entries[entry].last = offset,
            None => {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(key);
                self.entries.push(Entry { key: (from, self.bytes.len()), last: offset });
                self.table[slot] = self.entries.len() as u32;
            }
        }
    }

    /// The last offset of a key.
    pub fn last(&self, key: &[u8]) -> Option<Offset> {
        let entry = self.table.first().and_then(|_| self.entry(self.slot(key)))?;
        self.entries.get(entry).map(|entry| entry.last)
    }

    /// A batch of this producer begins at `base`. Offsets must grow.
    pub fn put_producer(&mut self, id: ProducerId, base: Offset) {
        self.producers.insert(id, base);
    }

    /// True if a later batch of this producer than the one at `base` was seen.
    pub fn superseded(&self, id: ProducerId, base: Offset) -> bool {
        self.producers.get(&id).is_some_and(|last| *last > base)
    }

    fn entry(&self, slot: usize) -> Option<usize> {
        (self.table[slot] as usize).checked_sub(1)
    }

    /// Where the key is in the table, or where it belongs.
    fn slot(&self, key: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = crc32c(key) as usize & mask;
        while let Some(entry) = self.entry(slot).and_then(|entry| self.entries.get(entry)) {
            if self.bytes.get(entry.key.0..entry.key.1) == Some(key) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let length = (self.table.len() * 2).max(64);
        self.table = vec![0; length];
        for index in 0..self.entries.len() {
            let (from, to) = self.entries[index].key;
            let mut slot = crc32c(&self.bytes[from..to]) as usize & (length - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (length - 1);
            }
            self.table[slot] = index as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut keys = Keys::default();
        assert_eq!(keys.last(b"none"), None);
        for offset in 0..10_000_i64 {
            keys.put(format!("key {}", offset % 3_000).as_bytes(), offset);
        }
        keys.put(b"", 10_000);
        for key in 0..3_000_i64 {
            let last = if key < 1_000 { 9_000 + key } else { 6_000 + key };
            assert_eq!(keys.last(format!("key {key}").as_bytes()), Some(last));
        }
        assert_eq!((keys.last(b""), keys.last(b"key 3000")), (Some(10_000), None));
    }

    #[test]
    fn too_many_keys_fill_it() {
        let mut keys = Keys::default();
        (0..Keys::KEYS_MAX as i64 - 1).for_each(|key| keys.put(&key.to_be_bytes(), key));
        assert!(!keys.full());
        keys.put(b"one more", 1 << 20);
        assert!(keys.full());
        let mut large = Keys::default();
        large.put(&vec![0; Keys::BYTES_MAX], 0);
        assert!(large.full());
    }
}
