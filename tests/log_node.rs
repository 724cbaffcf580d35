//! What whole nodes make of their log: damage, transactions, maintenance, a quota that is used up.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "log_node/adopt.rs"]
mod adopt;
#[path = "log_node/damage.rs"]
mod damage;
#[path = "log_node/flush.rs"]
mod flush;
#[path = "log_node/maintenance.rs"]
mod maintenance;
#[path = "log_node/quota.rs"]
mod quota;
mod support;
#[path = "log_node/transactions.rs"]
mod transactions;
