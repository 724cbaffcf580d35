//! Runs seeds of the simulation:
//!
//! ```text
//! cargo run --release --example sim -- --start 0 --seeds 100000
//! cargo run --release --example sim -- --start 0 --hours 2
//! ```
//!
//! `--scenario WORD`, `--only WORD,WORD` and `--without WORD,WORD` (faults) and `--mutant WORD` narrow it down; `--trace` tells what happens.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "it is a test that runs for long")]

#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/sim/mod.rs"]
mod sim;

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    use sim::mutant::Mutant;
    use sim::plan::{Fault, Scenario, Wish};

    let faults = |value: &str| {
        let words = value.split(',').filter(|word| !word.is_empty());
        words.map(|word| Fault::of_word(word).expect("a fault")).collect::<Vec<_>>()
    };
    let (mut start, mut seeds, mut hours) = (0, None, None);
    let mut wish = Wish::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--trace" {
            wish.trace = true;
            continue;
        }
        let value = arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{argument} {value} is no number"));
        match argument.as_str() {
            "--start" => start = number(),
            "--seeds" => seeds = Some(number()),
            "--hours" => hours = Some(number()),
            "--scenario" => wish.scenario = Some(Scenario::of_word(&value).expect("a scenario")),
            "--mutant" => wish.mutant = Some(Mutant::of_word(&value).expect("a mutant")),
            "--only" => wish.only = Some(faults(&value)),
            "--without" => wish.without = faults(&value),
            _ => panic!("there is no {argument}"),
        }
    }
    #[allow(clippy::disallowed_methods, reason = "how long the runs may take is no part of a world")]
    let begun = std::time::Instant::now();
    #[allow(clippy::disallowed_methods, reason = "how long the runs may take is no part of a world")]
    let go_on = || hours.is_none_or(|hours| begun.elapsed().as_secs() < hours * 3_600);
    let seeds = seeds.unwrap_or(if hours.is_some() { u64::MAX - start } else { 1_000 });
    let summary = sim::runner::run_all(start, seeds, &wish, &go_on);
    print!("{}", summary.failures());
    println!("{}", summary.line());
    if !summary.failed.is_empty() {
        std::process::exit(1);
    }
}
