//! Sending: frames in, batches of each partition out.
//!
//! ```text
//! send(frames) -> lanes (one a partition) -> poll() -> Append -> stored() -> Done(call)
//! ```
//!
//! Group commit: one append transaction is in flight at a time, and whatever arrives meanwhile goes into the
//! next one. So there is never more than one append in flight a partition, and nothing waits for a timer.

mod frames;
mod lane;

use std::collections::VecDeque;
use std::rc::Rc;

pub use frames::{Frame, Frames, put_frame};
pub(super) use lane::Lane;

use crate::base::{
    Code, Error, Instant, Map, Now, Offset, ProducerId, Random, Sequence, Timestamp, TopicId, TopicPartition,
    partition_for_key,
};
use crate::client::backoff::Backoff;
use crate::log::batch::Compression;
use crate::log::ops::{Append, Appended, Bounds, Expected};
use crate::log::{Durability, TopicRow, unknown_partition};

/// Names a call of the application until it is answered.
pub type CallId = u64;

/// Where records of one send went: into one stored batch, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The partition.
    pub partition: i32,
    /// The offset of the first record.
    pub base: Offset,
    /// How many records.
    pub count: i32,
    /// The partition's log start offset.
    pub start: Offset,
    /// When they were appended, by the log; -1 where they carry their producer's time.
    pub append_time: Timestamp,
}

/// What the producer wants done.
pub enum Output {
    /// Run this transaction, then call [`Producer::stored`].
    Store(Rc<Append>),
    /// A send has ended.
    Done(CallId, Result<Vec<Sent>, Error>),
    /// Records were appended: tell whoever reads them.
    Appended(TopicPartition, Offset),
    /// Something else than an append has changed the partition: its topic may have another configuration now.
    Changed(TopicId),
}

struct Progress {
    batches_open: usize,
    sent: Vec<Sent>,
    failed: Option<Error>,
}

/// The producer of one node.
pub struct Producer {
    id: ProducerId,
    /// Where the sequences of new lanes begin: above all that were given out before. Together with `id` a sequence
    /// names a record for whoever reads its partition in Kafka, also where a topic was made anew meanwhile.
    sequence: Sequence,
    lanes: Map<TopicPartition, Lane>,
    calls: Map<CallId, Progress>,
    round_robin: Map<TopicId, u64>,
    random: Random,
    in_flight: Option<Rc<Append>>,
    retry_at: Option<Instant>,
    attempts: u32,
    outputs: VecDeque<Output>,
    /// How many appends a power cut could take when they ended, and how many of them it cannot any more.
    relaxed: u32,
    synced: u32,
    compression: Compression,
}

impl Producer {
    /// Records that may wait for storage, in bytes, before `send` is refused with `QUEUE_FULL`.
    const QUEUE_BYTES_MAX: usize = 64 << 20;
    /// What a record weighs, about, so that the list of many need not move while it grows.
    const FRAME_BYTES_GUESS: usize = 128;
    /// How often a failed transaction is tried again before its sends fail.
    const ATTEMPTS_MAX: u32 = 8;

    /// A producer that marks its batches with `id`.
    pub fn new(id: ProducerId, random: Random) -> Self {
        Self {
            id,
            sequence: 0,
            lanes: Map::new(),
            calls: Map::new(),
            round_robin: Map::new(),
            random,
            in_flight: None,
            retry_at: None,
            attempts: 0,
            outputs: VecDeque::new(),
            relaxed: 0,
            synced: 0,
            compression: Compression::None,
        }
    }

    /// Learns where a partition ends. It must precede the first send to the partition.
    pub fn learn(&mut self, tp: TopicPartition, bounds: Bounds) {
        let end = Expected { next: bounds.end, generation: bounds.generation, start: bounds.start };
        let (id, sequence) = (self.id, self.sequence);
        self.lanes.get_or_insert_with(tp, || Lane::new(id, sequence, end));
    }

    /// True if [`Producer::learn`] was called for every partition of `topic`.
    pub fn knows(&self, topic: &TopicRow) -> bool {
        topic.topic_partitions().all(|tp| self.lanes.contains_key(&tp))
    }

    /// How the records of the calls that come are to be compressed on their way to storage.
    pub fn compress(&mut self, compression: Compression) {
        self.compression = compression;
    }

    /// Takes the records of one call. All of them are taken, or none.
    ///
    /// # Errors
    /// `MESSAGE_TOO_LARGE`, `UNKNOWN_TOPIC_OR_PARTITION`, `INVALID_RECORD` where a compacted topic gets a record
    /// without a key, `QUEUE_FULL`, or `INVALID_REQUEST` for malformed frames.
    pub fn send(
        &mut self,
        now: Now,
        call: CallId,
        topic: &TopicRow,
        frames: &[u8],
        durability: Durability,
    ) -> Result<(), Error> {
        let queued: usize = self.lanes.values().map(Lane::bytes).sum();
        if queued > 0 && queued + frames.len() > Self::QUEUE_BYTES_MAX {
            let message = "64 MiB of records wait for storage already: wait for earlier sends to resolve";
            return Err(Error::new(Code::QueueFull, message));
        }
        let mut lanes = core::mem::take(&mut self.lanes);
        let (mut batches_open, mut strayed) = (0, None);
        let compression = self.compression;
        let placed = self.place(now, topic, frames, |tp, frame, append_time| match lanes.get_mut(&tp) {
            Some(lane) => {
                lane.compression = compression;
                batches_open += usize::from(lane.push(call, frame, durability, append_time));
            }
            None => strayed = Some(tp.partition),
        });
        self.lanes = lanes;
        placed?;
        if let Some(partition) = strayed {
            return Err(unknown_partition(partition));
        }
        let progress = Progress { batches_open, sent: Vec::new(), failed: None };
        self.calls.insert(call, progress);
        self.settle(call);
        Ok(())
    }

    /// Finds the partition and the append time of each record of a call; all of them, or none.
    pub(super) fn place(
        &mut self,
        now: Now,
        topic: &TopicRow,
        frames: &[u8],
        mut put: impl FnMut(TopicPartition, &Frame<'_>, Option<Timestamp>),
    ) -> Result<(), Error> {
        let mut taken = Vec::with_capacity(frames.len() / Self::FRAME_BYTES_GUESS + 1);
        for frame in Frames::new(frames) {
            taken.push(frame?);
        }
        let frames: Vec<Frame<'_>> = taken;
        check(topic, &frames)?;
        let append_time = topic.config.log_append_time().then_some(now.timestamp);
        for frame in &frames {
            let partition = self.partition(topic, frame);
            put(TopicPartition { topic: topic.id, partition }, frame, append_time);
        }
        Ok(())
    }

    fn partition(&mut self, topic: &TopicRow, frame: &Frame<'_>) -> i32 {
        if frame.partition >= 0 {
            return frame.partition;
        }
        if let Some(key) = frame.key {
            return partition_for_key(key, topic.partitions);
        }
        let random = &mut self.random;
        let next = self.round_robin.get_or_insert_with(topic.id, || random.next_u64() >> 1);
        *next += 1;
        (*next % topic.partitions.max(1) as u64) as i32
    }

    /// Starts the next transaction, if none runs and something waits.
    fn start(&mut self) {
        if self.in_flight.is_some() || self.retry_at.is_some() {
            return;
        }
        let mut append = Append { entries: Vec::new(), durability: Durability::Relaxed };
        for (tp, lane) in self.lanes.iter_mut() {
            if let Some((entry, durability)) = lane.take_off(*tp) {
                append.durability = append.durability.max(durability);
                append.entries.push(entry);
            }
        }
        if append.entries.is_empty() {
            return;
        }
        let append = Rc::new(append);
        self.in_flight = Some(append.clone());
        self.outputs.push_back(Output::Store(append));
    }

    /// The transaction in flight has ended.
    pub fn stored(&mut self, now: Now, result: Result<Vec<Result<Appended, Error>>, Error>) {
        let Some(append) = self.in_flight.take() else { return };
        match result {
            Ok(answers) => {
                self.attempts = 0;
                self.wrote(append.durability);
                for (entry, answer) in append.entries.iter().zip(answers) {
                    self.landed(entry.tp, answer);
                }
            }
            Err(error) if error.code() == Code::StorageConflict => self.put_back(&append, false),
            // With the quota used up, whoever runs the transactions has made room already, or there is none.
            Err(error)
                if error.retriable()
                    && error.code() != Code::StorageQuotaExceeded
                    && (self.attempts < Self::ATTEMPTS_MAX || unknown(&append, &error)) =>
            {
                self.attempts = self.attempts.saturating_add(1);
                let wait = Backoff::STORAGE.delay(self.attempts, &mut self.random);
                self.retry_at = Some(now.instant + wait);
                self.put_back(&append, error.code() == Code::StorageUnknownOutcome);
            }
            Err(error) => {
                self.attempts = 0;
                for entry in &append.entries {
                    self.landed(entry.tp, Err(error.clone()));
                }
            }
        }
    }

    fn put_back(&mut self, append: &Append, unknown: bool) {
        for entry in &append.entries {
            if let Some(lane) = self.lanes.get_mut(&entry.tp) {
                lane.put_back(entry, unknown);
            }
        }
    }

    fn landed(&mut self, tp: TopicPartition, answer: Result<Appended, Error>) {
        let Some(lane) = self.lanes.get_mut(&tp) else { return };
        let landed = lane.landed(&answer);
        if landed.changed {
            self.outputs.push_back(Output::Changed(tp.topic));
        }
        if let Ok(appended) = &answer {
            self.outputs.push_back(Output::Appended(tp, appended.end.next));
        }
        for share in landed.shares {
            let Some(progress) = self.calls.get_mut(&share.call) else { continue };
            progress.batches_open -= 1;
            match &answer {
                Ok(appended) => {
                    let (base, start) = (appended.base + share.first, appended.end.start);
                    let (partition, count, append_time) = (tp.partition, share.count, share.append_time);
                    progress.sent.push(Sent { partition, base, count, start, append_time });
                }
                Err(error) => progress.failed = Some(error.clone()),
            }
            self.settle(share.call);
        }
    }

    fn settle(&mut self, call: CallId) {
        if self.calls.get(&call).is_none_or(|progress| progress.batches_open > 0) {
            return;
        }
        if let Some(progress) = self.calls.remove(&call) {
            self.outputs.push_back(Output::Done(call, progress.failed.map_or(Ok(progress.sent), Err)));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        if self.retry_at.is_some_and(|at| at <= now.instant) {
            self.retry_at = None;
        }
    }

    /// When [`Producer::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// What is to be done next. What was sent since the last time shares a transaction.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.start();
        }
        self.outputs.pop_front()
    }

    /// The partitions of the transaction in flight, in its order.
    pub fn in_flight(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.in_flight.iter().flat_map(|append| append.entries.iter().map(|entry| entry.tp))
    }

    /// True if nothing waits to be stored.
    pub fn idle(&self) -> bool {
        self.in_flight.is_none() && self.lanes.values().all(|lane| lane.bytes() == 0)
    }

    /// Records were stored, here or by a transaction.
    pub fn wrote(&mut self, durability: Durability) {
        if durability == Durability::Relaxed {
            self.relaxed = self.relaxed.wrapping_add(1);
        }
    }

    /// Where [`Producer::synced`] is to be told that a power cut could take nothing; `None` if that is so already.
    pub fn unsynced(&self) -> Option<u32> {
        (self.relaxed != self.synced).then_some(self.relaxed)
    }

    /// Nothing of what there was when [`Producer::unsynced`] answered `relaxed` can be lost any more.
    pub fn synced(&mut self, relaxed: u32) {
        self.synced = relaxed;
    }

    /// Drops what was believed of a topic; what waits for it looks the end up again, or fails where it is gone.
    pub fn forget(&mut self, topic: TopicId) {
        let reached = self.lanes.values().map(Lane::sequence).max();
        self.sequence = self.sequence.max(reached.unwrap_or(0));
        self.lanes.retain(|tp, lane| tp.topic != topic || lane.bytes() > 0);
        self.lanes.iter_mut().filter(|(tp, _)| tp.topic == topic).for_each(|(_, lane)| lane.forget());
    }
}

/// True where some of it may be stored without anybody having heard of it: then it is tried again until that is known.
fn unknown(append: &Append, error: &Error) -> bool {
    error.code() == Code::StorageUnknownOutcome
        || append.entries.iter().any(|entry| entry.attempted_from.is_some())
}

/// Whether a topic takes all the records of a call.
fn check(topic: &TopicRow, frames: &[Frame<'_>]) -> Result<(), Error> {
    let (limit, keyed) = (topic.config.max_message_bytes(), topic.config.compacts());
    for frame in frames {
        if frame.bytes_max() > limit {
            return Err(Error::new(
                Code::MessageTooLarge,
                format!(
                    "a record of {} bytes exceeds max.message.bytes = {limit} of its topic: split it, or raise the limit",
                    frame.bytes_max()
                ),
            ));
        }
        if frame.partition >= topic.partitions || frame.partition < -1 {
            return Err(unknown_partition(frame.partition));
        }
        if keyed && frame.key.is_none() {
            let message =
                "a compacted topic takes no record without a key: set one, or its cleanup.policy to delete";
            return Err(Error::new(Code::InvalidRecord, message));
        }
    }
    Ok(())
}
