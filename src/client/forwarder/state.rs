use super::event::Event;
use super::row::DeliveryRow;
use super::wire::Cut;
use crate::base::{Instant, Now, ProducerId, Random};
use crate::client::backoff::Backoff;

/// Where the delivery of a partition stands.
pub(super) enum State {
    /// The row is to be read.
    Unclaimed,
    /// A transaction runs.
    Storing(Purpose),
    /// Nothing is on its way.
    Idle,
    /// The row is to become another.
    Changing(Change),
    /// The marker's records are to be read again.
    Marked,
    /// The wire batch is at hand, to be sent.
    Ready(Cut),
    /// It is on its way.
    Sent(Cut),
    /// Somebody must have a look first.
    Stuck,
}

/// What the row is to become.
pub(super) struct Change {
    pub(super) row: DeliveryRow,
    /// Everything that the log holds becomes uncertain.
    pub(super) doubt: bool,
    /// The batch that is sent next, where the marker stays.
    pub(super) then: Option<Cut>,
    /// What the application hears once it is done.
    pub(super) event: Option<Event>,
}

/// What a transaction is run for.
pub(super) enum Purpose {
    /// Its result belongs to a former life of this lane.
    Void,
    Claim,
    /// A stall: is the row still ours?
    Verify(Cut),
    Save(Option<Cut>, Option<Event>),
    Mark(Option<Event>),
    Remark,
}

impl Change {
    pub(super) fn to(row: DeliveryRow) -> Self {
        Self { row, doubt: false, then: None, event: None }
    }

    pub(super) fn doubting(row: DeliveryRow) -> Self {
        Self { doubt: true, ..Self::to(row) }
    }
}

/// What a lane must know of its surroundings in order to decide.
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) linger_ms: u64,
    pub(super) bytes_max: usize,
    pub(super) random: &'a mut Random,
}

impl Context<'_> {
    pub(super) fn fresh(&mut self) -> ProducerId {
        DeliveryRow::fresh_id(self.random)
    }

    pub(super) fn after(&mut self, backoff: Backoff, attempts: u32) -> Instant {
        self.now.instant + backoff.delay(attempts, self.random)
    }
}
