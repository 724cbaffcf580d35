//! Transactions: what is buffered until its commit, which is one storage transaction.
//!
//! ```text
//! initialised() -> begin(records, offsets) -> poll() -> CommitTransaction -> stored() -> Done(call)
//! ```
//!
//! Nothing is written before the commit, so an abort has nothing to undo, and a reader never meets a record that
//! is not committed. A commit whose outcome is unknown is tried again under the same number, until it is known.

mod op;

use std::collections::VecDeque;
use std::rc::Rc;

pub use op::CommitTransaction;

use super::backoff::Backoff;
use super::producer::{CallId, Lane, Producer};
use crate::base::{Code, Error, Instant, Map, Now, Offset, ProducerId, Random, Sequence, TopicPartition};
use crate::group::CommitOffsets;
use crate::log::ops::TransactionalRow;
use crate::log::{Durability, TopicRow};

/// What transactions want done.
pub enum Output {
    /// Run this transaction, then call [`Transactions::stored`].
    Store(Rc<CommitTransaction>),
    /// A commit has ended: the partitions that got records now end there.
    Done(CallId, Result<Vec<(TopicPartition, Offset)>, Error>),
}

/// The transactional producers of one node.
pub struct Transactions {
    producers: Map<String, Transactional>,
    random: Random,
    outputs: VecDeque<Output>,
}

/// One `transactional.id`.
struct Transactional {
    producer_id: ProducerId,
    epoch: i16,
    committed: i64,
    /// What the next batch of each partition begins with.
    sequences: Map<TopicPartition, Sequence>,
    commit: Option<Commit>,
}

/// A commit under way.
struct Commit {
    call: CallId,
    op: Rc<CommitTransaction>,
    sequences: Map<TopicPartition, Sequence>,
    attempts: u32,
    /// An attempt may have been written without anybody hearing of it.
    unknown: bool,
    retry_at: Option<Instant>,
}

/// The records of one topic in a transaction, framed.
pub struct Buffered {
    /// The topic.
    pub topic: TopicRow,
    /// Its records; see [`super::producer::Frame`].
    pub frames: Vec<u8>,
}

/// What a transaction commits.
pub struct Gathered {
    /// Its records.
    pub sends: Vec<Buffered>,
    /// What was consumed for them.
    pub offsets: Vec<CommitOffsets>,
    /// What the commit survives.
    pub durability: Durability,
}

impl Transactions {
    /// How often a commit that was certainly not written is tried again before it fails.
    const ATTEMPTS_MAX: u32 = 8;

    /// None yet.
    pub fn new(random: Random) -> Self {
        Self { producers: Map::new(), random, outputs: VecDeque::new() }
    }

    /// A `transactional.id` has begun a new epoch on this node.
    pub fn initialised(&mut self, transactional_id: String, row: &TransactionalRow) {
        let producer = Transactional {
            producer_id: row.producer_id,
            epoch: row.epoch,
            committed: row.committed,
            sequences: Map::new(),
            commit: None,
        };
        let replaced = self.producers.insert(transactional_id, producer).and_then(|old| old.commit);
        if let Some(commit) = replaced {
            let message =
                "There is a newer producer with the same transactionalId which fences the current one";
            self.outputs.push_back(Output::Done(commit.call, Err(Error::new(Code::ProducerFenced, message))));
        }
    }

    /// Commits. `producer` chooses the partitions of records that leave the choice.
    ///
    /// # Errors
    /// [`Code::ProducerFenced`], [`Code::ConcurrentTransactions`] while another commit of the id is under way, and what
    /// [`Producer::send`] refuses.
    pub fn begin(
        &mut self,
        now: Now,
        call: CallId,
        (transactional_id, producer_id, epoch): (String, ProducerId, i16),
        gathered: Gathered,
        producer: &mut Producer,
    ) -> Result<(), Error> {
        let Gathered { sends, offsets, durability } = gathered;
        let known = self.producers.get_mut(&transactional_id);
        let held = known.filter(|held| (held.producer_id, held.epoch) == (producer_id, epoch));
        let Some(held) = held else {
            let message = format!(
                "transactional.id \"{transactional_id}\" was not initialised here in epoch {epoch}, or is newer by now"
            );
            return Err(Error::new(Code::ProducerFenced, message));
        };
        if held.commit.is_some() {
            let message = "another transaction of this transactional.id is being committed: wait for it";
            return Err(Error::new(Code::ConcurrentTransactions, message));
        }
        let mut lanes: Map<TopicPartition, Lane> = Map::new();
        for Buffered { topic, frames } in &sends {
            let place = |tp: TopicPartition| {
                let sequence = held.sequences.get(&tp).copied().unwrap_or(0);
                Lane::of_transaction(producer_id, epoch, sequence)
            };
            producer.place(now, topic, frames, |tp, frame, append_time| {
                lanes.get_or_insert_with(tp, || place(tp)).buffer(frame, append_time);
            })?;
        }
        let mut records = Vec::with_capacity(lanes.len());
        let mut sequences = Map::new();
        for (tp, lane) in lanes.into_entries() {
            let (batches, next) = lane.into_batches();
            sequences.insert(tp, next);
            records.push((tp, batches));
        }
        let number = held.committed + 1;
        let now = now.timestamp;
        let op = Rc::new(CommitTransaction {
            transactional_id,
            producer_id,
            epoch,
            number,
            records,
            offsets,
            durability,
            now,
        });
        held.commit =
            Some(Commit { call, op: Rc::clone(&op), sequences, attempts: 0, unknown: false, retry_at: None });
        self.outputs.push_back(Output::Store(op));
        Ok(())
    }

    /// The transaction of `op` has ended.
    pub fn stored(
        &mut self,
        now: Now,
        op: &Rc<CommitTransaction>,
        result: Result<Vec<(TopicPartition, Offset)>, Error>,
    ) {
        let Some(held) = self.producers.get_mut(&op.transactional_id) else { return };
        let Some(mut commit) = held.commit.take_if(|commit| Rc::ptr_eq(&commit.op, op)) else { return };
        if let Err(error) = &result {
            commit.unknown |= error.code() == Code::StorageUnknownOutcome;
            let again = error.retriable() && (commit.unknown || commit.attempts < Self::ATTEMPTS_MAX);
            if again {
                commit.attempts = commit.attempts.saturating_add(1);
                commit.retry_at =
                    Some(now.instant + Backoff::STORAGE.delay(commit.attempts, &mut self.random));
                held.commit = Some(commit);
                return;
            }
        } else {
            held.committed = op.number;
            for (tp, next) in commit.sequences.into_entries() {
                held.sequences.insert(tp, next);
            }
        }
        self.outputs.push_back(Output::Done(commit.call, result));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        for held in self.producers.values_mut() {
            let Some(commit) = &mut held.commit else { continue };
            if commit.retry_at.take_if(|at| *at <= now.instant).is_some() {
                self.outputs.push_back(Output::Store(Rc::clone(&commit.op)));
            }
        }
    }

    /// When [`Transactions::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        self.producers.values().filter_map(|held| held.commit.as_ref()?.retry_at).min()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
