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

/// Runs worlds with a broken rule until one of them fails as it should; the same world with the rule in place is
/// sound.
fn noticed(mutant: Mutant, scenario: Scenario, only: &[Fault], how: &str) {
    let whole = Wish { scenario: Some(scenario), only: Some(only.to_vec()), ..Wish::default() };
    let broken = Wish { mutant: Some(mutant), ..whole.clone() };
    let fails = |seed: &u64| run(*seed, &broken).violations.iter().any(|what| what.starts_with(how));
    let seed = (0..1_000).find(fails);
    let seed = seed.unwrap_or_else(|| panic!("nobody noticed {}", mutant.word()));
    assert_eq!(run(seed, &whole).violations, [""; 0], "seed {seed} without {}", mutant.word());
}

#[test]
fn a_marker_that_is_not_flushed_is_noticed() {
    noticed(Mutant::RelaxedMarker, Scenario::Benign, &[Fault::Drop, Fault::Power], "reused");
}

#[test]
fn an_acknowledgement_that_is_not_flushed_is_noticed() {
    noticed(Mutant::RelaxedAppend, Scenario::Benign, &[Fault::Power], "lost");
}

#[test]
fn a_delivery_row_that_is_not_compared_is_noticed() {
    let overtaken = [Fault::Drop, Fault::Stop, Fault::Delay, Fault::Hide];
    noticed(Mutant::NoComparison, Scenario::Groups, &overtaken, "back");
}

#[test]
fn a_former_owner_that_may_cut_its_batch_anew_is_noticed() {
    noticed(Mutant::NoFence, Scenario::Groups, &[Fault::Drop, Fault::Stop, Fault::Hide], "uncertain");
}

#[test]
fn a_batch_that_is_cut_anew_is_noticed() {
    noticed(Mutant::Recut, Scenario::Benign, &[Fault::Drop, Fault::Crash], "uncertain");
}

#[test]
fn doubt_of_one_batch_only_is_noticed() {
    noticed(Mutant::OneBatchUncertain, Scenario::Copies, &[Fault::Drop, Fault::Copy], "doubled");
}

#[test]
fn a_duplicate_that_is_settled_unread_is_noticed() {
    noticed(Mutant::UnreadDuplicate, Scenario::Copies, &[Fault::Drop, Fault::Copy], "lost");
}

#[test]
fn a_marker_that_looks_younger_than_it_is_is_noticed() {
    noticed(Mutant::YoungMarker, Scenario::Delivery, &[Fault::Drop, Fault::Night], "doubled");
}

#[test]
fn a_beacon_past_the_marker_is_noticed() {
    noticed(Mutant::BeaconPast, Scenario::Benign, &[Fault::Drop, Fault::Hide], "uncertain");
}

#[test]
fn a_second_append_under_way_is_noticed() {
    noticed(Mutant::SecondAppend, Scenario::Tabs, &[Fault::Open], "untrue");
}

#[test]
fn an_append_over_a_gap_is_noticed() {
    noticed(Mutant::NoGeneration, Scenario::Tabs, &[Fault::Admin], "overlap");
}

#[test]
fn a_retry_that_does_not_look_for_the_first_attempt_is_noticed() {
    noticed(Mutant::NoSearch, Scenario::Tabs, &[Fault::Unknown], "twice");
}

#[test]
fn a_deposed_coordinator_that_may_write_is_noticed() {
    noticed(Mutant::NoCoordinatorEpoch, Scenario::Groups, &[Fault::Stop], "back");
}

#[test]
fn a_fenced_producer_that_commits_is_noticed() {
    noticed(Mutant::NoTransactionFence, Scenario::Tabs, &[Fault::Open, Fault::Transact], "zombie");
}

#[test]
fn a_commit_of_what_another_owns_is_noticed() {
    noticed(Mutant::NoOwnership, Scenario::Groups, &[Fault::Stop], "back");
}

#[test]
fn a_stalled_node_that_judges_others_is_noticed() {
    let stalls = [Fault::Stall, Fault::Open, Fault::Hide];
    noticed(Mutant::NoStallRule, Scenario::Groups, &stalls, "fenced");
}
