//! F3, the clients: machines that applications hold. None of them knows a clock, a promise or a browser.

pub mod backoff;
pub mod compaction;
pub mod consumer;
pub mod forwarder;
pub mod producer;
pub mod relief;
pub mod retention;
pub mod transaction;
