use super::filter::Left;
use crate::base::Sequence;
use crate::log::batch::{BatchBuilder, BatchHeader, BatchOptions, TimestampType};
use crate::log::{Key, Store, Write};

/// Neighbours that become one batch: a row costs its reader more than a record does.
#[derive(Default)]
pub(super) struct Run<'a> {
    parts: Vec<(&'a Key, Left<'a>)>,
    /// What the records weigh, about.
    bytes: usize,
    pub(super) writes: Vec<Write>,
}

impl<'a> Run<'a> {
    /// Batches are put together up to this: in larger ones a row counts for little.
    const BYTES_MAX: usize = 16 << 10;

    /// Takes the next batch, behind the others or as the first of a new run.
    pub(super) fn take(&mut self, key: &'a Key, left: Left<'a>) {
        let records = left.kept.iter();
        let bytes = records.map(|record| {
            let part = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
            part(record.key) + part(record.value) + record.raw_headers().1.len() + Self::RECORD_BYTES
        });
        let bytes: usize = bytes.sum();
        let first = self.parts.first();
        let goes_on =
            first.is_some_and(|(_, first)| self.bytes + bytes <= Self::BYTES_MAX && goes_on(first, &left));
        if !goes_on {
            self.end();
        }
        self.bytes += bytes;
        self.parts.push((key, left));
    }

    /// What a record weighs beside its parts.
    const RECORD_BYTES: usize = 12;

    /// Whatever comes next is another batch.
    pub(super) fn end(&mut self) {
        let parts = core::mem::take(&mut self.parts);
        self.bytes = 0;
        let (Some((key, first)), Some((_, last))) = (parts.first(), parts.last()) else { return };
        if parts.len() == 1 && first.same {
            return;
        }
        let header = &first.header;
        let stamped =
            header.attributes.timestamp_type() == TimestampType::LogAppendTime || first.kept.is_empty();
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset: header.base_offset,
            partition_leader_epoch: header.partition_leader_epoch,
            attributes: header.attributes.with_delete_horizon(first.horizon.is_some()),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            base_timestamp: first.horizon,
            max_timestamp: stamped.then_some(header.max_timestamp),
            last_offset_delta: Some((last.header.last_offset() - header.base_offset) as i32),
        });
        for record in parts.iter().flat_map(|(_, part)| &part.kept) {
            let (count, headers) = record.raw_headers();
            let delta = (record.offset - header.base_offset) as i32;
            builder.push_at(delta, record.timestamp, record.key, record.value, count, headers);
        }
        self.writes.push(Write::Put(Store::Batches, (*key).clone(), builder.finish()));
        let others = parts.iter().skip(1).map(|(key, _)| Write::Delete(Store::Batches, (*key).clone()));
        self.writes.extend(others);
    }

    /// All that is to be written.
    pub(super) fn finish(mut self) -> Vec<Write> {
        self.end();
        self.writes
    }
}

/// True if nothing is lost where `next` becomes a part of the batch that begins with `first`: every record has the
/// identity, the sequence and the time that it had, and nobody looks for the header of `next`.
fn goes_on(first: &Left<'_>, next: &Left<'_>) -> bool {
    let mixed = |left: &Left<'_>| left.kept.is_empty() || left.horizon.is_some();
    let (one, other) = (&first.header, &next.header);
    let same = |header: &BatchHeader| {
        (header.producer_id, header.producer_epoch, header.attributes, header.partition_leader_epoch)
    };
    let Ok(distance) = i32::try_from(other.base_offset - one.base_offset) else { return false };
    let sequence = match one.base_sequence {
        0.. => one.base_sequence.wrapping_add(distance) & Sequence::MAX,
        none => none,
    };
    same(one) == same(other)
        && one.attributes.timestamp_type() == TimestampType::CreateTime
        && sequence == other.base_sequence
        && i32::try_from(other.last_offset() - one.base_offset).is_ok()
        && !mixed(first)
        && !mixed(next)
        && !next.remembered
}
