use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::{MemoryBus, MemoryLocks, MemoryStorage};

/// Everything that the nodes of one log share: clones are the same log.
#[derive(Clone, Default)]
pub struct MemoryLog {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    storage: MemoryStorage,
    bus: MemoryBus,
    locks: MemoryLocks,
}

impl MemoryLog {
    /// The log of this name on this thread. It is gone when the last one that holds it is dropped.
    pub fn named(name: &str) -> Self {
        LOGS.with_borrow_mut(|logs| {
            logs.retain(|(_, log)| log.strong_count() > 0);
            let found = logs.iter().find(|(each, _)| each == name);
            if let Some(shared) = found.and_then(|(_, log)| log.upgrade()) {
                return Self { shared };
            }
            let log = Self::default();
            logs.push((name.to_string(), Rc::downgrade(&log.shared)));
            log
        })
    }

    /// The rows.
    pub fn storage(&self) -> &MemoryStorage {
        &self.shared.storage
    }

    /// A new end of the channel between the nodes.
    pub fn bus(&self) -> MemoryBus {
        self.shared.bus.join()
    }

    /// The locks.
    pub fn locks(&self) -> &MemoryLocks {
        &self.shared.locks
    }
}

thread_local! {
    static LOGS: RefCell<Vec<(String, Weak<Shared>)>> = const { RefCell::new(Vec::new()) };
}
