use crate::base::{Code, Error, Offset, Reader, Timestamp, TopicPartition, Writer};
use crate::log::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write, partition_key};

/// The key of a group's offset: the group's name, its length first, then the partition.
fn offset_key(group: &str, tp: TopicPartition) -> Key {
    let mut writer = Writer::new();
    writer.i32(group.len() as i32);
    writer.bytes(group.as_bytes());
    writer.bytes(&partition_key(tp));
    writer.finish()
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

/// Stores where a group goes on.
#[derive(Clone, Debug)]
pub struct CommitOffsets {
    /// The group.
    pub group: String,
    /// The partitions. One that does not exist is refused with all the others.
    pub offsets: Vec<OffsetCommit>,
}

impl Op for CommitOffsets {
    type Reply = ();

    fn plan(&self) -> Plan {
        let scan = |commit: &OffsetCommit| Scan::Get(Store::Partitions, partition_key(commit.tp));
        Plan::write(self.offsets.iter().map(scan).collect(), vec![Store::Offsets], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        let mut writes = Vec::with_capacity(self.offsets.len());
        for (index, commit) in self.offsets.iter().enumerate() {
            if rows.value(index).is_none() {
                return Err(crate::log::unknown_partition(commit.tp.partition));
            }
            let key = offset_key(&self.group, commit.tp);
            writes.push(Write::Put(Store::Offsets, key, commit.committed.encode()));
        }
        Ok(Applied { writes, reply: () })
    }
}

/// Reads where a group goes on.
#[derive(Clone, Debug)]
pub struct FetchOffsets {
    /// The group.
    pub group: String,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

impl Op for FetchOffsets {
    /// One entry a partition, in order; `None` where nothing was committed.
    type Reply = Vec<Option<CommittedOffset>>;

    fn plan(&self) -> Plan {
        let scan = |tp: &TopicPartition| Scan::Get(Store::Offsets, offset_key(&self.group, *tp));
        Plan::read(self.partitions.iter().map(scan).collect())
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let offsets = (0..self.partitions.len())
            .map(|index| rows.value(index).map(CommittedOffset::decode).transpose());
        Ok(Applied::reply(offsets.collect::<Result<_, Error>>()?))
    }
}
