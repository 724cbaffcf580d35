//! F2, groups: what consumers of one group share.

mod message;
mod offsets;
mod partitions;
mod wire;

pub use message::{Client, HeartbeatRequest, HeartbeatResponse, JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH};
pub use offsets::{CommitOffsets, CommittedOffset, FetchOffsets, OffsetCommit};
pub use partitions::Partitions;
