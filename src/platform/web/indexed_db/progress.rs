use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use web_sys::{Event, IdbTransaction};

use super::failure::Failure;
use crate::platform::web::dom::Exception;

/// What the events of a transaction have said so far.
#[derive(Default)]
pub(super) struct Progress {
    scanned: Cell<bool>,
    committing: Cell<bool>,
    /// The error of the request from which the abort follows.
    error: RefCell<Option<Exception>>,
    end: RefCell<Option<Result<(), Exception>>>,
    /// How often the watchdog has seen it.
    seen: Cell<u32>,
    stalled: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Progress {
    /// Waits until the transaction has ended or, where `scanned`, until the rows are there.
    pub(super) async fn until(&self, scanned: bool) -> Result<(), Failure> {
        poll_fn(|context| {
            if let Some(end) = self.end.take() {
                return Poll::Ready(end.map_err(|cause| Failure::of(cause, self.committing.get())));
            }
            if scanned && self.scanned.get() {
                return Poll::Ready(Ok(()));
            }
            if self.stalled.get() {
                return Poll::Ready(Err(Failure::stalled(self.committing.get())));
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// The commit was asked for.
    pub(super) fn committing(&self) {
        self.committing.set(true);
    }

    pub(super) fn is_committing(&self) -> bool {
        self.committing.get()
    }

    /// The watchdog has seen it once more, of so many times at most.
    pub(super) fn seen(&self, most: u32) {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() >= most {
            self.stalled.set(true);
            self.wake();
        }
    }

    /// The rows are there.
    pub(super) fn scanned(&self) {
        self.scanned.set(true);
        self.wake();
    }

    /// A request failed. Requests that an abort takes along fail after the one that is the cause.
    pub(super) fn failed(&self, event: &Event) {
        if let Some(error) = Exception::of_request(event).filter(|error| error.name != "AbortError") {
            self.error.borrow_mut().get_or_insert(error);
        }
    }

    /// Why it was aborted.
    pub(super) fn cause(&self, transaction: &IdbTransaction) -> Exception {
        let own = || transaction.error().map(|error| Exception::of(&error));
        self.error.take().or_else(own).unwrap_or_else(|| Exception::named("AbortError"))
    }

    pub(super) fn ended(&self, end: Result<(), Exception>) {
        self.end.replace(Some(end));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
