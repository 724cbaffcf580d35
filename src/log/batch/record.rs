use super::attributes::{Compression, TimestampType};
use super::header::{BatchHeader, corrupt, sequence_at};
use crate::base::{Code, Error, Offset, Reader, Sequence, Timestamp};

/// One record, borrowed from its batch.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Its time; the batch's own where the log set it.
    pub timestamp: Timestamp,
    /// Its number among its producer's records, or -1.
    pub sequence: Sequence,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    header_count: i32,
    headers: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its headers, in order; a key may repeat.
    pub fn headers(&self) -> Headers<'a> {
        Headers { left: self.header_count, reader: Reader::new(self.headers) }
    }

    /// How many headers there are, and their bytes.
    pub fn raw_headers(&self) -> (i32, &'a [u8]) {
        (self.header_count, self.headers)
    }
}

/// The headers of a record: key (UTF-8), value. What follows the last of them is an error.
pub struct Headers<'a> {
    left: i32,
    reader: Reader<'a>,
}

impl<'a> Headers<'a> {
    fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), Error> {
        let key = self.reader.nullable()?.ok_or_else(|| corrupt("a header's key is null"))?;
        Ok((key, self.reader.nullable()?))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return surplus(&mut self.reader, "a record is longer than its parts");
        }
        self.left -= 1;
        let header = self.header();
        if header.is_err() {
            (self.left, self.reader) = (0, Reader::default());
        }
        Some(header)
    }
}

/// The records of one uncompressed batch: their offsets grow, and what follows the last of them is an error.
pub struct Records<'a> {
    base_offset: Offset,
    base_timestamp: Timestamp,
    base_sequence: Sequence,
    log_append_time: Option<Timestamp>,
    left: i32,
    /// Of the record before.
    delta: i32,
    delta_max: i32,
    reader: Reader<'a>,
}

/// Refuses a compressed batch.
///
/// # Errors
/// [`Code::UnsupportedCompressionType`].
pub fn uncompressed(header: &BatchHeader) -> Result<(), Error> {
    if header.attributes.compression()? == Compression::None {
        return Ok(());
    }
    let message = "the batch is compressed: decompress it before its records are read";
    Err(Error::new(Code::UnsupportedCompressionType, message))
}

/// The records of a whole batch that is not compressed. The CRC is not looked at.
///
/// # Errors
/// [`Code::UnsupportedCompressionType`] for a compressed batch, [`Code::CorruptMessage`] for what is no batch.
pub fn records(batch: &[u8]) -> Result<Records<'_>, Error> {
    let header = BatchHeader::read(batch)?;
    uncompressed(&header)?;
    let bytes =
        batch.get(BatchHeader::SIZE..header.size()).ok_or_else(|| corrupt("a record batch was cut off"))?;
    let appended = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
    Ok(Records {
        base_offset: header.base_offset,
        base_timestamp: header.base_timestamp,
        base_sequence: header.base_sequence,
        log_append_time: appended.then_some(header.max_timestamp),
        left: header.record_count,
        delta: -1,
        delta_max: header.last_offset_delta,
        reader: Reader::new(bytes),
    })
}

impl<'a> Records<'a> {
    fn record(&mut self) -> Result<Record<'a>, Error> {
        let length =
            usize::try_from(self.reader.varint()?).map_err(|_| corrupt("a record's length is negative"))?;
        let mut reader = Reader::new(self.reader.bytes(length)?);
        reader.u8()?;
        let timestamp = self.base_timestamp.wrapping_add(reader.varlong()?);
        let delta = reader.varint()?;
        if delta <= self.delta || delta > self.delta_max {
            return Err(corrupt("a record's offset is not after the one before, or lies outside its batch"));
        }
        self.delta = delta;
        let (key, value) = (reader.nullable()?, reader.nullable()?);
        let header_count = reader.varint()?;
        let headers = reader.rest();
        // Each header takes two bytes at least, so a count that lies is seen before anyone allocates for it.
        if !usize::try_from(header_count).is_ok_and(|count| count <= headers.len() / 2) {
            return Err(corrupt("a record's headers do not fit into it"));
        }
        let sequence = if self.base_sequence < 0 { -1 } else { sequence_at(self.base_sequence, delta) };
        Ok(Record {
            offset: self.base_offset + i64::from(delta),
            timestamp: self.log_append_time.unwrap_or(timestamp),
            sequence,
            key,
            value,
            header_count,
            headers,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return surplus(&mut self.reader, "a record batch is longer than its records");
        }
        self.left -= 1;
        let record = self.record();
        if record.is_err() {
            (self.left, self.reader) = (0, Reader::default());
        }
        Some(record)
    }
}

/// An error, once, where something is left to be read.
fn surplus<T>(reader: &mut Reader<'_>, message: &str) -> Option<Result<T, Error>> {
    let left = !core::mem::take(reader).rest().is_empty();
    left.then(|| Err(corrupt(message)))
}
