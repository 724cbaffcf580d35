//! What the coordinator adds to Kafka's protocol, and what Kafka's recorded scenarios do not show.

use headwater::base::{Code, Error};
use headwater::group::assignor::Assigned;
use headwater::group::{
    Client, GroupConfig, HeartbeatRequest, LEAVE_EPOCH, Outcome, Partitions, STATIC_LEAVE_EPOCH, Spec, Timer,
};

use crate::rig::{BuiltIn, Custom, Rig, beat, done, join, set};

fn pinging() -> Rig {
    let config = GroupConfig { ping_timeout_ms: 3_000, ..GroupConfig::default() };
    Rig::with(&[("t", 4)], config)
}

#[test]
fn a_silent_member_is_asked_before_it_is_fenced() {
    let mut rig = pinging();
    rig.joins("a", &["t"]);
    let asked = rig.advance(45_000);
    assert_eq!(asked.iter().map(|fired| fired.timer).collect::<Vec<_>>(), [Timer::Ping]);
    assert!(asked[0].records.is_empty() && rig.epoch("a") == 1, "nothing has changed");
    assert!(rig.advance(2_999).is_empty());
    let fenced = rig.advance(1);
    assert_eq!((fenced[0].timer, fenced[0].member.as_str()), (Timer::Session, "a"));
    assert_eq!(rig.coordinator.state().name(), "Empty");
}

#[test]
fn a_member_that_answers_a_ping_has_its_whole_session_again() {
    let mut rig = pinging();
    rig.joins("a", &["t"]);
    rig.advance(45_000);
    rig.coordinator.alive(rig.now, "a");
    assert!(rig.advance(44_999).is_empty());
    assert_eq!(rig.advance(1)[0].timer, Timer::Ping);
}

#[test]
fn a_member_may_have_a_session_of_its_own() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&HeartbeatRequest { session_timeout_ms: 10_000, ..join("a", &["t"]) }).unwrap();
    assert_eq!(rig.coordinator.deadline(), Some(rig.now.instant + 10_000));
    assert_eq!(rig.advance(10_000)[0].timer, Timer::Session);
}

#[test]
fn after_a_stall_nobody_is_judged() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.joins("a", &["t"]);
    rig.now.instant += 600_000;
    rig.coordinator.restart_timers(rig.now);
    assert!(rig.advance(44_999).is_empty());
}

#[test]
fn a_member_that_is_gone_frees_its_partitions() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.joins("a", &["t"]);
    rig.joins("b", &["t"]);
    assert!(!rig.coordinator.gone("a", &rig.topics).is_empty());
    assert!(rig.coordinator.gone("a", &rig.topics).is_empty(), "it is gone already");
    rig.settle(&["b"]);
    assert_eq!(rig.assigned("b"), set("t", 0..4));
}

#[test]
fn a_static_member_that_is_gone_comes_back_without_a_rebalance() {
    let mut rig = Rig::new(&[("t", 4)]);
    let instance = Some("i".to_owned());
    rig.send(&HeartbeatRequest { instance: instance.clone(), ..join("a", &["t"]) }).unwrap();
    rig.joins("b", &["t"]);
    rig.send(&HeartbeatRequest { owned: Some(set("t", 0..2)), instance: instance.clone(), ..beat("a", 1) })
        .unwrap();
    rig.settle(&["b"]);
    let (had, epoch) = (rig.assigned("a"), rig.coordinator.state().epoch);
    rig.coordinator.gone("a", &rig.topics);
    assert_eq!(rig.epoch("a"), STATIC_LEAVE_EPOCH);
    let back = rig.send(&HeartbeatRequest { instance, ..join("a2", &["t"]) }).unwrap();
    assert_eq!((back.assignment, rig.coordinator.state().epoch), (Some(had), epoch));
}

#[test]
fn a_heartbeat_that_was_overtaken_does_not_count() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&HeartbeatRequest { correlation: 1, ..join("a", &["t"]) }).unwrap();
    let old = HeartbeatRequest { correlation: 2, owned: Some(set("t", 0..2)), ..beat("a", 1) };
    rig.send(&HeartbeatRequest { correlation: 3, owned: Some(set("t", 0..4)), ..beat("a", 1) }).unwrap();
    rig.joins("b", &["t"]);
    rig.send(&HeartbeatRequest { correlation: 4, ..beat("a", 1) }).unwrap();
    for late in [&old, &HeartbeatRequest { correlation: 4, owned: Some(set("t", 0..2)), ..beat("a", 1) }] {
        let outcome = rig.coordinator.heartbeat(rig.now, late, &rig.topics, &BuiltIn);
        assert_eq!(outcome, Ok(Outcome::Late));
    }
    rig.send(&beat("b", 2)).unwrap();
    assert!(rig.assigned("b").is_empty(), "a still has everything");
}

#[test]
fn hidden_members_step_back_where_the_application_wants_it() {
    let mut rig = Rig::new(&[("t", 4), ("u", 1)]);
    let client = |visible| Some(Client { prefer_visible: true, visible, ..Client::default() });
    rig.send(&HeartbeatRequest { client: client(true), ..join("a", &["t"]) }).unwrap();
    rig.send(&HeartbeatRequest { client: client(false), ..join("b", &["t", "u"]) }).unwrap();
    rig.settle(&["a", "b"]);
    assert_eq!(rig.assigned("a"), set("t", 0..4));
    assert_eq!(rig.assigned("b"), set("u", 0..1), "nobody else subscribes to it");
    rig.send(&HeartbeatRequest { client: client(false), ..beat("a", rig.epoch("a")) }).unwrap();
    rig.send(&HeartbeatRequest { client: client(true), ..beat("b", rig.epoch("b")) }).unwrap();
    rig.settle(&["a", "b"]);
    assert!(rig.assigned("a").is_empty() && rig.assigned("b").len() == 5);
}

#[test]
fn a_custom_assignor_is_waited_for_and_nothing_changes_meanwhile() {
    let mut rig = Rig::new(&[("t", 2)]);
    let wanted = ["mine", "range"].map(str::to_owned);
    let request = HeartbeatRequest { assignors: Some(wanted.into()), ..join("a", &["t"]) };
    let waits = Custom("mine", |_| Assigned::Pending);
    let outcome = rig.coordinator.heartbeat(rig.now, &request, &rig.topics, &waits);
    let Ok(Outcome::Assign(spec)) = outcome else { panic!("the assignor is to be asked") };
    assert_eq!((spec.assignor.as_str(), spec.group_epoch, spec.members.len()), ("mine", 1, 1));
    assert_eq!(rig.coordinator.state().epoch, 0);
    let answer = rig.send_with(&request, &Custom("mine", |_| done(&[("a", set("t", 1..2))]))).unwrap();
    assert_eq!(answer.assignment, Some(set("t", 1..2)));
}

#[test]
fn a_coordinator_without_the_custom_assignor_takes_the_next() {
    let mut rig = Rig::new(&[("t", 2)]);
    let wanted = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    rig.send(&HeartbeatRequest { assignors: wanted(&["mine", "range"]), ..join("a", &["t"]) }).unwrap();
    let refused =
        rig.send(&HeartbeatRequest { assignors: wanted(&["mine"]), ..join("b", &["t"]) }).unwrap_err();
    assert_eq!(refused.code(), Code::UnsupportedAssignor);
    assert!(refused.message().contains("mine") && refused.message().contains("uniform"), "{refused}");
}

#[test]
fn what_a_custom_assignor_gets_wrong_is_refused_and_the_old_assignment_stands() {
    type Wrong = (fn(&Spec) -> Assigned, &'static str);
    let wrong: [Wrong; 6] = [
        (|_| done(&[("nobody", set("t", 0..1))]), "no member nobody"),
        (|_| done(&[("a", set("x", 0..1))]), "of an unknown topic"),
        (|_| done(&[("a", set("t", 4..5))]), "partition 4 t"),
        (|_| done(&[("a", set("u", 0..1))]), "does not subscribe to"),
        (|_| done(&[("a", set("t", 0..2)), ("b", set("t", 1..2))]), "given to two members"),
        (
            |_| Assigned::Done(Err(Error::new(Code::UnknownServerError, "it threw: no luck"))),
            "it threw: no luck",
        ),
    ];
    for (assign, says) in wrong {
        let mut rig = Rig::new(&[("t", 4), ("u", 1)]);
        rig.joins("a", &["t"]);
        rig.joins("c", &["u"]);
        let request = HeartbeatRequest { assignors: Some(vec!["mine".into()]), ..join("b", &["t"]) };
        let error = rig.send_with(&request, &Custom("mine", assign)).unwrap_err();
        assert_eq!(error.code(), Code::UnknownServerError);
        assert!(error.message().contains(says) && error.message().contains("mine"), "{error}");
        assert_eq!(rig.assigned("a"), set("t", 0..4));
        assert_eq!(rig.send(&beat("a", rig.epoch("a"))).map(|answer| answer.assignment), Ok(None));
    }
}

#[test]
fn a_full_group_takes_nobody_until_somebody_leaves() {
    let config = GroupConfig { max_size: 1, ..GroupConfig::default() };
    let mut rig = Rig::with(&[("t", 4)], config);
    rig.joins("a", &["t"]);
    let refused = rig.send(&join("b", &["t"])).unwrap_err();
    assert_eq!(refused.code(), Code::GroupMaxSizeReached);
    rig.send(&beat("a", LEAVE_EPOCH)).unwrap();
    assert_eq!(rig.joins("b", &["t"]).assignment, Some(set("t", 0..4)));
}

#[test]
fn whoever_takes_over_keeps_epochs_and_assignments_and_gives_everyone_a_whole_session() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.joins("a", &["t"]);
    rig.joins("b", &["t"]);
    rig.settle(&["a", "b"]);
    rig.now.instant += 40_000;
    let (a, b) = (rig.assigned("a"), rig.assigned("b"));
    rig.take_over();
    assert_eq!((rig.assigned("a"), rig.assigned("b")), (a, b));
    assert_eq!(rig.coordinator.deadline(), Some(rig.now.instant + 45_000));
    let answer = rig.send(&beat("a", rig.epoch("a"))).unwrap();
    assert_eq!((answer.epoch, answer.assignment), (rig.epoch("a"), None));
}

#[test]
fn a_topic_that_is_created_anew_is_another_topic() {
    let mut rig = Rig::new(&[("t", 2)]);
    rig.joins("a", &["t"]);
    rig.topics.0.clear();
    rig.coordinator.metadata_changed("other");
    assert_eq!(rig.send(&beat("a", 1)).unwrap().assignment, None, "nobody subscribes to the other one");
    rig.coordinator.metadata_changed("t");
    assert_eq!(rig.send(&beat("a", 1)).unwrap().assignment, Some(Partitions::new()));
}

fn static_member(id: &str) -> HeartbeatRequest {
    HeartbeatRequest { instance: Some("i".into()), ..join(id, &["t"]) }
}

/// A static member that has been asked to give up half of what it has, beside one that waits for it.
fn giving_up() -> Rig {
    let mut rig = pinging();
    rig.send(&static_member("a")).unwrap();
    rig.joins("b", &["t"]);
    rig.send(&HeartbeatRequest { instance: Some("i".into()), ..beat("a", 1) }).unwrap();
    assert_eq!((rig.assigned("a").len(), rig.assigned("b").len()), (2, 0));
    rig
}

#[test]
fn a_static_member_that_leaves_keeps_what_it_keeps_and_frees_what_it_was_giving_up() {
    let mut rig = giving_up();
    rig.coordinator.gone("a", &rig.topics);
    assert!(rig.coordinator.gone("a", &rig.topics).is_empty(), "it is away already");
    rig.send(&beat("b", 2)).unwrap();
    assert_eq!((rig.assigned("a"), rig.assigned("b")), (set("t", 0..2), set("t", 2..4)));
}

#[test]
fn a_static_member_that_is_away_is_neither_asked_nor_late_until_its_session_ends() {
    let mut rig = giving_up();
    rig.coordinator.gone("a", &rig.topics);
    for _ in 0..4 {
        rig.now.instant += 11_000;
        rig.coordinator.alive(rig.now, "b");
        assert!(rig.advance(0).is_empty());
    }
    rig.now.instant += 1_000;
    let fired = rig.advance(0);
    assert_eq!((fired[0].member.as_str(), fired[0].timer), ("a", Timer::Session));
    assert!(!fired[0].records.is_empty());
}

#[test]
fn a_static_member_that_went_away_while_it_was_giving_up_is_not_late_with_it() {
    let mut rig = giving_up();
    rig.coordinator.gone("a", &rig.topics);
    for _ in 0..2 {
        rig.now.instant += 30_000;
        ["a", "b"].iter().for_each(|id| rig.coordinator.alive(rig.now, id));
    }
    let fired = rig.advance(0);
    assert_eq!((fired[0].timer, fired[0].records.len()), (Timer::Rebalance, 0));
}

#[test]
fn a_member_that_said_it_is_away_cannot_heartbeat_on() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&static_member("a")).unwrap();
    rig.settle(&["a"]);
    rig.coordinator.gone("a", &rig.topics);
    for epoch in [1, 2] {
        let request = HeartbeatRequest {
            instance: Some("i".into()),
            owned: Some(Partitions::new()),
            ..beat("a", epoch)
        };
        let refused = rig.send(&request).map_err(|error| error.code());
        assert_eq!(refused, Err(Code::FencedMemberEpoch));
    }
}

#[test]
fn of_a_static_member_that_came_back_as_another_no_timer_is_left() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&static_member("a")).unwrap();
    rig.coordinator.gone("a", &rig.topics);
    rig.now.instant += 10_000;
    rig.send(&static_member("a2")).unwrap();
    assert_eq!(rig.coordinator.deadline(), Some(rig.now.instant + 45_000));
}

#[test]
fn what_was_late_before_a_stall_is_late_after_it() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&HeartbeatRequest { correlation: 7, ..join("a", &["t"]) }).unwrap();
    rig.coordinator.restart_timers(rig.now);
    let late = HeartbeatRequest { correlation: 6, ..beat("a", 1) };
    let outcome = rig.coordinator.heartbeat(rig.now, &late, &rig.topics, &BuiltIn);
    assert_eq!(outcome, Ok(Outcome::Late));
}

#[test]
fn topics_are_a_set() {
    let mut rig = Rig::new(&[("t", 4), ("u", 2)]);
    rig.joins("a", &["u", "t", "u"]);
    assert_eq!(rig.assigned("a").len(), 6);
    let again = HeartbeatRequest { topics: Some(vec!["t".into(), "u".into()]), ..beat("a", 1) };
    assert_eq!(rig.send(&again).unwrap().epoch, 1, "the order is no news");
}
