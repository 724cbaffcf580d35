use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::base::Error;
use crate::platform::ports::Locks;
use crate::platform::slot::Slot;

/// Exclusive locks within one process, granted in the order that they were asked for. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryLocks {
    held: Rc<RefCell<Vec<Held>>>,
}

/// A lock that is held, and who waits for it. There are few, so they are searched in turn.
struct Held {
    name: String,
    waiters: VecDeque<Weak<Slot<MemoryGuard>>>,
}

/// What holds a lock; dropping it hands the lock to the next waiter.
pub struct MemoryGuard {
    locks: MemoryLocks,
    name: String,
}

impl Locks for MemoryLocks {
    type Guard = MemoryGuard;

    async fn acquire(&self, name: &str) -> Result<MemoryGuard, Error> {
        let granted = Slot::new();
        {
            let mut held = self.held.borrow_mut();
            let Some(lock) = held.iter_mut().find(|lock| lock.name == name) else {
                held.push(Held { name: name.to_string(), waiters: VecDeque::new() });
                return Ok(MemoryGuard { locks: self.clone(), name: name.to_string() });
            };
            lock.waiters.retain(|waiter| waiter.strong_count() > 0);
            lock.waiters.push_back(Rc::downgrade(&granted));
        }
        Ok(granted.take().await)
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        let mut held = self.locks.held.borrow_mut();
        let Some(index) = held.iter().position(|lock| lock.name == self.name) else { return };
        while let Some(next) = held[index].waiters.pop_front() {
            if let Some(next) = next.upgrade() {
                drop(held);
                // A waiter that gives up before it looks drops the guard, and so passes the lock on.
                next.fill(Self { locks: self.locks.clone(), name: core::mem::take(&mut self.name) });
                return;
            }
        }
        held.swap_remove(index);
    }
}
