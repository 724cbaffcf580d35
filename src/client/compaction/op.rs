use std::rc::Rc;

use super::filter::{Filter, Sifted};
use super::keys::Keys;
use super::run::Run;
use crate::base::{Error, Offset, Timestamp, TopicPartition};
use crate::log::rows::{self, Compacted, PartitionRow};
use crate::log::{
    Applied, Durability, Op, Plan, Rows, Scan, Store, TopicRow, Write, batch_range, partition_key,
};

/// Finds out what of a partition can be compacted.
#[derive(Clone, Debug)]
pub struct FindDirty {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub tp: TopicPartition,
}

/// What of a partition can be compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirty {
    /// The log start offset.
    pub start: Offset,
    /// What the last compaction left.
    pub compacted: Compacted,
    /// The offset before which compaction may touch records: the last batch stays as it is, and so does everything
    /// that a forwarder has not delivered.
    pub upto: Offset,
}

fn scans(topic: &str, tp: TopicPartition) -> Vec<Scan> {
    vec![
        Scan::Get(Store::Partitions, partition_key(tp)),
        Scan::Get(Store::Topics, topic.as_bytes().to_vec()),
        Scan::Get(Store::Deliveries, partition_key(tp)),
        rows::last_batch(tp),
    ]
}

/// The topic, where it is still the one of the partition and still compacted.
fn compacted_topic(name: &str, tp: TopicPartition, rows: &Rows) -> Result<Option<TopicRow>, Error> {
    let topic = rows::topic(name, rows.value(1))?;
    Ok(topic.filter(|topic| topic.id == tp.topic && topic.config.compacts()))
}

/// Up to where compaction may go.
fn limit(topic: &TopicRow, row: &PartitionRow, rows: &Rows) -> Result<Offset, Error> {
    let last = rows.first(3).and_then(|(key, _)| rows::base_of(key)).unwrap_or(row.start);
    let delivered = rows::undelivered(topic.sink.is_some(), rows.value(2), row.start)?;
    Ok(last.min(delivered.unwrap_or(last)))
}

impl Op for FindDirty {
    /// `None` where the topic is not compacted.
    type Reply = Option<Dirty>;

    fn plan(&self) -> Plan {
        Plan::read(scans(&self.topic, self.tp))
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let Some(topic) = compacted_topic(&self.topic, self.tp, rows)? else {
            return Ok(Applied::reply(None));
        };
        let upto = limit(&topic, &row, rows)?;
        Ok(Applied::reply(Some(Dirty { start: row.start, compacted: row.compacted, upto })))
    }
}

/// Rewrites a slice of a partition: of each key the last record stays, and of the tombstones those that are not yet
/// old enough; small neighbours become one batch. Offsets never change.
#[derive(Clone, Debug)]
pub struct Compact {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub tp: TopicPartition,
    /// Where the slice begins.
    pub from: Offset,
    /// The most batches of the slice.
    pub limit: usize,
    /// Where the pass ends.
    pub upto: Offset,
    /// What the pass has found.
    pub keys: Rc<Keys>,
    /// What the slices before it left.
    pub before: Compacted,
    /// When the pass began.
    pub now: Timestamp,
}

/// What became of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Where the next slice begins; `None` where the pass has ended.
    pub next: Option<Offset>,
    /// What the pass has left so far.
    pub compacted: Compacted,
    /// Records that are gone.
    pub removed: i64,
    /// The bytes that the slice had.
    pub bytes: usize,
    /// The batches that the slice had.
    pub batches: usize,
}

impl Op for Compact {
    type Reply = Rewritten;

    fn plan(&self) -> Plan {
        let mut scans = scans(&self.topic, self.tp);
        let (from, to) = batch_range(self.tp, self.from, self.upto);
        scans.push(Scan::Range { store: Store::Batches, from, to, limit: self.limit });
        Plan::write(scans, vec![Store::Partitions, Store::Batches], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Rewritten>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let batches = rows.all(4);
        let mut done = Rewritten {
            next: None,
            compacted: self.before,
            removed: 0,
            bytes: batches.iter().map(|(_, bytes)| bytes.len()).sum(),
            batches: batches.len(),
        };
        let topic = compacted_topic(&self.topic, self.tp, rows)?;
        let allowed = topic.as_ref().map(|topic| limit(topic, &row, rows)).transpose()?;
        let (Some(topic), true) = (topic, allowed.is_some_and(|allowed| self.upto <= allowed)) else {
            // Its configuration changed, or it began to be forwarded: the pass is void.
            return Ok(Applied::reply(done));
        };
        let horizon = self.now.saturating_add(topic.config.delete_retention_ms());
        let filter = Filter { keys: &self.keys, now: self.now, horizon };
        let mut run = Run::default();
        for (key, bytes) in batches {
            let header = rows::sound(key, bytes)?;
            done.next = Some(header.next_offset());
            let (records, kept) = (i64::from(header.record_count), done.compacted.kept);
            match filter.sift(bytes, header, &mut done.compacted)? {
                Sifted::Whole => run.end(),
                Sifted::Gone => run.writes.push(Write::Delete(Store::Batches, key.clone())),
                Sifted::Left(left) => run.take(key, left),
            }
            done.removed += records - (done.compacted.kept - kept);
        }
        let mut writes = run.finish();
        done.next = done.next.filter(|next| batches.len() >= self.limit && *next < self.upto);
        let mut changed = row;
        // Whoever believes in another end must not write into a gap.
        changed.generation += u64::from(!writes.is_empty());
        if done.next.is_none() {
            done.compacted.upto = self.upto;
            changed.compacted = done.compacted;
        }
        if changed != row {
            writes.push(Write::Put(Store::Partitions, partition_key(self.tp), changed.encode()));
        }
        Ok(Applied { writes, reply: done })
    }
}
