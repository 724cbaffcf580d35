use std::rc::Rc;

use super::super::want::Want;
use super::super::{AnyOp, AnyReply, LockId, Node, Output, Pending};
use super::liveness::Earlier;
use super::message::{GroupMessage, Signal, Term};
use super::office::{Office, Waiting};
use super::{Step, due};
use crate::base::{Code, Error, Instant, Map, TopicId};
use crate::client::backoff::Backoff;
use crate::group::{
    ClaimGroup, CommitForAnother, CommitOffsets, Coordinator, GroupConfig, HeartbeatRequest, Metadata,
    Outcome, Partitions, Timer, WriteGroup,
};
use crate::log::TopicRow;

/// How long a silent member may take to answer a ping.
const PING_MS: i32 = 5_000;
/// A hidden coordinator looks so often for a node that the user sees.
const HAND_OVER_MS: u64 = 30_000;

impl Office {
    pub(super) fn deadline(&self, visible: bool) -> Option<Instant> {
        let judges = !self.makes_sure() && self.writing_since.is_none();
        let machine = self.machine.as_ref().filter(|_| judges).and_then(Coordinator::deadline);
        let hand_over = self.hand_over_at.filter(|_| !visible && !self.busy());
        let pulse = self.pulse_at.filter(|_| !self.busy());
        machine.min_some(hand_over).min_some(pulse).min_some(self.retry_at)
    }
}

impl Node {
    /// The group's lock is held, or there are no locks: its row tells under which epoch it may be written.
    pub(super) fn claim(&mut self, name: &str) {
        let (node, now) = (self.groups.node, self.now.instant);
        let Some(group) = self.groups.groups.get_mut(name).filter(|group| group.office.is_none()) else {
            return;
        };
        let mates = if self.groups.locks { core::mem::take(&mut group.mates) } else { Vec::new() };
        group.office = Some(Office::new(name, node, now));
        self.store_claim(name);
        // The last coordinator may have died, and its members with it: that is known as soon as the row is.
        mates.into_iter().for_each(|member| self.watch(name, member));
    }

    fn store_claim(&mut self, name: &str) {
        let above = self.groups.epochs.get(name).copied().unwrap_or(0);
        let claim = ClaimGroup { group: name.to_string(), node: self.groups.node, above };
        self.store(claim.into(), Pending::Group(Step::Claim(name.to_string())));
    }

    pub(super) fn claimed(&mut self, name: &str, result: Result<AnyReply, Error>) {
        let (now, seed, hidden) = (self.now, self.random.next_u64(), !self.groups.visible);
        let pulse_at = Some(now.instant + self.pulse_ms(name));
        let after = Backoff::STORAGE.delay(1, &mut self.random);
        let Some(group) = self.groups.groups.get_mut(name) else { return };
        let Some(office) = group.office.as_mut().filter(|office| office.machine.is_none()) else { return };
        let Ok(AnyReply::ClaimGroup(row)) = result else {
            office.retry_at = Some(now.instant + after);
            return;
        };
        office.term.epoch = row.coordinator_epoch;
        office.hand_over_at = hidden.then_some(now.instant + HAND_OVER_MS);
        let config = GroupConfig { ping_timeout_ms: PING_MS, ..GroupConfig::default() };
        office.machine = Some(Coordinator::load(now, name.to_string(), Rc::new(row.state), config, seed));
        office.pulse_at = pulse_at;
        let (term, gone) = (office.term.clone(), core::mem::take(&mut office.gone));
        // Another one may have claimed the group since.
        if !self.heard(&term) {
            return self.deposed(name);
        }
        let mates = self.mates(name);
        self.say(GroupMessage::Coordinator(term, mates));
        self.look_up_topics(name);
        for member in gone {
            self.end_member(name, &member);
        }
        if let Some(office) = self.office(name) {
            // Whoever hears of a new coordinator tells it everything.
            office.asked = true;
        }
        self.attend_soon(name);
        self.exit_group(name);
    }

    /// Somebody asks for the coordinator.
    pub(super) fn name_coordinator(&mut self, name: &str) {
        let now = self.now.instant;
        let group = self.groups.groups.get(name);
        let office = group.and_then(|group| group.office.as_ref());
        // Whom the storage keeps waiting stays silent: one that it serves shall take over, if there is such a one.
        let office = office.filter(|office| office.machine.is_some() && !office.hangs(now));
        if let Some(term) = office.map(|office| office.term.clone()) {
            let mates = self.mates(name);
            self.say_to(false, GroupMessage::Coordinator(term, mates));
        }
    }

    pub(super) fn office(&mut self, name: &str) -> Option<&mut Office> {
        self.groups.groups.get_mut(name)?.office.as_mut()
    }

    /// A heartbeat for the coordinator of this term, if this node is it.
    pub(super) fn receive(&mut self, term: &Term, request: HeartbeatRequest, local: bool) {
        let at = self.now.instant;
        let Some(office) = self.office(&term.group).filter(|office| office.term == *term) else { return };
        office.waiting.push_back(Waiting { request, local, at });
        self.attend_soon(&term.group);
    }

    /// Members have answered a ping.
    pub(super) fn ponged(&mut self, term: &Term, members: &[String]) {
        let now = self.now;
        let Some(office) = self.office(&term.group).filter(|office| office.term == *term) else { return };
        if let Some(machine) = &mut office.machine {
            members.iter().for_each(|member| machine.alive(now, member));
        }
    }

    /// Does what can be done: hears members, fences those who are late, stores, answers.
    pub(super) fn attend(&mut self, name: &str) {
        let now = self.now;
        let Some(office) = self.office(name) else { return };
        if due(office.retry_at, now) {
            office.retry_at = None;
            if office.machine.is_none() {
                return self.store_claim(name);
            }
        }
        self.send_answers(name);
        self.hear_members(name);
        self.judge(name);
        self.watch_members(name);
        self.write(name);
        self.send_answers(name);
        self.pulse(name);
        self.hand_over(name);
    }

    /// Hears the members in turn, as far as what they speak of is known.
    fn hear_members(&mut self, name: &str) {
        let (now, names) = (self.now, self.custom_assignors(name));
        let stale = self.office(name).map(|office| office.stale_topics(now.instant)).unwrap_or_default();
        for topic in stale {
            self.topic_doubted(&topic);
            self.doubt_topic(&topic);
        }
        loop {
            let Some(office) = self.office(name) else { return };
            office.assigning.names.clone_from(&names);
            if office.machine.is_none() || office.assigning.waits() {
                return;
            }
            let Some(waiting) = office.waiting.pop_front() else { return };
            if office.owes_answer(&waiting.request) {
                office.hold(waiting);
                continue;
            }
            office.forget_held(&waiting.request.member);
            let Some(machine) = office.machine.as_mut() else { return };
            let unknown = office.topics.unknown(waiting.request.topics.as_deref().unwrap_or_default());
            if !office.topics.complete() {
                office.waiting.push_front(waiting);
                unknown.into_iter().for_each(|topic| self.look_up_topic(name, &topic));
                return;
            }
            match machine.heartbeat(now, &waiting.request, &office.topics, &office.assigning) {
                Ok(Outcome::Assign(spec)) => {
                    office.waiting.push_front(waiting);
                    if office.assigning.ask(&spec) {
                        self.outputs.push_back(Output::Assign(spec));
                    }
                    return;
                }
                // Another heartbeat of the member has overtaken it.
                Ok(Outcome::Late) => {}
                Ok(Outcome::Answer { response, records }) => {
                    office.assigning.clear();
                    office.changed(!records.is_empty());
                    office.answer(&waiting, Ok(response));
                }
                Err(error) => {
                    office.assigning.clear();
                    office.answer(&waiting, Err(error));
                }
            }
        }
    }

    /// The application's assignor has answered.
    pub(in crate::node) fn assigned(
        &mut self,
        name: &str,
        group_epoch: i32,
        result: Result<Map<String, Partitions>, Error>,
    ) {
        if let Some(office) = self.office(name) {
            office.assigning.answered(group_epoch, result);
            self.attend(name);
        }
    }

    /// Asks who is silent, and fences who does not answer.
    fn judge(&mut self, name: &str) {
        let (now, doubts) = (self.now, self.groups.doubts_stalls);
        let Some(office) = self.office(name).filter(|office| office.writing_since.is_none()) else { return };
        if doubts && office.is_unsure(now) {
            return;
        }
        let Some(machine) = &mut office.machine else { return };
        let mut silent = Vec::new();
        for fired in machine.tick(now, &office.topics) {
            office.version += u64::from(!fired.records.is_empty());
            if fired.timer == Timer::Ping {
                silent.push(fired.member);
            }
        }
        self.signal(name, Signal::Ping, silent);
    }

    /// Says something to members of the group, wherever they are.
    pub(super) fn signal(&mut self, name: &str, signal: Signal, members: Vec<String>) {
        let Some(term) = self.office(name).map(|office| office.term.clone()) else { return };
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| self.groups.hosts(name, member).is_some());
        for (members, local) in [(here, true), (elsewhere, false)] {
            if !members.is_empty() {
                self.say_to(local, GroupMessage::Signal(signal, term.clone(), members));
            }
        }
    }

    /// Stores what changed, one write at a time.
    fn write(&mut self, name: &str) {
        let now = self.now.instant;
        let Some(office) = self.office(name) else { return };
        let asked = core::mem::take(&mut office.asked);
        let Some(machine) = &office.machine else { return };
        if office.writing_since.is_some() || office.retry_at.is_some() || office.stored == office.version {
            return;
        }
        office.writing_since = Some(now);
        if asked {
            office.told = office.version;
        }
        let (epoch, version) = (office.term.epoch, office.version);
        let write = WriteGroup {
            group: name.to_string(),
            node: office.term.node,
            coordinator_epoch: epoch,
            state: Rc::clone(machine.state()),
        };
        self.store(write.into(), Pending::Group(Step::Write(name.to_string(), epoch, version)));
    }

    pub(super) fn written(&mut self, name: &str, epoch: i32, version: u64, result: Result<AnyReply, Error>) {
        let now = self.now;
        let Some(office) = self.office(name).filter(|office| office.term.epoch == epoch) else { return };
        office.writing_since = None;
        match result {
            Ok(_) => (office.stored, office.attempts) = (version, 0),
            Err(error) if error.code() == Code::NotCoordinator => return self.deposed(name),
            // It is written again as a whole, whether it was written or not.
            Err(_) => {
                office.attempts += 1;
                let attempts = office.attempts;
                let at = now.instant + Backoff::STORAGE.delay(attempts, &mut self.random);
                if let Some(office) = self.office(name) {
                    office.retry_at = Some(at);
                }
            }
        }
        self.attend(name);
        self.tell_news(name);
        self.exit_group(name);
    }

    fn send_answers(&mut self, name: &str) {
        let now = self.now;
        while let Some(office) = self.office(name)
            && let Some((version, ..)) = office.answers.front()
            && *version <= office.stored
            && let Some((_, local, answer)) = office.answers.pop_front()
        {
            if let (GroupMessage::Answer(_, member, ..), Some(machine)) = (&answer, &mut office.machine) {
                machine.told(now, member);
            }
            self.say_to(local, answer);
        }
        if let Some(office) = self.office(name) {
            office.release_held();
        }
    }

    /// Members whose next heartbeat has news for them need not wait for its time.
    fn tell_news(&mut self, name: &str) {
        let Some(office) = self.office(name) else { return };
        if office.told == office.stored || office.stored < office.version {
            return;
        }
        office.told = office.stored;
        let members = office.news();
        self.signal(name, Signal::News, members);
    }

    /// A coordinator that the user does not see may be slow: one that the user sees is asked to take over.
    fn hand_over(&mut self, name: &str) {
        let (now, node, visible) = (self.now, self.groups.node, self.groups.visible);
        let Some(office) = self.office(name) else { return };
        if visible || office.busy() || !due(office.hand_over_at, now) {
            return;
        }
        office.hand_over_at = Some(now.instant + HAND_OVER_MS);
        let term = office.term.clone();
        let Some(state) = office.machine.as_ref().map(|machine| Rc::clone(machine.state())) else { return };
        let mut clients = state.members.values().map(|member| &member.metadata.client);
        if let Some(seen) = clients.find(|client| client.visible && client.node != node) {
            self.say_to(false, GroupMessage::HandOver(term, seen.node));
        }
    }

    /// The page may be gone before its commits are stored: others are asked to store them.
    pub(in crate::node) fn entrust_commits(&mut self) {
        let commit = |op: &AnyOp| match op {
            AnyOp::CommitOffsets(commit) if commit.member.is_some() => Some(commit.clone()),
            _ => None,
        };
        let commits: Vec<CommitOffsets> = self.pending.values().filter_map(|(_, op)| commit(op)).collect();
        for commit in commits {
            self.say_to(false, GroupMessage::Commit(self.groups.node, commit));
        }
    }

    /// A node that may be gone asks to have a commit stored. The coordinator does; where it is that very node, all do.
    pub(super) fn commit_for(&mut self, node: u64, commit: CommitOffsets) {
        let coordinator = self.groups.coordinator(&commit.group);
        if coordinator == Some(self.groups.node) || coordinator == Some(node) {
            self.store(CommitForAnother(commit).into(), Pending::Group(Step::Commit));
        }
    }

    /// The page was hidden or shown.
    pub(super) fn office_hidden(&mut self, hidden: bool) {
        let at = self.now.instant + HAND_OVER_MS;
        for group in self.groups.groups.values_mut() {
            if let Some(office) = &mut group.office {
                office.hand_over_at = hidden.then_some(at);
            }
        }
    }

    fn custom_assignors(&self, name: &str) -> Vec<String> {
        let seats = self.groups.seats.values().filter(|seat| seat.group == name);
        seats.flat_map(|seat| seat.custom.iter().cloned()).collect()
    }

    /// Another node has claimed the group: whatever was decided here since is void.
    pub(super) fn deposed(&mut self, name: &str) {
        let node = self.groups.node;
        let Some(group) = self.groups.groups.get_mut(name) else { return };
        let (office, lock) = (group.office.take(), group.lock.take());
        group.term.take_if(|term| term.node == node);
        self.close_office(office);
        self.release(lock);
        self.queue_for_office(name);
        self.coordinator_changed(name);
        self.exit_group(name);
    }

    /// The lock was stolen from this node, or is refused to it.
    pub(super) fn unseat_coordinator(&mut self, name: &str, lock: LockId) {
        let Some(group) = self.groups.groups.get_mut(name).filter(|group| group.lock == Some(lock)) else {
            return;
        };
        group.lock = None;
        if group.office.is_some() {
            return self.deposed(name);
        }
        self.without_locks();
        self.coordinator_changed(name);
    }

    /// Looks up every topic that members subscribe to.
    fn look_up_topics(&mut self, name: &str) {
        let Some(office) = self.office(name) else { return };
        let Some(state) = office.machine.as_ref().map(|machine| Rc::clone(machine.state())) else { return };
        let topics = state.members.values().flat_map(|member| &member.metadata.topics);
        let unknown = office.topics.unknown(&topics.cloned().collect::<Vec<_>>());
        unknown.into_iter().for_each(|topic| self.look_up_topic(name, &topic));
    }

    fn look_up_topic(&mut self, name: &str, topic: &str) {
        self.want(topic, Want::Group(name.to_string()));
    }

    /// What became of a topic that the group's coordinator looked up.
    pub(in crate::node) fn topic_found(&mut self, name: &str, topic: &str, row: Option<&TopicRow>) {
        self.topic_known(name, topic, row.map(|row| (row.id, row.partitions)));
    }

    fn topic_known(&mut self, name: &str, topic: &str, found: Option<(TopicId, i32)>) {
        let Some(office) = self.office(name) else { return };
        let changed = office.topics.learn(topic, found);
        if let Some(machine) = office.machine.as_mut().filter(|_| changed) {
            machine.metadata_changed(topic);
        }
        self.attend(name);
        if changed {
            let members = self.office(name).map(|office| office.any_member()).unwrap_or_default();
            self.signal(name, Signal::News, members);
        }
    }

    /// The log may be another one: every coordinator sees whether it is one still, and which topics there are.
    pub(in crate::node) fn doubt_groups(&mut self) {
        for name in self.groups.names() {
            let Some(office) = self.office(&name) else { continue };
            office.changed(office.machine.is_some());
            for topic in office.topics.names() {
                self.doubt_topic(&topic);
            }
            self.attend(&name);
        }
    }

    /// A topic cannot be looked up: it is not there, or storage fails.
    pub(in crate::node) fn topic_refused(&mut self, name: &str, topic: &str, error: &Error) {
        if error.retriable() {
            let known = self.office(name).and_then(|office| office.topics.topic(topic));
            return self.topic_known(name, topic, known);
        }
        self.topic_found(name, topic, None);
    }

    /// A topic is not what it was: the coordinators of this node look at it again.
    pub(in crate::node) fn doubt_topic(&mut self, topic: &str) {
        for name in self.groups.names() {
            if self.office(&name).is_some_and(|office| office.topics.doubt(topic)) {
                self.look_up_topic(&name, topic);
            }
        }
    }
}
