use super::want::Want;
use super::{Answer, AnyReply, Call, Node, Pending};
use crate::base::{Code, Error, Offset, TopicConfig, TopicId, TopicPartition};
use crate::client::forwarder::ListDelivered;
use crate::client::producer::CallId;
use crate::group::{
    CommitOffsets, CommittedOffset, DeleteGroup, DescribeGroup, FORWARDER_GROUP, FetchOffsets, ListGroups,
    OffsetCommit, SetOffsets,
};
use crate::log::ops::{
    AlterConfigs, CreatePartitions, CreateTopic, DeleteTopic, DescribeTopic, ListBounds, ListOffsets,
    ListTopics, ListedOffset, OffsetSpec, Trim,
};
use crate::log::{TopicRow, unknown_partition};

impl Node {
    pub(super) fn administer(&mut self, call: CallId, what: Call) {
        match what {
            Call::CreateTopic { name, partitions, config, validate_only } => {
                self.create_topic(call, name, partitions, config, validate_only);
            }
            Call::ListTopics => self.store(ListTopics.into(), Pending::Admin(call)),
            Call::DeleteTopic(name) => {
                self.announce_when_done(call, &name);
                self.store(DeleteTopic { name }.into(), Pending::Admin(call));
            }
            Call::CreatePartitions { name, total, validate_only } => {
                if !validate_only {
                    self.announce_when_done(call, &name);
                }
                self.store(CreatePartitions { name, total, validate_only }.into(), Pending::Admin(call));
            }
            Call::AlterConfigs { name, config, validate_only } => {
                self.want(&name, Want::AlterConfigs { call, config, validate_only });
            }
            Call::ReadTopic(name) => self.store(DescribeTopic { name }.into(), Pending::Admin(call)),
            Call::ListBounds(name) => self.want(&name, Want::Bounds(call)),
            Call::CommittedOffsets { group, topic } => self.want(&topic, Want::Committed { call, group }),
            Call::ListGroups => self.store(ListGroups.into(), Pending::Admin(call)),
            Call::DescribeGroup(group) => self.store(DescribeGroup { group }.into(), Pending::Admin(call)),
            Call::DeleteGroup(group) => self.store(DeleteGroup { group }.into(), Pending::Admin(call)),
            Call::SetOffsets { group, topic, offsets } => {
                self.want(&topic, Want::SetOffsets { call, group, offsets });
            }
            Call::OffsetAt { topic, partition, timestamp } => {
                self.want(&topic, Want::OffsetAt { call, partition, timestamp });
            }
            Call::Trim { topic, partition, before } => {
                self.want(&topic, Want::Trim { call, partition, before })
            }
            Call::InitTransactions(id) => self.init_transactions(call, id),
            Call::CommitTransaction(transaction) => self.commit_transaction(call, *transaction),
            Call::Join(id) => self.join(call, id),
            Call::Rebalance(id) => self.rebalance(call, id),
            Call::Leave(id) => self.leave(id, Some(call)),
            Call::Assign(id, partitions) => self.assign(call, id, partitions),
            Call::Fetch(id, limits) => self.fetch(call, id, limits),
            Call::Commit(id, offsets) => self.commit(call, id, offsets),
            Call::Forward(id, options) => self.forward(call, id, options),
            Call::StopForward(id) => self.stop_forward(call, id),
            Call::Send { .. } | Call::DescribeTopic { .. } | Call::Flush => {}
        }
    }

    fn create_topic(&mut self, call: CallId, name: String, partitions: i32, config: TopicConfig, dry: bool) {
        if !dry {
            self.announce_when_done(call, &name);
        }
        let id = TopicId(self.random.bytes16());
        let create = CreateTopic { name, id, partitions, config, validate_only: dry };
        self.store(create.into(), Pending::Admin(call));
    }

    pub(super) fn alter_configs(
        &mut self,
        call: CallId,
        name: &str,
        row: &TopicRow,
        config: TopicConfig,
        validate_only: bool,
    ) {
        if !validate_only {
            self.announce_when_done(call, name);
        }
        let alter = AlterConfigs { name: name.to_string(), id: row.id, config, validate_only };
        self.store(alter.into(), Pending::Admin(call));
    }

    /// The topic of this name changes when `call` succeeds.
    fn announce_when_done(&mut self, call: CallId, name: &str) {
        self.topics.changing.insert(call, name.to_string());
    }

    pub(super) fn administered(&mut self, call: CallId, result: Result<AnyReply, Error>) {
        let changing = self.topics.changing.remove(&call);
        if let Ok(AnyReply::DeleteTopic(_)) = &result {
            self.maintenance.hasten(self.now);
        }
        match (&result, changing) {
            (Ok(_), Some(name)) => {
                self.announce_topic(&name);
                self.topic_changed(&name);
            }
            // What this node believed of the topic is old.
            (Err(error), Some(name)) if error.code() == Code::StorageConflict => self.topic_changed(&name),
            _ => {}
        }
        let answer = match result {
            Ok(AnyReply::CreateTopic(created)) if created.existed => {
                Err(Error::new(Code::TopicAlreadyExists, "Topic with this name already exists"))
            }
            Ok(AnyReply::CreateTopic(created)) => Ok(Answer::Topic(created.topic)),
            Ok(AnyReply::ListTopics(topics)) => Ok(Answer::Topics(topics)),
            Ok(
                AnyReply::DeleteTopic(topic)
                | AnyReply::CreatePartitions(topic)
                | AnyReply::AlterConfigs(topic)
                | AnyReply::DescribeTopic(Some(topic)),
            ) => Ok(Answer::Topic(topic)),
            Ok(AnyReply::DescribeTopic(None)) => {
                let message = "This server does not host this topic-partition: it does not exist in this log";
                Err(Error::new(Code::UnknownTopicOrPartition, message))
            }
            Ok(AnyReply::ListGroups(groups)) => Ok(Answer::Groups(groups)),
            Ok(AnyReply::DescribeGroup(group)) => Ok(Answer::Group(group.map(Box::new))),
            Ok(AnyReply::DeleteGroup(()) | AnyReply::SetOffsets(())) => Ok(Answer::Nothing),
            Ok(AnyReply::ListBounds(bounds)) => Ok(Answer::Bounds(bounds)),
            Ok(AnyReply::FetchOffsets(offsets)) => {
                let plain = |committed: CommittedOffset| (committed.offset, committed.metadata);
                Ok(Answer::CommittedOffsets(offsets.into_iter().map(|found| found.map(plain)).collect()))
            }
            Ok(AnyReply::ListDelivered(offsets)) => {
                let plain = offsets.into_iter().map(|found| found.map(|offset| (offset, None)));
                Ok(Answer::CommittedOffsets(plain.collect()))
            }
            Ok(AnyReply::Trim(trimmed)) => Ok(Answer::Offset(trimmed.start)),
            Ok(AnyReply::ListOffsets(listed)) => return self.offset_listed(call, listed),
            Ok(_) => Err(Answer::mismatch()),
            Err(error) => Err(error),
        };
        self.topics.searches.remove(&call);
        self.done(call, answer);
    }

    pub(super) fn list_bounds(&mut self, call: CallId, row: &TopicRow) {
        let partitions = row.topic_partitions().collect();
        self.store(ListBounds { partitions }.into(), Pending::Admin(call));
    }

    pub(super) fn committed_offsets(&mut self, call: CallId, group: String, row: &TopicRow) {
        let partitions = row.topic_partitions().collect();
        if group == FORWARDER_GROUP {
            self.store(ListDelivered { partitions }.into(), Pending::Admin(call));
        } else {
            self.store(FetchOffsets { group, member: None, partitions }.into(), Pending::Admin(call));
        }
    }

    pub(super) fn set_offsets(
        &mut self,
        call: CallId,
        group: String,
        row: &TopicRow,
        offsets: Vec<(i32, Offset, Option<String>)>,
    ) {
        let known = 0..row.partitions;
        if let Some((partition, ..)) = offsets.iter().find(|(partition, ..)| !known.contains(partition)) {
            return self.done(call, Err(unknown_partition(*partition)));
        }
        let at = self.now.timestamp;
        let commit = |(partition, offset, metadata)| OffsetCommit {
            tp: TopicPartition { topic: row.id, partition },
            committed: CommittedOffset { offset, metadata, at },
        };
        let offsets = offsets.into_iter().map(commit).collect();
        let commit = CommitOffsets { group, member: None, offsets };
        self.store(SetOffsets(commit).into(), Pending::Admin(call));
    }

    pub(super) fn offset_at(&mut self, call: CallId, row: &TopicRow, partition: i32, timestamp: i64) {
        let spec = match timestamp {
            -1 => OffsetSpec::Latest,
            -2 => OffsetSpec::Earliest,
            time => OffsetSpec::At(time),
        };
        let tp = TopicPartition { topic: row.id, partition };
        let search = ListOffsets { tp, spec, from: 0 };
        self.topics.searches.insert(call, search.clone());
        self.store(search.into(), Pending::Admin(call));
    }

    fn offset_listed(&mut self, call: CallId, listed: ListedOffset) {
        match (listed, self.topics.searches.remove(&call)) {
            (ListedOffset::Continue(from), Some(search)) => {
                let search = ListOffsets { from, ..search };
                self.topics.searches.insert(call, search.clone());
                self.store(search.into(), Pending::Admin(call));
            }
            (ListedOffset::Found(offset) | ListedOffset::Continue(offset), _) => {
                self.done(call, Ok(Answer::Offset(offset)));
            }
        }
    }

    pub(super) fn trim(
        &mut self,
        call: CallId,
        name: &str,
        row: &TopicRow,
        partition: i32,
        before: Option<Offset>,
    ) {
        if !(0..row.partitions).contains(&partition) {
            return self.done(call, Err(unknown_partition(partition)));
        }
        let tp = TopicPartition { topic: row.id, partition };
        let trim = Trim { topic: name.to_string(), tp, before, undelivered: false };
        self.store(trim.into(), Pending::Admin(call));
    }
}
