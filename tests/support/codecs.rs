//! Every compression that Kafka has, for batches that were recorded from it.

use std::io::{Read, Write};

use headwater::base::{Code, Error};
use headwater::log::batch::{Codec, Compression};

/// gzip, Snappy in xerial's framing, LZ4's frame format, and Zstandard.
pub struct Codecs;

impl Codec for Codecs {
    fn decompress(&self, compression: Compression, bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
        match compression {
            Compression::None => Ok(bytes.to_vec()),
            Compression::Gzip => drain(flate2::read::MultiGzDecoder::new(bytes), limit),
            Compression::Snappy => xerial_decompress(bytes, limit),
            Compression::Lz4 => drain(lz4_flex::frame::FrameDecoder::new(bytes), limit),
            Compression::Zstd => {
                drain(ruzstd::decoding::StreamingDecoder::new(bytes).map_err(corrupt)?, limit)
            }
        }
    }

    fn compress(&self, compression: Compression, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
            }
            Compression::Snappy => xerial_compress(bytes),
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => {
                ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
            }
        })
    }
}

/// What there is to be read, if that is not more than `limit`.
fn drain(reader: impl Read, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(corrupt)?;
    if bytes.len() > limit { Err(too_large()) } else { Ok(bytes) }
}

/// The magic of xerial's framing, then its version and the oldest version that can read it.
const XERIAL: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const XERIAL_MAGIC: usize = 8;
const XERIAL_BLOCK: usize = 32 << 10;

fn xerial_decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    if !bytes.starts_with(&XERIAL[..XERIAL_MAGIC]) {
        return Err(corrupt("no xerial framing"));
    }
    let mut rest = bytes.get(XERIAL.len()..).ok_or_else(|| corrupt("a cut header"))?;
    let mut plain = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) = after.split_at_checked(length).ok_or_else(|| corrupt("a cut block"))?;
        // The block says how long it becomes: that is looked at before anything is allocated for it.
        if snap::raw::decompress_len(block).map_err(corrupt)? > limit - plain.len() {
            return Err(too_large());
        }
        plain.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(corrupt)?);
        rest = after;
    }
    if rest.is_empty() { Ok(plain) } else { Err(corrupt("a cut length")) }
}

fn xerial_compress(bytes: &[u8]) -> Vec<u8> {
    let mut framed = XERIAL.to_vec();
    for block in bytes.chunks(XERIAL_BLOCK) {
        let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
        framed.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(&block);
    }
    framed
}

fn corrupt(error: impl ToString) -> Error {
    Error::new(Code::CorruptMessage, error.to_string())
}

fn too_large() -> Error {
    Error::new(Code::MessageTooLarge, "the records grow beyond the limit")
}
