//! A log one of whose rows is not what it was: every operation answers or refuses, and none panics.

use headwater::base::{Now, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::compaction::{Compaction, Step};
use headwater::client::forwarder::ForwarderOp;
use headwater::client::producer::{Output, Producer};
use headwater::client::relief::FindConsumed;
use headwater::group::{CommitOffsets, CommittedOffset, FetchOffsets, OffsetCommit};
use headwater::log::ops::{
    BeginMaintenance, Bounds, CreateTopic, DeleteTopic, Fetch, InitProducerId, ListBounds, ListOffsets,
    ListTopics, Measure, OffsetSpec, Purge, SetAside, Trim,
};
use headwater::log::{Durability, Op};

use super::{about, feature, reason};
use crate::support::{FrameWriter, Table};

fn tp() -> TopicPartition {
    TopicPartition { topic: TopicId([7; 16]), partition: 0 }
}

fn keyed(key: &[u8], value: &[u8]) -> Vec<u8> {
    FrameWriter::default().frame(0, 5, Some(key), Some(value)).0
}

fn send(table: &mut Table, producer: &mut Producer, frames: &[u8]) -> u64 {
    let Ok(topics) = table.run(&ListTopics) else { return 1 };
    let Some((_, row)) = topics.first() else { return 2 };
    if let Err(error) = producer.send(Now::default(), 1, row, frames, Durability::Relaxed) {
        return reason(&error);
    }
    let mut ended = 0;
    for _ in 0..20 {
        match producer.poll() {
            Some(Output::Store(append)) => {
                let result = table.run(&*append);
                ended = result.as_ref().map_or_else(reason, |answers| about(answers.len()));
                producer.stored(Now::default(), result);
                producer.tick(Now { instant: u64::MAX, timestamp: 0 });
            }
            Some(_) => {}
            None => break,
        }
    }
    ended
}

fn sound() -> Table {
    let mut table = Table::default();
    let config = TopicConfig::from_entries([("cleanup.policy", "compact")]).unwrap();
    let create =
        CreateTopic { name: "t".into(), id: TopicId([7; 16]), partitions: 1, config, validate_only: false };
    table.run(&create).unwrap();
    let mut producer = Producer::new(5, Random::new(1));
    producer.learn(tp(), Bounds { start: 0, end: 0, generation: 0 });
    for key in [b"a", b"b", b"a"] {
        send(&mut table, &mut producer, &keyed(key, b"value"));
    }
    let committed = CommittedOffset { offset: 1, metadata: None, at: 0 };
    let offsets = vec![OffsetCommit { tp: tp(), committed }];
    table.run(&CommitOffsets { group: "g".into(), member: None, offsets }).unwrap();
    table.run(&InitProducerId { transactional_id: "x".into(), fresh: 5, now: 0 }).unwrap();
    table.run(&ForwarderOp::Claim { tp: tp(), fresh: 1 << 61 }).unwrap();
    table
}

/// The first byte names a row, the others are what it holds.
pub fn seeds() -> Vec<Vec<u8>> {
    let table = sound();
    (0..).zip(table.rows.values()).map(|(index, value)| [&[index as u8], value.as_slice()].concat()).collect()
}

/// Everything that a node asks of a log.
pub fn run(input: &[u8]) -> u64 {
    let mut table = sound();
    let (row, value) = input.split_first().unwrap_or((&0, &[]));
    let index = usize::from(*row) % table.rows.len();
    if let Some(place) = table.rows.values_mut().nth(index) {
        *place = value.to_vec();
    }
    let mut found = vec![index as u64];
    let mut producer = Producer::new(6, Random::new(2));
    producer.learn(tp(), Bounds { start: 0, end: 0, generation: 0 });
    found.push(send(&mut table, &mut producer, &keyed(b"c", b"x")));
    let now = 10;
    look(&mut table, &mut found);
    try_one(&mut table, &mut found, &SetAside { tp: tp(), from: 0, limit: 64 });
    look(&mut table, &mut found);
    found.push(compact(&mut table));
    let trim = Trim { topic: "t".into(), tp: tp(), before: Some(1), undelivered: false };
    try_one(&mut table, &mut found, &trim);
    try_one(&mut table, &mut found, &InitProducerId { transactional_id: "x".into(), fresh: 9, now });
    if let Ok(claimed) = table.run(&ForwarderOp::Claim { tp: tp(), fresh: 1 << 61 }) {
        let (read, row) = (claimed.row.clone(), claimed.row);
        let (bytes_max, batches_max) = (1_000, 8);
        let mark =
            ForwarderOp::Mark { tp: tp(), read, row, doubt: true, bytes_max, batches_max, fresh: 1 << 61 };
        try_one(&mut table, &mut found, &mark);
    }
    try_one(&mut table, &mut found, &DeleteTopic { name: "t".into() });
    try_one(&mut table, &mut found, &Purge { topic: tp().topic });
    try_one(&mut table, &mut found, &BeginMaintenance { now, interval_ms: 1 });
    feature(&found)
}

fn look(table: &mut Table, found: &mut Vec<u64>) {
    try_one(table, found, &ListBounds { partitions: vec![tp()] });
    for offset in 0..4 {
        try_one(table, found, &Fetch { tp: tp(), offset, batches_max: 2 });
    }
    try_one(table, found, &ListOffsets { tp: tp(), spec: OffsetSpec::At(3), from: 0 });
    try_one(table, found, &Measure { tp: tp(), from: 0, limit: 9 });
    try_one(table, found, &FindConsumed);
    try_one(table, found, &FetchOffsets { group: "g".into(), member: None, partitions: vec![tp()] });
}

fn try_one<O: Op>(table: &mut Table, found: &mut Vec<u64>, op: &O) {
    found.push(match table.run(op) {
        Ok(_) => 1,
        Err(error) => reason(&error),
    });
}

fn compact(table: &mut Table) -> u64 {
    let config = TopicConfig::default();
    let mut pass = Compaction::new(Now { instant: 0, timestamp: 10 }, "t".into(), tp(), &config);
    let mut step = pass.begin();
    for _ in 0..50 {
        let next = match step {
            Step::Find(op) => table.run(&op).map(|dirty| pass.found(dirty)),
            Step::Read(op) => table.run(&op).and_then(|fetched| pass.fetched(&fetched)),
            Step::Rewrite(op) => table.run(&op).map(|slice| pass.rewritten(&slice)),
            Step::Done(removed) => return about(removed.unsigned_abs() as usize),
        };
        match next {
            Ok(next) => step = next,
            Err(error) => return reason(&error),
        }
    }
    panic!("a pass over a few batches does not end");
}
