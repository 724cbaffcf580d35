//! The browser's backends, in whatever kind of place the binary runs in.
//!
//! What browsers are known to do to a page's storage, and where it is played:
//!
//! | what happens | test |
//! |---|---|
//! | the server of IndexedDB is lost, for a while or for long | `connection`: healing, degrading, coming back |
//! | a transaction is torn down under a live connection | `transaction`: the ways in which a connection dies |
//! | the handle is closing; no close event; concurrent opens | `connection`: replaced once for all who wait, no orphan |
//! | a frozen tab holds a transaction open | `transaction`: given up, a commit that never ends |
//! | the backing store cannot be opened | `connection`: three attempts; `tests/e2e/storage.test.ts`: memory, and back |
//! | a full disk that is none; a full disk that is one | `transaction`: estimates; `tests/log_node/quota.rs` |
//! | the site's data are deleted | `connection`: another tab may wipe the database |
//! | no IndexedDB: private windows, opaque origins | `connection`: told at once; `ports`: opens in memory |
//! | another version is open, or has written | `connection`: blocked, refused |
//! | durability is relaxed by default | `transaction`: the plan sets it |

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
