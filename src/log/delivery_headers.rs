//! The headers that a record gets on its way out of the log. Both ends of a delivery know them.

/// Names a record for ever: the producer id and sequence with which its node appended it.
pub const HW_ID: &[u8] = b"hw-id";
/// The record's own time, since the topic beyond the collector has the log's.
pub const HW_TIMESTAMP: &[u8] = b"hw-timestamp";
/// The record may have been delivered before under another name.
pub const HW_UNCERTAIN: &[u8] = b"hw-uncertain";
