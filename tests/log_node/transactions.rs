//! Transactions through whole nodes.

use headwater::base::{Code, Error};
use headwater::log::Durability;
use headwater::node::{Answer, AnyOp, Call, Consumed, Transaction};

use crate::support::FrameWriter;
use crate::support::origin::{Origin, unheard};

fn init(origin: &mut Origin, node: usize) -> (i64, i16) {
    match origin.ask(node, Call::InitTransactions("orders".into())) {
        Ok(Answer::Producer(id, epoch)) => (id, epoch),
        other => panic!("{:?}", other.err()),
    }
}

fn transaction((producer_id, epoch): (i64, i16), sends: &[(&str, &str)]) -> Transaction {
    let framed = |(topic, value): &(&str, &str)| {
        (topic.to_string(), FrameWriter::default().frame(0, 5, None, Some(value.as_bytes())).0)
    };
    Transaction {
        transactional_id: "orders".into(),
        producer_id,
        epoch,
        create: true,
        durability: Durability::Strict,
        sends: sends.iter().map(framed).collect(),
        offsets: Vec::new(),
    }
}

fn commit(origin: &mut Origin, node: usize, transaction: Transaction) -> Result<(), Error> {
    origin.ask(node, Call::CommitTransaction(Box::new(transaction))).map(|_| ())
}

fn committed(origin: &mut Origin, node: usize) -> Option<i64> {
    let call = Call::CommittedOffsets { group: "workers".into(), topic: "input".into() };
    match origin.ask(node, call) {
        Ok(Answer::CommittedOffsets(offsets)) => offsets[0].as_ref().map(|(offset, _)| *offset),
        _ => panic!("offsets"),
    }
}

#[test]
fn consume_transform_produce_is_one_step() {
    let mut origin = Origin::default();
    let one = origin.node();
    origin.send(one, "input", "in").unwrap();
    let id = init(&mut origin, one);
    let mut work = transaction(id, &[("output", "out"), ("audit", "seen"), ("output", "out too")]);
    let position = ("input".to_string(), 0, 1, None);
    work.offsets.push(Consumed { group: "workers".into(), member: None, position });
    commit(&mut origin, one, work).unwrap();
    let texts = |origin: &mut Origin, topic| -> Vec<String> {
        origin.stored(topic, 0).into_iter().map(|(_, value)| value).collect()
    };
    assert_eq!(texts(&mut origin, "output"), ["out", "out too"]);
    assert_eq!(texts(&mut origin, "audit"), ["seen"]);
    assert_eq!(committed(&mut origin, one), Some(1));
    commit(&mut origin, one, transaction(id, &[("output", "more")])).unwrap();
    assert_eq!(texts(&mut origin, "output").len(), 3);
}

#[test]
fn a_topic_that_may_not_be_created_takes_the_transaction_along() {
    let mut origin = Origin::default();
    let one = origin.node();
    origin.send(one, "input", "in").unwrap();
    let id = init(&mut origin, one);
    let mut work = transaction(id, &[("input", "x"), ("absent", "y")]);
    work.create = false;
    let refused = commit(&mut origin, one, work).unwrap_err();
    assert_eq!(refused.code(), Code::UnknownTopicOrPartition);
    assert_eq!(origin.stored("input", 0).len(), 1);
    commit(&mut origin, one, transaction(id, &[("input", "z")])).unwrap();
    assert_eq!(origin.stored("input", 0).len(), 2);
}

#[test]
fn the_second_tab_with_the_same_id_fences_the_first() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    let old = init(&mut origin, one);
    commit(&mut origin, one, transaction(old, &[("output", "a")])).unwrap();
    let new = init(&mut origin, two);
    assert_eq!(new.1, old.1 + 1);
    assert_ne!(new.0, old.0, "sequences begin anew with an epoch");
    let refused = commit(&mut origin, one, transaction(old, &[("output", "zombie")])).unwrap_err();
    assert_eq!(refused.code(), Code::ProducerFenced);
    commit(&mut origin, two, transaction(new, &[("output", "b")])).unwrap();
    assert_eq!(origin.stored("output", 0).len(), 2);
}

#[test]
fn a_commit_that_nobody_heard_of_is_told_and_not_doubled() {
    let mut origin = Origin::default();
    let one = origin.node();
    let id = init(&mut origin, one);
    commit(&mut origin, one, transaction(id, &[("output", "a")])).unwrap();
    origin.fault = Some(|op, table| match op {
        AnyOp::CommitTransaction(_) => unheard(op, table),
        _ => None,
    });
    let call = origin.call(one, Call::CommitTransaction(Box::new(transaction(id, &[("output", "b")]))));
    origin.pass(60_000);
    assert!(origin.answer(one, call).is_none(), "it waits for the answer for as long as it takes");
    origin.fault = None;
    origin.pass(10_000);
    assert!(matches!(origin.answer(one, call), Some(Ok(Answer::Nothing))));
    assert_eq!(origin.stored("output", 0).len(), 2);
}

#[test]
fn a_topic_that_was_deleted_and_created_anew_is_read_again() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    let id = init(&mut origin, one);
    commit(&mut origin, one, transaction(id, &[("output", "a")])).unwrap();
    origin.messages_lost = true;
    origin.ask(two, Call::DeleteTopic("output".into())).unwrap();
    origin.send(two, "output", "b").unwrap();
    let refused = commit(&mut origin, one, transaction(id, &[("output", "c")])).unwrap_err();
    assert_eq!(refused.code(), Code::UnknownTopicOrPartition);
    commit(&mut origin, one, transaction(id, &[("output", "c")])).unwrap();
    assert_eq!(origin.stored("output", 0).len(), 2);
}
