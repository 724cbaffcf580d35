//! The scenarios of the group protocol, and their words in ours.

use std::collections::BTreeMap;

use headwater::base::{Code, Error};
use headwater::group::{
    CurrentAssignment, GroupMember, GroupState, HeartbeatRequest, MemberMetadata, MemberState, Partitions,
};
use serde::Deserialize;

use crate::groups::{Named, Names};

#[derive(Deserialize)]
pub struct File {
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub config: Config,
    pub mock_assignor: bool,
    pub initial_groups: BTreeMap<String, Group>,
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
pub struct Config {
    pub topics: BTreeMap<String, i32>,
    pub max_size: Option<usize>,
    pub assignors: Vec<String>,
    pub metadata_refresh_interval_ms: Option<u64>,
    pub session_timeout_ms: i32,
    pub heartbeat_interval_ms: i32,
}

#[derive(Deserialize, Debug, PartialEq)]
pub struct Group {
    pub state: String,
    #[serde(default)]
    pub group_epoch: i32,
    #[serde(default)]
    pub assignment_epoch: i32,
    #[serde(default)]
    pub subscription_metadata: BTreeMap<String, i32>,
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
}

#[derive(Deserialize, Debug, PartialEq)]
pub struct Member {
    pub state: String,
    pub epoch: i32,
    pub previous_epoch: i32,
    pub instance_id: Option<String>,
    pub subscribed: Vec<String>,
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<String>,
    pub assigned: Named,
    pub pending_revocation: Named,
    pub target: Named,
    pub session_timer_ms: Option<u64>,
    pub rebalance_timer_ms: Option<u64>,
}

#[derive(Deserialize)]
pub struct Step {
    #[serde(flatten)]
    pub op: StepOp,
    pub groups_after: Option<BTreeMap<String, Option<Group>>>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum StepOp {
    Heartbeat(Box<Heartbeat>),
    AdvanceTime {
        ms: u64,
        fired: Vec<Fired>,
    },
    MetadataChange {
        changes: Vec<Change>,
    },
    GroupConfig {
        #[serde(flatten)]
        change: serde_json::Value,
    },
    OffsetCommit(Access),
    OffsetFetch(Access),
    DeleteGroup {
        group_id: Option<String>,
        error: Option<String>,
    },
    CoordinatorReloaded,
}

#[derive(Deserialize)]
pub struct Heartbeat {
    pub request: Request,
    pub error: Option<String>,
    pub response: Option<Response>,
    pub records: Vec<String>,
    pub assignor_returned: Option<BTreeMap<String, Named>>,
}

#[derive(Deserialize)]
pub struct Request {
    pub group_id: String,
    pub member_id: String,
    pub member_epoch: i32,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub rebalance_timeout_ms: Option<i32>,
    pub subscribed_topic_names: Option<Vec<String>>,
    pub subscribed_topic_regex: Option<String>,
    pub server_assignor: Option<String>,
    pub owned: Option<Named>,
}

#[derive(Deserialize)]
pub struct Response {
    pub member_id: String,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    pub assignment: Option<Named>,
}

#[derive(Deserialize, Debug, PartialEq)]
pub struct Fired {
    pub timer: String,
    pub group_id: String,
    pub member_id: String,
    pub records: Vec<String>,
}

#[derive(Deserialize)]
pub struct Change {
    pub topic: String,
    pub partitions: Option<i32>,
}

#[derive(Deserialize)]
pub struct Access {
    pub group_id: Option<String>,
    pub member_id: Option<String>,
    pub member_epoch: i32,
    pub error: Option<String>,
}

pub type Answer = (String, i32, i32, Option<Partitions>);

impl Response {
    pub fn shown(&self, names: &Names, exact: bool) -> Answer {
        let assignment = self.assignment.as_ref().map(|named| shown(names.partitions(named), exact));
        (self.member_id.clone(), self.member_epoch, self.heartbeat_interval_ms, assignment)
    }
}

impl Request {
    /// The request in our words. We have neither racks nor patterns that a coordinator knows: what Kafka refuses because
    /// of them cannot be said here.
    pub fn product(&self, names: &Names) -> Result<HeartbeatRequest, Error> {
        let blank = self.rack_id.as_ref().is_some_and(|rack| rack.trim().is_empty());
        if blank || self.subscribed_topic_regex.is_some() {
            return Err(Error::new(Code::InvalidRequest, "there are no racks and no patterns"));
        }
        Ok(HeartbeatRequest {
            group: self.group_id.clone(),
            member: self.member_id.clone(),
            epoch: self.member_epoch,
            instance: self.instance_id.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms.unwrap_or(-1),
            session_timeout_ms: -1,
            correlation: 0,
            topics: self.subscribed_topic_names.clone(),
            assignors: self.server_assignor.clone().map(|name| vec![name]),
            owned: self.owned.as_ref().map(|owned| names.partitions(owned)),
            client: None,
        })
    }
}

impl Access {
    pub fn committer(&self) -> Option<(String, i32)> {
        Some((self.member_id.clone().unwrap_or_default(), self.member_epoch))
    }
}

impl Group {
    pub fn state(&self, names: &Names) -> GroupState {
        let topics = self.subscription_metadata.iter();
        let members = self.members.iter();
        GroupState {
            epoch: self.group_epoch,
            target_epoch: self.assignment_epoch,
            topics: topics.map(|(name, count)| (name.clone(), (names.id(name), *count))).collect(),
            members: members
                .map(|(id, member)| (id.clone(), member.product(names, &GroupMember::default())))
                .collect(),
        }
    }
}

impl Member {
    /// The member in our words; what Kafka's has not is taken from `ours`.
    pub fn product(&self, names: &Names, ours: &GroupMember) -> GroupMember {
        GroupMember {
            metadata: MemberMetadata {
                instance: self.instance_id.clone(),
                rebalance_timeout_ms: self.rebalance_timeout_ms,
                topics: self.subscribed.clone(),
                assignors: self.server_assignor.iter().cloned().collect(),
                ..ours.metadata.clone()
            },
            current: CurrentAssignment {
                epoch: self.epoch,
                previous_epoch: self.previous_epoch,
                state: match self.state.as_str() {
                    "STABLE" => MemberState::Stable,
                    "UNREVOKED_PARTITIONS" => MemberState::UnrevokedPartitions,
                    "UNRELEASED_PARTITIONS" => MemberState::UnreleasedPartitions,
                    other => panic!("no member state {other}"),
                },
                assigned: names.partitions(&self.assigned),
                pending_revocation: names.partitions(&self.pending_revocation),
            },
            target: Some(names.partitions(&self.target)),
        }
    }
}

/// The set, where it has to be Kafka's.
pub fn shown(partitions: Partitions, exact: bool) -> Partitions {
    if exact { partitions } else { Partitions::new() }
}

/// The number of this name, however deep.
pub fn find(value: &serde_json::Value, name: &str) -> Option<i32> {
    match value {
        serde_json::Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let own = key.replace('.', "_").ends_with(name);
            if own { value.as_i64().and_then(|ms| ms.try_into().ok()) } else { find(value, name) }
        }),
        _ => None,
    }
}
