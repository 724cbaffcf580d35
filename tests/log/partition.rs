//! One partition: offsets, ends, trims, retention.

use headwater::base::{Code, Now, TopicConfig, TopicId};
use headwater::client::forwarder::DeliveryRow;
use headwater::log::ops::{
    BeginMaintenance, ClaimSink, CreateTopic, DeleteTopic, Fetch, ListBounds, ListOffsets, ListedOffset,
    OffsetSpec, Purge, Trim,
};
use headwater::log::{Durability, Store, partition_key};

use crate::bench::{FrameWriter, NAME, Table, created, producer, run, send, values};

#[test]
fn offsets_are_dense_and_a_fetch_may_begin_inside_a_batch() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    assert_eq!(send(&mut table, &mut one, &row, 1, &["a", "b", "c"]), [0]);
    assert_eq!(send(&mut table, &mut one, &row, 2, &["d"]), [3]);
    let tp = row.topic_partitions().next().unwrap();
    let found = values(&mut table, tp, 1);
    assert_eq!(found, [(1, "b".into()), (2, "c".into()), (3, "d".into())]);
}

#[test]
fn a_slower_writer_finds_the_end_that_another_has_moved() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let (mut one, mut two) = (producer(&mut table, &row, 1), producer(&mut table, &row, 2));
    assert_eq!(send(&mut table, &mut one, &row, 1, &["a"]), [0]);
    assert_eq!(send(&mut table, &mut two, &row, 1, &["b"]), [1], "its belief was 0, and a conflict told it");
    assert_eq!(send(&mut table, &mut one, &row, 2, &["c"]), [2]);
}

#[test]
fn a_writer_with_an_old_view_cannot_write_over_a_gap() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let (mut one, mut stale) = (producer(&mut table, &row, 1), producer(&mut table, &row, 2));
    send(&mut table, &mut one, &row, 1, &["a", "b"]);
    assert_eq!(
        table.run(&Trim { topic: NAME.into(), tp, before: None, undelivered: false }).unwrap().start,
        2
    );
    assert_eq!(
        send(&mut table, &mut stale, &row, 1, &["c"]),
        [2],
        "offset 0 is free, but must not be used again"
    );
    assert_eq!(values(&mut table, tp, 2), [(2, "c".into())]);
}

#[test]
fn a_trim_inside_a_batch_hides_its_head_and_keeps_its_bytes() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 1, &["a", "b", "c"]);
    send(&mut table, &mut one, &row, 2, &["d"]);
    assert_eq!(
        table.run(&Trim { topic: NAME.into(), tp, before: Some(1), undelivered: false }).unwrap().start,
        1
    );
    let bounds = table.run(&ListBounds { partitions: vec![tp] }).unwrap();
    assert_eq!((bounds[0].start, bounds[0].end), (1, 4));
    assert!(table.run(&Fetch { tp, offset: 0, batches_max: 9 }).unwrap().batches.is_empty());
    assert_eq!(values(&mut table, tp, 1).len(), 3);
    let beyond =
        table.run(&Trim { topic: NAME.into(), tp, before: Some(9), undelivered: false }).unwrap_err();
    assert_eq!(beyond.code(), Code::OffsetOutOfRange);
    assert_eq!(
        table.run(&Trim { topic: NAME.into(), tp, before: Some(0), undelivered: false }).unwrap().start,
        1,
        "never back"
    );
}

#[test]
fn nothing_is_trimmed_that_a_forwarder_has_not_delivered() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=3 {
        send(&mut table, &mut one, &row, call, &["a", "b"]);
    }
    table.run(&ClaimSink { name: NAME.into(), sink: "collector".into() }).unwrap();
    let all = Trim { topic: NAME.into(), tp, before: None, undelivered: false };
    assert_eq!(table.run(&all).unwrap().start, 0, "a sink was named, and nothing was delivered yet");
    let delivered = DeliveryRow { committed: 4, ..DeliveryRow::begin(1 << 61, 0) };
    table.rows.insert((Store::Deliveries, partition_key(tp)), delivered.encode());
    assert_eq!(table.run(&all).unwrap().start, 4);
    assert_eq!(values(&mut table, tp, 4), [(4, "a".into()), (5, "b".into())]);
    let other = table.run(&ClaimSink { name: NAME.into(), sink: "elsewhere".into() }).unwrap_err();
    assert_eq!((other.code(), other.retriable()), (Code::SinkConflict, false));
}

#[test]
fn nothing_is_trimmed_that_was_not_delivered_though_the_topic_was_made_anew_and_names_no_sink() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 1, &["a", "b"]);
    let marked = DeliveryRow { committed: 1, ..DeliveryRow::begin(1 << 61, 0) };
    table.rows.insert((Store::Deliveries, partition_key(tp)), marked.encode());
    let all = Trim { topic: NAME.into(), tp, before: None, undelivered: false };
    assert_eq!(table.run(&all).unwrap().start, 1);
}

#[test]
fn offsets_by_timestamp_skip_what_is_older() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=100 {
        send(&mut table, &mut one, &row, call, &["x", "y"]);
    }
    let mut find = |spec| {
        let mut from = 0;
        loop {
            match table.run(&ListOffsets { tp, spec, from }).unwrap() {
                ListedOffset::Found(offset) => return offset,
                ListedOffset::Continue(next) => from = next,
            }
        }
    };
    assert_eq!(find(OffsetSpec::At(0)), 0);
    assert_eq!(find(OffsetSpec::At(1_090)), 178);
    assert_eq!(find(OffsetSpec::At(9_999)), 200);
    assert_eq!((find(OffsetSpec::Earliest), find(OffsetSpec::Latest)), (0, 200));
}

#[test]
fn a_deleted_topic_leaves_no_row_and_its_appends_are_refused() {
    let mut table = Table::default();
    let row = created(&mut table, 2);
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 1, &["a"]);
    table.run(&DeleteTopic { name: NAME.into() }).unwrap();
    assert_eq!(table.run(&Purge { topic: row.id }), Ok(true));
    assert_eq!(table.run(&Purge { topic: row.id }), Ok(false));
    assert!(table.rows.is_empty());
    let frames = FrameWriter::default().frame(0, 1, None, Some(b"b")).0;
    one.send(Now::default(), 2, &row, &frames, Durability::Relaxed).unwrap();
    let (_, result) = run(&mut table, &mut one).pop().unwrap();
    assert_eq!(result.unwrap_err().code(), Code::UnknownTopicOrPartition);
}

#[test]
fn a_deleted_topic_is_gone_at_once_and_its_batches_go_in_slices() {
    let mut table = Table::default();
    let old = created(&mut table, 1);
    let mut one = producer(&mut table, &old, 1);
    let large = "x".repeat(250_000);
    for call in 1..=10 {
        send(&mut table, &mut one, &old, call, &[&large]);
    }
    table.run(&DeleteTopic { name: NAME.into() }).unwrap();
    let new = TopicId([8; 16]);
    let config = TopicConfig::default();
    let create = CreateTopic { name: NAME.into(), id: new, partitions: 1, config, validate_only: false };
    let row = table.run(&create).unwrap().topic;
    assert_eq!(row.id, new);
    let mut other = producer(&mut table, &row, 2);
    send(&mut table, &mut other, &row, 1, &["a"]);
    let batches = |table: &Table| table.rows.keys().filter(|(store, _)| *store == Store::Batches).count();
    let mut left = vec![batches(&table)];
    while table.run(&Purge { topic: old.id }).unwrap() {
        left.push(batches(&table));
    }
    assert!(left.windows(2).all(|pair| (1..=4).contains(&(pair[0] - pair[1]))), "{left:?}: 1 MiB a slice");
    assert_eq!((left.first(), left.last()), (Some(&11), Some(&1)), "the new topic keeps its own");
    let begin = BeginMaintenance { now: 1, interval_ms: 1 };
    assert_eq!(table.run(&begin).unwrap().deleted, []);
}

#[test]
fn a_record_over_the_limit_is_refused_before_any_of_its_call_is_taken() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    let large = vec![0; row.config.max_message_bytes()];
    let frames = FrameWriter::default().frame(0, 1, None, Some(b"a")).frame(0, 1, None, Some(&large)).0;
    let error = one.send(Now::default(), 1, &row, &frames, Durability::Relaxed).unwrap_err();
    assert_eq!((error.code(), error.retriable()), (Code::MessageTooLarge, false));
    assert!(one.idle());
}
