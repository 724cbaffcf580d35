use crate::base::{Code, Error, Offset, TopicPartition};
use crate::log::batch::{self, BatchHeader};
use crate::log::rows;
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Value, Write, batch_key, batch_range,
    partition_key,
};

/// Appends batches to some partitions, in one transaction.
///
/// Where the writer believes to know the end of a partition (`expected`), its batches are added there while the
/// partition's row is still being read: one round trip. Another writer's batch at one of those offsets, or a row whose
/// generation is another, is a conflict: nothing is written, and the writer tries again without belief, which
/// cannot conflict, since the end is then read in the same transaction.
#[derive(Clone, Debug)]
pub struct Append {
    /// At most one a partition.
    pub entries: Vec<AppendEntry>,
    /// What the acknowledgement survives.
    pub durability: Durability,
}

/// The batches for one partition.
#[derive(Clone, Debug)]
pub struct AppendEntry {
    /// Where it goes.
    pub tp: TopicPartition,
    /// Record batches, one after another; their base offsets are rewritten.
    pub batches: Vec<Vec<u8>>,
    /// What the writer believes of the partition.
    pub expected: Option<Expected>,
    /// An earlier attempt, whose outcome is unknown, may have put these very batches at or after this offset.
    pub attempted_from: Option<Offset>,
}

/// The end of a partition, as a writer last saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The next offset.
    pub next: Offset,
    /// The partition's generation: it changes with whatever deletes rows.
    pub generation: u64,
    /// The log start offset.
    pub start: Offset,
}

/// Where the batches of an entry landed: one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of their first record.
    pub base: Offset,
    /// The end of the partition after them.
    pub end: Expected,
}

impl Op for Append {
    /// One answer an entry, in order; an entry that is refused does not keep the others from landing.
    type Reply = Vec<Result<Appended, Error>>;

    fn plan(&self) -> Plan {
        let mut plan = Plan::write(Vec::new(), vec![Store::Batches], self.durability);
        for entry in &self.entries {
            plan.scans.push(Scan::Get(Store::Partitions, partition_key(entry.tp)));
            match entry.expected {
                Some(expected) => entry.place(expected.next, |key, batch| {
                    plan.adds.push((Store::Batches, key, batch));
                }),
                None => {
                    plan.scans.push(rows::last_batch(entry.tp));
                    if let Some(from) = entry.attempted_from {
                        let (from, to) = batch_range(entry.tp, from, Offset::MAX);
                        let limit = AppendEntry::SEARCH_BATCHES_MAX;
                        plan.scans.push(Scan::Range { store: Store::Batches, from, to, limit });
                    }
                }
            }
        }
        plan
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let mut applied = Applied::reply(Vec::with_capacity(self.entries.len()));
        let mut scan = 0;
        for entry in &self.entries {
            let answer = match entry.expected {
                Some(expected) => Ok(entry.confirm(expected, rows.value(scan))?),
                // Whether the end is damaged is not for one entry to answer: it is mended, and all of it run again.
                None => match entry.append_at_end(rows, scan, &mut applied.writes) {
                    Err(error) if error.code() == Code::CorruptMessage => return Err(error),
                    answer => answer,
                },
            };
            scan += entry.scans();
            applied.reply.push(answer);
        }
        Ok(applied)
    }
}

impl AppendEntry {
    /// How many batches of other writers may have followed an attempt while its outcome was unknown.
    const SEARCH_BATCHES_MAX: usize = 10_000;

    fn scans(&self) -> usize {
        if self.expected.is_some() { 1 } else { 2 + usize::from(self.attempted_from.is_some()) }
    }

    /// The batches with their keys, from offset `base` on.
    fn place(&self, mut base: Offset, mut put: impl FnMut(Key, Value)) {
        for batch in &self.batches {
            let mut placed = batch.clone();
            batch::set_base_offset(&mut placed, base);
            put(batch_key(self.tp, base), placed);
            // One that cannot be read is refused by `count`, before anything is committed.
            base += count(batch).unwrap_or(1);
        }
    }

    fn count(&self) -> Result<i64, Error> {
        self.batches.iter().map(|batch| count(batch)).sum()
    }

    /// The batches were added at the expected offset; the row decides whether that was right.
    fn confirm(&self, expected: Expected, row: Option<&[u8]>) -> Result<Appended, Error> {
        let current = row.map(|row| rows::partition(self.tp, Some(row))).transpose()?;
        if current.is_none_or(|row| row.generation != expected.generation) {
            return Err(Error::new(
                Code::StorageConflict,
                "the partition changed since its end was last read",
            ));
        }
        let next = expected.next + self.count()?;
        Ok(Appended { base: expected.next, end: Expected { next, ..expected } })
    }

    fn append_at_end(&self, rows: &Rows, scan: usize, writes: &mut Vec<Write>) -> Result<Appended, Error> {
        let row = rows::partition(self.tp, rows.value(scan))?;
        let end = rows::sound_end(&row, rows.first(scan + 1))?;
        let seen = if self.attempted_from.is_some() { rows.all(scan + 2) } else { &[] };
        if let Some(base) = self.landed(seen)? {
            let end = Expected { next: end, generation: row.generation, start: row.start };
            return Ok(Appended { base, end });
        }
        let next = end + self.count()?;
        self.place(end, |key, batch| writes.push(Write::Add(Store::Batches, key, batch)));
        Ok(Appended { base: end, end: Expected { next, generation: row.generation, start: row.start } })
    }

    /// Where the batches are among `seen`. They landed together, but the first of them may be trimmed already: any is
    /// known by its producer id and sequence.
    fn landed(&self, seen: &[(Key, Value)]) -> Result<Option<Offset>, Error> {
        let mine: Vec<BatchHeader> =
            self.batches.iter().map(|batch| BatchHeader::read(batch)).collect::<Result<_, _>>()?;
        for (key, bytes) in seen {
            let header = BatchHeader::read(bytes)?;
            // The key says where it is: no checksum covers what the bytes say of that.
            let base = rows::base_of(key).unwrap_or(header.base_offset);
            let mut before = 0;
            for batch in &mine {
                if (header.producer_id, header.base_sequence) == (batch.producer_id, batch.base_sequence) {
                    return Ok(Some(base - before));
                }
                before += i64::from(batch.last_offset_delta) + 1;
            }
        }
        Ok(None)
    }
}

/// How many offsets a batch takes.
fn count(batch: &[u8]) -> Result<i64, Error> {
    Ok(i64::from(BatchHeader::read(batch)?.last_offset_delta) + 1)
}
