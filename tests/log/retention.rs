//! Retention, slice by slice.

use headwater::base::{Now, Offset, TopicConfig, TopicPartition};
use headwater::client::retention::{Retention, Sizes, Step};
use headwater::log::batch::BatchHeader;
use headwater::log::ops::{Fetch, ListBounds, Measure, Trim};
use headwater::log::{Store, TopicRow, batch_range};
use proptest::prelude::*;

use crate::bench::{NAME, Table, created, producer, send};

/// One record a call, the time of call n is 1,000 + n.
fn filled(table: &mut Table, calls: u64) -> (TopicRow, TopicPartition) {
    let row = created(table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(table, &row, 1);
    for call in 1..=calls {
        send(table, &mut one, &row, call, &["x"]);
    }
    (row, tp)
}

/// What a pass did: how many batches it measured, and in how many transactions it deleted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pass {
    measured: usize,
    trims: usize,
}

fn pass(
    table: &mut Table,
    tp: TopicPartition,
    entries: &[(&str, &str)],
    timestamp: i64,
    sizes: &mut Sizes,
) -> Pass {
    let config = TopicConfig::from_entries(entries.iter().copied()).unwrap();
    let mut retention = Retention::new(Now { instant: 0, timestamp }, &config, core::mem::take(sizes));
    let mut done = Pass::default();
    let mut step = retention.begin();
    loop {
        step = match step {
            Step::Measure(from, limit) => {
                assert!((1..=256).contains(&limit));
                let measured = table.run(&Measure { tp, from, limit }).unwrap();
                done.measured += measured.batches.len();
                retention.measured(&measured)
            }
            Step::Trim(before) => {
                done.trims += 1;
                let trim = Trim { topic: NAME.into(), tp, before: Some(before), undelivered: false };
                let trimmed = table.run(&trim).unwrap();
                retention.trimmed(before, &trimmed)
            }
            Step::Keep => break,
        }
    }
    *sizes = retention.into_sizes();
    done
}

fn start(table: &mut Table, tp: TopicPartition) -> Offset {
    table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].start
}

fn batches(table: &Table, tp: TopicPartition) -> usize {
    let (from, to) = batch_range(tp, 0, Offset::MAX);
    table.rows.range((Store::Batches, from)..(Store::Batches, to)).count()
}

#[test]
fn what_is_older_than_the_limit_goes_and_its_rows_with_it() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table, 80);
    pass(&mut table, tp, &[("retention.ms", "100")], 1_150, &mut Sizes::default());
    assert_eq!(start(&mut table, tp), 49, "those before 1,050");
    assert_eq!(batches(&table, tp), 31);
    pass(&mut table, tp, &[("retention.ms", "-1")], 99_999, &mut Sizes::default());
    assert_eq!(start(&mut table, tp), 49);
    pass(
        &mut table,
        tp,
        &[("retention.ms", "100"), ("cleanup.policy", "compact")],
        99_999,
        &mut Sizes::default(),
    );
    assert_eq!(start(&mut table, tp), 49, "a topic that is only compacted");
}

#[test]
fn what_stays_is_no_smaller_than_the_limit_in_bytes() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table, 80);
    let bytes = table.run(&Measure { tp, from: 0, limit: 1 }).unwrap().batches[0].bytes;
    let limit = (bytes * 10).to_string();
    let entries = [("retention.ms", "-1"), ("retention.bytes", limit.as_str())];
    pass(&mut table, tp, &entries, 0, &mut Sizes::default());
    assert_eq!(start(&mut table, tp), 70);
    pass(&mut table, tp, &[("retention.ms", "-1"), ("retention.bytes", "1")], 0, &mut Sizes::default());
    assert_eq!(start(&mut table, tp), 79);
}

#[test]
fn a_partition_is_measured_once_and_then_only_what_is_new() {
    let mut table = Table::default();
    let (row, tp) = filled(&mut table, 300);
    let entries = [("retention.ms", "-1"), ("retention.bytes", "1000000")];
    let mut sizes = Sizes::default();
    assert_eq!(pass(&mut table, tp, &entries, 0, &mut sizes).measured, 300);
    let mut other = producer(&mut table, &row, 2);
    for call in 0..8 {
        send(&mut table, &mut other, &row, call, &["y"]);
    }
    let second = pass(&mut table, tp, &entries, 0, &mut sizes);
    assert!(second.measured <= 20, "the first slice and the new ones: {second:?}");
    let bytes = table.run(&Measure { tp, from: 0, limit: 1 }).unwrap().batches[0].bytes;
    let limit = (bytes * 100).to_string();
    pass(&mut table, tp, &[("retention.ms", "-1"), ("retention.bytes", &limit)], 0, &mut sizes);
    let left = batches(&table, tp);
    assert!((100..=110).contains(&left), "{left} batches are left of a limit of 100");
}

#[test]
fn one_record_that_is_young_keeps_all_behind_it() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in [1, 2, 500, 3, 4] {
        send(&mut table, &mut one, &row, call, &["x"]);
    }
    pass(&mut table, tp, &[("retention.ms", "100")], 1_200, &mut Sizes::default());
    assert_eq!(start(&mut table, tp), 2);
}

#[test]
fn a_large_trim_hides_at_once_and_deletes_in_slices() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    let values = vec!["x"; 1_000];
    for call in 1..=40 {
        send(&mut table, &mut one, &row, call, &values);
    }
    let trim = Trim { topic: NAME.into(), tp, before: Some(39_500), undelivered: false };
    let first = table.run(&trim).unwrap();
    assert_eq!((first.start, first.more), (39_500, true));
    assert!(table.run(&Fetch { tp, offset: 100, batches_max: 1 }).unwrap().batches.is_empty());
    assert!(batches(&table, tp) > 20);
    let mut generation = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].generation;
    let mut slices = 1;
    while table.run(&trim).unwrap().more {
        slices += 1;
        let now = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].generation;
        assert_eq!(
            core::mem::replace(&mut generation, now),
            now,
            "nobody is disturbed by what was hidden before"
        );
    }
    assert_eq!((slices, batches(&table, tp)), (4, 1), "the batch that holds the start stays");
    let kept = table.run(&Fetch { tp, offset: 39_500, batches_max: 1 }).unwrap().batches.remove(0);
    assert_eq!(BatchHeader::read(&kept).unwrap().base_offset, 39_000);
}

#[test]
fn what_a_broken_off_trim_left_is_deleted_by_the_next_pass() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=40 {
        send(&mut table, &mut one, &row, call, &vec!["x"; 1_000]);
    }
    assert!(table.run(&Trim { topic: NAME.into(), tp, before: None, undelivered: false }).unwrap().more);
    pass(&mut table, tp, &[("retention.ms", "-1")], 0, &mut Sizes::default());
    assert_eq!((start(&mut table, tp), batches(&table, tp)), (40_000, 0));
}

proptest! {
    #[test]
    fn passes_keep_what_kafkas_rules_keep(
        times in proptest::collection::vec(0..400_u64, 1..60),
        retention_ms in -1..400_i64,
        keep in 0..70_u64,
        more in proptest::collection::vec(0..400_u64, 0..20),
    ) {
        let mut table = Table::default();
        let row = created(&mut table, 1);
        let tp = row.topic_partitions().next().unwrap();
        let mut one = producer(&mut table, &row, 1);
        let mut sizes = Sizes::default();
        let mut model: Vec<(Offset, u64)> = Vec::new();
        let bytes = 70;
        let (ms, limit) = (retention_ms.to_string(), (keep * bytes).to_string());
        let entries = [("retention.ms", ms.as_str()), ("retention.bytes", limit.as_str())];
        for times in [&times, &more] {
            for time in times {
                let offset = send(&mut table, &mut one, &row, *time, &["x"])[0];
                model.push((offset, *time));
            }
            pass(&mut table, tp, &entries, 1_400, &mut sizes);
            let young = |(_, time): &(Offset, u64)| retention_ms < 0 || 400 - *time as i64 <= retention_ms;
            let kept = model.iter().position(young).unwrap_or(model.len());
            model.drain(..kept);
            let measured = table.run(&Measure { tp, from: 0, limit: 100 }).unwrap();
            let stored: u64 = measured.batches.iter().map(|batch| batch.bytes).sum();
            let first = start(&mut table, tp);
            let by_time = model.first().map_or(first, |(offset, _)| *offset);
            prop_assert!(first >= by_time, "what is old is gone");
            let surplus = model.iter().filter(|(offset, _)| *offset < first).count();
            if surplus > 0 {
                prop_assert!(stored >= keep * bytes, "what stays is no smaller than the limit");
            }
            model.retain(|(offset, _)| *offset >= first);
            prop_assert_eq!(measured.batches.len(), model.len());
        }
    }
}
