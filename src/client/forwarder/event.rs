use super::delivery::Failure;
use crate::base::{Error, Offset};

/// What the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Everything before `committed` is settled.
    Delivered {
        /// The partition.
        partition: i32,
        /// The next offset to deliver.
        committed: Offset,
    },
    /// A request failed, or batches of it were refused for the time being; the same bytes go again.
    Retrying {
        /// Why.
        failure: Failure,
        /// When, in milliseconds from now.
        wait_ms: u64,
    },
    /// Records up to `until` may arrive twice, and say so.
    Uncertain {
        /// The partition.
        partition: i32,
        /// The end of what is uncertain.
        until: Offset,
    },
    /// The collector keeps these records apart, since they can never be stored.
    DeadLettered {
        /// The partition.
        partition: i32,
        /// The first offset.
        first: Offset,
        /// The last offset.
        last: Offset,
    },
    /// The topic has more partitions here than at the sink.
    PartitionsDiffer {
        /// Here.
        local: i32,
        /// There.
        remote: i32,
    },
    /// A partition cannot be forwarded until somebody has a look.
    Stuck {
        /// The partition.
        partition: i32,
        /// Why.
        error: Error,
    },
}
