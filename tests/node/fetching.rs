//! What a fetch waits for, and what it brings.

use headwater::base::{Now, Offset, TopicId, TopicPartition};
use headwater::client::consumer::{Consumer, FetchLimits, Output, Reset};
use headwater::group::{CommittedOffset, FoundPosition};
use headwater::log::ops::{Bounds, Fetched};
use headwater::node::{Call, Command, ConsumerOptions, Input};

use crate::silent;
use crate::support::tabs::{CONSUMER, Tabs};
use headwater::log::batch::{BatchBuilder, BatchOptions};

#[test]
fn a_record_of_one_node_reaches_the_waiting_consumer_of_another_by_a_notice() {
    let mut origin = Tabs::default();
    let (writer, reader) = (origin.tab(), origin.tab());
    let join = origin.join(reader, "chat");
    origin.answer(reader, join).unwrap();
    let fetch = origin.call(reader, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    assert!(origin.waits(reader, fetch));
    origin.send(writer, "chat", -1, "hello");
    assert_eq!(origin.fetched(reader, fetch), ["hello"]);
}

#[test]
fn a_lost_notice_only_delays() {
    let mut origin = silent();
    let (writer, reader) = (origin.tab(), origin.tab());
    let join = origin.join(reader, "chat");
    origin.answer(reader, join).unwrap();
    let fetch = origin.call(reader, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    origin.send(writer, "chat", -1, "hello");
    assert!(origin.waits(reader, fetch));
    origin.pass(5_000);
    assert_eq!(origin.fetched(reader, fetch), ["hello"]);
}

#[test]
fn seek_before_the_assignment_is_not_forgotten() {
    let mut origin = Tabs::default();
    let node = origin.tab();
    for value in ["a", "b", "c"] {
        origin.send(node, "chat", -1, value);
    }
    origin.subscribe(node, CONSUMER, "chat", ConsumerOptions::new("ui"));
    origin.command(node, Command::Seek("chat".into(), 0, 2));
    let join = origin.join_subscribed(node, CONSUMER);
    origin.answer(node, join).unwrap();
    let fetch = origin.call(node, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    assert_eq!(origin.fetched(node, fetch), ["c"]);
    origin.handle(node, Input::Consumer(1, Command::Seek("chat".into(), 0, -2)));
    let fetch = origin.call(node, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    assert_eq!(origin.fetched(node, fetch), ["a", "b", "c"]);
    origin.handle(node, Input::Consumer(1, Command::Seek("chat".into(), 0, 99)));
    let fetch = origin.call(node, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    assert_eq!(origin.fetched(node, fetch), ["a", "b", "c"], "out of range: the reset policy decides");
}

#[test]
fn a_paused_partition_is_not_read_until_it_is_resumed() {
    let mut origin = Tabs::default();
    let node = origin.tab();
    origin.send(node, "chat", -1, "a");
    let join = origin.join(node, "chat");
    origin.answer(node, join).unwrap();
    origin.handle(node, Input::Consumer(1, Command::Pause("chat".into(), 0, true)));
    let fetch = origin.call(node, Call::Fetch(1, FetchLimits::up_to(1 << 20)));
    assert!(origin.waits(node, fetch));
    origin.handle(node, Input::Consumer(1, Command::Pause("chat".into(), 0, false)));
    assert_eq!(origin.fetched(node, fetch), ["a"]);
}

/// A tab that reads both partitions of `chat`, and a fetch that it is to make.
fn reading(bytes_min: usize, wait_ms: u64) -> (Tabs, usize, Call) {
    let mut origin = Tabs::default();
    let tab = origin.tab();
    origin.create_topic(tab, "chat", 2);
    let join = origin.join(tab, "chat");
    origin.answer(tab, join).unwrap();
    (origin, tab, fetch(bytes_min, wait_ms))
}

fn fetch(bytes_min: usize, wait_ms: u64) -> Call {
    Call::Fetch(CONSUMER, FetchLimits { bytes_max: 1 << 20, bytes_min, wait_ms })
}

/// A batch with a value of 100 bytes takes no less than these, and not twice as many.
const BATCH_BYTES: usize = 100;

fn value(letter: char) -> String {
    letter.to_string().repeat(BATCH_BYTES)
}

#[test]
fn a_fetch_waits_until_all_partitions_have_enough_and_then_brings_all_of_it() {
    let (mut origin, tab, call) = reading(4 * BATCH_BYTES, 60_000);
    let call = origin.call(tab, call);
    origin.send(tab, "chat", 0, &value('a'));
    assert!(origin.waits(tab, call), "one batch is not enough");
    origin.send(tab, "chat", 1, &value('b'));
    let enough = origin.send(tab, "chat", 0, &value('c'));
    assert_eq!((enough, origin.waits(tab, call)), (1, false));
    assert_eq!(origin.fetched(tab, call), [value('a'), value('c')]);
    let call = origin.call(tab, fetch(4 * BATCH_BYTES, 60_000));
    assert_eq!(origin.fetched(tab, call), [value('b')], "what was enough comes without another wait");
    let call = origin.call(tab, fetch(4 * BATCH_BYTES, 60_000));
    origin.send(tab, "chat", 1, &value('d'));
    assert!(origin.waits(tab, call), "the next fetch waits for enough again");
}

#[test]
fn a_fetch_ends_with_what_there_is_when_its_wait_is_over() {
    let (mut origin, tab, call) = reading(1 << 20, 1_000);
    let first = origin.call(tab, call);
    origin.send(tab, "chat", 0, &value('a'));
    origin.send(tab, "chat", 1, &value('b'));
    origin.pass(999);
    assert!(origin.waits(tab, first));
    origin.pass(1);
    assert_eq!(origin.fetched(tab, first), [value('a')]);
    let second = origin.call(tab, fetch(1 << 20, 1_000));
    assert_eq!(origin.fetched(tab, second), [value('b')]);
    let third = origin.call(tab, fetch(1 << 20, 1_000));
    origin.pass(1_000);
    assert!(!origin.waits(tab, third));
    assert!(origin.fetched(tab, third).is_empty());
}

#[test]
fn what_waits_for_more_is_read_again_where_the_application_goes_elsewhere() {
    let (mut origin, tab, call) = reading(1 << 20, 1_000);
    let call = origin.call(tab, call);
    for letter in ['a', 'b', 'c'] {
        origin.send(tab, "chat", 0, &value(letter));
    }
    origin.send(tab, "chat", 1, &value('x'));
    let position = |origin: &Tabs| origin.tabs[tab].node.as_ref().unwrap().position(CONSUMER, "chat", 0);
    assert_eq!(position(&origin), Some(0), "nothing was handed out yet");
    origin.command(tab, Command::Pause("chat".into(), 1, true));
    origin.command(tab, Command::Seek("chat".into(), 0, 1));
    origin.pass(1_000);
    assert_eq!(origin.fetched(tab, call), [value('b'), value('c')]);
    origin.command(tab, Command::Pause("chat".into(), 1, false));
    let call = origin.call(tab, fetch(1, 1_000));
    assert_eq!(origin.fetched(tab, call), [value('x')]);
}

#[test]
fn what_waits_for_more_stays_behind_with_a_partition_that_goes() {
    let (mut origin, tab, call) = reading(1 << 20, 60_000);
    let call = origin.call(tab, call);
    origin.send(tab, "chat", 0, &value('a'));
    origin.ask(tab, Call::DeleteTopic("chat".into())).unwrap();
    origin.pass(60_000);
    assert!(origin.fetched(tab, call).is_empty(), "the topic is gone");
}

#[test]
fn a_fetch_brings_no_more_than_it_may_but_for_the_first_batch() {
    let (mut origin, tab, _) = reading(1, 1_000);
    for letter in ['a', 'b', 'c', 'd'] {
        origin.send(tab, "chat", 0, &value(letter));
    }
    let mut up_to = |bytes_max| {
        let call = origin.call(tab, Call::Fetch(CONSUMER, FetchLimits::up_to(bytes_max)));
        origin.fetched(tab, call)
    };
    assert_eq!(up_to(1), [value('a')]);
    assert_eq!(up_to(4 * BATCH_BYTES), [value('b'), value('c')]);
    assert_eq!(up_to(1 << 20), [value('d')]);
}

#[test]
fn what_one_partition_may_bring_is_enough() {
    let (mut origin, tab, _) = reading(1, 1_000);
    let limits = FetchLimits { bytes_max: 4 * BATCH_BYTES, bytes_min: 1 << 20, wait_ms: 60_000 };
    let call = origin.call(tab, Call::Fetch(CONSUMER, limits));
    for letter in ['a', 'b', 'c'] {
        assert!(origin.waits(tab, call));
        origin.send(tab, "chat", 0, &value(letter));
    }
    assert_eq!(origin.fetched(tab, call), [value('a'), value('b')], "a third one would be too much");
    let call = origin.call(tab, fetch(1, 1_000));
    assert_eq!(origin.fetched(tab, call), [value('c')]);
}

#[test]
fn a_position_is_not_behind_what_was_handed_out_before_the_next_fetch() {
    let (mut origin, tab, call) = reading(1, 1_000);
    let position = |origin: &Tabs| origin.tabs[tab].node.as_ref().unwrap().position(CONSUMER, "chat", 0);
    origin.send(tab, "chat", 0, &value('a'));
    let call = origin.call(tab, call);
    assert_eq!((origin.waits(tab, call), position(&origin)), (false, Some(0)));
    origin.call(tab, fetch(1, 1_000));
    assert_eq!(position(&origin), Some(1));
}

#[test]
fn a_lost_notice_only_delays_a_consumer_whose_waits_are_short() {
    let mut origin = silent();
    let (writer, reader) = (origin.tab(), origin.tab());
    let join = origin.join(reader, "chat");
    origin.answer(reader, join).unwrap();
    let first = origin.call(reader, fetch(1, 200));
    origin.pass(200);
    assert!(origin.fetched(reader, first).is_empty());
    origin.send(writer, "chat", -1, "hello");
    let read = (0..30).find_map(|_| {
        let call = origin.call(reader, fetch(1, 200));
        origin.pass(200);
        Some(origin.fetched(reader, call)).filter(|values| !values.is_empty())
    });
    assert_eq!(read, Some(vec!["hello".to_string()]));
}

/// What was committed, of a partition that has more.
fn committed_at(offset: Offset) -> FoundPosition {
    let committed = CommittedOffset { offset, metadata: None, at: 0 };
    FoundPosition { committed: Some(committed), bounds: Some(Bounds { start: 0, end: 200, generation: 1 }) }
}

/// The partition is assigned, at what was committed; answers the fetch that begins, and the number that it is under.
fn assigned_at(consumer: &mut Consumer, tp: TopicPartition, committed: Offset) -> (Offset, u64) {
    consumer.assign([(tp, "chat".to_string(), Reset::Earliest)].into_iter());
    while let Some(output) = consumer.poll() {
        if let Output::FindPositions(_, lookup) = output {
            consumer.positions_found(lookup, &[tp], &[committed_at(committed)]);
        }
    }
    consumer.activate();
    assert!(consumer.fetch(Now::default(), committed as u64, FetchLimits::up_to(1 << 20)));
    match consumer.poll() {
        Some(Output::Fetch(fetch, seeks)) => (fetch.offset, seeks),
        _ => panic!("a fetch begins"),
    }
}

#[test]
fn a_fetch_of_an_earlier_assignment_brings_nothing_to_the_next() {
    let tp = TopicPartition { topic: TopicId([7; 16]), partition: 0 };
    let mut consumer = Consumer::new("ui".into());
    let (offset, seeks) = assigned_at(&mut consumer, tp, 90);
    // The partition was another's meanwhile, who went on to 188; the fetch is still under way.
    consumer.revoke();
    while consumer.poll().is_some() {}
    consumer.assign([(tp, "chat".to_string(), Reset::Earliest)].into_iter());
    while let Some(output) = consumer.poll() {
        if let Output::FindPositions(_, lookup) = output {
            consumer.positions_found(lookup, &[tp], &[committed_at(188)]);
        }
    }
    consumer.activate();
    consumer.fetch(Now::default(), 2, FetchLimits::up_to(1 << 20));
    let mut builder = BatchBuilder::new(BatchOptions { base_offset: offset, ..BatchOptions::default() });
    builder.push(0, None, Some(b"late"), &[]);
    let batch = builder.finish();
    let late = Fetched { start: 0, end: 200, batches: vec![batch] };
    consumer.fetched(tp, offset, seeks, Ok(late));
    assert_eq!(consumer.position(tp), Some(188));
    let outputs: Vec<Output> = core::iter::from_fn(|| consumer.poll()).collect();
    assert!(!outputs.iter().any(|output| matches!(output, Output::Records(_, Some(_)))), "it is stale");
}
