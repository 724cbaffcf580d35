//! A page: one real node, its clocks, what becomes of it, and what waits for it while it cannot run.

use std::rc::Rc;

use headwater::base::{Error, Instant, Map, Now, Timestamp};
use headwater::client::forwarder::Delivery;
use headwater::group::Partitions;
use headwater::node::{AnyReply, ForwarderId, Input, LockId, Message, Node, NodeOptions, PageEvent, Ticket};

use super::app::App;

pub type PageId = usize;

/// The wall clock when the world begins.
pub const START: Timestamp = 1_800_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Runs,
    /// No code of it runs until it is thawed: messages wait.
    Frozen,
    /// It is in the back/forward cache: messages are lost.
    Cached,
    /// It is gone.
    Dead,
}

pub struct Page {
    /// The copy of the profile that it belongs to.
    pub origin: usize,
    pub node: Node,
    pub life: Life,
    /// It was told that it is suspended, and is to be told when it comes back.
    pub suspended: bool,
    /// Since when it has been hidden.
    pub hidden_since: Option<u64>,
    /// By how much the world's time is ahead of its monotonic clock, and its wall clock of the true time.
    pub lag: u64,
    pub skew: i64,
    /// The timer that is set: when it fires, and its number.
    pub timer: Option<(u64, u64)>,
    pub timers: u64,
    /// How often it was called at this time.
    pub ticks: (u64, u32),
    /// A timer was due while it could not run.
    pub overdue: bool,
    /// What arrived meanwhile.
    pub inbox: Vec<Told>,
    /// Its own storage is away until then.
    pub away_until: u64,
    /// Until when it works that off: what arrives later waits its turn.
    pub busy_until: u64,
    pub app: App,
}

/// What a page is told.
pub enum Told {
    Stored(Ticket, Result<AnyReply, Error>),
    Granted(LockId),
    LockLost(LockId),
    Assigned(String, i32, Result<Map<String, Partitions>, Error>),
    Idle(u64),
    Message(Rc<[u8]>),
    Delivered(ForwarderId, u64, Delivery),
    Reopened,
    Page(PageEvent),
}

impl Told {
    /// `None` for a message that no node understands.
    pub fn input(self) -> Option<Input> {
        Some(match self {
            Self::Stored(ticket, result) => Input::Stored(ticket, result),
            Self::Granted(lock) => Input::Granted(lock),
            Self::LockLost(lock) => Input::LockLost(lock),
            Self::Assigned(group, epoch, result) => Input::Assigned(group, epoch, result),
            Self::Idle(ticket) => Input::Idle(ticket),
            Self::Message(bytes) => Input::Message(Message::decode(&bytes)?),
            Self::Delivered(id, ticket, delivery) => Input::Delivered(id, ticket, delivery),
            Self::Reopened => Input::Reopened,
            Self::Page(event) => Input::Page(event),
        })
    }
}

impl Page {
    pub fn new(origin: usize, time: u64, skew: i64, seed: u64, options: NodeOptions, app: App) -> Self {
        let lag = time - 100;
        let node = Node::new(now(time, lag, skew), seed, options);
        Self {
            origin,
            node,
            life: Life::Runs,
            suspended: false,
            hidden_since: None,
            lag,
            skew,
            timer: None,
            timers: 0,
            ticks: (0, 0),
            overdue: false,
            inbox: Vec::new(),
            away_until: 0,
            busy_until: 0,
            app,
        }
    }

    pub fn now(&self, time: u64) -> Now {
        now(time, self.lag, self.skew)
    }

    pub fn alive(&self) -> bool {
        self.life != Life::Dead
    }

    pub fn runs(&self) -> bool {
        self.life == Life::Runs
    }

    /// When a timer fires that was set for `deadline`: hidden pages wake once a second, later once a minute.
    pub fn fires_at(&self, time: u64, deadline: Instant) -> u64 {
        const INTENSIVE_MS: u64 = 10_000;
        let at = (deadline + self.lag).max(time);
        match self.hidden_since {
            None => at,
            Some(since) if at - since > INTENSIVE_MS => at.next_multiple_of(60_000),
            Some(_) => at.next_multiple_of(1_000),
        }
    }
}

fn now(time: u64, lag: u64, skew: i64) -> Now {
    Now { instant: time - lag, timestamp: START + time as i64 + skew }
}
