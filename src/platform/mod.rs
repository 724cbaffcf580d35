//! F5, the platform: ports, the loop that drives a node, and the backends behind the ports.

pub mod driver;
#[cfg(feature = "collector")]
pub mod host;
pub mod memory;
mod ports;
mod slot;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use ports::{Apply, Bus, Clock, Locks, Storage, StorageEvent, run};
