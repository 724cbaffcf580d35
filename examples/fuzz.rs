//! Bytes from outside, changed at random, for as long as one likes:
//!
//! ```text
//! cargo run --release --features collector --example fuzz -- --minutes 10 [--target batches] [--seed 7] [--save]
//! ```
//!
//! `--save` keeps the shortest inputs that got somewhere as the corpus of `tests/fixtures/corpus`.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "it is a test that runs for long")]

#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/support/codecs.rs"]
mod codecs;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/fuzz/corpus.rs"]
mod corpus;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/fuzz/mod.rs"]
mod engine;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    /// The corpus of a target stays small.
    const CORPUS_MAX: usize = 64;

    let (mut minutes, mut seed, mut only, mut save) = (1, 7, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
        match argument.as_str() {
            "--minutes" => minutes = value().parse().expect("a number of minutes"),
            "--seed" => seed = value().parse().expect("a seed"),
            "--target" => only = Some(value()),
            "--save" => save = true,
            _ => panic!("there is no {argument}"),
        }
    }
    // A promise that is broken is reported with its input; where it broke is of no use a thousand times.
    std::panic::set_hook(Box::new(|_| {}));
    let mut broken = 0;
    for target in engine::TARGETS.iter().filter(|target| only.as_ref().is_none_or(|only| only == target.name))
    {
        #[allow(clippy::disallowed_methods, reason = "how long it may take changes nothing of what is found")]
        let begun = std::time::Instant::now();
        #[allow(clippy::disallowed_methods, reason = "how long it may take changes nothing of what is found")]
        let go_on = |runs: u64| !runs.is_multiple_of(256) || begun.elapsed().as_secs() < minutes * 60;
        let found = engine::fuzz(target, seed, &corpus::read(target.name), go_on);
        println!(
            "{}: seed {seed}, {} runs in {minutes} min, {} features, {} broken",
            target.name,
            found.runs,
            found.features.len(),
            found.broken.len()
        );
        for input in found.broken.iter().take(3) {
            println!("  {}", corpus::hex(input));
        }
        broken += found.broken.len();
        if save {
            let mut inputs: Vec<Vec<u8>> = found.features.into_values().collect();
            inputs.sort_by_key(Vec::len);
            inputs.truncate(CORPUS_MAX);
            corpus::write(target.name, &inputs);
        }
    }
    assert_eq!(broken, 0, "promises were broken");
}
