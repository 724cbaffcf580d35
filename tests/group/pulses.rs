//! What the pulses of the coordinator are to a member.

use headwater::group::{MemberEvent, MemberOptions, Membership, Partitions, Pulsed};

use crate::member::{Play, options, request};
use crate::rig::set;

/// A member whose interval is 5 s, at 1 s.
fn idle() -> Play {
    let play = Play::joined(options(), set("t", 0..2));
    assert_eq!((play.member.deadline(), play.now.instant), (Some(6_000), 1_000));
    play
}

#[test]
fn while_pulses_come_a_member_needs_no_timer_and_says_before_its_session_ends_that_it_is_there() {
    let mut play = idle();
    let mut told = Vec::new();
    for second in 2..=60 {
        play.now.instant = second * 1_000;
        if play.member.pulse(play.now, 1) == Pulsed::Tells {
            told.push(second);
        }
        assert!(play.member.deadline().unwrap() >= play.now.instant + 6_000, "a second of grace");
    }
    assert_eq!(told, [15, 29, 43, 57], "the pulse after that may come when two thirds of 30 s are over");
    assert!(play.on(MemberEvent::Tick).is_empty());
    assert_eq!(request(&play.wait()).owned, None, "and asks when they stay out");
}

#[test]
fn a_member_of_a_short_session_says_with_each_pulse_that_it_is_there() {
    let mut play = Play::joined(MemberOptions { session_timeout_ms: 6_000, ..options() }, set("t", 0..2));
    for second in [6, 11, 16] {
        play.now.instant = second * 1_000;
        assert_eq!(play.member.pulse(play.now, 1), Pulsed::Tells);
    }
}

#[test]
fn a_pulse_of_another_epoch_is_asked_about_at_once() {
    let mut play = idle();
    assert_eq!(play.member.pulse(play.now, 2), Pulsed::Ignored);
    let beat = play.member.poll();
    assert!(beat.is_some(), "there is something that it was not told");
    assert_eq!(play.member.pulse(play.now, 3), Pulsed::Ignored);
    assert!(play.member.poll().is_none(), "one question at a time");
}

#[test]
fn who_has_something_to_say_does_not_put_it_off() {
    let mut play = idle();
    play.on(MemberEvent::Visible(true));
    assert_eq!(play.member.pulse(play.now, 1), Pulsed::Ignored);
    assert!(request(&play.wait()).client.is_some());
}

#[test]
fn a_member_that_is_on_its_way_heartbeats_whatever_the_pulses_say() {
    let mut play = idle();
    let beat = request(&play.wait());
    play.answer(&beat, 1, Some(set("t", 0..1)));
    assert_eq!(play.member.state(), Membership::Reconciling);
    assert_eq!(play.member.pulse(play.now, 1), Pulsed::Ignored);
    assert_eq!(request(&play.wait()).owned, None);
    let mut out = Play::joined(options(), Partitions::new());
    out.on(MemberEvent::Leave);
    assert_eq!(out.member.pulse(out.now, 1), Pulsed::Ignored);
}

#[test]
fn who_holds_no_lock_has_nothing_but_heartbeats() {
    let mut play = idle();
    play.on(MemberEvent::Unlocked);
    assert_eq!(play.member.pulse(play.now, 1), Pulsed::Ignored);
    assert_eq!(play.member.deadline(), Some(6_000));
}

#[test]
fn that_the_page_is_seen_is_said_within_an_interval() {
    let mut play = idle();
    assert_eq!(play.member.pulse(play.now, 1), Pulsed::Known);
    assert_eq!(play.member.deadline(), Some(7_000));
    play.on(MemberEvent::Visible(true));
    assert_eq!(play.member.deadline(), Some(6_000));
}
