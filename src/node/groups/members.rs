use super::super::{Answer, ConsumerId, ForwarderId, LockId, Node};
use super::message::{GroupMessage, Term};
use super::{Purpose, member_lock};
use crate::base::{Error, Instant};
use crate::client::producer::CallId;
use crate::group::{
    HeartbeatRequest, HeartbeatResponse, JOIN_EPOCH, Member, MemberEvent, MemberOutput, Membership,
};

/// Names a member of this node.
pub(in crate::node) type SeatId = u64;

/// A member that leaves waits so long for the coordinator's word.
const LEAVE_MS: u64 = 1_000;

/// What in this node is a member of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Owner {
    Consumer(ConsumerId),
    Forwarder(ForwarderId),
}

/// A member that this node hosts.
pub(in crate::node) struct Seat {
    pub(super) group: String,
    pub(super) owner: Owner,
    pub(in crate::node) machine: Member,
    /// The assignors of the application that it can run.
    pub(super) custom: Vec<String>,
    /// What tells others that the member of this id lives.
    lock: Option<(LockId, String)>,
    /// The lock is held.
    locked: bool,
    /// The heartbeat that waits for the lock.
    joining: Option<HeartbeatRequest>,
    leaving: Option<Leaving>,
}

struct Leaving {
    until: Instant,
    call: Option<CallId>,
}

impl Seat {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        self.machine.deadline().into_iter().chain(leaving).min()
    }
}

impl Node {
    /// A member joins its group.
    pub(in crate::node) fn sit(
        &mut self,
        owner: Owner,
        group: &str,
        machine: Member,
        custom: Vec<String>,
    ) -> SeatId {
        let id = self.lock_id();
        self.enter_group(group);
        let group = group.to_string();
        let seat =
            Seat { group, owner, machine, custom, lock: None, locked: false, joining: None, leaving: None };
        self.groups.seats.insert(id, seat);
        self.tell_machine(id, MemberEvent::Join);
        id
    }

    pub(in crate::node) fn seat(&self, id: SeatId) -> Option<&Seat> {
        self.groups.seats.get(&id)
    }

    pub(in crate::node) fn tell_machine(&mut self, id: SeatId, event: MemberEvent) {
        let now = self.now;
        if let Some(seat) = self.groups.seats.get_mut(&id) {
            seat.machine.handle(now, event);
        }
    }

    /// A member leaves; the call ends when its coordinator knows, or does not answer.
    pub(in crate::node) fn leave_seat(&mut self, id: SeatId, call: Option<CallId>) {
        let until = self.now.instant + LEAVE_MS;
        let Some(seat) = self.groups.seats.get_mut(&id) else { return };
        seat.leaving = Some(Leaving { until, call });
        seat.joining = None;
        self.tell_machine(id, MemberEvent::Leave);
        // Whatever the application was asked to do: it has done with everything.
        self.tell_machine(id, MemberEvent::Acknowledged);
        self.drain_seat(id);
    }

    /// The member is out.
    fn stand_up(&mut self, id: SeatId) {
        let Some(seat) = self.groups.seats.remove(&id) else { return };
        self.release(seat.lock.map(|(lock, _)| lock));
        if let Some(call) = seat.leaving.and_then(|leaving| leaving.call) {
            self.done(call, Ok(Answer::Nothing));
        }
        self.exit_group(&seat.group);
    }

    pub(super) fn drain_seats(&mut self) -> bool {
        let mut busy = false;
        for id in self.groups.seat_ids() {
            busy |= self.drain_seat(id);
        }
        busy
    }

    fn drain_seat(&mut self, id: SeatId) -> bool {
        let mut busy = false;
        while let Some(seat) = self.groups.seats.get_mut(&id)
            && let Some(output) = seat.machine.poll()
        {
            busy = true;
            let (owner, leaving) = (seat.owner, seat.leaving.is_some());
            match output {
                MemberOutput::Send(request) => self.send_heartbeat(id, request),
                _ if leaving => self.tell_machine(id, MemberEvent::Acknowledged),
                output => match owner {
                    Owner::Consumer(consumer) => self.consumer_member_output(consumer, id, output),
                    Owner::Forwarder(forwarder) => self.forwarder_member_output(forwarder, id, output),
                },
            }
        }
        let out = |seat: &Seat| seat.leaving.is_some() && seat.machine.state() == Membership::Unsubscribed;
        if self.groups.seats.get(&id).is_some_and(out) {
            self.stand_up(id);
        }
        busy
    }

    fn send_heartbeat(&mut self, id: SeatId, request: HeartbeatRequest) {
        let (now, node, locks) = (self.now, self.groups.node, self.groups.locks);
        let Some(seat) = self.groups.seats.get_mut(&id) else { return };
        let locked = seat.lock.as_ref().is_some_and(|(_, member)| *member == request.member);
        if locks && request.epoch == JOIN_EPOCH && !locked {
            return self.lock_member(id, request);
        }
        let name = seat.group.clone();
        let Some(group) = self.groups.groups.get_mut(&name) else { return };
        let Some(term) = group.term.clone() else { return self.find_coordinator(&name) };
        let local = term.node == node;
        if !local {
            group.asked_at.get_or_insert(now.instant);
        }
        self.say_to(local, GroupMessage::Heartbeat(term, request));
    }

    /// A member begins under a name of its own: others shall see that it lives before they hear of it.
    fn lock_member(&mut self, id: SeatId, request: HeartbeatRequest) {
        let member = request.member.clone();
        let Some(seat) = self.groups.seats.get_mut(&id) else { return };
        (seat.joining, seat.locked) = (Some(request), false);
        let (name, before) = (member_lock(&seat.group, &member), seat.lock.take());
        self.release(before.map(|(lock, _)| lock));
        let lock = self.acquire(name, Purpose::Member(id));
        if let Some(seat) = self.groups.seats.get_mut(&id) {
            seat.lock = Some((lock, member));
        }
    }

    /// The member's lock is held.
    pub(super) fn member_locked(&mut self, id: SeatId) {
        let Some(seat) = self.groups.seats.get_mut(&id) else { return };
        seat.locked = true;
        if let Some(request) = seat.joining.take() {
            self.send_heartbeat(id, request);
        }
    }

    /// The answer to a heartbeat of a member of this node.
    pub(super) fn answered(
        &mut self,
        term: &Term,
        member: &str,
        number: i32,
        result: Result<HeartbeatResponse, Error>,
    ) {
        let Some(id) = self.groups.hosts(&term.group, member) else { return };
        if !self.heard(term) {
            return;
        }
        let Some(seat) = self.groups.seats.get(&id) else { return };
        let (owner, before) = (seat.owner, seat.machine.epoch());
        self.tell_machine(id, MemberEvent::Answer(number, result));
        self.drain_seat(id);
        let epoch = self.groups.seats.get(&id).map(|seat| seat.machine.epoch());
        match owner {
            Owner::Consumer(consumer) => self.consumer_heartbeat(consumer, id, epoch != Some(before)),
            Owner::Forwarder(_) => {}
        }
    }

    /// There is news for the member's next heartbeat.
    pub(super) fn hurry(&mut self, group: &str, member: &str) {
        if let Some(id) = self.groups.hosts(group, member) {
            self.tell_machine(id, MemberEvent::News);
        }
    }

    /// Another node coordinates the group, or nobody does: it is told everything, as soon as it is known.
    pub(super) fn coordinator_changed(&mut self, name: &str) {
        for id in self.groups.seat_ids() {
            if self.groups.seats.get(&id).is_some_and(|seat| seat.group == name) {
                self.tell_machine(id, MemberEvent::CoordinatorChanged);
            }
        }
    }

    /// The lock that tells of a member's life is not to be had. Where it was stolen, the member is thought to be dead:
    /// it begins again under another name. Where the browser refuses it, its heartbeats tell.
    pub(super) fn member_lock_lost(&mut self, id: SeatId) {
        let Some(seat) = self.groups.seats.get_mut(&id) else { return };
        seat.lock = None;
        if seat.locked {
            seat.locked = false;
            self.tell_machine(id, MemberEvent::Suspend);
            self.drain_seat(id);
            return self.tell_machine(id, MemberEvent::Resume);
        }
        let joining = seat.joining.take();
        self.without_locks();
        if let Some(mut request) = joining {
            if let Some(client) = &mut request.client {
                client.unlocked = true;
            }
            self.send_heartbeat(id, request);
        }
    }

    /// The browser has locks, and refuses them here: silence has to tell who is alive.
    pub(super) fn without_locks(&mut self) {
        self.groups.locks = false;
        for id in self.groups.seat_ids() {
            self.tell_machine(id, MemberEvent::Unlocked);
        }
    }

    pub(super) fn tick_seats(&mut self) {
        let now = self.now.instant;
        for id in self.groups.seat_ids() {
            let late = |seat: &Seat| seat.leaving.as_ref().is_some_and(|leaving| leaving.until <= now);
            if self.groups.seats.get(&id).is_some_and(late) {
                self.stand_up(id);
            } else {
                self.tell_machine(id, MemberEvent::Tick);
            }
        }
    }

    /// The page is about to be frozen or cached: nobody may have to wait for its members.
    pub(super) fn suspend_seats(&mut self) {
        for id in self.groups.seat_ids() {
            self.tell_machine(id, MemberEvent::Suspend);
            self.drain_seat(id);
            let Some(seat) = self.groups.seats.get_mut(&id) else { continue };
            seat.joining = None;
            let lock = seat.lock.take().map(|(lock, _)| lock);
            let leaving = seat.leaving.is_some();
            self.release(lock);
            if leaving {
                self.stand_up(id);
            }
        }
    }

    /// The page was hidden or shown: the coordinators may want to know.
    pub(in crate::node) fn seen(&mut self, visible: bool) {
        self.groups.visible = visible;
        self.office_hidden(!visible);
        for id in self.groups.seat_ids() {
            self.tell_machine(id, MemberEvent::Visible(visible));
        }
    }
}
