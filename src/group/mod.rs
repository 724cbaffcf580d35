//! F2, groups: what consumers of one group share.

mod offsets;

pub use offsets::{CommitOffsets, CommittedOffset, FetchOffsets, OffsetCommit};
