//! Logs that earlier versions wrote are read by this one.
//!
//! `tests/fixtures/formats` holds one log of each format that was ever stored, row by row. A change of a format makes
//! `the_format_of_today_is_written_down` fail: commit the new one beside the others, with
//! `HEADWATER_WRITE_FORMAT=<name> cargo test --test log formats`.

use std::path::PathBuf;
use std::{env, fs};

use headwater::base::{Now, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::forwarder::{ForwarderOp, ListDelivered};
use headwater::client::transaction::{Buffered, Gathered, Output, Transactions};
use headwater::group::{
    ClaimGroup, CommitOffsets, CommittedOffset, DescribeGroup, FetchOffsets, OffsetCommit,
};
use headwater::log::ops::{
    AlterConfigs, BeginMaintenance, ClaimSink, CreateTopic, DeleteTopic, DescribeTopic, InitProducerId,
    ListBounds, ListTopics, Purge, SetAside,
};
use headwater::log::rows::Compacted;
use headwater::log::{Durability, PartitionRow, Store, batch_key, partition_key};
use serde::{Deserialize, Serialize};

use crate::bench::{FrameWriter, Table, producer, run, values};

#[derive(Debug, Deserialize, Serialize, PartialEq)]
struct Format {
    /// Store, key and value, in hex.
    rows: Vec<(String, String, String)>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "formats"].iter().collect()
}

fn all() -> Vec<(String, Format)> {
    let mut formats: Vec<(String, Format)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect();
    formats.sort_by(|one, other| one.0.cmp(&other.0));
    formats
}

fn table(format: &Format) -> Table {
    let mut table = Table::default();
    for (store, key, value) in &format.rows {
        let store = Store::ALL.into_iter().find(|each| each.name() == store).unwrap();
        table.rows.insert((store, bytes(key)), bytes(value));
    }
    table
}

fn place(topic: u8) -> TopicPartition {
    TopicPartition { topic: TopicId([topic; 16]), partition: 0 }
}

/// A log with a row of every kind.
fn sample() -> Table {
    let mut table = Table::default();
    for (name, id) in [("events", 1), ("state", 2)] {
        let config = TopicConfig::from_entries([("retention.ms", "60000")]).unwrap();
        let id = TopicId([id; 16]);
        let create = CreateTopic { name: name.into(), id, partitions: 1, config, validate_only: false };
        table.run(&create).unwrap();
    }
    let config = TopicConfig::from_entries([
        ("cleanup.policy", "compact,delete"),
        ("headwater.quota.policy", "dropOldest"),
    ])
    .unwrap();
    table
        .run(&AlterConfigs { name: "state".into(), id: place(2).topic, config, validate_only: false })
        .unwrap();
    let compacted = Compacted { upto: 0, kept: 0, horizon: 77 };
    let partition = PartitionRow { start: 0, generation: 4, compacted };
    table.rows.insert((Store::Partitions, partition_key(place(2))), partition.encode());
    let row = table.run(&DescribeTopic { name: "events".into() }).unwrap().unwrap();
    let mut one = producer(&mut table, &row, 5);
    for value in ["a", "b", "c"] {
        let frames = FrameWriter::default().frame(0, 1_000, Some(b"key"), Some(value.as_bytes())).0;
        one.send(Now::default(), 1, &row, &frames, Durability::Relaxed).unwrap();
        run(&mut table, &mut one);
    }
    table.rows.get_mut(&(Store::Batches, batch_key(place(1), 1))).unwrap()[70] ^= 1;
    table.run(&SetAside { tp: place(1), from: 1, limit: 64 }).unwrap();
    table.run(&ClaimSink { name: "events".into(), sink: "https://collector.example".into() }).unwrap();
    table.run(&ForwarderOp::Claim { tp: place(1), fresh: (1 << 61) + 9 }).unwrap();
    let committed = CommittedOffset { offset: 2, metadata: Some("note".into()), at: 9 };
    let offsets = vec![OffsetCommit { tp: place(1), committed }];
    table.run(&CommitOffsets { group: "workers".into(), member: None, offsets }).unwrap();
    table.run(&ClaimGroup { group: "claimed".into(), node: 3, above: 0 }).unwrap();
    transaction(&mut table);
    deletion(&mut table);
    table
}

/// A topic that was deleted, and whose records are still there.
fn deletion(table: &mut Table) {
    let id = place(3).topic;
    let config = TopicConfig::default();
    let create = CreateTopic { name: "deleted".into(), id, partitions: 1, config, validate_only: false };
    let row = table.run(&create).unwrap().topic;
    let mut one = producer(table, &row, 6);
    crate::bench::send(table, &mut one, &row, 1, &["of nobody"]);
    table.run(&DeleteTopic { name: "deleted".into() }).unwrap();
}

fn transaction(table: &mut Table) {
    let topic = table.run(&DescribeTopic { name: "state".into() }).unwrap().unwrap();
    let init = table.run(&InitProducerId { transactional_id: "id".into(), fresh: 99, now: 5 }).unwrap();
    let mut machine = Transactions::new(Random::new(1));
    machine.initialised("id".into(), &init);
    let frames = FrameWriter::default().frame(0, 1_000, Some(b"k"), Some(b"v")).0;
    let mut chooser = producer(table, &topic, 1);
    let sends = vec![Buffered { topic, frames }];
    let gathered = Gathered { sends, offsets: Vec::new(), durability: Durability::Strict };
    let id = ("id".to_string(), init.producer_id, init.epoch);
    machine.begin(Now::default(), 1, id, gathered, &mut chooser).unwrap();
    let Some(Output::Store(op)) = machine.poll() else { panic!("a commit") };
    table.run(&*op).unwrap();
}

#[test]
fn the_format_of_today_is_written_down() {
    let table = sample();
    let rows = table.rows.iter().map(|((store, key), value)| (store.name().into(), hex(key), hex(value)));
    let today = Format { rows: rows.collect() };
    if let Ok(name) = env::var("HEADWATER_WRITE_FORMAT") {
        let text = serde_json::to_string_pretty(&today).unwrap() + "\n";
        fs::write(folder().join(format!("{name}.json")), text).unwrap();
    }
    let known = all();
    assert!(
        known.iter().any(|(_, format)| *format == today),
        "rows are stored otherwise than in any of the {} formats that are written down",
        known.len()
    );
}

#[test]
fn a_log_of_every_format_is_read_and_goes_on() {
    let formats = all();
    assert!(!formats.is_empty());
    for (name, format) in formats {
        let mut table = table(&format);
        let topics = table.run(&ListTopics).unwrap();
        assert_eq!(topics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["events", "state"]);
        let (events, state) = (topics[0].1.clone(), topics[1].1.clone());
        assert_eq!(
            (events.config.retention_ms(), events.sink.as_deref()),
            (60_000, Some("https://collector.example"))
        );
        assert!(state.config.compacts() && state.config.drops_oldest(), "{name}");
        let read = values(&mut table, place(1), 0);
        assert_eq!(read, [(0, "a".to_string()), (2, "c".to_string())], "{name}: one was set aside");
        assert_eq!(values(&mut table, place(2), 0), [(0, "v".to_string())]);
        let offsets =
            table.run(&FetchOffsets { group: "workers".into(), member: None, partitions: vec![place(1)] });
        let committed = offsets.unwrap().remove(0).unwrap();
        assert_eq!((committed.offset, committed.metadata.as_deref()), (2, Some("note")));
        assert_eq!(table.run(&ListDelivered { partitions: vec![place(1)] }).unwrap(), [Some(0)]);
        let init = table.run(&InitProducerId { transactional_id: "id".into(), fresh: 1, now: 6 }).unwrap();
        assert_eq!((init.producer_id, init.epoch), (1, 1), "{name}: the older producer is fenced");
        assert!(table.run(&DescribeGroup { group: "workers".into() }).is_ok());
        assert!(
            table.run(&ClaimGroup { group: "claimed".into(), node: 4, above: 0 }).unwrap().coordinator_epoch
                > 1
        );
        let round = table.run(&BeginMaintenance { now: i64::MAX >> 1, interval_ms: 1 }).unwrap();
        for topic in round.deleted {
            while table.run(&Purge { topic }).unwrap() {}
        }
        let known = [&events, &state].map(|topic| topic.id.0);
        let mut batches = table.rows.keys().filter(|(store, _)| *store == Store::Batches);
        assert!(batches.all(|(_, key)| known.iter().any(|id| key.starts_with(id))), "{name}");
        let mut one = producer(&mut table, &events, 8);
        assert_eq!(crate::bench::send(&mut table, &mut one, &events, 1, &["d"]), [3]);
        let bounds = table.run(&ListBounds { partitions: vec![place(2)] }).unwrap()[0];
        assert_eq!((bounds.start, bounds.end, bounds.generation), (0, 1, 4));
    }
}
