use crate::base::{Error, Offset, TopicPartition};
use crate::log::batch;
use crate::log::rows;
use crate::log::{Applied, Op, Plan, Rows, Scan, Store, batch_range, partition_key};

/// Reads whole batches from an offset on. A damaged one is an error, [`Code::CorruptMessage`](crate::base::Code), where
/// it is the first or the last; see [`super::SetAside`].
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
        let row = rows::partition(self.tp, rows.value(0))?;
        // Readers are told the end: where it is damaged, it is mended first.
        let end = rows::sound_end(&row, rows.first(1))?;
        let mut batches = Vec::new();
        if (row.start..end).contains(&self.offset) {
            for (key, bytes) in rows.all(2).iter().chain(rows.all(3)) {
                match rows::sound(key, bytes) {
                    Ok(header) if header.last_offset() < self.offset => {}
                    Ok(header) => {
                        batch::uncompressed(&header)?;
                        batches.push(bytes.clone());
                    }
                    // What lies before it is good; the next fetch begins at it, and says so.
                    Err(_) if !batches.is_empty() => break,
                    Err(error) => return Err(error),
                }
                if batches.len() >= self.batches_max.max(1) {
                    break;
                }
            }
        }
        Ok(Applied::reply(Fetched { start: row.start, end, batches }))
    }
}
