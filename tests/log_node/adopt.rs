//! Storage that comes back takes over what memory has taken meanwhile: once, and under offsets of its own.

use std::cell::RefCell;

use futures::executor::block_on;
use headwater::base::{Code, Error, Now, Offset, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::producer::{Output, Producer};
use headwater::log::batch::{BatchHeader, records};
use headwater::log::ops::{ClaimSink, CreateTopic, Fetch, ListBounds, ListTopics};
use headwater::log::{Durability, TopicRow};
use headwater::node::{AnyOp, Call};
use headwater::platform::memory::MemoryStorage;
use headwater::platform::{adopt, run};

use crate::support::FrameWriter;
use crate::support::origin::Origin;

fn topic(memory: &MemoryStorage, name: &str, id: u8, partitions: i32) -> TopicRow {
    let config = TopicConfig::from_entries([("retention.ms", "77")]).unwrap();
    let create =
        CreateTopic { name: name.into(), id: TopicId([id; 16]), partitions, config, validate_only: false };
    block_on(run(memory, &create)).unwrap().topic
}

/// Appends one batch a call.
fn fill(memory: &MemoryStorage, row: &TopicRow, batches: &[Vec<u8>]) {
    let mut producer = Producer::new(5, Random::new(5));
    let partitions: Vec<TopicPartition> = row.topic_partitions().collect();
    let bounds = block_on(run(memory, &ListBounds { partitions: partitions.clone() })).unwrap();
    partitions.into_iter().zip(bounds).for_each(|(tp, bounds)| producer.learn(tp, bounds));
    for frames in batches {
        producer.send(Now::default(), 1, row, frames, Durability::Relaxed).unwrap();
        while let Some(output) = producer.poll() {
            if let Output::Store(append) = output {
                let result = block_on(run(memory, &*append));
                producer.stored(Now::default(), result);
            }
        }
    }
}

fn left(memory: &MemoryStorage, row: &TopicRow) -> i64 {
    let bounds = block_on(run(memory, &ListBounds { partitions: row.topic_partitions().collect() })).unwrap();
    bounds.iter().map(|bounds| bounds.end - bounds.start).sum()
}

fn take_over(memory: &MemoryStorage, origin: &mut Origin, node: usize) -> Result<u64, Error> {
    let origin = RefCell::new(origin);
    block_on(adopt(memory, async |call: Call| origin.borrow_mut().ask(node, call)))
}

fn value(text: &str, partition: i32) -> Vec<u8> {
    FrameWriter::default().frame(partition, 9, None, Some(text.as_bytes())).0
}

/// All values of a stored topic, partition by partition.
fn stored(origin: &mut Origin, name: &str) -> Vec<(i32, Offset, String)> {
    let topics = origin.table.run(&ListTopics).unwrap();
    let row = topics.into_iter().find(|(each, _)| each == name).unwrap().1;
    let mut found = Vec::new();
    for tp in row.topic_partitions() {
        let fetched = origin.table.run(&Fetch { tp, offset: 0, batches_max: 1_000 }).unwrap();
        for batch in &fetched.batches {
            for record in records(batch).unwrap().map(Result::unwrap) {
                let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
                found.push((tp.partition, record.offset, value));
            }
        }
    }
    found
}

#[test]
fn records_go_behind_what_is_stored_with_all_that_they_carry() {
    let memory = MemoryStorage::default();
    let row = topic(&memory, "events", 1, 1);
    let mut frames = FrameWriter::default().frame(0, 1_234, Some(b"k"), None).0;
    let last = frames.len() - 4;
    frames[last..].copy_from_slice(&1_i32.to_le_bytes());
    frames.extend([1, 0, 0, 0, b'h', 1, 0, 0, 0, b'v']);
    fill(&memory, &row, &[frames, value("b", 0)]);
    let mut origin = Origin::default();
    let node = origin.node();
    origin.send(node, "events", "before").unwrap();
    assert_eq!(take_over(&memory, &mut origin, node).unwrap(), 2);
    let place = origin.table.run(&ListTopics).unwrap()[0].1.topic_partitions().next().unwrap();
    let batches = origin.table.run(&Fetch { tp: place, offset: 1, batches_max: 9 }).unwrap().batches;
    let all: Vec<_> = batches.iter().flat_map(|batch| records(batch).unwrap().map(Result::unwrap)).collect();
    assert_eq!(
        (all[0].offset, all[0].timestamp, all[0].key, all[0].value),
        (1, 1_234, Some(&b"k"[..]), None)
    );
    let headers: Vec<_> = all[0].headers().map(Result::unwrap).collect();
    assert_eq!(headers, [(&b"h"[..], Some(&b"v"[..]))]);
    assert_ne!(BatchHeader::read(&batches[0]).unwrap().producer_id, 5, "under the stored log's own names");
    assert_eq!(left(&memory, &row), 0);
    assert_eq!(take_over(&memory, &mut origin, node).unwrap(), 0, "nothing is taken over twice");
}

#[test]
fn a_topic_that_is_not_stored_is_created_as_it_was() {
    let memory = MemoryStorage::default();
    let row = topic(&memory, "fresh", 1, 3);
    fill(&memory, &row, &[value("a", 2), value("b", 0)]);
    let mut origin = Origin::default();
    let node = origin.node();
    assert_eq!(take_over(&memory, &mut origin, node).unwrap(), 2);
    assert_eq!(stored(&mut origin, "fresh"), [(0, 0, "b".to_string()), (2, 0, "a".to_string())]);
    assert_eq!(origin.table.run(&ListTopics).unwrap()[0].1.config.retention_ms(), 77);
}

#[test]
fn another_partition_count_places_keys_where_they_belong() {
    let memory = MemoryStorage::default();
    let row = topic(&memory, "events", 1, 2);
    let keyed = FrameWriter::default().frame(1, 9, Some(b"key"), Some(b"keyed")).0;
    fill(&memory, &row, &[keyed, value("bare", 1)]);
    let mut origin = Origin::default();
    let node = origin.node();
    let config = TopicConfig::default();
    let create = Call::CreateTopic { name: "events".into(), partitions: 5, config, validate_only: false };
    origin.ask(node, create).unwrap();
    take_over(&memory, &mut origin, node).unwrap();
    let own = headwater::base::partition_for_key(b"key", 5);
    let found = stored(&mut origin, "events");
    assert!(found.iter().any(|(partition, _, value)| *partition == own && value == "keyed"));
    assert!(found.iter().any(|(partition, _, value)| *partition == 1 && value == "bare"));
}

#[test]
fn a_topic_with_a_forwarder_delivers_from_where_it_is() {
    let memory = MemoryStorage::default();
    let row = topic(&memory, "tracked", 1, 1);
    fill(&memory, &row, &[value("a", 0)]);
    block_on(run(&memory, &ClaimSink { name: "tracked".into(), sink: "collector".into() })).unwrap();
    let mut origin = Origin::default();
    let node = origin.node();
    assert_eq!(take_over(&memory, &mut origin, node).unwrap(), 0);
    assert_eq!(left(&memory, &row), 1);
}

#[test]
fn a_storage_that_goes_away_again_loses_and_doubles_nothing() {
    let memory = MemoryStorage::default();
    let row = topic(&memory, "events", 1, 1);
    let batches: Vec<Vec<u8>> = (0..100).map(|index| value(&index.to_string(), 0)).collect();
    fill(&memory, &row, &batches);
    let mut origin = Origin::default();
    let node = origin.node();
    origin.fault = Some(|op, table| {
        let stored: i64 =
            table.rows.keys().filter(|(store, _)| *store == headwater::log::Store::Batches).count() as i64;
        let dies = matches!(op, AnyOp::Append(_)) && stored >= 3;
        dies.then(|| Err(Error::new(Code::StorageMissing, "it is gone")))
    });
    assert_eq!(take_over(&memory, &mut origin, node).unwrap_err().code(), Code::StorageMissing);
    let kept = left(&memory, &row);
    assert!(kept > 0 && kept < 100, "{kept} are still in memory");
    origin.fault = None;
    assert_eq!(take_over(&memory, &mut origin, node).unwrap(), kept as u64);
    let values: Vec<String> = stored(&mut origin, "events").into_iter().map(|(.., value)| value).collect();
    assert_eq!(values, (0..100).map(|index| index.to_string()).collect::<Vec<_>>());
}
