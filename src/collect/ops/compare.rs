use crate::base::{Error, Offset, TopicPartition};
use crate::log::batch::{Record, records};
use crate::log::{Applied, HW_ID, Op, Plan, Rows, Scan, Store, batch_key};

/// Reads the originals of what looks like duplicates: the same identity may have been given to other records.
#[derive(Clone, Debug)]
pub struct Compare {
    /// What to compare.
    pub originals: Vec<Original>,
}

/// A batch that arrived, and where the first of its name was stored.
#[derive(Clone, Debug)]
pub struct Original {
    /// The partition.
    pub tp: TopicPartition,
    /// The offset of the original's first record.
    pub base: Offset,
    /// The batch that arrived.
    pub bytes: Vec<u8>,
}

impl Op for Compare {
    /// For each, whether the stored batch holds the same records.
    type Reply = Vec<bool>;

    fn plan(&self) -> Plan {
        let scan = |original: &Original| Scan::Get(Store::Batches, batch_key(original.tp, original.base));
        Plan::read(self.originals.iter().map(scan).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Vec<bool>>, Error> {
        let same = (0..).zip(&self.originals).map(|(index, original)| {
            rows.value(index).is_some_and(|stored| same_records(stored, &original.bytes))
        });
        Ok(Applied::reply(same.collect()))
    }
}

/// Whether two batches hold the same records: to the byte, or by the names that their nodes gave them. A batch that
/// is sent again after long says `hw-uncertain` in addition, and is no other for it.
fn same_records(stored: &[u8], arrived: &[u8]) -> bool {
    if sent(stored) == sent(arrived) {
        return true;
    }
    let (Ok(stored), Ok(mut arrived)) = (records(stored), records(arrived)) else { return false };
    for record in stored {
        let same = match (record, arrived.next()) {
            (Ok(stored), Some(Ok(arrived))) => {
                stored.sequence == arrived.sequence
                    && name(&stored).is_some_and(|id| name(&arrived) == Some(id))
            }
            _ => false,
        };
        if !same {
            return false;
        }
    }
    arrived.next().is_none()
}

/// The forwarder's headers come last: an application may have used the same key before it.
fn name<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    let (_, id) = record.headers().flatten().filter(|(key, _)| *key == HW_ID).last()?;
    id
}

/// A batch as its producer wrote it: without the base offset and the leader epoch, which are the log's.
fn sent(batch: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    (batch.get(8..12), batch.get(16..))
}
