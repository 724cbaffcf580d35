use super::machine::{Member, Membership};
use crate::base::Now;

/// What a pulse of the coordinator is to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulsed {
    /// It goes on as before.
    Ignored,
    /// It is no news, and the coordinator has heard of this member lately.
    Known,
    /// It is no news, and time to say that this member is there.
    Tells,
}

impl Member {
    /// How much later than it should a pulse may come.
    const GRACE_MS: u64 = 1_000;

    /// The coordinator says that it is there, and that the group has this epoch. A member that has nothing to say or to
    /// hear puts its heartbeat off: as long as the pulses come it needs no timer of its own, and says that it is there
    /// when everybody is awake anyway, before two thirds of its session are over: whatever it says wakes all the others.
    /// Who holds no lock goes on: its heartbeats are all that tells of it.
    pub fn pulse(&mut self, now: Now, epoch: i32) -> Pulsed {
        let due = self.due;
        let done = self.state == Membership::Stable && !(due.all || due.topics || due.owned || due.client);
        if !done || self.in_flight.is_some() || self.options.client.unlocked {
            return Pulsed::Ignored;
        }
        if epoch != self.epoch {
            self.hurry(now);
            return Pulsed::Ignored;
        }
        let interval = self.interval();
        let grace = Self::GRACE_MS.min(interval / 2);
        self.heartbeat_at = self.heartbeat_at.max(now.instant + interval + grace);
        // The next pulse would be too late, or may be: they do not come to the millisecond.
        let next = now.instant + interval + interval / 4;
        if next < self.said_at + self.session() * 2 / 3 {
            return Pulsed::Known;
        }
        self.said_at = now.instant;
        Pulsed::Tells
    }
}
