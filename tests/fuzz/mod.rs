//! Bytes from outside, changed at random: no decoder may panic, run on without end, or take what it would not write.
//!
//! A target answers how far an input got: its *feature*. What got where nothing was before is changed further, so
//! that the inputs find their way into a format without being told of it. The corpus of `tests/fixtures/corpus` is
//! what was found so far, one input of each feature.

pub mod rows;
pub mod targets;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use headwater::base::Random;

pub use targets::TARGETS;

/// Says how far the input got; it panics where a promise is broken.
pub type Run = fn(&[u8]) -> u64;

/// One decoder, or what belongs together of it.
pub struct Target {
    pub name: &'static str,
    pub run: Run,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// What a run has found.
pub struct Found {
    pub runs: u64,
    /// The shortest input of each feature.
    pub features: BTreeMap<u64, Vec<u8>>,
    /// Inputs that broke a promise.
    pub broken: Vec<Vec<u8>>,
}

/// Longer inputs say nothing new.
const BYTES_MAX: usize = 4_096;
const INTERESTING: [i64; 12] =
    [0, 1, -1, 2, 61, 127, 128, 255, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];

/// Runs a target on its seeds and the corpus, then on changed inputs for as long as `go_on` says.
pub fn fuzz(target: &Target, seed: u64, corpus: &[Vec<u8>], mut go_on: impl FnMut(u64) -> bool) -> Found {
    let mut random = Random::new(seed);
    let mut found = Found { runs: 0, features: BTreeMap::new(), broken: Vec::new() };
    for input in (target.seeds)().into_iter().chain(corpus.iter().cloned()).chain([Vec::new()]) {
        found.run(target, input);
    }
    let mut pool: Vec<Vec<u8>> = found.features.values().cloned().collect();
    while go_on(found.runs) {
        let at = random.below(pool.len() as u64) as usize;
        let other = random.below(pool.len() as u64) as usize;
        let mut input = pool[at].clone();
        for _ in 0..=random.below(4) {
            change(&mut input, &pool[other], &mut random);
        }
        input.truncate(BYTES_MAX);
        if found.run(target, input.clone()) {
            pool.push(input);
        }
    }
    found
}

impl Found {
    /// Runs one input; true where it got somewhere new.
    fn run(&mut self, target: &Target, input: Vec<u8>) -> bool {
        self.runs += 1;
        let Ok(feature) = catch_unwind(AssertUnwindSafe(|| (target.run)(&input))) else {
            self.broken.push(input);
            return false;
        };
        match self.features.get_mut(&feature) {
            Some(known) => {
                if input.len() < known.len() {
                    *known = input;
                }
                false
            }
            None => {
                self.features.insert(feature, input);
                true
            }
        }
    }
}

fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() as u64 + 1) as usize;
    let length = random.below(16) as usize;
    match random.below(9) {
        0 => flip(input, at, 1 << random.below(8)),
        1 => flip(input, at, random.next_u64() as u8),
        2 => input.truncate(at),
        3 => {
            input.drain(at..(at + length).min(input.len()));
        }
        4 => {
            let fresh = (0..length).map(|_| random.next_u64() as u8).collect::<Vec<u8>>();
            input.splice(at..at, fresh);
        }
        5 => {
            let copy = input[at..(at + length).min(input.len())].to_vec();
            input.splice(at..at, copy);
        }
        6 => {
            let from = random.below(other.len() as u64 + 1) as usize;
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => overwrite(input, at, random),
    }
}

fn flip(input: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= bits;
    }
}

/// Writes a number that formats tend to fail at, in one of their widths and orders.
fn overwrite(input: &mut [u8], at: usize, random: &mut Random) {
    let number = INTERESTING[random.below(INTERESTING.len() as u64) as usize];
    let width = [1, 2, 4, 8][random.below(4) as usize];
    let mut bytes = number.to_be_bytes()[8 - width..].to_vec();
    if random.chance(1, 4) {
        bytes.reverse();
    }
    for (place, byte) in input.iter_mut().skip(at).zip(bytes) {
        *place = byte;
    }
}

/// Mixes numbers into one; the same numbers give the same one.
pub fn feature(parts: &[u64]) -> u64 {
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |mixed, part| Random::new(mixed ^ part).next_u64())
}

/// About how much: counts that differ little are the same feature.
pub fn about(count: usize) -> u64 {
    u64::from(usize::BITS - count.leading_zeros())
}

/// An error's place in features: its words without its numbers.
pub fn reason(error: &headwater::base::Error) -> u64 {
    let words = error.message().bytes().filter(|byte| byte.is_ascii_alphabetic());
    let mixed = words.fold(7_u64, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    feature(&[error.code().number() as u64, mixed])
}
