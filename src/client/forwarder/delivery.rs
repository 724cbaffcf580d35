//! What goes to a sink, and what comes back.

use crate::base::{Offset, ProducerId, Sequence, Timestamp};

/// One batch on its way to the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireBatch {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// How many partitions the topic has here.
    pub partitions: i32,
    /// The delivery's identity.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// True where one of the records may have been delivered under another name.
    pub uncertain: bool,
    /// The collector's signature of the identity; empty where there is none yet.
    pub signature: Vec<u8>,
    /// When it was signed, by the collector's clock.
    pub signed_at: Timestamp,
    /// The record batch.
    pub bytes: Vec<u8>,
}

/// What the sink said of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Why the request as a whole failed, if it did.
    pub failure: Option<Failure>,
    /// One answer a batch, in order; fewer where the request failed.
    pub answers: Vec<Answered>,
    /// The most bytes that the sink takes in a batch and in a request, where it says so.
    pub limits: Option<(usize, usize)>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The collector's code, or a name for what the network did.
    pub code: String,
    /// What happened.
    pub message: String,
    /// True where waiting helps.
    pub retriable: bool,
    /// How long the collector asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    pub(super) fn new(code: &str, message: &str, retriable: bool) -> Self {
        Self { code: code.to_string(), message: message.to_string(), retriable, retry_after_ms: None }
    }
}

/// What became of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was stored now.
    Accepted,
    /// These very records were stored before.
    Duplicate,
    /// It can never be stored; the collector keeps it apart.
    DeadLettered,
    /// The identity is not signed, or the signature ran out; here is a fresh one.
    Unregistered,
    /// Other records were stored under this identity and sequence.
    Diverged,
    /// The sequence is not the next one.
    OutOfOrder,
    /// A newer epoch of the identity was seen.
    Fenced,
    /// It was not stored, and waiting alone does not help: somebody must change something.
    Refused,
    /// It was not stored, and waiting helps.
    Busy,
}

/// The answer to one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What became of it.
    pub outcome: Outcome,
    /// How many partitions the topic has at the sink, where it says so.
    pub partitions: Option<i32>,
    /// A fresh signature of the identity, and when it was made.
    pub signature: Option<(Vec<u8>, Timestamp)>,
    /// Why it was not stored.
    pub failure: Option<Failure>,
}

impl Answered {
    /// Why the batch is to be sent again as it is, where that is so.
    pub(super) fn again(&self) -> Option<Failure> {
        let again = match self.outcome {
            Outcome::Refused | Outcome::Busy => true,
            Outcome::Unregistered => self.signature.is_none(),
            _ => false,
        };
        let unexplained = || {
            Failure::new(
                "REFUSED",
                "the batch was refused without a reason",
                self.outcome != Outcome::Refused,
            )
        };
        again.then(|| self.failure.clone().unwrap_or_else(unexplained))
    }
}
