use super::attributes::Attributes;
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
    /// Where the format stands.
    const MAGIC_AT: usize = 16;

    /// Reads the header; neither the CRC nor the records are looked at.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where the bytes are too few, or are no batch of this format.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let header = Self::parse(bytes)?;
        header.check()?;
        Ok(header)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Error> {
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
        if header.batch_length < (Self::SIZE - Self::PREFIX) as i32 {
            return Err(corrupt("a record batch is shorter than its header"));
        }
        Ok(header)
    }

    /// Nothing that follows from the fields overflows.
    fn check(&self) -> Result<(), Error> {
        let next = self.base_offset.checked_add(i64::from(self.last_offset_delta) + 1);
        if self.last_offset_delta < 0 || self.record_count < 0 || next.is_none() {
            return Err(corrupt("a record batch's header contradicts itself"));
        }
        Ok(())
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

/// Checks that `bytes` begin with a whole, undamaged batch.
///
/// # Errors
/// [`Code::CorruptMessage`] where they do not.
pub fn check(bytes: &[u8]) -> Result<BatchHeader, Error> {
    let header = BatchHeader::parse(bytes)?;
    let covered = bytes
        .get(BatchHeader::CRC_FROM..header.size())
        .ok_or_else(|| corrupt("a record batch is shorter than its length says: it was cut off"))?;
    if crc32c(covered) != header.crc {
        return Err(corrupt("a record batch does not match its CRC: its bytes were changed on the way"));
    }
    header.check()?;
    Ok(header)
}

/// Writes the length and the CRC of a batch whose other bytes are final.
pub(super) fn seal(batch: &mut [u8]) {
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

/// Batches one after another. A partial batch at the end is not an error: the iterator stops before it. After an
/// error it stops too, since a length may be what was damaged.
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// What a batch of the oldest format has at least: whatever claims less is none.
    const LENGTH_MIN: i32 = 14;
    const MAGIC_MAX: u8 = 2;

    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The size of the next batch, as soon as it can be known.
    fn size(&self) -> Option<Result<usize, Error>> {
        let (prefix, rest) = self.rest.split_first_chunk::<{ BatchHeader::PREFIX }>()?;
        let [.., a, b, c, d] = *prefix;
        let length = i32::from_be_bytes([a, b, c, d]);
        let magic = rest.get(BatchHeader::MAGIC_AT - BatchHeader::PREFIX);
        if length < Self::LENGTH_MIN || magic.is_some_and(|magic| *magic > Self::MAGIC_MAX) {
            return Some(Err(corrupt("what follows is no record batch")));
        }
        Some(Ok(length as usize + BatchHeader::PREFIX))
    }

    fn batch(&mut self, size: usize) -> Option<Result<&'a [u8], Error>> {
        let (batch, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(check(batch).map(|_| batch))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.size()? {
            Ok(size) => self.batch(size)?,
            Err(error) => Err(error),
        };
        if batch.is_err() {
            self.rest = &[];
        }
        Some(batch)
    }
}

pub(super) fn corrupt(message: &str) -> Error {
    Error::new(Code::CorruptMessage, message)
}
