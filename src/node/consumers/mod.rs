//! The consumers of this node: what they read and commit, and what the application is told of their group.

mod assign;
mod commits;
mod membership;
mod steps;

pub use steps::{Rebalance, RebalanceKind};

use super::groups::SeatId;
use super::{Answer, AnyReply, Assigned, Command, ConsumerId, ConsumerOptions, Node, Pending};
use crate::base::{Code, Error, Instant, Map, Now, Offset, TopicPartition};
use crate::client::consumer::{self, Consumer, FetchLimits, Reset};
use crate::client::producer::CallId;
use crate::group::MemberEvent;
use crate::log::TopicRow;
pub(super) use commits::Commit;
use steps::Steps;

/// The consumers of this node.
#[derive(Default)]
pub(super) struct Consumers {
    members: Map<ConsumerId, Member>,
    /// A topic could not be read: when to look again.
    look_at: Option<Instant>,
}

struct Member {
    consumer: Consumer,
    options: ConsumerOptions,
    subscriptions: Map<String, Reset>,
    /// What is known of the topics that are subscribed; `None` for one that does not exist.
    topics: Map<String, Option<TopicRow>>,
    joining: Option<CallId>,
    phase: Phase,
    /// What the application said of partitions before they were assigned.
    later: Vec<Command>,
    steps: Steps,
    /// Commits that wait for the member's next epoch.
    stale: Vec<Commit>,
    /// What the application assigns, while topics and positions are looked up.
    assigning: Option<(CallId, Vec<Assigned>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Out,
    /// The topics are looked up first.
    Joining,
    Seated(SeatId),
    /// The application assigns partitions by itself.
    Alone,
}

impl Member {
    fn new(options: ConsumerOptions) -> Self {
        Self {
            consumer: Consumer::new(options.group.clone()),
            options,
            subscriptions: Map::new(),
            topics: Map::new(),
            joining: None,
            phase: Phase::Out,
            later: Vec::new(),
            steps: Steps::default(),
            stale: Vec::new(),
            assigning: None,
        }
    }

    fn has_lost(&self, topic: &str, partition: i32) -> bool {
        let named = |tp: TopicPartition| self.consumer.topic(tp.topic) == Some(topic);
        self.steps.lost(|tp| tp.partition == partition && named(tp))
    }

    fn seat(&self) -> Option<SeatId> {
        match self.phase {
            Phase::Seated(seat) => Some(seat),
            _ => None,
        }
    }
}

/// What a consumer's transaction was run for.
pub(super) enum Step {
    Positions(Vec<TopicPartition>, u64),
    Bounds(Vec<TopicPartition>, u64),
    Recheck(Vec<TopicPartition>),
    Fetch { tp: TopicPartition, offset: Offset, seeks: u64 },
    Commit(Commit),
}

impl Consumers {
    pub(super) fn appended(&mut self, tp: TopicPartition, end: Offset) {
        self.members.values_mut().for_each(|member| member.consumer.appended(tp, end));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let readers = self.members.values().filter_map(|member| member.consumer.deadline());
        let stale = self.members.values().flat_map(|member| &member.stale).map(|commit| commit.until);
        readers.chain(stale).chain(self.look_at).min()
    }

    fn get(&mut self, id: ConsumerId) -> Option<&mut Member> {
        self.members.get_mut(&id)
    }

    fn ids(&self) -> Vec<ConsumerId> {
        self.members.keys().copied().collect()
    }
}

fn closed() -> Error {
    Error::new(Code::NodeClosed, "this consumer has left its group: call run again")
}

fn overlapping(what: &str) -> Error {
    let message =
        format!("{what} of this consumer is under way already: wait for it first, one caller a consumer");
    Error::new(Code::InvalidRequest, message)
}

impl Node {
    pub(super) fn command(&mut self, id: ConsumerId, command: Command) {
        if let Command::Open(options) = command {
            self.consumers.members.insert(id, Member::new(*options));
            return;
        }
        let Some(member) = self.consumers.get(id) else { return };
        let lost =
            matches!(&command, Command::Seek(topic, partition, _) if member.has_lost(topic, *partition));
        let consumer = &mut member.consumer;
        match command {
            Command::Open(_) => {}
            Command::Subscribe(topic, reset) => {
                member.subscriptions.insert(topic, reset);
            }
            Command::UpdateSubscription(topics) => self.update_subscription(id, topics),
            Command::Rebalanced => self.rebalanced(id),
            // What was meant for a partition that is lost must not meet it when it comes back.
            Command::Seek(..) if lost => {}
            Command::Seek(ref topic, partition, offset) => match consumer.partition(topic, partition) {
                Some(tp) => consumer.seek(tp, offset),
                None => member.later.push(command),
            },
            Command::Pause(ref topic, partition, paused) => match consumer.partition(topic, partition) {
                Some(tp) => consumer.pause(tp, paused),
                None => member.later.push(command),
            },
            Command::Wake => consumer.wake(),
            Command::Close => {
                self.leave(id, None);
                self.consumers.members.remove(&id);
            }
        }
    }

    /// The next offset to read of a partition that is assigned to a consumer.
    pub fn position(&self, id: ConsumerId, topic: &str, partition: i32) -> Option<Offset> {
        let consumer = &self.consumers.members.get(&id)?.consumer;
        consumer.position(consumer.partition(topic, partition)?)
    }

    pub(super) fn fetch(&mut self, call: CallId, id: ConsumerId, limits: FetchLimits) {
        let now = self.now;
        let Some(member) = self.consumers.get(id).filter(|member| member.phase != Phase::Out) else {
            return self.done(call, Err(closed()));
        };
        let seat = member.seat();
        if !member.consumer.fetch(now, call, limits) {
            return self.done(call, Err(overlapping("a fetch")));
        }
        if let Some(seat) = seat {
            self.tell_machine(seat, MemberEvent::Polled);
        }
    }

    pub(super) fn tick_consumers(&mut self, now: Now) {
        for id in self.consumers.ids() {
            let Some(member) = self.consumers.get(id) else { continue };
            member.consumer.tick(now);
            // A consumer that waits for records has not stopped asking for them.
            if let Some(seat) = member.seat().filter(|_| member.consumer.waits()) {
                self.tell_machine(seat, MemberEvent::Polled);
            }
        }
        self.give_up_commits();
        self.look_again_at_topics();
    }

    pub(super) fn consumer_stored(&mut self, id: ConsumerId, step: Step, result: Result<AnyReply, Error>) {
        let Some(member) = self.consumers.get(id) else { return };
        let consumer = &mut member.consumer;
        match (step, result) {
            (Step::Positions(partitions, lookup), Ok(AnyReply::FindPositions(found))) => {
                consumer.positions_found(lookup, &partitions, &found);
            }
            (Step::Bounds(partitions, lookup), Ok(AnyReply::ListBounds(bounds))) => {
                consumer.bounds_listed(lookup, &partitions, &bounds);
            }
            (Step::Positions(_, lookup) | Step::Bounds(_, lookup), Err(error)) => {
                self.look_up_failed(id, lookup, &error);
            }
            (Step::Recheck(partitions), Ok(AnyReply::ListBounds(bounds))) => {
                consumer.rechecked(&partitions, Some(&bounds));
            }
            (Step::Recheck(partitions), Err(_)) => consumer.rechecked(&partitions, None),
            (Step::Fetch { tp, offset, seeks }, Ok(AnyReply::Fetch(fetched))) => {
                consumer.fetched(tp, offset, seeks, Ok(fetched));
            }
            (Step::Fetch { tp, .. }, Err(error)) if error.code() == Code::UnknownTopicOrPartition => {
                let topic = consumer.topic(tp.topic).map(str::to_string);
                consumer.gone(tp);
                // The topic was deleted or made anew, and the notice of it got lost.
                if let Some(topic) = topic.filter(|topic| self.topics.row(topic).is_some()) {
                    self.topic_changed(&topic);
                    self.announce_topic(&topic);
                }
            }
            (Step::Fetch { tp, offset, seeks }, Err(error)) => {
                consumer.fetched(tp, offset, seeks, Err(error));
            }
            (Step::Commit(commit), result) => self.committed(id, commit, result.map(|_| ())),
            (_, Ok(_)) => self.join_failed(id, &Answer::mismatch()),
        }
    }

    /// Moves what consumers want done into the node's own outputs; false where there was nothing.
    pub(super) fn drain_consumers(&mut self) -> bool {
        let mut busy = false;
        for id in self.consumers.ids() {
            while let Some(output) = self.consumers.get(id).and_then(|member| member.consumer.poll()) {
                busy = true;
                self.consumer_output(id, output);
            }
        }
        busy
    }

    fn consumer_output(&mut self, id: ConsumerId, output: consumer::Output) {
        match output {
            consumer::Output::FindPositions(op, lookup) => {
                let step = Step::Positions(op.partitions.clone(), lookup);
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::ListBounds(op, lookup) => {
                let step = Step::Bounds(op.partitions.clone(), lookup);
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::Recheck(op) => {
                let step = Step::Recheck(op.partitions.clone());
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::Fetch(op, seeks) => {
                let step = Step::Fetch { tp: op.tp, offset: op.offset, seeks };
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::Ready => self.positions_found(id),
            consumer::Output::Records(call, records) => self.done(call, Ok(Answer::Records(records))),
            consumer::Output::Failed(call, error) => self.done(call, Err(error)),
        }
    }
}
