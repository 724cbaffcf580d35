//! Rules that are broken on purpose, to see that it is noticed. All of it happens in the simulation's own shell: the
//! product has no switches.

use headwater::base::TopicPartition;
use headwater::client::forwarder::{Claimed, DeliveryRow, ForwarderOp, OwnedOp, WireBatch};
use headwater::group::{CommitOffsets, Committer, FORWARDER_GROUP, GroupRow, WriteGroup};
use headwater::log::batch::BatchHeader;
use headwater::log::ops::{AppendEntry, Appended, Expected};
use headwater::log::{Durability, Op, PartitionRow, Store, partition_key};
use headwater::node::{AnyOp, AnyReply};

use super::page::PageId;
use super::plan::named;
use super::world::World;

named! {
    /// A broken rule.
    Mutant {
        /// The marker is not flushed before the batch is sent.
        RelaxedMarker = "relaxed-marker",
        /// What is acknowledged as strict is not flushed.
        RelaxedAppend = "relaxed-append",
        /// The delivery row is not compared with the one that was read.
        NoComparison = "no-comparison",
        /// Who owned a partition may still write its delivery row, where the row is as it was.
        NoFence = "no-fence",
        /// A batch that is sent again is cut anew.
        Recut = "recut",
        /// Doubt covers one batch instead of all that the log holds.
        OneBatchUncertain = "one-batch-uncertain",
        /// A duplicate is settled without a look at the original.
        UnreadDuplicate = "unread-duplicate",
        /// A coordinator that was deposed may write as before.
        NoCoordinatorEpoch = "no-coordinator-epoch",
        /// Anybody commits whatever it read, as if it were its owner.
        NoOwnership = "no-ownership",
        /// A node judges others by what it did not hear while it was stalled.
        NoStallRule = "no-stall-rule",
        /// A marker is as young as its latest signature.
        YoungMarker = "young-marker",
        /// An append does not compare the partition's generation.
        NoGeneration = "no-generation",
        /// An append is answered before it has run: the next one is under way beside it.
        SecondAppend = "second-append",
        /// An unload beacon carries what comes after the marker, too.
        BeaconPast = "beacon-past",
        /// Whoever was fenced by a younger producer of its `transactional.id` commits all the same.
        NoTransactionFence = "no-transaction-fence",
        /// Anybody commits in a transaction whatever it has read, as if it were its owner.
        NoTransactionOwnership = "no-transaction-ownership",
        /// An append of unknown outcome does not look whether it landed.
        NoSearch = "no-search",
    }
}

impl Mutant {
    /// What the transaction survives, where the mutant changes that.
    pub fn durability(self, op: &AnyOp) -> Option<Durability> {
        let relaxed = matches!(
            (self, op),
            (Self::RelaxedMarker, AnyOp::Forwarder(OwnedOp { op: ForwarderOp::Mark { .. }, .. }))
                | (Self::RelaxedAppend, AnyOp::Append(_))
        );
        relaxed.then_some(Durability::Relaxed)
    }
}

impl World {
    /// What a page is told of its append before it has run.
    pub fn answer_early(&self, op: &AnyOp) -> Option<AnyReply> {
        let AnyOp::Append(append) = op else { return None };
        if self.plan.mutant != Some(Mutant::SecondAppend) {
            return None;
        }
        let guess = |entry: &AppendEntry| {
            let base = entry.expected?;
            let count = |batch| Some(i64::from(BatchHeader::read(batch).ok()?.last_offset_delta) + 1);
            let count: i64 = entry.batches.iter().map(|batch| count(batch)).sum::<Option<_>>()?;
            let end = Expected { next: base.next + count, ..base };
            Some(Ok(Appended { base: base.next, end }))
        };
        append.entries.iter().map(guess).collect::<Option<Vec<_>>>().map(AnyReply::Append)
    }

    /// The wire batch after this one, though its marker was never written.
    pub fn batch_past_marker(&self, page: PageId, batch: &WireBatch) -> Option<WireBatch> {
        if self.plan.mutant != Some(Mutant::BeaconPast) {
            return None;
        }
        let origin = self.pages[page].origin;
        let topic = self.topic(origin, &batch.topic)?.id;
        let tp = TopicPartition { topic, partition: batch.partition };
        let disk = &self.origins[origin].database.disk;
        let read = DeliveryRow::decode(disk.get(Store::Deliveries, &partition_key(tp))?).ok()?;
        let (row, doubt, bytes_max, batches_max, fresh) = (read.clone().settled(), false, 600, 64, 1 << 61);
        let mark = ForwarderOp::Mark { tp, read, row, doubt, bytes_max, batches_max, fresh };
        let Claimed { row, cut, .. } = mark.apply(&disk.scan(&mark.plan())).ok()?.reply;
        let cut = cut.filter(|cut| row.epoch == batch.epoch && cut.first == batch.last + 1)?;
        let (base_sequence, first, last) = (row.sequence(cut.first), cut.first, cut.last);
        let uncertain = first < row.uncertain;
        Some(WireBatch { base_sequence, first, last, uncertain, bytes: cut.bytes, ..batch.clone() })
    }

    /// The operation as the mutant has it, where that is another one.
    pub fn mutate(&mut self, origin: usize, op: &AnyOp) -> Option<AnyOp> {
        let mutant = self.plan.mutant?;
        match op {
            AnyOp::Forwarder(OwnedOp { member, op }) => {
                let op = self.mutate_delivery(origin, mutant, op.clone());
                let owner = || self.owner(origin, op.tp());
                let unfenced = matches!(mutant, Mutant::NoComparison | Mutant::NoFence);
                let member = if unfenced { owner() } else { None }.unwrap_or_else(|| member.clone());
                Some(AnyOp::Forwarder(OwnedOp { member, op }))
            }
            AnyOp::Append(append) => {
                let mut append = (**append).clone();
                append.entries.iter_mut().for_each(|entry| self.mutate_entry(origin, mutant, entry));
                Some(AnyOp::Append(append.into()))
            }
            AnyOp::CommitTransaction(commit) if mutant == Mutant::NoTransactionOwnership => {
                let mut commit = (**commit).clone();
                commit.offsets.iter_mut().for_each(|offsets| self.disown(origin, offsets));
                Some(AnyOp::CommitTransaction(commit.into()))
            }
            AnyOp::CommitTransaction(commit) => {
                Some(AnyOp::CommitTransaction(self.unfenced(origin, commit)?.into()))
            }
            AnyOp::WriteGroup(write) if mutant == Mutant::NoCoordinatorEpoch => {
                let row = self.origins[origin].groups.get(&write.group)?;
                let (node, coordinator_epoch) = (row.node, row.coordinator_epoch);
                Some(AnyOp::WriteGroup(WriteGroup { node, coordinator_epoch, ..write.clone() }))
            }
            AnyOp::CommitOffsets(commit) if mutant == Mutant::NoOwnership => {
                let mut commit = commit.clone();
                self.disown(origin, &mut commit);
                Some(AnyOp::CommitOffsets(commit))
            }
            _ => None,
        }
    }

    /// Commits as the owner, whoever that is.
    fn disown(&self, origin: usize, commit: &mut CommitOffsets) {
        let row = self.origins[origin].groups.get(&commit.group);
        let Some((row, first)) = row.zip(commit.offsets.first()) else { return };
        let mut members = row.state.members.iter();
        if let Some((id, owner)) = members.find(|(_, member)| member.current.owns(first.tp)) {
            commit.member = Some((id.clone(), owner.current.epoch));
        }
    }

    /// Who may write the delivery row of a partition: a mutant that compares nothing goes by that name.
    fn owner(&self, origin: usize, tp: TopicPartition) -> Option<Committer> {
        let row = self.origins[origin].database.disk.get(Store::Groups, &FORWARDER_GROUP.into())?;
        let members = GroupRow::decode(row).ok()?.state.members;
        let owner = members.iter().find(|(_, member)| member.current.owns(tp));
        owner.map(|(id, member)| (id.clone(), member.current.epoch))
    }

    fn mutate_entry(&self, origin: usize, mutant: Mutant, entry: &mut AppendEntry) {
        if mutant == Mutant::NoSearch {
            entry.attempted_from = None;
        }
        if let (Mutant::NoGeneration, Some(expected)) = (mutant, &mut entry.expected) {
            let row = self.origins[origin].database.disk.get(Store::Partitions, &partition_key(entry.tp));
            let row = row.and_then(|row| PartitionRow::decode(row).ok());
            expected.generation = row.map_or(expected.generation, |row| row.generation);
        }
    }

    fn mutate_delivery(&self, origin: usize, mutant: Mutant, op: ForwarderOp) -> ForwarderOp {
        let (ForwarderOp::Claim { tp, .. }
        | ForwarderOp::Save { tp, .. }
        | ForwarderOp::Mark { tp, .. }
        | ForwarderOp::Remark { tp, .. }) = &op;
        let stored = self.origins[origin].database.disk.get(Store::Deliveries, &partition_key(*tp));
        let Some(stored) = stored.and_then(|row| DeliveryRow::decode(row).ok()) else { return op };
        let one_batch = |read: &DeliveryRow, row: DeliveryRow| {
            let end = read.marker.map_or(0, |(_, last)| last + 1);
            DeliveryRow { uncertain: row.uncertain.max(end), ..row }
        };
        match (mutant, op) {
            (Mutant::NoComparison, ForwarderOp::Save { tp, row, doubt, .. }) => {
                ForwarderOp::Save { tp, read: stored, row, doubt }
            }
            (
                Mutant::NoComparison,
                ForwarderOp::Mark { tp, row, doubt, bytes_max, batches_max, fresh, .. },
            ) => ForwarderOp::Mark { tp, read: stored, row, doubt, bytes_max, batches_max, fresh },
            (Mutant::Recut, ForwarderOp::Remark { tp, read }) => {
                let row = read.clone().unmarked();
                let (bytes_max, batches_max, fresh) = (600, 64, 1 << 61);
                ForwarderOp::Mark { tp, read, row, doubt: false, bytes_max, batches_max, fresh }
            }
            (Mutant::OneBatchUncertain, ForwarderOp::Save { tp, read, row, doubt: true }) => {
                ForwarderOp::Save { tp, row: one_batch(&read, row), read, doubt: false }
            }
            (
                Mutant::OneBatchUncertain,
                ForwarderOp::Mark { tp, read, row, doubt: true, bytes_max, batches_max, fresh },
            ) => {
                let row = one_batch(&read, row);
                ForwarderOp::Mark { tp, read, row, doubt: false, bytes_max, batches_max, fresh }
            }
            (Mutant::YoungMarker, ForwarderOp::Save { tp, read, mut row, doubt }) => {
                row.marked_at = row.signed_at;
                ForwarderOp::Save { tp, read, row, doubt }
            }
            (_, op) => op,
        }
    }
}
