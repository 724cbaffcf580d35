//! Maintenance: one node, in slices, while nobody uses the page.

use headwater::base::TopicConfig;
use headwater::log::batch::Compression;
use headwater::log::ops::{AlterConfigs, DescribeTopic, ListBounds};
use headwater::log::{Store, TopicRow, batch_key};
use headwater::node::{Acks, Answer, Call, Event, Input, PageEvent};

use crate::support::FrameWriter;
use crate::support::origin::Origin;

const HOUR: u64 = 3_600_000;

fn row(origin: &mut Origin, topic: &str) -> TopicRow {
    origin.table.run(&DescribeTopic { name: topic.into() }).unwrap().unwrap()
}

fn configured(origin: &mut Origin, topic: &str, entries: &[(&str, &str)]) {
    let config = TopicConfig::from_entries(entries.iter().copied()).unwrap();
    let id = row(origin, topic).id;
    origin.table.run(&AlterConfigs { name: topic.into(), id, config, validate_only: false }).unwrap();
}

fn keyed(origin: &mut Origin, node: usize, key: &str, value: &str) {
    let frames =
        FrameWriter::default().frame(0, origin.now.timestamp, Some(key.as_bytes()), Some(value.as_bytes())).0;
    let call = Call::Send {
        topic: "state".into(),
        frames,
        acks: Acks::Leader,
        create: true,
        compression: Compression::None,
    };
    assert!(matches!(origin.ask(node, call), Ok(Answer::Sent(_))));
}

fn trimmed(origin: &Origin) -> usize {
    origin.events.iter().filter(|event| matches!(event, Event::Trimmed { .. })).count()
}

#[test]
fn old_records_go_by_themselves() {
    let mut origin = Origin::default();
    let one = origin.node();
    for value in ["a", "b"] {
        origin.send(one, "events", value).unwrap();
    }
    configured(&mut origin, "events", &[("retention.ms", "3600000")]);
    origin.pass(2 * HOUR);
    origin.send(one, "events", "c").unwrap();
    origin.pass(HOUR / 2);
    assert_eq!(origin.stored("events", 2).len(), 1);
    assert_eq!(trimmed(&origin), 1);
    assert_eq!(origin.table.rows.keys().filter(|(store, _)| *store == Store::Batches).count(), 1);
}

#[test]
fn a_compacted_topic_keeps_the_last_record_of_each_key() {
    let mut origin = Origin::default();
    let one = origin.node();
    for value in ["1", "2", "3", "4"] {
        keyed(&mut origin, one, "a", value);
    }
    configured(&mut origin, "state", &[("cleanup.policy", "compact")]);
    origin.pass(HOUR);
    assert_eq!(origin.stored("state", 0), [(2, "3".to_string()), (3, "4".to_string())]);
    let removed = |event: &Event| matches!(event, Event::Compacted { removed: 2, partition: 0, .. });
    assert!(origin.events.iter().any(removed));
}

#[test]
fn a_damaged_batch_stops_neither_compaction_nor_retention() {
    for at in [0, 2] {
        let mut origin = Origin::default();
        let one = origin.node();
        for value in ["1", "2", "3", "4", "5"] {
            keyed(&mut origin, one, "a", value);
        }
        configured(
            &mut origin,
            "state",
            &[("cleanup.policy", "compact,delete"), ("retention.ms", "7200000")],
        );
        let tp = row(&mut origin, "state").topic_partitions().next().unwrap();
        origin.table.rows.get_mut(&(Store::Batches, batch_key(tp, at))).unwrap()[63] ^= 1;
        origin.pass(HOUR);
        assert_eq!(origin.stored("state", 0), [(3, "4".to_string()), (4, "5".to_string())]);
        let damaged = |event: &Event| matches!(event, Event::Damaged { damaged, .. } if damaged.first == at);
        assert!(origin.events.iter().any(damaged));
        origin.pass(3 * HOUR);
        assert_eq!(origin.stored("state", 5), []);
        assert!(trimmed(&origin) > 0);
    }
}

#[test]
fn nothing_is_done_while_the_page_is_used() {
    let mut origin = Origin::default();
    origin.busy = true;
    let one = origin.node();
    for _ in 0..600 {
        origin.send(one, "events", "x").unwrap();
    }
    configured(&mut origin, "events", &[("retention.ms", "60000")]);
    origin.pass(HOUR);
    assert_eq!(trimmed(&origin), 0);
    // The page is idle for a moment now and then.
    let mut slices = 0;
    for _ in 0..1_000 {
        slices += origin.rest();
        origin.pass(1_000);
        origin.send(one, "others", "the page goes on").unwrap();
        let done = |event: &Event| matches!(event, Event::Trimmed { start: 600, .. });
        if origin.events.iter().any(done) {
            break;
        }
    }
    assert!(slices > 3, "{slices} steps, each after the page was idle again");
    let partitions = row(&mut origin, "events").topic_partitions().collect();
    assert_eq!(origin.table.run(&ListBounds { partitions }).unwrap()[0].start, 600);
}

#[test]
fn one_node_does_it_for_all() {
    let mut origin = Origin::default();
    let nodes: Vec<usize> = (0..4).map(|_| origin.node()).collect();
    for hour in 0..6 {
        origin.send(nodes[0], "events", &hour.to_string()).unwrap();
        configured(&mut origin, "events", &[("retention.ms", "1000")]);
        origin.pass(HOUR);
        assert_eq!(trimmed(&origin), hour + 1);
    }
}

#[test]
fn a_page_that_is_never_idle_leaves_it_to_another() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    origin.send(one, "events", "a").unwrap();
    configured(&mut origin, "events", &[("retention.ms", "1000")]);
    origin.never_idle = Some(one);
    origin.pass(HOUR);
    assert_eq!(trimmed(&origin), 1, "{two} has done it");
}

#[test]
fn a_page_that_is_frozen_leaves_it_to_another() {
    let mut origin = Origin::default();
    origin.busy = true;
    let (one, two) = (origin.node(), origin.node());
    origin.send(one, "events", "a").unwrap();
    configured(&mut origin, "events", &[("retention.ms", "1000")]);
    origin.pass(70_000);
    assert_eq!(origin.rest(), 1, "one holds the round, the other waits for it");
    origin.handle(one, Input::Page(PageEvent::Suspended));
    origin.handle(two, Input::Page(PageEvent::Visible));
    for _ in 0..60 {
        origin.pass(20_000);
        origin.rest();
    }
    assert_eq!(trimmed(&origin), 1);
}

fn batches(origin: &Origin) -> usize {
    origin.table.rows.keys().filter(|(store, _)| *store == Store::Batches).count()
}

#[test]
fn a_deleted_topic_goes_in_slices_while_the_page_is_idle_and_another_tab_goes_on() {
    let mut origin = Origin::default();
    let one = origin.node();
    let large = "x".repeat(250_000);
    for _ in 0..20 {
        origin.send(one, "events", &large).unwrap();
    }
    origin.busy = true;
    origin.ask(one, Call::DeleteTopic("events".into())).unwrap();
    assert_eq!(batches(&origin), 20, "nothing is removed before the page is idle");
    origin.send(one, "events", "of the next topic of this name").unwrap();
    origin.pass(1);
    origin.rest();
    origin.rest();
    let left = batches(&origin);
    assert!((2..20).contains(&left), "{left}: one slice is gone");
    origin.handle(one, Input::Page(PageEvent::Suspended));
    let two = origin.node();
    origin.busy = false;
    origin.pass(HOUR);
    assert_eq!(batches(&origin), 1);
    assert_eq!(origin.stored("events", 0).len(), 1);
    origin.send(two, "events", "and another").unwrap();
}
