//! Answers that are lost or late: what a member makes of them, and says again.

use headwater::group::{LEAVE_EPOCH, MemberEvent, MemberOutput, Partitions};

use crate::member::{Play, options, request};
use crate::rig::set;

#[test]
fn after_a_lost_answer_the_next_heartbeat_says_everything() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let lost = request(&play.wait());
    assert!(play.wait().is_empty(), "nobody answered: it waits a moment");
    let full = request(&play.wait());
    assert_eq!((full.epoch, full.owned.clone()), (1, Some(set("t", 0..2))));
    assert!(full.topics.is_some() && full.rebalance_timeout_ms == 60_000);
    assert!(play.answer(&full, 2, Some(set("t", 0..2))).is_empty(), "it has this already");
    assert_eq!(play.member.epoch(), 2);
    assert!(play.answer(&lost, 9, Some(set("t", 0..1))).is_empty(), "what was overtaken does not count");
    assert_eq!(play.member.epoch(), 2);
}

#[test]
fn a_late_answer_tells_how_far_the_coordinator_has_taken_the_member_and_assigns_nothing() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let late = request(&play.wait());
    assert!(play.wait().is_empty(), "nobody answered: it waits a moment");
    let lost = request(&play.wait());
    assert_eq!((lost.epoch, lost.owned), (1, Some(set("t", 0..2))));
    assert!(play.answer(&late, 2, Some(set("t", 1..4))).is_empty(), "it has just said what it has");
    assert!(play.wait().is_empty(), "nobody answered: it waits a moment");
    let full = request(&play.wait());
    assert_eq!((full.epoch, full.owned.clone()), (2, Some(set("t", 0..2))));
    assert_eq!(play.answer(&full, 2, Some(set("t", 0..1))), [MemberOutput::Revoke(set("t", 1..2))]);
}

#[test]
fn who_says_what_it_has_does_not_take_what_it_was_assigned_before() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    assert_eq!(play.answer(&beat, 2, Some(set("t", 1..2))), [MemberOutput::Revoke(set("t", 0..1))]);
    let beat = request(&play.wait());
    assert!(play.answer(&beat, 3, Some(set("t", 1..4))).is_empty(), "one step at a time");
    let lost = request(&play.wait());
    assert_eq!(lost.owned, None);
    assert!(play.wait().is_empty(), "nobody answered: it waits a moment");
    let full = request(&play.wait());
    assert_eq!(full.owned, Some(set("t", 0..2)), "so 2 and 3 may be given to others");
    assert_eq!(play.on(MemberEvent::Acknowledged), [MemberOutput::Assign(Partitions::new())]);
    assert!(play.on(MemberEvent::Acknowledged).is_empty(), "an answer is awaited");
    let next = request(&play.answer(&full, 4, Some(set("t", 1..2))));
    assert_eq!((next.epoch, next.owned), (4, Some(set("t", 1..2))));
}

#[test]
fn an_answer_to_who_this_member_was_before_does_not_count() {
    let mut play = Play::joined(options(), Partitions::new());
    let late = request(&play.wait());
    let fenced = play.on(MemberEvent::Suspend);
    assert_eq!(request(&fenced).epoch, LEAVE_EPOCH);
    play.answer(&request(&fenced), 0, None);
    let joins = play.sends(MemberEvent::Resume);
    assert_eq!(joins.epoch, 0);
    assert!(play.answer(&late, 7, Some(set("t", 0..1))).is_empty());
    assert_eq!(play.member.epoch(), 0);
}
