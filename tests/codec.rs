//! The codec under records that nobody would think of, and under bytes that are none.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/allocations.rs"]
mod allocations;
#[path = "support/codecs.rs"]
mod codecs;
#[path = "codec/hostile.rs"]
mod hostile;
#[path = "codec/producers.rs"]
mod producers;
#[path = "codec/round_trip.rs"]
mod round_trip;
#[path = "codec/sample.rs"]
mod sample;
