//! Delivery: scenarios of every answer that a sink may give. Worlds in which everything happens are in tests/sim.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "forwarder/answers.rs"]
mod answers;
#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "sim/broker.rs"]
mod broker;
#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "sim/disk.rs"]
mod disk;
#[path = "forwarder/profile.rs"]
mod profile;
#[path = "forwarder/rig.rs"]
mod rig;
#[path = "forwarder/sending.rs"]
mod sending;
