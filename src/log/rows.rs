//! The rows of topics and partitions, and what can be read off rows.

use super::batch::{self, BatchHeader};
use super::key::batch_range;
use super::op::{Key, Scan, Store, Value};
use crate::base::{Code, Error, Offset, Reader, Timestamp, TopicConfig, TopicId, TopicPartition, Writer};

/// No log grows to this. Whatever claims a greater offset is damaged, and sums with it could overflow.
pub const OFFSET_MAX: Offset = Offset::MAX >> 1;

/// A topic, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    /// Its identity.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its configuration.
    pub config: TopicConfig,
    /// The sink that forwards it, if one was ever named.
    pub sink: Option<String>,
}

impl TopicRow {
    const VERSION: u8 = 1;
    /// The most partitions that a topic has.
    pub const PARTITIONS_MAX: i32 = 1000;

    /// The row's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.bytes(&self.id.0);
        writer.i32(self.partitions);
        let config = self.config.encode();
        writer.i32(config.len() as i32);
        writer.bytes(&config);
        writer.i32(self.sink.as_ref().map_or(-1, |sink| sink.len() as i32));
        writer.bytes(self.sink.as_deref().unwrap_or_default().as_bytes());
        writer.finish()
    }

    /// The row from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are no topic.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| unreadable("a topic"))
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        version(&mut reader, Self::VERSION)?;
        let mut id = [0; 16];
        id.copy_from_slice(reader.bytes(16)?);
        let partitions = reader.i32()?;
        if !(1..=Self::PARTITIONS_MAX).contains(&partitions) {
            // Whoever went through them all would never end.
            return Err(unreadable("a topic"));
        }
        let config = reader.i32()?;
        let config = TopicConfig::decode(reader.bytes(usize::try_from(config).unwrap_or(usize::MAX))?)?;
        let sink = match reader.i32()? {
            -1 => None,
            length => {
                let name = reader.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
                Some(String::from_utf8_lossy(name).into_owned())
            }
        };
        Ok(Self { id: TopicId(id), partitions, config, sink })
    }

    /// All its partitions.
    pub fn topic_partitions(&self) -> impl Iterator<Item = TopicPartition> + use<> {
        let topic = self.id;
        (0..self.partitions).map(move |partition| TopicPartition { topic, partition })
    }
}

/// A partition. Whatever deletes batches writes it in the same transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionRow {
    /// The log start offset: the first that can be read.
    pub start: Offset,
    /// Grows whenever batches are deleted, so that a writer with an old view cannot write over a gap.
    pub generation: u64,
    /// How far it was compacted.
    pub compacted: Compacted,
}

/// What the last compaction of a partition left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Every record before this offset has been looked at.
    pub upto: Offset,
    /// So many of them are left.
    pub kept: i64,
    /// When a tombstone among them may go; 0 where there is none.
    pub horizon: Timestamp,
}

impl PartitionRow {
    /// Of a partition that was never compacted.
    const VERSION: u8 = 1;
    const VERSION_COMPACTED: u8 = 2;

    /// The row's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let compacted = self.compacted != Compacted::default();
        let mut writer = Writer::new();
        writer.u8(if compacted { Self::VERSION_COMPACTED } else { Self::VERSION });
        writer.i64(self.start);
        writer.bytes(&self.generation.to_be_bytes());
        if compacted {
            writer.i64(self.compacted.upto);
            writer.i64(self.compacted.kept);
            writer.i64(self.compacted.horizon);
        }
        writer.finish()
    }

    /// The row from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are no partition.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| unreadable("a partition"))
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        let start = reader.i64()?;
        let generation = u64::from_be_bytes(reader.i64()?.to_be_bytes());
        let compacted = match version {
            Self::VERSION => Compacted::default(),
            Self::VERSION_COMPACTED => {
                Compacted { upto: reader.i64()?, kept: reader.i64()?, horizon: reader.i64()? }
            }
            _ => return Err(unreadable("another version")),
        };
        let offsets = [start, compacted.upto, compacted.kept];
        if !offsets.iter().all(|offset| (0..=OFFSET_MAX).contains(offset)) || generation > u64::MAX >> 1 {
            return Err(unreadable("a partition"));
        }
        Ok(Self { start, generation, compacted })
    }
}

fn version(reader: &mut Reader<'_>, known: u8) -> Result<(), Error> {
    if reader.u8()? == known { Ok(()) } else { Err(unreadable("another version")) }
}

/// The error for a row that cannot be read.
pub fn unreadable(what: &str) -> Error {
    Error::new(Code::StorageCorrupt, format!("the stored row of {what} cannot be read; it is left as it is"))
}

/// The topic of this name from its row, if there is one.
///
/// # Errors
/// [`Code::StorageCorrupt`], which names the topic.
pub fn topic(name: &str, row: Option<&[u8]>) -> Result<Option<TopicRow>, Error> {
    row.map(TopicRow::read).transpose().map_err(|_| unreadable(&format!("topic \"{name}\"")))
}

/// A partition from its row, which must be there.
///
/// # Errors
/// [`Code::UnknownTopicOrPartition`] where it is not, and [`Code::StorageCorrupt`], which names the partition.
pub fn partition(tp: TopicPartition, row: Option<&[u8]>) -> Result<PartitionRow, Error> {
    let row = row.ok_or_else(|| unknown_partition(tp.partition))?;
    PartitionRow::read(row).map_err(|_| unreadable(&place(tp)))
}

/// A partition, for people: its topic is known by its id alone.
fn place(tp: TopicPartition) -> String {
    let id: String = tp.topic.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("partition {} of topic id {id}", tp.partition)
}

/// The error for a partition that has no row.
pub fn unknown_partition(partition: i32) -> Error {
    Error::new(
        Code::UnknownTopicOrPartition,
        format!("this log has no partition {partition} of the topic: it was deleted, or never created"),
    )
}

/// The range of all batches of a partition.
pub fn all_batches(tp: TopicPartition) -> (Key, Key) {
    batch_range(tp, 0, Offset::MAX)
}

/// The scan that finds a partition's last batch; see [`end_offset`].
pub fn last_batch(tp: TopicPartition) -> Scan {
    let (from, to) = all_batches(tp);
    Scan::Last { store: Store::Batches, from, to }
}

/// The end of a partition: after its last batch, or the start offset where nothing is left.
///
/// # Errors
/// [`Code::CorruptMessage`] where the last batch has no readable header.
pub fn end_offset(row: &PartitionRow, last: Option<&[u8]>) -> Result<Offset, Error> {
    let end = last.map(BatchHeader::read).transpose()?.map_or(0, |header| header.next_offset());
    Ok(end.max(row.start))
}

/// The same for whoever is going to write there: a damaged header would make it write over records that were read
/// by others already.
///
/// # Errors
/// [`Code::CorruptMessage`] where the last batch is damaged.
pub fn sound_end(row: &PartitionRow, last: Option<&(Key, Value)>) -> Result<Offset, Error> {
    let last = last.map(|(key, bytes)| sound(key, bytes)).transpose()?;
    Ok(last.map_or(0, |header| header.next_offset()).max(row.start))
}

/// The key after the last batch that one transaction deletes, beginning with this one. Batches like it are no more than
/// some 1 MiB together, and no batches are more than some 8,000 rows: about 10 ms, and 50 on a machine that is busy.
pub fn end_of_slice(key: &[u8], bytes: &[u8]) -> Key {
    const BYTES_A_SLICE: usize = 1 << 20;
    const OFFSETS_A_SLICE: Offset = 8_192;
    let records = BatchHeader::read(bytes).map_or(1, |header| i64::from(header.last_offset_delta) + 1);
    let alike = (BYTES_A_SLICE / bytes.len().max(1)).max(1) as Offset;
    let offsets = records.saturating_mul(alike).clamp(1, OFFSETS_A_SLICE);
    let base = base_of(key).unwrap_or(0);
    let mut end = key.get(..key.len().saturating_sub(8)).unwrap_or_default().to_vec();
    end.extend_from_slice(&base.saturating_add(offsets).to_be_bytes());
    end
}

/// The base offset in a batch's key.
pub fn base_of(key: &[u8]) -> Option<Offset> {
    key.last_chunk().map(|bytes| Offset::from_be_bytes(*bytes))
}

/// The header of a stored batch that is whole, undamaged, and where it says it is.
///
/// # Errors
/// [`Code::CorruptMessage`] for any other.
pub fn sound(key: &[u8], bytes: &[u8]) -> Result<BatchHeader, Error> {
    let header = batch::check(bytes)?;
    let placed = key.ends_with(&header.base_offset.to_be_bytes()) && header.base_offset <= OFFSET_MAX;
    if header.size() != bytes.len() || !placed {
        let message = "a stored record batch is not where its header says, or not as long";
        return Err(Error::new(Code::CorruptMessage, message));
    }
    Ok(header)
}

/// Up to where a forwarder has delivered, read off its delivery row: the first field of every version.
///
/// # Errors
/// [`Code::StorageCorrupt`] where the row is too short.
pub fn delivered(row: &[u8]) -> Result<Offset, Error> {
    let mut reader = Reader::new(row);
    reader.u8().and_then(|_| reader.i64()).map_err(|_| unreadable("a delivery"))
}

/// The first offset that a forwarder has not delivered, `start` where it has not begun; `None` where nobody forwards.
/// Its row counts even without a `sink` in the topic's: a topic that was made anew after a wipe names none until its
/// forwarder looks again.
///
/// # Errors
/// [`Code::StorageCorrupt`] where the row is too short.
pub fn undelivered(sink: bool, delivery: Option<&[u8]>, start: Offset) -> Result<Option<Offset>, Error> {
    match delivery {
        Some(row) => delivered(row).map(Some),
        None => Ok(sink.then_some(start)),
    }
}
