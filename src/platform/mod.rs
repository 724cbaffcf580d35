//! F5, the platform: ports, the loop that drives a node, and the backends behind the ports.

mod adopt;
pub mod compressing;
pub mod driver;
#[cfg(feature = "collector")]
pub mod host;
pub mod memory;
mod ports;
mod slot;
// Here the clock and the chance come from that the floors below are handed.
#[cfg(target_arch = "wasm32")]
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod web;

pub use adopt::adopt;
pub use ports::{Apply, Bus, Clock, Guard, Locks, Storage, StorageEvent, run};
pub use slot::Slot;
