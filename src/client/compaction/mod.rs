//! Compaction: of the records of one key the last one stays.
//!
//! ```text
//! FindDirty -> Fetch, Fetch, ... (the keys of what is dirty) -> Compact, Compact, ... (rewritten from the start)
//! ```
//!
//! Each step is one transaction over about 1 MiB, so none holds up an append, and a pass that is broken off, or done by
//! two nodes at once, has done no harm: a slice is as good alone. Kafka's cleaner works in the same two phases.

mod filter;
mod keys;
mod op;
mod run;

use std::rc::Rc;

pub use keys::Keys;
pub use op::{Compact, Dirty, FindDirty, Rewritten};

use crate::base::{Error, Now, Offset, TopicConfig, TopicPartition};
use crate::log::batch::{BatchHeader, Compression, records};
use crate::log::ops::{Fetch, Fetched};
use crate::log::rows::Compacted;

/// One pass over one partition.
pub struct Compaction {
    topic: String,
    tp: TopicPartition,
    now: Now,
    lag_ms: i64,
    dirty: Option<Dirty>,
    keys: Keys,
    found: Rc<Keys>,
    /// Where the next slice begins, and how many batches it has.
    next: Offset,
    limit: usize,
    /// Where the rewriting ends.
    upto: Offset,
    removed: i64,
    compacted: Compacted,
}

/// What a pass wants next.
#[derive(Debug)]
pub enum Step {
    /// Run, then call [`Compaction::found`].
    Find(FindDirty),
    /// Run, then call [`Compaction::fetched`].
    Read(Fetch),
    /// Run, then call [`Compaction::rewritten`].
    Rewrite(Compact),
    /// The pass is over; so many records are gone.
    Done(i64),
}

impl Compaction {
    /// Bytes that a slice reads, about.
    const SLICE_BYTES: usize = 1 << 20;
    const SLICE_BATCHES_MAX: usize = 256;
    /// Of a slice before anything is known of the batches' sizes.
    const SLICE_BATCHES: usize = 4;

    /// A pass at `now` over a partition of a topic of this configuration.
    pub fn new(now: Now, topic: String, tp: TopicPartition, config: &TopicConfig) -> Self {
        Self {
            topic,
            tp,
            now,
            lag_ms: config.min_compaction_lag_ms(),
            dirty: None,
            keys: Keys::default(),
            found: Rc::default(),
            next: 0,
            limit: Self::SLICE_BATCHES,
            upto: 0,
            removed: 0,
            compacted: Compacted::default(),
        }
    }

    /// The first step.
    pub fn begin(&self) -> Step {
        Step::Find(FindDirty { topic: self.topic.clone(), tp: self.tp })
    }

    /// What can be compacted. The work is worth it where at least as many records came as the last pass left, so that
    /// all passes together rewrite no more than twice what was appended; or where tombstones may go.
    pub fn found(&mut self, dirty: Option<Dirty>) -> Step {
        let Some(dirty) = dirty else { return Step::Done(0) };
        let Compacted { upto, kept, horizon } = dirty.compacted;
        self.next = upto.max(dirty.start);
        let fresh = dirty.upto - self.next;
        let expired = horizon > 0 && self.now.timestamp >= horizon;
        if dirty.upto <= dirty.start || !(expired || fresh > 0 && fresh >= kept) {
            return Step::Done(0);
        }
        self.dirty = Some(dirty);
        self.upto = self.next;
        self.read()
    }

    fn read(&mut self) -> Step {
        let upto = self.dirty.map_or(0, |dirty| dirty.upto);
        if self.next >= upto || self.keys.full() {
            return self.begin_rewriting();
        }
        Step::Read(Fetch { tp: self.tp, offset: self.next, batches_max: self.limit })
    }

    /// Takes the keys of a slice.
    ///
    /// # Errors
    /// Where a batch cannot be read.
    pub fn fetched(&mut self, fetched: &Fetched) -> Result<Step, Error> {
        let upto = self.dirty.map_or(0, |dirty| dirty.upto);
        let bytes = fetched.batches.iter().map(Vec::len).sum();
        self.slice(bytes, fetched.batches.len());
        for bytes in &fetched.batches {
            let header = BatchHeader::read(bytes)?;
            let age = self.now.timestamp.saturating_sub(header.max_timestamp);
            let young = self.lag_ms > 0 && age < self.lag_ms;
            if header.next_offset() > upto || young || self.keys.full() {
                return Ok(self.begin_rewriting());
            }
            if header.producer_id >= 0 {
                self.keys.put_producer(header.producer_id, header.base_offset);
            }
            if header.attributes.compression()? == Compression::None && !header.attributes.is_control() {
                for record in records(bytes)? {
                    let record = record?;
                    if let Some(key) = record.key {
                        self.keys.put(key, record.offset);
                    }
                }
            }
            self.next = header.next_offset();
            self.upto = self.next;
        }
        Ok(if fetched.batches.is_empty() { self.begin_rewriting() } else { self.read() })
    }

    fn begin_rewriting(&mut self) -> Step {
        self.found = Rc::new(core::mem::take(&mut self.keys));
        self.next = 0;
        if self.upto <= self.dirty.map_or(0, |dirty| dirty.start) {
            return Step::Done(0);
        }
        self.rewrite()
    }

    fn rewrite(&self) -> Step {
        Step::Rewrite(Compact {
            topic: self.topic.clone(),
            tp: self.tp,
            from: self.next,
            limit: self.limit,
            upto: self.upto,
            keys: Rc::clone(&self.found),
            before: self.compacted,
            now: self.now.timestamp,
        })
    }

    /// Takes what became of a slice.
    pub fn rewritten(&mut self, slice: &Rewritten) -> Step {
        self.slice(slice.bytes, slice.batches);
        self.removed += slice.removed;
        self.compacted = slice.compacted;
        match slice.next {
            Some(next) => {
                self.next = next;
                self.rewrite()
            }
            None => Step::Done(self.removed),
        }
    }

    fn slice(&mut self, bytes: usize, batches: usize) {
        let mean = bytes / batches.max(1);
        self.limit = (Self::SLICE_BYTES / mean.max(1)).clamp(1, Self::SLICE_BATCHES_MAX);
    }
}
