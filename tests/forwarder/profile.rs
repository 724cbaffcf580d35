//! One copy of a log, its writers, and what its disk says.

use headwater::base::{Error, Offset, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::forwarder::DeliveryRow;
use headwater::log::batch::{BatchBuilder, BatchOptions, records};
use headwater::log::ops::{Append, AppendEntry, CreateTopic, GrowTopic};
use headwater::log::{Durability, PartitionRow, Store, TopicRow, batch_key, partition_key};

use super::disk::Disk;

pub const TOPIC: &str = "events";

#[derive(Clone)]
pub struct Profile {
    pub disk: Disk,
    pub topic: TopicRow,
    /// Who appends: a node, and the sequence that it has reached in each partition.
    writer: (i64, Vec<i32>),
}

impl Profile {
    pub fn new(partitions: i32, random: &mut Random) -> Self {
        let mut disk = Disk::default();
        let id = TopicId(random.bytes16());
        let config = TopicConfig::default();
        let create = CreateTopic { name: TOPIC.into(), id, partitions, config, validate_only: false };
        let topic = disk.run(&create).expect("the topic is new").topic;
        let mut profile = Self { disk, topic, writer: (0, Vec::new()) };
        profile.new_writer(random);
        profile
    }

    /// Another node appends from now on: it continues nobody's sequence.
    pub fn new_writer(&mut self, random: &mut Random) {
        self.writer = ((random.next_u64() >> 3) as i64, vec![0; 64]);
    }

    pub fn tp(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: self.topic.id, partition }
    }

    pub fn grow(&mut self, partitions: i32) {
        self.topic = self.disk.run(&GrowTopic { name: TOPIC.into(), partitions }).expect("the topic grows");
    }

    /// Appends records of these names; answers the offset of the first.
    pub fn append(&mut self, partition: i32, names: &[String], durability: Durability) -> Offset {
        let sequence = self.writer.1[partition as usize];
        let mut builder = BatchBuilder::new(BatchOptions {
            producer_id: self.writer.0,
            producer_epoch: 0,
            base_sequence: sequence,
            ..BatchOptions::default()
        });
        for (name, delta) in names.iter().zip(0..) {
            builder.push(1_000 + delta, Some(b"key"), Some(name.as_bytes()), &[(b"own", Some(b"header"))]);
        }
        self.writer.1[partition as usize] += names.len() as i32;
        self.append_batch(partition, builder.finish(), durability)
            .expect("an append of its own is not refused")
    }

    pub fn append_batch(
        &mut self,
        partition: i32,
        batch: Vec<u8>,
        durability: Durability,
    ) -> Result<Offset, Error> {
        let (tp, batches) = (self.tp(partition), vec![batch]);
        let entry = AppendEntry { tp, batches, expected: None, attempted_from: None };
        let append = Append { entries: vec![entry], durability };
        let answers = self.disk.run(&append)?;
        answers.into_iter().next().expect("one answer").map(|appended| appended.base)
    }

    pub fn row(&self, partition: i32) -> Option<DeliveryRow> {
        let bytes = self.disk.get(Store::Deliveries, &partition_key(self.tp(partition)));
        bytes.map(|bytes| DeliveryRow::decode(bytes).expect("a delivery row"))
    }

    pub fn put_row(&mut self, partition: i32, row: &DeliveryRow) {
        self.disk.put(Store::Deliveries, partition_key(self.tp(partition)), row.encode());
    }

    pub fn start(&self, partition: i32) -> Offset {
        let row = self.disk.get(Store::Partitions, &partition_key(self.tp(partition)));
        PartitionRow::decode(row.expect("the partition is there")).expect("a partition row").start
    }

    /// The records that are there: offset and name.
    pub fn records(&self, partition: i32) -> Vec<(Offset, String)> {
        let start = self.start(partition);
        let rows = self.disk.rows(Store::Batches, &partition_key(self.tp(partition)));
        let all =
            rows.iter().flat_map(|(_, batch)| records(batch).expect("uncompressed").map(Result::unwrap));
        let kept = all.filter(|record| record.offset >= start);
        kept.map(|record| (record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()))
            .collect()
    }

    /// Gives up the records before `start`, delivered or not, as one does when the quota is used up; answers them.
    pub fn give_up(&mut self, partition: i32, start: Offset) -> Vec<String> {
        let tp = self.tp(partition);
        let gone = self.records(partition).into_iter().filter(|(offset, _)| *offset < start);
        let gone = gone.map(|(_, name)| name).collect();
        let key = partition_key(tp);
        let row = PartitionRow::decode(self.disk.get(Store::Partitions, &key).unwrap()).unwrap();
        let row = PartitionRow { start, generation: row.generation + 1, ..row };
        self.disk.put(Store::Partitions, key, row.encode());
        let batches = self.disk.rows(Store::Batches, &partition_key(tp));
        for (_, batch) in batches {
            let last = records(&batch).unwrap().last().unwrap().unwrap().offset;
            if last < start {
                let base = i64::from_be_bytes(batch[..8].try_into().unwrap());
                self.disk.delete(Store::Batches, &batch_key(tp, base));
            }
        }
        gone
    }
}
