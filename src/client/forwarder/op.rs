use super::row::DeliveryRow;
use super::wire::{Cut, cut};
use crate::base::{Code, Error, Offset, ProducerId, TopicPartition};
use crate::log::{
    Applied, Durability, Op, PartitionRow, Plan, Rows, Scan, Store, Write, batch_range, delivered, end_offset, last_batch,
    partition_key, unknown_partition,
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
        /// The most bytes of the wire batch.
        bytes_max: usize,
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
    /// The log start offset.
    pub log_start: Offset,
    /// The end of the partition.
    pub end: Offset,
    /// The wire batch of the marker, where it was asked for and its records are all there.
    pub cut: Option<Cut>,
}

impl ForwarderOp {
    /// A wire batch merges at most so many stored ones.
    const BATCHES_MAX: usize = 256;

    fn tp(&self) -> TopicPartition {
        match self {
            Self::Claim { tp, .. } | Self::Save { tp, .. } | Self::Mark { tp, .. } | Self::Remark { tp, .. } => *tp,
        }
    }

    /// The first offset to read records from.
    fn reads_from(&self) -> Option<Offset> {
        match self {
            Self::Claim { .. } | Self::Save { .. } => None,
            Self::Mark { row, .. } => Some(row.committed),
            Self::Remark { read, .. } => Some(read.marker.map_or(read.committed, |(first, _)| first)),
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

    fn put(&self, row: &DeliveryRow) -> Write {
        Write::Put(Store::Deliveries, partition_key(self.tp()), row.encode())
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
        if let Some(from) = self.reads_from() {
            let (low, next) = batch_range(tp, 0, from.saturating_add(1));
            let (_, to) = batch_range(tp, 0, Offset::MAX);
            scans.push(Scan::Last { store: Store::Batches, from: low, to: next.clone() });
            scans.push(Scan::Range { store: Store::Batches, from: next, to, limit: Self::BATCHES_MAX });
        }
        match self {
            Self::Remark { .. } => Plan::read(scans),
            Self::Claim { .. } | Self::Save { .. } | Self::Mark { .. } => {
                Plan::write(scans, vec![Store::Deliveries], self.durability())
            }
        }
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Claimed>, Error> {
        let stored = rows.value(0);
        self.compare(stored)?;
        let Some(partition) = rows.value(1).map(PartitionRow::decode).transpose()? else {
            return Err(unknown_partition(self.tp().partition));
        };
        let (log_start, end) = (partition.start, end_offset(&partition, rows.value(2))?);
        let batches = || rows.all(3).iter().chain(rows.all(4)).map(|(_, batch)| batch.as_slice());
        let claimed = |row: DeliveryRow, cut: Option<Cut>| Claimed { row, log_start, end, cut };
        match self {
            Self::Claim { fresh, .. } => {
                let found = stored.map(DeliveryRow::decode).transpose()?;
                let row = found.clone().unwrap_or_else(|| DeliveryRow::begin(*fresh, log_start));
                let writes = if found.is_none() { vec![self.put(&row)] } else { Vec::new() };
                Ok(Applied { writes, reply: claimed(row, None) })
            }
            Self::Save { row, doubt, .. } => {
                let mut row = row.clone();
                if *doubt {
                    row.uncertain = row.uncertain.max(end);
                }
                Ok(Applied { writes: vec![self.put(&row)], reply: claimed(row, None) })
            }
            Self::Mark { row, bytes_max, fresh, .. } => {
                let (row, cut) = mark(row.clone(), batches(), log_start, *bytes_max, *fresh)?;
                Ok(Applied { writes: vec![self.put(&row)], reply: claimed(row, cut) })
            }
            Self::Remark { read, .. } => {
                let (first, last) = read.marker.unwrap_or((read.committed, read.committed));
                let again = cut(read, batches(), first, Some(last), usize::MAX)?;
                let whole = again.filter(|cut| first >= log_start && (cut.first, cut.last) == (first, last));
                Ok(Applied::reply(claimed(read.clone(), whole)))
            }
        }
    }
}

impl ForwarderOp {
    fn durability(&self) -> Durability {
        match self {
            // Settling may be forgotten: the marker it removes only makes the same bytes be sent again.
            Self::Save { read, row, doubt: false, .. }
                if read.producer_id == row.producer_id && read.epoch == row.epoch =>
            {
                Durability::Relaxed
            }
            _ => Durability::Strict,
        }
    }
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

/// Cuts the next wire batch and marks it. Where the records at `committed` are gone, delivery goes on at the
/// first that is there, in a new epoch: a next offset that is not the last sent + 1 always begins one.
fn mark<'a>(
    mut row: DeliveryRow,
    batches: impl Iterator<Item = &'a [u8]>,
    log_start: Offset,
    bytes_max: usize,
    fresh: ProducerId,
) -> Result<(DeliveryRow, Option<Cut>), Error> {
    let batches: Vec<&[u8]> = batches.collect();
    let from = row.committed.max(log_start);
    let Some(first) = cut(&row, batches.iter().copied(), from, None, 0)?.map(|probe| probe.first) else {
        return Ok((row, None));
    };
    if first != row.committed {
        row.committed = first;
        row = row.next_epoch(first, fresh);
    }
    let cut = cut(&row, batches.into_iter(), first, None, bytes_max)?;
    row.marker = cut.as_ref().map(|cut| (cut.first, cut.last));
    Ok((row, cut))
}
