use super::want::Want;
use super::{Answer, AnyReply, Event, ForwardOptions, ForwarderId, LockId, Node, Output, PageEvent, Pending};
use crate::base::{Code, Error, Instant, Map, Now, Offset, Random, TopicPartition};
use crate::client::forwarder::{self, Delivery, Forwarder};
use crate::client::producer::CallId;
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
    ownership: Ownership,
}

/// One node forwards a topic at a time: the one that holds the topic's lock. That is for speed alone; what makes
/// it safe is that every write compares the delivery row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ownership {
    Starting,
    Suspended,
    Waits(LockId),
    Holds(LockId),
}

/// How long after storage failed a topic is read again.
const LOOK_AGAIN_MS: u64 = 2_000;

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
        let running = Running { forwarder, sink, starting: Some(call), ownership: Ownership::Starting };
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
        if running.ownership == Ownership::Starting {
            let call = running.starting.take();
            self.queue_for_topic(id);
            if let Some(call) = call {
                self.done(call, Ok(Answer::Nothing));
            }
        }
    }

    fn queue_for_topic(&mut self, id: ForwarderId) {
        let lock = self.lock_id();
        if let Some(running) = self.forwarders.get(id) {
            running.ownership = Ownership::Waits(lock);
            let name = format!("forward/{}", running.forwarder.topic());
            self.outputs.push_back(Output::Acquire(lock, name));
        }
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
        let stopped = self.forwarders.running.remove(&id);
        if let Some(Running { ownership: Ownership::Waits(lock) | Ownership::Holds(lock), .. }) = stopped {
            self.outputs.push_back(Output::Release(lock));
        }
        self.done(call, Ok(Answer::Nothing));
    }

    pub(super) fn forwarder_granted(&mut self, lock: LockId) {
        let now = self.now;
        let waits = |running: &Running| running.ownership == Ownership::Waits(lock);
        let found = self.forwarders.running.iter_mut().find(|(_, running)| waits(running));
        let Some((_, running)) = found else { return };
        running.ownership = Ownership::Holds(lock);
        let row = self.topics.row(running.forwarder.topic()).cloned();
        if let Some(row) = row {
            running.forwarder.granted(now, &row);
        } else {
            // The topic changed while the lock was waited for: it is read again, see `reforward_topic`.
            running.forwarder.granted_without_topic();
        }
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
            match (event, running.ownership) {
                (PageEvent::Hidden, _) => running.forwarder.hidden(now),
                (PageEvent::Visible, _) => running.forwarder.visible(),
                (PageEvent::Online, _) => running.forwarder.online(now),
                (PageEvent::Suspended, Ownership::Waits(lock) | Ownership::Holds(lock)) => {
                    running.ownership = Ownership::Suspended;
                    running.forwarder.released();
                    self.outputs.push_back(Output::Release(lock));
                }
                (PageEvent::Resumed, Ownership::Suspended) => self.queue_for_topic(id),
                (PageEvent::Suspended | PageEvent::Resumed, _) => {}
            }
        }
    }

    pub(super) fn tick_forwarders(&mut self) {
        let now = self.now;
        self.forwarders.running.values_mut().for_each(|running| running.forwarder.tick(now));
        if self.forwarders.look_at.is_some_and(|at| at <= now.instant) {
            self.forwarders.look_at = None;
            self.reforward_all();
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
