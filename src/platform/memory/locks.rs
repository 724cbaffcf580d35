use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::base::Error;
use crate::platform::ports::{Guard, Locks};
use crate::platform::slot::Slot;

/// Exclusive locks within one process, granted in the order that they were asked for. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryLocks {
    held: Rc<RefCell<Vec<Held>>>,
}

/// A lock that is held, and who waits for it. There are few, so they are searched in turn.
struct Held {
    name: String,
    /// The holder's.
    stolen: Rc<Slot<()>>,
    waiters: VecDeque<Weak<Slot<MemoryGuard>>>,
}

/// What holds a lock; dropping it hands the lock to the next waiter.
pub struct MemoryGuard {
    locks: MemoryLocks,
    name: String,
    stolen: Rc<Slot<()>>,
}

impl MemoryLocks {
    fn guard(&self, name: &str) -> MemoryGuard {
        MemoryGuard { locks: self.clone(), name: name.to_string(), stolen: Slot::new() }
    }
}

impl Locks for MemoryLocks {
    type Guard = MemoryGuard;

    async fn acquire(&self, name: &str, steal: bool) -> Result<MemoryGuard, Error> {
        let granted = Slot::new();
        {
            // Dropped after the borrow, where it is not wanted.
            let guard = self.guard(name);
            let mut held = self.held.borrow_mut();
            let Some(lock) = held.iter_mut().find(|lock| lock.name == name) else {
                let stolen = Rc::clone(&guard.stolen);
                held.push(Held { name: name.to_string(), stolen, waiters: VecDeque::new() });
                return Ok(guard);
            };
            if steal {
                core::mem::replace(&mut lock.stolen, Rc::clone(&guard.stolen)).fill(());
                return Ok(guard);
            }
            lock.waiters.retain(|waiter| waiter.strong_count() > 0);
            lock.waiters.push_back(Rc::downgrade(&granted));
        }
        Ok(granted.take().await)
    }
}

impl Guard for MemoryGuard {
    fn stolen(&self) -> Rc<Slot<()>> {
        Rc::clone(&self.stolen)
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        let mut held = self.locks.held.borrow_mut();
        // Whoever was robbed of the lock has nothing to hand over.
        let own = |lock: &Held| Rc::ptr_eq(&lock.stolen, &self.stolen);
        let Some(index) = held.iter().position(own) else { return };
        while let Some(next) = held[index].waiters.pop_front() {
            if let Some(next) = next.upgrade() {
                let guard = self.locks.guard(&self.name);
                held[index].stolen = Rc::clone(&guard.stolen);
                drop(held);
                // A waiter that gives up before it looks drops the guard, and so passes the lock on.
                next.fill(guard);
                return;
            }
        }
        held.swap_remove(index);
    }
}
