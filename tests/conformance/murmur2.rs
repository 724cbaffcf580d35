//! From a key to its partition.

use std::collections::BTreeMap;

use headwater::base::{murmur2, partition_for_key};
use serde::Deserialize;

use crate::files::{bytes, read, run};

const KEYS: usize = 45;

#[derive(Deserialize)]
struct File {
    partition_counts: Vec<i32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    key_hex: String,
    hash_signed: i32,
    hash_unsigned: u32,
    to_positive: u32,
    partition: BTreeMap<i32, i32>,
}

#[test]
fn conformance_murmur2() {
    let file: File = read("murmur2.json");
    let counts = &file.partition_counts;
    run("murmur2.json", &file.cases, KEYS, |case| case.key_hex.clone(), |case| hashes(case, counts));
}

fn hashes(case: &Case, counts: &[i32]) {
    let key = bytes(&case.key_hex);
    let hash = murmur2(&key);
    assert_eq!(
        (hash, hash as i32, hash & 0x7fff_ffff),
        (case.hash_unsigned, case.hash_signed, case.to_positive)
    );
    assert!(case.partition.keys().eq(counts), "every partition count is there, in order");
    for (partitions, partition) in &case.partition {
        assert_eq!(partition_for_key(&key, *partitions), *partition, "of {partitions} partitions");
    }
}
