//! How many steps lie between the death of a tab and the next owner of what it had.

use super::*;

#[test]
fn what_a_crashed_tab_had_is_given_away_in_two_writes_and_one_read_of_each_heir() {
    let mut world = group(3, 6);
    let before = world.stored;
    world.crash(2);
    assert_eq!(shares(&mut world, &[0, 1]), [3, 3]);
    // One write for the end of the member, the new target and the coordinator's own member, one for the other.
    assert_eq!(world.stored - before, 4);
    let before = world.stored;
    world.crash(0);
    assert_eq!(shares(&mut world, &[1]), [6]);
    assert_eq!(world.stored - before, 3, "one claim, one write, one read");
}

#[test]
fn whoever_follows_a_coordinator_knows_with_its_claim_that_the_members_of_that_tab_are_dead() {
    let mut world = group(3, 6);
    world.late_storage = Some(1);
    world.crash(0);
    assert_eq!(world.coordinator(), 1);
    // The claim is under way, and the lock of the dead member was granted: with the claim it is known.
    world.loses = Some(|message| {
        assert!(!matches!(message, GroupMessage::Signal(..)), "nobody has to be asked twice");
        false
    });
    world.late_storage = None;
    world.run();
    assert_eq!(shares(&mut world, &[1, 2]), [3, 3]);
}

#[test]
fn a_coordinator_that_had_nothing_to_store_at_first_tells_of_its_first_change() {
    let mut world = group(2, 4);
    world.steal("coordinator/");
    assert_eq!(world.group().coordinator_epoch, 2);
    let tab = world.tab();
    world.join(tab, "t");
    assert!(!world.owned(tab).is_empty(), "nobody waits for the next pulse");
    assert_eq!(shares(&mut world, &[0, 1, 2]).iter().sum::<usize>(), 4);
}

#[test]
fn the_members_are_asked_before_the_end_of_one_is_stored() {
    let mut world = group(3, 6);
    world.late_storage = Some(0);
    let before = world.sent;
    world.crash(2);
    assert!(world.sent > before, "they are asked for heartbeats");
    assert_eq!(shares(&mut world, &[0, 1]), [2, 2], "and are told nothing");
    world.late_storage = None;
    world.run();
    assert_eq!(shares(&mut world, &[0, 1]), [3, 3]);
}
