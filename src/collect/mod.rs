//! F3, the collector: what it says of a request, as pure rules.
//!
//! ```text
//! body -> admit -> what is to be kept -> (the log: Ingest, then Compare) or (a sink) -> respond
//! ```
//!
//! A batch is checked for itself, so that what came with a bad one is not lost. All that a request, or several
//! that wait for the same disk, bring is stored in one transaction.

mod answer;
mod base64;
mod collector;
mod inspect;
mod letter;
pub mod ops;
mod read;
mod registration;
mod request;
mod settings;

pub use answer::{Outcome, Refusal, Response};
pub use collector::{Admitted, Collector, Intake, Wanted};
pub use letter::{DEAD_LETTERS, Letter};
pub use read::{RecordsPage, describe_topics, failed};
pub use settings::{Limits, Settings};
