//! Groups of whole nodes: who has which partition, whatever becomes of the tabs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "groups/failover.rs"]
mod failover;
#[path = "groups/idle.rs"]
mod idle;
#[path = "groups/lost.rs"]
mod lost;
#[path = "groups/stalls.rs"]
mod stalls;
mod support;

use headwater::base::{Code, Error};
use headwater::client::consumer::{FetchLimits, Reset};
use headwater::group::WriteGroup;
use headwater::node::{
    Answer, Call, Command, ConsumerOptions, Event, GroupMessage, Input, NodeOptions, PageEvent, RebalanceKind,
};
use support::tabs::{CONSUMER, Tabs};

/// So many tabs in group `g`, over a topic of so many partitions.
fn group(tabs: usize, partitions: i32) -> Tabs {
    joined(Tabs::default(), tabs, partitions)
}

fn joined(mut world: Tabs, tabs: usize, partitions: i32) -> Tabs {
    for tab in 0..tabs {
        world.tab();
        if tab == 0 {
            world.create_topic(0, "t", partitions);
        }
        let join = world.join(tab, "t");
        if world.no_locks {
            world.pass(5_000);
        }
        assert!(world.answer(tab, join).is_ok());
    }
    world
}

/// What every tab has; nothing is owned twice.
fn shares(world: &mut Tabs, tabs: &[usize]) -> Vec<usize> {
    let owned: Vec<Vec<i32>> = tabs.iter().map(|tab| world.owned(*tab)).collect();
    let mut all = owned.concat();
    all.sort_unstable();
    let once = all.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(once, "a partition has two owners: {owned:?}");
    owned.iter().map(Vec::len).collect()
}

fn code(result: Result<Answer, Error>) -> Code {
    result.unwrap_err().code()
}

#[test]
fn partitions_are_spread_at_once_over_those_who_join() {
    let mut world = group(4, 12);
    assert_eq!(shares(&mut world, &[0, 1, 2, 3]), [3, 3, 3, 3]);
    let row = world.group();
    assert_eq!(row.state.name(), "Stable");
    assert_eq!((row.state.members.len(), row.coordinator_epoch), (4, 1));
}

#[test]
fn a_member_keeps_what_it_keeps_and_reads_on_in_a_rebalance() {
    let mut world = group(1, 4);
    assert_eq!(world.owned(0), [0, 1, 2, 3]);
    world.tab();
    world.join(1, "t");
    assert_eq!(shares(&mut world, &[0, 1]), [2, 2]);
    use RebalanceKind::{Assign, Revoke};
    let taken: Vec<_> = world.reader(0).steps.iter().map(|step| (step.kind, step.partitions.len())).collect();
    assert_eq!(taken[..2], [(Assign, 4), (Revoke, 2)]);
    assert!(world.kinds(0).iter().skip(2).all(|kind| *kind == Assign), "nothing else is taken");
    let kept = world.owned(0)[0];
    world.send(1, "t", kept, "a");
    assert_eq!(world.read(0), ["a"]);
}

#[test]
fn revocation_waits_for_the_application_and_its_commit_counts() {
    let mut world = group(1, 2);
    world.reader(0).slow = true;
    world.send(0, "t", 0, "a");
    world.send(0, "t", 1, "b");
    world.read(0);
    world.tab();
    world.join(1, "t");
    let revoked = world.reader(0).open.clone().expect("something is revoked");
    assert_eq!((revoked.kind, revoked.partitions.len()), (RebalanceKind::Revoke, 1));
    let partition = revoked.partitions[0].1;
    assert!(world.owned(1).is_empty(), "it is not free yet");
    let commit = world.commit(0, "t", partition, 1);
    assert!(world.answer(0, commit).is_ok(), "what is being given up can be committed still");
    for _ in 0..2 {
        assert!(world.owned(1).is_empty(), "the owner has not said yet that it is done");
        world.take_step(0, CONSUMER);
        world.run();
    }
    assert_eq!(world.owned(1), [partition]);
    assert!(world.read(1).is_empty(), "the record was handled");
    let late = world.commit(0, "t", partition, 0);
    assert_eq!(code(world.answer(0, late)), Code::UnknownTopicOrPartition);
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_fenced_and_its_late_commit_refused() {
    let mut world = group(1, 2);
    world.reader(0).slow = true;
    world.tab();
    world.join(1, "t");
    world.pass(61_000);
    assert_eq!(world.owned(1).len(), 2, "its rebalance timeout has passed");
    let late = world.commit(0, "t", 0, 1);
    // It may have heard already, or hear by this.
    let refused = code(world.answer(0, late));
    let codes = [Code::RebalanceInProgress, Code::UnknownTopicOrPartition, Code::UnknownMemberId];
    assert!(codes.contains(&refused), "{refused:?}");
    world.reader(0).slow = false;
    world.take_step(0, CONSUMER);
    world.pass(5_000);
    assert!(world.kinds(0).contains(&RebalanceKind::Lost));
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
}

#[test]
fn who_leaves_is_followed_at_once() {
    let mut world = group(2, 4);
    let leave = world.call(1, Call::Leave(CONSUMER));
    assert!(world.answer(1, leave).is_ok());
    assert_eq!(world.owned(0).len(), 4);
    assert_eq!(world.group().state.members.len(), 1);
    assert!(world.tabs[1].readers[&CONSUMER].open.is_none());
    let asked = world.ask(1, Call::Rebalance(CONSUMER));
    assert!(matches!(asked, Ok(Answer::Rebalance(None))), "there is nothing to come");
}

#[test]
fn the_partitions_of_a_crashed_tab_are_read_at_once_from_what_it_committed() {
    let mut world = group(3, 3);
    let partition = world.owned(2)[0];
    for value in ["a", "b"] {
        world.send(0, "t", partition, value);
    }
    assert_eq!(world.read(2), ["a", "b"]);
    let commit = world.commit(2, "t", partition, 1);
    world.answer(2, commit).unwrap();
    world.crash(2);
    assert_eq!(shares(&mut world, &[0, 1]).iter().sum::<usize>(), 3);
    let heir = if world.owned(0).contains(&partition) { 0 } else { 1 };
    assert_eq!(world.read(heir), ["b"]);
}

#[test]
fn a_crashed_coordinator_is_followed_and_nobody_loses_anything() {
    let mut world = group(3, 6);
    let before = [world.owned(1), world.owned(2)];
    let epoch = world.group().state.epoch;
    assert_eq!(world.coordinator(), 0);
    world.crash(0);
    world.pass(100);
    assert_eq!(world.group().coordinator_epoch, 2);
    assert!(world.group().state.epoch > epoch, "epochs go on");
    assert_eq!(shares(&mut world, &[1, 2]), [3, 3]);
    for (tab, before) in [1, 2].into_iter().zip(before) {
        assert!(before.iter().all(|partition| world.owned(tab).contains(partition)), "it kept what it had");
        assert!(!world.kinds(tab).contains(&RebalanceKind::Lost));
    }
}

#[test]
fn a_coordinator_that_leaves_hands_over_without_a_claim_of_its_members() {
    let mut world = group(2, 2);
    let leave = world.call(0, Call::Leave(CONSUMER));
    assert!(world.answer(0, leave).is_ok());
    world.pass(100);
    assert_eq!((world.coordinator(), world.owned(1).len()), (1, 2));
    assert!(!world.kinds(1).contains(&RebalanceKind::Lost));
}

#[test]
fn a_frozen_member_is_pinged_then_fenced_and_comes_back_with_nothing() {
    let mut world = group(2, 2);
    world.tabs[1].frozen = true;
    world.pass(29_000);
    assert_eq!(world.owned(0).len(), 1);
    world.pass(10_000);
    assert_eq!(world.owned(0).len(), 2, "its session and the ping are over");
    let late = world.commit(1, "t", 0, 7);
    world.thaw(1);
    assert!(world.answer(1, late).is_err(), "a former owner commits nothing");
    world.pass(1_000);
    assert!(world.kinds(1).contains(&RebalanceKind::Lost));
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
}

#[test]
fn a_hidden_tab_whose_timers_come_once_a_minute_is_not_fenced() {
    let mut world = group(3, 3);
    world.tabs[2].throttled = true;
    world.handle(2, Input::Page(PageEvent::Hidden));
    let epoch = world.group().state.epoch;
    world.pass(600_000);
    assert_eq!(world.group().state.epoch, epoch);
    assert_eq!(shares(&mut world, &[0, 1, 2]), [1, 1, 1]);
}

#[test]
fn a_frozen_coordinator_is_deposed_by_a_tab_that_is_seen_and_cannot_write_any_more() {
    let mut world = group(3, 3);
    world.handle(1, Input::Page(PageEvent::Hidden));
    world.tabs[0].frozen = true;
    world.pass(16_000);
    assert_eq!(world.coordinator(), 2, "the hidden tab does not steal");
    let row = world.group();
    assert_eq!((row.coordinator_epoch, row.state.members.len()), (2, 3));
    world.pass(60_000);
    assert_eq!(shares(&mut world, &[1, 2]).iter().sum::<usize>(), 3);
    let row = world.group();
    world.thaw(0);
    world.pass(1_000);
    assert_eq!(world.group().coordinator_epoch, row.coordinator_epoch, "what it wrote was refused");
    assert_eq!(shares(&mut world, &[0, 1, 2]), [1, 1, 1], "and it is a member again");
}

#[test]
fn a_suspended_page_gives_everything_up_and_joins_again_when_it_is_back() {
    let mut world = group(2, 2);
    world.handle(1, Input::Page(PageEvent::Suspended));
    assert_eq!(world.owned(0).len(), 2);
    assert!(world.owned(1).is_empty());
    world.pass(120_000);
    world.handle(1, Input::Page(PageEvent::Resumed));
    world.pass(100);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
    assert_eq!(world.group().state.members.len(), 2);
}

#[test]
fn a_suspended_coordinator_releases_its_office() {
    let mut world = group(2, 2);
    world.handle(0, Input::Page(PageEvent::Suspended));
    world.pass(100);
    assert_eq!((world.coordinator(), world.owned(1).len()), (1, 2));
    world.handle(0, Input::Page(PageEvent::Resumed));
    world.pass(100);
    assert_eq!((world.coordinator(), shares(&mut world, &[0, 1])), (1, vec![1, 1]));
}

#[test]
fn a_hidden_coordinator_hands_over_to_a_tab_that_is_seen() {
    let mut world = group(3, 3);
    world.handle(1, Input::Page(PageEvent::Hidden));
    world.pass(10_000);
    world.handle(0, Input::Page(PageEvent::Hidden));
    world.pass(29_000);
    assert_eq!(world.coordinator(), 0);
    world.pass(3_000);
    assert_eq!(world.coordinator(), 2);
    assert_eq!(shares(&mut world, &[0, 1, 2]), [1, 1, 1]);
    assert!(!world.kinds(1).contains(&RebalanceKind::Lost));
}

#[test]
fn hidden_members_step_back_where_the_application_prefers_those_that_are_seen() {
    let mut world = Tabs::default();
    for tab in 0..2 {
        world.tab();
        if tab == 0 {
            world.create_topic(0, "t", 2);
        }
        let options = ConsumerOptions { prefer_visible: true, ..ConsumerOptions::new("g") };
        world.join_as(tab, CONSUMER, "t", options);
    }
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
    world.handle(1, Input::Page(PageEvent::Hidden));
    world.pass(1_000);
    assert_eq!(shares(&mut world, &[0, 1]), [2, 0]);
    world.handle(0, Input::Page(PageEvent::Hidden));
    world.pass(1_000);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1], "where nobody is seen, everybody works");
}

#[test]
fn a_static_member_that_reloads_gets_its_partitions_back_without_a_rebalance() {
    let mut world = Tabs::default();
    let options = |name: &str| ConsumerOptions { instance: Some(name.into()), ..ConsumerOptions::new("g") };
    for (tab, name) in [(0, "one"), (1, "two")] {
        world.tab();
        if tab == 0 {
            world.create_topic(0, "t", 4);
        }
        world.join_as(tab, CONSUMER, "t", options(name));
    }
    let (had, epoch) = (world.owned(1), world.group().state.epoch);
    world.crash(1);
    assert_eq!(world.owned(0).len(), 2, "its partitions wait for it");
    let reloaded = world.tab();
    world.join_as(reloaded, CONSUMER, "t", options("two"));
    world.pass(2_000);
    assert_eq!((world.owned(reloaded), world.group().state.epoch), (had, epoch));
}

#[test]
fn heartbeats_that_come_late_or_twice_do_no_harm() {
    let mut world = group(2, 4);
    world.loses = Some(|message| matches!(message, GroupMessage::Answer(..)));
    world.tab();
    let join = world.join(2, "t");
    assert!(world.waits(2, join), "its answers are lost");
    world.pass(10_000);
    world.loses = None;
    world.pass(5_000);
    assert!(world.answer(2, join).is_ok());
    let mut shares = shares(&mut world, &[0, 1, 2]);
    shares.sort_unstable();
    assert_eq!(shares, [1, 1, 2]);
}

#[test]
fn attempt_to_heartbeat_failed_since_the_group_is_rebalancing_cannot_happen() {
    let mut world = group(2, 8);
    world.reader(0).slow = true;
    for tab in 2..5 {
        world.tab();
        world.join(tab, "t");
        world.pass(10_000);
    }
    assert!(world.reader(0).open.is_some(), "the rebalance goes on all the time");
    let heartbeats = |world: &Tabs, tab: usize| {
        let beats = world.tabs[tab].events.iter().filter(|event| matches!(event, Event::Heartbeat { .. }));
        beats.count()
    };
    assert!(heartbeats(&world, 0) >= 9 && heartbeats(&world, 1) >= 9);
    assert!(!world.kinds(0).contains(&RebalanceKind::Lost), "and nobody was thrown out");
    let commit = world.commit(0, "t", world.tabs[0].readers[&CONSUMER].owned[0].1, 0);
    assert!(world.answer(0, commit).is_ok(), "nor can it not commit");
}

#[test]
fn the_assignment_follows_the_subscription_and_the_topics() {
    let mut world = group(1, 1);
    let topics = ["t", "u"].map(|name| (name.to_string(), Reset::Earliest));
    world.command(0, Command::UpdateSubscription(topics.into()));
    world.pass(100);
    assert_eq!(world.reader(0).owned.len(), 2, "a topic that was not there is created");
    world.ask(0, Call::DeleteTopic("u".into())).unwrap();
    world.pass(10_000);
    assert_eq!(world.reader(0).owned, [("t".to_string(), 0)]);
    let other = world.tab();
    world.create_topic(other, "u", 3);
    world.pass(10_000);
    assert_eq!(world.reader(0).owned.len(), 4, "and one that is created anew, elsewhere");
    world.send(other, "u", 2, "a");
    assert_eq!(world.read(0), ["a"]);
}

#[test]
fn one_consumer_has_one_caller() {
    let mut world = group(1, 1);
    let fetch = world.call(0, Call::Fetch(CONSUMER, FetchLimits::up_to(1 << 20)));
    assert_eq!(code(world.ask(0, Call::Fetch(CONSUMER, FetchLimits::up_to(1 << 20)))), Code::InvalidRequest);
    assert!(world.waits(0, fetch), "the first goes on");
    assert_eq!(code(world.ask(0, Call::Join(CONSUMER))), Code::InvalidRequest);
    assert_eq!(code(world.ask(0, Call::Rebalance(CONSUMER))), Code::InvalidRequest);
}

#[test]
fn without_locks_silence_tells_and_there_are_never_two_writers() {
    let mut world = Tabs::default();
    world.no_locks = true;
    let mut world = joined(world, 3, 6);
    world.pass(20_000);
    assert_eq!(shares(&mut world, &[0, 1, 2]), [2, 2, 2]);
    let first = world.group();
    world.crash(0);
    world.pass(90_000);
    assert_eq!(shares(&mut world, &[1, 2]), [3, 3]);
    assert!(world.group().coordinator_epoch > first.coordinator_epoch);
    // One that nobody hears claims the group for itself; the others' writes are refused from then on.
    world.loses = Some(|_| true);
    world.tab();
    world.join(3, "t");
    world.pass(20_000);
    world.loses = None;
    world.pass(60_000);
    let epoch = world.group().coordinator_epoch;
    world.pass(60_000);
    assert_eq!(world.group().coordinator_epoch, epoch, "they agree on one");
    assert_eq!(shares(&mut world, &[1, 2, 3]), [2, 2, 2]);
}

#[test]
fn a_member_whose_lock_is_stolen_begins_again_once() {
    let mut world = group(2, 2);
    let epoch = world.group().state.epoch;
    world.steal("member/g/");
    world.pass(10_000);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
    assert!(world.group().state.epoch <= epoch + 4, "it does not go on for ever");
}

#[test]
fn a_tab_that_is_refused_its_locks_is_a_member_all_the_same() {
    let mut world = group(1, 2);
    world.tab();
    world.refuses_locks = Some(1);
    world.join(1, "t");
    world.pass(10_000);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
    let epoch = world.group().state.epoch;
    world.pass(60_000);
    assert_eq!(world.group().state.epoch, epoch);
    world.crash(1);
    world.pass(40_000);
    assert_eq!(world.owned(0).len(), 2, "its silence tells");
}

#[test]
fn what_a_closing_page_could_not_store_others_store_for_it() {
    for closing in [0, 1] {
        let mut world = group(2, 2);
        let partition = world.owned(closing)[0];
        world.send(closing, "t", partition, "a");
        assert_eq!(world.read(closing), ["a"]);
        world.stores_nothing = Some(closing);
        world.commit(closing, "t", partition, 1);
        world.handle(closing, Input::Page(PageEvent::Closing));
        world.crash(closing);
        let other = 1 - closing;
        world.pass(1_000);
        assert_eq!(world.owned(other).len(), 2);
        assert!(world.read(other).is_empty(), "it was handled");
    }
}

#[test]
fn a_commit_that_another_stores_late_takes_nothing_back() {
    let mut world = group(2, 2);
    let partition = world.owned(1)[0];
    world.stores_nothing = Some(1);
    world.commit(1, "t", partition, 1);
    world.keeps_commits = true;
    world.handle(1, Input::Page(PageEvent::Hidden));
    world.stores_nothing = None;
    world.pass(1);
    let commit = world.commit(1, "t", partition, 2);
    world.answer(1, commit).unwrap();
    world.keeps_commits = false;
    world.run();
    let committed = world.ask(0, Call::CommittedOffsets { group: "g".into(), topic: "t".into() });
    let Ok(Answer::CommittedOffsets(offsets)) = committed else { panic!() };
    assert_eq!(offsets[partition as usize].as_ref().map(|(offset, _)| *offset), Some(2));
}
