//! Keys of rows. They are bytes, big-endian, so that they order as what they name.

use super::op::Key;
use crate::base::{Offset, TopicId, TopicPartition};

/// The key of a partition's row.
pub fn partition_key(tp: TopicPartition) -> Key {
    let mut key = Vec::with_capacity(20);
    key.extend_from_slice(&tp.topic.0);
    key.extend_from_slice(&tp.partition.to_be_bytes());
    key
}

/// The beginning of the keys of all partitions of a topic.
pub fn partition_prefix(topic: TopicId) -> Key {
    topic.0.to_vec()
}

/// The key of the batch that begins at `base`.
pub fn batch_key(tp: TopicPartition, base: Offset) -> Key {
    let mut key = partition_key(tp);
    key.extend_from_slice(&base.to_be_bytes());
    key
}

/// The keys of the batches that begin in `[from, to)`.
pub fn batch_range(tp: TopicPartition, from: Offset, to: Offset) -> (Key, Key) {
    (batch_key(tp, from.max(0)), batch_key(tp, to))
}

/// The keys that begin with `prefix`, as a range.
pub fn prefix_range(prefix: &[u8]) -> (Key, Key) {
    (prefix.to_vec(), after(prefix))
}

/// The smallest key that is greater than every key that begins with `prefix`.
pub fn after(prefix: &[u8]) -> Key {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if last < u8::MAX {
            key.push(last + 1);
            return key;
        }
    }
    vec![u8::MAX; prefix.len() + 1]
}
