use std::collections::BTreeSet;

/// How a collector behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The write keys that are taken; every one where `None`.
    pub write_keys: Option<BTreeSet<String>>,
    /// The topics that there are, with their partition counts; where `None`, a topic is created when the first
    /// batch for it arrives.
    pub topics: Option<Vec<(String, i32)>>,
    /// What a request may carry.
    pub limits: Limits,
    /// What registrations are signed with, the same at every collector of a sink. Where it is empty the log keeps
    /// one of its own.
    pub secret: Vec<u8>,
}

/// What a request may carry. Whatever exceeds a limit is refused or set aside, never cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a request, once decompressed.
    pub request_bytes: usize,
    /// The bytes of a batch.
    pub batch_bytes: usize,
    /// The batches of a request.
    pub batches: usize,
    /// The topics that are created because batches arrive for them.
    pub topics: usize,
    /// The partitions that such a topic gets.
    pub partitions: i32,
    /// The producer ids that an address may register in a minute.
    pub registrations_per_minute: u32,
}

impl Limits {
    /// The bytes of a request's first line.
    pub const HEADER_BYTES: usize = 256 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 4 << 20,
            batch_bytes: 1 << 20,
            batches: 1_000,
            topics: 1_000,
            partitions: 100,
            registrations_per_minute: 120,
        }
    }
}
