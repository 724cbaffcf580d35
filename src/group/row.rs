use super::wire;
use super::{Client, CurrentAssignment, GroupMember, GroupState, MemberMetadata, MemberState, Partitions};
use crate::base::{Code, Error, Map, Reader, TopicId, TopicPartition, Writer};
use crate::log::{Scan, Store};

/// A group as it is stored: what its coordinator has decided, and which one that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRow {
    /// Grows with each coordinator; 0 where there was none.
    pub coordinator_epoch: i32,
    /// The node of the coordinator.
    pub node: u64,
    /// True where offsets were committed without a member.
    pub simple: bool,
    /// The group.
    pub state: GroupState,
}

/// Who commits: a member and its epoch.
pub type Committer = (String, i32);

impl GroupRow {
    const VERSION: u8 = 1;

    /// The scan for the row of `group`.
    pub fn scan(group: &str) -> Scan {
        Scan::Get(Store::Groups, group.as_bytes().to_vec())
    }

    /// The row's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.state)
    }

    /// The bytes of this row with another state.
    pub fn encode_with(&self, state: &GroupState) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.varint(self.coordinator_epoch);
        writer.i64(self.node.cast_signed());
        writer.u8(self.simple.into());
        writer.varint(state.epoch);
        writer.varint(state.target_epoch);
        writer.varint(state.topics.len() as i32);
        for (name, (id, count)) in state.topics.iter() {
            wire::write_text(&mut writer, name);
            writer.bytes(&id.0);
            writer.varint(*count);
        }
        writer.varint(state.members.len() as i32);
        for (id, member) in state.members.iter() {
            wire::write_text(&mut writer, id);
            write_member(&mut writer, member);
        }
        writer.finish()
    }

    /// The row from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageNewerFormat`] where a newer headwater wrote it, [`Code::StorageCorrupt`] where it is no group.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.first().is_some_and(|version| *version > Self::VERSION) {
            let message =
                "a stored group row was written by a newer headwater: reload this page, or close it";
            return Err(Error::new(Code::StorageNewerFormat, message));
        }
        let mut reader = Reader::new(bytes);
        match read(&mut reader) {
            Ok(row) if reader.rest().is_empty() => Ok(row),
            _ => Err(Error::new(
                Code::StorageCorrupt,
                "a stored group row cannot be read; delete the group, and its members begin anew",
            )),
        }
    }

    /// The row of this group, where there is such a group: a coordinator's place alone is none.
    ///
    /// # Errors
    /// As [`GroupRow::decode`].
    pub fn find(row: Option<&[u8]>) -> Result<Option<Self>, Error> {
        let row = row.map(Self::decode).transpose()?;
        Ok(row.filter(|row| row.simple || row.state.epoch > 0))
    }

    /// May `committer` commit `partitions` of `group`? Its epoch must be the coordinator's, and each partition its own,
    /// if only until it has given it up. Without a committer the group must have no members.
    ///
    /// # Errors
    /// [`Code::GroupIdNotFound`], [`Code::UnknownMemberId`], [`Code::StaleMemberEpoch`].
    pub fn check_commit(
        row: Option<&[u8]>,
        group: &str,
        committer: Option<&Committer>,
        partitions: impl Iterator<Item = TopicPartition>,
    ) -> Result<(), Error> {
        let row = Self::find(row)?;
        let (id, epoch) = committer.map_or(("", -1), |(id, epoch)| (id.as_str(), *epoch));
        if epoch < 0 && row.as_ref().is_none_or(|row| row.state.members.is_empty()) {
            return Ok(());
        }
        let row = row.ok_or_else(|| not_found(group))?;
        let member = row.member(group, id, epoch)?;
        for tp in partitions {
            if !member.current.owns(tp) {
                let message = format!(
                    "member {id} of group {group} does not own partition {} any more: its new owner goes on from the last commit",
                    tp.partition
                );
                return Err(Error::new(Code::StaleMemberEpoch, message));
            }
        }
        Ok(())
    }

    /// May a member of this id and epoch read offsets?
    ///
    /// # Errors
    /// [`Code::UnknownMemberId`], [`Code::StaleMemberEpoch`].
    pub fn check_fetch(row: Option<&[u8]>, group: &str, (id, epoch): &Committer) -> Result<(), Error> {
        Self::find(row)?.map_or(Ok(()), |row| row.member(group, id, *epoch).map(|_| ()))
    }

    fn member(&self, group: &str, id: &str, epoch: i32) -> Result<&GroupMember, Error> {
        let Some(member) = self.state.members.get(id) else {
            let message = match id {
                "" => format!("group {group} has members: only they may commit; stop them first"),
                _ => format!("group {group} has no member {id}: it was fenced, and must rejoin"),
            };
            return Err(Error::new(Code::UnknownMemberId, message));
        };
        if member.current.epoch != epoch {
            let message = format!(
                "member {id} of group {group} is at epoch {}, not {epoch}: heartbeat, then try again",
                member.current.epoch
            );
            return Err(Error::new(Code::StaleMemberEpoch, message));
        }
        Ok(member)
    }
}

/// The error for a group that there is not.
pub fn not_found(group: &str) -> Error {
    Error::new(Code::GroupIdNotFound, format!("there is no group {group}"))
}

fn write_member(writer: &mut Writer, GroupMember { metadata, current, target }: &GroupMember) {
    wire::write_option(writer, metadata.instance.as_deref(), wire::write_text);
    writer.varint(metadata.rebalance_timeout_ms);
    writer.varint(metadata.session_timeout_ms);
    wire::write_texts(writer, &metadata.topics);
    wire::write_texts(writer, &metadata.assignors);
    metadata.client.write(writer);
    writer.varint(current.epoch);
    writer.varint(current.previous_epoch);
    writer.u8(current.state as u8);
    current.assigned.write(writer);
    current.pending_revocation.write(writer);
    wire::write_option(writer, target.as_ref(), |writer, target| target.write(writer));
}

fn read(reader: &mut Reader<'_>) -> Result<GroupRow, Error> {
    reader.u8()?;
    let coordinator_epoch = reader.varint()?;
    let node = reader.i64()?.cast_unsigned();
    let simple = reader.u8()? != 0;
    let (epoch, target_epoch) = (reader.varint()?, reader.varint()?);
    let mut topics = Map::new();
    for _ in 0..reader.varint()? {
        let name = wire::read_text(reader)?;
        let mut id = [0; 16];
        id.copy_from_slice(reader.bytes(16)?);
        topics.insert(name, (TopicId(id), reader.varint()?));
    }
    let mut members = Map::new();
    for _ in 0..reader.varint()? {
        members.insert(wire::read_text(reader)?, read_member(reader)?);
    }
    Ok(GroupRow {
        coordinator_epoch,
        node,
        simple,
        state: GroupState { epoch, target_epoch, topics, members },
    })
}

fn read_member(reader: &mut Reader<'_>) -> Result<GroupMember, Error> {
    let metadata = MemberMetadata {
        instance: wire::read_option(reader, wire::read_text)?,
        rebalance_timeout_ms: reader.varint()?,
        session_timeout_ms: reader.varint()?,
        topics: wire::read_texts(reader)?,
        assignors: wire::read_texts(reader)?,
        client: Client::read(reader)?,
    };
    let current = CurrentAssignment {
        epoch: reader.varint()?,
        previous_epoch: reader.varint()?,
        state: match reader.u8()? {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        },
        assigned: Partitions::read(reader)?,
        pending_revocation: Partitions::read(reader)?,
    };
    Ok(GroupMember { metadata, current, target: wire::read_option(reader, Partitions::read)? })
}
