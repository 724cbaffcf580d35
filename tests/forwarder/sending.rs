//! When what is sent, and what it looks like.

use headwater::base::{Code, Random};
use headwater::client::forwarder::{Delivery, DeliveryRow, Outcome, Output};

use super::broker::Broker;
use super::rig::Rig;

fn large(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{index:-<20000}")).collect()
}

#[test]
fn a_partial_batch_lingers_and_a_full_one_goes_at_once() {
    let mut rig = Rig::new(1);
    rig.append(0, 1);
    rig.pass(200);
    rig.append(0, 1);
    rig.pass(49);
    assert!(rig.sent.is_empty());
    rig.pass(1);
    assert_eq!(rig.take().batches[0].last, 1, "counted from the first record that waits");
    let mut rig = Rig::new(1);
    rig.append(0, 1_000);
    assert!(!rig.sent.is_empty());
}

#[test]
fn what_came_meanwhile_goes_along_without_another_wait() {
    let (mut rig, sent) = Rig::sending(1);
    rig.append(0, 1);
    rig.pass(300);
    rig.append(0, 1);
    rig.answer(&sent, Outcome::Accepted);
    let next = rig.take();
    assert_eq!((next.batches[0].first, next.batches[0].last), (1, 2));
}

#[test]
fn a_request_carries_many_partitions_and_each_has_its_answer() {
    let mut rig = Rig::new(3);
    for partition in 0..3 {
        rig.append(partition, 1);
    }
    rig.pass(250);
    let sent = rig.take();
    assert_eq!(sent.batches.len(), 3);
    let outcomes = [Outcome::Accepted, Outcome::Busy, Outcome::OutOfOrder];
    let answers = sent.batches.iter().zip(outcomes).map(|(batch, outcome)| rig.answered(batch, outcome));
    let answers = answers.collect();
    rig.deliver(&sent, Delivery { failure: None, answers, limits: None });
    assert_eq!(rig.profile.row(0).unwrap().committed, 1);
    assert_eq!(rig.profile.row(1).unwrap().marker, Some((0, 0)));
    assert_eq!(rig.profile.row(2).unwrap().epoch, 1);
    let again = rig.take();
    assert_eq!(again.batches[0].partition, 2);
    rig.append(0, 1);
    rig.pass(1_000);
    assert!(rig.sent.is_empty(), "one request at a time");
}

#[test]
fn large_batches_share_no_request_that_they_overfill() {
    let mut rig = Rig::new(3);
    rig.forwarder.limited(100_000, 200_000);
    for partition in 0..3 {
        rig.append_named(partition, &large(4));
    }
    rig.pass(250);
    let sent = rig.take();
    assert_eq!(sent.batches.len(), 1);
    rig.answer(&sent, Outcome::Accepted);
    assert_eq!(rig.take().batches[0].partition, 1, "nobody is forgotten");
}

#[test]
fn a_hidden_page_sends_what_waits_in_one_request_that_outlives_it() {
    let mut rig = Rig::new(3);
    rig.append(0, 2);
    rig.append_named(1, &large(4));
    rig.forwarder.hidden(rig.now);
    rig.drain();
    let sent = rig.take();
    assert!(sent.keepalive);
    assert_eq!(sent.batches.iter().map(|batch| batch.partition).collect::<Vec<_>>(), [0, 1]);
    assert!(sent.batches.iter().map(|batch| batch.bytes.len()).sum::<usize>() <= 48 << 10);
    assert_eq!(sent.batches[1].first, 0);
    assert_eq!(rig.profile.row(1).unwrap().marker, Some((0, sent.batches[1].last)), "the marker comes first");
    // The page lives on, and the answer comes.
    rig.answer(&sent, Outcome::Unregistered);
    assert!(!rig.take().keepalive);
}

#[test]
fn a_hidden_page_sends_again_what_is_on_its_way_and_either_answer_counts() {
    for first in [true, false] {
        let (mut rig, sent) = Rig::sending(2);
        rig.append(0, 1);
        rig.forwarder.hidden(rig.now);
        rig.drain();
        let beacon = rig.take();
        assert!(beacon.keepalive && beacon.batches == sent.batches);
        let (one, other) = if first { (&sent, &beacon) } else { (&beacon, &sent) };
        rig.answer(one, Outcome::Accepted);
        assert_eq!(rig.row().committed, 2);
        let next = rig.take();
        assert_eq!((next.batches[0].first, next.keepalive), (2, false));
        rig.answer(other, Outcome::OutOfOrder);
        assert_eq!(
            (rig.row().epoch, rig.row().marker),
            (0, Some((2, 2))),
            "the other answer is of no interest"
        );
        rig.answer(&next, Outcome::Accepted);
        assert_eq!(rig.row().committed, 3);
    }
}

#[test]
fn a_hidden_page_does_not_send_a_large_batch_twice() {
    let mut rig = Rig::new(1);
    rig.append_named(0, &large(4));
    rig.pass(250);
    let sent = rig.take();
    rig.forwarder.hidden(rig.now);
    rig.drain();
    assert!(rig.sent.is_empty());
    rig.answer(&sent, Outcome::Unregistered);
    assert!(!rig.take().keepalive);
}

#[test]
fn what_lingers_is_marked_already_and_takes_what_comes_before_it_goes() {
    let mut rig = Rig::new(1);
    rig.ran();
    rig.append(0, 2);
    assert_eq!((rig.row().marker, rig.sent.len()), (Some((0, 1)), 0));
    for _ in 0..3 {
        rig.append(0, 1);
    }
    rig.pass(250);
    assert_eq!(rig.take().batches[0].last, 4);
    let kinds: Vec<&str> = rig.ran().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["mark", "mark"], "once at once, and once in the end");
    assert_eq!(rig.row().marker, Some((0, 4)));
}

#[test]
fn what_was_sent_takes_nothing_more() {
    let mut rig = Rig::new(1);
    rig.append(0, 1);
    rig.forwarder.hidden(rig.now);
    rig.drain();
    let beacon = rig.take();
    rig.forwarder.visible();
    rig.append(0, 1);
    rig.pass(1_000);
    assert_eq!((rig.row().marker, rig.sent.len()), (Some((0, 0)), 0), "one batch at a time");
    rig.answer(&beacon, Outcome::Accepted);
    assert_eq!((rig.take().batches[0].first, rig.row().marker), (1, Some((1, 1))));
}

#[test]
fn a_page_that_dies_sends_at_once_what_is_marked() {
    let mut rig = Rig::new(3);
    rig.append_named(0, &large(4));
    rig.append(1, 1);
    // The marker of the third is still being written: nobody will see it.
    let end = rig.append_unnoticed(2, &["late".to_string()]);
    rig.notice(2, end);
    rig.forwarder.leave(rig.now);
    let mut sent = Vec::new();
    while let Some(output) = rig.forwarder.poll() {
        match output {
            Output::Deliver { batches, keepalive: true, .. } => sent.extend(batches),
            Output::Deliver { .. } => panic!("it has to outlive the page"),
            _ => {}
        }
    }
    assert_eq!(sent.iter().map(|batch| (batch.partition, batch.first)).collect::<Vec<_>>(), [(0, 0), (1, 0)]);
    assert!(sent.iter().map(|batch| batch.bytes.len()).sum::<usize>() <= 48 << 10);
    assert_eq!(rig.forwarder.deadline(), None);
    // The next owner cannot know whether it arrived: the same again, and the rest behind it.
    let mut next = Rig::of(rig.profile.clone());
    let again = next.take();
    assert_eq!(
        again.batches[..2].iter().map(|batch| &batch.bytes).collect::<Vec<_>>(),
        sent.iter().map(|batch| &batch.bytes).collect::<Vec<_>>()
    );
    next.answer(&again, Outcome::Duplicate);
    assert_eq!(next.take().batches[0].first, sent[0].last + 1);
}

#[test]
fn nobody_waits_for_the_answer_to_a_beacon() {
    let (mut rig, sent) = Rig::sending(2);
    rig.fail(&sent, true, None);
    rig.forwarder.hidden(rig.now);
    rig.drain();
    assert!(rig.take().keepalive, "the batch that backs off is sent all the same");
    rig.pass(300);
    let again = rig.take();
    assert!(!again.keepalive && again.batches == sent.batches, "and again when its wait is over");
    rig.answer(&again, Outcome::Accepted);
    assert_eq!(rig.row().committed, 2);
    // A fresh batch that only a beacon carried waits as long as any.
    rig.forwarder.visible();
    rig.append(0, 1);
    rig.forwarder.hidden(rig.now);
    rig.drain();
    let beacon = rig.take();
    rig.pass(29_999);
    assert!(beacon.keepalive && rig.sent.is_empty());
    rig.pass(1_000);
    assert_eq!(rig.take().batches, beacon.batches);
}

#[test]
fn after_a_stall_the_row_is_read_before_anything_is_sent() {
    let (mut rig, sent) = Rig::sending(2);
    rig.fail(&sent, true, None);
    rig.append(0, 1);
    let moved = rig.row().settled();
    rig.profile.put_row(0, &moved);
    rig.advance(60_000);
    rig.forwarder.tick(rig.now);
    rig.drain();
    assert_eq!(rig.take().batches[0].first, 2, "another owner had settled the batch");
}

#[test]
fn a_lost_notice_only_delays() {
    let mut rig = Rig::new(1);
    rig.profile.append(0, &["quiet".to_string()], headwater::log::Durability::Relaxed);
    rig.pass(31_000);
    assert_eq!(rig.take().batches[0].last, 0);
}

#[test]
fn results_of_a_former_life_are_ignored() {
    let mut rig = Rig::new(1);
    let end = rig.append_unnoticed(0, &["a".to_string()]);
    rig.notice(0, end);
    let Some(Output::Store(0, mark)) = rig.forwarder.poll() else { panic!() };
    rig.forwarder.revoke_all();
    rig.given();
    assert!(rig.forwarder.poll().is_none(), "there is never a second transaction");
    let result = rig.profile.disk.run(&mark);
    rig.forwarder.stored(rig.now, 0, result);
    rig.drain();
    assert_eq!(rig.row().marker, Some((0, 0)));
    let sent = rig.take();
    rig.forwarder.revoke_all();
    rig.answer(&sent, Outcome::Accepted);
    rig.pass(60_000);
    assert_eq!(rig.row().marker, Some((0, 0)), "whoever owns nothing does nothing");
    assert_eq!(rig.forwarder.deadline(), None);
}

#[test]
fn a_topic_that_was_made_anew_is_another() {
    let (mut rig, sent) = Rig::sending(2);
    rig.profile.topic = super::profile::Profile::new(1, &mut Random::new(9)).topic;
    let mut other = super::profile::Profile::new(1, &mut Random::new(9));
    other.append(0, &["new".to_string()], headwater::log::Durability::Strict);
    rig.profile = other;
    rig.given();
    rig.drain();
    rig.answer(&sent, Outcome::Accepted);
    assert_eq!(
        (rig.row().committed, rig.row().marker),
        (0, Some((0, 0))),
        "the old answer is not the new topic's"
    );
}

#[test]
fn the_same_records_are_the_same_bytes() {
    let (mut rig, sent) = Rig::sending(3);
    let bytes = sent.batches[0].bytes.clone();
    let mut next_owner = Rig::of(rig.profile.clone());
    assert_eq!(next_owner.take().batches[0].bytes, bytes);
    let mut broker = Broker::new(1);
    for (offset, name) in rig.profile.records(0) {
        broker.places.insert(name, super::broker::Place { profile: 0, tp: rig.profile.tp(0), offset });
    }
    broker.receive(rig.now.timestamp, &sent.batches);
    assert_eq!(broker.log[0].records.len(), 3, "and decode to what was appended");
    rig.answer(&sent, Outcome::Accepted);
}

#[test]
fn a_batch_that_becomes_uncertain_stays_within_the_limit() {
    let mut rig = Rig::new(1);
    rig.forwarder.limited(2_000, 100_000);
    rig.append(0, 100);
    rig.pass(250);
    let sent = rig.take();
    rig.answer(&sent, Outcome::Unregistered);
    let sent = rig.take();
    rig.advance(13 * super::rig::HOUR);
    rig.answer(&sent, Outcome::Unregistered);
    let again = rig.take();
    assert!(again.batches[0].uncertain && again.batches[0].bytes.len() <= 2_000);
    assert_eq!(again.batches[0].last, sent.batches[0].last);
}

#[test]
fn rows_survive_their_encoding_and_strange_ones_are_refused() {
    let mut row = DeliveryRow::begin(DeliveryRow::fresh_id(&mut Random::new(1)), 7);
    for marker in [None, Some((8, 9))] {
        row.marker = marker;
        row.signature = vec![1, 2, 3];
        row.marked_at = 5;
        assert_eq!(DeliveryRow::decode(&row.encode()), Ok(row.clone()));
    }
    let mut newer = row.encode();
    newer[0] = 9;
    assert_eq!(DeliveryRow::decode(&newer).unwrap_err().code(), Code::StorageCorrupt);
    assert_eq!(DeliveryRow::decode(&row.encode()[..20]).unwrap_err().code(), Code::StorageCorrupt);
}

#[test]
fn sequences_wrap_and_epochs_run_out() {
    let row = DeliveryRow::begin(1 << 61, 10);
    assert_eq!(row.sequence(10 + i64::from(i32::MAX)), i32::MAX);
    assert_eq!(row.sequence(11 + i64::from(i32::MAX)), 0);
    let last = DeliveryRow { epoch: i16::MAX - 1, committed: 12, ..row };
    let next = last.next_epoch((1 << 61) + 5);
    assert_eq!((next.producer_id, next.epoch, next.start), ((1 << 61) + 5, 0, 12));
}

#[test]
fn a_topic_that_was_read_before_it_grew_takes_nothing_that_the_group_gave() {
    let mut rig = Rig::new(2);
    let mut before = rig.profile.topic.clone();
    before.partitions = 1;
    rig.forwarder.set_topic(rig.now, &before);
    rig.append(1, 1);
    rig.pass(250);
    assert_eq!(rig.take().batches[0].partition, 1);
}
