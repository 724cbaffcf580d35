//! The log's operations and the producer's machine, over rows in memory, with the faults of real storage.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "log/bench.rs"]
mod bench;
#[path = "log/compaction.rs"]
mod compaction;
#[path = "log/configs.rs"]
mod configs;
#[path = "log/damage.rs"]
mod damage;
#[path = "log/formats.rs"]
mod formats;
#[path = "log/partition.rs"]
mod partition;
#[path = "log/retention.rs"]
mod retention;
mod support;
#[path = "log/transactions.rs"]
mod transactions;
#[path = "log/writers.rs"]
mod writers;
