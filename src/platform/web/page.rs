use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::{BroadcastBus, IndexedDb, PageClock, WebGuard, WebLocks};
use crate::base::{Code, Error};
use crate::log::Plan;
use crate::platform::memory::{MemoryBus, MemoryGuard, MemoryLog, MemoryStorage};
use crate::platform::ports::{Apply, Bus, Locks, Storage, StorageEvent};

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
/// IndexedDB that can be opened, which `events` then hears. A log in memory belongs to this realm alone, and so
/// do its channel and its locks.
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
            locks: PageLocks::Web(WebLocks::open(name)),
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
        locks: PageLocks::Memory(log),
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

/// The locks between the nodes of a page's log.
pub enum PageLocks {
    /// Of the origin.
    Web(WebLocks),
    /// Of this realm, with the log that keeps them.
    Memory(MemoryLog),
}

/// What holds a lock of a page's log; dropping it releases the lock.
pub enum PageGuard {
    /// A lock of the origin.
    Web(WebGuard),
    /// A lock of this realm.
    Memory(MemoryGuard),
}

impl PageLocks {
    /// False where the log is the origin's but its locks hold among the nodes of this realm only.
    pub fn supported(&self) -> bool {
        match self {
            Self::Web(locks) => locks.supported(),
            Self::Memory(_) => true,
        }
    }
}

impl Locks for PageLocks {
    type Guard = PageGuard;

    async fn acquire(&self, name: &str) -> Result<PageGuard, Error> {
        Ok(match self {
            Self::Web(locks) => PageGuard::Web(locks.acquire(name).await?),
            Self::Memory(log) => PageGuard::Memory(log.locks().acquire(name).await?),
        })
    }
}
