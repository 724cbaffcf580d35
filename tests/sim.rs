//! The simulation: thousands of worlds of one origin, in which everything goes wrong that can.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sim/mod.rs"]
mod sim;

use sim::mutant::Mutant;
use sim::plan::{Fault, Scenario, Wish};
use sim::runner::{run, run_all};

/// `HEADWATER_SEEDS` makes them more.
fn seeds() -> u64 {
    std::env::var("HEADWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(3_000)
}

#[test]
fn whatever_happens_to_an_origin_its_promises_hold() {
    let summary = run_all(0, seeds(), &Wish::default(), &|| true);
    println!("{}", summary.line());
    assert!(summary.failed.is_empty(), "{}", summary.failures());
    let counts = summary.counts;
    assert!(
        counts.acknowledged > 10 * seeds() && counts.delivered > 5 * seeds(),
        "there was something to get wrong"
    );
}

#[test]
fn the_same_seed_is_the_same_world() {
    let hash = |seed| run(seed, &Wish::default()).hash;
    for seed in 0..40 {
        assert_eq!(hash(seed), hash(seed), "seed {seed}");
    }
    assert_ne!(hash(0), hash(1));
}

/// Where a broken rule shows, by which faults, and as what. Each is noticed by one seed in twenty or more: a new fault
/// changes which seeds those are.
fn shows(mutant: Mutant) -> (Scenario, &'static [Fault], &'static str) {
    use Fault::{
        Admin, Consume, Copy, Crash, Drop, Hide, Night, Open, Oust, Power, Stall, Stop, Transact, Unknown,
    };
    match mutant {
        Mutant::RelaxedMarker => (Scenario::Benign, &[Drop, Power], "reused"),
        Mutant::RelaxedAppend => (Scenario::Benign, &[Power], "lost"),
        Mutant::NoComparison => (Scenario::Groups, &[Drop, Oust], "back"),
        Mutant::NoFence => (Scenario::Groups, &[Drop, Oust], "uncertain"),
        Mutant::Recut => (Scenario::Benign, &[Drop, Crash], "uncertain"),
        Mutant::OneBatchUncertain => (Scenario::Copies, &[Drop, Copy], "doubled"),
        Mutant::UnreadDuplicate => (Scenario::Copies, &[Drop, Copy], "lost"),
        Mutant::YoungMarker => (Scenario::Delivery, &[Drop, Night, Crash], "doubled"),
        Mutant::BeaconPast => (Scenario::Benign, &[Drop, Hide], "uncertain"),
        Mutant::SecondAppend => (Scenario::Tabs, &[Open], "untrue"),
        Mutant::NoGeneration => (Scenario::Tabs, &[Admin], "overlap"),
        Mutant::NoSearch => (Scenario::Tabs, &[Unknown], "twice"),
        Mutant::NoCoordinatorEpoch => (Scenario::Groups, &[Stop, Open], "back"),
        Mutant::NoTransactionFence => (Scenario::Tabs, &[Open, Transact], "zombie"),
        Mutant::NoOwnership => (Scenario::Groups, &[Stop, Open], "back"),
        Mutant::NoTransactionOwnership => (Scenario::Groups, &[Stop, Open, Consume], "moved"),
        Mutant::NoStallRule => (Scenario::Groups, &[Stall, Hide], "fenced"),
    }
}

/// The seeds, of so many, that notice the broken rule.
fn noticing(mutant: Mutant, seeds: u64) -> impl Iterator<Item = u64> {
    let (scenario, only, how) = shows(mutant);
    let broken =
        Wish { scenario: Some(scenario), only: Some(only.to_vec()), mutant: Some(mutant), ..Wish::default() };
    (0..seeds).filter(move |seed| run(*seed, &broken).violations.iter().any(|what| what.starts_with(how)))
}

/// Runs worlds with a broken rule until one of them fails as it should; the same world with the rule in place is
/// sound.
fn noticed(mutant: Mutant) {
    let seed = noticing(mutant, 200).next();
    let seed = seed.unwrap_or_else(|| panic!("nobody noticed {}", mutant.word()));
    let (scenario, only, _) = shows(mutant);
    let whole = Wish { scenario: Some(scenario), only: Some(only.to_vec()), ..Wish::default() };
    assert_eq!(run(seed, &whole).violations, [""; 0], "seed {seed} without {}", mutant.word());
}

#[test]
#[ignore = "takes minutes; `cargo test --release --test sim -- --ignored` after a change of the faults"]
fn each_broken_rule_is_noticed_by_one_seed_in_fifty() {
    for mutant in Mutant::ALL {
        let count = noticing(*mutant, 200).count();
        println!("{}: {count} of 200", mutant.word());
        assert!(count >= 4, "{} is noticed by {count} of 200 seeds", mutant.word());
    }
}

#[test]
fn a_marker_that_is_not_flushed_is_noticed() {
    noticed(Mutant::RelaxedMarker);
}

#[test]
fn an_acknowledgement_that_is_not_flushed_is_noticed() {
    noticed(Mutant::RelaxedAppend);
}

#[test]
fn a_delivery_row_that_is_not_compared_is_noticed() {
    noticed(Mutant::NoComparison);
}

#[test]
fn a_former_owner_that_may_cut_its_batch_anew_is_noticed() {
    noticed(Mutant::NoFence);
}

#[test]
fn a_batch_that_is_cut_anew_is_noticed() {
    noticed(Mutant::Recut);
}

#[test]
fn doubt_of_one_batch_only_is_noticed() {
    noticed(Mutant::OneBatchUncertain);
}

#[test]
fn a_duplicate_that_is_settled_unread_is_noticed() {
    noticed(Mutant::UnreadDuplicate);
}

#[test]
fn a_marker_that_looks_younger_than_it_is_is_noticed() {
    noticed(Mutant::YoungMarker);
}

#[test]
fn a_beacon_past_the_marker_is_noticed() {
    noticed(Mutant::BeaconPast);
}

#[test]
fn a_second_append_under_way_is_noticed() {
    noticed(Mutant::SecondAppend);
}

#[test]
fn an_append_over_a_gap_is_noticed() {
    noticed(Mutant::NoGeneration);
}

#[test]
fn a_retry_that_does_not_look_for_the_first_attempt_is_noticed() {
    noticed(Mutant::NoSearch);
}

#[test]
fn a_deposed_coordinator_that_may_write_is_noticed() {
    noticed(Mutant::NoCoordinatorEpoch);
}

#[test]
fn a_fenced_producer_that_commits_is_noticed() {
    noticed(Mutant::NoTransactionFence);
}

#[test]
fn a_commit_of_what_another_owns_is_noticed() {
    noticed(Mutant::NoOwnership);
}

#[test]
fn a_transaction_over_what_another_owns_is_noticed() {
    noticed(Mutant::NoTransactionOwnership);
}

#[test]
fn a_stalled_node_that_judges_others_is_noticed() {
    noticed(Mutant::NoStallRule);
}
