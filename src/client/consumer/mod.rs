//! Reading: positions of the assigned partitions, fetches one at a time.
//!
//! ```text
//! assign() -> FindPositions -> ready -> activate()
//! fetch()  -> Fetch -> enough records, or a wait for a notice that something was appended
//! stop()   -> what is under way is stale -> remove()
//! ```

mod position;

use std::collections::VecDeque;

use position::Position;
pub use position::Reset;

use crate::base::{Error, Instant, Map, Now, Offset, TopicId, TopicPartition};
use crate::client::producer::CallId;
use crate::group::{FindPositions, FoundPosition, Partitions};
use crate::log::ops::{Bounds, Fetch, Fetched, ListBounds};

/// What the consumer wants done.
pub enum Output {
    /// Run, then call [`Consumer::positions_found`] with this list of partitions and this number.
    FindPositions(FindPositions, u64),
    /// Run, then call [`Consumer::bounds_listed`] in the same way.
    ListBounds(ListBounds, u64),
    /// Run, then call [`Consumer::rechecked`] with this list of partitions.
    Recheck(ListBounds),
    /// Run, then call [`Consumer::fetched`] with this seek count.
    Fetch(Fetch, u64),
    /// Every assigned partition has a position.
    Ready,
    /// Records for a call of [`Consumer::fetch`]; `None` where it was woken instead.
    Records(CallId, Option<Records>),
    /// A fetch has failed.
    Failed(CallId, Error),
}

/// Whole batches of one partition, and from where they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The partition.
    pub tp: TopicPartition,
    /// The topic's name.
    pub topic: String,
    /// The first offset that was asked for; what lies before it in the first batch is to be skipped.
    pub from: Offset,
    /// The high watermark.
    pub end: Offset,
    /// The batches.
    pub batches: Vec<Vec<u8>>,
}

impl Records {
    fn bytes(&self) -> usize {
        self.batches.iter().map(Vec::len).sum()
    }
}

/// How much a call of [`Consumer::fetch`] wants, and how long it waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Kafka's `max.partition.fetch.bytes`. The first batch comes however large it is.
    pub bytes_max: usize,
    /// Kafka's `fetch.min.bytes`, over all partitions: with less, the call waits.
    pub bytes_min: usize,
    /// Kafka's `fetch.max.wait.ms`: after it the call ends with what there is.
    pub wait_ms: u64,
}

impl FetchLimits {
    /// Whatever there is, up to so many bytes, however long it takes.
    pub fn up_to(bytes_max: usize) -> Self {
        Self { bytes_max, bytes_min: 1, wait_ms: u64::MAX }
    }
}

/// A call of [`Consumer::fetch`] that was not answered.
#[derive(Clone, Copy)]
struct Waiting {
    call: CallId,
    limits: FetchLimits,
    /// `None` once the wait is over: the call ends with what the read under way brings.
    until: Option<Instant>,
}

/// The consumer of one application in one group.
pub struct Consumer {
    group: String,
    topics: Map<TopicId, String>,
    positions: Map<TopicPartition, Position>,
    /// The partition that is asked next, so that none starves.
    turn: usize,
    waiting: Option<Waiting>,
    /// Records that were read and not handed out: there are not enough of them. Their partitions are at the first of
    /// them still for everybody else.
    held: Vec<Records>,
    /// What was handed out last begins there: until the next call nobody has begun with it.
    handed: Option<(TopicPartition, Offset)>,
    /// There were enough, or the wait was over: what is left of them is handed out without a wait.
    enough: bool,
    in_flight: bool,
    /// Counts the assignments: what was looked up for an earlier one is void.
    lookups: u64,
    /// When to look up again what could not be read.
    look_up_at: Option<Instant>,
    recheck_at: Option<Instant>,
    /// No records were handed out since that was said.
    quiet: bool,
    outputs: VecDeque<Output>,
}

impl Consumer {
    /// So long after the last records the ends are looked up: a notice may have been lost.
    const RECHECK_MS: u64 = 5_000;
    /// And so often after that, where nothing comes.
    const RECHECK_IDLE_MS: u64 = 30_000;

    /// A consumer of `group`, with nothing assigned.
    pub fn new(group: String) -> Self {
        Self {
            group,
            topics: Map::new(),
            positions: Map::new(),
            turn: 0,
            waiting: None,
            held: Vec::new(),
            handed: None,
            enough: false,
            in_flight: false,
            lookups: 0,
            look_up_at: None,
            recheck_at: None,
            quiet: false,
            outputs: VecDeque::new(),
        }
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Assigns these partitions too. They are not read before [`Consumer::activate`].
    pub fn assign(&mut self, partitions: impl Iterator<Item = (TopicPartition, String, Reset)>) {
        // A fetch that an earlier owner of the position began, here too, says nothing of this one.
        let seeks = self.lookups << 32;
        for (tp, topic, reset) in partitions {
            self.topics.insert(tp.topic, topic);
            self.positions.get_or_insert_with(tp, || Position::new(reset, seeks));
        }
        self.look_up();
    }

    /// Finds the positions later, unless others were assigned since the look-up of this number.
    pub fn look_up_at(&mut self, lookup: u64, at: Instant) {
        if lookup == self.lookups {
            self.look_up_at = Some(at);
        }
    }

    /// Finds the positions that are not known; what was asked before is void.
    pub fn look_up(&mut self) {
        self.lookups += 1;
        self.look_up_at = None;
        let partitions: Vec<_> = self.unresolved().collect();
        self.outputs.push_back(if partitions.is_empty() {
            Output::Ready
        } else {
            Output::FindPositions(FindPositions { group: self.group.clone(), partitions }, self.lookups)
        });
    }

    /// The application knows what is assigned: it is read from now on.
    pub fn activate(&mut self) {
        self.positions.values_mut().for_each(Position::activate);
        self.start_fetch();
    }

    /// These partitions are about to be given up: they are read no more, and may still be committed.
    pub fn stop(&mut self, partitions: &Partitions) {
        self.drop_held(|tp| partitions.contains(tp));
        let stopped = self.positions.iter_mut().filter(|(tp, _)| partitions.contains(**tp));
        stopped.for_each(|(_, position)| position.stop());
    }

    /// Gives up all but these partitions.
    pub fn keep(&mut self, partitions: &Partitions) {
        self.drop_held(|tp| !partitions.contains(tp));
        self.positions.retain(|tp, _| partitions.contains(*tp));
    }

    /// These partitions are given up.
    pub fn remove(&mut self, partitions: &Partitions) {
        self.drop_held(|tp| partitions.contains(tp));
        self.positions.retain(|tp, _| !partitions.contains(*tp));
        let positions = &self.positions;
        self.topics.retain(|id, _| positions.keys().any(|tp| tp.topic == *id));
    }

    /// Gives everything up: the next [`Consumer::assign`] begins at what was committed.
    pub fn revoke(&mut self) {
        self.lookups += 1;
        self.look_up_at = None;
        self.positions.clear();
        self.held.clear();
        self.wake();
    }

    fn unresolved(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        self.positions.iter().filter(|(_, position)| position.next.is_none()).map(|(tp, _)| *tp)
    }

    /// What the group had committed for `partitions`, and their ends.
    pub fn positions_found(&mut self, lookup: u64, partitions: &[TopicPartition], found: &[FoundPosition]) {
        if lookup != self.lookups {
            return;
        }
        for (tp, found) in partitions.iter().zip(found) {
            if let Some(position) = self.positions.get_mut(tp) {
                position.begin_at(found);
            }
        }
        let partitions: Vec<_> = self.unresolved().collect();
        self.outputs.push_back(if partitions.is_empty() {
            Output::Ready
        } else {
            Output::ListBounds(ListBounds { partitions }, lookup)
        });
    }

    /// The ends of `partitions`, for those that have no position of their own.
    pub fn bounds_listed(&mut self, lookup: u64, partitions: &[TopicPartition], bounds: &[Bounds]) {
        if lookup != self.lookups {
            return;
        }
        for (tp, bounds) in partitions.iter().zip(bounds) {
            if let Some(position) = self.positions.get_mut(tp) {
                position.reset_to(*bounds);
            }
        }
        if self.unresolved().next().is_none() {
            self.outputs.push_back(Output::Ready);
        }
        self.start_fetch();
    }

    /// Asks for records; one call at a time: false where another one waits.
    pub fn fetch(&mut self, now: Now, call: CallId, limits: FetchLimits) -> bool {
        if self.waiting.is_some() {
            return false;
        }
        // What one partition may bring is always enough: the others may have nothing.
        let bytes_min = limits.bytes_min.min(limits.bytes_max);
        let until = Some(now.instant.saturating_add(limits.wait_ms));
        self.waiting = Some(Waiting { call, limits: FetchLimits { bytes_min, ..limits }, until });
        self.handed = None;
        self.recheck(now);
        self.hand_out();
        self.start_fetch();
        true
    }

    /// Ends a waiting fetch without records. What is held comes with the next one.
    pub fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.outputs.push_back(Output::Records(waiting.call, None));
        }
    }

    /// Looks at the ends again from time to time, of all partitions in one transaction, however often fetches end
    /// meanwhile.
    fn recheck(&mut self, now: Now) {
        let soon = now.instant + Self::RECHECK_MS;
        let known = self.recheck_at.unwrap_or(soon);
        let at = if core::mem::replace(&mut self.quiet, true) { known } else { known.min(soon) };
        let due = at <= now.instant;
        self.recheck_at = Some(if due { now.instant + Self::RECHECK_IDLE_MS } else { at });
        if !due {
            return;
        }
        let read = self.positions.iter().filter(|(_, position)| position.wants_end());
        let partitions: Vec<_> = read.map(|(tp, _)| *tp).collect();
        if !partitions.is_empty() {
            self.outputs.push_back(Output::Recheck(ListBounds { partitions }));
        }
    }

    /// Answers the call that waits with some of what is held, where that is enough.
    fn hand_out(&mut self) {
        let Some(waiting) = self.waiting else { return };
        let enough = self.held.iter().map(Records::bytes).sum::<usize>() >= waiting.limits.bytes_min;
        if !self.held.is_empty() && (enough || self.enough) {
            let records = self.held.remove(0);
            self.enough = !self.held.is_empty();
            self.handed = Some((records.tp, records.from));
            self.waiting = None;
            self.quiet = false;
            self.outputs.push_back(Output::Records(waiting.call, Some(records)));
        }
    }

    fn hold(&mut self, records: Records) {
        match self.held.iter_mut().find(|held| held.tp == records.tp) {
            Some(held) => {
                held.end = records.end;
                held.batches.extend(records.batches);
            }
            None => self.held.push(records),
        }
    }

    /// These partitions are read again from where they are, if at all.
    fn drop_held(&mut self, dropped: impl Fn(TopicPartition) -> bool) {
        for records in &self.held {
            if let Some(position) = self.positions.get_mut(&records.tp).filter(|_| dropped(records.tp)) {
                position.fetched_to(records.from);
            }
        }
        self.held.retain(|records| !dropped(records.tp));
    }

    fn start_fetch(&mut self) {
        let Some(Waiting { limits, until, .. }) = self.waiting.filter(|_| !self.in_flight) else { return };
        let count = self.positions.len();
        let turns = (0..count).map(|step| (self.turn + step) % count.max(1));
        for index in turns {
            let Some((tp, position)) = self.positions.iter().nth(index) else { continue };
            let Some(offset) = position.wants() else { continue };
            let fetch = Fetch { tp: *tp, offset, batches_max: position.batches_for(limits.bytes_max) };
            self.outputs.push_back(Output::Fetch(fetch, position.seeks));
            self.in_flight = true;
            self.turn = index + 1;
            return;
        }
        if until.is_none() {
            self.wake();
        }
    }

    /// A fetch has ended.
    pub fn fetched(
        &mut self,
        tp: TopicPartition,
        offset: Offset,
        seeks: u64,
        result: Result<Fetched, Error>,
    ) {
        self.in_flight = false;
        // A seek, a pause or a revocation meanwhile makes the answer stale: the records are read again when wanted.
        let position =
            self.positions.get_mut(&tp).filter(|position| position.seeks == seeks && position.active());
        match (position, result) {
            (None, _) => {}
            (Some(_), Err(error)) => {
                if let Some(waiting) = self.waiting.take() {
                    self.outputs.push_back(Output::Failed(waiting.call, error));
                }
                return;
            }
            (Some(position), Ok(mut fetched)) => {
                let limit = self.waiting.map_or(0, |waiting| waiting.limits.bytes_max);
                let held = self.held.iter().find(|held| held.tp == tp).map_or(0, Records::bytes);
                let found = fetched.batches.len();
                let next = position.took(offset, &mut fetched, (held, limit));
                if self.waiting.is_some() {
                    // A partition that brings as much as it may is enough by itself.
                    self.enough |= fetched.batches.len() < found;
                    if let Some(next) = next {
                        position.fetched_to(next);
                        let topic = self.topics.get(&tp.topic).cloned().unwrap_or_default();
                        let (end, batches) = (fetched.end, fetched.batches);
                        self.hold(Records { tp, topic, from: offset, end, batches });
                    }
                    self.hand_out();
                }
            }
        }
        self.start_fetch();
    }

    /// What the look at the ends has found. Where it failed, fetches tell why.
    pub fn rechecked(&mut self, partitions: &[TopicPartition], bounds: Option<&[Bounds]>) {
        for (index, tp) in partitions.iter().enumerate() {
            if let Some(position) = self.positions.get_mut(tp) {
                position.end_found(bounds.and_then(|bounds| bounds.get(index)));
            }
        }
        self.start_fetch();
    }

    /// There is no such partition any more: it is read no more, until the group says what is there instead.
    pub fn gone(&mut self, tp: TopicPartition) {
        self.in_flight = false;
        self.drop_held(|held| held == tp);
        if let Some(position) = self.positions.get_mut(&tp) {
            position.stop();
        }
        self.start_fetch();
    }

    /// Records were appended: the partition now ends at `end`.
    pub fn appended(&mut self, tp: TopicPartition, end: Offset) {
        if let Some(position) = self.positions.get_mut(&tp) {
            position.appended(end);
            self.start_fetch();
        }
    }

    /// Reads on from `offset`; -1 is the end, -2 the beginning.
    pub fn seek(&mut self, tp: TopicPartition, offset: Offset) {
        self.drop_held(|held| held == tp);
        self.handed.take_if(|(handed, _)| *handed == tp);
        if let Some(position) = self.positions.get_mut(&tp) {
            position.seek(offset);
            if position.next.is_none() {
                // At once: what is appended from now on lies beyond that end.
                self.outputs.push_back(Output::ListBounds(ListBounds { partitions: vec![tp] }, self.lookups));
            }
            self.start_fetch();
        }
    }

    /// Stops or resumes the reading of a partition.
    pub fn pause(&mut self, tp: TopicPartition, paused: bool) {
        self.drop_held(|held| paused && held == tp);
        if let Some(position) = self.positions.get_mut(&tp) {
            position.pause(paused);
            self.start_fetch();
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        if let Some(waiting) = self.waiting {
            self.recheck(now);
            if waiting.until.is_some_and(|until| until <= now.instant) {
                let limits = FetchLimits { bytes_min: 1, ..waiting.limits };
                self.waiting = Some(Waiting { limits, until: None, ..waiting });
                self.hand_out();
            }
            self.start_fetch();
        }
        if self.look_up_at.is_some_and(|at| at <= now.instant) {
            self.look_up();
        }
    }

    /// When [`Consumer::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        let until = self.waiting.and_then(|waiting| waiting.until);
        let recheck = self.recheck_at.filter(|_| self.waiting.is_some());
        [until, recheck, self.look_up_at].into_iter().flatten().min()
    }

    /// True while a fetch waits for records.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The name of a topic that is assigned.
    pub fn topic(&self, id: TopicId) -> Option<&str> {
        self.topics.get(&id).map(String::as_str)
    }

    /// The next offset of a partition that is assigned which nobody was given, or has had the time to begin with.
    pub fn position(&self, tp: TopicPartition) -> Option<Offset> {
        let held = self.held.iter().map(|held| (held.tp, held.from));
        let held = held.chain(self.handed).find(|(held, _)| *held == tp).map(|(_, from)| from);
        let next = self.positions.get(&tp)?.next;
        held.or(next)
    }

    /// The assigned partition of this name.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<TopicPartition> {
        // A topic that was made anew has two ids for a while.
        let named = self.topics.iter().filter(|(_, name)| *name == topic);
        let mut partitions = named.map(|(id, _)| TopicPartition { topic: *id, partition });
        partitions.find(|tp| self.positions.contains_key(tp))
    }
}
