use crate::base::{Code, Error, Offset, Timestamp, TopicPartition};
use crate::log::batch::BatchHeader;
use crate::log::rows::{self, PartitionRow};
use crate::log::{
    Applied, Durability, Op, Plan, Rows, Scan, Store, Write, batch_key, batch_range, partition_key,
};

/// Moves a partition's log start offset and deletes what lies wholly below it.
///
/// What a forwarder of the topic has not delivered is never touched: the topic's row and the delivery row are
/// read in the same transaction, whether a forwarder runs or not.
#[derive(Clone, Debug)]
pub struct Trim {
    /// The topic's name.
    pub topic: String,
    /// Where to trim.
    pub tp: TopicPartition,
    /// The first offset to keep; `None` is the end: everything goes.
    pub before: Option<Offset>,
}

impl Op for Trim {
    /// The log start offset afterwards. It may lie below what was asked for where a forwarder holds records.
    type Reply = Offset;

    fn plan(&self) -> Plan {
        let (from, to) = batch_range(self.tp, 0, self.before.map_or(Offset::MAX, |before| before.max(0)));
        let scans = vec![
            Scan::Get(Store::Partitions, partition_key(self.tp)),
            rows::last_batch(self.tp),
            Scan::Get(Store::Topics, self.topic.as_bytes().to_vec()),
            Scan::Get(Store::Deliveries, partition_key(self.tp)),
            Scan::Last { store: Store::Batches, from, to },
        ];
        Plan::write(scans, vec![Store::Partitions, Store::Batches], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Offset>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let end = rows::sound_end(&row, rows.first(1))?;
        let asked = self.before.unwrap_or(end);
        if asked > end {
            let message = "records cannot be deleted beyond the end of the partition";
            return Err(Error::new(Code::OffsetOutOfRange, message));
        }
        let forwarded = rows::topic(&self.topic, rows.value(2))?.is_some_and(|topic| topic.sink.is_some());
        let start =
            if forwarded { asked.min(rows.value(3).map_or(Ok(row.start), rows::delivered)?) } else { asked };
        if start <= row.start {
            return Ok(Applied::reply(row.start));
        }
        let changed = PartitionRow { start, generation: row.generation + 1 };
        let mut writes = vec![Write::Put(Store::Partitions, partition_key(self.tp), changed.encode())];
        // The batch that holds `start` stays; every earlier one goes.
        let keep = match rows.value(4).map(BatchHeader::read).transpose()? {
            Some(floor) if start == asked && floor.last_offset() < start => start,
            Some(floor) if start == asked => floor.base_offset,
            _ => return Ok(Applied { writes, reply: start }),
        };
        writes.push(Write::DeleteRange(Store::Batches, batch_key(self.tp, 0), batch_key(self.tp, keep)));
        Ok(Applied { writes, reply: start })
    }
}

/// Reads the sizes and times of a stretch of batches, for retention.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Where to look.
    pub tp: TopicPartition,
    /// The first base offset.
    pub from: Offset,
}

/// One batch, as retention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The offset after its last record.
    pub next: Offset,
    /// The time of its youngest record.
    pub max_timestamp: Timestamp,
    /// Its bytes.
    pub bytes: u64,
}

/// A slice of a partition, measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its batches in order.
    pub batches: Vec<Stretch>,
    /// Where the next slice begins; `None` at the end.
    pub next: Option<Offset>,
}

impl Measure {
    const BATCHES_A_SLICE: usize = 32;
}

impl Op for Measure {
    type Reply = Measured;

    fn plan(&self) -> Plan {
        let (from, to) = batch_range(self.tp, self.from, Offset::MAX);
        Plan::read(vec![Scan::Range { store: Store::Batches, from, to, limit: Self::BATCHES_A_SLICE }])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Measured>, Error> {
        let mut batches = Vec::new();
        for (_, bytes) in rows.all(0) {
            let header = BatchHeader::read(bytes)?;
            batches.push(Stretch {
                next: header.next_offset(),
                max_timestamp: header.max_timestamp,
                bytes: bytes.len() as u64,
            });
        }
        let full = batches.len() == Self::BATCHES_A_SLICE;
        let next = batches.last().filter(|_| full).map(|last| last.next);
        Ok(Applied::reply(Measured { batches, next }))
    }
}
