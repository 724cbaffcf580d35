//! F2, groups: what consumers of one group share.

pub mod assignor;
mod coordinator;
mod member;
mod message;
mod offsets;
mod ops;
mod partitions;
mod reconcile;
mod row;
mod state;
mod wire;

pub use assignor::{Assigned, Assignors, Spec, SpecMember, elect};
pub use coordinator::{Coordinator, Fired, GroupConfig, Metadata, Outcome, Timer};
pub use member::{Member, MemberEvent, MemberOptions, MemberOutput, Membership, Pulsed};
pub use message::{Client, HeartbeatRequest, HeartbeatResponse, JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH};
pub use offsets::{
    CommitForAnother, CommitOffsets, CommittedOffset, FORWARDER_GROUP, FetchOffsets, FindPositions,
    FoundPosition, OffsetCommit, SetOffsets, stored_offset,
};
pub use ops::{ClaimGroup, DeleteGroup, DescribeGroup, ListGroups, TryGroup, WriteGroup};
pub use partitions::Partitions;
pub use reconcile::reconcile;
pub use row::{Committer, GroupRow};
pub use state::{CurrentAssignment, GroupMember, GroupState, MemberMetadata, MemberState, Record};
