//! What holds whatever happens.

use headwater::base::Code;
use headwater::group::MemberEvent;
use proptest::prelude::*;

use crate::world::{Faults, World};

const FAULTS: Faults = Faults { lost: 15, doubled: 15, delay_ms: 400, coordinator_dies: 10 };

/// Members come and go at random for a while; then all faults end, and the group must come to rest.
fn lives(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, &[("t", 7), ("u", 3)], faults);
    let mut left = Vec::new();
    for _ in 0..30 {
        match world.random.below(8) {
            0 | 1 => _ = world.enter(&["t", "u"], None),
            2 => _ = world.enter(&["t"], None),
            3 => {
                if let Some(index) = somebody(&mut world) {
                    world.tell(index, MemberEvent::Leave);
                    left.push(index);
                }
            }
            4 => happens(&mut world, MemberEvent::Subscribe(vec!["u".to_owned(), "t".to_owned()])),
            5 => {
                let seen = world.random.chance(1, 2);
                if let Some(index) = somebody(&mut world) {
                    world.kill(index, seen);
                }
            }
            6 => {
                happens(&mut world, MemberEvent::Suspend);
                (0..world.actors.len()).for_each(|index| world.tell(index, MemberEvent::Resume));
            }
            _ => {}
        }
        let ms = world.random.below(3_000);
        world.run(ms);
    }
    left.into_iter().for_each(|index| world.actors[index].alive = false);
    if !world.actors.iter().any(|actor| actor.alive) {
        world.enter(&["t", "u"], None);
    }
    world.faults = Faults::default();
    let everything = world.actors.iter().position(|actor| actor.alive).unwrap();
    world.tell(everything, MemberEvent::Subscribe(vec!["u".to_owned(), "t".to_owned()]));
    world.run(30_000);
    world
}

fn somebody(world: &mut World) -> Option<usize> {
    let alive: Vec<usize> = (0..world.actors.len()).filter(|index| world.actors[*index].alive).collect();
    let chosen = world.random.below(alive.len() as u64) as usize;
    alive.get(chosen).copied()
}

fn happens(world: &mut World, event: MemberEvent) {
    if let Some(index) = somebody(world) {
        world.tell(index, event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn no_partition_has_two_owners_and_every_group_comes_to_rest(seed: u64) {
        lives(seed, FAULTS).check_settled(10);
    }

    #[test]
    fn attempt_to_heartbeat_failed_since_the_group_is_rebalancing_cannot_happen(seed: u64) {
        // Nothing is lost, and nobody is late: then no heartbeat fails, although the group rebalances all the time.
        let mut world = World::new(seed, &[("t", 7), ("u", 3)], Faults { delay_ms: 50, ..Faults::default() });
        for _ in 0..10 {
            world.enter(&["t", "u"], None);
            let ms = world.random.below(1_500);
            world.run(ms);
        }
        world.run(100);
        prop_assert!(world.rig.coordinator.state().epoch >= 10, "it has rebalanced");
        let refused = world.refusals.iter().find(|error| error.code() == Code::RebalanceInProgress);
        prop_assert!(refused.is_none() && world.refusals.is_empty(), "{:?}", world.refusals);
        world.run(10_000);
        world.check_settled(10);
    }
}

#[test]
fn a_member_that_keeps_its_partitions_is_not_stopped_by_a_rebalance() {
    let mut world = World::new(1, &[("t", 4)], Faults::default());
    let first = world.enter(&["t"], None);
    world.run(3_000);
    let second = world.enter(&["t"], None);
    for _ in 0..200 {
        world.step();
        let kept = world.actors[first].works.len();
        assert!(kept >= 2, "what it keeps it keeps throughout");
    }
    assert_eq!(world.actors[second].works.len(), 2);
}

#[test]
fn a_static_member_that_reloads_gets_its_partitions_back_without_a_rebalance() {
    let mut world = World::new(1, &[("t", 4)], Faults::default());
    let old = world.enter(&["t"], Some("i"));
    world.enter(&["t"], Some("j"));
    world.run(5_000);
    let (had, epoch) = (world.actors[old].works.clone(), world.rig.coordinator.state().epoch);
    world.tell(old, MemberEvent::Suspend);
    world.kill(old, false);
    let new = world.enter(&["t"], Some("i"));
    world.run(2_000);
    assert_eq!((&world.actors[new].works, world.rig.coordinator.state().epoch), (&had, epoch));
}

#[test]
fn a_static_member_whose_tab_crashed_comes_back_once_that_is_known() {
    let mut world = World::new(1, &[("t", 4)], Faults::default());
    let old = world.enter(&["t"], Some("i"));
    world.run(3_000);
    world.actors[old].alive = false;
    let new = world.enter(&["t"], Some("i"));
    world.run(500);
    assert!(world.actors[new].works.is_empty(), "its predecessor is still there");
    world.kill(old, true);
    world.run(2_000);
    assert_eq!(world.actors[new].works.len(), 4);
    assert!(world.actors[new].fatal.is_none());
}

#[test]
fn one_of_two_tabs_with_the_same_instance_id_is_told_so() {
    let mut world = World::new(1, &[("t", 4)], Faults::default());
    let first = world.enter(&["t"], Some("i"));
    world.run(3_000);
    let second = world.enter(&["t"], Some("i"));
    world.run(60_000);
    let fatal = world.actors[second].fatal.as_ref().map(headwater::base::Error::code);
    assert_eq!(fatal, Some(Code::UnreleasedInstanceId));
    assert_eq!(world.actors[first].works.len(), 4);
}
