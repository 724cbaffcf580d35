//! The Web Locks of one origin: a queue a name.

use std::collections::{BTreeMap, VecDeque};

use headwater::node::LockId;

use super::page::PageId;

pub type Request = (PageId, LockId);

/// Who holds each lock, and who waits for it, in order.
#[derive(Default)]
pub struct Locks {
    queues: BTreeMap<String, Queue>,
    /// Which lock each request is for.
    names: BTreeMap<Request, String>,
}

#[derive(Default)]
struct Queue {
    holder: Option<Request>,
    waiters: VecDeque<Request>,
    /// It changes hands: the next one is granted when the browser comes round to it.
    passing: bool,
}

/// A lock that is free now, to be granted by [`Locks::grant`] after a while.
pub type Freed = Option<String>;

impl Locks {
    /// Waits for the lock, or takes it.
    pub fn request(&mut self, name: String, request: Request) -> Freed {
        self.names.insert(request, name.clone());
        let queue = self.queues.entry(name.clone()).or_default();
        queue.waiters.push_back(request);
        (queue.holder.is_none() && !core::mem::replace(&mut queue.passing, true)).then_some(name)
    }

    /// Releases the lock, or stops waiting for it.
    pub fn release(&mut self, request: Request) -> Freed {
        let name = self.names.remove(&request)?;
        let queue = self.queues.get_mut(&name)?;
        queue.waiters.retain(|waiter| *waiter != request);
        if queue.holder != Some(request) {
            return None;
        }
        queue.holder = None;
        (!core::mem::replace(&mut queue.passing, true)).then_some(name)
    }

    /// The page is gone.
    pub fn abandon(&mut self, page: PageId) -> Vec<String> {
        let mut freed = Vec::new();
        self.names.retain(|(of, _), _| *of != page);
        for (name, queue) in &mut self.queues {
            queue.waiters.retain(|(waiter, _)| *waiter != page);
            if queue.holder.is_some_and(|(holder, _)| holder == page) {
                queue.holder = None;
                if !core::mem::replace(&mut queue.passing, true) {
                    freed.push(name.clone());
                }
            }
        }
        freed
    }

    /// The browser comes round to the lock: who has it now?
    pub fn grant(&mut self, name: &str) -> Option<Request> {
        let queue = self.queues.get_mut(name)?;
        queue.passing = false;
        if queue.holder.is_some() {
            return None;
        }
        queue.holder = queue.waiters.pop_front();
        queue.holder
    }

    /// Takes the lock from whoever holds it; answers who that was.
    pub fn steal(&mut self, name: String, request: Request) -> Option<Request> {
        self.names.insert(request, name.clone());
        self.queues.entry(name).or_default().holder.replace(request)
    }

    /// Takes the lock from whoever holds it, for the first who waits; answers who is to be told.
    pub fn steal_for_waiter(&mut self, pick: usize) -> Option<(String, Request)> {
        let contended: Vec<&String> = self
            .queues
            .iter()
            .filter(|(name, _)| !name.starts_with("member/"))
            .filter(|(_, queue)| queue.holder.is_some() && !queue.waiters.is_empty() && !queue.passing)
            .map(|(name, _)| name)
            .collect();
        let name = (*contended.get(pick % contended.len().max(1))?).clone();
        let queue = self.queues.get_mut(&name)?;
        queue.passing = true;
        queue.holder.take().map(|holder| (name, holder))
    }

    /// Takes a lock of this kind from the page, for the first who waits; answers who is to be told.
    pub fn steal_from(&mut self, page: PageId, prefix: &str) -> Option<(String, Request)> {
        let held = |queue: &Queue| queue.holder.is_some_and(|(holder, _)| holder == page) && !queue.passing;
        let mut queues = self.queues.iter_mut().filter(|(name, _)| name.starts_with(prefix));
        let (name, queue) = queues.find(|(_, queue)| held(queue) && !queue.waiters.is_empty())?;
        queue.passing = true;
        queue.holder.take().map(|holder| (name.clone(), holder))
    }

    /// The locks that this page holds.
    pub fn held_by(&self, page: PageId) -> impl Iterator<Item = &str> {
        let held = self
            .queues
            .iter()
            .filter(move |(_, queue)| queue.holder.is_some_and(|(holder, _)| holder == page));
        held.map(|(name, _)| name.as_str())
    }

    /// The pages that hold or wait for any lock.
    pub fn holder(&self, name: &str) -> Option<PageId> {
        self.queues.get(name)?.holder.map(|(page, _)| page)
    }
}
