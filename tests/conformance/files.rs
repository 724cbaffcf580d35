//! Reading the files, and running every case in them.

use std::path::PathBuf;
use std::{env, fs, panic};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};

/// Names a folder that is used instead of the one in this repository.
const FOLDER: &str = "HEADWATER_CONFORMANCE";

/// The file of this name.
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let own = || [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", "conformance"].iter().collect();
    let path: PathBuf = env::var_os(FOLDER).map_or_else(own, PathBuf::from).join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs `test` on each case, and names all that fail. There are `expected` of them in this repository's own folder,
/// and some in any other.
pub fn run<T>(what: &str, cases: &[T], expected: usize, name: impl Fn(&T) -> String, test: impl Fn(&T)) {
    let mut ran = 0;
    let mut failed = Vec::new();
    for case in cases {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| test(case)));
        ran += 1;
        if outcome.is_err() {
            failed.push(name(case));
        }
    }
    println!("{what}: {ran} cases");
    assert!(failed.is_empty(), "{what}: {} of {ran} cases failed: {}", failed.len(), failed.join(", "));
    match env::var_os(FOLDER) {
        None => assert_eq!(ran, expected, "{what}: every recorded case is run"),
        Some(_) => assert!(ran > 0, "{what}: there is no case in the folder"),
    }
}

/// An integer: a number, or a decimal string beyond 2^53-1.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Integer {
        Number(i64),
        Text(String),
    }
    match Integer::deserialize(deserializer)? {
        Integer::Number(number) => Ok(number),
        Integer::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

/// An integer, or null.
pub fn nullable_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct Present(#[serde(deserialize_with = "integer")] i64);
    Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(number)| number))
}

/// Bytes from their hex digits.
pub fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "hex has two digits a byte");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The hex digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
