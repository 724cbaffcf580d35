use super::{AnyOp, AnyReply, Event, LockId, Node, Output, PageEvent, Pending};
use crate::base::{Error, Instant, Map, Now, Offset, Random, TopicId, TopicPartition};
use crate::client::compaction::{self, Compaction};
use crate::client::retention::{self, Retention, Sizes};
use crate::log::ops::{BeginMaintenance, ExpireProducers, Measure, Purge, Round, Trim};
use crate::log::{Key, TopicRow};

/// The removal of deleted topics, retention and compaction, a partition at a time, by one node, while its page is idle.
/// Every step is one short transaction that is as good alone: a round that is broken off has done no harm.
pub(super) struct Maintenance {
    next_at: Instant,
    lock: Option<LockId>,
    /// Another round is to follow this one at once.
    again: bool,
    /// Topics of the round that were deleted, and are not gone.
    deleted: Vec<TopicId>,
    /// What is left of the round.
    partitions: Vec<(String, TopicRow, TopicPartition)>,
    work: Option<Work>,
    /// The step that waits for the page to be idle, and until when it does.
    waiting: Option<(AnyOp, Step, Instant)>,
    idle: u64,
    sizes: Map<TopicPartition, Sizes>,
}

/// What is being done to one partition.
struct Work {
    topic: String,
    row: TopicRow,
    tp: TopicPartition,
    retention: Option<Retention>,
    compaction: Option<Compaction>,
}

/// What a transaction of maintenance was run for.
pub(super) enum Step {
    Begin,
    Expire,
    Purge,
    Measure,
    Trim(Offset),
    Compact,
}

impl Maintenance {
    /// `log.retention.check.interval.ms`
    const INTERVAL_MS: u64 = 300_000;
    /// Nothing is maintained while a page is still loading.
    const FIRST_MS: u64 = 30_000;
    /// A page that is never idle leaves the round to another.
    const IDLE_WAIT_MS: u64 = 60_000;
    const LOCK: &'static str = "maintenance";

    pub(super) fn new(now: Now, random: &mut Random) -> Self {
        let jitter = random.below(Self::FIRST_MS);
        Self {
            next_at: now.instant + Self::FIRST_MS + jitter,
            lock: None,
            again: false,
            deleted: Vec::new(),
            partitions: Vec::new(),
            work: None,
            waiting: None,
            idle: 0,
            sizes: Map::new(),
        }
    }

    /// Somebody deleted a topic: its records are to go as soon as the page is idle.
    pub(super) fn hasten(&mut self, now: Now) {
        if self.lock.is_some() {
            self.again = true;
        } else {
            self.next_at = self.next_at.min(now.instant);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.waiting {
            Some((_, _, until)) => Some(*until),
            // A round under way sets the next one when it ends.
            None => Some(self.next_at).filter(|_| self.lock.is_none()),
        }
    }
}

impl Node {
    /// Asks for the round, where it is time.
    pub(super) fn maintain(&mut self) {
        if self.maintenance.waiting.as_ref().is_some_and(|(_, _, until)| *until <= self.now.instant) {
            self.end_maintenance();
        }
        if self.maintenance.lock.is_some() || self.maintenance.next_at > self.now.instant {
            return;
        }
        let lock = self.lock_id();
        self.maintenance.lock = Some(lock);
        self.outputs.push_back(Output::Acquire(lock, Maintenance::LOCK.to_string()));
    }

    pub(super) fn maintenance_granted(&mut self, lock: LockId) {
        if self.maintenance.lock == Some(lock) {
            let interval_ms = Maintenance::INTERVAL_MS as i64 / 2;
            let begin = BeginMaintenance { now: self.now.timestamp, interval_ms };
            self.when_idle(begin.into(), Step::Begin);
        }
    }

    /// Runs a step once the page is idle.
    fn when_idle(&mut self, op: AnyOp, step: Step) {
        self.maintenance.idle += 1;
        let until = self.now.instant + Maintenance::IDLE_WAIT_MS;
        self.maintenance.waiting = Some((op, step, until));
        self.outputs.push_back(Output::Idle(self.maintenance.idle));
    }

    /// The page is idle.
    pub(super) fn idle(&mut self, id: u64) {
        if id != self.maintenance.idle {
            return;
        }
        if let Some((op, step, _)) = self.maintenance.waiting.take() {
            self.store(op, Pending::Maintenance(id, step));
        }
    }

    /// A page that is frozen would keep the lock.
    pub(super) fn page_of_maintenance(&mut self, event: PageEvent) {
        if event == PageEvent::Suspended {
            self.end_maintenance();
        }
    }

    fn end_maintenance(&mut self) {
        let maintenance = &mut self.maintenance;
        maintenance.next_at = self.now.instant + Maintenance::INTERVAL_MS;
        (maintenance.again, maintenance.deleted) = (false, Vec::new());
        maintenance.partitions.clear();
        (maintenance.work, maintenance.waiting) = (None, None);
        // What is under way answers to nobody.
        maintenance.idle += 1;
        if let Some(lock) = maintenance.lock.take() {
            self.outputs.push_back(Output::Release(lock));
        }
    }

    pub(super) fn maintained(&mut self, id: u64, step: Step, result: Result<AnyReply, Error>) {
        if id != self.maintenance.idle {
            return;
        }
        match (step, result) {
            (Step::Begin, Ok(AnyReply::BeginMaintenance(Round { topics, deleted }))) => {
                if topics.is_empty() && deleted.is_empty() {
                    return self.end_maintenance();
                }
                self.maintenance.deleted = deleted;
                let each = |(name, row): (String, TopicRow)| {
                    row.topic_partitions().map(move |tp| (name.clone(), row.clone(), tp)).collect::<Vec<_>>()
                };
                self.maintenance.partitions = topics.into_iter().flat_map(each).collect();
                let partitions = &self.maintenance.partitions;
                if !partitions.is_empty() {
                    self.maintenance.sizes.retain(|tp, _| partitions.iter().any(|(_, _, each)| each == tp));
                }
                self.purge_next();
            }
            (Step::Purge, Ok(AnyReply::Purge(more))) => {
                if !more {
                    self.maintenance.deleted.pop();
                }
                self.purge_next();
            }
            (Step::Expire, Ok(AnyReply::ExpireProducers(Some(from)))) => self.expire(from),
            (Step::Begin | Step::Expire, result) => {
                let again = self.maintenance.again && result.is_ok();
                self.end_maintenance();
                if again {
                    self.maintenance.hasten(self.now);
                }
            }
            (Step::Measure, Ok(AnyReply::Measure(slice))) => {
                let retention = self.maintenance.work.as_mut().and_then(|work| work.retention.as_mut());
                if let Some(step) = retention.map(|retention| retention.measured(&slice)) {
                    self.retain(step);
                }
            }
            (Step::Trim(before), Ok(AnyReply::Trim(trimmed))) => {
                let Some(work) = &mut self.maintenance.work else { return };
                let Some(step) = work.retention.as_mut().map(|retention| retention.trimmed(before, &trimmed))
                else {
                    return;
                };
                let (topic, partition) = (work.topic.clone(), work.tp.partition);
                if trimmed.start > trimmed.from {
                    self.event(Event::Trimmed { topic, partition, start: trimmed.start });
                }
                self.retain(step);
            }
            (Step::Compact, Ok(reply)) => self.compacted(reply),
            // The partition went meanwhile, or storage failed: the next round comes by itself.
            _ => self.maintain_next(),
        }
    }

    /// The last part of a round: producers that have been silent for long are forgotten.
    fn expire(&mut self, from: Key) {
        self.maintenance.work = None;
        self.when_idle(ExpireProducers { from, now: self.now.timestamp }.into(), Step::Expire);
    }

    /// First what nobody wants any more.
    fn purge_next(&mut self) {
        match self.maintenance.deleted.last() {
            Some(&topic) => self.when_idle(Purge { topic }.into(), Step::Purge),
            None => self.maintain_next(),
        }
    }

    fn maintain_next(&mut self) {
        let Some((topic, row, tp)) = self.maintenance.partitions.pop() else {
            return self.expire(Key::new());
        };
        let sizes = self.maintenance.sizes.remove(&tp).unwrap_or_default();
        let retention = Retention::new(self.now, &row.config, sizes);
        let step = retention.begin();
        self.maintenance.work = Some(Work { topic, row, tp, retention: Some(retention), compaction: None });
        self.retain(step);
    }

    fn retain(&mut self, step: retention::Step) {
        let Some(work) = &mut self.maintenance.work else { return };
        let (topic, tp) = (work.topic.clone(), work.tp);
        match step {
            retention::Step::Measure(from, limit) => {
                self.when_idle(Measure { tp, from, limit }.into(), Step::Measure);
            }
            retention::Step::Trim(before) => {
                let trim = Trim { topic, tp, before: Some(before), undelivered: false };
                self.when_idle(trim.into(), Step::Trim(before));
            }
            retention::Step::Keep => {
                if let Some(retention) = work.retention.take() {
                    self.maintenance.sizes.insert(tp, retention.into_sizes());
                }
                self.compact_next();
            }
        }
    }

    /// Retention has done with the partition: compaction follows, where the topic asks for it.
    fn compact_next(&mut self) {
        let Some(work) = self.maintenance.work.as_mut().filter(|work| work.row.config.compacts()) else {
            return self.maintain_next();
        };
        let compaction = Compaction::new(self.now, work.topic.clone(), work.tp, &work.row.config);
        let step = compaction.begin();
        work.compaction = Some(compaction);
        self.compact(step);
    }

    fn compacted(&mut self, reply: AnyReply) {
        let Some(compaction) = self.maintenance.work.as_mut().and_then(|work| work.compaction.as_mut())
        else {
            return;
        };
        let step = match reply {
            AnyReply::FindDirty(dirty) => compaction.found(dirty),
            AnyReply::Fetch(fetched) => match compaction.fetched(&fetched) {
                Ok(step) => step,
                Err(_) => return self.maintain_next(),
            },
            AnyReply::Compact(rewritten) => compaction.rewritten(&rewritten),
            _ => return self.maintain_next(),
        };
        self.compact(step);
    }

    fn compact(&mut self, step: compaction::Step) {
        match step {
            compaction::Step::Find(op) => self.when_idle(op.into(), Step::Compact),
            compaction::Step::Read(op) => self.when_idle(op.into(), Step::Compact),
            compaction::Step::Rewrite(op) => self.when_idle(op.into(), Step::Compact),
            compaction::Step::Done(removed) => {
                if let Some(work) = self.maintenance.work.as_ref().filter(|_| removed > 0) {
                    let (topic, partition) = (work.topic.clone(), work.tp.partition);
                    self.event(Event::Compacted { topic, partition, removed });
                }
                self.maintain_next();
            }
        }
    }
}
