use std::collections::VecDeque;

use super::super::LockId;
use super::liveness::Earlier;
use super::message::{GroupMessage, Term};
use crate::base::{Error, Instant, Map, Now, TopicId};
use crate::group::{
    Assigned, Assignors, Coordinator, GroupMember, GroupState, HeartbeatRequest, HeartbeatResponse,
    MemberState, Metadata, Partitions, STATIC_LEAVE_EPOCH, Spec,
};

/// The coordinator of one group in this node. Changes are decided in memory and stored one write at a time; what
/// depends on one leaves after it.
pub(super) struct Office {
    /// Under which claim; the epoch is 0 while it is being claimed.
    pub(super) term: Term,
    /// `None` while it is being claimed.
    pub(super) machine: Option<Coordinator>,
    /// The topics that members subscribe to.
    pub(super) topics: Topics,
    /// Heartbeats that came while something was looked up.
    pub(super) waiting: VecDeque<Waiting>,
    /// Of each member that is owed an answer, the newest heartbeat since.
    held: Vec<Waiting>,
    /// Counts the changes of the state.
    pub(super) version: u64,
    /// The change that was stored last.
    pub(super) stored: u64,
    /// Since when a write is under way.
    pub(super) writing_since: Option<Instant>,
    /// When what failed is tried again.
    pub(super) retry_at: Option<Instant>,
    pub(super) attempts: u32,
    /// Answers, and the change that must be stored before each.
    pub(super) answers: VecDeque<(u64, bool, GroupMessage)>,
    /// The locks that tell of a member's end.
    pub(super) watches: Map<String, LockId>,
    /// Whose end was known before the group was.
    pub(super) gone: Vec<String>,
    pub(super) assigning: Assigning,
    /// When a hidden coordinator looks for one that is visible.
    pub(super) hand_over_at: Option<Instant>,
    /// When to tell the members that there is a coordinator.
    pub(super) pulse_at: Option<Instant>,
    /// The change that has to be stored before anybody is fenced.
    sure_at: Option<u64>,
    /// The change that members were told of last.
    pub(super) told: u64,
    /// All members are asked already, and will hear what is written now.
    pub(super) asked: bool,
    /// When the topics are looked up although nobody said that they changed: what was said may be lost.
    refresh_at: Instant,
}

/// A heartbeat that was not handled yet.
pub(super) struct Waiting {
    pub(super) request: HeartbeatRequest,
    /// True where this node hosts the member.
    pub(super) local: bool,
    /// When it came.
    pub(super) at: Instant,
}

impl Office {
    const REFRESH_MS: u64 = 60_000;
    const HANGS_MS: u64 = 2_000;

    pub(super) fn new(group: &str, node: u64, now: Instant) -> Self {
        Self {
            term: Term { group: group.to_string(), epoch: 0, node },
            machine: None,
            topics: Topics::default(),
            waiting: VecDeque::new(),
            held: Vec::new(),
            version: 0,
            stored: 0,
            writing_since: None,
            retry_at: None,
            attempts: 0,
            answers: VecDeque::new(),
            watches: Map::new(),
            gone: Vec::new(),
            assigning: Assigning::default(),
            hand_over_at: None,
            pulse_at: None,
            sure_at: None,
            told: 0,
            asked: false,
            refresh_at: now + Self::REFRESH_MS,
        }
    }

    /// True while something is not stored or not answered.
    pub(super) fn busy(&self) -> bool {
        self.machine.is_some() && (self.stored < self.version || !self.waiting.is_empty())
    }

    /// True where the storage keeps this node waiting.
    pub(super) fn hangs(&self, now: Instant) -> bool {
        let heard = self.waiting.front().filter(|_| !self.assigning.waits()).map(|waiting| waiting.at);
        self.writing_since.min_some(heard).is_some_and(|since| since + Self::HANGS_MS <= now)
    }

    pub(super) fn changed(&mut self, changed: bool) {
        self.version += u64::from(changed);
    }

    /// True where somebody would be fenced and this node may have been stopped for a while: what the members have said
    /// then waits in its queue, and another may coordinate the group. It writes the row once more, and judges when that
    /// is stored; by then it has heard them.
    pub(super) fn is_unsure(&mut self, now: Now) -> bool {
        if !self.machine.as_ref().is_some_and(|machine| machine.fences(now)) {
            self.sure_at = None;
        } else if self.sure_at.is_none() {
            self.changed(true);
            self.sure_at = Some(self.version);
        } else if !self.makes_sure() {
            self.sure_at = None;
            return false;
        }
        self.sure_at.is_some()
    }

    /// True until the row is written that tells whether this node may judge.
    pub(super) fn makes_sure(&self) -> bool {
        self.sure_at.is_some_and(|version| self.stored < version)
    }

    /// The topics to look up again, where that is due.
    pub(super) fn stale_topics(&mut self, now: Instant) -> Vec<String> {
        if self.refresh_at > now {
            return Vec::new();
        }
        self.refresh_at = now + Self::REFRESH_MS;
        self.topics.names()
    }

    /// Answers a heartbeat once everything that was decided so far is stored.
    pub(super) fn answer(&mut self, waiting: &Waiting, result: Result<HeartbeatResponse, Error>) {
        let member = waiting.request.member.clone();
        let answer = GroupMessage::Answer(self.term.clone(), member, waiting.request.correlation, result);
        self.answers.push_back((self.version, waiting.local, answer));
    }

    /// True where an answer to an earlier heartbeat of this member waits for the storage. One that asks again meanwhile,
    /// since it has heard nothing, would be taken a step further each time, and in the end be fenced for an epoch that
    /// it was never told. Only the last of what it asks is heard, after that answer. A goodbye is never put off.
    pub(super) fn owes_answer(&self, request: &HeartbeatRequest) -> bool {
        let to_member = |answer: &GroupMessage| matches!(answer, GroupMessage::Answer(_, member, ..) if *member == request.member);
        request.epoch >= 0 && self.answers.iter().any(|(_, _, answer)| to_member(answer))
    }

    /// Keeps a heartbeat until the answer has left that the member is owed. It waits for no other answer than to this, and
    /// in a page that nobody sees it asks again only a minute later.
    pub(super) fn hold(&mut self, waiting: Waiting) {
        self.forget_held(&waiting.request.member);
        self.held.push(waiting);
    }

    /// The member is gone, or has said something newer.
    pub(super) fn forget_held(&mut self, member: &str) {
        self.held.retain(|held| held.request.member != member);
    }

    /// Those may be heard that are owed nothing any more.
    pub(super) fn release_held(&mut self) {
        for held in core::mem::take(&mut self.held) {
            if self.owes_answer(&held.request) {
                self.held.push(held);
            } else {
                self.waiting.push_back(held);
            }
        }
    }

    /// Whose next heartbeat would change something: one member where a target is due, then those who are on the way.
    pub(super) fn news(&self) -> Vec<String> {
        let Some(state) = self.machine.as_ref().map(Coordinator::state) else { return Vec::new() };
        if state.epoch > state.target_epoch {
            return self.any_member();
        }
        let may_step = |(_, member): &(&String, &GroupMember)| present(member) && may_step(state, member);
        state.members.iter().filter(may_step).map(|(id, _)| id.clone()).collect()
    }

    /// All members but static ones that are away.
    pub(super) fn present_members(&self) -> Vec<String> {
        let Some(state) = self.machine.as_ref().map(Coordinator::state) else { return Vec::new() };
        state.members.iter().filter(|(_, member)| present(member)).map(|(id, _)| id.clone()).collect()
    }

    /// One member, that the user sees if there is such a one.
    pub(super) fn any_member(&self) -> Vec<String> {
        let Some(state) = self.machine.as_ref().map(Coordinator::state) else { return Vec::new() };
        let present = state.members.iter().filter(|(_, member)| present(member));
        let chosen = present.max_by_key(|(_, member)| member.metadata.client.visible);
        chosen.map(|(id, _)| id.clone()).into_iter().collect()
    }
}

/// False while a static member is away.
pub(super) fn present(member: &GroupMember) -> bool {
    member.current.epoch != STATIC_LEAVE_EPOCH
}

/// True if the member holds a lock as long as it lives.
pub(super) fn locked(member: &GroupMember) -> bool {
    present(member) && !member.metadata.client.unlocked
}

/// True if the member's next heartbeat takes it further. One that has to give up partitions says so by itself.
fn may_step(state: &GroupState, member: &GroupMember) -> bool {
    let current = &member.current;
    match current.state {
        MemberState::Stable => current.epoch != state.target_epoch,
        MemberState::UnrevokedPartitions | MemberState::Unknown => false,
        MemberState::UnreleasedPartitions => {
            let target = member.target.clone().unwrap_or_default();
            current.epoch != state.target_epoch
                || target.minus(&current.assigned).iter().any(|tp| !state.owned(tp))
        }
    }
}

/// An assignor of the application, which answers later.
#[derive(Default)]
pub(super) struct Assigning {
    /// Those that this node has.
    pub(super) names: Vec<String>,
    /// What is being assigned, or was.
    spec: Option<Spec>,
    result: Option<Result<Map<String, Partitions>, Error>>,
}

impl Assigning {
    /// This is to be assigned; false where that is under way.
    pub(super) fn ask(&mut self, spec: &Spec) -> bool {
        let asked = self.spec.as_ref() == Some(spec);
        if !asked {
            (self.spec, self.result) = (Some(spec.clone()), None);
        }
        !asked
    }

    /// True while the answer is waited for.
    pub(super) fn waits(&self) -> bool {
        self.spec.is_some() && self.result.is_none()
    }

    /// What came of the assignment for this group epoch.
    pub(super) fn answered(&mut self, group_epoch: i32, result: Result<Map<String, Partitions>, Error>) {
        if self.spec.as_ref().is_some_and(|spec| spec.group_epoch == group_epoch) {
            self.result = Some(result);
        }
    }

    /// The answer was made use of, or is of no use any more.
    pub(super) fn clear(&mut self) {
        (self.spec, self.result) = (None, None);
    }
}

impl Assignors for Assigning {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    fn assign(&self, spec: &Spec) -> Assigned {
        match &self.result {
            Some(result) if self.spec.as_ref() == Some(spec) => Assigned::Done(result.clone()),
            _ => Assigned::Pending,
        }
    }
}

/// The topics, as the coordinator sees them.
#[derive(Default)]
pub(super) struct Topics {
    /// `None` for one that does not exist.
    known: Map<String, Option<(TopicId, i32)>>,
    asked: Vec<String>,
}

impl Topics {
    /// Those of `names` that nobody has looked up yet.
    pub(super) fn unknown(&mut self, names: &[String]) -> Vec<String> {
        let new = |name: &&String| !self.known.contains_key(*name) && !self.asked.contains(name);
        let unknown: Vec<String> = names.iter().filter(new).cloned().collect();
        self.asked.extend_from_slice(&unknown);
        unknown
    }

    /// Looks this one up again; true where it is of interest, and nobody does so already.
    pub(super) fn doubt(&mut self, name: &str) -> bool {
        let doubted = self.known.contains_key(name) && !self.asks(name);
        if doubted {
            self.asked.push(name.to_string());
        }
        doubted
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    pub(super) fn asks(&self, name: &str) -> bool {
        self.asked.iter().any(|asked| asked == name)
    }

    pub(super) fn complete(&self) -> bool {
        self.asked.is_empty()
    }

    /// What was looked up; true where that is news.
    pub(super) fn learn(&mut self, name: &str, topic: Option<(TopicId, i32)>) -> bool {
        self.asked.retain(|asked| asked != name);
        self.known.insert(name.to_string(), topic).is_some_and(|before| before != topic)
    }
}

impl Metadata for Topics {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        *self.known.get(name)?
    }
}
