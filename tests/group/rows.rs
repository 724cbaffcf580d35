//! The operations on rows: who may write a group, and who may commit.

use std::rc::Rc;

use headwater::base::{Code, TopicConfig, TopicPartition};
use headwater::group::{
    ClaimGroup, Client, CommitOffsets, CommittedOffset, CurrentAssignment, DeleteGroup, DescribeGroup,
    FORWARDER_GROUP, FetchOffsets, GroupMember, GroupRow, GroupState, HeartbeatRequest, LEAVE_EPOCH,
    ListGroups, MemberMetadata, MemberState, OffsetCommit, Partitions, SetOffsets, WriteGroup,
};
use headwater::log::Store;
use headwater::log::ops::CreateTopic;

use crate::rig::{GROUP, Rig, beat, set, topic_id, tp};
use crate::support::Table;

fn with_topic(rig: &mut Rig) {
    let create = CreateTopic {
        name: "t".into(),
        id: topic_id("t"),
        partitions: 4,
        config: TopicConfig::default(),
        validate_only: false,
    };
    rig.table.run(&create).unwrap();
}

fn commit(member: Option<(&str, i32)>, partitions: &[TopicPartition], offset: i64) -> CommitOffsets {
    let commit = |tp: &TopicPartition| OffsetCommit {
        tp: *tp,
        committed: CommittedOffset { offset, metadata: None, at: 0 },
    };
    CommitOffsets {
        group: GROUP.into(),
        member: member.map(|(id, epoch)| (id.to_owned(), epoch)),
        offsets: partitions.iter().map(commit).collect(),
    }
}

fn code(result: Result<(), headwater::base::Error>) -> Option<Code> {
    result.err().map(|error| error.code())
}

fn committed(table: &mut Table, tp: TopicPartition) -> Option<i64> {
    let fetch = FetchOffsets { group: GROUP.into(), member: None, partitions: vec![tp] };
    table.run(&fetch).unwrap()[0].as_ref().map(|committed| committed.offset)
}

#[test]
fn a_refused_late_commit_of_a_former_owner() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    rig.joins("a", &["t"]);
    rig.joins("b", &["t"]);
    let before = rig.epoch("a");
    assert_eq!(code(rig.table.run(&commit(Some(("a", before)), &[tp("t", 3)], 5))), None);
    rig.settle(&["a", "b"]);
    assert_eq!(rig.assigned("b"), set("t", 2..4), "the partition has another owner");
    let late = rig.table.run(&commit(Some(("a", before)), &[tp("t", 3)], 9));
    assert_eq!(code(late), Some(Code::StaleMemberEpoch));
    let epoch = rig.epoch("a");
    let late = rig.table.run(&commit(Some(("a", epoch)), &[tp("t", 0), tp("t", 3)], 9));
    assert_eq!(code(late), Some(Code::StaleMemberEpoch), "even where it knows its epoch");
    assert_eq!(
        (committed(&mut rig.table, tp("t", 3)), committed(&mut rig.table, tp("t", 0))),
        (Some(5), None)
    );
    assert_eq!(code(rig.table.run(&commit(Some(("b", rig.epoch("b"))), &[tp("t", 3)], 6))), None);
}

#[test]
fn what_is_being_given_up_can_still_be_committed() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    rig.joins("a", &["t"]);
    rig.joins("b", &["t"]);
    rig.send(&beat("a", 1)).unwrap();
    assert_eq!(rig.assigned("a"), set("t", 0..2));
    assert_eq!(code(rig.table.run(&commit(Some(("a", 1)), &[tp("t", 3)], 5))), None);
}

#[test]
fn a_fenced_member_commits_nothing() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    rig.joins("a", &["t"]);
    rig.joins("b", &["t"]);
    rig.coordinator.gone("a", &rig.topics);
    rig.store();
    assert_eq!(code(rig.table.run(&commit(Some(("a", 1)), &[tp("t", 0)], 5))), Some(Code::UnknownMemberId));
}

#[test]
fn without_a_member_only_an_empty_group_takes_offsets() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    assert_eq!(code(rig.table.run(&commit(None, &[tp("t", 0)], 5))), None);
    assert_eq!(code(rig.table.run(&commit(Some(("a", 1)), &[tp("t", 0)], 6))), Some(Code::UnknownMemberId));
    rig.joins("a", &["t"]);
    assert_eq!(code(rig.table.run(&commit(None, &[tp("t", 0)], 7))), Some(Code::UnknownMemberId));
    assert_eq!(code(rig.table.run(&SetOffsets(commit(None, &[tp("t", 0)], 7)))), Some(Code::NonEmptyGroup));
    rig.send(&beat("a", LEAVE_EPOCH)).unwrap();
    assert_eq!(code(rig.table.run(&SetOffsets(commit(None, &[tp("t", 0)], 8)))), None);
    assert_eq!(committed(&mut rig.table, tp("t", 0)), Some(8));
}

#[test]
fn a_commit_of_nobody_makes_a_group_that_can_be_seen_and_deleted() {
    let mut rig = Rig::new(&[]);
    with_topic(&mut rig);
    let simple = |offset| CommitOffsets { group: "simple".into(), ..commit(None, &[tp("t", 0)], offset) };
    rig.table.run(&simple(5)).unwrap();
    let groups = rig.table.run(&ListGroups).unwrap();
    let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["simple"], "a coordinator alone is no group");
    assert!(groups[0].1.simple && groups[0].1.state.name() == "Empty");
    rig.table.run(&ClaimGroup { group: "simple".into(), node: 1, above: 0 }).unwrap();
    assert_eq!(rig.table.run(&ListGroups).unwrap().len(), 1, "a coordinator changes nothing about that");
    rig.table.run(&DeleteGroup { group: "simple".into() }).unwrap();
    let fetch = FetchOffsets { group: "simple".into(), member: None, partitions: vec![tp("t", 0)] };
    assert_eq!(rig.table.run(&fetch), Ok(vec![None]));
    let again = rig.table.run(&DeleteGroup { group: "simple".into() });
    assert_eq!(code(again), Some(Code::GroupIdNotFound));
}

#[test]
fn offsets_of_the_forwarder_are_not_set() {
    let mut table = Table::default();
    let commit = CommitOffsets { group: FORWARDER_GROUP.into(), ..commit(None, &[], 0) };
    assert_eq!(code(table.run(&SetOffsets(commit))), Some(Code::InvalidRequest));
}

#[test]
fn metadata_of_an_offset_has_a_limit() {
    let mut rig = Rig::new(&[]);
    with_topic(&mut rig);
    let mut long = commit(None, &[tp("t", 0)], 1);
    long.offsets[0].committed.metadata = Some("x".repeat(4096));
    assert_eq!(code(rig.table.run(&long)), None);
    long.offsets[0].committed.metadata = Some("x".repeat(4097));
    assert_eq!(code(rig.table.run(&long)), Some(Code::OffsetMetadataTooLarge));
}

#[test]
fn where_there_is_no_group_nothing_is_committed_read_or_deleted() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    let member = Some(("a".to_owned(), 1));
    assert_eq!(code(rig.table.run(&commit(Some(("a", 1)), &[tp("t", 0)], 6))), Some(Code::GroupIdNotFound));
    let fetch = FetchOffsets { group: GROUP.into(), member, partitions: vec![tp("t", 0)] };
    assert_eq!(rig.table.run(&fetch), Ok(vec![None]));
    assert_eq!(code(rig.table.run(&DeleteGroup { group: GROUP.into() })), Some(Code::GroupIdNotFound));
    assert_eq!(rig.table.run(&DescribeGroup { group: GROUP.into() }), Ok(None));
}

#[test]
fn a_group_with_members_is_not_deleted() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.joins("a", &["t"]);
    assert_eq!(code(rig.table.run(&DeleteGroup { group: GROUP.into() })), Some(Code::NonEmptyGroup));
}

fn write(coordinator_epoch: i32, node: u64) -> WriteGroup {
    WriteGroup { group: GROUP.into(), node, coordinator_epoch, state: Rc::new(GroupState::default()) }
}

#[test]
fn a_deposed_coordinator_is_refused_by_the_row() {
    let mut table = Table::default();
    let claim = |node| ClaimGroup { group: GROUP.into(), node, above: 0 };
    let first = table.run(&claim(1)).unwrap().coordinator_epoch;
    assert_eq!(code(table.run(&write(first, 1))), None);
    let second = table.run(&claim(2)).unwrap().coordinator_epoch;
    assert!(second > first, "a claim is strictly greater");
    assert_eq!(code(table.run(&write(first, 1))), Some(Code::NotCoordinator));
    assert_eq!(code(table.run(&write(second, 2))), None);
    assert_eq!(
        code(table.run(&write(second + 1, 2))),
        Some(Code::NotCoordinator),
        "an epoch is claimed, not invented"
    );
}

#[test]
fn a_claim_goes_above_what_others_have_heard_of() {
    let mut table = Table::default();
    let claim = |above| ClaimGroup { group: GROUP.into(), node: 1, above };
    assert_eq!(table.run(&claim(41)).unwrap().coordinator_epoch, 42, "the row was wiped");
    assert_eq!(table.run(&claim(7)).unwrap().coordinator_epoch, 43);
}

#[test]
fn a_coordinator_from_before_the_group_was_deleted_is_refused() {
    let mut table = Table::default();
    let claim = |node| ClaimGroup { group: GROUP.into(), node, above: 0 };
    let old = table.run(&claim(1)).unwrap().coordinator_epoch;
    let state = Rc::new(GroupState { epoch: 1, ..GroupState::default() });
    table.run(&WriteGroup { state, ..write(old, 1) }).unwrap();
    table.run(&DeleteGroup { group: GROUP.into() }).unwrap();
    assert_eq!(code(table.run(&write(old, 1))), Some(Code::NotCoordinator));
    let new = table.run(&claim(2)).unwrap().coordinator_epoch;
    assert_eq!(old, new, "the epoch begins anew");
    assert_eq!(code(table.run(&write(old, 1))), Some(Code::NotCoordinator), "but not with this node");
}

fn full_row() -> GroupRow {
    let member = GroupMember {
        metadata: MemberMetadata {
            instance: Some("i".into()),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 30_000,
            topics: vec!["t".into(), "u".into()],
            assignors: vec!["uniform".into()],
            client: Client {
                id: "c".into(),
                url: "https://x/".into(),
                metadata: vec![1, 2],
                ..Client::default()
            },
        },
        current: CurrentAssignment {
            epoch: STATIC,
            previous_epoch: 6,
            state: MemberState::UnrevokedPartitions,
            assigned: set("t", 0..2),
            pending_revocation: set("u", 0..1),
        },
        target: Some(set("t", 0..3)),
    };
    let members = [("a".to_owned(), member), ("b".to_owned(), GroupMember::default())];
    let state = GroupState {
        epoch: 7,
        target_epoch: 6,
        topics: [("t".to_owned(), (topic_id("t"), 4))].into_iter().collect(),
        members: members.into_iter().collect(),
    };
    GroupRow { coordinator_epoch: 3, node: u64::MAX, simple: true, state }
}

const STATIC: i32 = headwater::group::STATIC_LEAVE_EPOCH;

#[test]
fn a_row_is_read_as_it_was_written() {
    for row in [full_row(), GroupRow::default()] {
        assert_eq!(GroupRow::decode(&row.encode()), Ok(row));
    }
}

#[test]
fn a_row_that_cannot_be_read_says_why() {
    let bytes = full_row().encode();
    for end in 0..bytes.len() {
        let cut = GroupRow::decode(&bytes[..end]).unwrap_err();
        assert_eq!(cut.code(), Code::StorageCorrupt, "cut at {end}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(GroupRow::decode(&longer).unwrap_err().code(), Code::StorageCorrupt);
    let newer = [&[2], &bytes[1..]].concat();
    assert_eq!(GroupRow::decode(&newer).unwrap_err().code(), Code::StorageNewerFormat);
}

#[test]
fn a_corrupt_row_stops_its_own_group_and_no_other() {
    let mut rig = Rig::new(&[("t", 4)]);
    with_topic(&mut rig);
    rig.joins("a", &["t"]);
    rig.table.rows.insert((Store::Groups, b"broken".to_vec()), vec![1, 2, 3]);
    assert_eq!(rig.table.run(&ListGroups).unwrap().len(), 1);
    let describe = rig.table.run(&DescribeGroup { group: "broken".into() });
    assert_eq!(describe.unwrap_err().code(), Code::StorageCorrupt);
    let commit = CommitOffsets { group: "broken".into(), ..commit(None, &[tp("t", 0)], 1) };
    assert_eq!(code(rig.table.run(&commit)), Some(Code::StorageCorrupt));
    rig.table.run(&DeleteGroup { group: "broken".into() }).unwrap();
    assert_eq!(rig.table.run(&DescribeGroup { group: "broken".into() }), Ok(None));
}

#[test]
fn a_member_reads_offsets_only_under_its_epoch() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.send(&HeartbeatRequest { ..crate::rig::join("a", &["t"]) }).unwrap();
    let fetch = |id: &str, epoch| FetchOffsets {
        group: GROUP.into(),
        member: Some((id.to_owned(), epoch)),
        partitions: vec![tp("t", 0)],
    };
    assert_eq!(rig.table.run(&fetch("a", 1)), Ok(vec![None]));
    assert_eq!(rig.table.run(&fetch("a", 2)).unwrap_err().code(), Code::StaleMemberEpoch);
    assert_eq!(rig.table.run(&fetch("b", 1)).unwrap_err().code(), Code::UnknownMemberId);
    assert!(Partitions::new().is_empty());
}
