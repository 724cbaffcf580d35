use super::codec::Compression;
use crate::base::{Code, Error, Offset, ProducerId, Reader, Sequence, Timestamp, Writer, crc32c};

/// The first 61 bytes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record; set by the log, outside the CRC.
    pub base_offset: Offset,
    /// The bytes after this field.
    pub batch_length: i32,
    /// Set by the log, outside the CRC; -1 is unknown.
    pub partition_leader_epoch: i32,
    /// The format: 2.
    pub magic: i8,
    /// CRC-32C over everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type and marks.
    pub attributes: Attributes,
    /// The last offset less the base offset. After compaction it outlives the record itself.
    pub last_offset_delta: i32,
    /// What the records' timestamps count from.
    pub base_timestamp: Timestamp,
    /// The time of the youngest record.
    pub max_timestamp: Timestamp,
    /// Who produced it, or -1.
    pub producer_id: ProducerId,
    /// Which incarnation of the producer, or -1.
    pub producer_epoch: i16,
    /// The sequence of the first record, or -1.
    pub base_sequence: Sequence,
    /// How many records follow.
    pub record_count: i32,
}

impl BatchHeader {
    /// Its bytes.
    pub const SIZE: usize = 61;
    /// The bytes that the batch length does not count.
    pub(super) const PREFIX: usize = 12;
    /// Where the CRC's range begins.
    pub(super) const CRC_FROM: usize = 21;
    /// Where the CRC stands.
    pub(super) const CRC_AT: usize = 17;

    /// Reads the header; neither the CRC nor the records are looked at.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where the bytes are too few, or are no batch of this format.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let header = Self {
            base_offset: reader.i64()?,
            batch_length: reader.i32()?,
            partition_leader_epoch: reader.i32()?,
            magic: reader.i8()?,
            crc: reader.u32()?,
            attributes: Attributes(reader.i16()?),
            last_offset_delta: reader.i32()?,
            base_timestamp: reader.i64()?,
            max_timestamp: reader.i64()?,
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            base_sequence: reader.i32()?,
            record_count: reader.i32()?,
        };
        if header.magic != 2 {
            return Err(corrupt("a record batch has another format than 2"));
        }
        let least = (Self::SIZE - Self::PREFIX) as i32;
        let sane = header.batch_length >= least && header.last_offset_delta >= 0 && header.record_count >= 0;
        if !sane || header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
            return Err(corrupt("a record batch's header contradicts itself"));
        }
        Ok(header)
    }

    /// Writes the header as it is.
    pub fn write(&self, writer: &mut Writer) {
        writer.i64(self.base_offset);
        writer.i32(self.batch_length);
        writer.i32(self.partition_leader_epoch);
        writer.i8(self.magic);
        writer.u32(self.crc);
        writer.i16(self.attributes.0);
        writer.i32(self.last_offset_delta);
        writer.i64(self.base_timestamp);
        writer.i64(self.max_timestamp);
        writer.i64(self.producer_id);
        writer.i16(self.producer_epoch);
        writer.i32(self.base_sequence);
        writer.i32(self.record_count);
    }

    /// The whole batch's bytes.
    pub fn size(&self) -> usize {
        usize::try_from(self.batch_length).unwrap_or(0) + Self::PREFIX
    }

    /// The last offset that the batch accounts for, whether its record is still there or not.
    pub fn last_offset(&self) -> Offset {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Where a reader goes on.
    pub fn next_offset(&self) -> Offset {
        self.last_offset() + 1
    }

    /// The sequence of the last record, or -1.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence < 0 { -1 } else { sequence_at(self.base_sequence, self.last_offset_delta) }
    }
}

/// The sequence `delta` records after `base`; after 2147483647 comes 0.
pub(super) fn sequence_at(base: Sequence, delta: i32) -> Sequence {
    base.wrapping_add(delta) & Sequence::MAX
}

/// The bits of a batch's attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

/// Whose time a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The log's.
    LogAppendTime,
}

impl Attributes {
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] for a number that names no compression.
    pub fn compression(self) -> Result<Compression, Error> {
        Compression::from_bits(self.0 & Compression::BITS)
    }

    /// The same marks with another compression.
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !Compression::BITS | compression.bits())
    }

    /// Whose time the records carry.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// The same marks with another timestamp type.
    pub fn with_timestamp_type(self, kind: TimestampType) -> Self {
        self.with(Self::LOG_APPEND_TIME, kind == TimestampType::LogAppendTime)
    }

    /// True for a batch of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// The same marks, transactional or not.
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// True for a control batch: it takes offsets, and is never given to the application.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// The same marks, control or not.
    pub fn with_control(self, control: bool) -> Self {
        self.with(Self::CONTROL, control)
    }

    /// True where the base timestamp is the delete horizon of a compacted batch.
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same marks, with a delete horizon or without.
    pub fn with_delete_horizon(self, horizon: bool) -> Self {
        self.with(Self::DELETE_HORIZON, horizon)
    }

    fn with(self, bit: i16, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 & !bit })
    }
}

/// Checks that `bytes` begin with a whole, undamaged batch.
///
/// # Errors
/// [`Code::CorruptMessage`] where they do not.
pub fn check(bytes: &[u8]) -> Result<BatchHeader, Error> {
    let header = BatchHeader::read(bytes)?;
    let covered = bytes
        .get(BatchHeader::CRC_FROM..header.size())
        .ok_or_else(|| corrupt("a record batch is shorter than its length says: it was cut off"))?;
    if crc32c(covered) != header.crc {
        return Err(corrupt("a record batch does not match its CRC: its bytes were changed on the way"));
    }
    Ok(header)
}

/// Writes the length and the CRC of a batch whose other bytes are final.
pub fn seal(batch: &mut [u8]) {
    let length = (batch.len() - BatchHeader::PREFIX) as i32;
    batch[8..BatchHeader::PREFIX].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[BatchHeader::CRC_FROM..]);
    batch[BatchHeader::CRC_AT..BatchHeader::CRC_FROM].copy_from_slice(&crc.to_be_bytes());
}

/// Gives a batch its place in the log; the CRC does not cover it.
pub fn set_base_offset(batch: &mut [u8], base: Offset) {
    if let Some(field) = batch.first_chunk_mut::<8>() {
        *field = base.to_be_bytes();
    }
}

/// Batches one after another. A partial batch at the end is not an error: the iterator stops before it.
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let prefix = self.rest.get(..BatchHeader::CRC_AT)?;
        let length = i32::from_be_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
        let size = usize::try_from(length).ok().filter(|_| length >= 14).map(|length| length + BatchHeader::PREFIX);
        let Some(size) = size.filter(|_| prefix[16] <= 2) else {
            self.rest = &[];
            return Some(Err(corrupt("what follows is no record batch")));
        };
        let (batch, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(check(batch).map(|_| batch))
    }
}

pub(super) fn corrupt(message: &str) -> Error {
    Error::new(Code::CorruptMessage, message)
}
