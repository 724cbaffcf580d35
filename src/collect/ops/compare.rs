use crate::base::{Error, Offset, TopicPartition};
use crate::log::{Applied, Op, Plan, Rows, Scan, Store, batch_key};

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
    /// For each, whether the stored batch is the same.
    type Reply = Vec<bool>;

    fn plan(&self) -> Plan {
        let scan = |original: &Original| Scan::Get(Store::Batches, batch_key(original.tp, original.base));
        Plan::read(self.originals.iter().map(scan).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Vec<bool>>, Error> {
        let same = (0..).zip(&self.originals).map(|(index, original)| {
            rows.value(index).is_some_and(|stored| sent(stored) == sent(&original.bytes))
        });
        Ok(Applied::reply(same.collect()))
    }
}

/// A batch as its producer wrote it: without the base offset and the leader epoch, which are the log's.
fn sent(batch: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    (batch.get(8..12), batch.get(16..))
}
