use std::rc::Rc;

use super::keys::Keys;
use crate::base::{Error, Offset, Timestamp, TopicPartition};
use crate::log::batch::{BatchBuilder, BatchHeader, BatchOptions, Compression, TimestampType, records};
use crate::log::producer_state::PRODUCER_ID_EXPIRATION_MS;
use crate::log::rows::{self, Compacted, PartitionRow};
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, TopicRow, Value, Write, batch_range, partition_key,
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
    let delivered = match topic.sink {
        Some(_) => rows.value(2).map_or(Ok(row.start), rows::delivered)?,
        None => Offset::MAX,
    };
    Ok(last.min(delivered))
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
/// old enough. Offsets never change.
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
        let mut writes = Vec::new();
        for (key, bytes) in batches {
            let header = rows::sound(key, bytes)?;
            done.next = Some(header.next_offset());
            filter.batch(key, bytes, &header, &mut done, &mut writes)?;
        }
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

/// What stays.
struct Filter<'a> {
    keys: &'a Keys,
    now: Timestamp,
    /// When a tombstone may go that was not compacted before.
    horizon: Timestamp,
}

impl Filter<'_> {
    fn batch(
        &self,
        key: &Key,
        bytes: &Value,
        header: &BatchHeader,
        done: &mut Rewritten,
        writes: &mut Vec<Write>,
    ) -> Result<(), Error> {
        // What cannot be looked into stays as it is, and hides no older record of its keys.
        if header.attributes.compression()? != Compression::None || header.attributes.is_control() {
            done.compacted.kept += i64::from(header.record_count);
            return Ok(());
        }
        let dated = header.attributes.has_delete_horizon();
        let horizon = if dated { header.base_timestamp } else { self.horizon };
        let mut kept = Vec::new();
        let mut tombstones = false;
        for record in records(bytes)? {
            let record = record?;
            let last =
                record.key.is_some_and(|key| self.keys.last(key).is_none_or(|last| record.offset >= last));
            let tombstone = record.value.is_none();
            if last && !(tombstone && dated && self.now >= horizon) {
                tombstones |= tombstone;
                kept.push(record);
            }
        }
        let removed = i64::from(header.record_count) - kept.len() as i64;
        done.removed += removed;
        done.compacted.kept += kept.len() as i64;
        if tombstones {
            let earliest = done.compacted.horizon;
            done.compacted.horizon = if earliest == 0 { horizon } else { earliest.min(horizon) };
        }
        if kept.is_empty() && !self.remembers(header) {
            writes.push(Write::Delete(Store::Batches, key.clone()));
            return Ok(());
        }
        if removed == 0 && tombstones == dated {
            return Ok(());
        }
        let stamped = header.attributes.timestamp_type() == TimestampType::LogAppendTime || kept.is_empty();
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: header.base_offset,
            partition_leader_epoch: header.partition_leader_epoch,
            attributes: header.attributes.with_delete_horizon(tombstones),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            base_timestamp: tombstones.then_some(horizon),
            max_timestamp: stamped.then_some(header.max_timestamp),
            last_offset_delta: Some(header.last_offset_delta),
        });
        for record in kept {
            let (count, headers) = record.raw_headers();
            let delta = (record.offset - header.base_offset) as i32;
            builder.push_at(delta, record.timestamp, record.key, record.value, count, headers);
        }
        writes.push(Write::Put(Store::Batches, key.clone(), builder.finish()));
        Ok(())
    }

    /// True for the last batch of a producer that may still ask what became of it: its header is the answer.
    fn remembers(&self, header: &BatchHeader) -> bool {
        let age = self.now.saturating_sub(header.max_timestamp.max(0));
        header.producer_id >= 0
            && age < PRODUCER_ID_EXPIRATION_MS
            && !self.keys.superseded(header.producer_id, header.base_offset)
    }
}
