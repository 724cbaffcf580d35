use core::mem::replace;

use super::delivery::{Answered, Outcome, WireBatch};
use super::event::Event;
use super::op::{Claimed, ForwarderOp};
use super::row::DeliveryRow;
use super::state::{Change, Context, Purpose, State};
use super::wire::Cut;
use crate::base::{Code, Error, ErrorKind, Instant, Now, Offset, Timestamp, TopicPartition};
use crate::client::backoff::Backoff;

/// The delivery of one partition by its owner.
pub(super) struct Lane {
    pub(super) tp: TopicPartition,
    /// How often in a row the batch at hand was not settled.
    pub(super) attempts: u32,
    state: State,
    /// The row as this owner wrote or read it last.
    row: Option<DeliveryRow>,
    end: Offset,
    /// When the first of the records beyond the batch at hand has waited long enough.
    due: Instant,
    /// When the batch at hand has.
    send_at: Instant,
    /// The batch at hand was marked before its time, so that a page that dies meanwhile can still send it. It has not
    /// left this owner, and may be cut anew.
    early: bool,
    not_before: Instant,
    /// What the batch at hand was first sent as.
    name: Option<u64>,
    /// When this owner was given the signature.
    signed: Option<Instant>,
    batches_max: usize,
    /// When to look for records of which no notice came.
    look_at: Instant,
    doubts: bool,
    hurries: bool,
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
    /// How many stored batches are read for a wire batch at least.
    const BATCHES_MIN: usize = 16;
    /// Half of what a broker remembers of a producer (`producer.id.expiration.ms`, a day).
    const HALF_MEMORY_MS: Timestamp = 12 * 3_600_000;
    /// A signature that looks as old as this has run out, even if this clock is some hours wrong.
    const AGED_MS: Timestamp = Self::HALF_MEMORY_MS / 2;
    /// A notice of records may be lost: a partition is looked at so often.
    const LOOK_MS: u64 = 30_000;
    /// An owner that the group does not know as such tries again so much later.
    const FENCED_MS: u64 = 250;
    /// How long a signature holds.
    const SIGNED_MS: u64 = 3_600_000;

    pub(super) fn new(tp: TopicPartition) -> Self {
        Self {
            tp,
            attempts: 0,
            state: State::Unclaimed,
            row: None,
            end: 0,
            due: 0,
            send_at: 0,
            early: false,
            not_before: 0,
            name: None,
            signed: None,
            batches_max: Self::BATCHES_MIN,
            look_at: 0,
            doubts: false,
            hurries: false,
        }
    }

    /// Begins anew, for this partition. A transaction that still runs is waited for: there is never a second one.
    pub(super) fn reset(&mut self, tp: TopicPartition) {
        let state = replace(&mut self.state, State::Unclaimed);
        *self = Self::new(tp);
        if matches!(state, State::Storing(_)) {
            self.state = State::Storing(Purpose::Void);
        }
    }

    /// A lane that stopped tries again.
    pub(super) fn revive(&mut self) {
        if matches!(self.state, State::Stuck) {
            self.state = State::Unclaimed;
        }
    }

    fn committed(&self) -> Offset {
        self.row.as_ref().map_or(0, |row| row.committed)
    }

    pub(super) fn appended(&mut self, due: Instant, end: Offset) {
        let reached = self.row.as_ref().map_or(0, reached);
        if self.end <= reached {
            self.due = due;
        }
        self.end = self.end.max(end);
    }

    /// Marks what there is as soon as possible, until it is told to relax. What is marked goes as it is: the page may not
    /// live to see another marker.
    pub(super) fn hurry(&mut self, hurries: bool) {
        self.hurries = hurries;
        if hurries {
            self.due = 0;
            self.send_at = 0;
            self.early = false;
        }
    }

    /// True while it is worth waiting for what this lane is about to have.
    pub(super) fn hurries(&self) -> bool {
        self.hurries && self.storing()
    }

    pub(super) fn storing(&self) -> bool {
        matches!(self.state, State::Storing(_))
    }

    /// Time went by unseen: the row is read again before anything is sent.
    pub(super) fn doubt(&mut self) {
        self.doubts = true;
        self.early = false;
    }

    /// The batch, if it is on its way, is at hand again, to be sent at `at`.
    pub(super) fn wait(&mut self, at: Instant) {
        self.not_before = at;
        self.state = match replace(&mut self.state, State::Stuck) {
            State::Sent(cut) => State::Ready(cut),
            other => other,
        };
    }

    pub(super) fn wait_no_longer(&mut self) {
        self.not_before = 0;
    }

    pub(super) fn next(&self) -> Next {
        let at_once = if self.hurries { 0 } else { self.not_before };
        match &self.state {
            State::Unclaimed | State::Marked => Next::Store(at_once),
            State::Changing(_) => Next::Store(at_once),
            State::Idle if self.end > self.committed() => Next::Store(at_once),
            State::Idle => Next::Store(self.look_at),
            State::Ready(_) if self.doubts => Next::Store(at_once),
            State::Ready(cut) if self.grows(cut) => Next::Store(self.sends_at(cut).max(at_once)),
            State::Ready(cut) => Next::Send(self.sends_at(cut).max(self.not_before)),
            State::Storing(_) | State::Sent(_) | State::Stuck => Next::Nothing,
        }
    }

    /// When the records from `committed` on need not wait for more; `None` where there are none.
    fn due_at(&self, committed: Offset) -> Option<Instant> {
        let waiting = self.end - committed;
        let full = waiting >= Self::FULL_RECORDS || self.hurries;
        (waiting > 0).then_some(if full { 0 } else { self.due })
    }

    /// When the batch at hand need not wait for more.
    fn sends_at(&self, cut: &Cut) -> Instant {
        if self.early && self.end - cut.first >= Self::FULL_RECORDS { 0 } else { self.send_at }
    }

    /// True if the batch at hand takes what came since, before it is sent.
    fn grows(&self, cut: &Cut) -> bool {
        self.early && self.end > cut.last + 1
    }

    /// True if the next transaction cuts a wire batch that goes on waiting for more.
    pub(super) fn anticipates(&self, now: Instant) -> bool {
        let committed = match &self.state {
            State::Idle => self.committed(),
            State::Changing(change) if change.row.marker.is_none() => change.row.committed,
            _ => return false,
        };
        self.due_at(committed).is_some_and(|due| due > now)
    }

    pub(super) fn may_store(&self, now: Instant) -> bool {
        matches!(self.next(), Next::Store(at) if at <= now)
    }

    /// True if the next transaction is to cut a wire batch.
    pub(super) fn will_mark(&self) -> bool {
        match &self.state {
            State::Idle => self.end > self.committed(),
            State::Changing(change) => change.row.marker.is_none() && self.end > change.row.committed,
            State::Ready(cut) => !self.doubts && self.grows(cut),
            _ => false,
        }
    }

    /// The transaction that comes next.
    pub(super) fn next_op(&mut self, mut ctx: Context<'_>) -> ForwarderOp {
        let tp = self.tp;
        let marks = self.will_mark();
        let early = self.anticipates(ctx.now.instant);
        if marks {
            self.send_at = if early { self.due } else { 0 };
        }
        self.early = early;
        self.doubts = false;
        let state = replace(&mut self.state, State::Stuck);
        let (op, purpose) = match (state, self.row.clone()) {
            (State::Ready(_), Some(read)) if marks => {
                (self.mark(read.clone(), read.unmarked(), false, &mut ctx), Purpose::Mark(None))
            }
            (State::Ready(cut), _) => (self.claim(&mut ctx), Purpose::Verify(cut)),
            (State::Changing(change), Some(read)) => {
                let Change { row, doubt, then, event } = change;
                if marks {
                    (self.mark(read, row, doubt, &mut ctx), Purpose::Mark(event))
                } else {
                    let then = then.filter(|_| !doubt);
                    (ForwarderOp::Save { tp, read, row, doubt }, Purpose::Save(then, event))
                }
            }
            (State::Idle, Some(read)) if marks => {
                (self.mark(read.clone(), read, false, &mut ctx), Purpose::Mark(None))
            }
            (State::Marked, Some(read)) => (ForwarderOp::Remark { tp, read }, Purpose::Remark),
            (_, _) => (self.claim(&mut ctx), Purpose::Claim),
        };
        self.state = State::Storing(purpose);
        op
    }

    fn claim(&self, ctx: &mut Context<'_>) -> ForwarderOp {
        ForwarderOp::Claim { tp: self.tp, fresh: ctx.fresh() }
    }

    fn mark(&self, read: DeliveryRow, row: DeliveryRow, doubt: bool, ctx: &mut Context<'_>) -> ForwarderOp {
        let row = if self.aged(&row, ctx.now) { row.unsigned() } else { row };
        let (bytes_max, batches_max, fresh) = (ctx.bytes_max, self.batches_max, ctx.fresh());
        ForwarderOp::Mark { tp: self.tp, read, row, doubt, bytes_max, batches_max, fresh }
    }

    /// True if the signature has run out, as far as can be told here. A new marker then begins without one:
    /// otherwise it could not be told later that it was not taken as long ago as its signature was given.
    fn aged(&self, row: &DeliveryRow, now: Now) -> bool {
        let young = self.signed.is_some_and(|at| now.instant.saturating_sub(at) <= Self::SIGNED_MS);
        row.signed_at > 0 && !young && now.timestamp.saturating_sub(row.signed_at) > Self::AGED_MS
    }

    /// A transaction has ended.
    pub(super) fn stored(&mut self, result: Result<Claimed, Error>, mut ctx: Context<'_>) -> Vec<Event> {
        let purpose = match replace(&mut self.state, State::Stuck) {
            State::Storing(Purpose::Void) => {
                self.state = State::Unclaimed;
                return Vec::new();
            }
            State::Storing(purpose) => purpose,
            other => {
                self.state = other;
                return Vec::new();
            }
        };
        match result {
            Ok(claimed) => return self.succeeded(purpose, claimed, &mut ctx),
            Err(error) if error.code() == Code::DeliveryFenced => self.state = State::Unclaimed,
            // The member has another epoch by now, or is about to hear that the partition is another's.
            Err(error) if error.kind() == ErrorKind::Fenced || error.code() == Code::GroupIdNotFound => {
                self.hurries = false;
                self.not_before = self.not_before.max(ctx.now.instant + Self::FENCED_MS);
                self.state = State::Unclaimed;
            }
            // Whether it was written or not, the row tells.
            Err(error) if error.retriable() => {
                self.attempts += 1;
                self.hurries = false;
                self.not_before = self.not_before.max(ctx.after(Backoff::STORAGE, self.attempts));
                self.state = State::Unclaimed;
            }
            Err(error) => return vec![Event::Stuck { partition: self.tp.partition, error }],
        }
        Vec::new()
    }

    fn succeeded(&mut self, purpose: Purpose, claimed: Claimed, ctx: &mut Context<'_>) -> Vec<Event> {
        let Claimed { row, end, cut } = claimed;
        let before = self.row.replace(row.clone());
        self.end = self.end.max(end);
        self.look_at = ctx.now.instant + Self::LOOK_MS;
        let resting = if row.marker.is_some() { State::Marked } else { State::Idle };
        let mut event = None;
        self.state = match (purpose, cut) {
            (Purpose::Verify(cut), _) if before.as_ref() == Some(&row) => {
                // However long this took: else a slow storage would have it verified for ever.
                self.doubts = false;
                State::Ready(cut)
            }
            (Purpose::Save(then, told), _) => {
                event = told;
                then.map_or(resting, State::Ready)
            }
            (Purpose::Mark(told), Some(cut)) => {
                event = told;
                // What was there already, and did not fit, has waited as long as the rest.
                self.due = if end > cut.last + 1 { 0 } else { ctx.now.instant + ctx.linger_ms };
                self.batches_max = (cut.batches * 2).clamp(Self::BATCHES_MIN, ForwarderOp::BATCHES_MAX);
                self.name = None;
                State::Ready(cut)
            }
            (Purpose::Mark(told), None) => {
                event = told;
                self.end = row.committed;
                State::Idle
            }
            (Purpose::Remark, Some(cut)) => {
                self.name = None;
                self.send_at = 0;
                State::Ready(cut)
            }
            // Records of the marker are gone: what is left of it goes under a new epoch, and says so.
            (Purpose::Remark, None) => {
                self.due = 0;
                State::Changing(Change::doubting(row.clone().next_epoch(ctx.fresh())))
            }
            (Purpose::Void | Purpose::Claim | Purpose::Verify(_), _) => {
                self.due = 0;
                resting
            }
        };
        event.into_iter().chain(before.map_or_else(Vec::new, |before| self.progress(&before, &row))).collect()
    }

    fn progress(&self, before: &DeliveryRow, row: &DeliveryRow) -> Vec<Event> {
        let partition = self.tp.partition;
        let mut events = Vec::new();
        if row.uncertain > before.uncertain {
            events.push(Event::Uncertain { partition, until: row.uncertain });
        }
        if row.committed > before.committed {
            events.push(Event::Delivered { partition, committed: row.committed });
        }
        events
    }

    /// The size of the batch that may be sent now.
    pub(super) fn ready(&self, now: Instant) -> Option<usize> {
        match &self.state {
            State::Ready(cut)
                if !self.doubts
                    && !self.grows(cut)
                    && self.not_before <= now
                    && self.sends_at(cut) <= now =>
            {
                Some(cut.bytes.len())
            }
            _ => None,
        }
    }

    /// The size of the batch at hand, even if it is on its way, or waits.
    pub(super) fn held(&self) -> Option<usize> {
        match &self.state {
            State::Ready(cut) | State::Sent(cut) if !self.doubts => Some(cut.bytes.len()),
            _ => None,
        }
    }

    /// The batch, on its way in the request `ticket`, and its name. One that waits goes on waiting: nobody relies
    /// on the answer to a request that a dying page sends.
    pub(super) fn send(
        &mut self,
        now: Instant,
        ticket: u64,
        topic: &str,
        partitions: i32,
    ) -> Option<(WireBatch, u64)> {
        let row = self.row.as_ref()?;
        let (State::Ready(cut) | State::Sent(cut)) = &self.state else { return None };
        self.early = false;
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
        self.state = match replace(&mut self.state, State::Stuck) {
            State::Ready(cut) if self.not_before <= now => State::Sent(cut),
            other => other,
        };
        Some((batch, *self.name.get_or_insert(ticket)))
    }

    /// True if the batch at hand is the one of this name.
    pub(super) fn carries(&self, name: u64) -> bool {
        self.name == Some(name) && matches!(self.state, State::Ready(_) | State::Sent(_))
    }

    /// The batch at hand has its answer, one that is not to send it again as it is.
    pub(super) fn answered(&mut self, answer: &Answered, ctx: &mut Context<'_>) {
        let (State::Ready(cut) | State::Sent(cut), Some(row)) =
            (replace(&mut self.state, State::Stuck), self.row.clone())
        else {
            return;
        };
        let introduced = answer.outcome == Outcome::Unregistered && row.signature.is_empty();
        let row = match &answer.signature {
            Some((signature, at)) => {
                self.signed = Some(ctx.now.instant);
                DeliveryRow { signature: signature.clone(), signed_at: *at, ..row }
            }
            None => row,
        };
        let taken = matches!(answer.outcome, Outcome::Accepted | Outcome::Duplicate | Outcome::DeadLettered);
        self.attempts = if taken { 0 } else { self.attempts + u32::from(!introduced) };
        self.not_before = if self.attempts > 1 { ctx.after(Backoff::DELIVERY, self.attempts) } else { 0 };
        let partition = self.tp.partition;
        self.state = State::Changing(match answer.outcome {
            Outcome::Accepted | Outcome::Duplicate => Change::to(row.settled()),
            Outcome::DeadLettered => {
                let event = Event::DeadLettered { partition, first: cut.first, last: cut.last };
                Change { event: Some(event), ..Change::to(row.settled().next_epoch(ctx.fresh())) }
            }
            // Where another owner has moved on meanwhile, the comparison refuses the change, and the row is read.
            Outcome::OutOfOrder => self.doubted(row.next_epoch(ctx.fresh())),
            Outcome::Diverged | Outcome::Fenced => self.doubted(row.next_identity(ctx.fresh())),
            Outcome::Unregistered | Outcome::Refused | Outcome::Busy => self.renewed(row, cut, ctx.bytes_max),
        });
    }

    fn doubted(&mut self, row: DeliveryRow) -> Change {
        self.due = 0;
        Change::doubting(row)
    }

    /// A fresh signature. The same bytes go again, unless the marker is so old that a broker may have stored and
    /// then forgotten it, or is too large for this collector, which cannot have taken it.
    fn renewed(&mut self, mut row: DeliveryRow, cut: Cut, bytes_max: usize) -> Change {
        if row.marked_at == 0 {
            if cut.bytes.len() > bytes_max && cut.last > cut.first {
                self.due = 0;
                return Change::to(row.unmarked());
            }
            row.marked_at = row.signed_at;
        }
        let old = row.signed_at.saturating_sub(row.marked_at) > Self::HALF_MEMORY_MS;
        if old {
            row.marked_at = row.signed_at;
        }
        Change { doubt: old && cut.last >= row.uncertain, then: Some(cut), ..Change::to(row) }
    }
}

/// The offset after everything that is settled or at hand.
fn reached(row: &DeliveryRow) -> Offset {
    row.marker.map_or(row.committed, |(_, last)| last + 1)
}
