use std::collections::VecDeque;

use crate::base::{Error, Instant, Now, Random};
use crate::group::wire::uuid;
use crate::group::{
    Client, HeartbeatRequest, HeartbeatResponse, JOIN_EPOCH, LEAVE_EPOCH, Partitions, STATIC_LEAVE_EPOCH,
};

/// What a member is told by its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberOptions {
    /// The group.
    pub group: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// The topics to subscribe to.
    pub topics: Vec<String>,
    /// The assignors that it would have, preferred first.
    pub assignors: Vec<String>,
    /// How long it may be silent; -1 is the coordinator's default.
    pub session_timeout_ms: i32,
    /// How often it heartbeats; -1 is as often as the coordinator says.
    pub heartbeat_interval_ms: i32,
    /// How long it may take to give up partitions.
    pub rebalance_timeout_ms: i32,
    /// How long the application may go without polling; -1 is for ever.
    pub max_poll_interval_ms: i32,
    /// Who it is.
    pub client: Client,
}

/// What happens to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberEvent {
    /// The application wants to be in the group.
    Join,
    /// The application subscribes to these topics now, and to no others.
    Subscribe(Vec<String>),
    /// The coordinator has answered the heartbeat of this number.
    Answer(i32, Result<HeartbeatResponse, Error>),
    /// Another node coordinates the group by now: what is on its way will not be answered.
    CoordinatorChanged,
    /// The coordinator has news: it is asked at once.
    News,
    /// The application is done with the last step.
    Acknowledged,
    /// The application polls.
    Polled,
    /// Time has passed.
    Tick,
    /// The page is seen, or is not any more.
    Visible(bool),
    /// It will hold no lock: there are none where it is.
    Unlocked,
    /// The page is about to be frozen.
    Suspend,
    /// The page is back.
    Resume,
    /// The application wants to be out of the group.
    Leave,
}

/// What is to be done for a member. Of [`MemberOutput::Revoke`], [`MemberOutput::Assign`] and [`MemberOutput::Lost`] there
/// is one at a time, until [`MemberEvent::Acknowledged`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "most outputs are heartbeats; on wasm32 it is small")]
pub enum MemberOutput {
    /// To the coordinator.
    Send(HeartbeatRequest),
    /// The application has to finish with these, and may still commit them.
    Revoke(Partitions),
    /// The application has these too from now on; there may be none.
    Assign(Partitions),
    /// These have gone, and may have another owner: the application must not commit them.
    Lost(Partitions),
    /// The coordinator could not do its work; the member keeps what it has, and asks again.
    Failed(Error),
    /// The member is out, and stays out.
    Fatal(Error),
}

/// Where a member stands, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is in no group.
    Unsubscribed,
    /// It has asked to be let in.
    Joining,
    /// The application is on its way to a new assignment.
    Reconciling,
    /// It has to tell the coordinator that it is there.
    Acknowledging,
    /// All is done.
    Stable,
    /// It was thrown out, and joins anew once the application knows.
    Fenced,
    /// The application is giving up everything.
    PrepareLeaving,
    /// It has said that it leaves.
    Leaving,
    /// It was thrown out for good.
    Fatal,
    /// It left because the application did not poll; the next poll joins anew.
    Stale,
    /// It left because the page was about to be frozen.
    Suspended,
}

/// One member of a group, on the side of its application.
pub struct Member {
    pub(super) options: MemberOptions,
    pub(super) random: Random,
    pub(super) id: String,
    pub(super) epoch: i32,
    pub(super) state: Membership,
    /// What the application has, including what it is about to give up.
    pub(super) owned: Partitions,
    /// What it shall have, while that is not done.
    pub(super) target: Option<Partitions>,
    /// The last target: an answer that repeats it is no news.
    pub(super) known: Option<Partitions>,
    /// True once the application was told what the target adds.
    pub(super) told: bool,
    /// What the application was asked to do and has not done.
    pub(super) step: Option<MemberOutput>,
    pub(super) correlation: i32,
    /// The last heartbeat of which the answer counted; those of before count no more.
    pub(super) heard: i32,
    /// Until when the answer to the last heartbeat is waited for.
    pub(super) in_flight: Option<Instant>,
    pub(super) heartbeat_at: Instant,
    /// When it last said anything.
    pub(super) said_at: Instant,
    pub(super) interval_ms: i32,
    pub(super) retries: u32,
    /// True where this member may be in the group although no answer said so.
    pub(super) doubted: bool,
    /// Since when it has been trying to get in.
    pub(super) wanted_at: Instant,
    pub(super) polled_at: Instant,
    /// Which fields the next heartbeat carries.
    pub(super) due: Due,
    pub(super) outputs: VecDeque<MemberOutput>,
}

/// What the coordinator does not know yet.
#[derive(Clone, Copy, Default)]
pub struct Due {
    /// Nothing may be known: an answer was lost.
    pub all: bool,
    pub topics: bool,
    pub owned: bool,
    pub client: bool,
}

impl Member {
    /// A member that has not joined. The ids that it makes follow from `seed`: each time it joins it is a new one, since
    /// the coordinator fences an id that begins again.
    pub fn new(options: MemberOptions, seed: u64) -> Self {
        Self {
            options,
            random: Random::new(seed),
            id: String::new(),
            epoch: JOIN_EPOCH,
            state: Membership::Unsubscribed,
            owned: Partitions::new(),
            target: None,
            known: None,
            told: false,
            step: None,
            correlation: 0,
            heard: 0,
            in_flight: None,
            heartbeat_at: 0,
            said_at: 0,
            interval_ms: 0,
            retries: 0,
            doubted: false,
            wanted_at: 0,
            polled_at: 0,
            due: Due::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Its member id; empty before it joined.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its member epoch: what it commits under.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// What it has, including what it is about to give up.
    pub fn assignment(&self) -> &Partitions {
        &self.owned
    }

    /// Where it stands.
    pub fn state(&self) -> Membership {
        self.state
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<MemberOutput> {
        self.outputs.pop_front()
    }

    /// Takes an event. Drain [`Member::poll`] after each.
    pub fn handle(&mut self, now: Now, event: MemberEvent) {
        match event {
            MemberEvent::Join if !self.is_member() => self.rejoin(now),
            MemberEvent::Join => {}
            MemberEvent::Subscribe(topics) => {
                self.options.topics = topics;
                self.due.topics = true;
                self.hurry(now);
            }
            MemberEvent::Answer(correlation, answer) => self.answered(now, correlation, answer),
            MemberEvent::CoordinatorChanged => self.unanswered(now, 0),
            MemberEvent::News => self.hurry(now),
            MemberEvent::Acknowledged => self.acknowledged(now),
            MemberEvent::Polled => {
                self.polled_at = now.instant;
                if self.state == Membership::Stale {
                    self.rejoin(now);
                }
            }
            MemberEvent::Tick => self.tick(now),
            MemberEvent::Visible(visible) if visible == self.options.client.visible => {}
            MemberEvent::Visible(visible) => {
                self.options.client.visible = visible;
                self.due.client = true;
                self.heartbeat_at = self.heartbeat_at.min(now.instant + self.interval());
                if self.options.client.prefer_visible {
                    self.hurry(now);
                }
            }
            MemberEvent::Unlocked => self.options.client.unlocked = true,
            MemberEvent::Suspend if self.is_member() => {
                self.say_goodbye(now);
                self.lose(now, Membership::Suspended);
            }
            MemberEvent::Suspend if self.state == Membership::Fenced => self.state = Membership::Suspended,
            MemberEvent::Suspend => {}
            MemberEvent::Resume if self.state == Membership::Suspended => self.rejoin(now),
            MemberEvent::Resume => {}
            MemberEvent::Leave if self.is_member() => {
                self.state = Membership::PrepareLeaving;
                self.proceed(now);
            }
            MemberEvent::Leave if self.state == Membership::Leaving => {}
            MemberEvent::Leave => self.state = Membership::Unsubscribed,
        }
    }

    /// When [`MemberEvent::Tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        let heartbeat = self.is_member().then_some(self.heartbeat_at);
        let next = self.in_flight.or(heartbeat);
        self.poll_by().into_iter().chain(next).min()
    }

    /// How often it heartbeats where no pulses come.
    pub fn interval(&self) -> u64 {
        u64::from(self.interval_ms.max(0).unsigned_abs())
    }

    /// How long it may be silent.
    pub(super) fn session(&self) -> u64 {
        u64::try_from(self.options.session_timeout_ms).unwrap_or(Self::SESSION_MS)
    }

    fn tick(&mut self, now: Now) {
        if self.poll_by().is_some_and(|by| by <= now.instant) {
            self.say_goodbye(now);
            return self.lose(now, Membership::Stale);
        }
        if self.in_flight.is_some_and(|until| until <= now.instant) {
            self.retries += 1;
            self.unanswered(now, self.backoff());
        }
        if self.is_member() && self.in_flight.is_none() && self.heartbeat_at <= now.instant {
            self.heartbeat(now);
        }
    }

    /// When the application must have polled.
    fn poll_by(&self) -> Option<Instant> {
        let limit = u64::try_from(self.options.max_poll_interval_ms).ok()?;
        let polls = self.is_member() && self.state != Membership::PrepareLeaving;
        polls.then_some(self.polled_at + limit)
    }

    /// True while it heartbeats, and answers a ping.
    pub fn is_member(&self) -> bool {
        use Membership::{Acknowledging, Joining, PrepareLeaving, Reconciling, Stable};
        matches!(self.state, Joining | Reconciling | Acknowledging | Stable | PrepareLeaving)
    }

    /// The next heartbeat is due at once, unless one is on its way.
    pub(super) fn hurry(&mut self, now: Now) {
        self.heartbeat_at = now.instant;
        if self.is_member() && self.in_flight.is_none() {
            self.heartbeat(now);
        }
    }

    /// Joins as another member, once the application knows that it lost what it had.
    fn rejoin(&mut self, now: Now) {
        self.state = Membership::Fenced;
        self.wanted_at = now.instant;
        self.polled_at = now.instant;
        self.proceed(now);
    }

    pub(super) fn join(&mut self, now: Now) {
        self.id = [self.options.client.id.as_str(), "-", &uuid(&mut self.random)].concat();
        self.state = Membership::Joining;
        self.heard = self.correlation;
        self.doubted = false;
        self.due.all = true;
        self.heartbeat(now);
    }

    pub(super) fn heartbeat(&mut self, now: Now) {
        let due = core::mem::take(&mut self.due);
        let mut all = due.all || self.epoch == JOIN_EPOCH;
        if all || due.owned {
            all |= self.waive();
        }
        let options = &self.options;
        let ms = |ms: i32| if all { ms } else { -1 };
        let request = HeartbeatRequest {
            rebalance_timeout_ms: ms(options.rebalance_timeout_ms),
            session_timeout_ms: ms(options.session_timeout_ms),
            topics: (all || due.topics).then(|| options.topics.clone()),
            assignors: all.then(|| options.assignors.clone()),
            owned: (all || due.owned).then(|| self.owned.clone()),
            client: (all || due.client).then(|| options.client.clone()),
            ..self.request(self.epoch)
        };
        self.send(now, request);
    }

    /// Tells the coordinator that the member leaves; once, and whatever comes of it.
    pub(super) fn say_goodbye(&mut self, now: Now) {
        let epoch = if self.options.instance.is_some() { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH };
        let request = self.request(epoch);
        self.send(now, request);
    }

    fn request(&self, epoch: i32) -> HeartbeatRequest {
        HeartbeatRequest {
            group: self.options.group.clone(),
            member: self.id.clone(),
            epoch,
            instance: self.options.instance.clone(),
            rebalance_timeout_ms: -1,
            session_timeout_ms: -1,
            ..HeartbeatRequest::default()
        }
    }

    fn send(&mut self, now: Now, request: HeartbeatRequest) {
        self.correlation += 1;
        self.said_at = now.instant;
        self.in_flight = Some(now.instant + Self::ANSWER_MS);
        self.outputs
            .push_back(MemberOutput::Send(HeartbeatRequest { correlation: self.correlation, ..request }));
    }
}
