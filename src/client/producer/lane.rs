use std::collections::VecDeque;

use super::{CallId, Frame};
use crate::base::{Error, Offset, ProducerId, Sequence, Timestamp, TopicPartition};
use crate::log::Durability;
use crate::log::batch::{Attributes, BatchBuilder, BatchOptions, Compression, TimestampType};
use crate::log::ops::{AppendEntry, Appended, Expected};

/// What waits for one partition, and what is believed of its end.
pub struct Lane {
    id: ProducerId,
    epoch: i16,
    sequence: Sequence,
    end: Option<Expected>,
    /// The partition's generation as last seen.
    generation: u64,
    /// No batch that is taken off from now on can land below this.
    floor: Offset,
    waiting: VecDeque<Batch>,
    in_flight: Option<Flight>,
    /// What the heaviest of the last batches weighed: the next one probably weighs as much.
    last_size: usize,
    /// How the records that come next are to be compressed.
    pub(super) compression: Compression,
}

/// The part of a batch that belongs to one call.
pub(super) struct Share {
    pub(super) call: CallId,
    /// The index of the call's first record in the batch; once it has landed, among all that landed with it.
    pub(super) first: i64,
    /// How many of its records are in the batch.
    pub(super) count: i32,
    /// When they are appended, where that is what they are to say; -1 where they have their own time.
    pub(super) append_time: Timestamp,
}

/// What batches were, once they have landed.
#[derive(Default)]
pub(super) struct Landed {
    pub(super) shares: Vec<Share>,
    /// Something else than an append has changed the partition since the last batch.
    pub(super) changed: bool,
}

struct Batch {
    builder: BatchBuilder,
    about: About,
}

/// Batches that one transaction appends, one after another. They stay together, however often it is tried.
struct Flight {
    /// Away while the transaction has them.
    batches: Vec<Vec<u8>>,
    size: usize,
    shares: Vec<Share>,
    durability: Durability,
    /// An attempt whose outcome is unknown may have put the batches at or after this offset.
    attempted_from: Option<Offset>,
}

struct About {
    shares: Vec<Share>,
    durability: Durability,
    /// See [`Share`].
    append_time: Timestamp,
    compression: Compression,
}

impl Lane {
    /// A batch is closed when it has grown to this. Chromium compresses a row, and puts it into a file of its own where
    /// it still has more than 64 KiB then, which takes twice the time: events get below that, also small ones, half of
    /// which is an id by chance. Smaller rows read slower.
    const BATCH_BYTES: usize = 104 << 10;
    /// A transaction takes no further batch when it has so many bytes: others wait for its end.
    const FLIGHT_BYTES: usize = 4 << 20;

    pub(super) fn new(id: ProducerId, sequence: Sequence, end: Expected) -> Self {
        let lane = Self::of_transaction(id, 0, sequence);
        Self { end: Some(end), generation: end.generation, floor: end.next, ..lane }
    }

    /// What a transaction has for one partition: it is appended where the partition ends at its commit.
    pub(crate) fn of_transaction(id: ProducerId, epoch: i16, sequence: Sequence) -> Self {
        Self {
            id,
            epoch,
            sequence,
            end: None,
            generation: 0,
            floor: 0,
            waiting: VecDeque::new(),
            in_flight: None,
            last_size: 0,
            compression: Compression::None,
        }
    }

    /// Takes a record of a transaction.
    pub(crate) fn buffer(&mut self, frame: &Frame<'_>, append_time: Option<Timestamp>) {
        self.push(0, frame, Durability::Strict, append_time);
    }

    /// The batches of a transaction, and what comes after their last sequence.
    pub(crate) fn into_batches(self) -> (Vec<Vec<u8>>, Sequence) {
        (self.waiting.into_iter().map(|batch| batch.builder.finish()).collect(), self.sequence)
    }

    /// The sequence of the next record.
    pub(super) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Takes a record; true if this is the call's first one in its batch. Where the topic says so, the record is given
    /// the time at which it is appended.
    pub(super) fn push(
        &mut self,
        call: CallId,
        frame: &Frame<'_>,
        durability: Durability,
        append_time: Option<Timestamp>,
    ) -> bool {
        let append_time = append_time.unwrap_or(-1);
        let open = self.waiting.back().is_some_and(|batch| {
            let fits = batch.builder.size() + frame.bytes_max() <= Self::BATCH_BYTES;
            let alike = batch.about.compression == self.compression;
            (fits || batch.builder.is_empty()) && alike && (batch.about.append_time < 0) == (append_time < 0)
        });
        if !open {
            self.open_batch(append_time);
        }
        let Some(batch) = self.waiting.back_mut() else { return false };
        let first = batch.builder.len() as i64;
        batch.builder.push(frame.timestamp, frame.key, frame.value, &frame.headers);
        batch.about.durability = batch.about.durability.max(durability);
        self.sequence = self.sequence.wrapping_add(1) & Sequence::MAX;
        if let Some(share) = batch.about.shares.last_mut().filter(|share| share.call == call) {
            share.count += 1;
            return false;
        }
        batch.about.shares.push(Share { call, first, count: 1, append_time: batch.about.append_time });
        true
    }

    fn open_batch(&mut self, append_time: Timestamp) {
        let stamped = append_time >= 0;
        let kind = if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let options = BatchOptions {
            attributes: Attributes(0)
                .with_timestamp_type(kind)
                .with_compression(self.compression)
                .with_mark(self.compression != Compression::None),
            max_timestamp: stamped.then_some(append_time),
            producer_id: self.id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
            partition_leader_epoch: 0,
            ..BatchOptions::default()
        };
        let builder = BatchBuilder::with_capacity(options, self.last_size);
        let (shares, durability) = (Vec::new(), Durability::Relaxed);
        let compression = self.compression;
        let about = About { shares, durability, append_time, compression };
        self.waiting.push_back(Batch { builder, about });
    }

    /// The bytes that are not stored yet.
    pub(super) fn bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|batch| batch.builder.size()).sum();
        waiting + self.in_flight.as_ref().map_or(0, |flight| flight.size)
    }

    /// The next batches, on their way into a transaction.
    pub(super) fn take_off(&mut self, tp: TopicPartition) -> Option<(AppendEntry, Durability)> {
        if self.in_flight.is_none() {
            self.in_flight = self.seal();
        }
        let flight = self.in_flight.as_mut()?;
        let batches = core::mem::take(&mut flight.batches);
        let (attempted_from, durability) = (flight.attempted_from, flight.durability);
        // What may have landed somewhere already must be looked for, not added at the believed end.
        let expected = self.end.filter(|_| attempted_from.is_none());
        Some((AppendEntry { tp, batches, expected, attempted_from }, durability))
    }

    /// As many of the batches that wait as one transaction takes.
    fn seal(&mut self) -> Option<Flight> {
        let (batches, shares) = (Vec::new(), Vec::new());
        let mut flight =
            Flight { batches, size: 0, shares, durability: Durability::Relaxed, attempted_from: None };
        let mut first = 0;
        self.last_size = 0;
        while flight.size < Self::FLIGHT_BYTES
            && let Some(Batch { builder, about }) = self.waiting.pop_front()
        {
            flight.durability = flight.durability.max(about.durability);
            let shares = about.shares.into_iter();
            flight.shares.extend(shares.map(|share| Share { first: first + share.first, ..share }));
            first += builder.len() as i64;
            let batch = builder.finish();
            self.last_size = self.last_size.max(batch.len());
            flight.size += batch.len();
            flight.batches.push(batch);
        }
        (flight.size > 0).then_some(flight)
    }

    /// The transaction wrote nothing, or nobody knows whether it did.
    pub(super) fn put_back(&mut self, entry: &AppendEntry, unknown: bool) {
        self.end = None;
        let Some(flight) = &mut self.in_flight else { return };
        flight.batches.clone_from(&entry.batches);
        if unknown {
            flight.attempted_from = flight.attempted_from.or(Some(self.floor));
        }
    }

    /// What is in flight has landed, or will never.
    pub(super) fn landed(&mut self, answer: &Result<Appended, Error>) -> Landed {
        self.end = answer.as_ref().ok().map(|appended| appended.end);
        let mut changed = false;
        if let Some(end) = self.end {
            self.floor = end.next;
            changed = core::mem::replace(&mut self.generation, end.generation) != end.generation;
        }
        let shares = self.in_flight.take().map_or(Vec::new(), |flight| flight.shares);
        Landed { shares, changed }
    }

    /// Forgets the believed end.
    pub(super) fn forget(&mut self) {
        self.end = None;
    }
}
