//! What becomes of a partition, answer by answer.

use headwater::base::{Code, Error};
use headwater::client::forwarder::{Delivery, DeliveryRow, Event, Outcome};
use headwater::log::Durability::{Relaxed, Strict};

use super::rig::{HOUR, Rig};

#[test]
fn what_is_accepted_is_settled() {
    let (mut rig, sent) = Rig::sending(2);
    rig.answer(&sent, Outcome::Accepted);
    let row = rig.row();
    assert_eq!((row.committed, row.marker, row.uncertain), (2, None, 0));
    assert_eq!(rig.events(), [Event::Delivered { partition: 0, committed: 2 }]);
}

#[test]
fn a_duplicate_is_settled_too() {
    let (mut rig, sent) = Rig::sending(2);
    rig.fail(&sent, true, None);
    rig.pass(300);
    let again = rig.take();
    assert_eq!(again.batches, sent.batches);
    rig.answer(&again, Outcome::Duplicate);
    assert_eq!((rig.row().committed, rig.row().uncertain), (2, 0));
}

#[test]
fn a_fresh_signature_is_stored_and_the_same_bytes_go_again() {
    let mut rig = Rig::new(1);
    rig.append(0, 1);
    rig.pass(250);
    let unsigned = rig.take();
    assert!(unsigned.batches[0].signature.is_empty());
    rig.ran();
    rig.answer(&unsigned, Outcome::Unregistered);
    assert_eq!(rig.ran(), [("save", Strict)], "since when the marker may have been taken is not forgotten");
    let signed = rig.take();
    assert_eq!(signed.batches[0].bytes, unsigned.batches[0].bytes);
    assert_eq!(signed.batches[0].signature, rig.row().signature);
    // Where the signature does not help, somebody is not well: it is not tried in a hurry.
    rig.answer(&signed, Outcome::Unregistered);
    let signed = rig.take();
    rig.answer(&signed, Outcome::Unregistered);
    assert!(rig.sent.is_empty());
    rig.pass(600);
    assert_eq!(rig.take().batches[0].bytes, unsigned.batches[0].bytes);
}

#[test]
fn divergence_begins_a_new_identity_and_all_that_is_there_is_uncertain() {
    let (mut rig, sent) = Rig::sending(2);
    let before = rig.row();
    rig.append(0, 3);
    rig.answer(&sent, Outcome::Diverged);
    let row = rig.row();
    assert_ne!(row.producer_id, before.producer_id);
    assert_eq!((row.epoch, row.start, row.committed, row.uncertain), (0, 0, 0, 5));
    assert!(rig.events().contains(&Event::Uncertain { partition: 0, until: 5 }));
    let again = rig.take();
    assert!(again.batches[0].uncertain && again.batches[0].signature.is_empty());
    assert_eq!((again.batches[0].base_sequence, again.batches[0].last), (0, 4));
}

#[test]
fn out_of_order_begins_a_new_epoch_and_all_that_is_there_is_uncertain() {
    let (mut rig, sent) = Rig::sending(2);
    rig.answer(&sent, Outcome::Accepted);
    rig.append(0, 2);
    rig.pass(250);
    let next = rig.take();
    assert_eq!(next.batches[0].base_sequence, 2);
    rig.ran();
    rig.answer(&next, Outcome::OutOfOrder);
    assert_eq!(rig.ran(), [("mark", Strict)], "identity, doubt and marker are one transaction");
    let row = rig.row();
    assert_eq!((row.epoch, row.start, row.committed, row.uncertain), (1, 2, 2, 4));
    assert_eq!(rig.take().batches[0].base_sequence, 0);
    rig.append(0, 1);
    assert_eq!(rig.row().uncertain, 4, "what comes later is certain");
}

#[test]
fn whoever_was_overtaken_goes_on_from_the_row() {
    for outcome in [Outcome::OutOfOrder, Outcome::Fenced, Outcome::Diverged, Outcome::Accepted] {
        let (mut rig, sent) = Rig::sending(2);
        rig.append(0, 1);
        let moved = DeliveryRow { epoch: 4, uncertain: 1, ..rig.row().settled() };
        rig.profile.put_row(0, &moved);
        rig.answer(&sent, outcome);
        rig.pass(250);
        let row = rig.row();
        assert_eq!((row.producer_id, row.epoch, row.uncertain), (moved.producer_id, 4, 1), "{outcome:?}");
        assert_eq!((row.committed, row.marker), (2, Some((2, 2))));
        assert_eq!(rig.take().batches[0].first, 2);
    }
}

#[test]
fn an_older_epoch_without_another_owner_is_a_copy() {
    let (mut rig, sent) = Rig::sending(1);
    let before = rig.row();
    rig.answer(&sent, Outcome::Fenced);
    assert_ne!(rig.row().producer_id, before.producer_id);
    assert_eq!(rig.row().uncertain, 1);
}

#[test]
fn a_permanent_refusal_is_passed_in_a_new_epoch() {
    let (mut rig, sent) = Rig::sending(2);
    rig.append(0, 1);
    rig.answer(&sent, Outcome::DeadLettered);
    let told = rig.events();
    assert!(told.contains(&Event::DeadLettered { partition: 0, first: 0, last: 1 }));
    rig.pass(250);
    let row = rig.row();
    assert_eq!((row.epoch, row.start, row.committed, row.uncertain), (1, 2, 2, 0));
    assert_eq!(rig.take().batches[0].base_sequence, 0);
}

#[test]
fn busy_waits_as_asked_and_sends_the_same_bytes_without_limit() {
    let (mut rig, mut sent) = Rig::sending(2);
    let bytes = sent.batches[0].bytes.clone();
    let mut waits = Vec::new();
    for _ in 0..12 {
        rig.fail(&sent, true, None);
        let Some(Event::Retrying { wait_ms, .. }) = rig.events().pop() else { panic!("it is told") };
        waits.push(wait_ms);
        rig.pass(wait_ms);
        sent = rig.take();
        assert_eq!(sent.batches[0].bytes, bytes);
    }
    assert!(
        waits[0] <= 300 && waits[1] <= 600 && waits[2] <= 1_200 && waits[11] >= 3_000 && waits[11] <= 30_000,
        "{waits:?}"
    );
    rig.fail(&sent, true, Some(90_000));
    rig.pass(90_000);
    assert!(rig.sent.is_empty());
    rig.pass(30_000);
    sent = rig.take();
    rig.answer(&sent, Outcome::Accepted);
    assert_eq!(rig.row().committed, 2);
}

#[test]
fn silence_is_a_failure_after_thirty_seconds() {
    let (mut rig, sent) = Rig::sending(2);
    rig.pass(29_999);
    assert!(rig.sent.is_empty());
    rig.pass(400);
    let again = rig.take();
    assert_eq!(again.batches, sent.batches);
    // The answer to a request that was given up is of no interest, that to the other is.
    rig.answer(&sent, Outcome::OutOfOrder);
    assert_eq!(rig.row().epoch, 0);
    rig.answer(&again, Outcome::Accepted);
    assert_eq!(rig.row().committed, 2);
}

#[test]
fn a_wrong_write_key_keeps_everything_and_waits_for_a_minute() {
    let (mut rig, sent) = Rig::sending(2);
    rig.fail(&sent, false, None);
    assert!(matches!(rig.events()[..], [Event::Retrying { wait_ms: 60_000.., .. }]));
    rig.pass(60_000);
    assert!(rig.sent.is_empty());
    assert_eq!(rig.row().marker, Some((0, 1)));
    rig.forwarder.online(rig.now);
    rig.drain();
    assert_eq!(rig.take().batches, sent.batches, "somebody asked to try now");
}

#[test]
fn an_answer_that_says_too_little_is_a_failure() {
    let (mut rig, sent) = Rig::sending(1);
    rig.deliver(&sent, Delivery::default());
    assert!(matches!(rig.events()[..], [Event::Retrying { .. }]));
}

#[test]
fn a_marker_older_than_half_of_what_a_broker_remembers_is_uncertain() {
    let (mut rig, sent) = Rig::sending(1);
    rig.append(0, 1);
    rig.advance(13 * HOUR);
    rig.answer(&sent, Outcome::Unregistered);
    assert_eq!(rig.row().uncertain, 2);
    let again = rig.take();
    assert!(again.batches[0].uncertain);
    assert_eq!(
        (again.batches[0].first, again.batches[0].last, again.batches[0].epoch),
        (0, 0, 0),
        "the same batch"
    );
    assert_ne!(again.batches[0].bytes, sent.batches[0].bytes);
}

#[test]
fn a_marker_does_not_grow_younger_by_fresh_signatures() {
    let (mut rig, mut sent) = Rig::sending(1);
    rig.advance(10 * HOUR);
    rig.answer(&sent, Outcome::Unregistered);
    assert_eq!(rig.row().uncertain, 0);
    sent = rig.take();
    rig.advance(10 * HOUR);
    rig.answer(&sent, Outcome::Unregistered);
    rig.pass(1_000);
    assert_eq!(rig.row().uncertain, 1, "it may have been taken twenty hours ago");
}

#[test]
fn a_night_without_events_makes_nothing_uncertain() {
    let (mut rig, sent) = Rig::sending(1);
    rig.answer(&sent, Outcome::Accepted);
    let mut rig = Rig::of(rig.profile.clone());
    rig.advance(20 * HOUR);
    rig.append(0, 1);
    rig.pass(250);
    let first = rig.take();
    assert!(
        first.batches[0].signature.is_empty(),
        "the old signature had run out before the marker was written"
    );
    rig.answer(&first, Outcome::Unregistered);
    assert_eq!(rig.row().uncertain, 0);
    let again = rig.take();
    rig.answer(&again, Outcome::Accepted);
    assert_eq!(rig.row().committed, 2);
}

#[test]
fn the_topic_grows_to_match_the_sink() {
    let (mut rig, sent) = Rig::sending(1);
    let mut answer = rig.answered(&sent.batches[0], Outcome::Accepted);
    answer.partitions = Some(3);
    rig.deliver(&sent, Delivery { failure: None, answers: vec![answer], limits: None });
    assert_eq!(rig.grown, [3]);
    rig.profile.grow(3);
    rig.given();
    rig.drain();
    rig.append(2, 1);
    rig.pass(250);
    let sent = rig.take();
    assert_eq!((sent.batches[0].partition, sent.batches[0].partitions), (2, 3));
}

#[test]
fn a_topic_that_is_too_large_is_reported_once() {
    let mut rig = Rig::new(2);
    for _ in 0..2 {
        rig.append(0, 1);
        rig.pass(250);
        let sent = rig.take();
        let mut answer = rig.answered(&sent.batches[0], Outcome::Accepted);
        answer.partitions = Some(1);
        rig.deliver(&sent, Delivery { failure: None, answers: vec![answer], limits: None });
    }
    let differ = Event::PartitionsDiffer { local: 2, remote: 1 };
    assert_eq!(rig.events().iter().filter(|event| **event == differ).count(), 1);
    assert!(rig.grown.is_empty());
}

#[test]
fn the_sinks_limit_is_kept_from_the_first_batch_on() {
    let mut rig = Rig::new(1);
    rig.append(0, 40);
    rig.pass(250);
    let sent = rig.take();
    rig.forwarder.limited(1_000, 4_000);
    rig.answer(&sent, Outcome::Unregistered);
    let cut = rig.take();
    assert!(cut.batches[0].bytes.len() <= 1_000 && cut.batches[0].first == 0 && cut.batches[0].last > 0);
    assert!(
        cut.batches[0].signature.len() == 16,
        "cut anew under the same identity: it was never signed before"
    );
    rig.answer(&cut, Outcome::Accepted);
    assert_eq!(rig.take().batches[0].first, cut.batches[0].last + 1, "what waits goes at once");
}

#[test]
fn records_that_are_gone_begin_a_new_epoch() {
    let (mut rig, sent) = Rig::sending(2);
    rig.answer(&sent, Outcome::Accepted);
    let end = rig.append_unnoticed(0, &["a", "b", "c", "d"].map(String::from));
    rig.profile.give_up(0, 4);
    rig.notice(0, end);
    rig.drain();
    rig.pass(250);
    let row = rig.row();
    assert_eq!((row.epoch, row.start, row.committed, row.marker, row.uncertain), (1, 4, 4, Some((4, 5)), 0));
    // What is left of an unsettled marker says that it may have been delivered.
    rig.profile.give_up(0, 5);
    let mut rig = Rig::of(rig.profile.clone());
    let row = rig.row();
    assert_eq!((row.epoch, row.committed, row.marker, row.uncertain), (3, 5, Some((5, 5)), 6));
    assert!(rig.take().batches[0].uncertain);
}

#[test]
fn a_log_that_was_given_up_as_a_whole_is_at_its_end() {
    let mut rig = Rig::new(1);
    let end = rig.append_unnoticed(0, &["a", "b", "c"].map(String::from));
    rig.profile.give_up(0, 3);
    rig.notice(0, end);
    rig.drain();
    rig.pass(60_000);
    assert_eq!((rig.row().committed, rig.row().marker), (3, None));
    assert!(rig.sent.is_empty());
}

#[test]
fn what_cannot_be_read_stops_the_partition_alone() {
    let mut rig = Rig::new(2);
    let batch = headwater::log::batch::BatchBuilder::new(headwater::log::batch::BatchOptions {
        attributes: headwater::log::batch::Attributes(1),
        ..Default::default()
    });
    let mut compressed = batch;
    compressed.push(1, None, Some(b"x"), &[]);
    rig.profile.append_batch(0, compressed.finish(), Strict).unwrap();
    rig.forwarder.appended(rig.now, rig.profile.tp(0), 1);
    rig.append(1, 1);
    rig.pass(250);
    let [Event::Stuck { partition: 0, error }] = &rig.events()[..] else { panic!("it is told") };
    assert_eq!(error.code(), Code::UnsupportedCompressionType);
    assert_eq!((rig.row().committed, rig.row().marker), (0, None), "nothing is lost");
    assert_eq!(rig.take().batches[0].partition, 1);
}

#[test]
fn a_transaction_that_may_have_been_written_is_looked_up() {
    let mut rig = Rig::new(1);
    rig.failures.push_back((true, Error::new(Code::StorageUnknownOutcome, "who knows")));
    rig.ran();
    rig.append(0, 2);
    rig.pass(1_000);
    let kinds: Vec<&str> = rig.ran().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["mark", "claim", "remark"]);
    assert_eq!(rig.row().marker, Some((0, 1)));
    assert_eq!(rig.take().batches[0].last, 1);
}

#[test]
fn settling_may_be_forgotten_and_is_one_with_the_next_marker() {
    let (mut rig, sent) = Rig::sending(2);
    rig.ran();
    rig.answer(&sent, Outcome::Accepted);
    assert_eq!(rig.ran(), [("save", Relaxed)], "nothing waits");
    rig.append(0, 1);
    rig.pass(250);
    let sent = rig.take();
    rig.append(0, 1);
    rig.ran();
    rig.answer(&sent, Outcome::Accepted);
    rig.pass(250);
    assert_eq!(rig.ran(), [("mark", Strict)]);
    assert_eq!((rig.row().committed, rig.row().marker), (3, Some((3, 3))));
}
