//! Coordinators that could not do their work for a while: they were stopped, their storage was slow or wiped.

use super::*;

#[test]
fn a_coordinator_that_was_stalled_judges_nobody_for_what_it_did_not_hear() {
    let mut world = group(2, 2);
    let epoch = world.group().state.epoch;
    // Both sleep, as with the machine's lid closed; the coordinator is the first to wake.
    world.tabs[0].frozen = true;
    world.tabs[1].frozen = true;
    world.pass(3_600_000);
    world.thaw(0);
    world.pass(2_000);
    assert_eq!(world.group().state.epoch, epoch, "the other may be about to wake");
    world.thaw(1);
    world.pass(1_000);
    assert_eq!(world.group().state.epoch, epoch);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
}

#[test]
fn a_coordinator_that_does_not_doubt_its_own_stall_would_fence_the_living() {
    let mut world = Tabs::default();
    world.tab_of(NodeOptions { doubts_stalls: false, ..NodeOptions::default() });
    world.create_topic(0, "t", 2);
    world.join(0, "t");
    world.tab();
    world.join(1, "t");
    let epoch = world.group().state.epoch;
    // It was asked for its members just before it slept.
    world.loses = Some(|message| matches!(message, GroupMessage::Heartbeat(..) | GroupMessage::Signal(..)));
    world.pass(31_000);
    world.tabs[0].frozen = true;
    world.pass(3_600_000);
    world.loses = None;
    world.thaw(0);
    assert!(world.group().state.epoch > epoch);
}

#[test]
fn a_storage_that_keeps_the_coordinator_waiting_fences_nobody() {
    let mut world = group(3, 6);
    world.late_storage = Some(0);
    // Each join takes the group an epoch further, while nobody can be answered, and everybody asks again.
    for tab in 3..6 {
        world.tab();
        world.join_as(tab, CONSUMER, "t", ConsumerOptions::new("g"));
        world.pass(8_000);
    }
    world.late_storage = None;
    world.run();
    world.pass(20_000);
    assert_eq!(shares(&mut world, &[0, 1, 2, 3, 4, 5]), [1; 6]);
    for tab in 0..6 {
        assert!(!world.kinds(tab).contains(&RebalanceKind::Lost), "tab {tab}");
    }
}

#[test]
fn the_time_to_give_partitions_up_begins_when_the_member_is_told() {
    let mut world = Tabs::default();
    let options = || ConsumerOptions { rebalance_timeout_ms: 10_000, ..ConsumerOptions::new("g") };
    for tab in 0..2 {
        world.tab();
        if tab == 0 {
            world.create_topic(0, "t", 4);
        }
        world.join_as(tab, CONSUMER, "t", options());
    }
    world.late_storage = Some(0);
    world.tab();
    world.join_as(2, CONSUMER, "t", options());
    world.pass(18_000);
    // What was decided while the storage did not answer is told now, and the application takes a while.
    (0..2).for_each(|tab| world.reader(tab).slow = true);
    world.late_storage = None;
    world.pass(8_000);
    for tab in 0..2 {
        world.reader(tab).slow = false;
        if world.reader(tab).open.is_some() {
            world.take_step(tab, CONSUMER);
        }
    }
    world.pass(20_000);
    assert_eq!(shares(&mut world, &[0, 1, 2]).iter().sum::<usize>(), 4);
    for tab in 0..3 {
        assert!(!world.kinds(tab).contains(&RebalanceKind::Lost), "tab {tab}");
    }
}

#[test]
fn who_asked_twice_while_the_storage_hung_is_answered_what_it_asked_last() {
    let mut world = Tabs::default();
    let options = || ConsumerOptions { rebalance_timeout_ms: 10_000, ..ConsumerOptions::new("g") };
    for tab in 0..3 {
        world.tab();
        if tab == 0 {
            world.create_topic(0, "t", 6);
        }
        world.join_as(tab, CONSUMER, "t", options());
    }
    world.late_storage = Some(0);
    world.tab();
    world.join_as(3, CONSUMER, "t", options());
    world.pass(9_000);
    // Their timers would have them ask once more, in a minute.
    (1..4).for_each(|tab| world.tabs[tab].throttled = true);
    world.late_storage = None;
    world.run();
    assert_eq!(shares(&mut world, &[0, 1, 2, 3]).iter().sum::<usize>(), 6);
    world.pass(120_000);
    for tab in 0..4 {
        assert!(!world.kinds(tab).contains(&RebalanceKind::Lost), "tab {tab}");
    }
}

#[test]
fn a_hidden_coordinator_that_was_stopped_hears_what_waited_before_it_fences() {
    let mut world = group(3, 3);
    (0..3).for_each(|tab| world.handle(tab, Input::Page(PageEvent::Hidden)));
    let epoch = world.group().state.epoch;
    world.tabs[1].frozen = true;
    world.tabs[2].frozen = true;
    world.pass(30_500);
    // It has asked the silent ones, and stops before it hears them.
    world.tabs[0].frozen = true;
    world.thaw(1);
    world.thaw(2);
    world.pass(7_000);
    world.thaw(0);
    world.pass(1_000);
    assert_eq!(world.group().state.epoch, epoch);
    assert_eq!(shares(&mut world, &[0, 1, 2]), [1, 1, 1]);
}

#[test]
fn who_knows_a_coordinator_of_before_a_wipe_takes_the_next_one_of_the_same_epoch() {
    let mut world = Tabs::default();
    world.no_locks = true;
    let mut world = joined(world, 2, 2);
    world.crash(0);
    world.table.rows.clear();
    world.silent = true;
    world.tab();
    world.create_topic(2, "t", 2);
    let join = world.join(2, "t");
    world.pass(5_000);
    assert!(world.answer(2, join).is_ok());
    assert_eq!(world.group().coordinator_epoch, 1, "epochs begin again");
    world.silent = false;
    world.handle(1, Input::Reopened);
    world.pass(20_000);
    assert_eq!(shares(&mut world, &[1, 2]), [1, 1]);
    assert_eq!(world.group().coordinator_epoch, 1);
}

#[test]
fn a_coordinator_that_comes_back_after_a_wipe_cannot_be_overwritten_by_what_it_wrote_before() {
    let mut world = group(1, 2);
    let before = world.group();
    world.handle(0, Input::Page(PageEvent::Suspended));
    world.table.rows.clear();
    world.create_topic(0, "t", 2);
    world.handle(0, Input::Page(PageEvent::Resumed));
    world.pass(1_000);
    let (node, coordinator_epoch, state) = (before.node, before.coordinator_epoch, before.state.into());
    assert_eq!(world.group().node, node, "it coordinates the group again");
    // A transaction of before runs once more on the new connection.
    let late = world.table.run(&WriteGroup { group: "g".into(), node, coordinator_epoch, state });
    assert_eq!(late.unwrap_err().code(), Code::NotCoordinator);
}

#[test]
fn two_coordinators_without_locks_find_each_other_though_neither_has_anything_to_write() {
    let mut world = Tabs::default();
    world.no_locks = true;
    world.tab();
    world.create_topic(0, "t", 2);
    world.join(0, "t");
    world.pass(5_000);
    // Nothing is heard of the first: it is deposed, then its member fenced, and it knows of neither.
    world.silent = true;
    world.tab();
    world.join(1, "t");
    world.pass(120_000);
    world.silent = false;
    world.pass(30_000);
    assert_eq!(shares(&mut world, &[0, 1]), [1, 1]);
}

#[test]
fn a_coordinator_whose_own_storage_hangs_is_deposed_though_it_answers() {
    let mut world = group(3, 6);
    world.stores_nothing = Some(0);
    world.crash(2);
    world.pass(14_000);
    assert_eq!(world.group().coordinator_epoch, 2);
    assert_ne!(world.coordinator(), 0);
    assert_eq!(world.group().state.members.len(), 2, "the dead one is out");
    assert_eq!(world.owned(1).len(), 3);
    // Whatever it has begun is refused when its storage is back.
    world.stores_nothing = None;
    world.pass(30_000);
    assert_eq!(world.group().coordinator_epoch, 2);
}

#[test]
fn a_coordinator_that_cannot_look_a_topic_up_is_deposed_though_it_answers() {
    let mut world = group(2, 2);
    world.stores_nothing = Some(0);
    let tab = world.tab();
    world.create_topic(tab, "u", 2);
    world.join(tab, "u");
    world.pass(14_000);
    assert_ne!(world.coordinator(), 0);
    assert_eq!(world.owned(tab).len(), 2);
}

#[test]
fn a_tab_whose_claim_hangs_is_followed_by_another() {
    let mut world = group(3, 6);
    world.stores_nothing = Some(1);
    world.crash(0);
    world.pass(30_000);
    assert_eq!(world.coordinator(), 2);
    assert_eq!(world.group().state.members.len(), 2);
}

#[test]
fn a_storage_that_hangs_for_all_deposes_nobody() {
    let mut world = group(4, 4);
    world.blocked = true;
    world.crash(3);
    world.pass(50_000);
    world.blocked = false;
    world.run();
    world.pass(20_000);
    assert_eq!((world.coordinator(), world.group().coordinator_epoch), (0, 1));
    assert_eq!(shares(&mut world, &[0, 1, 2]).iter().sum::<usize>(), 4);
    for tab in 0..3 {
        assert!(!world.kinds(tab).contains(&RebalanceKind::Lost), "tab {tab}");
    }
}
