//! Hundreds of worlds.

use headwater::base::Random;

use super::faults::{Fault, Faults};
use super::world::{Mutant, World};

/// Every kind but copies, of which one bound is known.
const WITHOUT_COPIES: &[Fault] = &[
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
    Fault::Sleep,
    Fault::Night,
    Fault::Grow,
    Fault::Restart,
    Fault::Unclean,
    Fault::Recreate,
    Fault::Quota,
];

fn world(seed: u64, kinds: &[Fault], mutant: Option<Mutant>) -> World {
    let faults = Faults::some(kinds, &mut Random::new(!seed));
    let mut world = World::new(seed, faults, mutant);
    world.run(30_000);
    world
}

#[test]
fn whatever_happens_everything_arrives_once_and_in_order() {
    let (mut all, mut unc, mut dead, mut ow) = (0, 0, 0, 0);
    let seeds = std::env::var("SEEDS").ok().map_or(400, |s| s.parse().unwrap());
    let mut bad = 0;
    for seed in 0..seeds {
        let world = world(seed, WITHOUT_COPIES, None);
        all += world.broker.ever.len();
        unc += world.broker.uncertain;
        dead += world.broker.dead.len();
        ow += world.owners.len();
        if !world.violations.is_empty() {
            bad += 1;
            println!("seed {seed}, {:?}: {:?}", world.faults, world.violations.first());
        }
    }
    println!("{all} ever, {unc} uncertain, {dead} dead, {ow} owners");
    assert!(bad == 0);
}


fn stats(name: &str, kinds: &[Fault], mutant: Option<Mutant>) {
    let seeds = std::env::var("SEEDS").ok().map_or(400, |s| s.parse().unwrap());
    let (mut all, mut unc, mut dead, mut ow, mut bad, mut first) = (0, 0, 0, 0, std::collections::BTreeMap::new(), None);
    for seed in 0..seeds {
        let world = world(seed, kinds, mutant);
        all += world.broker.ever.len();
        unc += world.broker.uncertain;
        dead += world.broker.dead.len();
        ow += world.owners.len();
        if !world.violations.is_empty() && first.is_none() {
            first = Some(format!("seed {seed}, {:?}: {:?}", world.faults, world.violations.first()));
        }
        for v in world.violations {
            *bad.entry(v.split(':').next().unwrap().to_string()).or_insert(0) += 1;
        }
    }
    println!("{name} {mutant:?} {bad:?} {all} ever, {unc} uncertain, {dead} dead, {ow} owners {first:?}");
}
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

#[test]
fn mutants() {
    use Mutant::*;
    stats("benign", BENIGN, None);
    stats("benign", BENIGN, Some(Recut));
    stats("copies", COPIES, None);
    stats("copies", COPIES, Some(OneBatchUncertain));
    stats("copies", COPIES, Some(UnreadDuplicate));
    for (m, h) in [(Some(YoungMarker), 30_000), (None, 30_000)] {
        let (mut bad, mut unc, mut ever) = (0, 0, 0);
        for seed in 0..400 {
            let mut world = World::new(seed, Faults(vec![Fault::Night, Fault::Drop]), m);
            world.run(h);
            bad += world.violations.len();
            unc += world.broker.uncertain;
            ever += world.broker.ever.len();
        }
        println!("sleep {m:?} {h} {bad} {unc} {ever}");
    }
    stats("all", WITHOUT_COPIES, Some(RelaxedMarker));
    stats("all", WITHOUT_COPIES, Some(NoComparison));
}
