use super::keys::Keys;
use crate::base::{Error, Timestamp};
use crate::log::batch::{BatchHeader, Compression, Record, records};
use crate::log::producer_state::PRODUCER_ID_EXPIRATION_MS;
use crate::log::rows::Compacted;

/// What stays.
pub(super) struct Filter<'a> {
    pub(super) keys: &'a Keys,
    pub(super) now: Timestamp,
    /// When a tombstone may go that was not compacted before.
    pub(super) horizon: Timestamp,
}

/// What stays of one batch.
pub(super) enum Sifted<'a> {
    /// All of it: it cannot be looked into.
    Whole,
    /// Nothing.
    Gone,
    /// Some of it, or all.
    Left(Left<'a>),
}

/// What stays of a batch that can be looked into.
pub(super) struct Left<'a> {
    pub(super) header: BatchHeader,
    /// Its records; there is none where only the header is wanted.
    pub(super) kept: Vec<Record<'a>>,
    /// When its tombstones may go; `None` where it has none.
    pub(super) horizon: Option<Timestamp>,
    /// It is stored like this already.
    pub(super) same: bool,
    /// Its header may be asked for, as it is.
    pub(super) remembered: bool,
}

impl Filter<'_> {
    /// Takes the records of a batch that are to go; `left` counts the others.
    pub(super) fn sift<'b>(
        &self,
        bytes: &'b [u8],
        header: BatchHeader,
        left: &mut Compacted,
    ) -> Result<Sifted<'b>, Error> {
        // What cannot be looked into stays as it is, and hides no older record of its keys.
        if header.attributes.compression()? != Compression::None || header.attributes.is_control() {
            left.kept += i64::from(header.record_count);
            return Ok(Sifted::Whole);
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
        left.kept += kept.len() as i64;
        if tombstones {
            let earliest = left.horizon;
            left.horizon = if earliest == 0 { horizon } else { earliest.min(horizon) };
        }
        let remembered = self.remembers(&header);
        if kept.is_empty() && !remembered {
            return Ok(Sifted::Gone);
        }
        let same = removed == 0 && tombstones == dated;
        let horizon = tombstones.then_some(horizon);
        Ok(Sifted::Left(Left { header, kept, horizon, same, remembered }))
    }

    /// True for the last batch of a producer that may still ask what became of it: its header is the answer.
    fn remembers(&self, header: &BatchHeader) -> bool {
        let age = self.now.saturating_sub(header.max_timestamp.max(0));
        header.producer_id >= 0
            && age < PRODUCER_ID_EXPIRATION_MS
            && !self.keys.superseded(header.producer_id, header.base_offset)
    }
}
