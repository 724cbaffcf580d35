//! Topics by name and partitions by topic, as the files of the group protocol have them.

use std::collections::BTreeMap;

use headwater::base::{TopicId, TopicPartition, crc32c};
use headwater::group::Partitions;

/// Topic to partitions. Topics without partitions are left out.
pub type Named = BTreeMap<String, Vec<i32>>;

/// The id that a topic of this name has in these tests.
pub fn topic_id(name: &str) -> TopicId {
    let mut id = [0; 16];
    name.bytes().take(12).enumerate().for_each(|(index, byte)| id[index] = byte);
    id[12..].copy_from_slice(&crc32c(name.as_bytes()).to_be_bytes());
    TopicId(id)
}

/// The set of these partitions.
pub fn partitions(named: &Named) -> Partitions {
    let of_topic = |(name, numbers): (&String, &Vec<i32>)| {
        let topic = topic_id(name);
        numbers
            .iter()
            .map(move |partition| TopicPartition { topic, partition: *partition })
            .collect::<Vec<_>>()
    };
    named.iter().flat_map(of_topic).collect()
}
