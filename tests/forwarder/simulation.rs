//! Hundreds of worlds.

use headwater::base::Random;

use super::faults::{Fault, Faults};
use super::world::{Mutant, World};

/// Every kind but copies, of which one bound is known.
const WITHOUT_COPIES: &[Fault] = &[
    Fault::Drop,
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

#[test]
fn mutants() {
    use Mutant::*;
    for mutant in [RelaxedMarker, NoComparison, Recut, OneBatchUncertain, UnreadDuplicate, YoungMarker] {
        let mut bad = std::collections::BTreeMap::new();
        for seed in 0..400 {
            let world = world(seed, WITHOUT_COPIES, Some(mutant));
            for v in world.violations {
                *bad.entry(v.split(':').next().unwrap().to_string()).or_insert(0) += 1;
            }
        }
        println!("{mutant:?} {bad:?}");
    }
}
