//! Delivery: every record of a topic reaches its sink once, in order, whatever happens on the way.
//!
//! ```text
//! claim -> row -> mark the next wire batch, strictly -> deliver -> answer -> settle and mark the next
//!                  ^ the same bytes again, until they are settled  |
//! ```
//!
//! One wire batch a partition is unsettled at a time. A request carries the batches of many partitions, and each
//! has its own answer.

mod delivery;
mod event;
mod lane;
mod machine;
mod op;
mod row;
mod state;
mod wire;

pub use delivery::{Answered, Delivery, Failure, Outcome, WireBatch};
pub use event::Event;
pub use machine::{Forwarder, Options, Output};
pub use op::{Claimed, ForwarderOp, ListDelivered, OwnedOp};
pub use row::DeliveryRow;
pub use wire::Cut;
