//! One wire batch: whether it arrived whole, and whether a log can ever take it.

use super::answer::Refusal;
use crate::base::{Code, Error, ProducerId, varint_len};
use crate::log::batch::{self, BatchHeader, Compression, Record};

/// A batch that arrived as it was sent.
pub(super) struct Inspected {
    pub(super) header: BatchHeader,
    /// Why no log will ever take it, if that is so.
    pub(super) unacceptable: Option<Error>,
}

/// Producer ids of forwarders lie in this range, far from those that brokers hand out.
const IDS: core::ops::Range<ProducerId> = 1 << 61..1 << 62;

pub(super) fn inspect(bytes: &[u8], bytes_max: usize) -> Result<Inspected, Refusal> {
    if bytes.len() < BatchHeader::SIZE {
        return Err(Refusal::damaged(
            400,
            format!("a record batch has 61 bytes at least, not {}", bytes.len()),
        ));
    }
    let header = BatchHeader::read(bytes).map_err(|error| Refusal::damaged(422, error.message()))?;
    if header.size() != bytes.len() {
        let (own, listed) = (header.size(), bytes.len());
        return Err(Refusal::damaged(
            400,
            format!("the batch says that it has {own} bytes, the first line {listed}"),
        ));
    }
    batch::check(bytes).map_err(|error| Refusal::damaged(422, error.message()))?;
    check_identity(&header)?;
    let unacceptable = check_records(&header, bytes, bytes_max).err();
    Ok(Inspected { header, unacceptable })
}

fn check_identity(header: &BatchHeader) -> Result<(), Refusal> {
    let known = IDS.contains(&header.producer_id) && header.producer_epoch >= 0 && header.base_sequence >= 0;
    if known {
        return Ok(());
    }
    let message = "a wire batch carries a producer id from 2^61 up to 2^62, an epoch and a sequence";
    Err(Error::new(Code::InvalidRequest, message).into())
}

fn check_records(header: &BatchHeader, bytes: &[u8], bytes_max: usize) -> Result<(), Error> {
    if bytes.len() > bytes_max {
        let message = format!("a batch of {} bytes exceeds the limit of {bytes_max}", bytes.len());
        return Err(Error::new(Code::MessageTooLarge, message));
    }
    let compression = header.attributes.compression()?;
    if compression != Compression::None {
        let message = format!("a wire batch is not compressed, and this one is with {}", compression.name());
        return Err(Error::new(Code::UnsupportedCompressionType, message));
    }
    if header.attributes.0 != 0 {
        return Err(invalid(
            "a wire batch has no attributes: no transaction, no control records, no append time",
        ));
    }
    if header.record_count < 1 || header.record_count != header.last_offset_delta.saturating_add(1) {
        return Err(invalid("a wire batch has a record for each of its offsets, and one at least"));
    }
    let records = batch::records(bytes).map_err(|error| invalid(error.message()))?;
    for (expected, record) in (header.base_offset..).zip(records) {
        let record = record.map_err(|error| invalid(error.message()))?;
        if record.offset != expected {
            return Err(invalid("the records of a wire batch have one offset after another"));
        }
        check_headers(&record)?;
    }
    Ok(())
}

/// The headers fill their record exactly.
fn check_headers(record: &Record<'_>) -> Result<(), Error> {
    let mut length = 0;
    for header in record.headers() {
        let (key, value) = header.map_err(|error| invalid(error.message()))?;
        length += varint_len(key.len() as i32) + key.len();
        length += value.map_or(1, |value| varint_len(value.len() as i32) + value.len());
    }
    if length == record.raw_headers().1.len() {
        Ok(())
    } else {
        Err(invalid("a record is longer than its parts"))
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Code::InvalidRecord, message)
}
