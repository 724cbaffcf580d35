use super::row::DeliveryRow;
use super::wire::{Cut, cut, first_offset};
use crate::base::{Code, Error, Offset, ProducerId, TopicPartition};
use crate::group::{Committer, FORWARDER_GROUP, GroupRow};
use crate::log::batch::BatchHeader;
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Value, Write, batch_range, delivered, last_batch,
    partition_key, rows,
};

/// The transactions of a forwarder. All but the first compare the row with the one that was read: whoever is not
/// the last writer is refused, whatever it believes.
#[derive(Clone, Debug)]
pub enum ForwarderOp {
    /// Reads the row of a partition, or begins one under a fresh identity.
    Claim {
        /// The partition.
        tp: TopicPartition,
        /// The identity where there is none yet.
        fresh: ProducerId,
    },
    /// Replaces the row.
    Save {
        /// The partition.
        tp: TopicPartition,
        /// The row that was read.
        read: DeliveryRow,
        /// What it becomes.
        row: DeliveryRow,
        /// Everything that the log holds now is uncertain.
        doubt: bool,
    },
    /// Replaces the row and marks the next wire batch in it, strictly: what was sent can then never be forgotten.
    Mark {
        /// The partition.
        tp: TopicPartition,
        /// The row that was read.
        read: DeliveryRow,
        /// What it becomes before the marker is set.
        row: DeliveryRow,
        /// Everything that the log holds now is uncertain.
        doubt: bool,
        /// The most bytes of the wire batch.
        bytes_max: usize,
        /// The most stored batches to read.
        batches_max: usize,
        /// The identity where the epochs are used up.
        fresh: ProducerId,
    },
    /// Reads the records of the marker again: the same boundaries, the same bytes.
    Remark {
        /// The partition.
        tp: TopicPartition,
        /// The row that was read.
        read: DeliveryRow,
    },
}

/// What a transaction of a forwarder answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The row as it is now.
    pub row: DeliveryRow,
    /// The end of the partition.
    pub end: Offset,
    /// The wire batch of the marker, where it was asked for and its records are all there.
    pub cut: Option<Cut>,
}

impl ForwarderOp {
    /// A wire batch merges about so many stored ones at most.
    pub const BATCHES_MAX: usize = 256;

    /// The partition.
    pub fn tp(&self) -> TopicPartition {
        match self {
            Self::Claim { tp, .. }
            | Self::Save { tp, .. }
            | Self::Mark { tp, .. }
            | Self::Remark { tp, .. } => *tp,
        }
    }

    /// The offsets whose records are read, and how many batches of them beyond the first.
    fn reads(&self) -> Option<(Offset, Offset, usize)> {
        match self {
            Self::Claim { .. } | Self::Save { .. } => None,
            Self::Mark { row, batches_max, .. } => Some((row.committed, Offset::MAX, *batches_max)),
            Self::Remark { read, .. } => {
                read.marker.map(|(first, last)| (first, last.saturating_add(1), Self::BATCHES_MAX))
            }
        }
    }

    fn compare(&self, stored: Option<&[u8]>) -> Result<(), Error> {
        let read = match self {
            Self::Claim { .. } => return Ok(()),
            Self::Save { read, .. } | Self::Mark { read, .. } | Self::Remark { read, .. } => read,
        };
        if stored == Some(read.encode().as_slice()) {
            return Ok(());
        }
        let message = "another owner has written the delivery row of this partition since it was read";
        Err(Error::new(Code::DeliveryFenced, message))
    }

    /// The batches up to the first damaged one, which is an error where nothing that is wanted lies before it: a new
    /// CRC must not hide that the old one did not match.
    fn sound<'a>(&self, stored: impl Iterator<Item = &'a (Key, Value)>) -> Result<Vec<&'a [u8]>, Error> {
        let Some((from, ..)) = self.reads() else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        let mut wanted = false;
        for (key, bytes) in stored {
            match rows::sound(key, bytes) {
                Ok(header) => wanted |= header.last_offset() >= from,
                Err(_) if wanted => break,
                Err(error) => return Err(error),
            }
            batches.push(bytes.as_slice());
        }
        Ok(batches)
    }

    fn put(&self, row: &DeliveryRow) -> Write {
        Write::Put(Store::Deliveries, partition_key(self.tp()), row.encode())
    }

    fn durability(&self) -> Durability {
        match self {
            // Nothing was sent under an identity before its first marker.
            Self::Claim { .. } | Self::Remark { .. } => Durability::Relaxed,
            Self::Mark { .. } => Durability::Strict,
            // Settling may be forgotten: the marker then makes the same bytes be sent again. What may not: a new
            // identity, a doubt, and since when the marker may have been taken.
            Self::Save { read, row, doubt, .. } => {
                let renamed = (read.producer_id, read.epoch) != (row.producer_id, row.epoch);
                let dated = row.marker.is_some() && read.marked_at != row.marked_at;
                if renamed || dated || *doubt { Durability::Strict } else { Durability::Relaxed }
            }
        }
    }
}

impl Op for ForwarderOp {
    type Reply = Claimed;

    fn plan(&self) -> Plan {
        let tp = self.tp();
        let mut scans = vec![
            Scan::Get(Store::Deliveries, partition_key(tp)),
            Scan::Get(Store::Partitions, partition_key(tp)),
            last_batch(tp),
        ];
        if let Some((from, to, limit)) = self.reads() {
            let (low, next) = batch_range(tp, 0, from.saturating_add(1));
            let (_, to) = batch_range(tp, 0, to);
            scans.push(Scan::Last { store: Store::Batches, from: low, to: next.clone() });
            scans.push(Scan::Range { store: Store::Batches, from: next, to, limit });
        }
        match self {
            Self::Remark { .. } => Plan::read(scans),
            _ => Plan::write(scans, vec![Store::Deliveries], self.durability()),
        }
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Claimed>, Error> {
        let stored = rows.value(0);
        self.compare(stored)?;
        let partition = rows::partition(self.tp(), rows.value(1))?;
        let end = rows::sound_end(&partition, rows.first(2))?;
        let batches = self.sound(rows.all(3).iter().chain(rows.all(4)))?;
        let doubted = |row: &DeliveryRow, doubt: bool| {
            let uncertain = if doubt { row.uncertain.max(end) } else { row.uncertain };
            DeliveryRow { uncertain, ..row.clone() }
        };
        let (row, cut) = match self {
            Self::Claim { fresh, .. } => match stored.map(DeliveryRow::decode).transpose()? {
                Some(row) => return Ok(Applied::reply(Claimed { row, end, cut: None })),
                None => (DeliveryRow::begin(*fresh, partition.start), None),
            },
            Self::Save { row, doubt, .. } => (doubted(row, *doubt), None),
            Self::Mark { row, doubt, bytes_max, fresh, .. } => {
                mark(doubted(row, *doubt), &batches, partition.start, *bytes_max, *fresh)?
            }
            Self::Remark { read, .. } => {
                let cut = remark(read, &batches, partition.start)?;
                return Ok(Applied::reply(Claimed { row: read.clone(), end, cut }));
            }
        };
        Ok(Applied { writes: vec![self.put(&row)], reply: Claimed { row, end, cut } })
    }
}

/// A transaction of a forwarder as a member of the group of forwarders: it is refused where the partition is not the
/// member's, or not any more.
#[derive(Clone, Debug)]
pub struct OwnedOp {
    /// The member.
    pub member: Committer,
    /// What it wants.
    pub op: ForwarderOp,
}

impl Op for OwnedOp {
    type Reply = Claimed;

    fn plan(&self) -> Plan {
        let mut plan = self.op.plan();
        plan.scans.push(GroupRow::scan(FORWARDER_GROUP));
        plan
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Claimed>, Error> {
        let group = rows.0.len().checked_sub(1).and_then(|last| rows.value(last));
        let partition = core::iter::once(self.op.tp());
        GroupRow::check_commit(group, FORWARDER_GROUP, Some(&self.member), partition)?;
        self.op.apply(rows)
    }
}

/// Cuts the next wire batch and marks it. Where the records at `committed` are gone, delivery goes on at the
/// first that is there, in a new epoch: a next offset that is not the last sent + 1 always begins one.
fn mark(
    mut row: DeliveryRow,
    batches: &[&[u8]],
    log_start: Offset,
    bytes_max: usize,
    fresh: ProducerId,
) -> Result<(DeliveryRow, Option<Cut>), Error> {
    let all = || batches.iter().copied();
    let from = row.committed.max(log_start);
    // Where nothing but batches without records is left, delivery stands behind them.
    let beyond = batches.last().map(|last| BatchHeader::read(last)).transpose()?;
    let beyond = beyond.map_or(from, |last| last.next_offset().max(from));
    let first = first_offset(all(), from)?.unwrap_or(beyond);
    if first != row.committed {
        row.committed = first;
        row = row.next_epoch(fresh);
    }
    let cut = cut(&row, all(), first, Offset::MAX, bytes_max)?;
    row.marker = cut.as_ref().map(|cut| (cut.first, cut.last));
    row.marked_at = row.signed_at;
    Ok((row, cut))
}

/// The marker's wire batch, unless some of its records are gone.
fn remark(row: &DeliveryRow, batches: &[&[u8]], log_start: Offset) -> Result<Option<Cut>, Error> {
    let Some((first, last)) = row.marker.filter(|(first, _)| *first >= log_start) else { return Ok(None) };
    let again = cut(row, batches.iter().copied(), first, last, usize::MAX)?;
    Ok(again.filter(|cut| (cut.first, cut.last) == (first, last)))
}

/// Reads up to where some partitions have been delivered.
#[derive(Clone, Debug)]
pub struct ListDelivered {
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

impl Op for ListDelivered {
    /// The next offset to deliver of each, in order; `None` where nothing was forwarded yet.
    type Reply = Vec<Option<Offset>>;

    fn plan(&self) -> Plan {
        let scan = |tp: &TopicPartition| Scan::Get(Store::Deliveries, partition_key(*tp));
        Plan::read(self.partitions.iter().map(scan).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let delivered = (0..self.partitions.len()).map(|index| rows.value(index).map(delivered).transpose());
        Ok(Applied::reply(delivered.collect::<Result<_, Error>>()?))
    }
}
