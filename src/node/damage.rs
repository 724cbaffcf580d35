use std::rc::Rc;

use super::{AnyOp, AnyReply, Event, Node, Output, Pending};
use crate::base::{Code, Error, Offset, TopicPartition};
use crate::client::forwarder::ForwarderOp;
use crate::log::ops::{Damaged, ListOffsets, SetAside};

/// A transaction that met a damaged batch: what damages it is set aside, then it is run again.
pub(super) struct Repair {
    pending: Pending,
    op: Rc<AnyOp>,
    error: Error,
    /// Where to look for damage yet.
    places: Vec<SetAside>,
    found: bool,
}

impl AnyOp {
    /// Where the operation reads batches.
    fn reads(&self) -> Vec<SetAside> {
        let at = |tp, from, limit| SetAside { tp, from, limit };
        // The end of a partition is looked at in any case.
        let end = |tp| at(tp, Offset::MAX, 0);
        match self {
            Self::Append(append) => append.entries.iter().map(|entry| end(entry.tp)).collect(),
            Self::CommitTransaction(op) => op.records.iter().map(|(tp, _)| end(*tp)).collect(),
            Self::ListBounds(op) => op.partitions.iter().map(|tp| end(*tp)).collect(),
            Self::Fetch(op) => vec![at(op.tp, op.offset, op.batches_max)],
            Self::ListOffsets(op) => vec![at(op.tp, op.from, ListOffsets::BATCHES_A_SLICE)],
            Self::Measure(op) => vec![at(op.tp, op.from, op.limit)],
            Self::Compact(op) => vec![at(op.tp, op.from, op.limit)],
            Self::Trim(op) => vec![op.before.map_or_else(|| end(op.tp), |before| at(op.tp, before, 1))],
            Self::Forwarder(owned) => vec![match &owned.op {
                ForwarderOp::Claim { tp, .. } | ForwarderOp::Save { tp, .. } => end(*tp),
                ForwarderOp::Mark { tp, row, batches_max, .. } => at(*tp, row.committed, *batches_max),
                ForwarderOp::Remark { tp, read } => match read.marker {
                    Some((first, _)) => at(*tp, first, ForwarderOp::BATCHES_MAX),
                    None => end(*tp),
                },
            }],
            _ => Vec::new(),
        }
    }
}

impl Node {
    /// A transaction met a damaged batch.
    pub(super) fn damaged(&mut self, pending: Pending, op: Rc<AnyOp>, error: Error) {
        let places = op.reads();
        self.repair(Box::new(Repair { pending, op, error, places, found: false }));
    }

    fn repair(&mut self, mut repair: Box<Repair>) {
        if let Some(place) = repair.places.pop() {
            let tp = place.tp;
            return self.store(place.into(), Pending::Repair(tp, repair));
        }
        let Repair { pending, op, error, found, .. } = *repair;
        match pending {
            pending if found => self.store_again(op, pending),
            // Nothing was found twice: whatever is damaged, it is nothing that can be set aside.
            Pending::Mended(pending) => self.concluded(*pending, Err(error)),
            // Another transaction, of this tab or of another, has set it aside meanwhile.
            pending => self.store_again(op, Pending::Mended(Box::new(pending))),
        }
    }

    pub(super) fn repaired(
        &mut self,
        tp: TopicPartition,
        mut repair: Box<Repair>,
        result: Result<AnyReply, Error>,
    ) {
        match result {
            Ok(AnyReply::SetAside(damaged)) => {
                repair.found |= !damaged.is_empty();
                damaged.into_iter().for_each(|damaged| self.tell_damage(tp, damaged));
                self.repair(repair);
            }
            // Not that there is damage, but that storage failed, says whether it is worth while to try again.
            Err(error) if error.retriable() => {
                let failed = Error::new(Code::StorageFailed, error.message());
                self.concluded(repair.pending, Err(failed));
            }
            _ => self.concluded(repair.pending, Err(repair.error)),
        }
    }

    fn tell_damage(&mut self, tp: TopicPartition, damaged: Damaged) {
        let topic = self.topics.name(tp.topic).unwrap_or_default().to_string();
        self.outputs.push_back(Output::Event(Event::Damaged { topic, partition: tp.partition, damaged }));
    }
}
