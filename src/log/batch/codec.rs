use super::attributes::Compression;
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
    let (fields, records) = batch[..header.size()].split_at(BatchHeader::SIZE);
    let records = recode(header.attributes.compression()?, records)?;
    let mut bytes = fields.to_vec();
    let attributes = header.attributes.with_compression(to);
    bytes[BatchHeader::CRC_FROM..BatchHeader::CRC_FROM + 2].copy_from_slice(&attributes.0.to_be_bytes());
    bytes.extend_from_slice(&records);
    seal(&mut bytes);
    Ok(bytes)
}
