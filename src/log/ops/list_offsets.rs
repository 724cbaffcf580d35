use crate::base::{Error, Offset, Timestamp, TopicPartition};
use crate::log::batch::{self, Compression};
use crate::log::rows;
use crate::log::{Applied, Key, Op, Plan, Rows, Scan, Store, Value, batch_range, partition_key};

/// Both ends of some partitions.
#[derive(Clone, Debug)]
pub struct ListBounds {
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// The ends of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The log start offset: the first that can be read.
    pub start: Offset,
    /// The high watermark: the next offset to be written.
    pub end: Offset,
    /// The partition's generation.
    pub generation: u64,
}

impl Bounds {
    /// The rows that [`Bounds::read`] reads.
    pub fn scans(tp: TopicPartition) -> [Scan; 2] {
        [Scan::Get(Store::Partitions, partition_key(tp)), rows::last_batch(tp)]
    }

    /// The ends, from two scans of which `scan` is the first.
    ///
    /// # Errors
    /// There is no such partition, or what is stored of it is damaged.
    pub fn read(tp: TopicPartition, rows: &Rows, scan: usize) -> Result<Self, Error> {
        let row = rows::partition(tp, rows.value(scan))?;
        let end = rows::sound_end(&row, rows.first(scan + 1))?;
        Ok(Self { start: row.start, end, generation: row.generation })
    }
}

impl Op for ListBounds {
    type Reply = Vec<Bounds>;

    fn plan(&self) -> Plan {
        Plan::read(self.partitions.iter().flat_map(|tp| Bounds::scans(*tp)).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let bounds = self.partitions.iter().enumerate().map(|(index, tp)| Bounds::read(*tp, rows, index * 2));
        Ok(Applied::reply(bounds.collect::<Result<_, Error>>()?))
    }
}

/// Which offset of a partition is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset.
    Earliest,
    /// The end.
    Latest,
    /// The first record at or after this time.
    At(Timestamp),
}

/// Finds an offset by time, a slice of batches at a time.
#[derive(Clone, Debug)]
pub struct ListOffsets {
    /// Where to look.
    pub tp: TopicPartition,
    /// What to look for.
    pub spec: OffsetSpec,
    /// Where this slice begins; 0 at first.
    pub from: Offset,
}

/// What a slice said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedOffset {
    /// This is the offset; the end of the partition where no record is late enough.
    Found(Offset),
    /// Not in this slice: go on from here.
    Continue(Offset),
}

impl ListOffsets {
    /// The batches that a slice reads.
    pub const BATCHES_A_SLICE: usize = 64;

    fn find(&self, start: Offset, end: Offset, batches: &[(Key, Value)]) -> Result<ListedOffset, Error> {
        let OffsetSpec::At(time) = self.spec else {
            return Ok(ListedOffset::Found(if self.spec == OffsetSpec::Earliest { start } else { end }));
        };
        let mut next = self.from;
        for (key, bytes) in batches {
            let header = rows::sound(key, bytes)?;
            next = header.next_offset();
            if header.max_timestamp < time || header.last_offset() < start {
                continue;
            }
            if header.attributes.compression()? != Compression::None {
                // Its records cannot be looked at here: a reader that begins at the batch misses none of them.
                return Ok(ListedOffset::Found(header.base_offset.max(start)));
            }
            for record in batch::records(bytes)? {
                let record = record?;
                if record.timestamp >= time && record.offset >= start {
                    return Ok(ListedOffset::Found(record.offset));
                }
            }
        }
        let exhausted = batches.len() < Self::BATCHES_A_SLICE || next >= end;
        Ok(if exhausted { ListedOffset::Found(end) } else { ListedOffset::Continue(next) })
    }
}

impl Op for ListOffsets {
    type Reply = ListedOffset;

    fn plan(&self) -> Plan {
        let mut scans = vec![Scan::Get(Store::Partitions, partition_key(self.tp)), rows::last_batch(self.tp)];
        if matches!(self.spec, OffsetSpec::At(_)) {
            let (from, to) = batch_range(self.tp, self.from, Offset::MAX);
            scans.push(Scan::Range { store: Store::Batches, from, to, limit: Self::BATCHES_A_SLICE });
        }
        Plan::read(scans)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<ListedOffset>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let end = rows::end_offset(&row, rows.value(1))?;
        Ok(Applied::reply(self.find(row.start, end, rows.all(2))?))
    }
}
