use super::{Client, Partitions};
use crate::base::{Map, TopicId, TopicPartition};

/// A group as its records have made it: [`GroupState::replay`] is the only thing that changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// The group epoch: grows when the assignment has to be computed anew. 0 where there never was a member.
    pub epoch: i32,
    /// The group epoch that the target assignment was computed for.
    pub target_epoch: i32,
    /// The topics that were there when the target was computed: their ids and partition counts, by name.
    pub topics: Map<String, (TopicId, i32)>,
    /// The members, by their ids.
    pub members: Map<String, GroupMember>,
}

/// A member, as its group's coordinator knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// What it said of itself.
    pub metadata: MemberMetadata,
    /// What it owns.
    pub current: CurrentAssignment,
    /// What it shall own; `None` where no assignor was asked yet.
    pub target: Option<Partitions>,
}

/// What a member said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// How long it may take to give up partitions; -1 was never said.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent; -1 is the group's default.
    pub session_timeout_ms: i32,
    /// The topics that it subscribes to, in order, each once.
    pub topics: Vec<String>,
    /// The assignors that it would have, preferred first.
    pub assignors: Vec<String>,
    /// Who it is.
    pub client: Client,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            instance: None,
            rebalance_timeout_ms: -1,
            session_timeout_ms: -1,
            topics: Vec::new(),
            assignors: Vec::new(),
            client: Client::default(),
        }
    }
}

/// How far a member is on its way to its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentAssignment {
    /// The member epoch; [`super::STATIC_LEAVE_EPOCH`] while a static member is away.
    pub epoch: i32,
    /// The member epoch before: its owner may not know yet that it has passed.
    pub previous_epoch: i32,
    /// What is missing.
    pub state: MemberState,
    /// What it owns and keeps.
    pub assigned: Partitions,
    /// What it owns until it says that it has given it up.
    pub pending_revocation: Partitions,
}

/// What a member misses to be done with its rebalance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// Nothing, as far as the target of its epoch goes.
    #[default]
    Stable,
    /// It has to give up partitions.
    UnrevokedPartitions,
    /// Others have to give up partitions.
    UnreleasedPartitions,
    /// Something that only a newer coordinator knew of.
    Unknown,
}

/// A change of a group, under the names of Kafka's records; `None` is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// `ConsumerGroupMetadata`: the group epoch.
    Epoch(i32),
    /// `ConsumerGroupPartitionMetadata`: the topics.
    Topics(Map<String, (TopicId, i32)>),
    /// `ConsumerGroupMemberMetadata`.
    Member(String, Option<MemberMetadata>),
    /// `ConsumerGroupTargetAssignmentMember`.
    Target(String, Option<Partitions>),
    /// `ConsumerGroupTargetAssignmentMetadata`: the epoch of the target.
    TargetEpoch(i32),
    /// `ConsumerGroupCurrentMemberAssignment`.
    Current(String, Option<CurrentAssignment>),
}

impl GroupState {
    /// The fold.
    pub fn replay(&mut self, record: Record) {
        match record {
            Record::Epoch(epoch) => self.epoch = epoch,
            Record::Topics(topics) => self.topics = topics,
            Record::TargetEpoch(epoch) => self.target_epoch = epoch,
            Record::Member(id, Some(metadata)) => {
                self.members.get_or_insert_with(id, GroupMember::default).metadata = metadata;
            }
            Record::Member(id, None) => _ = self.members.remove(&id),
            Record::Target(id, target) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.target = target;
                }
            }
            Record::Current(id, current) => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.current = current.unwrap_or_default();
                }
            }
        }
    }

    /// Kafka's name for what the group is doing.
    pub fn name(&self) -> &'static str {
        let reconciled = |member: &GroupMember| member.current.reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(reconciled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// What is known of a member; of one that is new, nothing.
    pub fn member(&self, id: &str) -> GroupMember {
        self.members.get(id).cloned().unwrap_or_default()
    }

    /// The member of this `group.instance.id`, with its member id.
    pub fn static_member(&self, instance: &str) -> Option<(&String, &GroupMember)> {
        self.members.iter().find(|(_, member)| member.metadata.instance.as_deref() == Some(instance))
    }

    /// True if some member has `tp` and did not say yet that it has given it up.
    pub fn owned(&self, tp: TopicPartition) -> bool {
        self.members.values().any(|member| member.current.owns(tp))
    }
}

impl CurrentAssignment {
    /// True if nothing is left to be done for the target of this epoch.
    pub fn reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// True while nobody else may have `tp`.
    pub fn owns(&self, tp: TopicPartition) -> bool {
        self.assigned.contains(tp) || self.pending_revocation.contains(tp)
    }
}
