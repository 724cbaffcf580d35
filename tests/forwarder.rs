//! Delivery: scenarios of every answer that a sink may give, then hundreds of simulated worlds.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "forwarder/answers.rs"]
mod answers;
#[path = "sim/broker.rs"]
mod broker;
#[path = "sim/disk.rs"]
mod disk;
#[path = "forwarder/faults.rs"]
mod faults;
#[path = "forwarder/profile.rs"]
mod profile;
#[path = "forwarder/rig.rs"]
mod rig;
#[path = "forwarder/sending.rs"]
mod sending;
#[path = "forwarder/simulation.rs"]
mod simulation;
#[path = "forwarder/world.rs"]
mod world;
