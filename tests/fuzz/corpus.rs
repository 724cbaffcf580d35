//! Inputs that got somewhere, one a line, in hex.

use std::path::PathBuf;
use std::{env, fs};

fn path(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "corpus", &format!("{target}.txt")].iter().collect()
}

/// The corpus of a target; empty where it has none.
pub fn read(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path(target)).unwrap_or_default();
    let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hex digits");
    text.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

/// Replaces the corpus of a target.
#[allow(dead_code, reason = "the tests only read it")]
pub fn write(target: &str, inputs: &[Vec<u8>]) {
    let lines: String = inputs.iter().map(|input| hex(input) + "\n").collect();
    fs::write(path(target), lines).expect("the corpus can be written");
}

/// The hex digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
