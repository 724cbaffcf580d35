//! Making room where the origin's quota is used up.
//!
//! What is left of deleted topics goes first, then what everybody has consumed, oldest first. Only where that is
//! nothing, and only in topics whose `headwater.quota.policy` is `dropOldest`, the oldest records go that somebody may
//! still want.

mod op;

pub use op::{Consumed, FindConsumed};

use crate::base::{Offset, Timestamp, TopicId, TopicPartition};
use crate::log::ops::{Measure, Measured, Purge, Stretch, Trim, Trimmed};

/// One round of making room.
pub struct Relief {
    wanted: u64,
    freed: u64,
    /// Topics that were deleted: all of them goes, however much that is.
    deleted: Vec<TopicId>,
    places: Vec<Place>,
    undelivered: bool,
}

/// A partition that may give something.
struct Place {
    topic: String,
    tp: TopicPartition,
    /// Only whole batches before this offset.
    before: Offset,
    /// Its oldest batches; empty where they must be looked at.
    batches: Vec<Stretch>,
}

/// What a round wants next.
#[derive(Debug)]
pub enum Step {
    /// Run, then call [`Relief::measured`].
    Measure(Measure),
    /// Run, then call [`Relief::purged`].
    Purge(Purge),
    /// Run, then call [`Relief::trimmed`].
    Trim(Trim),
    /// So many bytes were freed.
    Done(u64),
}

impl Place {
    fn oldest(&self) -> Timestamp {
        self.batches.first().map_or(-1, |batch| batch.max_timestamp)
    }
}

impl Relief {
    const BATCHES_A_SLICE: usize = 16;

    /// A round that frees `wanted` bytes, or what there is. Where `undelivered`, the records are given up.
    pub fn new(wanted: u64, (places, deleted): (Vec<Consumed>, Vec<TopicId>), undelivered: bool) -> Self {
        let place = |Consumed { topic, tp, before }| Place { topic, tp, before, batches: Vec::new() };
        let places = places.into_iter().map(place).collect();
        Self { wanted, freed: 0, deleted, places, undelivered }
    }

    /// The next step.
    pub fn step(&self) -> Step {
        if let Some(&topic) = self.deleted.last() {
            return Step::Purge(Purge { topic });
        }
        if self.freed >= self.wanted {
            return Step::Done(self.freed);
        }
        if let Some(place) = self.places.iter().find(|place| place.batches.is_empty()) {
            return Step::Measure(Measure { tp: place.tp, from: 0, limit: Self::BATCHES_A_SLICE });
        }
        let Some(place) = self.places.iter().min_by_key(|place| place.oldest()) else {
            return Step::Done(self.freed);
        };
        let mut bytes = 0;
        let mut before = None;
        for batch in &place.batches {
            if bytes >= self.wanted - self.freed {
                break;
            }
            bytes += batch.bytes;
            before = Some(batch.next);
        }
        Step::Trim(Trim { topic: place.topic.clone(), tp: place.tp, before, undelivered: self.undelivered })
    }

    /// Takes whether there is more of the deleted topic; `None` where it could not be purged.
    pub fn purged(&mut self, more: Option<bool>) -> Step {
        match more {
            // How much it was is not known: enough, and the transaction tells if not.
            Some(true) => self.freed = self.freed.max(self.wanted),
            _ => _ = self.deleted.pop(),
        }
        self.step()
    }

    /// Takes the oldest batches of a partition.
    pub fn measured(&mut self, tp: TopicPartition, measured: &Measured) -> Step {
        if let Some(place) = self.places.iter_mut().find(|place| place.tp == tp) {
            let whole = measured.batches.iter().take_while(|batch| batch.next <= place.before);
            place.batches = whole.copied().collect();
        }
        self.places.retain(|place| place.tp != tp || !place.batches.is_empty());
        self.step()
    }

    /// Takes what became of a trim of a partition.
    pub fn trimmed(&mut self, tp: TopicPartition, trimmed: &Trimmed) -> Step {
        let mut gone = 0;
        if let Some(place) = self.places.iter_mut().find(|place| place.tp == tp) {
            let freed = place.batches.iter().filter(|batch| batch.next <= trimmed.start);
            gone = freed.map(|batch| batch.bytes).sum();
            place.batches.clear();
        }
        self.freed += gone;
        // Whatever holds the rest, asking again does not change it.
        self.places.retain(|place| place.tp != tp || gone > 0);
        self.step()
    }

    /// The partition failed: the others may still give something.
    pub fn failed(&mut self, tp: TopicPartition) -> Step {
        self.places.retain(|place| place.tp != tp);
        self.step()
    }
}
