use crate::base::{Code, Error, Offset, Timestamp, TopicPartition};
use crate::log::rows::{self, PartitionRow};
use crate::log::{
    Applied, Durability, Op, Plan, Rows, Scan, Store, Write, batch_key, batch_range, partition_key,
};

/// Moves a partition's log start offset, and deletes what lies wholly below it, a slice at a time.
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
    /// Give up what a forwarder has not delivered, too.
    pub undelivered: bool,
}

/// What a trim has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// The log start offset before.
    pub from: Offset,
    /// The log start offset now. It may lie below what was asked for where a forwarder holds records.
    pub start: Offset,
    /// Batches below it are left: trim again.
    pub more: bool,
}

impl Trim {
    fn start(&self, row: &PartitionRow, rows: &Rows) -> Result<Offset, Error> {
        let end = rows::sound_end(row, rows.first(1))?;
        let asked = self.before.unwrap_or(end);
        if asked > end {
            let message = "records cannot be deleted beyond the end of the partition";
            return Err(Error::new(Code::OffsetOutOfRange, message));
        }
        let sink = rows::topic(&self.topic, rows.value(2))?.is_some_and(|topic| topic.sink.is_some());
        let held = rows::undelivered(sink, rows.value(3), row.start)?.filter(|_| !self.undelivered);
        Ok(asked.min(held.unwrap_or(asked)).max(row.start))
    }
}

impl Op for Trim {
    type Reply = Trimmed;

    fn plan(&self) -> Plan {
        let (from, to) = batch_range(self.tp, 0, self.before.map_or(Offset::MAX, |before| before.max(0)));
        let scans = vec![
            Scan::Get(Store::Partitions, partition_key(self.tp)),
            rows::last_batch(self.tp),
            Scan::Get(Store::Topics, self.topic.as_bytes().to_vec()),
            Scan::Get(Store::Deliveries, partition_key(self.tp)),
            Scan::Last { store: Store::Batches, from: from.clone(), to: to.clone() },
            Scan::Range { store: Store::Batches, from, to, limit: 1 },
        ];
        Plan::write(scans, vec![Store::Partitions, Store::Batches], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Trimmed>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let start = self.start(&row, rows)?;
        let mut applied = Applied::reply(Trimmed { from: row.start, start, more: false });
        if start > row.start {
            let changed = PartitionRow { start, generation: row.generation + 1, ..row };
            applied.writes.push(Write::Put(Store::Partitions, partition_key(self.tp), changed.encode()));
        }
        // The batch that holds `start` stays; every earlier one goes.
        let floor = rows.first(4).map(|(key, bytes)| rows::sound(key, bytes)).transpose()?;
        let asked = self.before.unwrap_or(Offset::MAX);
        let keep = match floor {
            Some(floor) if floor.last_offset() < start => start.min(asked),
            Some(floor) if floor.base_offset <= start => floor.base_offset,
            // The start lies below what was asked for, in a batch that was not looked at.
            _ => return Ok(applied),
        };
        let keep = batch_key(self.tp, keep);
        if let Some((first, bytes)) = rows.first(5).filter(|(first, _)| *first < keep) {
            let slice = rows::end_of_slice(first, bytes);
            applied.reply.more = slice < keep;
            applied.writes.push(Write::DeleteRange(Store::Batches, first.clone(), slice.min(keep)));
        }
        Ok(applied)
    }
}

/// Reads the sizes and times of a stretch of batches, for retention.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Where to look.
    pub tp: TopicPartition,
    /// The first base offset.
    pub from: Offset,
    /// The most batches.
    pub limit: usize,
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
    /// The log start offset.
    pub start: Offset,
    /// Its batches in order.
    pub batches: Vec<Stretch>,
    /// Where the next slice begins; `None` at the end.
    pub next: Option<Offset>,
}

impl Op for Measure {
    type Reply = Measured;

    fn plan(&self) -> Plan {
        let (from, to) = batch_range(self.tp, self.from, Offset::MAX);
        Plan::read(vec![
            Scan::Get(Store::Partitions, partition_key(self.tp)),
            Scan::Range { store: Store::Batches, from, to, limit: self.limit },
        ])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Measured>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let mut batches = Vec::new();
        for (key, bytes) in rows.all(1) {
            let header = rows::sound(key, bytes)?;
            batches.push(Stretch {
                next: header.next_offset(),
                max_timestamp: header.max_timestamp,
                bytes: bytes.len() as u64,
            });
        }
        let full = batches.len() >= self.limit;
        let next = batches.last().filter(|_| full).map(|last| last.next);
        Ok(Applied::reply(Measured { start: row.start, batches, next }))
    }
}
