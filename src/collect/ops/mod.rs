//! The operations of a collector over its own log. Each is one transaction.

mod compare;
mod ingest;
mod open;

pub use compare::{Compare, Original};
pub use ingest::{Entry, Ingest, Ingested};
pub use open::{OpenLog, Opened};
