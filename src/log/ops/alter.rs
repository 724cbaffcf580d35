use super::topics::{PARTITIONS_MAX, add_partitions, check_partitions, known_topic, put_topic, topic_scan};
use crate::base::{Code, Error, TopicConfig, TopicId};
use crate::log::rows::{PartitionRow, TopicRow};
use crate::log::{Applied, Durability, Op, Plan, Rows, Scan, Store, Write, partition_prefix, prefix_range};

/// Adds partitions to a topic; unlike [`super::GrowTopic`] it refuses a total that is not above the present one.
#[derive(Clone, Debug)]
pub struct CreatePartitions {
    /// The topic's name.
    pub name: String,
    /// The new total.
    pub total: i32,
    /// Check only: nothing is written.
    pub validate_only: bool,
}

impl Op for CreatePartitions {
    type Reply = TopicRow;

    fn plan(&self) -> Plan {
        let writes = vec![Store::Topics, Store::Partitions];
        Plan::write(vec![topic_scan(&self.name)], writes, Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TopicRow>, Error> {
        let mut topic = known_topic(&self.name, rows)?;
        check_partitions(self.total)?;
        if self.total <= topic.partitions {
            let (name, has, total) = (&self.name, topic.partitions, self.total);
            let message = format!(
                "Number of partitions is invalid: \"{name}\" has {has} already, not fewer than {total}"
            );
            return Err(Error::new(Code::InvalidPartitions, message));
        }
        let mut writes = Vec::new();
        if !self.validate_only {
            writes.extend(add_partitions(topic.id, topic.partitions..self.total));
            topic.partitions = self.total;
            writes.push(put_topic(&self.name, &topic));
        }
        Ok(Applied { writes, reply: topic })
    }
}

/// Replaces a topic's configuration: what it does not name has its default again.
///
/// Every partition's generation grows with it, so that a writer in another tab that has not heard of the change
/// finds out at its next append.
#[derive(Clone, Debug)]
pub struct AlterConfigs {
    /// The topic's name.
    pub name: String,
    /// Its identity.
    pub id: TopicId,
    /// The whole configuration.
    pub config: TopicConfig,
    /// Check only: nothing is written.
    pub validate_only: bool,
}

impl Op for AlterConfigs {
    type Reply = TopicRow;

    fn plan(&self) -> Plan {
        let (from, to) = prefix_range(&partition_prefix(self.id));
        let limit = PARTITIONS_MAX as usize;
        let scans = vec![topic_scan(&self.name), Scan::Range { store: Store::Partitions, from, to, limit }];
        Plan::write(scans, vec![Store::Topics, Store::Partitions], Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TopicRow>, Error> {
        let mut topic = known_topic(&self.name, rows)?;
        if topic.id != self.id {
            return Err(Error::new(
                Code::StorageConflict,
                "the topic was created anew since it was last read: try again",
            ));
        }
        let mut writes = Vec::new();
        if !self.validate_only {
            topic.config = self.config.clone();
            writes.push(put_topic(&self.name, &topic));
            for (key, value) in rows.all(1) {
                let row = PartitionRow::decode(value)?;
                let changed = PartitionRow { generation: row.generation + 1, ..row };
                writes.push(Write::Put(Store::Partitions, key.clone(), changed.encode()));
            }
        }
        Ok(Applied { writes, reply: topic })
    }
}
