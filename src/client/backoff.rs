//! How long to wait before trying again.

use crate::base::Random;

/// Exponential backoff with full jitter: a random wait below a ceiling that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first ceiling, in milliseconds.
    pub base_ms: u64,
    /// The last ceiling, in milliseconds.
    pub max_ms: u64,
}

impl Backoff {
    /// For storage: short, since storage is near.
    pub const STORAGE: Self = Self { base_ms: 100, max_ms: 2_000 };
    /// For a collector that does not answer.
    pub const DELIVERY: Self = Self { base_ms: 300, max_ms: 30_000 };

    /// The wait before attempt `attempt` (from 1), in milliseconds. Never less than a tenth of the ceiling, so
    /// that chance cannot make it no wait at all.
    pub fn delay(self, attempt: u32, random: &mut Random) -> u64 {
        let doublings = attempt.saturating_sub(1).min(16);
        let ceiling = (self.base_ms << doublings).min(self.max_ms);
        ceiling / 10 + random.below(ceiling - ceiling / 10)
    }
}
