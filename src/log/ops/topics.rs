use super::Purge;
use crate::base::{Code, Error, TopicConfig, TopicId, TopicPartition};
use crate::log::rows::{self, PartitionRow, TopicRow};
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write, partition_key, partition_prefix,
    prefix_range,
};

pub(super) fn topic_scan(name: &str) -> Scan {
    Scan::Get(Store::Topics, name.as_bytes().to_vec())
}

pub(super) fn put_topic(name: &str, row: &TopicRow) -> Write {
    Write::Put(Store::Topics, name.as_bytes().to_vec(), row.encode())
}

pub(super) fn add_partitions(
    topic: TopicId,
    partitions: core::ops::Range<i32>,
) -> impl Iterator<Item = Write> {
    partitions.map(move |partition| {
        let row = PartitionRow::default();
        Write::Put(Store::Partitions, partition_key(TopicPartition { topic, partition }), row.encode())
    })
}

/// The topic of the first scan, which must be there.
pub(super) fn known_topic(name: &str, rows: &Rows) -> Result<TopicRow, Error> {
    rows::topic(name, rows.value(0))?.ok_or_else(|| unknown_topic(name))
}

fn unknown_topic(name: &str) -> Error {
    Error::new(
        Code::UnknownTopicOrPartition,
        format!("this log has no topic \"{name}\": create it with admin.createTopics or by sending to it"),
    )
}

pub(super) const PARTITIONS_MAX: i32 = TopicRow::PARTITIONS_MAX;

pub(super) fn check_partitions(count: i32) -> Result<(), Error> {
    if (1..=PARTITIONS_MAX).contains(&count) {
        return Ok(());
    }
    let message = format!("Number of partitions is invalid: {count} is not in 1..={PARTITIONS_MAX}");
    Err(Error::new(Code::InvalidPartitions, message))
}

/// Creates a topic, or finds the one of that name.
#[derive(Clone, Debug)]
pub struct CreateTopic {
    /// Its name.
    pub name: String,
    /// Its identity, if it is new.
    pub id: TopicId,
    /// How many partitions it gets.
    pub partitions: i32,
    /// Its configuration.
    pub config: TopicConfig,
    /// Check only: nothing is written.
    pub validate_only: bool,
}

/// The topic that [`CreateTopic`] created or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The topic as it is now.
    pub topic: TopicRow,
    /// True if it was there before.
    pub existed: bool,
}

impl CreateTopic {
    const NAME_BYTES_MAX: usize = 249;

    fn check(&self) -> Result<(), Error> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let length = self.name.len();
        if length == 0 || length > Self::NAME_BYTES_MAX || matches!(self.name.as_str(), "." | "..") {
            let message = "The request attempted to perform an operation on an invalid topic";
            return Err(Error::new(Code::InvalidTopic, message));
        }
        if !self.name.bytes().all(legal) {
            let message = "The request attempted to perform an operation on an invalid topic";
            return Err(Error::new(Code::InvalidTopic, message));
        }
        check_partitions(self.partitions)
    }
}

impl Op for CreateTopic {
    type Reply = Created;

    fn plan(&self) -> Plan {
        let writes = vec![Store::Topics, Store::Partitions];
        Plan::write(vec![topic_scan(&self.name)], writes, Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Created>, Error> {
        self.check()?;
        if let Some(topic) = rows::topic(&self.name, rows.value(0))? {
            return Ok(Applied::reply(Created { topic, existed: true }));
        }
        let topic =
            TopicRow { id: self.id, partitions: self.partitions, config: self.config.clone(), sink: None };
        let mut writes = Vec::new();
        if !self.validate_only {
            writes.push(put_topic(&self.name, &topic));
            writes.extend(add_partitions(self.id, 0..self.partitions));
        }
        Ok(Applied { writes, reply: Created { topic, existed: false } })
    }
}

/// Raises the number of partitions of a topic. A count that is not above the present one changes nothing.
#[derive(Clone, Debug)]
pub struct GrowTopic {
    /// Its name.
    pub name: String,
    /// The new total.
    pub partitions: i32,
}

impl Op for GrowTopic {
    type Reply = TopicRow;

    fn plan(&self) -> Plan {
        let writes = vec![Store::Topics, Store::Partitions];
        Plan::write(vec![topic_scan(&self.name)], writes, Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TopicRow>, Error> {
        let mut topic = known_topic(&self.name, rows)?;
        let grown = self.partitions.min(PARTITIONS_MAX);
        if grown <= topic.partitions {
            return Ok(Applied::reply(topic));
        }
        let mut writes: Vec<Write> = add_partitions(topic.id, topic.partitions..grown).collect();
        topic.partitions = grown;
        writes.push(put_topic(&self.name, &topic));
        Ok(Applied { writes, reply: topic })
    }
}

/// Names the one sink that forwards a topic.
#[derive(Clone, Debug)]
pub struct ClaimSink {
    /// The topic's name.
    pub name: String,
    /// What identifies the sink over reloads, such as a collector's address.
    pub sink: String,
}

impl Op for ClaimSink {
    type Reply = TopicRow;

    fn plan(&self) -> Plan {
        Plan::write(vec![topic_scan(&self.name)], vec![Store::Topics], Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TopicRow>, Error> {
        let mut topic = known_topic(&self.name, rows)?;
        match &topic.sink {
            Some(sink) if *sink == self.sink => return Ok(Applied::reply(topic)),
            Some(sink) => {
                let (name, asked) = (&self.name, &self.sink);
                let message = format!(
                    "topic \"{name}\" is forwarded to \"{sink}\" and cannot be forwarded to \"{asked}\" as well: \
                     one sink a topic; if it has moved, name it as before, else use another topic"
                );
                return Err(Error::new(Code::SinkConflict, message));
            }
            None => topic.sink = Some(self.sink.clone()),
        }
        Ok(Applied { writes: vec![put_topic(&self.name, &topic)], reply: topic })
    }
}

/// Reads one topic.
#[derive(Clone, Debug)]
pub struct DescribeTopic {
    /// Its name.
    pub name: String,
}

impl Op for DescribeTopic {
    type Reply = Option<TopicRow>;

    fn plan(&self) -> Plan {
        Plan::read(vec![topic_scan(&self.name)])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        Ok(Applied::reply(rows::topic(&self.name, rows.value(0))?))
    }
}

/// Reads all topics, by name.
#[derive(Clone, Debug)]
pub struct ListTopics;

impl ListTopics {
    const TOPICS_MAX: usize = 100_000;
}

impl Op for ListTopics {
    type Reply = Vec<(String, TopicRow)>;

    fn plan(&self) -> Plan {
        let to = vec![u8::MAX];
        Plan::read(vec![Scan::Range { store: Store::Topics, from: Key::new(), to, limit: Self::TOPICS_MAX }])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let topics = rows.all(0).iter().filter_map(|(name, row)| {
            let name = String::from_utf8_lossy(name).into_owned();
            rows::topic(&name, Some(row)).map(|row| Some((name, row?))).transpose()
        });
        Ok(Applied::reply(topics.collect::<Result<_, Error>>()?))
    }
}

/// Deletes a topic: nobody reads it or writes to it from now on. Its records go with [`Purge`].
#[derive(Clone, Debug)]
pub struct DeleteTopic {
    /// Its name.
    pub name: String,
}

impl Op for DeleteTopic {
    /// The topic as it was.
    type Reply = TopicRow;

    fn plan(&self) -> Plan {
        let writes = vec![Store::Topics, Store::Partitions, Store::Deliveries, Store::Meta];
        Plan::write(vec![topic_scan(&self.name)], writes, Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TopicRow>, Error> {
        let topic = known_topic(&self.name, rows)?;
        let (from, to) = prefix_range(&partition_prefix(topic.id));
        let writes = vec![
            Write::Delete(Store::Topics, self.name.as_bytes().to_vec()),
            Write::DeleteRange(Store::Partitions, from.clone(), to.clone()),
            Write::DeleteRange(Store::Deliveries, from, to),
            Write::Put(Store::Meta, Purge::row(topic.id), Vec::new()),
        ];
        Ok(Applied { writes, reply: topic })
    }
}
