//! IndexedDB as a storage: one plan, one transaction, on a connection that is replaced when it dies.

mod connection;
mod connections;
mod failure;
mod progress;
mod quota;
mod scan;
mod storage;
mod transaction;
mod watchdog;

pub use storage::IndexedDb;
