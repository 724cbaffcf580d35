//! Compaction: what a reader makes of a topic is the same before and after.

use std::collections::BTreeMap;

use headwater::base::{Now, Offset, TopicConfig, TopicPartition};
use headwater::client::compaction::{Compaction, Rewritten, Step};
use headwater::client::forwarder::DeliveryRow;
use headwater::client::producer::{Output, Producer};
use headwater::log::batch::{BatchHeader, records};
use headwater::log::ops::{AlterConfigs, ClaimSink, Fetch, ListBounds, Trim};
use headwater::log::{Durability, Store, TopicRow, partition_key};
use proptest::prelude::*;

use crate::bench::{FrameWriter, NAME, Table, created, producer};

/// A record as a reader sees it.
type Seen = (Offset, Option<String>, Option<String>);

fn topic(table: &mut Table, entries: &[(&str, &str)]) -> (TopicRow, TopicPartition) {
    let row = created(table, 1);
    let all = entries.iter().copied().chain([("cleanup.policy", "compact")]);
    let config = TopicConfig::from_entries(all).unwrap();
    let alter = AlterConfigs { name: NAME.into(), id: row.id, config, validate_only: false };
    let row = table.run(&alter).unwrap();
    (row.clone(), row.topic_partitions().next().unwrap())
}

/// Appends one batch of records at one time; `None` is a tombstone.
fn put(
    table: &mut Table,
    one: &mut Producer,
    row: &TopicRow,
    time: i64,
    batch: &[(&str, Option<&str>)],
) -> Offset {
    let frames = batch.iter().fold(FrameWriter::default(), |frames, (key, value)| {
        frames.frame(0, time, Some(key.as_bytes()), value.map(str::as_bytes))
    });
    one.send(Now::default(), 1, row, &frames.0, Durability::Relaxed).unwrap();
    crate::bench::run(table, one).pop().unwrap().1.unwrap()[0]
}

fn read(table: &mut Table, tp: TopicPartition) -> Vec<Seen> {
    let mut next = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].start;
    let mut seen = Vec::new();
    loop {
        let fetched = table.run(&Fetch { tp, offset: next, batches_max: 3 }).unwrap();
        let Some(last) = fetched.batches.last() else { return seen };
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        for batch in &fetched.batches {
            for record in records(batch).unwrap().map(Result::unwrap).filter(|record| record.offset >= next) {
                seen.push((record.offset, text(record.key), text(record.value)));
            }
        }
        next = BatchHeader::read(last).unwrap().next_offset();
    }
}

/// What the records come to: the last value of each key.
fn fold(seen: &[Seen]) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for (_, key, value) in seen {
        match value {
            Some(value) => state.insert(key.clone().unwrap(), value.clone()),
            None => state.remove(key.as_ref().unwrap()),
        };
    }
    state
}

/// Runs one pass to its end; answers how many records it removed, and in how many transactions it wrote.
fn pass(table: &mut Table, row: &TopicRow, timestamp: i64) -> (i64, usize) {
    let tp = row.topic_partitions().next().unwrap();
    let mut pass = Compaction::new(Now { instant: 0, timestamp }, NAME.into(), tp, &row.config);
    let mut step = pass.begin();
    let mut writes = 0;
    for _ in 0..10_000 {
        step = match step {
            Step::Find(op) => pass.found(table.run(&op).unwrap()),
            Step::Read(op) => pass.fetched(&table.run(&op).unwrap()).unwrap(),
            Step::Rewrite(op) => {
                writes += 1;
                pass.rewritten(&table.run(&op).unwrap())
            }
            Step::Done(removed) => return (removed, writes),
        }
    }
    panic!("the pass does not end")
}

fn offsets(table: &mut Table, tp: TopicPartition) -> Vec<Offset> {
    read(table, tp).into_iter().map(|(offset, ..)| offset).collect()
}

#[test]
fn of_each_key_the_last_record_stays_where_it_was() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    put(&mut table, &mut one, &row, 1, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
    put(&mut table, &mut one, &row, 1, &[("c", Some("1")), ("b", Some("2"))]);
    put(&mut table, &mut one, &row, 1, &[("c", Some("2"))]);
    let end = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
    assert_eq!(pass(&mut table, &row, 100).0, 2);
    assert_eq!(
        offsets(&mut table, tp),
        [2, 3, 4, 5],
        "the last batch was not looked into yet: c stays twice"
    );
    let after = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
    assert_eq!((after.start, after.end, after.generation), (end.start, end.end, end.generation + 1));
    put(&mut table, &mut one, &row, 1, &[("z", Some("1"))]);
    put(&mut table, &mut one, &row, 1, &[("z", Some("2"))]);
    put(&mut table, &mut one, &row, 1, &[("z", Some("3"))]);
    put(&mut table, &mut one, &row, 1, &[("z", Some("4"))]);
    assert_eq!(pass(&mut table, &row, 100).0, 3);
    assert_eq!(offsets(&mut table, tp), [2, 4, 5, 8, 9]);
    assert_eq!(pass(&mut table, &row, 100), (0, 0), "there is nothing to do");
}

#[test]
fn a_writer_with_an_old_view_cannot_write_into_a_gap() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    put(&mut table, &mut one, &row, 1, &[("a", Some("1"))]);
    // It believes that the partition ends at 1, where a batch is about to be removed.
    let mut stale = producer(&mut table, &row, 2);
    let mut third = producer(&mut table, &row, 3);
    put(&mut table, &mut third, &row, 1, &[("a", Some("2"))]);
    put(&mut table, &mut one, &row, 1, &[("a", Some("3"))]);
    put(&mut table, &mut one, &row, 1, &[("a", Some("4"))]);
    pass(&mut table, &row, 200_000_000);
    assert!(!table.rows.contains_key(&(Store::Batches, headwater::log::batch_key(tp, 1))));
    assert_eq!(put(&mut table, &mut stale, &row, 1, &[("a", Some("5"))]), 4);
}

#[test]
fn a_tombstone_is_kept_for_its_time_and_then_goes() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[("delete.retention.ms", "1000")]);
    let mut one = producer(&mut table, &row, 1);
    put(&mut table, &mut one, &row, 1, &[("a", Some("1")), ("b", Some("1"))]);
    put(&mut table, &mut one, &row, 1, &[("a", None)]);
    put(&mut table, &mut one, &row, 1, &[("c", Some("1"))]);
    pass(&mut table, &row, 5_000);
    assert_eq!(offsets(&mut table, tp), [1, 2, 3], "its time begins with the first pass that keeps it");
    assert_eq!(pass(&mut table, &row, 5_999), (0, 0));
    assert_eq!(offsets(&mut table, tp), [1, 2, 3]);
    assert_eq!(pass(&mut table, &row, 6_000).0, 1);
    assert_eq!(offsets(&mut table, tp), [1, 3]);
    assert_eq!(pass(&mut table, &row, 60_000), (0, 0));
}

#[test]
fn what_is_younger_than_the_lag_is_not_touched() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[("min.compaction.lag.ms", "1000")]);
    let mut one = producer(&mut table, &row, 1);
    for time in [100, 200, 5_000, 5_100] {
        put(&mut table, &mut one, &row, time, &[("a", Some("x"))]);
    }
    pass(&mut table, &row, 5_500);
    assert_eq!(offsets(&mut table, tp), [1, 2, 3]);
}

#[test]
fn nothing_is_touched_that_a_forwarder_has_not_delivered() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    for value in ["1", "2", "3", "4", "5"] {
        put(&mut table, &mut one, &row, 1, &[("a", Some(value))]);
    }
    table.run(&ClaimSink { name: NAME.into(), sink: "collector".into() }).unwrap();
    assert_eq!(pass(&mut table, &row, 100), (0, 0), "nothing was delivered yet");
    let delivered = DeliveryRow { committed: 3, ..DeliveryRow::begin(1 << 61, 0) };
    table.rows.insert((Store::Deliveries, partition_key(tp)), delivered.encode());
    assert_eq!(pass(&mut table, &row, 100).0, 2);
    assert_eq!(offsets(&mut table, tp), [2, 3, 4]);
}

#[test]
fn a_sink_that_is_claimed_between_two_slices_ends_the_pass() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    for value in ["1", "2", "3"] {
        put(&mut table, &mut one, &row, 1, &[("a", Some(value))]);
    }
    let mut pass = Compaction::new(Now { instant: 0, timestamp: 9 }, NAME.into(), tp, &row.config);
    let mut step = pass.begin();
    loop {
        step = match step {
            Step::Find(op) => pass.found(table.run(&op).unwrap()),
            Step::Read(op) => pass.fetched(&table.run(&op).unwrap()).unwrap(),
            Step::Rewrite(op) => {
                table.run(&ClaimSink { name: NAME.into(), sink: "collector".into() }).unwrap();
                let before = table.rows.clone();
                let rewritten: Rewritten = table.run(&op).unwrap();
                assert_eq!((rewritten.removed, rewritten.next), (0, None));
                assert_eq!(table.rows, before);
                pass.rewritten(&rewritten)
            }
            Step::Done(removed) => break assert_eq!(removed, 0),
        }
    }
}

#[test]
fn a_record_whose_append_nobody_heard_of_is_not_doubled_where_it_was_compacted_away_meanwhile() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut unlucky = producer(&mut table, &row, 1);
    let mut other = producer(&mut table, &row, 2);
    let frames = FrameWriter::default().frame(0, 1, Some(b"a"), Some(b"old")).0;
    unlucky.send(Now::default(), 1, &row, &frames, Durability::Relaxed).unwrap();
    let Some(Output::Store(append)) = unlucky.poll() else { panic!("an append") };
    table.run(&*append).unwrap();
    put(&mut table, &mut other, &row, 1, &[("a", Some("new"))]);
    put(&mut table, &mut other, &row, 1, &[("a", Some("newer"))]);
    assert_eq!(pass(&mut table, &row, 100).0, 1);
    let died =
        headwater::base::Error::new(headwater::base::Code::StorageUnknownOutcome, "the connection died");
    unlucky.stored(Now::default(), Err(died));
    unlucky.tick(Now { instant: 10_000, timestamp: 0 });
    let done = crate::bench::run(&mut table, &mut unlucky).pop().unwrap().1.unwrap();
    assert_eq!(done, [0], "it learns where it was");
    assert_eq!(fold(&read(&mut table, tp))["a"], "newer");
}

#[test]
fn batches_without_records_of_producers_that_are_long_gone_go_too() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    for seed in 1..=5 {
        let mut each = producer(&mut table, &row, seed);
        put(&mut table, &mut each, &row, 1_000, &[("a", Some("x"))]);
    }
    let count = |table: &Table| table.rows.keys().filter(|(store, _)| *store == Store::Batches).count();
    pass(&mut table, &row, 2_000);
    assert_eq!((offsets(&mut table, tp), count(&table)), (vec![3, 4], 5));
    let mut last = producer(&mut table, &row, 9);
    for _ in 0..9 {
        put(&mut table, &mut last, &row, 2_000, &[("a", Some("y"))]);
    }
    pass(&mut table, &row, 200_000_000);
    assert_eq!((offsets(&mut table, tp), count(&table)), (vec![12, 13], 2));
}

#[test]
fn large_partitions_are_compacted_in_slices() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    let large = "x".repeat(60_000);
    for turn in 0..60 {
        let key = format!("{}", turn % 7);
        put(&mut table, &mut one, &row, 1, &[(&key, Some(&large))]);
    }
    let (removed, writes) = pass(&mut table, &row, 100);
    assert_eq!(removed, 52);
    assert!(writes >= 4, "3.6 MB in {writes} transactions");
    assert_eq!(offsets(&mut table, tp), (52..60).collect::<Vec<_>>());
}

/// Producer id, sequence and time of each record: what names it for ever.
fn identities(table: &Table, tp: TopicPartition) -> BTreeMap<Offset, (i64, i32, i64)> {
    let mut found = BTreeMap::new();
    for ((store, key), bytes) in &table.rows {
        if *store == Store::Batches && key.starts_with(&partition_key(tp)) {
            let producer = BatchHeader::read(bytes).unwrap().producer_id;
            for record in records(bytes).unwrap().map(Result::unwrap) {
                found.insert(record.offset, (producer, record.sequence, record.timestamp));
            }
        }
    }
    found
}

fn rows(table: &Table) -> usize {
    table.rows.keys().filter(|(store, _)| *store == Store::Batches).count()
}

#[test]
fn small_neighbours_become_one_batch_and_their_records_stay_what_they_were() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    for turn in 0..400 {
        let key = format!("key {turn}");
        put(&mut table, &mut one, &row, 1_000 + turn, &[(&key, Some("stays")), ("hot", Some("goes"))]);
    }
    let (before, all) = (identities(&table, tp), read(&mut table, tp));
    assert_eq!(pass(&mut table, &row, 2_000).0, 398);
    let after = identities(&table, tp);
    assert!(after.iter().all(|(offset, identity)| before[offset] == *identity));
    assert!(rows(&table) <= 5, "401 records in {} rows", rows(&table));
    let seen = read(&mut table, tp);
    assert_eq!((seen.len(), fold(&seen)), (402, fold(&all)));
    for from in [1, 5, 200, 798] {
        let fetched = table.run(&Fetch { tp, offset: from, batches_max: 1 }).unwrap();
        let header = BatchHeader::read(&fetched.batches[0]).unwrap();
        assert!((header.base_offset..header.next_offset()).contains(&from), "{from} is found in {header:?}");
    }
    // Nothing is merged again for nothing.
    assert_eq!(pass(&mut table, &row, 3_000), (0, 0));
}

#[test]
fn batches_that_are_large_enough_stay_apart() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut one = producer(&mut table, &row, 1);
    let value = "x".repeat(6_000);
    for turn in 0..20 {
        put(&mut table, &mut one, &row, 1, &[(&format!("key {turn}"), Some(&value))]);
    }
    pass(&mut table, &row, 100);
    let sizes = table.rows.iter().filter(|((store, _), _)| *store == Store::Batches);
    let sizes: Vec<usize> = sizes.map(|(_, bytes)| bytes.len()).collect();
    assert!(sizes.iter().all(|size| *size < 17_000) && (10..=12).contains(&sizes.len()), "{sizes:?}");
    assert_eq!(offsets(&mut table, tp), (0..20).collect::<Vec<_>>());
}

#[test]
fn batches_of_several_producers_stay_apart() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut both = [producer(&mut table, &row, 1), producer(&mut table, &row, 2)];
    for turn in 0..20 {
        put(&mut table, &mut both[turn % 2], &row, 1, &[(&format!("key {turn}"), Some("x"))]);
    }
    let before = identities(&table, tp);
    pass(&mut table, &row, 100);
    assert_eq!((rows(&table), identities(&table, tp)), (20, before));
}

#[test]
fn a_record_whose_append_nobody_heard_of_is_found_where_its_neighbours_were_merged() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut unlucky = producer(&mut table, &row, 1);
    for key in ["a", "b", "c"] {
        put(&mut table, &mut unlucky, &row, 1, &[(key, Some("x"))]);
    }
    let frames = FrameWriter::default().frame(0, 1, Some(b"d"), Some(b"x")).0;
    unlucky.send(Now::default(), 1, &row, &frames, Durability::Relaxed).unwrap();
    let Some(Output::Store(append)) = unlucky.poll() else { panic!("an append") };
    table.run(&*append).unwrap();
    let mut other = producer(&mut table, &row, 2);
    put(&mut table, &mut other, &row, 1, &[("e", Some("x"))]);
    pass(&mut table, &row, 100);
    assert_eq!(rows(&table), 3, "a to c are one; d and e are not");
    let died =
        headwater::base::Error::new(headwater::base::Code::StorageUnknownOutcome, "the connection died");
    unlucky.stored(Now::default(), Err(died));
    unlucky.tick(Now { instant: 10_000, timestamp: 0 });
    assert_eq!(crate::bench::run(&mut table, &mut unlucky).pop().unwrap().1.unwrap(), [3]);
    assert_eq!(offsets(&mut table, tp), [0, 1, 2, 3, 4]);
}

#[test]
fn an_append_of_several_batches_is_found_by_the_last_of_them() {
    let mut table = Table::default();
    let (row, tp) = topic(&mut table, &[]);
    let mut unlucky = producer(&mut table, &row, 1);
    let mut other = producer(&mut table, &row, 2);
    put(&mut table, &mut unlucky, &row, 1, &[("before", Some("x"))]);
    let large = vec![b'x'; 60_000];
    let keys = ["a", "b", "c", "d", "e", "f"];
    let frames = keys
        .iter()
        .fold(FrameWriter::default(), |frames, key| frames.frame(0, 1, Some(key.as_bytes()), Some(&large)));
    unlucky.send(Now::default(), 1, &row, &frames.0, Durability::Relaxed).unwrap();
    let Some(Output::Store(append)) = unlucky.poll() else { panic!("an append") };
    table.run(&*append).unwrap();
    assert!(rows(&table) >= 4, "several batches");
    for key in keys.iter().chain(["last"].iter()) {
        put(&mut table, &mut other, &row, 1, &[(key, Some("newer"))]);
    }
    assert_eq!(pass(&mut table, &row, 100).0, 6);
    let died =
        headwater::base::Error::new(headwater::base::Code::StorageUnknownOutcome, "the connection died");
    unlucky.stored(Now::default(), Err(died));
    unlucky.tick(Now { instant: 10_000, timestamp: 0 });
    let done = crate::bench::run(&mut table, &mut unlucky).pop().unwrap().1.unwrap();
    assert_eq!(done[0], 1, "it learns where it was");
    let end = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].end;
    assert_eq!(end, 14, "nothing was stored again");
}

#[derive(Clone, Debug)]
enum Action {
    Put(usize, Vec<(u8, bool)>),
    Pass(i64),
    Trim(i64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..2_usize, proptest::collection::vec((0..6_u8, proptest::bool::weighted(0.7)), 1..5))
            .prop_map(|(writer, records)| Action::Put(writer, records)),
        2 => (0..800_i64).prop_map(Action::Pass),
        1 => (0..=100_i64).prop_map(Action::Trim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_the_records_come_to_never_changes(actions in proptest::collection::vec(action(), 1..60)) {
        let mut table = Table::default();
        let (row, tp) = topic(&mut table, &[("delete.retention.ms", "500")]);
        let mut writers = [producer(&mut table, &row, 1), producer(&mut table, &row, 2)];
        let mut written: Vec<Seen> = Vec::new();
        let mut named = BTreeMap::new();
        let mut now = 1_000;
        for action in &actions {
            match action {
                Action::Put(writer, batch) => {
                    let keys: Vec<String> = batch.iter().map(|(key, _)| format!("k{key}")).collect();
                    let value = format!("v{}", written.len());
                    let records: Vec<(&str, Option<&str>)> = keys
                        .iter()
                        .zip(batch)
                        .map(|(key, (_, alive))| (key.as_str(), alive.then_some(value.as_str())))
                        .collect();
                    let base = put(&mut table, &mut writers[*writer], &row, now, &records);
                    prop_assert_eq!(base, written.len() as i64, "offsets go on, whatever was removed");
                    for (offset, (key, value)) in (base..).zip(records) {
                        written.push((offset, Some(key.into()), value.map(Into::into)));
                    }
                    named.extend(identities(&table, tp).into_iter().filter(|(offset, _)| *offset >= base));
                }
                Action::Pass(later) => {
                    now += later;
                    pass(&mut table, &row, now);
                }
                Action::Trim(percent) => {
                    let before = Some(written.len() as i64 * percent / 100);
                    table.run(&Trim { topic: NAME.into(), tp, before, undelivered: false }).unwrap();
                }
            }
            let seen = read(&mut table, tp);
            let start = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].start;
            let whole: Vec<Seen> = written.iter().filter(|(offset, ..)| *offset >= start).cloned().collect();
            prop_assert!(seen.iter().all(|record| whole.contains(record)), "records are what was written");
            let names = identities(&table, tp);
            prop_assert!(names.iter().all(|(offset, identity)| named[offset] == *identity), "and keep their names");
            prop_assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(fold(&seen), fold(&whole));
        }
    }
}
