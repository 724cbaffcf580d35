//! headwater: Kafka's log in the browser and at the edge.
//!
//! The crate is built in floors; a file imports its own floor and those below, never above, and
//! `tests/tidy.rs` enforces it. Everything below [`platform`] is pure: time, randomness, storage
//! results and messages are inputs.

pub mod base;
pub mod client;
#[cfg(feature = "collector")]
pub mod collect;
pub mod group;
pub mod log;
pub mod node;
pub mod platform;
// The numbers of JavaScript are floats.
#[cfg(target_arch = "wasm32")]
#[allow(clippy::disallowed_types)]
mod wasm;
