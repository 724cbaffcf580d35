use super::SetAside;
use crate::base::{Error, TopicId};
use crate::log::rows;
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write, partition_prefix, prefix_range,
};

/// Removes what is left of a topic that [`super::DeleteTopic`] has deleted, a slice at a time.
///
/// Its row and those of its partitions went at once, so that nobody reads it or writes to it. A row of its own names it
/// until the last batch is gone, so that whoever comes by goes on where another was killed.
#[derive(Clone, Debug)]
pub struct Purge {
    /// The topic's id.
    pub topic: TopicId,
}

impl Purge {
    const PREFIX: &'static [u8] = b"deleted/";
    const TOPICS_MAX: usize = 1_000;

    /// The row that names a topic whose batches are still there.
    pub(super) fn row(topic: TopicId) -> Key {
        [Self::PREFIX, topic.0.as_slice()].concat()
    }

    /// The rows of all such topics.
    pub fn scan() -> Scan {
        let (from, to) = prefix_range(Self::PREFIX);
        Scan::Range { store: Store::Meta, from, to, limit: Self::TOPICS_MAX }
    }

    /// The topics that [`Purge::scan`] found.
    pub fn topics(rows: &Rows, scan: usize) -> Vec<TopicId> {
        let id = |(key, _): &(Key, _)| key.strip_prefix(Self::PREFIX)?.try_into().ok().map(TopicId);
        rows.all(scan).iter().filter_map(id).collect()
    }
}

impl Op for Purge {
    /// True while there is more.
    type Reply = bool;

    fn plan(&self) -> Plan {
        let (from, to) = prefix_range(&partition_prefix(self.topic));
        let scans = vec![
            Scan::Get(Store::Meta, Self::row(self.topic)),
            Scan::Range { store: Store::Batches, from, to, limit: 1 },
        ];
        Plan::write(scans, vec![Store::Batches, Store::Meta], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<bool>, Error> {
        // Another one may have been faster.
        if rows.value(0).is_none() {
            return Ok(Applied::reply(false));
        }
        if let Some((key, bytes)) = rows.first(1) {
            let to = rows::end_of_slice(key, bytes);
            return Ok(Applied {
                writes: vec![Write::DeleteRange(Store::Batches, key.clone(), to)],
                reply: true,
            });
        }
        let (from, to) = prefix_range(&partition_prefix(self.topic));
        let aside = Write::DeleteRange(Store::Meta, SetAside::kept_key(&from), SetAside::kept_key(&to));
        let done = Write::Delete(Store::Meta, Self::row(self.topic));
        Ok(Applied { writes: vec![aside, done], reply: false })
    }
}
