use crate::base::{Map, TopicId};
use crate::group::{Client, GroupMember, GroupState, Partitions};

/// What is to be assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The assignor that shall do it.
    pub assignor: String,
    /// The group.
    pub group: String,
    /// The group epoch that it is for.
    pub group_epoch: i32,
    /// The topics' names and partition counts.
    pub topics: Map<TopicId, (String, i32)>,
    /// The members, by their ids.
    pub members: Vec<SpecMember>,
}

/// A member that can be given partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecMember {
    /// Its id.
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// The topics that it can be given.
    pub topics: Vec<TopicId>,
    /// What it was to own until now.
    pub previous: Partitions,
    /// Who it is.
    pub client: Client,
}

impl Spec {
    /// What the group looks like to `assignor`. A member that steps back is not asked for a topic that another one
    /// subscribes to.
    pub fn new(group: &str, state: &GroupState, assignor: String) -> Self {
        let takes = |member: &GroupMember, name: &String| {
            let others = || state.members.values().filter(|other| !other.metadata.client.steps_back());
            let subscribes = |other: &GroupMember| other.metadata.topics.contains(name);
            subscribes(member) && (!member.metadata.client.steps_back() || !others().any(subscribes))
        };
        let members = state.members.iter().map(|(id, member)| SpecMember {
            id: id.clone(),
            instance: member.metadata.instance.clone(),
            topics: state
                .topics
                .iter()
                .filter(|(name, _)| takes(member, name))
                .map(|(_, topic)| topic.0)
                .collect(),
            previous: member.target.clone().unwrap_or_default(),
            client: member.metadata.client.clone(),
        });
        let topics = state.topics.iter().map(|(name, (id, count))| (*id, (name.clone(), *count)));
        Self {
            assignor,
            group: group.to_owned(),
            group_epoch: state.epoch,
            topics: topics.collect(),
            members: members.collect(),
        }
    }
}
