//! Dead letters: what no log will ever take is kept apart, whole, with the reason.

use crate::base::{Error, Timestamp};
use crate::log::batch::{BatchBuilder, BatchHeader, BatchOptions};

/// What the name of a topic's dead letters ends in.
pub const DEAD_LETTERS: &str = ".dlq";

/// A wire batch that cannot be stored as it is.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The topic that it was for.
    pub topic: String,
    /// The partition that it was for.
    pub partition: i32,
    /// Its header.
    pub header: BatchHeader,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Why it cannot be stored.
    pub error: Error,
}

impl Letter {
    /// The topic that keeps it.
    pub fn topic(&self) -> String {
        [self.topic.as_str(), DEAD_LETTERS].concat()
    }

    /// A batch of one record, whose value is the refused batch and whose headers say where it was to go, and why
    /// it could not.
    pub(super) fn encode(&self, now: Timestamp) -> Vec<u8> {
        let partition = self.partition.to_string();
        let headers: [(&[u8], Option<&[u8]>); 4] = [
            (b"hw-topic", Some(self.topic.as_bytes())),
            (b"hw-partition", Some(partition.as_bytes())),
            (b"hw-error-code", Some(self.error.code().name().as_bytes())),
            (b"hw-error-message", Some(self.error.message().as_bytes())),
        ];
        let mut builder = BatchBuilder::new(BatchOptions::default());
        builder.push(now, None, Some(&self.bytes), &headers);
        builder.finish()
    }
}
