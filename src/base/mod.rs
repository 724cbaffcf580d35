//! F0, the vocabulary: identifiers, offsets, time, errors, configuration under Kafka's names, bytes.

mod bytes;
mod config;
mod crc32c;
mod error;
mod ids;
mod map;
mod murmur2;
mod random;
mod time;

pub use bytes::{Reader, Writer, varint_len, varlong_len};
pub use config::TopicConfig;
pub use crc32c::crc32c;
pub use error::{Code, Error, ErrorKind};
pub use ids::{Offset, ProducerId, Sequence, TopicId, TopicPartition};
pub use map::Map;
pub use murmur2::{murmur2, partition_for_key};
pub use random::Random;
pub use time::{Instant, Now, Timestamp};
