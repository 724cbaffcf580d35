use super::groups::{Owner, SeatId};
use super::want::Want;
use super::{Answer, AnyReply, Event, ForwardOptions, ForwarderId, Node, Output, PageEvent, Pending};
use crate::base::{Code, Error, Instant, Map, Now, Offset, Random, TopicPartition};
use crate::client::forwarder::{self, Delivery, Forwarder, OwnedOp};
use crate::client::producer::CallId;
use crate::group::{
    Client, Committer, FORWARDER_GROUP, Member, MemberEvent, MemberOptions, MemberOutput, Membership,
};
use crate::log::TopicRow;
use crate::log::ops::{ClaimSink, GrowTopic};

/// The forwarders of this node.
#[derive(Default)]
pub(super) struct Forwarders {
    running: Map<ForwarderId, Running>,
    /// A topic could not be read: when to look at all of them again.
    look_at: Option<Instant>,
}

struct Running {
    forwarder: Forwarder,
    sink: String,
    starting: Option<CallId>,
    /// Its place in the group of forwarders, once the topic is known.
    seat: Option<SeatId>,
}

/// How long after storage failed a topic is read again.
const LOOK_AGAIN_MS: u64 = 2_000;

/// How long a forwarder may take to give up partitions; it takes no time.
const REBALANCE_MS: i32 = 30_000;

/// What a forwarder's transaction was run for.
pub(super) enum Step {
    Claim,
    Grow,
    Partition(i32),
}

impl Forwarders {
    pub(super) fn appended(&mut self, now: Now, tp: TopicPartition, end: Offset) {
        self.running.values_mut().for_each(|running| running.forwarder.appended(now, tp, end));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.running.values().filter_map(|running| running.forwarder.deadline());
        deadlines.chain(self.look_at).min()
    }

    fn get(&mut self, id: ForwarderId) -> Option<&mut Running> {
        self.running.get_mut(&id)
    }

    fn of_topic(&self, name: &str) -> Vec<ForwarderId> {
        let same = self.running.iter().filter(|(_, running)| running.forwarder.topic() == name);
        same.map(|(id, _)| *id).collect()
    }
}

impl Node {
    pub(super) fn forward(&mut self, call: CallId, id: ForwarderId, options: ForwardOptions) {
        if !self.forwarders.of_topic(&options.topic).is_empty() {
            let message = format!(
                "topic \"{}\" is forwarded by this node already: stop that forwarder first",
                options.topic
            );
            return self.done(call, Err(Error::new(Code::SinkConflict, message)));
        }
        let ForwardOptions { topic, sink, bytes_max, linger_ms } = options;
        let settings = forwarder::Options { topic: topic.clone(), bytes_max, linger_ms };
        let random = Random::new(self.random.next_u64());
        let forwarder = Forwarder::new(settings, random);
        let running = Running { forwarder, sink, starting: Some(call), seat: None };
        self.forwarders.running.insert(id, running);
        self.want(&topic, Want::Forward(id));
    }

    /// The topic is known: see to it that nobody forwards it elsewhere, or take up what changed.
    pub(super) fn forward_topic(&mut self, id: ForwarderId, name: &str, row: TopicRow) {
        let now = self.now;
        let Some(running) = self.forwarders.get(id) else { return };
        if row.sink.as_deref() != Some(running.sink.as_str()) {
            let claim = ClaimSink { name: name.to_string(), sink: running.sink.clone() };
            return self.store(claim.into(), Pending::Forwarder(id, Step::Claim));
        }
        running.forwarder.set_topic(now, &row);
        if running.seat.is_none() {
            let call = running.starting.take();
            self.take_forwarder_seat(id);
            if let Some(call) = call {
                self.done(call, Ok(Answer::Nothing));
            }
        }
    }

    /// Forwarders of a topic share its partitions as a consumer group does. Each write of theirs checks that the
    /// partition is the member's, and that the delivery row is the one that it read.
    fn take_forwarder_seat(&mut self, id: ForwarderId) {
        let (client, seed) = (self.groups.client(), self.random.next_u64());
        let Some(running) = self.forwarders.get(id) else { return };
        let options = MemberOptions {
            group: FORWARDER_GROUP.to_string(),
            instance: None,
            topics: vec![running.forwarder.topic().to_string()],
            assignors: Vec::new(),
            session_timeout_ms: -1,
            heartbeat_interval_ms: -1,
            rebalance_timeout_ms: REBALANCE_MS,
            max_poll_interval_ms: -1,
            client: Client { id: "forwarder".to_string(), ..client },
        };
        let seat = self.sit(Owner::Forwarder(id), FORWARDER_GROUP, Member::new(options, seed), Vec::new());
        if let Some(running) = self.forwarders.get(id) {
            running.seat = Some(seat);
        }
    }

    /// What the group wants of a forwarder. Nothing has to be finished first: the next owner finds it in the row.
    pub(super) fn forwarder_member_output(&mut self, id: ForwarderId, seat: SeatId, output: MemberOutput) {
        let now = self.now;
        let Some(running) = self.forwarders.get(id).filter(|running| running.seat == Some(seat)) else {
            return;
        };
        match output {
            MemberOutput::Assign(partitions) => running.forwarder.assign(now, &partitions),
            MemberOutput::Revoke(partitions) | MemberOutput::Lost(partitions) => {
                running.forwarder.revoke(&partitions);
            }
            MemberOutput::Fatal(_) => self.forwarders.look_at = Some(now.instant + LOOK_AGAIN_MS),
            MemberOutput::Send(_) | MemberOutput::Failed(_) => return,
        }
        self.tell_machine(seat, MemberEvent::Acknowledged);
    }

    /// As whom a forwarder writes.
    fn forwarder_member(&self, id: ForwarderId) -> Option<Committer> {
        let machine = &self.seat(self.forwarders.running.get(&id)?.seat?)?.machine;
        Some((machine.id().to_string(), machine.epoch()))
    }

    pub(super) fn forward_failed(&mut self, id: ForwarderId, error: &Error) {
        if let Some(call) = self.forwarders.get(id).and_then(|running| running.starting.take()) {
            self.forwarders.running.remove(&id);
            self.done(call, Err(error.clone()));
        } else if error.retriable() {
            self.forwarders.look_at = Some(self.now.instant + LOOK_AGAIN_MS);
        }
    }

    pub(super) fn stop_forward(&mut self, call: CallId, id: ForwarderId) {
        if let Some(seat) = self.forwarders.running.remove(&id).and_then(|stopped| stopped.seat) {
            self.leave_seat(seat, None);
        }
        self.done(call, Ok(Answer::Nothing));
    }

    /// A topic changed: its forwarder looks at its partitions again.
    pub(super) fn reforward_topic(&mut self, name: &str) {
        for id in self.forwarders.of_topic(name) {
            self.want(name, Want::Forward(id));
        }
    }

    /// The log may be another one: every forwarder looks at its topic again.
    pub(super) fn reforward_all(&mut self) {
        let topics = self.forwarders.running.values().map(|running| running.forwarder.topic().to_string());
        topics.collect::<Vec<_>>().iter().for_each(|topic| self.reforward_topic(topic));
    }

    pub(super) fn page_of_forwarders(&mut self, event: PageEvent) {
        let now = self.now;
        for id in self.forwarders.running.keys().copied().collect::<Vec<_>>() {
            let Some(running) = self.forwarders.get(id) else { continue };
            match event {
                PageEvent::Hidden => running.forwarder.hidden(now),
                PageEvent::Visible => running.forwarder.visible(),
                PageEvent::Online => running.forwarder.online(now),
                PageEvent::Suspended | PageEvent::Closing => running.forwarder.leave(now),
                PageEvent::Resumed => {}
            }
        }
    }

    pub(super) fn tick_forwarders(&mut self) {
        let now = self.now;
        self.forwarders.running.values_mut().for_each(|running| running.forwarder.tick(now));
        if self.forwarders.look_at.is_some_and(|at| at <= now.instant) {
            self.forwarders.look_at = None;
            self.reforward_all();
            // One that the group threw out for good asks again.
            let seats = self.forwarders.running.values().filter_map(|running| running.seat);
            let out =
                |id: &SeatId| self.seat(*id).is_some_and(|seat| seat.machine.state() == Membership::Fatal);
            for seat in seats.filter(out).collect::<Vec<_>>() {
                self.tell_machine(seat, MemberEvent::Join);
            }
        }
    }

    pub(super) fn delivered(&mut self, id: ForwarderId, ticket: u64, delivery: &Delivery) {
        let now = self.now;
        if let Some(running) = self.forwarders.get(id) {
            if let Some((batch_bytes, request_bytes)) = delivery.limits {
                running.forwarder.limited(batch_bytes, request_bytes);
            }
            running.forwarder.delivered(now, ticket, delivery);
        }
    }

    pub(super) fn forwarder_stored(&mut self, id: ForwarderId, step: Step, result: Result<AnyReply, Error>) {
        let now = self.now;
        let Some(running) = self.forwarders.get(id) else { return };
        let name = running.forwarder.topic().to_string();
        match (step, result) {
            (Step::Claim, Ok(AnyReply::ClaimSink(row))) => {
                self.topics.learn(&name, row.clone());
                self.forward_topic(id, &name, row);
            }
            // The topic was deleted, or the log wiped, since it was looked up: it is made anew.
            (Step::Claim, Err(error)) if error.code() == Code::UnknownTopicOrPartition => {
                self.topic_doubted(&name);
                self.want(&name, Want::Forward(id));
            }
            (Step::Claim, Err(error)) => self.forward_failed(id, &error),
            (Step::Grow, Ok(AnyReply::GrowTopic(_))) => {
                self.announce_topic(&name);
                self.topic_changed(&name);
            }
            (Step::Partition(partition), Ok(AnyReply::Forwarder(claimed))) => {
                running.forwarder.stored(now, partition, Ok(claimed));
            }
            (Step::Partition(partition), Err(error)) => {
                let gone = error.code() == Code::UnknownTopicOrPartition;
                running.forwarder.stored(now, partition, Err(error));
                // The topic was made anew, and the notice of it got lost.
                if gone && self.topics.row(&name).is_some() {
                    self.topic_changed(&name);
                }
            }
            // The next answer of the sink asks again.
            (Step::Claim | Step::Grow | Step::Partition(_), _) => {}
        }
    }

    pub(super) fn drain_forwarders(&mut self) {
        for id in self.forwarders.running.keys().copied().collect::<Vec<_>>() {
            while let Some(output) = self.forwarders.get(id).and_then(|running| running.forwarder.poll()) {
                self.forwarder_output(id, output);
            }
        }
    }

    fn forwarder_output(&mut self, id: ForwarderId, output: forwarder::Output) {
        match output {
            forwarder::Output::Store(partition, op) => {
                let member = self.forwarder_member(id).unwrap_or_default();
                let op = OwnedOp { member, op };
                self.store(op.into(), Pending::Forwarder(id, Step::Partition(partition)));
            }
            forwarder::Output::Deliver { ticket, batches, keepalive } => {
                self.outputs.push_back(Output::Deliver { forwarder: id, ticket, batches, keepalive });
            }
            forwarder::Output::Grow(partitions) => {
                let Some(running) = self.forwarders.get(id) else { return };
                let grow = GrowTopic { name: running.forwarder.topic().to_string(), partitions };
                self.store(grow.into(), Pending::Forwarder(id, Step::Grow));
            }
            forwarder::Output::Event(event) => {
                let Some(running) = self.forwarders.get(id) else { return };
                let topic = running.forwarder.topic().to_string();
                self.event(Event::Forwarder(id, topic, event));
            }
        }
    }
}
