use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::{BroadcastBus, IndexedDb, PageClock, PageLocks};
use crate::base::{Code, Error};
use crate::log::Plan;
use crate::platform::memory::{MemoryBus, MemoryLog, MemoryStorage};
use crate::platform::ports::{Apply, Bus, Storage, StorageEvent};

/// The ports of one node.
pub struct PageParts {
    /// The rows.
    pub storage: PageStorage,
    /// The channel to the other nodes of the log.
    pub bus: PageBus,
    /// The clocks.
    pub clock: PageClock,
    /// The locks.
    pub locks: PageLocks,
}

/// Opens the log of this name: in IndexedDB, or in memory where that was asked for or where there is no
/// IndexedDB that can be opened, which `events` then hears. A log in memory belongs to this realm alone, and
/// so do its channel and its locks.
///
/// # Errors
/// [`Code::StorageNewerFormat`]: what a newer headwater wrote is there, and must not be bypassed.
pub async fn open(
    name: &str,
    memory: bool,
    events: impl Fn(StorageEvent) + 'static,
) -> Result<PageParts, Error> {
    if memory {
        return Ok(in_memory(name));
    }
    let events = Rc::new(events);
    let told = Rc::clone(&events);
    match IndexedDb::open(name, move |event| told(event)).await {
        Ok(storage) => Ok(PageParts {
            storage: PageStorage::IndexedDb(storage),
            bus: PageBus::Broadcast(BroadcastBus::open(name)),
            clock: PageClock,
            locks: PageLocks::open(name),
        }),
        Err(error) if error.code() == Code::StorageMissing => {
            events(StorageEvent::Degraded(error.message().to_string()));
            Ok(in_memory(name))
        }
        // The storage has said so itself.
        Err(error) if error.code() == Code::StorageFailed => Ok(in_memory(name)),
        Err(error) => Err(error),
    }
}

fn in_memory(name: &str) -> PageParts {
    let log = MemoryLog::named(name);
    PageParts {
        storage: PageStorage::Memory(log.storage().clone()),
        bus: PageBus::Memory(log.bus()),
        clock: PageClock,
        locks: PageLocks::in_memory(log),
    }
}

/// The rows of a page's log.
pub enum PageStorage {
    /// Shared by the tabs and workers of the origin.
    IndexedDb(IndexedDb),
    /// Of this realm alone.
    Memory(MemoryStorage),
}

impl PageStorage {
    /// `indexeddb` or `memory`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::IndexedDb(_) => "indexeddb",
            Self::Memory(_) => "memory",
        }
    }

    /// Closes the storage: later transactions are refused, except in memory.
    pub fn close(&self) {
        if let Self::IndexedDb(storage) = self {
            storage.close();
        }
    }
}

impl Storage for PageStorage {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        match self {
            Self::IndexedDb(storage) => storage.transact(plan, apply).await,
            Self::Memory(storage) => storage.transact(plan, apply).await,
        }
    }
}

/// The channel between the nodes of a page's log.
pub enum PageBus {
    /// To the tabs and workers of the origin.
    Broadcast(BroadcastBus),
    /// To the nodes of this realm.
    Memory(MemoryBus),
}

impl PageBus {
    /// Gives every message of another node to `listener`, never inside a `send`.
    pub fn listen(&self, listener: impl Fn(&[u8]) + 'static) {
        match self {
            Self::Broadcast(bus) => bus.listen(listener),
            Self::Memory(bus) => {
                let inbox = bus.inbox();
                spawn_local(async move {
                    while let Some(message) = inbox.next().await {
                        listener(&message);
                    }
                });
            }
        }
    }

    /// Leaves the channel until [`Self::resume`], where others would notice.
    pub fn suspend(&self) {
        if let Self::Broadcast(bus) = self {
            bus.suspend();
        }
    }

    /// Joins the channel again.
    pub fn resume(&self) {
        if let Self::Broadcast(bus) = self {
            bus.resume();
        }
    }

    /// Leaves the channel.
    pub fn close(&self) {
        match self {
            Self::Broadcast(bus) => bus.close(),
            Self::Memory(bus) => bus.close(),
        }
    }
}

impl Bus for PageBus {
    fn send(&self, message: &[u8]) {
        match self {
            Self::Broadcast(bus) => bus.send(message),
            Self::Memory(bus) => bus.send(message),
        }
    }
}
