//! The browser behind the ports: IndexedDB, BroadcastChannel, Web Locks and the clocks. Every part works in
//! windows and in workers of each kind, and says so where it is missing, as in Node.

mod broadcast;
mod clock;
mod dom;
mod idle;
mod indexed_db;
mod locks;
mod page;
mod seed;

pub use broadcast::BroadcastBus;
pub use clock::PageClock;
pub use idle::idle;
pub use indexed_db::IndexedDb;
pub use locks::{PageGuard, PageLocks};
pub use page::{PageBus, PageParts, PageStorage, open};
pub use seed::seed;

/// False if there is a page here that the user does not see.
pub fn visible() -> bool {
    let state = dom::global("document").and_then(|page| dom::property(&page, "visibilityState"));
    state.is_none_or(|state| state != "hidden")
}
