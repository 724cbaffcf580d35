use crate::base::{Error, Reader, TopicId, TopicPartition, Writer};

/// A set of partitions, such as an assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    /// In order, each once.
    sorted: Vec<TopicPartition>,
}

impl Partitions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Each of them, by topic id and partition.
    pub fn iter(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.sorted.iter().copied()
    }

    /// True if `tp` is one of them.
    pub fn contains(&self, tp: TopicPartition) -> bool {
        self.sorted.binary_search(&tp).is_ok()
    }

    /// Adds `tp`; false where it was there already.
    pub fn insert(&mut self, tp: TopicPartition) -> bool {
        let place = self.sorted.binary_search(&tp);
        if let Err(index) = place {
            self.sorted.insert(index, tp);
        }
        place.is_err()
    }

    /// Those that `other` does not hold.
    pub fn minus(&self, other: &Self) -> Self {
        self.filter(|tp| !other.contains(tp))
    }

    /// Those that `other` holds too.
    pub fn and(&self, other: &Self) -> Self {
        self.filter(|tp| other.contains(tp))
    }

    /// Adds what `other` holds.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|tp| _ = self.insert(tp));
    }

    /// True if `other` holds all of them.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|tp| other.contains(tp))
    }

    fn filter(&self, keep: impl Fn(TopicPartition) -> bool) -> Self {
        Self { sorted: self.iter().filter(|tp| keep(*tp)).collect() }
    }

    /// Writes them topic by topic: a thousand take some 2 kB.
    pub fn write(&self, writer: &mut Writer) {
        let mut rest = self.sorted.as_slice();
        while let Some(first) = rest.first() {
            let (topic, others) = rest.split_at(rest.partition_point(|tp| tp.topic == first.topic));
            writer.varint(topic.len() as i32);
            writer.bytes(&first.topic.0);
            topic.iter().for_each(|tp| writer.varint(tp.partition));
            rest = others;
        }
        writer.varint(0);
    }

    /// Reads what [`Partitions::write`] wrote.
    ///
    /// # Errors
    /// [`crate::base::Code::CorruptMessage`] where the bytes are cut off.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut partitions = Self::new();
        loop {
            let count = reader.varint()?;
            if count <= 0 {
                return Ok(partitions);
            }
            let mut id = [0; 16];
            id.copy_from_slice(reader.bytes(16)?);
            for _ in 0..count {
                partitions.insert(TopicPartition { topic: TopicId(id), partition: reader.varint()? });
            }
        }
    }
}

impl FromIterator<TopicPartition> for Partitions {
    fn from_iter<I: IntoIterator<Item = TopicPartition>>(partitions: I) -> Self {
        let mut set = Self::new();
        partitions.into_iter().for_each(|tp| _ = set.insert(tp));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(partitions: &[(u8, i32)]) -> Partitions {
        let tp = |&(topic, partition): &(u8, i32)| TopicPartition { topic: TopicId([topic; 16]), partition };
        partitions.iter().map(tp).collect()
    }

    #[test]
    fn sets_are_sets() {
        let (a, b) = (set(&[(2, 0), (1, 1), (1, 0), (1, 1)]), set(&[(1, 1), (3, 7)]));
        assert_eq!(a.len(), 3);
        assert_eq!((a.minus(&b), a.and(&b)), (set(&[(1, 0), (2, 0)]), set(&[(1, 1)])));
        assert!(a.and(&b).is_subset(&a) && !a.is_subset(&b));
    }

    #[test]
    fn they_are_read_as_they_are_written() {
        for partitions in [set(&[]), set(&[(1, 0)]), set(&[(1, 0), (1, 300), (2, 5), (9, 999)])] {
            let mut writer = Writer::new();
            partitions.write(&mut writer);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(Partitions::read(&mut reader), Ok(partitions));
            assert!(reader.rest().is_empty());
            assert!(Partitions::read(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
        }
    }
}
