use super::machine::{Due, Member, MemberOutput, Membership};
use crate::base::{Code, Error, Instant, Now};
use crate::group::{HeartbeatResponse, JOIN_EPOCH};

impl Member {
    /// How long an answer is waited for: a coordinator is a tab of the same browser.
    pub(super) const ANSWER_MS: u64 = 3_000;
    const BACKOFF_MS: u64 = 100;
    const BACKOFF_MAX_MS: u64 = 1_000;
    /// How long after its session timeout a member is thought to be fenced if it is silent.
    const FENCED_MS: u64 = 5_000;
    /// Kafka's session timeout, where the application named none.
    pub(super) const SESSION_MS: u64 = 45_000;

    pub(super) fn backoff(&self) -> u64 {
        (Self::BACKOFF_MS << self.retries.min(8)).min(Self::BACKOFF_MAX_MS)
    }

    /// The answer to heartbeat `correlation`. One that is not waited for any more tells how far the coordinator has taken
    /// this member: who did not hear that would be taken further by its next heartbeat, and in the end be fenced for an
    /// epoch that it was never told. What it assigns does not count: this member has said since that it has none of it.
    /// The next heartbeat asks for everything.
    pub(super) fn answered(&mut self, now: Now, correlation: i32, answer: Result<HeartbeatResponse, Error>) {
        if self.in_flight.is_none() || correlation != self.correlation {
            if let Ok(response) = answer
                && correlation > self.heard
                && self.is_member()
            {
                (self.heard, self.epoch) = (correlation, response.epoch);
            }
            return;
        }
        (self.in_flight, self.heard) = (None, correlation);
        match answer {
            _ if !self.is_member() => self.goodbye_said(now),
            Ok(response) => self.accepted(now, response),
            Err(error) => self.refused(now, error),
        }
    }

    /// Nobody knows what came of the last heartbeat: the next one says, and asks, everything.
    pub(super) fn unanswered(&mut self, now: Now, backoff: u64) {
        self.doubted |= self.in_flight.take().is_some();
        if !self.is_member() {
            return self.goodbye_said(now);
        }
        self.retry_at(now.instant + backoff);
        if backoff == 0 {
            self.hurry(now);
        }
    }

    fn retry_at(&mut self, at: Instant) {
        self.due.all = true;
        self.heartbeat_at = at;
    }

    fn goodbye_said(&mut self, now: Now) {
        match self.state {
            Membership::Leaving => self.state = Membership::Unsubscribed,
            _ => self.proceed(now),
        }
    }

    fn accepted(&mut self, now: Now, response: HeartbeatResponse) {
        self.retries = 0;
        self.epoch = response.epoch;
        self.interval_ms = match self.options.heartbeat_interval_ms {
            -1 => response.heartbeat_interval_ms,
            own => own,
        };
        self.heartbeat_at = now.instant + self.interval();
        if self.state == Membership::Acknowledging && !self.due.owned {
            self.state = Membership::Stable;
        }
        let news = response.assignment.filter(|target| self.known.as_ref() != Some(target));
        if let Some(target) = news
            && self.state != Membership::PrepareLeaving
        {
            self.state = Membership::Reconciling;
            self.known = Some(target.clone());
            self.target = Some(target);
            self.told = false;
        }
        self.proceed(now);
        let Due { owned, topics, client, .. } = self.due;
        if owned || topics || (client && self.options.client.prefer_visible) {
            self.hurry(now);
        }
    }

    /// Another holds this `group.instance.id`. It may be this very member, whose answer was lost; or its predecessor, whose
    /// tab is just going, or will be found dead when its session times out.
    fn unreleased(&mut self, now: Now, error: Error) {
        if self.doubted {
            self.say_goodbye(now);
            return self.lose(now, Membership::Fenced);
        }
        // The holder may have a longer one than this member; whoever gives up before it is over, and begins again as the
        // only node, gives the holder all of it once more.
        let session = self.session().max(Self::SESSION_MS);
        if now.instant > self.wanted_at + session + Self::FENCED_MS {
            return self.fail(now, error);
        }
        self.retry_at(now.instant + self.backoff());
        if self.retries == 1 {
            self.outputs.push_back(MemberOutput::Failed(error));
        }
    }

    fn fail(&mut self, now: Now, error: Error) {
        self.lose(now, Membership::Fatal);
        self.outputs.push_back(MemberOutput::Fatal(error));
    }

    fn refused(&mut self, now: Now, error: Error) {
        self.retries += 1;
        match error.code() {
            Code::FencedMemberEpoch => {
                // The coordinator keeps what this member had for it until it goes.
                self.say_goodbye(now);
                self.lose(now, Membership::Fenced);
            }
            // A browser may have wiped the group's row.
            Code::UnknownMemberId | Code::GroupIdNotFound => self.lose(now, Membership::Fenced),
            Code::UnreleasedInstanceId => self.unreleased(now, error),
            Code::UnknownServerError if self.epoch != JOIN_EPOCH => {
                self.retry_at(now.instant + self.interval());
                self.outputs.push_back(MemberOutput::Failed(error));
            }
            _ if error.retriable() => self.retry_at(now.instant + self.backoff()),
            _ => self.fail(now, error),
        }
    }
}
