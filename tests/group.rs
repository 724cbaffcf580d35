//! Groups: the coordinator and the members of one, over rows in memory and a wire that may lose what it carries.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "group/answers.rs"]
mod answers;
#[path = "group/assignors.rs"]
mod assignors;
#[path = "group/coordinator.rs"]
mod coordinator;
#[path = "group/member.rs"]
mod member;
#[path = "group/properties.rs"]
mod properties;
#[path = "group/pulses.rs"]
mod pulses;
#[path = "group/rig.rs"]
mod rig;
#[path = "group/rows.rs"]
mod rows;
mod support;
#[path = "group/uniform.rs"]
mod uniform;
#[path = "group/world.rs"]
mod world;
