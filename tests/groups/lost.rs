//! An application that is busy with records of a partition which its member has lost meanwhile.

use headwater::log::Durability;
use headwater::node::{Consumed, Message, Transaction};

use super::*;
use crate::support::FrameWriter;

/// Two tabs; the second has read `a` and `b`, is suspended with them, and takes no further step. Answers its partition.
fn busy(world: &mut Tabs) -> i32 {
    let lost = world.owned(1)[0];
    world.send(0, "t", lost, "a");
    world.send(0, "t", lost, "b");
    assert_eq!(world.read(1), ["a", "b"]);
    world.reader(1).slow = true;
    world.handle(1, Input::Page(PageEvent::Suspended));
    world.pass(1_000);
    assert_eq!(world.owned(0), [0, 1], "the other one has taken over");
    assert_eq!(world.read(0), ["a", "b"]);
    let commit = world.commit(0, "t", lost, 2);
    assert!(world.answer(0, commit).is_ok());
    lost
}

/// The second tab commits a transaction over a record that it has read there; nobody is left in the group.
fn transaction_over(world: &mut Tabs, lost: i32) -> Result<Answer, Error> {
    let Ok(Answer::Producer(producer_id, epoch)) = world.ask(1, Call::InitTransactions("mover".into()))
    else {
        panic!("no producer")
    };
    let transaction = Transaction {
        transactional_id: "mover".into(),
        producer_id,
        epoch,
        create: true,
        durability: Durability::Strict,
        sends: vec![("out".into(), FrameWriter::default().frame(0, 5, None, Some(b"A")).0)],
        offsets: vec![Consumed { group: "g".into(), member: None, position: ("t".into(), lost, 1, None) }],
    };
    world.ask(1, Call::CommitTransaction(Box::new(transaction)))
}

#[test]
fn a_transaction_over_what_was_lost_is_refused_though_nobody_is_left_in_the_group() {
    let mut world = group(2, 2);
    let lost = busy(&mut world);
    let leave = world.call(0, Call::Leave(CONSUMER));
    assert!(world.answer(0, leave).is_ok());
    assert!(world.group().state.members.is_empty());
    assert_eq!(code(transaction_over(&mut world, lost)), Code::UnknownMemberId);
}

#[test]
fn a_transaction_over_what_was_lost_is_refused_though_the_topic_is_another_one_by_now() {
    let mut world = group(2, 2);
    let lost = busy(&mut world);
    let leave = world.call(0, Call::Leave(CONSUMER));
    assert!(world.answer(0, leave).is_ok());
    world.ask(0, Call::DeleteTopic("t".into())).unwrap();
    world.create_topic(0, "t", 2);
    assert_eq!(code(transaction_over(&mut world, lost)), Code::UnknownMemberId);
}

#[test]
fn a_seek_in_what_was_lost_does_not_meet_it_when_it_comes_back() {
    let mut world = group(2, 2);
    let lost = busy(&mut world);
    world.command(1, Command::Seek("t".into(), lost, 0));
    world.handle(1, Input::Page(PageEvent::Resumed));
    world.reader(1).slow = false;
    world.take_step(1, CONSUMER);
    let leave = world.call(0, Call::Leave(CONSUMER));
    world.pass(5_000);
    assert!(world.answer(0, leave).is_ok());
    assert_eq!(world.owned(1), [0, 1]);
    world.send(0, "t", lost, "c");
    assert_eq!(world.read(1), ["c"]);
}

#[test]
fn a_seek_that_ends_while_a_topic_is_looked_up_leaves_no_assigned_partition_unread() {
    let mut world = group(3, 3);
    let (own, gained) = (world.owned(1)[0], world.owned(2)[0]);
    world.send(0, "t", gained, "a");
    world.late_storage = Some(1);
    world.command(1, Command::Seek("t".into(), own, -2));
    world.handle(1, Input::Message(Message::TopicChanged("t".into())));
    let leave = world.call(2, Call::Leave(CONSUMER));
    assert!(world.answer(2, leave).is_ok());
    let leave = world.call(0, Call::Leave(CONSUMER));
    assert!(world.answer(0, leave).is_ok());
    world.pass(1_000);
    world.late_storage = None;
    world.run();
    world.pass(1_000);
    assert_eq!(world.owned(1), [0, 1, 2]);
    assert_eq!(world.read(1), ["a"]);
}
