//! What a partition remembers of one producer, so that a batch is stored once however often it is sent.

use super::batch::BatchHeader;
use crate::base::{Code, Error, Offset, Reader, Sequence, Timestamp, Writer};

/// Kafka's `producer.id.expiration.ms`: after a day without a batch a producer is forgotten.
pub const PRODUCER_ID_EXPIRATION_MS: i64 = 86_400_000;

/// How many batches are remembered, and so how many may be on their way at once.
const BATCHES_MAX: usize = 5;

/// What is remembered of a producer. The default knows nothing, and admits any first batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    epoch: i16,
    last_timestamp: Timestamp,
    batches: Vec<Batch>,
}

/// A batch that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Batch {
    /// Of its first and its last record.
    sequences: (Sequence, Sequence),
    base_offset: Offset,
}

impl Batch {
    fn new(header: &BatchHeader, base_offset: Offset) -> Self {
        Self { sequences: (header.base_sequence, header.last_sequence()), base_offset }
    }
}

/// What is to be done with a batch that no rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Store it.
    Append,
    /// It is stored already: acknowledge it again.
    Duplicate {
        /// Where the stored batch begins.
        base_offset: Offset,
    },
}

impl Default for ProducerState {
    fn default() -> Self {
        Self { epoch: -1, last_timestamp: -1, batches: Vec::new() }
    }
}

impl ProducerState {
    const VERSION: u8 = 1;

    /// Whether a batch of this producer is the next one. A control batch has no sequence: only its epoch counts.
    ///
    /// # Errors
    /// [`Code::InvalidProducerEpoch`] for an older incarnation of the producer, [`Code::OutOfOrderSequence`] where
    /// records are missing before the batch, or some of it is stored already but not this very batch,
    /// [`Code::InvalidRecord`] where a sequence is missing.
    pub fn check(&self, header: &BatchHeader) -> Result<Admission, Error> {
        let same_epoch = header.producer_epoch == self.epoch;
        let sent = Batch::new(header, header.base_offset);
        let stored = self.batches.iter().find(|batch| batch.sequences == sent.sequences);
        if let Some(batch) = stored.filter(|_| same_epoch) {
            return Ok(Admission::Duplicate { base_offset: batch.base_offset });
        }
        if header.producer_epoch < self.epoch {
            return Err(self.fenced(header));
        }
        if header.attributes.is_control() {
            return Ok(Admission::Append);
        }
        if header.base_sequence < 0 {
            return Err(Error::new(Code::InvalidRecord, "a batch with a producer id carries a sequence too"));
        }
        let expected = if same_epoch { self.next_sequence() } else { 0 };
        if self.epoch < 0 || header.base_sequence == expected {
            return Ok(Admission::Append);
        }
        Err(out_of_order(header, expected))
    }

    /// Remembers a batch that is stored from `base_offset` on, at `now`.
    pub fn record(&mut self, header: &BatchHeader, base_offset: Offset, now: Timestamp) {
        if header.producer_epoch != self.epoch {
            self.epoch = header.producer_epoch;
            self.batches.clear();
        }
        self.last_timestamp = now;
        if header.attributes.is_control() {
            return;
        }
        if self.batches.len() == BATCHES_MAX {
            self.batches.remove(0);
        }
        self.batches.push(Batch::new(header, base_offset));
    }

    /// True once the producer has been silent for so long that it is to be forgotten.
    pub fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        now.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    /// The row's bytes: a version, the epoch, when the last batch came, then the batches.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.i16(self.epoch);
        writer.i64(self.last_timestamp);
        for batch in &self.batches {
            writer.i32(batch.sequences.0);
            writer.i32(batch.sequences.1);
            writer.i64(batch.base_offset);
        }
        writer.finish()
    }

    /// The state from its row.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| corrupt())
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != Self::VERSION {
            return Err(corrupt());
        }
        let mut state = Self { epoch: reader.i16()?, last_timestamp: reader.i64()?, batches: Vec::new() };
        while !reader.rest().is_empty() {
            let sequences = (reader.i32()?, reader.i32()?);
            state.batches.push(Batch { sequences, base_offset: reader.i64()? });
        }
        if state.batches.len() <= BATCHES_MAX { Ok(state) } else { Err(corrupt()) }
    }

    /// What the next batch of this epoch begins with; after 2147483647 comes 0.
    fn next_sequence(&self) -> Sequence {
        self.batches.last().map_or(0, |batch| batch.sequences.1.wrapping_add(1) & Sequence::MAX)
    }

    fn fenced(&self, header: &BatchHeader) -> Error {
        let (id, own, newer) = (header.producer_id, header.producer_epoch, self.epoch);
        let message = format!("producer {id} with epoch {own} was replaced by epoch {newer}: it must stop");
        Error::new(Code::InvalidProducerEpoch, message)
    }
}

fn out_of_order(header: &BatchHeader, expected: Sequence) -> Error {
    let (id, epoch, base) = (header.producer_id, header.producer_epoch, header.base_sequence);
    let message = format!("producer {id} with epoch {epoch} sent sequence {base}: {expected} comes next");
    Error::new(Code::OutOfOrderSequence, message)
}

fn corrupt() -> Error {
    Error::new(Code::StorageCorrupt, "what is stored of a producer cannot be read")
}
