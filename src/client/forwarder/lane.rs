use super::row::DeliveryRow;
use super::{Answered, Claimed, Cut, Event, ForwarderOp, Outcome, WireBatch};
use crate::base::{Code, Error, Instant, Offset, ProducerId, Timestamp, TopicPartition};

/// The delivery of one partition by its owner.
pub(super) struct Lane {
    pub(super) tp: TopicPartition,
    /// How often in a row the batch at hand was not settled.
    pub(super) attempts: u32,
    state: State,
    /// The row as this owner wrote or read it last.
    row: Option<DeliveryRow>,
    end: Offset,
    /// When the records that wait have waited long enough.
    linger_until: Instant,
    not_before: Instant,
    fresh: ProducerId,
    doubts: bool,
    hurries: bool,
}

enum State {
    /// The row is to be read.
    Unclaimed,
    /// A transaction runs.
    Storing(Purpose),
    /// Nothing is on its way.
    Idle,
    /// The row is to be replaced by this one; where it must be done at once, not along with the next marker.
    Changing { row: DeliveryRow, doubt: bool, then: Option<Cut>, urgent: bool },
    /// The marker's records are to be read again.
    Marked,
    /// The wire batch is at hand, to be sent.
    Ready(Cut),
    /// It is on its way.
    Sent(Cut),
    /// Somebody must have a look first.
    Stuck,
}

enum Purpose {
    Claim,
    /// A stall: is the row still ours?
    Verify(Cut),
    Save { doubt: bool, then: Option<Cut> },
    Mark,
    Remark,
}

/// What a lane waits for.
pub(super) enum Next {
    Store(Instant),
    Send(Instant),
    Nothing,
}

impl Lane {
    /// So many records fill a wire batch well enough not to wait for more.
    const FULL_RECORDS: i64 = 1_000;
    /// Half of what a broker remembers of a producer (`producer.id.expiration.ms`, a day).
    const HALF_MEMORY_MS: Timestamp = 12 * 3_600_000;

    pub(super) fn claim(tp: TopicPartition, fresh: ProducerId) -> Self {
        Self {
            tp,
            attempts: 0,
            state: State::Unclaimed,
            row: None,
            end: 0,
            linger_until: 0,
            not_before: 0,
            fresh,
            doubts: false,
            hurries: false,
        }
    }

    fn committed(&self) -> Offset {
        self.row.as_ref().map_or(0, |row| row.committed)
    }

    pub(super) fn appended(&mut self, linger_until: Instant, end: Offset) {
        if self.end <= self.committed() {
            self.linger_until = linger_until;
        }
        self.end = self.end.max(end);
    }

    /// Sends what there is as soon as possible.
    pub(super) fn hurry(&mut self) {
        self.hurries = true;
    }

    /// Time went by unseen: the row is read again before anything is sent.
    pub(super) fn doubt(&mut self) {
        self.doubts = true;
    }

    pub(super) fn wait(&mut self, until: Instant) {
        self.not_before = until;
        self.state = match core::mem::replace(&mut self.state, State::Stuck) {
            State::Sent(cut) => State::Ready(cut),
            other => other,
        };
    }

    pub(super) fn wait_no_longer(&mut self) {
        self.not_before = 0;
    }

    pub(super) fn next(&self) -> Next {
        match &self.state {
            State::Unclaimed | State::Changing { .. } | State::Marked => Next::Store(self.not_before),
            State::Idle if self.end > self.committed() => Next::Store(self.idle_until()),
            State::Ready(_) if self.doubts => Next::Store(self.not_before),
            State::Ready(_) => Next::Send(self.not_before),
            State::Idle | State::Storing(_) | State::Sent(_) | State::Stuck => Next::Nothing,
        }
    }

    fn idle_until(&self) -> Instant {
        if self.fills(self.committed()) { self.not_before } else { self.not_before.max(self.linger_until) }
    }

    /// True if the records from `committed` on need not wait for more.
    fn fills(&self, committed: Offset) -> bool {
        let waiting = self.end - committed;
        waiting >= Self::FULL_RECORDS || (self.hurries && waiting > 0)
    }

    pub(super) fn may_store(&self, now: Instant) -> bool {
        matches!(self.next(), Next::Store(at) if at <= now)
    }

    /// The transaction that comes next.
    pub(super) fn next_op(&mut self, now: Instant, bytes_max: usize, fresh: ProducerId) -> Option<ForwarderOp> {
        debug_assert!(self.may_store(now));
        let (tp, claim) = (self.tp, ForwarderOp::Claim { tp: self.tp, fresh: self.fresh });
        let state = core::mem::replace(&mut self.state, State::Stuck);
        let (op, purpose) = match (state, self.row.clone()) {
            (State::Ready(cut), _) => (claim, Purpose::Verify(cut)),
            (State::Changing { row, urgent: false, .. }, Some(read)) if self.fills(row.committed) => {
                (ForwarderOp::Mark { tp, read, row, bytes_max, fresh }, Purpose::Mark)
            }
            (State::Changing { row, doubt, then, .. }, Some(read)) => {
                (ForwarderOp::Save { tp, read, row, doubt }, Purpose::Save { doubt, then })
            }
            (State::Idle, Some(read)) => {
                let row = read.clone();
                (ForwarderOp::Mark { tp, read, row, bytes_max, fresh }, Purpose::Mark)
            }
            (State::Marked, Some(read)) => (ForwarderOp::Remark { tp, read }, Purpose::Remark),
            (_, _) => (claim, Purpose::Claim),
        };
        self.state = State::Storing(purpose);
        Some(op)
    }

    /// A transaction has ended.
    pub(super) fn stored(
        &mut self,
        result: Result<Claimed, Error>,
        fresh: ProducerId,
        linger_until: Instant,
        retry_at: Instant,
    ) -> Option<Event> {
        let state = core::mem::replace(&mut self.state, State::Stuck);
        let State::Storing(purpose) = state else {
            self.state = state;
            return None;
        };
        match result {
            Ok(claimed) => self.succeeded(purpose, claimed, fresh, linger_until),
            Err(error) if error.code() == Code::DeliveryFenced => {
                self.state = State::Unclaimed;
                None
            }
            // Whether it was written or not, the row tells.
            Err(error) if error.retriable() => {
                self.attempts += 1;
                self.not_before = retry_at;
                self.state = State::Unclaimed;
                None
            }
            Err(error) => Some(Event::Stuck { partition: self.tp.partition, error }),
        }
    }

    fn succeeded(
        &mut self,
        purpose: Purpose,
        claimed: Claimed,
        fresh: ProducerId,
        linger_until: Instant,
    ) -> Option<Event> {
        let before = self.row.replace(claimed.row.clone());
        self.end = self.end.max(claimed.end);
        let row = claimed.row;
        let resting = if row.marker.is_some() { State::Marked } else { State::Idle };
        self.state = match (purpose, claimed.cut) {
            (Purpose::Verify(cut), _) if before.as_ref() == Some(&row) => State::Ready(cut),
            (Purpose::Save { doubt: false, then: Some(cut) }, _) => State::Ready(cut),
            (Purpose::Mark | Purpose::Remark, Some(cut)) => State::Ready(cut),
            // Records of the marker are gone: what is left of it goes under a new epoch, and says so.
            (Purpose::Remark, None) => {
                let start = row.committed;
                State::Changing { row: row.clone().next_epoch(start, fresh), doubt: true, then: None, urgent: true }
            }
            (Purpose::Mark, None) => {
                self.end = row.committed.max(claimed.end);
                resting
            }
            _ => resting,
        };
        self.doubts = false;
        let partition = self.tp.partition;
        if self.end <= row.committed {
            self.hurries = false;
        } else if before.as_ref().is_some_and(|before| before.committed < row.committed) {
            self.linger_until = linger_until;
        }
        let before = before?;
        if row.uncertain > before.uncertain {
            return Some(Event::Uncertain { partition, until: row.uncertain });
        }
        (row.committed > before.committed).then_some(Event::Delivered { partition, committed: row.committed })
    }

    /// The size of the batch that may be sent now.
    pub(super) fn ready(&self, now: Instant) -> Option<usize> {
        match &self.state {
            State::Ready(cut) if !self.doubts && self.not_before <= now => Some(cut.bytes.len()),
            _ => None,
        }
    }

    /// The batch, on its way.
    pub(super) fn send(&mut self, topic: &str, partitions: i32) -> Option<WireBatch> {
        let row = self.row.as_ref()?;
        let State::Ready(cut) = core::mem::replace(&mut self.state, State::Stuck) else { return None };
        let batch = WireBatch {
            topic: topic.to_string(),
            partition: self.tp.partition,
            partitions,
            producer_id: row.producer_id,
            epoch: row.epoch,
            base_sequence: row.sequence(cut.first),
            first: cut.first,
            last: cut.last,
            uncertain: cut.first < row.uncertain,
            signature: row.signature.clone(),
            signed_at: row.signed_at,
            bytes: cut.bytes.clone(),
        };
        self.state = State::Sent(cut);
        Some(batch)
    }

    /// The batch that was sent has its answer.
    pub(super) fn answered(
        &mut self,
        answer: &Answered,
        fresh: ProducerId,
        linger_until: Instant,
        retry_at: Instant,
    ) -> Vec<Event> {
        let Some(row) = self.row.clone() else { return Vec::new() };
        let state = core::mem::replace(&mut self.state, State::Stuck);
        let State::Sent(cut) = state else {
            self.state = state;
            return Vec::new();
        };
        let signed = |mut row: DeliveryRow| {
            if let Some((signature, at)) = &answer.signature {
                row.signature.clone_from(signature);
                row.signed_at = *at;
            }
            row
        };
        let mut events = Vec::new();
        let committed = row.committed;
        let change = |row, doubt, urgent| State::Changing { row, doubt, then: None, urgent };
        self.not_before = 0;
        self.state = match answer.outcome {
            Outcome::Accepted | Outcome::Duplicate => {
                self.attempts = 0;
                self.linger_until = linger_until;
                change(signed(row).settled(), false, false)
            }
            Outcome::DeadLettered => {
                self.attempts = 0;
                let (partition, first, last) = (self.tp.partition, cut.first, cut.last);
                events.push(Event::DeadLettered { partition, first, last });
                change(signed(row).settled().next_epoch(last + 1, fresh), false, true)
            }
            Outcome::Unregistered => {
                self.attempts += 1;
                if self.attempts > 1 || answer.signature.is_none() {
                    self.not_before = retry_at;
                }
                let renewed = signed(row.clone());
                // So old a marker may have been forgotten by a broker that had stored it.
                let old = row.signed_at > 0 && renewed.signed_at - row.signed_at > Self::HALF_MEMORY_MS;
                State::Changing { row: renewed, doubt: old, then: Some(cut), urgent: true }
            }
            // Where another owner has moved on meanwhile, the comparison refuses the change, and the row is read.
            Outcome::OutOfOrder => change(signed(row).next_epoch(committed, fresh), true, true),
            Outcome::Diverged | Outcome::Fenced => change(row.next_identity(fresh), true, true),
            Outcome::Refused | Outcome::Busy => State::Ready(cut),
        };
        events
    }
}
