use std::rc::Rc;

use super::{AnyOp, AnyReply, Event, Node, Pending};
use crate::base::{Error, Offset, TopicId, TopicPartition};
use crate::client::relief::{Consumed, FindConsumed, Relief, Step};

/// Transactions that found the quota used up, and the round that makes room for them.
#[derive(Default)]
pub(super) struct Reliefs {
    waiting: Vec<(Pending, Rc<AnyOp>, Error)>,
    running: Option<Relief>,
    /// True while records are given up that somebody may still want.
    giving_up: bool,
    /// Rounds without a transaction that fitted afterwards.
    rounds: u32,
}

/// What a transaction of a round was run for.
pub(super) enum Task {
    Find,
    Purge,
    Measure(TopicPartition),
    Trim { topic: String, tp: TopicPartition },
}

impl Reliefs {
    /// A browser may need a while to give room back: it is not asked for more and more meanwhile.
    const ROUNDS_MAX: u32 = 3;
    /// A round that deletes what everybody has consumed deletes so much at least.
    const CONSUMED_BYTES: u64 = 4 << 20;
    /// A round that gives records up gives up so much at least.
    const GIVEN_UP_BYTES: u64 = 64 << 10;

    /// Records were written: there is room.
    pub(super) fn fits(&mut self) {
        self.rounds = 0;
    }

    /// What the waiting transactions want to write, twice: rows take more than their bytes.
    fn wanted(&self) -> u64 {
        self.waiting.iter().map(|(_, op, _)| op.bytes() as u64 * 2).sum()
    }
}

impl AnyOp {
    /// The record batches that the operation writes, and where.
    fn batches(&self) -> Vec<(TopicPartition, usize)> {
        let bytes = |batches: &[Vec<u8>]| batches.iter().map(Vec::len).sum();
        match self {
            Self::Append(append) => {
                append.entries.iter().map(|entry| (entry.tp, bytes(&entry.batches))).collect()
            }
            Self::CommitTransaction(op) => {
                op.records.iter().map(|(tp, batches)| (*tp, bytes(batches))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        self.batches().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl Node {
    /// The origin's quota is used up: makes room, then runs the transaction again.
    pub(super) fn relieve(&mut self, pending: Pending, op: Rc<AnyOp>, error: Error) {
        let reliefs = &mut self.reliefs;
        if reliefs.rounds >= Reliefs::ROUNDS_MAX {
            reliefs.rounds = 0;
            return self.concluded(pending, Err(error));
        }
        reliefs.waiting.push((pending, op, error));
        if reliefs.waiting.len() == 1 {
            reliefs.rounds += 1;
            reliefs.giving_up = false;
            self.store(FindConsumed.into(), Pending::Relief(Task::Find));
        }
    }

    pub(super) fn relieved(&mut self, task: Task, result: Result<AnyReply, Error>) {
        let Some(relief) = &mut self.reliefs.running else {
            return match (task, result) {
                (Task::Find, Ok(AnyReply::FindConsumed(found))) => self.make_room(found),
                // Who reads what is not known, so nothing is taken for consumed.
                _ => self.make_room(Default::default()),
            };
        };
        let step = match (task, result) {
            (Task::Purge, Ok(AnyReply::Purge(more))) => relief.purged(Some(more)),
            (Task::Purge, _) => relief.purged(None),
            (Task::Measure(tp), Ok(AnyReply::Measure(measured))) => relief.measured(tp, &measured),
            (Task::Trim { topic, tp }, Ok(AnyReply::Trim(trimmed))) => {
                let step = relief.trimmed(tp, &trimmed);
                self.tell_trim(topic, tp.partition, trimmed.from, trimmed.start);
                step
            }
            (Task::Measure(tp) | Task::Trim { tp, .. }, _) => relief.failed(tp),
            (Task::Find, _) => relief.step(),
        };
        self.room_step(step);
    }

    fn tell_trim(&mut self, topic: String, partition: i32, from: Offset, start: Offset) {
        if start == from {
            return;
        }
        self.event(if self.reliefs.giving_up {
            Event::Dropped { topic, partition, records: start - from, start }
        } else {
            Event::Trimmed { topic, partition, start }
        });
    }

    fn make_room(&mut self, places: (Vec<Consumed>, Vec<TopicId>)) {
        let least = if self.reliefs.giving_up { Reliefs::GIVEN_UP_BYTES } else { Reliefs::CONSUMED_BYTES };
        let wanted = self.reliefs.wanted().max(least);
        let relief = Relief::new(wanted, places, self.reliefs.giving_up);
        let step = relief.step();
        self.reliefs.running = Some(relief);
        self.room_step(step);
    }

    fn room_step(&mut self, step: Step) {
        match step {
            Step::Purge(purge) => self.store(purge.into(), Pending::Relief(Task::Purge)),
            Step::Measure(measure) => {
                let task = Task::Measure(measure.tp);
                self.store(measure.into(), Pending::Relief(task));
            }
            Step::Trim(trim) => {
                let task = Task::Trim { topic: trim.topic.clone(), tp: trim.tp };
                self.store(trim.into(), Pending::Relief(task));
            }
            Step::Done(0) if !self.reliefs.giving_up => {
                self.reliefs.giving_up = true;
                let places = self.droppable();
                self.make_room((places, Vec::new()));
            }
            Step::Done(freed) => self.room_made(freed > 0),
        }
    }

    /// The partitions that the waiting transactions write to, in topics that drop what is oldest.
    fn droppable(&self) -> Vec<Consumed> {
        let mut topics = Vec::new();
        for (tp, _) in self.reliefs.waiting.iter().flat_map(|(_, op, _)| op.batches()) {
            if !topics.contains(&tp.topic) {
                topics.push(tp.topic);
            }
        }
        let rows = topics.into_iter().filter_map(|id| {
            let name = self.topics.name(id)?;
            Some((name, self.topics.row(name)?))
        });
        let drops = rows.filter(|(_, row)| row.config.drops_oldest());
        let place = |(name, row): (&str, &crate::log::TopicRow)| {
            let topic = name.to_string();
            let place = move |tp| Consumed { topic: topic.clone(), tp, before: Offset::MAX };
            row.topic_partitions().map(place).collect::<Vec<_>>()
        };
        drops.flat_map(place).collect()
    }

    /// The round is over: what waits is run again where there is room, and fails as full where there is none.
    fn room_made(&mut self, room: bool) {
        self.reliefs.running = None;
        let waiting = core::mem::take(&mut self.reliefs.waiting);
        for (pending, op, error) in waiting {
            if room {
                self.store_again(op, pending);
            } else {
                self.concluded(pending, Err(error));
            }
        }
    }
}
