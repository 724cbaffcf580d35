//! Whole nodes of one log, driven by hand: storage, channel, locks and clock are the test's.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use headwater::base::{Code, Error, TopicConfig};
use headwater::client::consumer::Reset;
use headwater::log::batch::Compression;
use headwater::node::{Acks, Answer, Assigned, Call, Command, ConsumerOptions, Input};
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
fn a_record_of_one_node_reaches_the_waiting_consumer_of_another_by_a_notice() {
    let mut origin = Tabs::default();
    let (writer, reader) = (origin.tab(), origin.tab());
    let join = origin.join(reader, "chat");
    origin.answer(reader, join).unwrap();
    let fetch = origin.call(reader, Call::Fetch(1, 1 << 20));
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
    let fetch = origin.call(reader, Call::Fetch(1, 1 << 20));
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
    let fetch = origin.call(node, Call::Fetch(1, 1 << 20));
    assert_eq!(origin.fetched(node, fetch), ["c"]);
    origin.handle(node, Input::Consumer(1, Command::Seek("chat".into(), 0, -2)));
    let fetch = origin.call(node, Call::Fetch(1, 1 << 20));
    assert_eq!(origin.fetched(node, fetch), ["a", "b", "c"]);
    origin.handle(node, Input::Consumer(1, Command::Seek("chat".into(), 0, 99)));
    let fetch = origin.call(node, Call::Fetch(1, 1 << 20));
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
    let fetch = origin.call(node, Call::Fetch(1, 1 << 20));
    assert!(origin.waits(node, fetch));
    origin.handle(node, Input::Consumer(1, Command::Pause("chat".into(), 0, false)));
    assert_eq!(origin.fetched(node, fetch), ["a"]);
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
