//! Bytes of stored batches that change by themselves. What is damaged is set aside, which is told; whoever reads, appends
//! or forwards goes on behind it.

use std::collections::BTreeSet;

use headwater::base::{Offset, TopicPartition};
use headwater::log::batch::check;
use headwater::log::{Store, Write};
use headwater::node::Event;

use super::page::PageId;
use super::plan::Fault;
use super::shadow::partition_of;
use super::storage::put_in;
use super::world::World;

/// What was damaged in a world, and what became of it.
#[derive(Default)]
pub struct Damages {
    /// The records that are gone with their batches.
    pub names: BTreeSet<String>,
    /// Who has set aside which batch.
    set_aside: Vec<(PageId, TopicPartition, Offset)>,
    /// What pages have told their applications.
    told: BTreeSet<(PageId, i32, Offset)>,
}

/// True for a stored batch that is what it was when it was written.
pub fn sound(key: &[u8], batch: &[u8]) -> bool {
    check(batch).is_ok_and(|header| header.base_offset.to_be_bytes() == key[20..])
}

impl World {
    /// A byte of some stored batch changes.
    pub fn corrupt(&mut self, origin: usize) {
        let rows = self.origins[origin].database.disk.rows(Store::Batches, &[]);
        let at = self.random.below(rows.len() as u64) as usize;
        let Some((key, mut batch)) = rows.into_iter().nth(at) else { return };
        let (place, bit) = (self.random.below(batch.len() as u64) as usize, self.random.below(8));
        batch[place] ^= 1 << bit;
        let damaged = !sound(&key, &batch);
        let tp = partition_of(&key[..20]);
        let base = Offset::from_be_bytes(key[20..].try_into().expect("an offset"));
        self.say(|| format!("byte {place} of the batch at {base} of {tp:?} changes; damage: {damaged}"));
        self.origins[origin].database.disk.spoil(Store::Batches, key, batch);
        if damaged {
            let names = self.origins[origin].shadow.spoil(tp, base);
            // A request that was cut before may bring them all the same, however late.
            self.broker.given_up.extend(names.iter().cloned());
            self.damages.names.extend(names);
        }
    }

    /// Batches that these writes set aside.
    pub fn check_set_aside(&mut self, page: PageId, writes: &[Write]) {
        let kept = writes.iter().filter_map(|write| put_in(Store::Meta, write));
        for key in kept.filter_map(|(key, _)| key.strip_prefix(b"damaged/")) {
            let base = Offset::from_be_bytes(key[20..28].try_into().expect("an offset"));
            self.damages.set_aside.push((page, partition_of(&key[..20]), base));
        }
    }

    pub fn hear_of_damage(&mut self, page: PageId, event: &Event) {
        if let Event::Damaged { partition, damaged, .. } = event {
            self.say(|| format!("page {page} tells of damage in partition {partition}: {damaged:?}"));
            self.damages.told.insert((page, *partition, damaged.first));
        }
    }

    /// Whoever has set something aside has said so, if it heard of it itself.
    pub fn check_damage_in_the_end(&mut self) {
        let deaf = [Fault::Unknown, Fault::Wipe, Fault::Slow, Fault::Reopen];
        if deaf.iter().any(|fault| self.plan.has(*fault)) {
            return;
        }
        let silent = self.damages.set_aside.iter().filter(|(page, tp, base)| {
            self.pages[*page].alive() && !self.damages.told.contains(&(*page, tp.partition, *base))
        });
        let wrong: Vec<String> = silent
            .map(|(page, tp, base)| format!("silent: page {page} has set aside {base} of {tp:?}"))
            .collect();
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }
}
