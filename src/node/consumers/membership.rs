use super::steps::{Rebalance, RebalanceKind, Step};
use super::{Member, Phase, closed, overlapping};
use crate::base::{Code, Error};
use crate::client::consumer::Reset;
use crate::client::producer::CallId;
use crate::group::{self, Client, MemberEvent, MemberOptions, MemberOutput, Partitions};
use crate::log::TopicRow;
use crate::node::groups::{Owner, SeatId};
use crate::node::want::Want;
use crate::node::{Answer, ConsumerId, Event, Node};

/// How long after storage failed a topic is read again.
const LOOK_AGAIN_MS: u64 = 2_000;
/// The assignors that every node has.
const BUILT_IN: [&str; 3] = ["uniform", "range", "roundRobin"];

impl Member {
    /// Everything that is subscribed was looked up.
    pub(super) fn knows_topics(&self) -> bool {
        self.subscriptions.keys().all(|name| self.topics.contains_key(name))
    }

    fn names(&self, partitions: &Partitions) -> Vec<(String, i32)> {
        let name = |tp: crate::base::TopicPartition| {
            Some((self.consumer.topic(tp.topic)?.to_string(), tp.partition))
        };
        partitions.iter().filter_map(name).collect()
    }
}

impl Node {
    pub(in crate::node) fn join(&mut self, call: CallId, id: ConsumerId) {
        let Some(member) = self.consumers.get(id).filter(|member| member.phase == Phase::Out) else {
            let message = "this consumer is in its group already: call stop first";
            return self.done(call, Err(Error::new(Code::InvalidRequest, message)));
        };
        (member.joining, member.phase) = (Some(call), Phase::Joining);
        self.look_up_subscription(id, true);
        self.take_seat(id);
    }

    /// Asks for the topics that are subscribed and not known.
    pub(super) fn look_up_subscription(&mut self, id: ConsumerId, create: bool) {
        let Some(member) = self.consumers.get(id) else { return };
        let unknown = |name: &&String| !member.topics.contains_key(*name);
        for name in member.subscriptions.keys().filter(unknown).cloned().collect::<Vec<_>>() {
            self.want(&name, Want::Join { consumer: id, create });
        }
    }

    /// Enters the group, once the topics are known.
    fn take_seat(&mut self, id: ConsumerId) {
        let (place, seed) = (self.groups.client(), self.random.next_u64());
        let Some(member) = self.consumers.get(id).filter(|member| member.phase == Phase::Joining) else {
            return;
        };
        if member.subscriptions.is_empty() {
            member.steps.push(Step::new(RebalanceKind::Assign));
            return self.next_step(id);
        }
        if !member.knows_topics() {
            return;
        }
        let options = member.options.clone();
        let topics = member.subscriptions.keys().cloned().collect();
        let client = Client {
            id: options.client_id.clone(),
            url: options.url,
            prefer_visible: options.prefer_visible,
            metadata: options.metadata,
            ..place
        };
        let custom =
            options.assignors.iter().filter(|name| !BUILT_IN.contains(&name.as_str())).cloned().collect();
        let options_of_member = MemberOptions {
            group: options.group.clone(),
            instance: options.instance,
            topics,
            assignors: options.assignors,
            rebalance_timeout_ms: options.rebalance_timeout_ms,
            session_timeout_ms: options.session_timeout_ms,
            heartbeat_interval_ms: options.heartbeat_interval_ms,
            max_poll_interval_ms: options.max_poll_interval_ms,
            client,
        };
        let machine = group::Member::new(options_of_member, seed);
        let seat = self.sit(Owner::Consumer(id), &options.group, machine, custom);
        if let Some(member) = self.consumers.get(id) {
            member.phase = Phase::Seated(seat);
        }
    }

    /// The whole new list of topics.
    pub(super) fn update_subscription(&mut self, id: ConsumerId, topics: Vec<(String, Reset)>) {
        let Some(member) = self.consumers.get(id) else { return };
        let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
        member.subscriptions = topics.into_iter().collect();
        let subscriptions = &member.subscriptions;
        member.topics.retain(|name, _| subscriptions.contains_key(name));
        let seat = member.seat();
        self.look_up_subscription(id, true);
        if let Some(seat) = seat {
            self.tell_machine(seat, MemberEvent::Subscribe(names));
        }
    }

    /// What became of a topic that a consumer looked up.
    pub(in crate::node) fn join_topic(&mut self, id: ConsumerId, name: &str, row: Option<&TopicRow>) {
        let Some(member) = self.consumers.get(id) else { return };
        if member.subscriptions.contains_key(name) {
            member.topics.insert(name.to_string(), row.cloned());
        }
        self.take_seat(id);
        self.assign_alone(id);
        self.look_up_positions(id);
    }

    /// A topic that a consumer looked up cannot be had.
    pub(in crate::node) fn join_refused(&mut self, id: ConsumerId, name: &str, error: &Error) {
        let Some(member) = self.consumers.get(id) else { return };
        let assigning = member.assigning.take();
        if let Some((call, _)) = assigning {
            self.done(call, Err(error.clone()));
        } else if member.joining.is_some() {
            self.join_failed(id, error);
        } else if error.retriable() {
            self.consumers.look_at = Some(self.now.instant + LOOK_AGAIN_MS);
        } else {
            self.join_topic(id, name, None);
        }
    }

    /// What could not be looked up is looked up again.
    pub(super) fn look_again_at_topics(&mut self) {
        if self.consumers.look_at.is_some_and(|at| at <= self.now.instant) {
            self.consumers.look_at = None;
            for id in self.consumers.ids() {
                self.look_up_subscription(id, false);
            }
        }
    }

    /// The log may be another one: every consumer looks at its topics again.
    pub(in crate::node) fn rejoin_all(&mut self) {
        let names = self.consumers.members.values().flat_map(|member| member.topics.keys().cloned());
        names.collect::<Vec<_>>().iter().for_each(|name| self.rejoin_topic(name));
    }

    pub(super) fn join_failed(&mut self, id: ConsumerId, error: &Error) {
        let Some(member) = self.consumers.get(id) else { return };
        if let Some(call) = member.joining.take() {
            self.done(call, Err(error.clone()));
            return self.leave(id, None);
        }
        let awaited = false;
        member.steps.push(Step { error: Some(error.clone()), awaited, ..Step::new(RebalanceKind::Lost) });
        self.next_step(id);
    }

    /// A topic changed: what is known of it is looked up again when it is needed.
    pub(in crate::node) fn rejoin_topic(&mut self, name: &str) {
        for id in self.consumers.ids() {
            let Some(member) = self.consumers.get(id) else { continue };
            if member.phase != Phase::Joining && member.topics.remove(name).is_some() {
                self.want(name, Want::Join { consumer: id, create: false });
            }
        }
    }

    /// What the group wants of a consumer.
    pub(in crate::node) fn consumer_member_output(
        &mut self,
        id: ConsumerId,
        seat: SeatId,
        output: MemberOutput,
    ) {
        let Some(member) = self.consumers.get(id).filter(|member| member.seat() == Some(seat)) else {
            return;
        };
        match output {
            MemberOutput::Assign(partitions) => {
                member.steps.push(Step {
                    partitions,
                    ready: false,
                    awaited: true,
                    ..Step::new(RebalanceKind::Assign)
                });
                self.look_up_positions(id);
            }
            MemberOutput::Revoke(partitions) => {
                member.consumer.stop(&partitions);
                member.steps.push(Step { partitions, awaited: true, ..Step::new(RebalanceKind::Revoke) });
            }
            MemberOutput::Lost(_) => self.lose(id, true, None),
            MemberOutput::Failed(error) => {
                let group = member.options.group.clone();
                self.event(Event::GroupFailed { group, error });
            }
            MemberOutput::Fatal(error) if member.joining.is_some() => self.join_failed(id, &error),
            MemberOutput::Fatal(error) => self.lose(id, false, Some(error)),
            MemberOutput::Send(_) => {}
        }
        self.next_step(id);
    }

    /// What a consumer had is another's already.
    fn lose(&mut self, id: ConsumerId, awaited: bool, error: Option<Error>) {
        let Some(member) = self.consumers.get(id) else { return };
        member.consumer.revoke();
        member.steps.push(Step { awaited, error, ..Step::new(RebalanceKind::Lost) });
        self.retry_commits(id);
    }

    /// Finds the positions of what was assigned, once the names of its topics are known.
    fn look_up_positions(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        let knows = member.knows_topics();
        let Some(step) = member.steps.unready().filter(|_| knows) else { return };
        let topics = &member.topics;
        let named = |id| topics.iter().find(|(_, row)| row.as_ref().is_some_and(|row| row.id == id));
        let unknown = step.partitions.iter().any(|tp| named(tp.topic).is_none());
        if unknown && !core::mem::replace(&mut step.looked, true) {
            // A topic that was created anew has another id: what is known here is old.
            return self.look_again(id);
        }
        step.asked = true;
        let subscriptions = &member.subscriptions;
        let partitions = step.partitions.iter().filter_map(|tp| {
            let (name, _) = named(tp.topic)?;
            Some((tp, name.clone(), *subscriptions.get(name)?))
        });
        member.consumer.assign(partitions);
    }

    fn look_again(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        member.topics.clear();
        for name in member.subscriptions.keys().cloned().collect::<Vec<_>>() {
            self.topic_doubted(&name);
        }
        self.look_up_subscription(id, false);
    }

    /// Every position of what was assigned is known.
    pub(super) fn positions_found(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        if let Some(step) = member.steps.unready() {
            // Where its topic is looked up still, what was found is what a seek has asked for.
            step.ready = step.asked;
        }
        self.assigned_alone(id);
        let Some(member) = self.consumers.get(id) else { return };
        let later = core::mem::take(&mut member.later);
        later.into_iter().for_each(|command| self.command(id, command));
        self.next_step(id);
    }

    /// Hands the next step out, if there is one and the application asks for it.
    fn next_step(&mut self, id: ConsumerId) {
        let here = self.groups.node;
        let Some(member) = self.consumers.get(id) else { return };
        while let Some(awaited) = member.steps.skip() {
            if let (true, Some(seat)) = (awaited, member.seat()) {
                return self.tell_machine(seat, MemberEvent::Acknowledged);
            }
        }
        if member.steps.pending() {
            // Whoever waits for records looks at the step first.
            member.consumer.wake();
        }
        if member.steps.is_ready()
            && let Some(call) = member.joining.take()
        {
            self.done(call, Ok(Answer::Nothing));
        }
        let seat = self.consumers.get(id).and_then(|member| member.seat()).and_then(|seat| self.seat(seat));
        let machine = seat.map(|seat| &seat.machine);
        let name = machine.map(|machine| machine.id().to_string()).unwrap_or_default();
        let epoch = machine.map_or(0, group::Member::epoch);
        let Some(member) = self.consumers.get(id) else { return };
        let coordinator = self.groups.coordinator(&member.options.group).filter(|node| *node != here);
        let Some(call) = member.steps.asking else { return };
        let Some((step, after)) = member.steps.open() else { return };
        let (kind, partitions, error) = (step.kind, step.partitions.clone(), step.error.clone());
        let rebalance = Rebalance {
            kind,
            partitions: member.names(&partitions),
            assignment: member.names(&after),
            member: name,
            epoch,
            coordinator,
            error,
        };
        member.steps.asking = None;
        self.done(call, Ok(Answer::Rebalance(Some(rebalance))));
    }

    /// The application asks for the next step of a rebalance.
    pub(in crate::node) fn rebalance(&mut self, call: CallId, id: ConsumerId) {
        let Some(member) = self.consumers.get(id).filter(|member| member.phase != Phase::Out) else {
            return self.done(call, Ok(Answer::Rebalance(None)));
        };
        if member.steps.asking.is_some() {
            return self.done(call, Err(overlapping("a rebalance()")));
        }
        if member.steps.is_open() {
            let message = "the last step of the rebalance was not acknowledged: call rebalanced() first";
            return self.done(call, Err(Error::new(Code::InvalidRequest, message)));
        }
        member.steps.asking = Some(call);
        self.next_step(id);
    }

    /// The application has taken a step.
    pub(super) fn rebalanced(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        let Some(step) = member.steps.close() else { return };
        match step.kind {
            RebalanceKind::Assign => member.consumer.activate(),
            RebalanceKind::Revoke => member.consumer.remove(&step.partitions),
            RebalanceKind::Lost => {}
        }
        if let Some(seat) = member.seat().filter(|_| step.awaited) {
            self.tell_machine(seat, MemberEvent::Acknowledged);
        }
        self.next_step(id);
    }

    /// A heartbeat was answered.
    pub(in crate::node) fn consumer_heartbeat(&mut self, id: ConsumerId, seat: SeatId, changed: bool) {
        let Some(member) = self.consumers.get(id).filter(|member| member.seat() == Some(seat)) else {
            return;
        };
        let group = member.options.group.clone();
        let pending = member.steps.pending();
        let Some(machine) = self.seat(seat).map(|seat| &seat.machine) else { return };
        let (member, epoch) = (machine.id().to_string(), machine.epoch());
        if changed && epoch > 0 {
            self.event(Event::Rebalancing { group: group.clone(), member: member.clone() });
        }
        self.event(Event::Heartbeat { group, member, epoch });
        if changed {
            self.retry_commits(id);
            if let Some(member) = self.consumers.get(id).filter(|_| !pending && epoch > 0) {
                member.steps.push(Step::new(RebalanceKind::Assign));
                self.next_step(id);
            }
        }
    }

    pub(super) fn hurry_consumer(&mut self, id: ConsumerId) {
        if let Some(seat) = self.consumers.get(id).and_then(|member| member.seat()) {
            self.tell_machine(seat, MemberEvent::News);
        }
    }

    /// Gives the group up; the call ends when the coordinator knows, or does not answer.
    pub(in crate::node) fn leave(&mut self, id: ConsumerId, call: Option<CallId>) {
        let seat = self.stop_reading(id, Phase::Out);
        let Some(member) = self.consumers.get(id) else { return };
        member.later.clear();
        let (joining, asking) = (member.joining.take(), member.steps.asking.take());
        let assigning = self.consumers.get(id).and_then(|member| member.assigning.take());
        for call in joining.into_iter().chain(assigning.map(|(call, _)| call)) {
            self.done(call, Err(closed()));
        }
        if let Some(asking) = asking {
            self.done(asking, Ok(Answer::Rebalance(None)));
        }
        self.retry_commits(id);
        match (seat, call) {
            (Some(seat), call) => self.leave_seat(seat, call),
            (None, Some(call)) => self.done(call, Ok(Answer::Nothing)),
            (None, None) => {}
        }
    }

    fn stop_reading(&mut self, id: ConsumerId, phase: Phase) -> Option<SeatId> {
        let member = self.consumers.get(id)?;
        let seat = member.seat();
        member.phase = phase;
        member.topics.clear();
        member.consumer.revoke();
        member.steps.clear();
        seat
    }

    /// Positions cannot be read: they are asked for again where waiting may help.
    pub(super) fn look_up_failed(&mut self, id: ConsumerId, lookup: u64, error: &Error) {
        let now = self.now;
        let after = crate::client::backoff::Backoff::STORAGE.delay(1, &mut self.random);
        let Some(member) = self.consumers.get(id) else { return };
        if member.joining.is_none() && error.retriable() {
            member.consumer.look_up_at(lookup, now.instant + after);
        } else {
            self.join_failed(id, error);
        }
    }
}
