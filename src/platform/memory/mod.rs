//! A log in the memory of one process: its rows, and the channel and the locks of the nodes that share it.

mod bus;
mod locks;
mod log;
mod storage;

pub use bus::{Inbox, MemoryBus};
pub use locks::{MemoryGuard, MemoryLocks};
pub use log::MemoryLog;
pub use storage::MemoryStorage;
