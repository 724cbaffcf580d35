//! F1, the log: record batch v2, one partition's rules, and the operations that are the only way to
//! durable state.

pub mod batch;
mod delivery_headers;
mod key;
mod op;
pub mod ops;
pub mod producer_state;
pub mod rows;

pub use delivery_headers::{HW_ID, HW_TIMESTAMP, HW_UNCERTAIN};
pub use key::{after, batch_key, batch_range, partition_key, partition_prefix, prefix_range};
pub use op::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Value, Write};
pub use rows::{PartitionRow, TopicRow, delivered, end_offset, last_batch, unknown_partition};
