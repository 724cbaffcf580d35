/// The position of a record in its partition; the first is 0.
pub type Offset = i64;

/// Who produced a batch. -1 means nobody in particular.
pub type ProducerId = i64;

/// The number that a producer gives a record in a partition; after 2147483647 comes 0. -1 means none.
pub type Sequence = i32;

/// The identity of a topic. Random, so that what was cached of a deleted topic never fits its successor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl core::fmt::Debug for TopicId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// Its partition, from 0.
    pub partition: i32,
}
