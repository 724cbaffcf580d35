use crate::base::{Error, Offset, TopicPartition};
use crate::log::batch::BatchHeader;
use crate::log::rows::{self, PartitionRow};
use crate::log::{Applied, Op, Plan, Rows, Scan, Store, batch_range, partition_key};

/// Reads whole batches from an offset on.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where to read.
    pub tp: TopicPartition,
    /// The first offset wanted; the first batch may begin before it.
    pub offset: Offset,
    /// The most batches.
    pub batches_max: usize,
}

/// What a fetch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The log start offset.
    pub start: Offset,
    /// The end of the partition: the next offset to be written.
    pub end: Offset,
    /// The batches, in order. Empty where `offset` is outside `start..end`.
    pub batches: Vec<Vec<u8>>,
}

impl Op for Fetch {
    type Reply = Fetched;

    fn plan(&self) -> Plan {
        let (from, next) = batch_range(self.tp, 0, self.offset.saturating_add(1));
        let (_, to) = rows::all_batches(self.tp);
        Plan::read(vec![
            Scan::Get(Store::Partitions, partition_key(self.tp)),
            rows::last_batch(self.tp),
            Scan::Last { store: Store::Batches, from, to: next.clone() },
            Scan::Range { store: Store::Batches, from: next, to, limit: self.batches_max },
        ])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Fetched>, Error> {
        let Some(row) = rows.value(0).map(PartitionRow::decode).transpose()? else {
            return Err(rows::unknown_partition(self.tp.partition));
        };
        let end = rows::end_offset(&row, rows.value(1))?;
        let mut batches = Vec::new();
        if (row.start..end).contains(&self.offset) {
            if let Some(floor) = rows.value(2)
                && BatchHeader::read(floor)?.last_offset() >= self.offset
            {
                batches.push(floor.to_vec());
            }
            let room = self.batches_max.saturating_sub(batches.len()).max(1);
            batches.extend(rows.all(3).iter().take(room).map(|(_, value)| value.clone()));
        }
        Ok(Applied::reply(Fetched { start: row.start, end, batches }))
    }
}
