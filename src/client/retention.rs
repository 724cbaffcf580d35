//! Which records a partition no longer has to keep, by time and by bytes.

use crate::base::{Now, Offset, TopicConfig};
use crate::log::ops::{Measured, Stretch};

/// One pass over one partition: measures it slice by slice, then names the offset to trim before.
pub struct Retention {
    now: Now,
    retention_ms: i64,
    retention_bytes: i64,
    expired: Option<Offset>,
    kept: Vec<Stretch>,
    expiring: bool,
}

/// What a pass wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Measure from this base offset on.
    Measure(Offset),
    /// Delete the records before this offset.
    Trim(Offset),
    /// Nothing is to be deleted.
    Keep,
}

impl Retention {
    /// A pass at `now` under a topic's configuration.
    pub fn new(now: Now, config: &TopicConfig) -> Self {
        Self {
            now,
            retention_ms: config.retention_ms(),
            retention_bytes: config.retention_bytes(),
            expired: None,
            kept: Vec::new(),
            expiring: true,
        }
    }

    /// True if nothing could ever be deleted under the configuration.
    pub fn idle(&self) -> bool {
        self.retention_ms < 0 && self.retention_bytes < 0
    }

    /// Takes a slice and says what comes next. Batches go oldest first, and the first that stays ends the pass;
    /// by bytes, batches go while what remains is no smaller than the limit.
    pub fn measured(&mut self, slice: &Measured) -> Step {
        for batch in &slice.batches {
            let old = self.now.timestamp.saturating_sub(batch.max_timestamp) > self.retention_ms;
            self.expiring &= self.retention_ms >= 0 && batch.max_timestamp >= 0 && old;
            if self.expiring {
                self.expired = Some(batch.next);
            } else {
                self.kept.push(*batch);
            }
        }
        match slice.next {
            Some(next) if self.expiring || self.retention_bytes >= 0 => Step::Measure(next),
            _ => self.conclude(),
        }
    }

    fn conclude(&mut self) -> Step {
        let mut before = self.expired;
        if let Ok(limit) = u64::try_from(self.retention_bytes) {
            let mut total: u64 = self.kept.iter().map(|batch| batch.bytes).sum();
            for batch in &self.kept {
                if total - batch.bytes < limit {
                    break;
                }
                total -= batch.bytes;
                before = Some(batch.next);
            }
        }
        before.map_or(Step::Keep, Step::Trim)
    }
}
