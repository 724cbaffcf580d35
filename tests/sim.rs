//! The simulation: thousands of worlds of one origin, in which everything goes wrong that can.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "sim/mod.rs"]
mod sim;

use sim::plan::Wish;
use sim::runner::{run, run_all};

/// `HEADWATER_SEEDS` makes them more.
fn seeds() -> u64 {
    std::env::var("HEADWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2_000)
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
