//! The browser's backends, in whatever kind of place the binary runs in.
//!
//! `docs/log.md` lists what browsers are known to do to a page's storage, and which of these tests does it.

mod connection;
mod faults;
mod formats;
mod ports;
mod transaction;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use headwater::base::Error;
use headwater::platform::web::{IndexedDb, PageClock};
use headwater::platform::{Clock, StorageEvent};

use crate::storage_suite::Backend;

/// A database of its own for each test.
pub struct Database(String);

impl Database {
    pub fn new() -> Self {
        thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
        let count = COUNT.replace(COUNT.get() + 1);
        Self(format!("test-{}-{count}", PageClock.now().timestamp))
    }
}

impl Backend for Database {
    type Storage = IndexedDb;

    async fn open(&self) -> IndexedDb {
        IndexedDb::open(&self.0, |_| {}).await.unwrap()
    }
}

/// What a storage said beside its transactions.
#[derive(Clone, Default)]
struct Events(Rc<RefCell<Vec<StorageEvent>>>);

impl Events {
    async fn open(&self, name: &str) -> Result<IndexedDb, Error> {
        let events = self.clone();
        IndexedDb::open(name, move |event| events.0.borrow_mut().push(event)).await
    }

    fn take(&self) -> Vec<StorageEvent> {
        self.0.take()
    }
}
