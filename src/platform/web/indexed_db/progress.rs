use std::cell::{Cell, RefCell};
use std::task::Waker;

use wasm_bindgen::JsCast;
use web_sys::{Event, IdbRequest, IdbTransaction};

use crate::platform::web::dom::Exception;

/// What the events of a transaction have said so far.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) scanned: Cell<bool>,
    pub(super) committing: Cell<bool>,
    /// The error of the request from which the abort follows.
    error: RefCell<Option<Exception>>,
    pub(super) end: RefCell<Option<Result<(), Exception>>>,
    /// How often the watchdog has seen it.
    seen: Cell<u32>,
    pub(super) stalled: Cell<bool>,
    pub(super) waker: Cell<Option<Waker>>,
}

impl Progress {
    /// The watchdog has seen it once more, of so many times at most.
    pub(super) fn seen(&self, most: u32) {
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() >= most {
            self.stalled.set(true);
            self.wake();
        }
    }

    pub(super) fn scanned(&self) {
        self.scanned.set(true);
        self.wake();
    }

    /// A request failed. Requests that an abort takes along fail after the one that is the cause.
    pub(super) fn failed(&self, event: &Event) {
        let request = event.target().and_then(|target| target.dyn_into::<IdbRequest>().ok());
        let error = request.and_then(|request| request.error().ok().flatten());
        if let Some(error) = error.filter(|error| error.name() != "AbortError") {
            self.error.borrow_mut().get_or_insert(Exception { name: error.name(), message: error.message() });
        }
    }

    pub(super) fn cause(&self, transaction: &IdbTransaction) -> Exception {
        let own =
            || transaction.error().map(|error| Exception { name: error.name(), message: error.message() });
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
