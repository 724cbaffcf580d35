//! A quota that is used up: what was consumed goes first, then the topic's policy decides.

use headwater::base::{Code, Error, ErrorKind, TopicConfig, TopicPartition};
use headwater::client::forwarder::DeliveryRow;
use headwater::group::{CommitOffsets, CommittedOffset, OffsetCommit};
use headwater::log::batch::Compression;
use headwater::log::ops::{AlterConfigs, ClaimSink, DescribeTopic, ListBounds};
use headwater::log::{Store, partition_key};
use headwater::node::{Acks, AnyOp, AnyReply, Call, Event, Input};

use crate::support::origin::Origin;
use crate::support::{FrameWriter, Table};

/// Bytes of record batches that fit.
const QUOTA: usize = 40_000;

fn used(table: &Table) -> usize {
    let batches = table.rows.iter().filter(|((store, _), _)| *store == Store::Batches);
    batches.map(|(_, value)| value.len()).sum()
}

/// Refuses what would not fit, as a browser does.
fn limited(op: &AnyOp, table: &mut Table) -> Option<Result<AnyReply, Error>> {
    let mut after = table.clone();
    let result = after.run(op);
    if used(&after) > QUOTA.max(used(table)) {
        return Some(Err(Error::new(Code::StorageQuotaExceeded, "the origin's storage is full")));
    }
    *table = after;
    Some(result)
}

fn origin() -> Origin {
    let mut origin = Origin::default();
    origin.fault = Some(limited);
    origin
}

/// Sends one record of about `bytes` bytes.
fn send(origin: &mut Origin, node: usize, topic: &str, bytes: usize) -> Result<(), Error> {
    origin.now.timestamp += 1;
    let value = vec![b'x'; bytes];
    let frames = FrameWriter::default().frame(0, origin.now.timestamp, None, Some(&value)).0;
    let call = Call::Send {
        topic: topic.into(),
        frames,
        acks: Acks::Leader,
        create: true,
        compression: Compression::None,
    };
    origin.ask(node, call).map(|_| ())
}

fn place(origin: &mut Origin, topic: &str) -> TopicPartition {
    let row = origin.table.run(&DescribeTopic { name: topic.into() }).unwrap().unwrap();
    row.topic_partitions().next().unwrap()
}

fn start(origin: &mut Origin, topic: &str) -> i64 {
    let partitions = vec![place(origin, topic)];
    origin.table.run(&ListBounds { partitions }).unwrap()[0].start
}

fn consumed(origin: &mut Origin, group: &str, topic: &str, offset: i64) {
    let tp = place(origin, topic);
    let committed = CommittedOffset { offset, metadata: None, at: 0 };
    let offsets = vec![OffsetCommit { tp, committed }];
    origin.table.run(&CommitOffsets { group: group.into(), member: None, offsets }).unwrap();
}

fn policy(origin: &mut Origin, node: usize, topic: &str, policy: &str) {
    let config = TopicConfig::from_entries([("headwater.quota.policy", policy)]).unwrap();
    let id = place(origin, topic).topic;
    origin.table.run(&AlterConfigs { name: topic.into(), id, config, validate_only: false }).unwrap();
    // The next append finds out.
    send(origin, node, topic, 1).unwrap();
}

fn dropped(origin: &Origin) -> i64 {
    let records = origin.events.iter().map(|event| match event {
        Event::Dropped { records, .. } => *records,
        _ => 0,
    });
    records.sum()
}

#[test]
fn what_every_group_has_consumed_makes_room() {
    let mut origin = origin();
    let one = origin.node();
    for _ in 0..9 {
        send(&mut origin, one, "events", 4_000).unwrap();
    }
    consumed(&mut origin, "fast", "events", 8);
    consumed(&mut origin, "slow", "events", 5);
    send(&mut origin, one, "events", 4_000).unwrap();
    assert_eq!(start(&mut origin, "events"), 5, "up to where the slowest group is");
    assert_eq!(dropped(&origin), 0);
    assert!(origin.events.iter().any(|event| matches!(event, Event::Trimmed { start: 5, .. })));
}

#[test]
fn without_room_a_send_fails_as_full_and_nothing_is_lost() {
    let mut origin = origin();
    let one = origin.node();
    for _ in 0..9 {
        send(&mut origin, one, "events", 4_000).unwrap();
    }
    let full = send(&mut origin, one, "events", 4_000).unwrap_err();
    assert_eq!(
        (full.code(), full.kind(), full.retriable()),
        (Code::StorageQuotaExceeded, ErrorKind::Full, true)
    );
    assert_eq!((start(&mut origin, "events"), dropped(&origin)), (0, 0));
    consumed(&mut origin, "late", "events", 3);
    send(&mut origin, one, "events", 4_000).unwrap();
    assert_eq!(start(&mut origin, "events"), 3);
    assert_eq!(origin.stored("events", 3).last().unwrap().0, 9, "the refused one took no offset");
}

#[test]
fn a_topic_that_nobody_reads_is_not_taken_for_consumed() {
    let mut origin = origin();
    let one = origin.node();
    for _ in 0..5 {
        send(&mut origin, one, "unread", 4_000).unwrap();
        send(&mut origin, one, "read", 3_000).unwrap();
    }
    consumed(&mut origin, "readers", "read", 4);
    send(&mut origin, one, "unread", 8_000).unwrap();
    assert_eq!((start(&mut origin, "unread"), start(&mut origin, "read")), (0, 4));
}

#[test]
fn what_a_forwarder_has_not_delivered_is_kept() {
    let mut origin = origin();
    let one = origin.node();
    for _ in 0..9 {
        send(&mut origin, one, "events", 4_000).unwrap();
    }
    origin.table.run(&ClaimSink { name: "events".into(), sink: "collector".into() }).unwrap();
    consumed(&mut origin, "fast", "events", 9);
    let full = send(&mut origin, one, "events", 4_000).unwrap_err();
    assert_eq!(full.code(), Code::StorageQuotaExceeded);
    let key = partition_key(place(&mut origin, "events"));
    let delivered = DeliveryRow { committed: 2, ..DeliveryRow::begin(1 << 61, 0) };
    origin.table.rows.insert((Store::Deliveries, key), delivered.encode());
    send(&mut origin, one, "events", 4_000).unwrap();
    assert_eq!(start(&mut origin, "events"), 2);
}

#[test]
fn the_oldest_of_several_topics_goes_first() {
    let mut origin = origin();
    let one = origin.node();
    for topic in ["b", "a", "c"] {
        for _ in 0..3 {
            send(&mut origin, one, topic, 4_000).unwrap();
        }
        consumed(&mut origin, "all", topic, 3);
    }
    origin.events.clear();
    send(&mut origin, one, "d", 8_000).unwrap();
    let order: Vec<&str> = origin
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Trimmed { topic, .. } => Some(topic.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(order.first(), Some(&"b"), "{order:?}");
}

#[test]
fn a_topic_that_drops_its_oldest_says_how_many() {
    let mut origin = origin();
    let one = origin.node();
    send(&mut origin, one, "events", 1).unwrap();
    policy(&mut origin, one, "events", "dropOldest");
    for _ in 0..60 {
        send(&mut origin, one, "events", 4_000).unwrap();
    }
    let start = start(&mut origin, "events");
    assert!(start > 0);
    assert_eq!(dropped(&origin), start, "counted, and the log start offset moved as far");
    let offsets: Vec<i64> = origin.stored("events", start).iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (start..62).collect::<Vec<_>>());
}

#[test]
fn topics_that_reject_are_not_touched_for_others() {
    let mut origin = origin();
    let one = origin.node();
    for _ in 0..7 {
        send(&mut origin, one, "kept", 4_000).unwrap();
    }
    send(&mut origin, one, "events", 1).unwrap();
    policy(&mut origin, one, "events", "dropOldest");
    for _ in 0..20 {
        send(&mut origin, one, "events", 2_000).unwrap();
    }
    assert_eq!(start(&mut origin, "kept"), 0);
    assert!(start(&mut origin, "events") > 10);
}

#[test]
fn a_browser_that_gives_nothing_back_is_not_asked_for_ever() {
    let mut origin = origin();
    let one = origin.node();
    send(&mut origin, one, "events", 1).unwrap();
    policy(&mut origin, one, "events", "dropOldest");
    for _ in 0..9 {
        send(&mut origin, one, "events", 4_000).unwrap();
    }
    origin.fault = Some(|op, table| match op {
        AnyOp::Append(_) => Some(Err(Error::new(Code::StorageQuotaExceeded, "full"))),
        _ => limited(op, table),
    });
    let full = send(&mut origin, one, "events", 100).unwrap_err();
    assert_eq!(full.code(), Code::StorageQuotaExceeded);
    origin.fault = Some(limited);
    send(&mut origin, one, "events", 100).unwrap();
}

#[test]
fn a_page_that_has_loaded_only_its_core_loads_the_rest_to_make_room() {
    for loads in [true, false] {
        let mut origin = origin();
        let one = origin.node();
        for _ in 0..9 {
            send(&mut origin, one, "events", 4_000).unwrap();
        }
        consumed(&mut origin, "all", "events", 9);
        origin.handle(one, Input::Complete(false));
        let frames = FrameWriter::default().frame(0, 1, None, Some(&[b'x'; 4_000])).0;
        let call = Call::Send {
            topic: "events".into(),
            frames,
            acks: Acks::Leader,
            create: true,
            compression: Compression::None,
        };
        let call = origin.call(one, call);
        assert!(origin.answer(one, call).is_none(), "it waits");
        assert!(matches!(origin.events.pop(), Some(Event::Incomplete)));
        origin.handle(one, Input::Complete(loads));
        let answer = origin.answer(one, call).unwrap();
        assert_eq!(
            answer.map(|_| ()).map_err(|error| error.code()),
            match loads {
                true => Ok(()),
                false => Err(Code::StorageQuotaExceeded),
            }
        );
    }
}

#[test]
fn a_page_that_only_appends_loads_the_rest_some_time_since_the_log_has_to_be_looked_after() {
    let mut origin = origin();
    let one = origin.node();
    let asked = |origin: &mut Origin| {
        let asked = origin.events.iter().filter(|event| matches!(event, Event::Incomplete)).count();
        origin.events.clear();
        asked
    };
    origin.handle(one, Input::Complete(false));
    origin.handle(one, Input::Tick);
    assert_eq!(asked(&mut origin), 0, "not while the page is still loading");
    // It cannot be loaded at first, so it is asked for again.
    for _ in 0..2 {
        let due = origin.nodes[one].deadline().unwrap();
        assert!(due > origin.now.instant);
        origin.now.instant = due;
        origin.handle(one, Input::Tick);
        assert_eq!(asked(&mut origin), 1);
        origin.handle(one, Input::Complete(false));
    }
    origin.handle(one, Input::Complete(true));
    assert!(origin.nodes[one].deadline().is_some(), "maintenance has its time");
}
