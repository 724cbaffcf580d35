//! The collector: what it answers, and what is in its log afterwards.
#![cfg(all(not(target_arch = "wasm32"), feature = "collector"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collect_suite;
mod storage_suite;
