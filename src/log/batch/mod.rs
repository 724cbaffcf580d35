//! Kafka's record batch v2, byte for byte.

mod attributes;
mod builder;
mod codec;
mod header;
mod record;

pub use attributes::{Attributes, Compression, TimestampType};
pub use builder::{BatchBuilder, BatchOptions};
pub use codec::{Codec, NoCodec, compressed, decompressed, is_marked, packable, repacked};
pub use header::{BatchHeader, Batches, check, set_base_offset};
pub use record::{Headers, Record, Records, records, uncompressed};
