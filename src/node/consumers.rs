use super::want::Want;
use super::{Answer, AnyReply, Command, ConsumerId, LockId, Node, Output, Pending};
use crate::base::{Code, Error, Instant, Map, Now, Offset, TopicPartition};
use crate::client::consumer::{self, Consumer, Reset};
use crate::client::producer::CallId;
use crate::group::{CommitOffsets, CommittedOffset, OffsetCommit};
use crate::log::TopicRow;

/// The consumers of this node.
#[derive(Default)]
pub(super) struct Consumers {
    members: Map<ConsumerId, Member>,
}

struct Member {
    consumer: Consumer,
    subscriptions: Map<String, Reset>,
    /// The topics that are known so far of those subscribed.
    topics: Map<String, TopicRow>,
    joining: Option<CallId>,
    membership: Membership,
    /// What the application said of partitions before they were assigned.
    later: Vec<Command>,
}

/// A group has one member at a time: the one that holds the group's lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Membership {
    Out,
    /// The page is suspended: the group was given up, and is joined again when the page comes back.
    Suspended,
    Waits(LockId),
    Holds(LockId),
}

impl Member {
    fn holds(&self) -> bool {
        matches!(self.membership, Membership::Holds(_))
    }
}

/// What a consumer's transaction was run for.
pub(super) enum Step {
    Offsets(Vec<TopicPartition>),
    Bounds(Vec<TopicPartition>),
    Fetch { tp: TopicPartition, offset: Offset, seeks: u64 },
    Commit { call: CallId, commit: CommitOffsets },
}

impl Consumers {
    pub(super) fn appended(&mut self, tp: TopicPartition, end: Offset) {
        self.members.values_mut().for_each(|member| member.consumer.appended(tp, end));
    }

    pub(super) fn tick(&mut self, now: Now) {
        self.members.values_mut().for_each(|member| member.consumer.tick(now));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.members.values().filter_map(|member| member.consumer.deadline()).min()
    }
}

fn group_lock(group: &str) -> String {
    format!("group/{group}")
}

fn closed() -> Error {
    Error::new(Code::NodeClosed, "this consumer has left its group: call run again")
}

impl Node {
    pub(super) fn command(&mut self, id: ConsumerId, command: Command) {
        if let Command::Open(group) = command {
            let member = Member {
                consumer: Consumer::new(group),
                subscriptions: Map::new(),
                topics: Map::new(),
                joining: None,
                membership: Membership::Out,
                later: Vec::new(),
            };
            self.consumers.members.insert(id, member);
            return;
        }
        let Some(member) = self.consumers.members.get_mut(&id) else { return };
        let consumer = &mut member.consumer;
        match command {
            Command::Open(_) => {}
            Command::Subscribe(topic, reset) => {
                member.subscriptions.insert(topic, reset);
            }
            Command::Resolve(topic, partition, next) => {
                if let Some(tp) = consumer.partition(&topic, partition) {
                    consumer.resolve(tp, next);
                }
            }
            Command::Seek(ref topic, partition, offset) => match consumer.partition(topic, partition) {
                Some(tp) => consumer.seek(tp, offset),
                None => member.later.push(command),
            },
            Command::Pause(ref topic, partition, paused) => match consumer.partition(topic, partition) {
                Some(tp) => consumer.pause(tp, paused),
                None => member.later.push(command),
            },
            Command::Wake => consumer.wake(),
            Command::Leave => self.leave(id),
            Command::Close => {
                self.leave(id);
                self.consumers.members.remove(&id);
            }
        }
    }

    fn leave(&mut self, id: ConsumerId) {
        self.give_up(id, Membership::Out);
        let Some(member) = self.consumers.members.get_mut(&id) else { return };
        member.later.clear();
        if let Some(call) = member.joining.take() {
            self.done(call, Err(closed()));
        }
    }

    fn give_up(&mut self, id: ConsumerId, membership: Membership) {
        let Some(member) = self.consumers.members.get_mut(&id) else { return };
        if let Membership::Waits(lock) | Membership::Holds(lock) = member.membership {
            self.outputs.push_back(Output::Release(lock));
        }
        member.membership = membership;
        member.topics.clear();
        member.consumer.revoke();
    }

    pub(super) fn join(&mut self, call: CallId, id: ConsumerId) {
        match self.consumers.members.get_mut(&id) {
            Some(member) if member.membership == Membership::Out => {
                member.joining = Some(call);
                self.queue_for_group(id);
            }
            _ => {
                let message = "this consumer is in its group already: call stop first";
                self.done(call, Err(Error::new(Code::InvalidRequest, message)));
            }
        }
    }

    fn queue_for_group(&mut self, id: ConsumerId) {
        let lock = self.lock_id();
        if let Some(member) = self.consumers.members.get_mut(&id) {
            member.membership = Membership::Waits(lock);
            let name = group_lock(member.consumer.group());
            self.outputs.push_back(Output::Acquire(lock, name));
        }
    }

    /// The group is ours: find out about the topics, then about the positions.
    pub(super) fn group_granted(&mut self, lock: LockId) {
        let waits = |member: &Member| member.membership == Membership::Waits(lock);
        let found = self.consumers.members.iter_mut().find(|(_, member)| waits(member));
        let Some((id, member)) = found else { return };
        let id = *id;
        member.membership = Membership::Holds(lock);
        let topics: Vec<String> = member.subscriptions.keys().cloned().collect();
        if topics.is_empty() {
            member.consumer.assign(&[]);
        }
        for topic in topics {
            self.want(&topic, Want::Join { consumer: id, create: true });
        }
    }

    /// The page is about to be frozen or cached: nobody else may have to wait for it.
    pub(super) fn suspend_consumers(&mut self) {
        let out = |member: &Member| matches!(member.membership, Membership::Out | Membership::Suspended);
        let members = self.consumers.members.iter().filter(|(_, member)| !out(member));
        for id in members.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.give_up(id, Membership::Suspended);
        }
    }

    /// The page is back: join again, behind whoever took over.
    pub(super) fn resume_consumers(&mut self) {
        let suspended = |member: &Member| member.membership == Membership::Suspended;
        let members = self.consumers.members.iter().filter(|(_, member)| suspended(member));
        for id in members.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.queue_for_group(id);
        }
    }

    pub(super) fn join_topic(&mut self, id: ConsumerId, name: &str, row: &TopicRow) {
        let Some(member) = self.consumers.members.get_mut(&id).filter(|member| member.holds()) else {
            return;
        };
        member.topics.insert(name.to_string(), row.clone());
        if member.topics.len() < member.subscriptions.len() {
            return;
        }
        let topics: Vec<_> = member
            .topics
            .iter()
            .filter_map(|(name, row)| Some((name.clone(), row.clone(), *member.subscriptions.get(name)?)))
            .collect();
        member.consumer.assign(&topics);
    }

    pub(super) fn join_failed(&mut self, id: ConsumerId, error: &Error) {
        let Some(member) = self.consumers.members.get_mut(&id) else { return };
        if let Some(call) = member.joining.take() {
            self.done(call, Err(error.clone()));
            self.leave(id);
        }
    }

    /// A topic changed: the members that read it look at its partitions again.
    pub(super) fn rejoin_topic(&mut self, name: &str) {
        let reads = |member: &Member| member.holds() && member.subscriptions.contains_key(name);
        let members = self.consumers.members.iter().filter(|(_, member)| reads(member));
        for id in members.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.want(name, Want::Join { consumer: id, create: false });
        }
    }

    /// The log may be another one: every member looks at its topics again.
    pub(super) fn rejoin_all(&mut self) {
        let members = self.consumers.members.values().filter(|member| member.holds());
        let topics = members.flat_map(|member| member.subscriptions.keys().cloned());
        topics.collect::<Vec<_>>().iter().for_each(|topic| self.rejoin_topic(topic));
    }

    pub(super) fn fetch(&mut self, call: CallId, id: ConsumerId, bytes_max: usize) {
        match self.consumers.members.get_mut(&id).filter(|member| member.membership != Membership::Out) {
            Some(member) => member.consumer.fetch(self.now, call, bytes_max),
            None => self.done(call, Err(closed())),
        }
    }

    pub(super) fn commit(&mut self, call: CallId, id: ConsumerId, offsets: Option<Vec<super::Position>>) {
        let now = self.now;
        let Some(member) = self.consumers.members.get_mut(&id).filter(|member| member.holds()) else {
            return self.done(call, Err(closed()));
        };
        let commit = match offsets {
            None => member.consumer.commit_handled(now),
            Some(offsets) => {
                let mut commit = CommitOffsets {
                    group: member.consumer.group().to_string(),
                    member: None,
                    offsets: Vec::new(),
                };
                for (topic, partition, offset, metadata) in offsets {
                    let Some(tp) = member.consumer.partition(&topic, partition) else {
                        let message =
                            format!("partition {partition} of \"{topic}\" is not assigned to this consumer");
                        return self.done(call, Err(Error::new(Code::UnknownTopicOrPartition, message)));
                    };
                    let committed = CommittedOffset { offset, metadata, at: now.timestamp };
                    commit.offsets.push(OffsetCommit { tp, committed });
                }
                Some(commit).filter(|commit| !commit.offsets.is_empty())
            }
        };
        match commit {
            Some(commit) => {
                let step = Step::Commit { call, commit: commit.clone() };
                self.store(commit.into(), Pending::Consumer(id, step));
            }
            None => self.done(call, Ok(Answer::Committed(Vec::new()))),
        }
    }

    pub(super) fn consumer_stored(&mut self, id: ConsumerId, step: Step, result: Result<AnyReply, Error>) {
        let Some(member) = self.consumers.members.get_mut(&id) else { return };
        let consumer = &mut member.consumer;
        match (step, result) {
            (Step::Offsets(partitions), Ok(AnyReply::FetchOffsets(offsets))) => {
                consumer.offsets_fetched(&partitions, &offsets);
            }
            (Step::Bounds(partitions), Ok(AnyReply::ListBounds(bounds))) => {
                consumer.bounds_listed(&partitions, &bounds);
            }
            (Step::Offsets(_) | Step::Bounds(_), Err(error)) => self.join_failed(id, &error),
            (Step::Fetch { tp, offset, seeks }, Ok(AnyReply::Fetch(fetched))) => {
                consumer.fetched(tp, offset, seeks, Ok(fetched));
            }
            (Step::Fetch { tp, offset, seeks }, Err(error)) => {
                consumer.fetched(tp, offset, seeks, Err(error))
            }
            (Step::Commit { call, commit }, Ok(AnyReply::CommitOffsets(()))) => {
                let named = |offset: &OffsetCommit| {
                    let topic = consumer.topic(offset.tp.topic)?.to_string();
                    Some((topic, offset.tp.partition, offset.committed.offset))
                };
                let committed = commit.offsets.iter().filter_map(named).collect();
                self.done(call, Ok(Answer::Committed(committed)));
            }
            (Step::Commit { call, commit }, result) => {
                consumer.commit_failed(&commit);
                self.done(call, Err(result.err().unwrap_or_else(Answer::mismatch)));
            }
            (_, Ok(_)) => self.join_failed(id, &Answer::mismatch()),
        }
    }

    pub(super) fn drain_consumers(&mut self) {
        let ids: Vec<ConsumerId> = self.consumers.members.keys().copied().collect();
        for id in ids {
            while let Some(output) =
                self.consumers.members.get_mut(&id).and_then(|member| member.consumer.poll())
            {
                self.consumer_output(id, output);
            }
        }
    }

    fn consumer_output(&mut self, id: ConsumerId, output: consumer::Output) {
        match output {
            consumer::Output::FetchOffsets(op) => {
                let step = Step::Offsets(op.partitions.clone());
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::ListBounds(op) => {
                let step = Step::Bounds(op.partitions.clone());
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::Fetch(op, seeks) => {
                let step = Step::Fetch { tp: op.tp, offset: op.offset, seeks };
                self.store(op.into(), Pending::Consumer(id, step));
            }
            consumer::Output::Ready => {
                let Some(member) = self.consumers.members.get_mut(&id) else { return };
                let (joining, later) = (member.joining.take(), core::mem::take(&mut member.later));
                later.into_iter().for_each(|command| self.command(id, command));
                if let Some(call) = joining {
                    self.done(call, Ok(Answer::Nothing));
                }
            }
            consumer::Output::Records(call, records) => self.done(call, Ok(Answer::Records(records))),
            consumer::Output::Failed(call, error) => self.done(call, Err(error)),
        }
    }
}
