//! A short, repeatable run of what `cargo run --release --example fuzz` does for as long as one likes.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/codecs.rs"]
mod codecs;
#[path = "fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/mod.rs"]
mod engine;
mod support;

use engine::{TARGETS, fuzz};

const RUNS: u64 = 3_000;

#[test]
fn no_target_breaks_its_promises_on_its_corpus_nor_on_changes_of_it() {
    for target in TARGETS {
        let corpus = corpus::read(target.name);
        assert!(!corpus.is_empty(), "{} has a corpus", target.name);
        let found = fuzz(target, 1, &corpus, |runs| runs < RUNS);
        println!("{}: {} runs, {} features", target.name, found.runs, found.features.len());
        let broken: Vec<String> = found.broken.iter().map(|input| corpus::hex(input)).collect();
        assert_eq!(broken, Vec::<String>::new(), "{} breaks on these", target.name);
        assert!(found.features.len() >= 8, "{} goes nowhere: {} features", target.name, found.features.len());
    }
}

#[test]
fn a_target_that_panics_is_found() {
    let target = engine::Target {
        name: "broken",
        run: |bytes| {
            assert!(!bytes.contains(&0x2a), "a byte that it does not like");
            u64::from(bytes.first().copied().unwrap_or(0) >> 4)
        },
        seeds: || vec![vec![0; 4]],
    };
    assert!(!fuzz(&target, 1, &[], |runs| runs < 20_000).broken.is_empty());
}
