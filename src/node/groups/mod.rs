//! The groups that this node takes part in: the members that it hosts, where the coordinators of their groups are,
//! and the offices of the groups that it coordinates itself.
//!
//! ```text
//! member lock -> find the coordinator -> heartbeat -> answer -> what the member gains and gives up
//! coordinator lock -> claim -> heartbeats -> write -> answers
//! ```
//!
//! Locks and messages only tell who is alive. What makes a group safe is its row: only the coordinator of the latest
//! claim can write it, and only a member of the latest epoch can commit.

mod coordinators;
mod liveness;
mod members;
mod message;
mod office;
mod watches;

use std::collections::VecDeque;

use members::Seat;
pub(super) use members::{Owner, SeatId};
use office::Office;

use super::{AnyReply, LockId, Message, Node, NodeOptions, Output};
use crate::base::{Error, Instant, Map, Now};
use crate::group::{Client, MemberEvent};
pub use message::{GroupMessage, Signal, Term};

/// What a node knows of groups.
pub(super) struct Groups {
    /// This node, as others call it.
    pub(super) node: u64,
    /// False where there are no locks to tell who is alive: silence does, later.
    locks: bool,
    /// True where the user sees the page, and in workers.
    pub(super) visible: bool,
    doubts_stalls: bool,
    groups: Map<String, Group>,
    /// The greatest epoch of a coordinator that this node has heard of, for each group that it ever took part in. Where the
    /// storage is wiped, what it wrote under one of these may still be on its way.
    epochs: Map<String, i32>,
    seats: Map<SeatId, Seat>,
    purposes: Map<LockId, Purpose>,
    /// What this node said to itself.
    inbox: VecDeque<GroupMessage>,
    /// Groups of which something is to be done once the inbox is empty.
    attend_soon: Vec<String>,
}

/// A group that this node hosts members of.
#[derive(Default)]
struct Group {
    /// The coordinator, as it was last heard of.
    term: Option<Term>,
    /// The members that the coordinator's node hosts: when that dies, so do they.
    mates: Vec<String>,
    /// Since when a word of the coordinator is awaited.
    asked_at: Option<Instant>,
    /// When to ask for the coordinator next.
    find_at: Option<Instant>,
    /// When to take the coordinator's place, should it stay silent.
    depose_at: Option<Instant>,
    /// The storage is asked whether it keeps this node waiting too.
    tries: bool,
    /// Waited for or held.
    lock: Option<LockId>,
    office: Option<Office>,
}

/// What a lock is for.
enum Purpose {
    /// The coordinator of the group.
    Coordinator(String),
    /// A member of this node is alive.
    Member(SeatId),
    /// The coordinator waits for what a member holds as long as it lives.
    Watch(String, String),
}

/// What a transaction was run for.
pub(super) enum Step {
    Claim(String),
    Write(String, i32, u64),
    Try(String),
    /// A commit of another node, which hears of it by itself or not at all.
    Commit,
}

impl Groups {
    pub(super) fn new(node: u64, options: NodeOptions) -> Self {
        let NodeOptions { locks, visible, doubts_stalls, .. } = options;
        Self {
            node,
            locks,
            visible,
            doubts_stalls,
            groups: Map::new(),
            epochs: Map::new(),
            seats: Map::new(),
            purposes: Map::new(),
            inbox: VecDeque::new(),
            attend_soon: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let seats = self.seats.values().filter_map(Seat::deadline);
        let groups = self.groups.values().filter_map(|group| group.deadline(self));
        seats.chain(groups).min()
    }

    fn hosts(&self, group: &str, member: &str) -> Option<SeatId> {
        let found = self.seats.iter().find(|(_, seat)| seat.group == group && seat.machine.id() == member);
        found.map(|(id, _)| *id)
    }

    /// The node that coordinates the group, as far as is known.
    pub(super) fn coordinator(&self, group: &str) -> Option<u64> {
        Some(self.groups.get(group)?.term.as_ref()?.node)
    }

    /// True if this node has to hear the message.
    pub(super) fn concerns(&self, message: &GroupMessage) -> bool {
        match message {
            GroupMessage::Heartbeat(term, _) | GroupMessage::Signal(Signal::Pong, term, _) => {
                term.node == self.node
            }
            GroupMessage::Answer(term, member, ..) => self.hosts(&term.group, member).is_some(),
            GroupMessage::Signal(_, term, members) => {
                members.iter().any(|member| self.hosts(&term.group, member).is_some())
            }
            GroupMessage::FindCoordinator(group) => {
                self.groups.get(group).is_some_and(|group| group.office.is_some())
            }
            GroupMessage::Coordinator(term, _)
            | GroupMessage::Pulse(term, ..)
            | GroupMessage::HandOver(term, _) => self.groups.contains_key(&term.group),
            GroupMessage::Commit(_, commit) => self.groups.contains_key(&commit.group),
        }
    }

    /// What a member of this node says of the place that it is in.
    pub(super) fn client(&self) -> Client {
        Client { visible: self.visible, unlocked: !self.locks, node: self.node, ..Client::default() }
    }

    fn seat_ids(&self) -> Vec<SeatId> {
        self.seats.keys().copied().collect()
    }

    fn names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }
}

impl Node {
    /// Carries out what the members want done and hears what this node said to itself; false where there was nothing.
    pub(super) fn drain_groups(&mut self) -> bool {
        let mut busy = self.drain_seats();
        while let Some(message) = self.groups.inbox.pop_front() {
            busy = true;
            self.group_message(message, true);
        }
        if !busy {
            for name in core::mem::take(&mut self.groups.attend_soon) {
                busy = true;
                self.attend(&name);
            }
        }
        busy
    }

    /// Sees to the group once everything that this node said to itself is heard: one write has it all.
    fn attend_soon(&mut self, name: &str) {
        if !self.groups.attend_soon.iter().any(|soon| soon == name) {
            self.groups.attend_soon.push(name.to_string());
        }
    }

    pub(super) fn group_message(&mut self, message: GroupMessage, local: bool) {
        match message {
            GroupMessage::FindCoordinator(group) => self.name_coordinator(&group),
            GroupMessage::Coordinator(term, members) => {
                self.heard(&term);
                self.learn_mates(&term, members);
            }
            GroupMessage::Heartbeat(term, request) => self.receive(&term, request, local),
            GroupMessage::Answer(term, member, number, result) => {
                self.answered(&term, &member, number, result)
            }
            GroupMessage::Signal(Signal::Pong, term, members) => self.ponged(&term, &members),
            GroupMessage::Signal(signal, term, members) => self.signalled(signal, &term, &members),
            GroupMessage::Pulse(term, epoch, members) => {
                self.pulsed(&term, epoch);
                self.learn_mates(&term, members);
            }
            GroupMessage::HandOver(term, node) => self.take_over(&term, node),
            GroupMessage::Commit(node, commit) => self.commit_for(node, commit),
        }
    }

    /// Says it to every node.
    fn say(&mut self, message: GroupMessage) {
        self.groups.inbox.push_back(message.clone());
        self.send_message(&message);
    }

    fn send_message(&mut self, message: &GroupMessage) {
        self.outputs.push_back(Output::Send(Message::Group(message.encode())));
    }

    /// Says it to this node, or to the others.
    fn say_to(&mut self, local: bool, message: GroupMessage) {
        if local {
            self.groups.inbox.push_back(message);
        } else {
            self.send_message(&message);
        }
    }

    fn acquire(&mut self, name: String, purpose: Purpose) -> LockId {
        let lock = self.lock_id();
        self.groups.purposes.insert(lock, purpose);
        self.outputs.push_back(Output::Acquire(lock, name));
        lock
    }

    fn release(&mut self, lock: Option<LockId>) {
        if let Some(lock) = lock.filter(|lock| self.groups.purposes.remove(lock).is_some()) {
            self.outputs.push_back(Output::Release(lock));
        }
    }

    pub(super) fn group_granted(&mut self, lock: LockId) {
        match self.groups.purposes.get(&lock) {
            Some(Purpose::Coordinator(group)) => {
                let group = group.clone();
                self.claim(&group);
            }
            Some(Purpose::Member(seat)) => {
                let seat = *seat;
                self.member_locked(seat);
            }
            Some(Purpose::Watch(group, member)) => {
                let (group, member) = (group.clone(), member.clone());
                self.member_gone(&group, &member);
            }
            None => {}
        }
    }

    /// A lock was stolen, or the browser refuses it.
    pub(super) fn lock_lost(&mut self, lock: LockId) {
        match self.groups.purposes.remove(&lock) {
            Some(Purpose::Coordinator(group)) => self.unseat_coordinator(&group, lock),
            Some(Purpose::Member(seat)) => self.member_lock_lost(seat),
            Some(Purpose::Watch(..)) | None => {}
        }
    }

    pub(super) fn group_stored(&mut self, step: Step, result: Result<AnyReply, Error>) {
        match step {
            Step::Claim(group) => self.claimed(&group, result),
            Step::Write(group, epoch, version) => self.written(&group, epoch, version, result),
            Step::Try(group) => self.tried(&group, result.is_ok()),
            Step::Commit => {}
        }
    }

    pub(super) fn tick_groups(&mut self) {
        self.tick_seats();
        for group in self.groups.names() {
            self.tick_contact(&group);
            self.attend(&group);
        }
    }

    /// Nobody may have to wait for a page that is about to be frozen or cached: members leave, locks go. Offices
    /// are closed first: a transaction that is frozen half-way holds everybody up.
    pub(super) fn suspend_groups(&mut self) {
        for name in self.groups.names() {
            let Some(group) = self.groups.groups.get_mut(&name) else { continue };
            let (office, lock) = (group.office.take(), group.lock.take());
            self.close_office(office);
            self.release(lock);
        }
        self.suspend_seats();
        for group in self.groups.groups.values_mut() {
            *group = Group::default();
        }
        self.groups.inbox.clear();
        self.groups.attend_soon.clear();
    }

    /// The page is back: its members join anew.
    pub(super) fn resume_groups(&mut self) {
        for name in self.groups.names() {
            if self.groups.groups.get(&name).is_some_and(|group| group.lock.is_none()) {
                self.queue_for_office(&name);
            }
        }
        for id in self.groups.seat_ids() {
            self.tell_machine(id, MemberEvent::Resume);
        }
    }

    /// Takes part in a group; the first to queue for its lock coordinates it.
    fn enter_group(&mut self, name: &str) {
        if self.groups.groups.contains_key(name) {
            return;
        }
        self.groups.groups.insert(name.to_string(), Group::default());
        self.queue_for_office(name);
    }

    fn queue_for_office(&mut self, name: &str) {
        let lock = self
            .groups
            .locks
            .then(|| self.acquire(coordinator_lock(name), Purpose::Coordinator(name.to_string())));
        if let Some(group) = self.groups.groups.get_mut(name) {
            group.lock = lock;
        }
    }

    /// Takes part no longer, once nothing is left to be done.
    fn exit_group(&mut self, name: &str) {
        let hosts = self.groups.seats.values().any(|seat| seat.group == name);
        let busy = |group: &Group| group.office.as_ref().is_some_and(Office::busy);
        if hosts || self.groups.groups.get(name).is_none_or(busy) {
            return;
        }
        if let Some(group) = self.groups.groups.remove(name) {
            self.close_office(group.office);
            self.release(group.lock);
        }
    }
}

fn coordinator_lock(group: &str) -> String {
    ["coordinator/", group].concat()
}

fn member_lock(group: &str, member: &str) -> String {
    ["member/", group, "/", member].concat()
}

/// True if `at` has come.
fn due(at: Option<Instant>, now: Now) -> bool {
    at.is_some_and(|at| at <= now.instant)
}
