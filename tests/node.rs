//! Whole nodes of one log, driven by hand: storage, channel, locks and clock are the test's.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "node/fetching.rs"]
mod fetching;
mod support;

use headwater::base::{Code, Error, TopicConfig};
use headwater::client::consumer::Reset;
use headwater::client::forwarder::{Answered, Delivery, Outcome, WireBatch};
use headwater::log::batch::Compression;
use headwater::node::{Acks, Answer, Assigned, Call, Command, ConsumerOptions, ForwardOptions, Input};
use support::FrameWriter;
use support::tabs::{CONSUMER, Tabs};

/// Tabs that do not hear each other.
fn silent() -> Tabs {
    let mut tabs = Tabs::default();
    tabs.silent = true;
    tabs
}

#[test]
fn partitions_that_an_application_assigns_by_itself_are_read_without_a_group() {
    let mut origin = Tabs::default();
    let node = origin.tab();
    origin.create_topic(node, "chat", 2);
    for value in ["a", "b", "c"] {
        origin.send(node, "chat", 0, value);
        origin.send(node, "chat", 1, value);
    }
    origin.handle(node, Input::Consumer(CONSUMER, Command::Open(Box::new(ConsumerOptions::new("alone")))));
    let assigned = |partition, offset| {
        let (topic, reset) = ("chat".to_string(), Reset::Earliest);
        Call::Assign(CONSUMER, vec![Assigned { topic, partition, offset, reset }])
    };
    origin.ask(node, assigned(1, Some(1))).unwrap();
    assert_eq!(origin.read(node), ["b", "c"]);
    let commit = origin.commit(node, "chat", 1, 2);
    origin.answer(node, commit).unwrap();
    origin.ask(node, assigned(0, None)).unwrap();
    assert_eq!(origin.read(node), ["a", "b", "c"], "nothing was committed there");
    origin.ask(node, assigned(1, None)).unwrap();
    assert_eq!(origin.read(node), ["c"]);
    assert_eq!(origin.ask(node, assigned(2, None)).unwrap_err().code(), Code::UnknownTopicOrPartition);
    let join = origin.ask(node, Call::Join(CONSUMER)).unwrap_err();
    assert_eq!(join.code(), Code::InvalidRequest);
}

#[test]
fn a_topic_deleted_by_one_node_is_a_new_one_for_the_other() {
    let mut origin = Tabs::default();
    let (one, two) = (origin.tab(), origin.tab());
    assert_eq!(origin.send(one, "chat", -1, "a"), 0);
    assert_eq!(origin.send(two, "chat", -1, "b"), 1);
    origin.ask(one, Call::DeleteTopic("chat".into())).unwrap();
    assert_eq!(origin.send(two, "chat", -1, "c"), 0);
    assert_eq!(origin.send(one, "chat", -1, "d"), 1);
}

#[test]
fn a_topic_deleted_behind_a_node_refuses_one_send_and_takes_the_next() {
    let mut origin = silent();
    let (one, two) = (origin.tab(), origin.tab());
    origin.send(two, "chat", -1, "a");
    origin.ask(one, Call::DeleteTopic("chat".into())).unwrap();
    let frames = FrameWriter::default().frame(-1, 5, None, Some(b"b")).0;
    let send = Call::Send {
        topic: "chat".into(),
        frames,
        acks: Acks::All,
        create: true,
        compression: Compression::None,
    };
    assert_eq!(origin.ask(two, send).unwrap_err().code(), Code::UnknownTopicOrPartition);
    assert_eq!(origin.send(two, "chat", -1, "c"), 0);
}

#[test]
fn admin_calls_answer_what_kafka_answers() {
    let mut origin = Tabs::default();
    let node = origin.tab();
    let create = |name: &str, partitions, validate_only| Call::CreateTopic {
        name: name.into(),
        partitions,
        config: TopicConfig::default(),
        validate_only,
    };
    origin.ask(node, create("orders", 3, true)).unwrap();
    assert!(origin.table.rows.is_empty(), "validateOnly writes nothing");
    origin.ask(node, create("orders", 3, false)).unwrap();
    let code = |result: Result<Answer, Error>| result.unwrap_err().code();
    assert_eq!(code(origin.ask(node, create("orders", 3, false))), Code::TopicAlreadyExists);
    assert_eq!(code(origin.ask(node, create("no/slash", 1, false))), Code::InvalidTopic);
    assert_eq!(code(origin.ask(node, create("none", 0, false))), Code::InvalidPartitions);
    let unknown = Call::ListBounds("nowhere".into());
    assert_eq!(code(origin.ask(node, unknown)), Code::UnknownTopicOrPartition);
    let Ok(Answer::Topics(topics)) = origin.ask(node, Call::ListTopics) else { panic!() };
    assert_eq!(
        topics.iter().map(|(name, row)| (name.as_str(), row.partitions)).collect::<Vec<_>>(),
        [("orders", 3)]
    );
    let Ok(Answer::Bounds(bounds)) = origin.ask(node, Call::ListBounds("orders".into())) else { panic!() };
    assert_eq!(bounds.len(), 3);
}

#[test]
fn flush_ends_after_everything_that_was_sent_before_is_stored_strictly() {
    let mut origin = Tabs::default();
    let node = origin.tab();
    origin.send(node, "chat", -1, "a");
    origin.ask(node, Call::Flush).unwrap();
    assert!(origin.table.rows.contains_key(&(headwater::log::Store::Meta, b"synced".to_vec())));
}

#[test]
fn the_same_seed_and_inputs_choose_the_same() {
    let run = || {
        let mut origin = Tabs::default();
        let node = origin.tab();
        origin
            .ask(
                node,
                Call::CreateTopic {
                    name: "t".into(),
                    partitions: 7,
                    config: TopicConfig::default(),
                    validate_only: false,
                },
            )
            .unwrap();
        for value in ["a", "b", "c", "d"] {
            origin.send(node, "t", -1, value);
        }
        origin.table.rows
    };
    assert!(run() == run());
}

/// Tabs of which each forwards a topic of four partitions.
fn forwarding(count: usize) -> Tabs {
    let mut origin = Tabs::default();
    let first = origin.tab();
    origin.create_topic(first, "clicks", 4);
    (1..count).for_each(|_| _ = origin.tab());
    for tab in 0..count {
        forward(&mut origin, tab);
    }
    origin.pass(20_000);
    origin
}

fn forward(origin: &mut Tabs, tab: usize) {
    let (topic, sink) = ("clicks".into(), "sink".into());
    let options = ForwardOptions { topic, sink, bytes_max: 10_000, linger_ms: 500 };
    origin.ask(tab, Call::Forward(1, options)).unwrap();
}

/// The batches that the sink of a tab was given and has not answered, in order of their partitions.
fn delivering(origin: &mut Tabs, tab: usize) -> Vec<WireBatch> {
    let batches = origin.tabs[tab].delivering.iter().flat_map(|(.., batches)| batches.clone());
    let mut batches: Vec<WireBatch> = batches.collect();
    batches.sort_by_key(|batch| batch.partition);
    batches
}

/// The sink takes everything that it was given.
fn take(origin: &mut Tabs, tab: usize) {
    for (forwarder, ticket, batches) in std::mem::take(&mut origin.tabs[tab].delivering) {
        let taken = |_: &WireBatch| Answered {
            outcome: Outcome::Accepted,
            partitions: None,
            signature: None,
            failure: None,
        };
        let delivery = Delivery { failure: None, answers: batches.iter().map(taken).collect(), limits: None };
        origin.handle(tab, Input::Delivered(forwarder, ticket, delivery));
    }
}

fn partitions(batches: &[WireBatch]) -> Vec<i32> {
    batches.iter().map(|batch| batch.partition).collect()
}

#[test]
fn partitions_of_a_forwarded_topic_are_spread_over_tabs() {
    let mut origin = forwarding(2);
    (0..4).for_each(|partition| _ = origin.send(0, "clicks", partition, "click"));
    origin.pass(1_000);
    let (one, other) = (delivering(&mut origin, 0), delivering(&mut origin, 1));
    assert_eq!((one.len(), other.len()), (2, 2));
    let mut all = [partitions(&one), partitions(&other)].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
}

#[test]
fn a_forwarder_whose_topic_is_wiped_as_it_starts_begins_with_a_new_one() {
    let mut origin = Tabs::default();
    let tab = origin.tab();
    origin.create_topic(tab, "clicks", 4);
    origin.send(tab, "clicks", 0, "before");
    // It knows the topic still, and has not heard of the wipe.
    origin.table.rows.clear();
    forward(&mut origin, tab);
    origin.pass(20_000);
    origin.send(tab, "clicks", 0, "after");
    origin.pass(1_000);
    assert_eq!(partitions(&delivering(&mut origin, tab)), [0]);
}

#[test]
fn a_forwarder_that_dies_in_the_middle_of_a_batch_is_followed_by_one_that_sends_the_same_bytes() {
    let mut origin = forwarding(2);
    (0..4).for_each(|partition| _ = origin.send(0, "clicks", partition, "click"));
    origin.pass(1_000);
    let died = delivering(&mut origin, 1);
    take(&mut origin, 0);
    origin.crash(1);
    origin.pass(20_000);
    let again = delivering(&mut origin, 0);
    let name = |batch: &WireBatch| (batch.partition, batch.producer_id, batch.epoch, batch.base_sequence);
    assert_eq!(again.iter().map(name).collect::<Vec<_>>(), died.iter().map(name).collect::<Vec<_>>());
    assert!(again.iter().zip(&died).all(|(again, died)| again.bytes == died.bytes), "the same bytes");
}

#[test]
fn a_forwarder_that_has_lost_a_partition_settles_nothing_of_it() {
    let mut origin = forwarding(1);
    (0..4).for_each(|partition| _ = origin.send(0, "clicks", partition, "click"));
    origin.pass(1_000);
    let sent = delivering(&mut origin, 0);
    assert_eq!(sent.len(), 4);
    let other = origin.tab();
    forward(&mut origin, other);
    origin.pass(10_000);
    let moved = delivering(&mut origin, other);
    assert_eq!(moved.len(), 2, "half of them have another owner, who sends them again");
    take(&mut origin, 0);
    origin.pass(1_000);
    assert_eq!(delivering(&mut origin, other), moved, "only the owner settles");
    take(&mut origin, other);
    origin.pass(10_000);
    assert_eq!((delivering(&mut origin, 0), delivering(&mut origin, other)), (vec![], vec![]));
}
