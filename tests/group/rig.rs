//! One group's coordinator over its row, and the words to speak with it.

use std::collections::BTreeMap;
use std::rc::Rc;

use headwater::base::{Error, Map, Now, TopicId, TopicPartition};
use headwater::group::assignor::{Assigned, Assignors};
use headwater::group::{
    ClaimGroup, Coordinator, Fired, GroupConfig, HeartbeatRequest, HeartbeatResponse, Metadata, Outcome,
    Partitions, Record, Spec, WriteGroup,
};

use crate::support::Table;

pub const GROUP: &str = "orders";

/// Topics by name; a topic's id is its first letter, sixteen times.
#[derive(Clone, Default)]
pub struct Topics(pub BTreeMap<String, i32>);

impl Topics {
    pub fn new(topics: &[(&str, i32)]) -> Self {
        Self(topics.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }
}

impl Metadata for Topics {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.0.get(name).map(|count| (topic_id(name), *count))
    }
}

pub fn topic_id(name: &str) -> TopicId {
    TopicId([name.as_bytes()[0]; 16])
}

pub fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic_id(topic), partition }
}

pub fn set(topic: &str, partitions: impl IntoIterator<Item = i32>) -> Partitions {
    partitions.into_iter().map(|partition| tp(topic, partition)).collect()
}

/// A node without assignors of its own.
pub struct BuiltIn;

impl Assignors for BuiltIn {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn assign(&self, spec: &Spec) -> Assigned {
        panic!("{} is built in", spec.assignor)
    }
}

/// A custom assignor, and what it does.
pub struct Custom(pub &'static str, pub fn(&Spec) -> Assigned);

impl Assignors for Custom {
    fn has(&self, name: &str) -> bool {
        name == self.0
    }

    fn assign(&self, spec: &Spec) -> Assigned {
        (self.1)(spec)
    }
}

/// Assigns these.
pub fn done(shares: &[(&str, Partitions)]) -> Assigned {
    Assigned::Done(Ok(shares
        .iter()
        .map(|(id, share)| ((*id).to_owned(), share.clone()))
        .collect::<Map<_, _>>()))
}

pub struct Rig {
    pub now: Now,
    pub topics: Topics,
    pub table: Table,
    pub coordinator: Coordinator,
    pub coordinator_epoch: i32,
    pub config: GroupConfig,
}

impl Rig {
    pub fn new(topics: &[(&str, i32)]) -> Self {
        Self::with(topics, GroupConfig::default())
    }

    pub fn with(topics: &[(&str, i32)], config: GroupConfig) -> Self {
        let mut table = Table::default();
        let row = table.run(&ClaimGroup { group: GROUP.into(), node: 1, above: 0 }).unwrap();
        let now = Now { instant: 1_000, timestamp: 0 };
        let coordinator = Coordinator::load(now, GROUP.into(), Rc::new(row.state), config.clone(), 1);
        let coordinator_epoch = row.coordinator_epoch;
        Self { now, topics: Topics::new(topics), table, coordinator, coordinator_epoch, config }
    }

    /// Another node takes over: it has what the row says, and no timers.
    pub fn take_over(&mut self) {
        let row = self.table.run(&ClaimGroup { group: GROUP.into(), node: 1, above: 0 }).unwrap();
        self.coordinator_epoch = row.coordinator_epoch;
        self.coordinator =
            Coordinator::load(self.now, GROUP.into(), Rc::new(row.state), self.config.clone(), 2);
    }

    pub fn store(&mut self) {
        let write = WriteGroup {
            group: GROUP.into(),
            node: 1,
            coordinator_epoch: self.coordinator_epoch,
            state: Rc::clone(self.coordinator.state()),
        };
        self.table.run(&write).unwrap();
    }

    pub fn send(&mut self, request: &HeartbeatRequest) -> Result<HeartbeatResponse, Error> {
        self.send_with(request, &BuiltIn)
    }

    pub fn send_with(
        &mut self,
        request: &HeartbeatRequest,
        assignors: &dyn Assignors,
    ) -> Result<HeartbeatResponse, Error> {
        let before = Rc::clone(self.coordinator.state());
        let outcome = self.coordinator.heartbeat(self.now, request, &self.topics, assignors);
        match outcome {
            Ok(Outcome::Answer { response, records }) => {
                let mut folded = (*before).clone();
                records.into_iter().for_each(|record: Record| folded.replay(record));
                assert_eq!(folded, **self.coordinator.state(), "the state is the fold of the records");
                self.store();
                Ok(response)
            }
            Ok(other) => panic!("{other:?} is no answer"),
            Err(error) => {
                assert_eq!(before, *self.coordinator.state(), "what is refused changes nothing");
                Err(error)
            }
        }
    }

    pub fn advance(&mut self, ms: u64) -> Vec<Fired> {
        self.now.instant += ms;
        let fired = self.coordinator.tick(self.now, &self.topics);
        self.store();
        fired
    }

    pub fn joins(&mut self, id: &str, topics: &[&str]) -> HeartbeatResponse {
        self.send(&join(id, topics)).unwrap()
    }

    /// Heartbeats of these members, each owning all that it was told, until the group is stable.
    pub fn settle(&mut self, ids: &[&str]) {
        for _ in 0..10 {
            for id in ids {
                let member = self.coordinator.state().members.get(*id).unwrap().clone();
                let request = HeartbeatRequest {
                    owned: Some(member.current.assigned),
                    ..beat(id, member.current.epoch)
                };
                self.send(&request).unwrap();
            }
            if self.coordinator.state().name() == "Stable" {
                return;
            }
        }
        panic!("the group does not settle");
    }

    pub fn assigned(&self, id: &str) -> Partitions {
        self.coordinator.state().members.get(id).unwrap().current.assigned.clone()
    }

    pub fn epoch(&self, id: &str) -> i32 {
        self.coordinator.state().members.get(id).unwrap().current.epoch
    }
}

/// A heartbeat that says nothing new.
pub fn beat(id: &str, epoch: i32) -> HeartbeatRequest {
    HeartbeatRequest {
        group: GROUP.into(),
        member: id.into(),
        epoch,
        rebalance_timeout_ms: -1,
        session_timeout_ms: -1,
        ..HeartbeatRequest::default()
    }
}

/// A member's first heartbeat.
pub fn join(id: &str, topics: &[&str]) -> HeartbeatRequest {
    HeartbeatRequest {
        rebalance_timeout_ms: 60_000,
        topics: Some(topics.iter().map(|topic| (*topic).to_owned()).collect()),
        owned: Some(Partitions::new()),
        ..beat(id, 0)
    }
}
