use super::row::{Committer, GroupRow};
use super::wire;
use crate::base::{Code, Error, Offset, Reader, Timestamp, TopicId, TopicPartition, Writer};
use crate::log::ops::Bounds;
use crate::log::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write, partition_key, prefix_range};

/// The group that forwarders form. Where it goes on is said by its deliveries, not by offsets.
pub const FORWARDER_GROUP: &str = "__forwarder";

/// The beginning of the keys of a group's offsets: the group's name, its length first.
fn offset_prefix(group: &str) -> Key {
    let mut writer = Writer::new();
    writer.i32(group.len() as i32);
    writer.bytes(group.as_bytes());
    writer.finish()
}

fn offset_key(group: &str, tp: TopicPartition) -> Key {
    [offset_prefix(group), partition_key(tp)].concat()
}

/// The keys of all offsets of a group.
pub fn offset_range(group: &str) -> (Key, Key) {
    prefix_range(&offset_prefix(group))
}

/// What a stored row says: the group, the partition, and where the group goes on.
///
/// # Errors
/// [`Code::StorageCorrupt`] where the row is none.
pub fn stored_offset(key: &[u8], value: &[u8]) -> Result<(String, TopicPartition, Offset), Error> {
    let named = || -> Result<(String, TopicPartition), Error> {
        let mut reader = Reader::new(key);
        let length = usize::try_from(reader.i32()?).unwrap_or(usize::MAX);
        let group = String::from_utf8_lossy(reader.bytes(length)?).into_owned();
        let mut topic = [0; 16];
        topic.copy_from_slice(reader.bytes(16)?);
        Ok((group, TopicPartition { topic: TopicId(topic), partition: reader.i32()? }))
    };
    let (group, tp) = named().map_err(|_| crate::log::rows::unreadable("an offset"))?;
    Ok((group, tp, CommittedOffset::decode(value)?.offset))
}

/// Where a group goes on in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read: the last handled one + 1.
    pub offset: Offset,
    /// What the application wanted kept with it.
    pub metadata: Option<String>,
    /// When it was committed.
    pub at: Timestamp,
}

impl CommittedOffset {
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.i64(self.offset);
        writer.i64(self.at);
        writer.i32(self.metadata.as_ref().map_or(-1, |metadata| metadata.len() as i32));
        writer.bytes(self.metadata.as_deref().unwrap_or_default().as_bytes());
        writer.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| {
            Error::new(Code::StorageCorrupt, "a stored offset row cannot be read; it is left as it is")
        })
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != Self::VERSION {
            return Err(Error::new(Code::StorageCorrupt, "unknown version"));
        }
        let (offset, at) = (reader.i64()?, reader.i64()?);
        let metadata = match usize::try_from(reader.i32()?) {
            Ok(length) => Some(String::from_utf8_lossy(reader.bytes(length)?).into_owned()),
            Err(_) => None,
        };
        Ok(Self { offset, metadata, at })
    }
}

/// One partition's part of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommit {
    /// The partition.
    pub tp: TopicPartition,
    /// What to store.
    pub committed: CommittedOffset,
}

/// Stores where a group goes on. A member may commit what it owns; without a member, the group must have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOffsets {
    /// The group.
    pub group: String,
    /// Who commits; `None` is nobody of the group.
    pub member: Option<Committer>,
    /// The partitions. One that does not exist, or is not the member's, is refused with all the others.
    pub offsets: Vec<OffsetCommit>,
}

impl CommitOffsets {
    /// `offset.metadata.max.bytes`.
    pub const METADATA_BYTES_MAX: usize = 4096;

    fn writes(&self, rows: &Rows) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::with_capacity(self.offsets.len() + 1);
        for (index, commit) in self.offsets.iter().enumerate() {
            if rows.value(index + 1).is_none() {
                return Err(crate::log::unknown_partition(commit.tp.partition));
            }
            let length = commit.committed.metadata.as_ref().map_or(0, String::len);
            if length > Self::METADATA_BYTES_MAX {
                let message = format!("metadata of {length} bytes: a committed offset takes up to 4096");
                return Err(Error::new(Code::OffsetMetadataTooLarge, message));
            }
            let key = offset_key(&self.group, commit.tp);
            writes.push(Write::Put(Store::Offsets, key, commit.committed.encode()));
        }
        if GroupRow::find(rows.value(0))?.is_none() {
            let row = rows.value(0).map(GroupRow::decode).transpose()?.unwrap_or_default();
            let simple = GroupRow { simple: true, ..row };
            writes.push(Write::Put(Store::Groups, self.group.as_bytes().to_vec(), simple.encode()));
        }
        Ok(writes)
    }
}

impl Op for CommitOffsets {
    type Reply = ();

    fn plan(&self) -> Plan {
        let scan = |commit: &OffsetCommit| Scan::Get(Store::Partitions, partition_key(commit.tp));
        let scans = core::iter::once(GroupRow::scan(&self.group)).chain(self.offsets.iter().map(scan));
        Plan::write(scans.collect(), vec![Store::Groups, Store::Offsets], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        let partitions = self.offsets.iter().map(|commit| commit.tp);
        GroupRow::check_commit(rows.value(0), &self.group, self.member.as_ref(), partitions)?;
        Ok(Applied { writes: self.writes(rows)?, reply: () })
    }
}

/// The same for a member whose page may be gone before its own transaction ends. What the group has stored since then
/// stays, since that page may be there still.
#[derive(Clone, Debug)]
pub struct CommitForAnother(pub CommitOffsets);

impl Op for CommitForAnother {
    type Reply = ();

    fn plan(&self) -> Plan {
        let mut plan = self.0.plan();
        let stored = |commit: &OffsetCommit| Scan::Get(Store::Offsets, offset_key(&self.0.group, commit.tp));
        plan.scans.extend(self.0.offsets.iter().map(stored));
        plan
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        let count = self.0.offsets.len();
        let mut applied = self.0.apply(rows)?;
        let mut older = Vec::new();
        for (index, commit) in self.0.offsets.iter().enumerate() {
            let stored = rows.value(1 + count + index).map(CommittedOffset::decode).transpose()?;
            if stored.is_some_and(|stored| stored.at >= commit.committed.at) {
                older.push(offset_key(&self.0.group, commit.tp));
            }
        }
        applied
            .writes
            .retain(|write| !matches!(write, Write::Put(Store::Offsets, key, _) if older.contains(key)));
        Ok(applied)
    }
}

impl CommitOffsets {
    /// Appends the commit's bytes.
    pub fn write(&self, writer: &mut Writer) {
        let (member, epoch) = self.member.clone().unwrap_or_default();
        wire::write_text(writer, &self.group);
        wire::write_text(writer, &member);
        writer.varint(epoch);
        writer.varint(self.offsets.len() as i32);
        for commit in &self.offsets {
            writer.bytes(&partition_key(commit.tp));
            writer.nullable(Some(&commit.committed.encode()));
        }
    }

    /// Reads what [`CommitOffsets::write`] wrote: the commit of a member.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] or [`Code::StorageCorrupt`] where the bytes are none.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let group = wire::read_text(reader)?;
        let member = Some((wire::read_text(reader)?, reader.varint()?));
        let mut offsets = Vec::new();
        for _ in 0..reader.varint()? {
            let mut id = [0; 16];
            id.copy_from_slice(reader.bytes(16)?);
            let tp = TopicPartition { topic: TopicId(id), partition: reader.i32()? };
            let committed = CommittedOffset::decode(reader.nullable()?.unwrap_or_default())?;
            offsets.push(OffsetCommit { tp, committed });
        }
        Ok(Self { group, member, offsets })
    }
}

/// Sets where a group goes on that has no members: the same as a commit of nobody, with an error that says so.
#[derive(Clone, Debug)]
pub struct SetOffsets(pub CommitOffsets);

impl Op for SetOffsets {
    type Reply = ();

    fn plan(&self) -> Plan {
        self.0.plan()
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        let group = &self.0.group;
        if group == FORWARDER_GROUP {
            let message = "the forwarder goes on where it has delivered to: its offsets cannot be set";
            return Err(Error::new(Code::InvalidRequest, message));
        }
        let row = rows.value(0).map(GroupRow::decode).transpose()?.unwrap_or_default();
        if !row.state.members.is_empty() {
            let message = format!(
                "group {group} has members: its offsets can be set once they are stopped; it is {} now",
                row.state.name()
            );
            return Err(Error::new(Code::NonEmptyGroup, message));
        }
        Ok(Applied { writes: self.0.writes(rows)?, reply: () })
    }
}

/// Reads where a group goes on.
#[derive(Clone, Debug)]
pub struct FetchOffsets {
    /// The group.
    pub group: String,
    /// The member that asks; `None` is anybody.
    pub member: Option<Committer>,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

impl Op for FetchOffsets {
    /// One entry a partition, in order; `None` where nothing was committed.
    type Reply = Vec<Option<CommittedOffset>>;

    fn plan(&self) -> Plan {
        let scan = |tp: &TopicPartition| Scan::Get(Store::Offsets, offset_key(&self.group, *tp));
        let row = self.member.iter().map(|_| GroupRow::scan(&self.group));
        Plan::read(self.partitions.iter().map(scan).chain(row).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let count = self.partitions.len();
        if let Some(member) = &self.member {
            GroupRow::check_fetch(rows.value(count), &self.group, member)?;
        }
        let offsets = (0..count).map(|index| rows.value(index).map(CommittedOffset::decode).transpose());
        Ok(Applied::reply(offsets.collect::<Result<_, Error>>()?))
    }
}

/// Finds where members begin: what their group has committed, and both ends.
#[derive(Clone, Debug)]
pub struct FindPositions {
    /// The group.
    pub group: String,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// Where a group may begin in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPosition {
    /// What the group has committed, if anything.
    pub committed: Option<CommittedOffset>,
    /// The ends; `None` where they cannot be read: who needs them asks, and hears why.
    pub bounds: Option<Bounds>,
}

impl Op for FindPositions {
    /// One entry a partition, in order.
    type Reply = Vec<FoundPosition>;

    fn plan(&self) -> Plan {
        let scans = |tp: &TopicPartition| {
            let [row, last] = Bounds::scans(*tp);
            [Scan::Get(Store::Offsets, offset_key(&self.group, *tp)), row, last]
        };
        Plan::read(self.partitions.iter().flat_map(scans).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let found = self.partitions.iter().enumerate().map(|(index, tp)| {
            let committed = rows.value(index * 3).map(CommittedOffset::decode).transpose()?;
            Ok(FoundPosition { committed, bounds: Bounds::read(*tp, rows, index * 3 + 1).ok() })
        });
        Ok(Applied::reply(found.collect::<Result<_, Error>>()?))
    }
}
