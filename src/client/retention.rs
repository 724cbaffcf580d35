//! Which records a partition no longer has to keep, by time and by bytes.

use crate::base::{Now, Offset, TopicConfig};
use crate::log::ops::{Measured, Stretch, Trimmed};

/// One pass over one partition: measures it slice by slice, and names the offsets to trim before.
///
/// By time, what is old goes as it is found, oldest first; the first batch that stays ends that. By bytes, the
/// whole partition is measured once; what is known of it serves the next pass.
pub struct Retention {
    now: Now,
    retention_ms: i64,
    retention_bytes: i64,
    /// True until a batch was found that is to stay.
    expiring: bool,
    /// Where to measure on; `None` at the end.
    next: Option<Offset>,
    /// The most batches of the next slice.
    limit: usize,
    sizes: Sizes,
}

/// The sizes of the batches of a partition, oldest first, neighbours together.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// The limit under which they were measured: it says what is put together.
    limit: i64,
    stretches: Vec<Stretch>,
}

/// What a pass wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Measure so many batches from this base offset on, then call [`Retention::measured`].
    Measure(Offset, usize),
    /// Delete the records before this offset, then call [`Retention::trimmed`].
    Trim(Offset),
    /// Nothing more is to be deleted.
    Keep,
}

impl Sizes {
    /// Stretches that are remembered of a partition, about: what is deleted by bytes is deleted in such parts.
    const STRETCHES: u64 = 64;

    fn end(&self) -> Offset {
        self.stretches.last().map_or(0, |last| last.next)
    }

    fn push(&mut self, batch: Stretch, limit: u64) {
        match self.stretches.last_mut() {
            Some(last) if last.bytes + batch.bytes <= limit / Self::STRETCHES => {
                last.next = batch.next;
                last.bytes += batch.bytes;
                last.max_timestamp = last.max_timestamp.max(batch.max_timestamp);
            }
            _ => self.stretches.push(batch),
        }
    }

    /// The offset before which records can go while what stays is no smaller than `limit`.
    fn surplus(&self, limit: u64) -> Option<Offset> {
        let mut total: u64 = self.stretches.iter().map(|stretch| stretch.bytes).sum();
        let mut before = None;
        for stretch in &self.stretches {
            if total - stretch.bytes < limit {
                break;
            }
            total -= stretch.bytes;
            before = Some(stretch.next);
        }
        before
    }
}

impl Retention {
    /// Bytes that a slice reads, about.
    const SLICE_BYTES: u64 = 1 << 20;
    const SLICE_BATCHES_MAX: u64 = 256;
    /// Of a slice before anything is known of the batches' sizes.
    const SLICE_BATCHES: usize = 4;

    /// A pass at `now` under a topic's configuration; `sizes` is what the pass before it left.
    pub fn new(now: Now, config: &TopicConfig, sizes: Sizes) -> Self {
        // Compaction changes sizes that were measured.
        let limit = config.retention_bytes();
        let known = sizes.limit == limit && !config.compacts();
        let sizes = if known { sizes } else { Sizes { limit, ..Sizes::default() } };
        Self {
            now,
            retention_ms: config.retention_ms(),
            retention_bytes: config.retention_bytes(),
            expiring: true,
            next: Some(0),
            limit: Self::SLICE_BATCHES,
            sizes,
        }
    }

    /// What is known of the partition now, for the next pass.
    pub fn into_sizes(self) -> Sizes {
        self.sizes
    }

    /// The first step.
    pub fn begin(&self) -> Step {
        Step::Measure(0, self.limit)
    }

    /// Takes a slice and says what comes next.
    pub fn measured(&mut self, slice: &Measured) -> Step {
        let mut expired = None;
        self.sizes.stretches.retain(|stretch| stretch.next > slice.start);
        let known = self.sizes.end();
        for batch in &slice.batches {
            // What was trimmed already may not all be deleted yet.
            let gone = batch.next <= slice.start;
            let old = self.now.timestamp.saturating_sub(batch.max_timestamp) > self.retention_ms;
            let old = self.retention_ms >= 0 && batch.max_timestamp >= 0 && old;
            self.expiring &= gone || old;
            if self.expiring {
                expired = Some(batch.next.max(slice.start));
            } else if let (Ok(limit), true) = (u64::try_from(self.retention_bytes), batch.next > known) {
                self.sizes.push(*batch, limit);
            }
        }
        let bytes: u64 = slice.batches.iter().map(|batch| batch.bytes).sum();
        let mean = bytes / (slice.batches.len() as u64).max(1);
        self.limit = (Self::SLICE_BYTES / mean.max(1)).clamp(1, Self::SLICE_BATCHES_MAX) as usize;
        self.next = slice.next;
        if !self.expiring {
            // The rest is measured for its size alone, and not again where that is known.
            let unknown = self.retention_bytes >= 0;
            self.next = slice.next.filter(|_| unknown).map(|next| next.max(known));
        }
        match expired {
            Some(before) => self.trim(before),
            None => self.go_on(),
        }
    }

    /// Takes what became of [`Step::Trim`] and says what comes next.
    pub fn trimmed(&mut self, before: Offset, trimmed: &Trimmed) -> Step {
        if trimmed.more {
            return Step::Trim(before);
        }
        if trimmed.start < before {
            // A forwarder holds the rest.
            return Step::Keep;
        }
        self.go_on()
    }

    fn trim(&mut self, before: Offset) -> Step {
        self.sizes.stretches.retain(|stretch| stretch.next > before);
        Step::Trim(before)
    }

    fn go_on(&mut self) -> Step {
        if let Some(next) = self.next {
            return Step::Measure(next, self.limit);
        }
        let surplus = u64::try_from(self.retention_bytes).ok().and_then(|limit| self.sizes.surplus(limit));
        surplus.map_or(Step::Keep, |before| self.trim(before))
    }
}
