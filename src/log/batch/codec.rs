use super::attributes::{Attributes, Compression};
use super::header::{BatchHeader, check, seal};
use crate::base::{Code, Error};

/// The port to compression, which the platform has or has not.
pub trait Codec {
    /// What `bytes` were before they were compressed; at most `limit` bytes.
    ///
    /// # Errors
    /// [`Code::UnsupportedCompressionType`], [`Code::CorruptMessage`], or [`Code::MessageTooLarge`] beyond `limit`.
    fn decompress(&self, compression: Compression, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error>;

    /// `bytes`, compressed.
    ///
    /// # Errors
    /// [`Code::UnsupportedCompressionType`].
    fn compress(&self, compression: Compression, bytes: &[u8]) -> Result<Vec<u8>, Error>;
}

/// No compression at all: whatever is compressed is refused.
pub struct NoCodec;

impl NoCodec {
    fn refuse(compression: Compression) -> Error {
        let message =
            format!("compression \"{}\" cannot be read here: send uncompressed batches", compression.name());
        Error::new(Code::UnsupportedCompressionType, message)
    }
}

impl Codec for NoCodec {
    fn decompress(&self, compression: Compression, _: &[u8], _: usize) -> Result<Vec<u8>, Error> {
        Err(Self::refuse(compression))
    }

    fn compress(&self, compression: Compression, _: &[u8]) -> Result<Vec<u8>, Error> {
        Err(Self::refuse(compression))
    }
}

/// What a batch may grow to when it is decompressed.
const DECOMPRESSED_MAX: usize = 64 << 20;

/// The same batch, not compressed.
///
/// # Errors
/// [`Code::CorruptMessage`] for what is no whole, undamaged batch, and the codec's errors.
pub fn decompressed(batch: &[u8], codec: &dyn Codec) -> Result<Vec<u8>, Error> {
    recoded(batch, Compression::None, |from, records| match from {
        Compression::None => Ok(records.to_vec()),
        _ => codec.decompress(from, records, DECOMPRESSED_MAX),
    })
}

/// The same uncompressed batch, compressed.
///
/// # Errors
/// [`Code::InvalidRequest`] where it is compressed already, and the codec's errors.
pub fn compressed(batch: &[u8], compression: Compression, codec: &dyn Codec) -> Result<Vec<u8>, Error> {
    recoded(batch, compression, |from, records| match (from, compression) {
        (Compression::None, Compression::None) => Ok(records.to_vec()),
        (Compression::None, _) => codec.compress(compression, records),
        _ => Err(Error::new(Code::InvalidRequest, "the batch is compressed already: decompress it first")),
    })
}

fn recoded(
    batch: &[u8],
    to: Compression,
    recode: impl Fn(Compression, &[u8]) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    // A new CRC would hide that the old one did not match.
    let header = check(batch)?;
    let records = recode(header.attributes.compression()?, &batch[BatchHeader::SIZE..header.size()])?;
    Ok(assembled(batch, header.attributes.with_compression(to), &records))
}

/// True for a batch that is to be compressed before it is stored: its attributes name how, its records are not yet.
pub fn is_marked(batch: &[u8]) -> bool {
    BatchHeader::read(batch).is_ok_and(|header| header.attributes.is_marked())
}

/// How a batch is compressed, or is to be, and its records.
///
/// # Errors
/// [`Code::CorruptMessage`] for what is no whole batch.
pub fn packable(batch: &[u8]) -> Result<(Compression, &[u8]), Error> {
    let header = BatchHeader::read(batch)?;
    let records = batch.get(BatchHeader::SIZE..header.size());
    let records = records.ok_or_else(|| Error::new(Code::CorruptMessage, "a record batch was cut off"))?;
    Ok((header.attributes.compression()?, records))
}

/// The batch with other records and another compression, and no mark.
///
/// # Errors
/// [`Code::CorruptMessage`] for a batch whose CRC does not match: a new one would hide that.
pub fn repacked(batch: &[u8], compression: Compression, records: &[u8]) -> Result<Vec<u8>, Error> {
    let header = check(batch)?;
    let attributes = header.attributes.with_compression(compression).with_mark(false);
    Ok(assembled(batch, attributes, records))
}

fn assembled(batch: &[u8], attributes: Attributes, records: &[u8]) -> Vec<u8> {
    let mut bytes = batch[..BatchHeader::SIZE].to_vec();
    bytes[BatchHeader::CRC_FROM..BatchHeader::CRC_FROM + 2].copy_from_slice(&attributes.0.to_be_bytes());
    bytes.extend_from_slice(records);
    seal(&mut bytes);
    bytes
}
