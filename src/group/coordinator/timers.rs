use super::{Coordinator, Draft, Metadata};
use crate::base::{Instant, Now};
use crate::group::{MemberState, Record, STATIC_LEAVE_EPOCH};

/// What a coordinator knows of one member, but does not store.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    session_at: Option<Instant>,
    pinged: bool,
    /// When it must have given up partitions, and the epoch that it must have left.
    rebalance: Option<(Instant, i32)>,
    /// False until it was told so.
    told: bool,
    /// The number of its last heartbeat.
    pub(super) correlation: i32,
}

/// Which timer ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The member was silent for its session timeout: it is to be asked whether it lives.
    Ping,
    /// It did not answer: it is fenced.
    Session,
    /// It did not give up partitions in time: it is fenced.
    Rebalance,
}

/// A timer that ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Whose.
    pub member: String,
    /// Which.
    pub timer: Timer,
    /// What changed, and is to be stored.
    pub records: Vec<Record>,
}

impl Timers {
    fn next(&self) -> Option<(Instant, Timer)> {
        let silent = if self.pinged { Timer::Session } else { Timer::Ping };
        let session = self.session_at.map(|at| (at, silent));
        let rebalance = self.rebalance.map(|(at, _)| (at, Timer::Rebalance));
        rebalance.into_iter().chain(session).min_by_key(|(at, _)| *at)
    }
}

impl Coordinator {
    /// When [`Coordinator::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.values().filter_map(Timers::next).map(|(at, _)| at).min()
    }

    /// How long until a member's session and rebalance timers run out; `None` where they do not run.
    pub fn time_left(&self, now: Now, id: &str) -> (Option<u64>, Option<u64>) {
        let left = |at: Instant| at.saturating_sub(now.instant);
        self.timers.get(id).map_or((None, None), |timers| {
            (timers.session_at.map(left), timers.rebalance.map(|(at, _)| left(at)))
        })
    }

    /// True where [`Coordinator::tick`] would fence somebody.
    pub fn fences(&self, now: Now) -> bool {
        let due = |(id, timers): (&String, &Timers)| {
            let next = timers.next().filter(|(at, _)| *at <= now.instant);
            next.is_some_and(|(_, timer)| timer != Timer::Ping || !self.pings(id))
        };
        self.timers.iter().any(due)
    }

    /// Fences who is late, after having asked who is merely silent; the earliest first.
    pub fn tick(&mut self, now: Now, metadata: &dyn Metadata) -> Vec<Fired> {
        let mut fired = Vec::new();
        while let Some((id, timer)) = self.due(now) {
            let mut records = Vec::new();
            if timer == Timer::Ping && self.pings(&id) {
                if let Some(timers) = self.timers.get_mut(&id) {
                    timers.pinged = true;
                    timers.session_at = Some(now.instant + after(self.config.ping_timeout_ms));
                }
                fired.push(Fired { member: id, timer, records });
                continue;
            }
            let late = self.late(&id, timer);
            if let Some(timers) = self.timers.get_mut(&id) {
                match timer {
                    Timer::Rebalance => timers.rebalance = None,
                    Timer::Ping | Timer::Session => timers.session_at = None,
                }
            }
            if late {
                let mut draft = Draft::new(&self.state);
                self.fence(&mut draft, &id, metadata);
                records = self.adopt(draft);
            }
            let timer = if timer == Timer::Ping { Timer::Session } else { timer };
            fired.push(Fired { member: id, timer, records });
        }
        fired
    }

    /// The member has answered a ping, or was heard of otherwise: its session begins anew.
    pub fn alive(&mut self, now: Now, id: &str) {
        let Some(member) = self.state.members.get(id) else { return };
        let timeout = match member.metadata.session_timeout_ms {
            -1 => self.config.session_timeout_ms,
            own => own,
        };
        let timers = self.timers.get_or_insert_with(id.to_owned(), Timers::default);
        timers.session_at = Some(now.instant + after(timeout));
        timers.pinged = false;
    }

    /// Gives every member all its time again: after this node was stalled it must not judge who was silent meanwhile.
    pub fn restart_timers(&mut self, now: Now) {
        self.timers.retain(|id, _| self.state.members.contains_key(id));
        let ids: Vec<String> = self.state.members.keys().cloned().collect();
        for id in ids {
            self.alive(now, &id);
            self.watch_revocation(now, &id);
        }
    }

    /// Starts or stops the member's rebalance timer, after it took a step.
    pub(super) fn watch_revocation(&mut self, now: Now, id: &str) {
        let Some(member) = self.state.members.get(id) else { return };
        let until = now.instant + after(member.metadata.rebalance_timeout_ms);
        let waits = member.current.state == MemberState::UnrevokedPartitions;
        let timers = self.timers.get_or_insert_with(id.to_owned(), Timers::default);
        timers.rebalance = waits.then_some((until, member.current.epoch));
        timers.told = false;
    }

    /// An answer leaves for the member, which may have waited for the storage for long: what the member has to give up it
    /// hears only now, and its time begins.
    pub fn told(&mut self, now: Now, id: &str) {
        if self.timers.get(id).is_some_and(|timers| !timers.told) {
            self.watch_revocation(now, id);
            if let Some(timers) = self.timers.get_mut(id) {
                timers.told = true;
            }
        }
    }

    fn due(&self, now: Now) -> Option<(String, Timer)> {
        let next =
            |(id, timers): (&String, &Timers)| timers.next().map(|(at, timer)| (at, id.clone(), timer));
        let (at, id, timer) = self.timers.iter().filter_map(next).min_by_key(|(at, ..)| *at)?;
        (at <= now.instant).then_some((id, timer))
    }

    fn pings(&self, id: &str) -> bool {
        let away = self.state.members.get(id).is_none_or(|member| member.current.epoch == STATIC_LEAVE_EPOCH);
        self.config.ping_timeout_ms > 0 && !away
    }

    /// False where the member has moved on since the timer was started.
    fn late(&self, id: &str, timer: Timer) -> bool {
        let started = self.timers.get(id).and_then(|timers| timers.rebalance).map(|(_, epoch)| epoch);
        let member = self.state.members.get(id);
        member.is_some_and(|member| timer != Timer::Rebalance || started == Some(member.current.epoch))
    }
}

/// Kafka's durations are signed; none is negative here.
fn after(ms: i32) -> u64 {
    ms.max(0).unsigned_abs().into()
}
