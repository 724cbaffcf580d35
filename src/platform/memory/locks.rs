use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

use crate::base::{Code, Error, Map};
use crate::platform::ports::Locks;

/// Exclusive locks within one process, granted in the order that they were asked for. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryLocks {
    /// Who waits for each lock that is held.
    held: Rc<RefCell<Map<String, Waiters>>>,
}

type Waiters = VecDeque<oneshot::Sender<MemoryGuard>>;

/// What holds a lock; dropping it hands the lock to the next waiter.
pub struct MemoryGuard {
    locks: MemoryLocks,
    name: String,
}

impl Locks for MemoryLocks {
    type Guard = MemoryGuard;

    async fn acquire(&self, name: &str) -> Result<MemoryGuard, Error> {
        let granted = {
            let mut held = self.held.borrow_mut();
            let Some(waiters) = held.get_mut(name) else {
                held.insert(name.to_string(), VecDeque::new());
                return Ok(MemoryGuard { locks: self.clone(), name: name.to_string() });
            };
            waiters.retain(|waiter| !waiter.is_canceled());
            let (grant, granted) = oneshot::channel();
            waiters.push_back(grant);
            granted
        };
        // A holder always hands over, so this is reached only by a defect of the queue.
        granted.await.map_err(|_| Error::new(Code::Internal, "a lock was dropped with its waiters"))
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        let next = {
            let mut held = self.locks.held.borrow_mut();
            let next = held.get_mut(&self.name).and_then(VecDeque::pop_front);
            if next.is_none() {
                held.remove(&self.name);
            }
            next
        };
        if let Some(next) = next {
            let guard = Self { locks: self.locks.clone(), name: core::mem::take(&mut self.name) };
            // A waiter that gave up hands the guard back: dropping it goes on to the one behind.
            drop(next.send(guard));
        }
    }
}
