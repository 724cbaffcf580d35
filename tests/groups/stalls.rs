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
