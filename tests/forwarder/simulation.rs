//! Hundreds of worlds. `HEADWATER_SEEDS` makes them more.

use headwater::base::Random;

use super::faults::{Fault, Faults};
use super::world::{Mutant, World};

/// Nothing here takes from a broker what it has, or from a sender what it needs.
const BENIGN: &[Fault] = &[
    Fault::Drop,
    Fault::Offline,
    Fault::Repeat,
    Fault::Delay,
    Fault::Busy,
    Fault::Notice,
    Fault::Storage,
    Fault::Skew,
    Fault::Poison,
    Fault::Crash,
    Fault::Zombie,
    Fault::Freeze,
    Fault::Power,
    Fault::Hidden,
    Fault::Grow,
    Fault::Restart,
];
const HARMFUL: &[Fault] = &[Fault::Sleep, Fault::Night, Fault::Unclean, Fault::Recreate, Fault::Quota];
/// A copy that sends what the other one delivered before the broker forgot it, and one that begins an epoch by
/// itself, can double: these bounds are known, so none of it happens here.
const COPIES: &[Fault] = &[
    Fault::Drop,
    Fault::Offline,
    Fault::Repeat,
    Fault::Busy,
    Fault::Crash,
    Fault::Restart,
    Fault::Power,
    Fault::Copy,
    Fault::Restore,
];

fn seeds() -> u64 {
    std::env::var("HEADWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300)
}

fn world(seed: u64, kinds: &[Fault], mutant: Option<Mutant>) -> World {
    let faults = Faults::some(kinds, &mut Random::new(!seed));
    let mut world = World::new(seed, faults, mutant);
    world.run(30_000);
    world
}

/// Runs one world a seed, and answers how many records were delivered, kept apart, and marked uncertain.
fn sound(kinds: &[Fault]) -> [usize; 3] {
    let mut counts = [0; 3];
    for seed in 0..seeds() {
        let world = world(seed, kinds, None);
        assert!(world.violations.is_empty(), "seed {seed}, {:?}: {:#?}", world.faults, world.violations);
        let seen = [world.broker.ever.len(), world.broker.dead.len(), world.broker.uncertain];
        for (count, more) in counts.iter_mut().zip(seen) {
            *count += more;
        }
    }
    counts
}

#[test]
fn whatever_happens_everything_arrives_once_and_in_order() {
    let [delivered, dead, uncertain] = sound(&[BENIGN, HARMFUL].concat());
    assert!(
        delivered as u64 > 30 * seeds() && dead > 100 && uncertain > 100,
        "there was something to get wrong"
    );
}

#[test]
fn where_a_broker_loses_and_forgets_nothing_no_record_is_uncertain() {
    let [delivered, _, uncertain] = sound(BENIGN);
    assert!(delivered as u64 > 30 * seeds());
    assert_eq!(uncertain, 0);
}

#[test]
fn copies_and_backups_swallow_nothing_and_double_nothing_unsaid() {
    let [delivered, _, uncertain] = sound(COPIES);
    assert!(delivered as u64 > 30 * seeds() && uncertain > 100);
}

#[test]
fn the_same_seed_is_the_same_world() {
    let all = [BENIGN, HARMFUL, COPIES].concat();
    for seed in 0..20 {
        assert_eq!(world(seed, &all, None).hash, world(seed, &all, None).hash);
    }
    assert_ne!(world(0, &all, None).hash, world(1, &all, None).hash);
}

/// True if one of many worlds shows that the rule is broken.
fn noticed(mutant: Mutant, kinds: &[Fault], how: &str) -> bool {
    (0..1_000).any(|seed| {
        let mut world = World::new(seed, Faults(kinds.to_vec()), Some(mutant));
        world.run(30_000);
        world.violations.iter().any(|violation| violation.starts_with(how))
    })
}

#[test]
fn a_broken_rule_is_noticed() {
    let power = [Fault::Drop, Fault::Power];
    assert!(noticed(Mutant::RelaxedMarker, &power, "reused"), "what was sent can be forgotten");
    let overtaken = [Fault::Drop, Fault::Delay, Fault::Zombie, Fault::Sleep];
    assert!(noticed(Mutant::NoComparison, &overtaken, "doubled"), "a former owner can write");
    assert!(noticed(Mutant::NoComparison, &overtaken, "back"));
    let copies = [Fault::Drop, Fault::Copy];
    assert!(noticed(Mutant::UnreadDuplicate, &copies, "lost"), "a copy swallows");
    assert!(noticed(Mutant::OneBatchUncertain, &copies, "doubled"), "a copy doubles");
    let nights = [Fault::Drop, Fault::Night];
    assert!(noticed(Mutant::YoungMarker, &nights, "doubled"), "a broker forgets before the sender doubts");
}

#[test]
fn a_batch_that_is_cut_anew_is_noticed() {
    let uncertain = |mutant| -> usize {
        (0..100).map(|seed| world(seed, &[Fault::Drop, Fault::Crash], mutant).broker.uncertain).sum()
    };
    assert_eq!(uncertain(None), 0);
    assert!(uncertain(Some(Mutant::Recut)) > 0);
}
