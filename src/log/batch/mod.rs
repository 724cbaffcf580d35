//! Kafka's record batch v2, byte for byte.

mod builder;
mod codec;
mod header;
mod record;

pub use builder::{BatchBuilder, BatchOptions};
pub use codec::{Codec, Compression, NoCodec, compressed, decompressed};
pub use header::{Attributes, BatchHeader, Batches, TimestampType, check, seal, set_base_offset};
pub use record::{Headers, Record, Records, records};
