use std::rc::Rc;

use super::super::{Node, Output, Pending};
use super::message::{GroupMessage, Signal, Term};
use super::{Group, Groups, Owner, Purpose, Step, coordinator_lock, due};
use crate::base::{Instant, Now};
use crate::group::{Pulsed, TryGroup};

/// A heartbeat that was not answered for so long is lost, or its coordinator is.
const ANSWER_MS: u64 = 3_000;
/// A coordinator of which nothing is heard is asked for so often.
const FIND_MS: u64 = 1_000;
/// A coordinator that was silent for so long, since it was asked something, may be deposed.
const SILENCE_MS: u64 = 10_000;
/// By a node that the user does not see only after so long: its own timers may be slow.
const HIDDEN_SILENCE_MS: u64 = 90_000;
/// Where there are no locks, and nobody was ever heard of, silence is short.
const UNHEARD_MS: u64 = 1_000;
/// Those who would depose a coordinator wait by chance so much longer, so that one of them is first.
const JITTER_MS: u64 = 2_000;
/// How often a coordinator says that it is there which hosts no member of its group.
const PULSE_MS: u64 = 5_000;
/// A node that wakes so much later than it asked for was stalled.
const STALL_MS: u64 = 5_000;
/// Browsers wake a hidden page once a minute: that alone is no stall.
const HIDDEN_STALL_MS: u64 = 65_000;

impl Group {
    pub(super) fn deadline(&self, groups: &Groups) -> Option<Instant> {
        let office = self.office.as_ref().and_then(|office| office.deadline(groups.visible));
        let asked_at = self.asked_at.filter(|_| !self.tries);
        let silence = self.depose_at.or_else(|| Some(asked_at? + self.silence_ms(groups)));
        let find = self.find_at.or_else(|| Some(self.asked_at? + ANSWER_MS));
        let contact = if self.office.is_some() { None } else { silence.min_some(find) };
        contact.min_some(office)
    }

    fn silence_ms(&self, groups: &Groups) -> u64 {
        match (groups.visible, groups.locks || self.term.is_some()) {
            (_, false) => UNHEARD_MS,
            (true, true) => SILENCE_MS,
            (false, true) => HIDDEN_SILENCE_MS,
        }
    }
}

/// The earlier of two moments, of which either may be missing.
pub(super) trait Earlier {
    fn min_some(self, other: Self) -> Self;
}

impl Earlier for Option<Instant> {
    fn min_some(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        }
    }
}

impl Node {
    /// Asks who coordinates the group; nothing is asked twice within a second.
    pub(super) fn find_coordinator(&mut self, name: &str) {
        let now = self.now;
        let Some(group) = self.groups.groups.get_mut(name).filter(|group| group.office.is_none()) else {
            return;
        };
        group.asked_at.get_or_insert(now.instant);
        if group.find_at.is_none_or(|at| at <= now.instant) {
            group.find_at = Some(now.instant + FIND_MS);
            self.say_to(false, GroupMessage::FindCoordinator(name.to_string()));
        }
    }

    /// A word of a coordinator; false where a later one is known.
    pub(super) fn heard(&mut self, term: &Term) -> bool {
        let Some(group) = self.groups.groups.get_mut(&term.group) else { return false };
        let epoch = self.groups.epochs.get_or_insert_with(term.group.clone(), || 0);
        *epoch = term.epoch.max(*epoch);
        let newer = match &group.term {
            Some(known) if known.epoch > term.epoch => return false,
            Some(known) => known != term,
            None => true,
        };
        // Two nodes have one epoch only where the storage was wiped in between. Who speaks now counts, but where this
        // node is one of them its next write tells.
        if newer
            && let Some(office) = &mut group.office
            && office.machine.is_some()
            && office.term.epoch == term.epoch
            && office.term != *term
        {
            office.changed(true);
            return false;
        }
        (group.asked_at, group.find_at, group.depose_at) = (None, None, None);
        if newer {
            group.term = Some(term.clone());
            let deposed = group
                .office
                .as_ref()
                .is_some_and(|office| office.machine.is_some() && office.term.epoch < term.epoch);
            if deposed {
                self.deposed(&term.group);
            }
            self.coordinator_changed(&term.group);
        }
        true
    }

    /// Sees to it that a group whose coordinator stays silent gets another one.
    pub(super) fn tick_contact(&mut self, name: &str) {
        let now = self.now;
        let Some(group) = self.groups.groups.get(name).filter(|group| group.office.is_none()) else { return };
        let late = group.asked_at.map(|at| at + ANSWER_MS);
        let silent = group.asked_at.map(|at| at + group.silence_ms(&self.groups));
        let find = due(group.find_at.or(late), now);
        let depose = due(group.depose_at, now);
        if depose {
            return self.depose(name);
        }
        if due(silent, now) && group.depose_at.is_none() && !group.tries {
            self.try_storage(name);
        }
        if find {
            self.find_coordinator(name);
        }
    }

    /// A coordinator that stays silent may wait for the storage. Where that keeps everybody waiting, none would do better.
    fn try_storage(&mut self, name: &str) {
        if let Some(group) = self.groups.groups.get_mut(name) {
            group.tries = true;
            let tries = TryGroup { group: name.to_string() };
            self.store(tries.into(), Pending::Group(Step::Try(name.to_string())));
        }
    }

    /// The storage has answered. If the coordinator has not, meanwhile, it is deposed.
    pub(super) fn tried(&mut self, name: &str, writable: bool) {
        let (now, wait) = (self.now.instant, self.random.below(JITTER_MS));
        let Some(group) = self.groups.groups.get(name) else { return };
        let silent = group.asked_at.is_some_and(|at| at + group.silence_ms(&self.groups) <= now);
        let Some(group) = self.groups.groups.get_mut(name) else { return };
        group.tries = false;
        if !writable {
            group.asked_at = group.asked_at.map(|_| now);
        } else if silent {
            group.depose_at = Some(now + wait);
        }
    }

    /// Takes the place of the coordinator, whoever holds its lock. What makes that safe is the claim that follows.
    pub(super) fn depose(&mut self, name: &str) {
        let Some(group) = self.groups.groups.get_mut(name) else { return };
        (group.asked_at, group.find_at, group.depose_at) = (None, None, None);
        let waits = group.lock.take();
        self.release(waits);
        if !self.groups.locks {
            return self.claim(name);
        }
        let lock = self.lock_id();
        self.groups.purposes.insert(lock, Purpose::Coordinator(name.to_string()));
        self.outputs.push_back(Output::Steal(lock, coordinator_lock(name)));
        if let Some(group) = self.groups.groups.get_mut(name) {
            group.lock = Some(lock);
        }
    }

    /// A coordinator that the user does not see asks a node that the user sees to take over.
    pub(super) fn take_over(&mut self, term: &Term, node: u64) {
        let known = self.groups.groups.get(&term.group).and_then(|group| group.term.as_ref());
        if node == self.groups.node && self.groups.visible && known == Some(term) {
            self.depose(&term.group);
        }
    }

    /// How often the coordinator says that it is there: as often as its own members would.
    pub(super) fn pulse_ms(&self, name: &str) -> u64 {
        let here = self.groups.seats.values().filter(|seat| seat.group == name);
        here.map(|seat| seat.machine.interval()).filter(|ms| *ms > 0).min().unwrap_or(PULSE_MS)
    }

    /// Tells all members that the coordinator is there, so that none has to ask: one message, which wakes everybody at
    /// once, in place of a question and an answer each. Those for whom there is news are told again.
    pub(super) fn pulse(&mut self, name: &str) {
        let (now, pulse_ms) = (self.now, self.pulse_ms(name));
        let Some(office) = self.groups.groups.get_mut(name).and_then(|group| group.office.as_mut()) else {
            return;
        };
        // One that cannot store what it decides had better be asked.
        if office.busy() || office.makes_sure() || !due(office.pulse_at, now) {
            return;
        }
        office.pulse_at = Some(now.instant + pulse_ms);
        let Some(state) = office.machine.as_ref().map(|machine| Rc::clone(machine.state())) else { return };
        let term = office.term.clone();
        let refreshes = office.machine.as_ref().is_some_and(|machine| machine.refreshes(now));
        let mut news = office.news();
        if news.is_empty() && refreshes {
            news = office.any_member();
        }
        let pulse = GroupMessage::Pulse(term, state.epoch, self.mates(name));
        // Without locks there may be another coordinator with members of its own, and neither has anything to write, by
        // which it would learn of the other.
        if !self.groups.locks || state.members.keys().any(|member| self.groups.hosts(name, member).is_none())
        {
            self.say_to(false, pulse.clone());
        }
        self.say_to(true, pulse);
        self.signal(name, Signal::News, news);
    }

    /// The coordinator is there: members that have no news put their heartbeats off, and some say that they are there.
    pub(super) fn pulsed(&mut self, term: &Term, epoch: i32) {
        if !self.heard(term) {
            return;
        }
        let mut here = Vec::new();
        for id in self.groups.seat_ids() {
            let now = self.now;
            let Some(seat) = self.groups.seats.get_mut(&id).filter(|seat| seat.group == term.group) else {
                continue;
            };
            let (owner, pulsed) = (seat.owner, seat.machine.pulse(now, epoch));
            if pulsed == Pulsed::Tells {
                here.push(seat.machine.id().to_string());
            }
            if let (true, Owner::Consumer(consumer)) = (pulsed != Pulsed::Ignored, owner) {
                self.consumer_heartbeat(consumer, id, false);
            }
        }
        if !here.is_empty() {
            let local = term.node == self.groups.node;
            self.say_to(local, GroupMessage::Signal(Signal::Pong, term.clone(), here));
        }
    }

    /// Something is said to members of this node.
    pub(super) fn signalled(&mut self, signal: Signal, term: &Term, members: &[String]) {
        if !self.heard(term) {
            return;
        }
        let lives = |member: &&String| {
            let seat = self.groups.hosts(&term.group, member).and_then(|id| self.groups.seats.get(&id));
            seat.is_some_and(|seat| seat.machine.is_member())
        };
        let here: Vec<String> = members.iter().filter(lives).cloned().collect();
        if here.is_empty() {
            return;
        }
        if signal == Signal::Ping {
            let local = term.node == self.groups.node;
            self.say_to(local, GroupMessage::Signal(Signal::Pong, term.clone(), here));
        } else {
            here.iter().for_each(|member| self.hurry(&term.group, member));
        }
    }

    /// What a node did not hear while it was stalled is nobody's silence: it begins to listen anew.
    pub(in crate::node) fn look_for_stall(&mut self, now: Now) {
        let limit = if self.groups.visible { STALL_MS } else { HIDDEN_STALL_MS };
        let late = self.deadline().is_some_and(|at| now.instant.saturating_sub(at) > limit);
        if !late || !self.groups.doubts_stalls {
            return;
        }
        for group in self.groups.groups.values_mut() {
            group.depose_at = None;
            group.asked_at = group.asked_at.map(|_| now.instant);
            if let Some(office) = &mut group.office
                && let Some(machine) = &mut office.machine
            {
                machine.restart_timers(now);
                // Others may have taken over meanwhile: the next write tells.
                office.changed(true);
            }
        }
    }
}
