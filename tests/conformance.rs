//! What Kafka does, as it was recorded from Kafka: every case of every file is run, whichever folder they are in.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_types, reason = "what serde derives names floats")]

#[path = "conformance/assignors.rs"]
mod assignors;
#[path = "conformance/batches.rs"]
mod batches;
#[path = "support/codecs.rs"]
mod codecs;
#[path = "conformance/coordinator.rs"]
mod coordinator;
#[path = "conformance/files.rs"]
mod files;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/murmur2.rs"]
mod murmur2;
#[path = "conformance/producers.rs"]
mod producers;
#[path = "conformance/reconciler.rs"]
mod reconciler;
#[path = "conformance/scenario.rs"]
mod scenario;
mod support;
