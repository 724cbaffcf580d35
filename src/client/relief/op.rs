use crate::base::{Error, Map, Offset, TopicId, TopicPartition};
use crate::group::{FORWARDER_GROUP, GroupRow, stored_offset};
use crate::log::ops::Purge;
use crate::log::rows::{self, TopicRow};
use crate::log::{Applied, Key, Op, Plan, Rows, Scan, Store, partition_key};

/// Finds out what every group and forwarder has consumed, in the whole log.
#[derive(Clone, Debug)]
pub struct FindConsumed;

/// A partition whose records before an offset have been consumed by everybody who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub tp: TopicPartition,
    /// The first offset that somebody may still want.
    pub before: Offset,
}

/// What each group has committed.
type Commits = Map<String, Map<TopicPartition, Offset>>;

impl FindConsumed {
    const ROWS_MAX: usize = 50_000;

    fn commits(rows: &Rows) -> Result<Commits, Error> {
        let mut commits = Commits::new();
        for (key, value) in rows.all(1) {
            let (group, tp, offset) = stored_offset(key, value)?;
            commits.get_or_insert_with(group, Map::new).insert(tp, offset);
        }
        Ok(commits)
    }

    /// The topics that members of groups subscribe to, whether anything was committed or not.
    fn subscriptions(rows: &Rows) -> Result<Vec<(String, String)>, Error> {
        let mut subscriptions = Vec::new();
        for (group, row) in rows.all(2).iter().filter(|(group, _)| group != FORWARDER_GROUP.as_bytes()) {
            let group = String::from_utf8_lossy(group).into_owned();
            for member in GroupRow::decode(row)?.state.members.values() {
                let topics = member.metadata.topics.iter();
                subscriptions.extend(topics.map(|topic| (topic.clone(), group.clone())));
            }
        }
        Ok(subscriptions)
    }

    /// Before which offset of a partition everything was consumed; `None` where nobody reads it.
    fn consumed(
        topic: &TopicRow,
        tp: TopicPartition,
        readers: &[&Map<TopicPartition, Offset>],
        rows: &Rows,
    ) -> Result<Option<Offset>, Error> {
        let key = partition_key(tp);
        let delivery = rows.all(3).binary_search_by(|(each, _)| each.cmp(&key));
        let delivery = delivery.ok().and_then(|index| rows.all(3).get(index));
        let delivered = rows::undelivered(topic.sink.is_some(), delivery.map(|(_, row)| row.as_slice()), 0)?;
        let committed = readers.iter().map(|commits| commits.get(&tp).copied().unwrap_or(0)).min();
        Ok(match (delivered, committed) {
            (Some(delivered), Some(committed)) => Some(delivered.min(committed)),
            (one, other) => one.or(other),
        })
    }
}

impl Op for FindConsumed {
    /// What was consumed, and the topics that were deleted and are not gone.
    type Reply = (Vec<Consumed>, Vec<TopicId>);

    fn plan(&self) -> Plan {
        let stores = [Store::Topics, Store::Offsets, Store::Groups, Store::Deliveries];
        let scan =
            |store| Scan::Range { store, from: Key::new(), to: vec![u8::MAX; 32], limit: Self::ROWS_MAX };
        Plan::read(stores.into_iter().map(scan).chain([Purge::scan()]).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let deleted = Purge::topics(rows, 4);
        // Who reads what must be known of all, or nothing is taken for consumed.
        if (0..4).any(|scan| rows.all(scan).len() >= Self::ROWS_MAX) {
            return Ok(Applied::reply((Vec::new(), deleted)));
        }
        let (commits, subscriptions) = (Self::commits(rows)?, Self::subscriptions(rows)?);
        let nothing = Map::new();
        let mut found = Vec::new();
        for (name, row) in rows.all(0) {
            let name = String::from_utf8_lossy(name).into_owned();
            let Some(topic) = rows::topic(&name, Some(row))? else { continue };
            let mut readers: Vec<&Map<TopicPartition, Offset>> = Vec::new();
            readers.extend(commits.values().filter(|each| each.keys().any(|tp| tp.topic == topic.id)));
            let idle = |group: &String| {
                commits.get(group).is_none_or(|each| each.keys().all(|tp| tp.topic != topic.id))
            };
            if subscriptions.iter().any(|(each, group)| *each == name && idle(group)) {
                readers.push(&nothing);
            }
            for tp in topic.topic_partitions() {
                let consumed = Self::consumed(&topic, tp, &readers, rows)?.filter(|before| *before > 0);
                if let Some(before) = consumed {
                    found.push(Consumed { topic: name.clone(), tp, before });
                }
            }
        }
        Ok(Applied::reply((found, deleted)))
    }
}
