use std::rc::Rc;

use super::{AnyOp, AnyReply, Event, Node, Output, Pending};
use crate::base::{Error, Offset, TopicPartition};
use crate::client::forwarder::ForwarderOp;
use crate::log::ops::{Damaged, SetAside};

/// A transaction that met a damaged batch: what damages it is set aside, then it is run again.
pub(super) struct Repair {
    pending: Pending,
    op: Rc<AnyOp>,
    error: Error,
    /// Where to look for damage yet.
    places: Vec<(TopicPartition, Offset)>,
    found: bool,
}

impl AnyOp {
    /// Where the operation reads batches: partitions, and from which offset on.
    fn reads(&self) -> Vec<(TopicPartition, Offset)> {
        // The end of a partition is looked at in any case.
        const END: Offset = Offset::MAX;
        match self {
            Self::Append(append) => append.entries.iter().map(|entry| (entry.tp, END)).collect(),
            Self::CommitTransaction(op) => op.records.iter().map(|(tp, _)| (*tp, END)).collect(),
            Self::ListBounds(op) => op.partitions.iter().map(|tp| (*tp, END)).collect(),
            Self::Fetch(op) => vec![(op.tp, op.offset)],
            Self::ListOffsets(op) => vec![(op.tp, op.from)],
            Self::Measure(op) => vec![(op.tp, op.from)],
            Self::Trim(op) => vec![(op.tp, op.before.unwrap_or(END))],
            Self::Forwarder(op) => vec![match op {
                ForwarderOp::Claim { tp, .. } | ForwarderOp::Save { tp, .. } => (*tp, END),
                ForwarderOp::Mark { tp, row, .. } => (*tp, row.committed),
                ForwarderOp::Remark { tp, read } => (*tp, read.marker.map_or(END, |(first, _)| first)),
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
        if let Some((tp, from)) = repair.places.pop() {
            return self.store(SetAside { tp, from }.into(), Pending::Repair(tp, repair));
        }
        let Repair { pending, op, error, found, .. } = *repair;
        if found {
            self.store_again(op, pending);
        } else {
            self.concluded(pending, Err(error));
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
            // The next one that reads there tries again.
            _ => self.concluded(repair.pending, Err(repair.error)),
        }
    }

    fn tell_damage(&mut self, tp: TopicPartition, damaged: Damaged) {
        let topic = self.topics.name(tp.topic).unwrap_or_default().to_string();
        self.outputs.push_back(Output::Event(Event::Damaged { topic, partition: tp.partition, damaged }));
    }
}
