/// A point of the monotonic clock, in milliseconds; only differences mean anything. For deadlines.
pub type Instant = u64;

/// A point of the wall clock, in milliseconds since 1970. For records; -1 means none.
pub type Timestamp = i64;

/// Both clocks at one moment. It is always passed in: nothing below `platform/` reads a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub instant: Instant,
    /// For records.
    pub timestamp: Timestamp,
}
