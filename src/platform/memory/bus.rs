use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use crate::platform::ports::Bus;

/// One node's end of the channel between the nodes of a log. It is left when it is dropped.
#[derive(Default)]
pub struct MemoryBus {
    ends: Rc<RefCell<Vec<Weak<Queue>>>>,
    queue: Rc<Queue>,
}

/// What arrives at one end. Messages wait here: none is handed over inside `send`.
pub struct Inbox {
    queue: Rc<Queue>,
}

#[derive(Default)]
struct Queue {
    messages: RefCell<VecDeque<Vec<u8>>>,
    waker: Cell<Option<Waker>>,
    closed: Cell<bool>,
}

/// The most messages that wait at one end. The channel is best effort: what comes on top is dropped.
const MESSAGES_MAX: usize = 1024;

impl MemoryBus {
    /// A new end of the same channel.
    pub fn join(&self) -> Self {
        let end = Self { ends: Rc::clone(&self.ends), queue: Rc::default() };
        let mut ends = self.ends.borrow_mut();
        ends.retain(|end| end.strong_count() > 0);
        ends.push(Rc::downgrade(&end.queue));
        drop(ends);
        end
    }

    /// Where the messages of the other ends arrive.
    pub fn inbox(&self) -> Inbox {
        Inbox { queue: Rc::clone(&self.queue) }
    }

    /// Leaves the channel: nothing arrives any more, and [`Inbox::next`] ends.
    pub fn close(&self) {
        self.queue.closed.set(true);
        self.queue.wake();
    }
}

impl Bus for MemoryBus {
    fn send(&self, message: &[u8]) {
        if self.queue.closed.get() {
            return;
        }
        let others: Vec<Rc<Queue>> = {
            let ends = self.ends.borrow();
            ends.iter().filter_map(Weak::upgrade).filter(|end| !Rc::ptr_eq(end, &self.queue)).collect()
        };
        for other in others {
            other.push(message);
        }
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inbox {
    /// The next message; `None` once the end was closed.
    pub async fn next(&self) -> Option<Vec<u8>> {
        poll_fn(|context| {
            if self.queue.closed.get() {
                return Poll::Ready(None);
            }
            if let Some(message) = self.try_next() {
                return Poll::Ready(Some(message));
            }
            self.queue.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// The next message, if one waits.
    pub fn try_next(&self) -> Option<Vec<u8>> {
        self.queue.messages.borrow_mut().pop_front()
    }
}

impl Queue {
    fn push(&self, message: &[u8]) {
        let mut messages = self.messages.borrow_mut();
        if !self.closed.get() && messages.len() < MESSAGES_MAX {
            messages.push_back(message.to_vec());
            drop(messages);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
