//! What the rows of a log say, kept beside them write by write: each write must be one that a log may make.

use std::collections::{BTreeMap, BTreeSet};

use headwater::base::{Offset, Reader, TopicId, TopicPartition};
use headwater::log::batch::{BatchHeader, records};
use headwater::log::{PartitionRow, Store, Write, delivered};

use super::damage::sound;
use super::disk::Disk;
use super::storage::put_in;

/// The records of one log, as committed.
#[derive(Clone, Default)]
pub struct Shadow {
    pub partitions: BTreeMap<TopicPartition, Part>,
    /// Where groups go on.
    pub offsets: BTreeMap<(String, TopicPartition), Offset>,
}

#[derive(Clone, Default)]
pub struct Part {
    pub start: Offset,
    pub end: Offset,
    /// The batches by base offset: the offset after each, and its records.
    batches: BTreeMap<Offset, (Offset, Vec<(Offset, String)>)>,
}

/// What a transaction has changed.
#[derive(Default)]
pub struct Changes {
    pub appended: Vec<(TopicPartition, Offset, String)>,
    pub commits: Vec<(String, TopicPartition, Option<Offset>, Offset)>,
    pub wrong: Vec<String>,
}

impl Part {
    /// The records that can be read, in order.
    pub fn records(&self) -> impl Iterator<Item = &(Offset, String)> {
        let all = self.batches.values().flat_map(|(_, records)| records);
        all.filter(|(offset, _)| *offset >= self.start)
    }

    /// The records that can be read from `from` on, up to and without `to`.
    pub fn between(&self, from: Offset, to: Offset) -> impl Iterator<Item = &(Offset, String)> {
        let floor = self.batches.range(..=from).next_back().map_or(from, |(base, _)| *base);
        let batches = self.batches.range(floor..to.max(floor)).flat_map(|(_, (_, records))| records);
        batches.filter(move |(offset, _)| (from.max(self.start)..to).contains(offset))
    }

    pub fn at(&self, offset: Offset) -> Option<&str> {
        let mut found = self.between(offset, offset + 1);
        found.next().map(|(_, name)| name.as_str())
    }
}

impl Shadow {
    /// What lies on a disk.
    pub fn of(disk: &Disk) -> Self {
        let mut shadow = Self::default();
        for store in [Store::Partitions, Store::Batches, Store::Offsets] {
            for (key, value) in disk.rows(store, &[]) {
                // The batches of a topic that was deleted are nobody's, and go later.
                let gone =
                    store == Store::Batches && !shadow.partitions.contains_key(&partition_of(&key[..20]));
                if !gone {
                    shadow.put(store, &key, &value, &mut Changes::default());
                }
            }
        }
        shadow
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = self.partitions.values().flat_map(Part::records);
        all.map(|(_, name)| name.as_str())
    }

    /// Takes the writes of one transaction; `disk` is as it left it. Who gives up what was not delivered says so first.
    pub fn wrote(&mut self, writes: &[Write], disk: &Disk, given_up: &BTreeSet<String>) -> Changes {
        let mut changes = Changes::default();
        let moves = writes.iter().any(|write| put_in(Store::Partitions, write).is_some());
        let before = if moves { self.partitions.clone() } else { BTreeMap::new() };
        let mut shortened = BTreeSet::new();
        for write in writes {
            for store in [Store::Partitions, Store::Batches, Store::Offsets] {
                if let Some((key, value)) = put_in(store, write) {
                    let moved = self.put(store, key, value, &mut changes);
                    shortened.extend(moved);
                }
            }
            match write {
                Write::Delete(store, key) => {
                    shortened.extend(self.delete(*store, key, &headwater::log::after(key)));
                }
                Write::DeleteRange(store, from, to) => shortened.extend(self.delete(*store, from, to)),
                Write::Put(..) | Write::Add(..) => {}
            }
        }
        for tp in shortened {
            changes.wrong.extend(self.check_start(tp));
            let undelivered = self.undelivered(tp, disk, before.get(&tp));
            changes.wrong.extend(
                undelivered
                    .filter(|name| !given_up.contains(name))
                    .map(|name| format!("trimmed: {name} of {tp:?} was not delivered")),
            );
        }
        changes
    }

    /// A row is written; answers the partition if its start has moved.
    fn put(
        &mut self,
        store: Store,
        key: &[u8],
        value: &[u8],
        changes: &mut Changes,
    ) -> Option<TopicPartition> {
        match store {
            Store::Partitions => {
                let row = PartitionRow::decode(value).expect("a partition row");
                let tp = partition_of(key);
                let part = self.partitions.entry(tp).or_default();
                if row.start < part.start {
                    changes
                        .wrong
                        .push(format!("back: the start of {tp:?} went from {} to {}", part.start, row.start));
                }
                part.start = row.start;
                part.end = part.end.max(row.start);
                return Some(tp);
            }
            Store::Batches => self.put_batch(key, value, changes),
            Store::Offsets => {
                let mut reader = Reader::new(key);
                let length = reader.i32().expect("a group's length") as usize;
                let group =
                    String::from_utf8(reader.bytes(length).expect("a group").to_vec()).expect("a name");
                let tp = partition_of(reader.rest());
                let mut row = Reader::new(value);
                let offset = row.u8().and_then(|_| row.i64()).expect("an offset row");
                let before = self.offsets.insert((group.clone(), tp), offset);
                changes.commits.push((group, tp, before, offset));
            }
            _ => {}
        }
        None
    }

    fn put_batch(&mut self, key: &[u8], value: &[u8], changes: &mut Changes) {
        let tp = partition_of(&key[..20]);
        let base = Offset::from_be_bytes(key[20..].try_into().expect("an offset"));
        if !sound(key, value) {
            // Its records are nobody's any more, and its offsets stay its own.
            self.partitions.entry(tp).or_default().batches.entry(base).or_insert((base, Vec::new()));
            return;
        }
        let header = BatchHeader::read(value).expect("a stored batch has a header");
        let read = records(value).expect("uncompressed").map(|record| record.expect("whole"));
        let named = |record: headwater::log::batch::Record<'_>| {
            let name = record.value.or(record.key).unwrap_or_default();
            (record.offset, String::from_utf8_lossy(name).into_owned())
        };
        let names: Vec<(Offset, String)> = read.map(named).collect();
        let part = self.partitions.entry(tp).or_default();
        if header.base_offset != base {
            changes.wrong.push(format!("base: a batch at {base} of {tp:?} says {}", header.base_offset));
        }
        if let Some((_, before)) = part.batches.get(&base) {
            if !names.iter().all(|record| before.contains(record)) || names.is_empty() && !before.is_empty() {
                changes.wrong.push(format!("overwritten: the batch at {base} of {tp:?}"));
            }
        } else {
            if base != part.end {
                let what = if base < part.end { "overlap" } else { "gap" };
                changes
                    .wrong
                    .push(format!("{what}: a batch at {base} of {tp:?}, which ends at {}", part.end));
            }
            changes.appended.extend(names.iter().map(|(offset, name)| (tp, *offset, name.clone())));
        }
        part.end = part.end.max(header.next_offset());
        part.batches.insert(base, (header.next_offset(), names));
    }

    /// A batch was damaged: answers the records that are gone with it.
    pub fn spoil(&mut self, tp: TopicPartition, base: Offset) -> Vec<String> {
        let batch = self.partitions.get_mut(&tp).and_then(|part| part.batches.get_mut(&base));
        let gone = batch.map(|(_, names)| core::mem::take(names)).unwrap_or_default();
        gone.into_iter().map(|(_, name)| name).collect()
    }

    /// Rows go; answers the partitions that they were of.
    fn delete(&mut self, store: Store, from: &[u8], to: &[u8]) -> Vec<TopicPartition> {
        let mut touched = Vec::new();
        match store {
            Store::Partitions => {
                self.partitions.retain(|tp, _| !(from..to).contains(&key_of(*tp).as_slice()))
            }
            Store::Batches => {
                for (tp, part) in &mut self.partitions {
                    let prefix = key_of(*tp);
                    let before = part.batches.len();
                    part.batches.retain(|base, _| {
                        let key = [prefix.as_slice(), &base.to_be_bytes()].concat();
                        !(from..to).contains(&key.as_slice())
                    });
                    if part.batches.len() < before {
                        touched.push(*tp);
                    }
                }
            }
            _ => {}
        }
        touched
    }

    /// What was deleted lies below the start.
    fn check_start(&self, tp: TopicPartition) -> Vec<String> {
        let Some(part) = self.partitions.get(&tp) else { return Vec::new() };
        let mut wrong = Vec::new();
        let first = part.batches.keys().next().copied().unwrap_or(part.end);
        if first > part.start && part.start < part.end {
            wrong.push(format!("hole: {tp:?} starts at {}, its first batch at {first}", part.start));
        }
        wrong
    }

    /// The records that are gone before a forwarder delivered them.
    fn undelivered<'a>(
        &'a self,
        tp: TopicPartition,
        disk: &Disk,
        before: Option<&'a Part>,
    ) -> impl Iterator<Item = String> + 'a {
        let row = disk.get(Store::Deliveries, &key_of(tp));
        let committed = row.map_or(Offset::MAX, |row| delivered(row).expect("a delivery row"));
        let start = self.partitions.get(&tp).map_or(0, |part| part.start);
        let gone = before.into_iter().flat_map(move |part| part.between(committed.min(start), start));
        gone.map(|(_, name)| name.clone())
    }
}

fn key_of(tp: TopicPartition) -> Vec<u8> {
    headwater::log::partition_key(tp)
}

pub fn partition_of(key: &[u8]) -> TopicPartition {
    let topic = TopicId(key[..16].try_into().expect("a topic id"));
    TopicPartition { topic, partition: i32::from_be_bytes(key[16..20].try_into().expect("a number")) }
}
