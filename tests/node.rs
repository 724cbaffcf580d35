//! Whole nodes of one log, driven by hand: storage, channel, locks and clock are the test's.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, VecDeque};

use headwater::base::{Code, Error, Now, TopicConfig};
use headwater::client::consumer::Reset;
use headwater::log::batch::{Compression, records};
use headwater::node::{Acks, Answer, Call, Command, Input, LockId, Message, Node, Output, PageEvent};
use support::{FrameWriter, Table};

/// One origin: nodes that share rows, a channel and locks.
#[derive(Default)]
struct Origin {
    now: Now,
    table: Table,
    nodes: Vec<Node>,
    answers: Vec<BTreeMap<u64, Result<Answer, Error>>>,
    /// Who holds or waits for each lock, the holder first.
    locks: BTreeMap<String, VecDeque<(usize, LockId)>>,
    messages_lost: bool,
    calls: u64,
}

impl Origin {
    fn node(&mut self) -> usize {
        self.nodes.push(Node::new(self.now, 100 + self.nodes.len() as u64));
        self.answers.push(BTreeMap::new());
        self.nodes.len() - 1
    }

    fn handle(&mut self, node: usize, input: Input) {
        self.nodes[node].handle(self.now, input);
        while let Some(output) = self.nodes[node].poll() {
            match output {
                Output::Store(ticket, op) => {
                    let result = self.table.run(&op);
                    self.handle(node, Input::Stored(ticket, result));
                }
                Output::Send(message) => self.broadcast(node, &message),
                Output::Acquire(lock, name) => {
                    let queue = self.locks.entry(name).or_default();
                    queue.push_back((node, lock));
                    if queue.len() == 1 {
                        self.handle(node, Input::Granted(lock));
                    }
                }
                Output::Release(lock) => self.release((node, lock)),
                Output::Idle(id) => self.handle(node, Input::Idle(id)),
                Output::Done(call, result) => {
                    self.answers[node].insert(call, result);
                }
                Output::Deliver { .. } => panic!("nothing is forwarded here"),
                Output::Event(_) => {}
            }
        }
    }

    fn broadcast(&mut self, from: usize, message: &Message) {
        let message = Message::decode(&message.encode()).expect("a message survives its encoding");
        if self.messages_lost {
            return;
        }
        for node in (0..self.nodes.len()).filter(|node| *node != from) {
            self.handle(node, Input::Message(message.clone()));
        }
    }

    fn release(&mut self, lock: (usize, LockId)) {
        for queue in self.locks.values_mut() {
            let held = queue.front() == Some(&lock);
            queue.retain(|waiting| *waiting != lock);
            if let (true, Some((node, next))) = (held, queue.front().copied()) {
                return self.handle(node, Input::Granted(next));
            }
        }
    }

    fn call(&mut self, node: usize, call: Call) -> u64 {
        self.calls += 1;
        self.handle(node, Input::Calls(vec![(self.calls, call)]));
        self.calls
    }

    fn answer(&mut self, node: usize, call: u64) -> Result<Answer, Error> {
        self.answers[node].remove(&call).expect("the call has ended")
    }

    fn ask(&mut self, node: usize, call: Call) -> Result<Answer, Error> {
        let call = self.call(node, call);
        self.answer(node, call)
    }

    fn send(&mut self, node: usize, topic: &str, value: &str) -> i64 {
        let frames = FrameWriter::default().frame(-1, 5, None, Some(value.as_bytes())).0;
        let call = Call::Send {
            topic: topic.into(),
            frames,
            acks: Acks::Leader,
            create: true,
            compression: Compression::None,
        };
        match self.ask(node, call) {
            Ok(Answer::Sent(sent)) => sent[0].base,
            other => panic!("{:?}", other.err()),
        }
    }

    fn consumer(&mut self, node: usize, id: u32, group: &str, topic: &str) -> u64 {
        self.handle(node, Input::Consumer(id, Command::Open(group.into())));
        self.handle(node, Input::Consumer(id, Command::Subscribe(topic.into(), Reset::Earliest)));
        self.call(node, Call::Join(id))
    }

    fn fetched(&mut self, node: usize, call: u64) -> Vec<String> {
        let Ok(Answer::Records(Some(found))) = self.answer(node, call) else { panic!("no records") };
        let all = found.batches.iter().flat_map(|batch| records(batch).unwrap().map(Result::unwrap));
        let wanted = all.filter(|record| record.offset >= found.from);
        wanted.map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
    }

    fn waits(&self, node: usize, call: u64) -> bool {
        !self.answers[node].contains_key(&call)
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now.instant += milliseconds;
        self.now.timestamp += milliseconds as i64;
        for node in 0..self.nodes.len() {
            self.handle(node, Input::Tick);
        }
    }
}

#[test]
fn a_record_of_one_node_reaches_the_waiting_consumer_of_another_by_a_notice() {
    let mut origin = Origin::default();
    let (writer, reader) = (origin.node(), origin.node());
    let join = origin.consumer(reader, 1, "ui", "chat");
    origin.answer(reader, join).unwrap();
    let fetch = origin.call(reader, Call::Fetch(1, 1 << 20));
    assert!(origin.waits(reader, fetch));
    origin.send(writer, "chat", "hello");
    assert_eq!(origin.fetched(reader, fetch), ["hello"]);
}

#[test]
fn a_lost_notice_only_delays() {
    let mut origin = Origin { messages_lost: true, ..Origin::default() };
    let (writer, reader) = (origin.node(), origin.node());
    let join = origin.consumer(reader, 1, "ui", "chat");
    origin.answer(reader, join).unwrap();
    let fetch = origin.call(reader, Call::Fetch(1, 1 << 20));
    origin.send(writer, "chat", "hello");
    assert!(origin.waits(reader, fetch));
    let deadline = origin.nodes[reader].deadline().expect("a waiting consumer has a deadline");
    origin.pass(deadline - origin.now.instant);
    assert_eq!(origin.fetched(reader, fetch), ["hello"]);
}

#[test]
fn a_second_member_waits_and_goes_on_at_the_committed_offset() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    origin.send(one, "chat", "a");
    origin.send(one, "chat", "b");
    let join = origin.consumer(one, 1, "ui", "chat");
    origin.answer(one, join).unwrap();
    let waiting = origin.consumer(two, 1, "ui", "chat");
    assert!(origin.waits(two, waiting), "a group has one member at a time");
    let fetch = origin.call(one, Call::Fetch(1, 1 << 20));
    assert_eq!(origin.fetched(one, fetch), ["a", "b"]);
    origin.handle(one, Input::Consumer(1, Command::Resolve("chat".into(), 0, 1)));
    let Ok(Answer::Committed(committed)) = origin.ask(one, Call::Commit(1, None)) else { panic!() };
    assert_eq!(committed, [("chat".to_string(), 0, 1)]);
    origin.handle(one, Input::Consumer(1, Command::Leave));
    origin.answer(two, waiting).unwrap();
    let fetch = origin.call(two, Call::Fetch(1, 1 << 20));
    assert_eq!(origin.fetched(two, fetch), ["b"]);
}

#[test]
fn two_consumers_of_one_node_in_one_group_take_turns_too() {
    let mut origin = Origin::default();
    let node = origin.node();
    let first = origin.consumer(node, 1, "ui", "chat");
    let second = origin.consumer(node, 2, "ui", "chat");
    assert!(origin.answer(node, first).is_ok() && origin.waits(node, second));
    origin.handle(node, Input::Consumer(1, Command::Leave));
    origin.answer(node, second).unwrap();
}

#[test]
fn a_suspended_page_gives_its_group_up_and_queues_again_when_it_is_back() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    let join = origin.consumer(one, 1, "ui", "chat");
    origin.answer(one, join).unwrap();
    let waiting = origin.consumer(two, 1, "ui", "chat");
    origin.handle(one, Input::Page(PageEvent::Suspended));
    origin.answer(two, waiting).unwrap();
    origin.handle(one, Input::Page(PageEvent::Resumed));
    let fetch = origin.call(one, Call::Fetch(1, 1 << 20));
    origin.send(two, "chat", "a");
    assert!(origin.waits(one, fetch), "the group is the other's");
    origin.handle(two, Input::Consumer(1, Command::Leave));
    assert_eq!(origin.fetched(one, fetch), ["a"]);
}

#[test]
fn seek_before_the_assignment_is_not_forgotten() {
    let mut origin = Origin::default();
    let node = origin.node();
    for value in ["a", "b", "c"] {
        origin.send(node, "chat", value);
    }
    origin.handle(node, Input::Consumer(1, Command::Open("ui".into())));
    origin.handle(node, Input::Consumer(1, Command::Subscribe("chat".into(), Reset::Earliest)));
    origin.handle(node, Input::Consumer(1, Command::Seek("chat".into(), 0, 2)));
    let join = origin.call(node, Call::Join(1));
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
    let mut origin = Origin::default();
    let node = origin.node();
    origin.send(node, "chat", "a");
    let join = origin.consumer(node, 1, "ui", "chat");
    origin.answer(node, join).unwrap();
    origin.handle(node, Input::Consumer(1, Command::Pause("chat".into(), 0, true)));
    let fetch = origin.call(node, Call::Fetch(1, 1 << 20));
    assert!(origin.waits(node, fetch));
    origin.handle(node, Input::Consumer(1, Command::Pause("chat".into(), 0, false)));
    assert_eq!(origin.fetched(node, fetch), ["a"]);
}

#[test]
fn a_topic_deleted_by_one_node_is_a_new_one_for_the_other() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    assert_eq!(origin.send(one, "chat", "a"), 0);
    assert_eq!(origin.send(two, "chat", "b"), 1);
    origin.ask(one, Call::DeleteTopic("chat".into())).unwrap();
    assert_eq!(origin.send(two, "chat", "c"), 0);
    assert_eq!(origin.send(one, "chat", "d"), 1);
}

#[test]
fn a_topic_deleted_behind_a_node_refuses_one_send_and_takes_the_next() {
    let mut origin = Origin { messages_lost: true, ..Origin::default() };
    let (one, two) = (origin.node(), origin.node());
    origin.send(two, "chat", "a");
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
    assert_eq!(origin.send(two, "chat", "c"), 0);
}

#[test]
fn admin_calls_answer_what_kafka_answers() {
    let mut origin = Origin::default();
    let node = origin.node();
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
    let mut origin = Origin::default();
    let node = origin.node();
    origin.send(node, "chat", "a");
    origin.ask(node, Call::Flush).unwrap();
    assert!(origin.table.rows.contains_key(&(headwater::log::Store::Meta, b"synced".to_vec())));
}

#[test]
fn the_same_seed_and_inputs_choose_the_same() {
    let run = || {
        let mut origin = Origin::default();
        let node = origin.node();
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
            origin.send(node, "t", value);
        }
        origin.table.rows
    };
    assert!(run() == run());
}
