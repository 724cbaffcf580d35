//! The tabs of one origin, driven by hand: storage, channel, locks and clock are the test's, and so are the
//! applications that read as members of groups.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use headwater::base::{Error, Now, Offset, TopicConfig};
use headwater::client::consumer::{FetchLimits, Reset};
use headwater::client::forwarder::WireBatch;
use headwater::group::{Assigned, DescribeGroup, GroupRow};
use headwater::log::batch::{Compression, records};
use headwater::node::{
    Acks, Answer, AnyOp, Call, Command, ConsumerId, ConsumerOptions, Event, ForwarderId, GroupMessage, Input,
    LockId, Message, Node, NodeOptions, Output, Rebalance, RebalanceKind,
};

use super::{FrameWriter, Table};

pub const CONSUMER: ConsumerId = 1;

#[derive(Default)]
pub struct Tabs {
    pub now: Now,
    pub table: Table,
    pub tabs: Vec<Tab>,
    /// Who holds or waits for each lock, the holder first.
    locks: BTreeMap<String, VecDeque<(usize, LockId)>>,
    queue: VecDeque<(usize, Input)>,
    /// What the channel loses.
    pub loses: Option<fn(&GroupMessage) -> bool>,
    /// What custom assignors answer, by their names.
    pub assignors: BTreeMap<String, fn(&headwater::group::Spec) -> Assigned>,
    pub no_locks: bool,
    /// The channel loses everything.
    pub silent: bool,
    /// Transactions of this tab end never.
    pub stores_nothing: Option<usize>,
    /// Of transactions of this tab it is told only later.
    pub late_storage: Option<usize>,
    late: Vec<(usize, Input)>,
    /// No transaction begins, whoever asks for it; those that were asked for follow in order.
    pub blocked: bool,
    blocked_ops: VecDeque<(usize, u64, Rc<AnyOp>)>,
    /// This tab is refused every lock.
    pub refuses_locks: Option<usize>,
    /// Commits that tabs entrust to others are on their way for long.
    pub keeps_commits: bool,
    kept: Vec<(usize, Message)>,
    /// What was appended is told to nobody.
    pub loses_notices: bool,
    /// How many messages were sent.
    pub sent: u64,
    /// How many transactions were run.
    pub stored: u64,
    calls: u64,
}

pub struct Tab {
    pub node: Option<Node>,
    /// Nothing reaches a frozen tab before it thaws.
    pub frozen: bool,
    /// Its timers come once a minute.
    pub throttled: bool,
    backlog: VecDeque<Input>,
    answers: BTreeMap<u64, Result<Answer, Error>>,
    pub events: Vec<Event>,
    pub readers: BTreeMap<ConsumerId, Reader>,
    /// What its sinks were given and have not answered: forwarder, ticket, batches.
    pub delivering: Vec<(ForwarderId, u64, Vec<WireBatch>)>,
}

/// An application that is a member of a group.
#[derive(Default)]
pub struct Reader {
    /// It takes no step before it is told to.
    pub slow: bool,
    asked: Option<u64>,
    /// The step that it was told and has not taken.
    pub open: Option<Rebalance>,
    pub steps: Vec<Rebalance>,
    pub owned: Vec<(String, i32)>,
}

impl Tab {
    /// What was said while it was frozen never comes.
    pub fn forget_backlog(&mut self) {
        self.backlog.clear();
    }
}

impl Tabs {
    pub fn tab(&mut self) -> usize {
        let options = NodeOptions { locks: !self.no_locks, ..NodeOptions::default() };
        self.tab_of(options)
    }

    pub fn tab_of(&mut self, options: NodeOptions) -> usize {
        self.tabs.push(Tab {
            node: Some(Node::new(self.now, 100 + self.tabs.len() as u64, options)),
            frozen: false,
            throttled: false,
            backlog: VecDeque::new(),
            answers: BTreeMap::new(),
            events: Vec::new(),
            readers: BTreeMap::new(),
            delivering: Vec::new(),
        });
        self.tabs.len() - 1
    }

    pub fn handle(&mut self, tab: usize, input: Input) {
        self.queue.push_back((tab, input));
        self.run();
    }

    /// Lets everything happen that can happen now.
    pub fn run(&mut self) {
        if !self.keeps_commits {
            for (tab, message) in std::mem::take(&mut self.kept) {
                self.broadcast(tab, &message);
            }
        }
        if self.late_storage.is_none() {
            self.queue.extend(self.late.drain(..));
        }
        while !self.blocked
            && let Some((tab, ticket, op)) = self.blocked_ops.pop_front()
        {
            self.carry_out(tab, Output::Store(ticket, op));
        }
        loop {
            while let Some((tab, input)) = self.queue.pop_front() {
                self.tell(tab, input);
            }
            if !self.applications() {
                return;
            }
        }
    }

    fn tell(&mut self, tab: usize, input: Input) {
        if self.tabs[tab].frozen {
            return self.tabs[tab].backlog.push_back(input);
        }
        let Some(node) = &mut self.tabs[tab].node else { return };
        node.handle(self.now, input);
        while let Some(output) = self.tabs[tab].node.as_mut().and_then(Node::poll) {
            self.carry_out(tab, output);
        }
    }

    fn carry_out(&mut self, tab: usize, output: Output) {
        match output {
            Output::Store(..) if self.stores_nothing == Some(tab) => {}
            Output::Acquire(lock, _) if self.refuses_locks == Some(tab) => {
                self.queue.push_back((tab, Input::LockLost(lock)));
            }
            Output::Store(ticket, op) if self.blocked => self.blocked_ops.push_back((tab, ticket, op)),
            Output::Store(ticket, op) => {
                self.stored += 1;
                let stored = (tab, Input::Stored(ticket, self.table.run(&op)));
                if self.late_storage == Some(tab) {
                    return self.late.push(stored);
                }
                self.queue.push_back(stored);
            }
            Output::Send(message) => {
                self.sent += 1;
                if self.silent || (self.loses_notices && matches!(message, Message::Appended(_))) {
                    return;
                }
                let message = Message::decode(&message.encode()).expect("a message survives its encoding");
                if let (Some(loses), Message::Group(bytes)) = (self.loses, &message)
                    && loses(&GroupMessage::decode(bytes).expect("a message survives its encoding"))
                {
                    return;
                }
                let entrusted =
                    |bytes: &Vec<u8>| matches!(GroupMessage::decode(bytes), Some(GroupMessage::Commit(..)));
                if self.keeps_commits && matches!(&message, Message::Group(bytes) if entrusted(bytes)) {
                    return self.kept.push((tab, message));
                }
                self.broadcast(tab, &message);
            }
            Output::Acquire(lock, name) => {
                let queue = self.locks.entry(name).or_default();
                queue.push_back((tab, lock));
                if queue.len() == 1 {
                    self.queue.push_back((tab, Input::Granted(lock)));
                }
            }
            Output::Steal(lock, name) => {
                let queue = self.locks.entry(name).or_default();
                if let Some((holder, lost)) = queue.pop_front() {
                    self.queue.push_back((holder, Input::LockLost(lost)));
                }
                queue.push_front((tab, lock));
                self.queue.push_back((tab, Input::Granted(lock)));
            }
            Output::Release(lock) => self.release(|waits| waits == (tab, lock)),
            Output::Done(call, result) => {
                self.tabs[tab].answers.insert(call, result);
            }
            Output::Deliver { forwarder, ticket, batches, .. } => {
                self.tabs[tab].delivering.push((forwarder, ticket, batches));
            }
            Output::Assign(spec) => {
                let answer = self.assignors.get(&spec.assignor).map(|assign| assign(&spec));
                if let Some(Assigned::Done(result)) = answer {
                    self.queue.push_back((tab, Input::Assigned(spec.group, spec.group_epoch, result)));
                }
            }
            Output::Event(event) => self.tabs[tab].events.push(event),
            #[allow(unreachable_patterns, reason = "what other tests look at")]
            _ => {}
        }
    }

    fn broadcast(&mut self, tab: usize, message: &Message) {
        for other in (0..self.tabs.len()).filter(|other| *other != tab) {
            self.queue.push_back((other, Input::Message(message.clone())));
        }
    }

    /// Somebody steals the lock whose name begins so.
    pub fn steal(&mut self, prefix: &str) {
        let queue = self.locks.iter_mut().find(|(name, queue)| name.starts_with(prefix) && !queue.is_empty());
        let (holder, lost) = queue.and_then(|(_, queue)| queue.pop_front()).expect("it is held");
        self.queue.push_back((holder, Input::LockLost(lost)));
        let next = self.locks.iter().find(|(name, _)| name.starts_with(prefix));
        if let Some((tab, lock)) = next.and_then(|(_, queue)| queue.front().copied()) {
            self.queue.push_back((tab, Input::Granted(lock)));
        }
        self.run();
    }

    fn release(&mut self, gone: impl Fn((usize, LockId)) -> bool) {
        for queue in self.locks.values_mut() {
            let holder = queue.front().copied();
            queue.retain(|waits| !gone(*waits));
            let next = queue.front().copied();
            if let Some((tab, lock)) = next.filter(|_| next != holder) {
                self.queue.push_back((tab, Input::Granted(lock)));
            }
        }
    }

    /// The applications take the steps that they are told; false where there was none.
    fn applications(&mut self) -> bool {
        let mut busy = false;
        for tab in 0..self.tabs.len() {
            let ids: Vec<ConsumerId> = self.tabs[tab].readers.keys().copied().collect();
            if !self.tabs[tab].frozen {
                ids.into_iter().for_each(|id| busy |= self.application(tab, id));
            }
        }
        busy
    }

    fn application(&mut self, tab: usize, id: ConsumerId) -> bool {
        let Tab { answers, readers, .. } = &mut self.tabs[tab];
        let Some(reader) = readers.get_mut(&id) else { return false };
        let Some(answer) = reader.asked.and_then(|call| answers.remove(&call)) else { return false };
        reader.asked = None;
        if let Ok(Answer::Rebalance(Some(step))) = answer {
            reader.open = Some(step);
            if !reader.slow {
                self.take_step(tab, id);
            }
        }
        true
    }

    /// The application has taken the step that it was told, and asks for the next.
    pub fn take_step(&mut self, tab: usize, id: ConsumerId) {
        let Some(reader) = self.tabs[tab].readers.get_mut(&id) else { return };
        let step = reader.open.take().expect("a step was told");
        reader.owned = step.assignment.clone();
        reader.steps.push(step);
        self.queue.push_back((tab, Input::Consumer(id, Command::Rebalanced)));
        self.ask_for_step(tab, id);
    }

    fn ask_for_step(&mut self, tab: usize, id: ConsumerId) {
        self.calls += 1;
        let (call, input) = (self.calls, Call::Rebalance(id));
        if let Some(reader) = self.tabs[tab].readers.get_mut(&id) {
            reader.asked = Some(call);
        }
        self.queue.push_back((tab, Input::Calls(vec![(call, input)])));
    }

    pub fn call(&mut self, tab: usize, call: Call) -> u64 {
        self.calls += 1;
        let id = self.calls;
        self.handle(tab, Input::Calls(vec![(id, call)]));
        id
    }

    pub fn waits(&self, tab: usize, call: u64) -> bool {
        !self.tabs[tab].answers.contains_key(&call)
    }

    pub fn answer(&mut self, tab: usize, call: u64) -> Result<Answer, Error> {
        self.tabs[tab].answers.remove(&call).expect("the call has ended")
    }

    pub fn ask(&mut self, tab: usize, call: Call) -> Result<Answer, Error> {
        let call = self.call(tab, call);
        self.answer(tab, call)
    }

    pub fn command(&mut self, tab: usize, command: Command) {
        self.handle(tab, Input::Consumer(CONSUMER, command));
    }

    pub fn create_topic(&mut self, tab: usize, name: &str, partitions: i32) {
        let (name, config) = (name.to_string(), TopicConfig::default());
        self.ask(tab, Call::CreateTopic { name, partitions, config, validate_only: false }).unwrap();
    }

    /// Sends a record; answers its offset.
    pub fn send(&mut self, tab: usize, topic: &str, partition: i32, value: &str) -> Offset {
        let frames = FrameWriter::default().frame(partition, 5, None, Some(value.as_bytes())).0;
        let call = Call::Send {
            topic: topic.into(),
            frames,
            acks: Acks::Leader,
            create: true,
            compression: Compression::None,
        };
        match self.ask(tab, call) {
            Ok(Answer::Sent(sent)) => sent[0].base,
            other => panic!("{:?}", other.err()),
        }
    }

    /// A consumer of this tab subscribes and joins; answers the call.
    pub fn join(&mut self, tab: usize, topic: &str) -> u64 {
        self.join_as(tab, CONSUMER, topic, ConsumerOptions::new("g"))
    }

    pub fn join_as(&mut self, tab: usize, id: ConsumerId, topic: &str, options: ConsumerOptions) -> u64 {
        self.subscribe(tab, id, topic, options);
        self.join_subscribed(tab, id)
    }

    pub fn subscribe(&mut self, tab: usize, id: ConsumerId, topic: &str, options: ConsumerOptions) {
        self.handle(tab, Input::Consumer(id, Command::Open(Box::new(options))));
        self.handle(tab, Input::Consumer(id, Command::Subscribe(topic.into(), Reset::Earliest)));
    }

    pub fn join_subscribed(&mut self, tab: usize, id: ConsumerId) -> u64 {
        self.tabs[tab].readers.entry(id).or_default();
        let call = self.call(tab, Call::Join(id));
        self.ask_for_step(tab, id);
        self.run();
        call
    }

    pub fn reader(&mut self, tab: usize) -> &mut Reader {
        self.tabs[tab].readers.get_mut(&CONSUMER).expect("it reads")
    }

    /// The partitions that the application of this tab believes it has.
    pub fn owned(&mut self, tab: usize) -> Vec<i32> {
        let mut owned: Vec<i32> = self.reader(tab).owned.iter().map(|(_, partition)| *partition).collect();
        owned.sort_unstable();
        owned
    }

    pub fn kinds(&mut self, tab: usize) -> Vec<RebalanceKind> {
        self.reader(tab).steps.iter().map(|step| step.kind).collect()
    }

    /// Reads what there is in the partitions of this tab, and commits nothing.
    pub fn read(&mut self, tab: usize) -> Vec<String> {
        let mut values = Vec::new();
        loop {
            let call = self.call(tab, Call::Fetch(CONSUMER, FetchLimits::up_to(1 << 20)));
            if self.waits(tab, call) {
                self.command(tab, Command::Wake);
                self.answer(tab, call).unwrap();
                return values;
            }
            values.extend(self.fetched(tab, call));
        }
    }

    /// The records that a fetch was answered with; none where it was woken.
    pub fn fetched(&mut self, tab: usize, call: u64) -> Vec<String> {
        let Ok(Answer::Records(Some(found))) = self.answer(tab, call) else { return Vec::new() };
        let all = found.batches.iter().flat_map(|batch| records(batch).unwrap().map(Result::unwrap));
        let wanted = all.filter(|record| record.offset >= found.from);
        wanted.map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
    }

    pub fn commit(&mut self, tab: usize, topic: &str, partition: i32, offset: Offset) -> u64 {
        self.call(tab, Call::Commit(CONSUMER, vec![(topic.into(), partition, offset, None)]))
    }

    /// Lets time pass, one deadline of all tabs after another.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.instant + ms;
        loop {
            let at = (0..self.tabs.len()).filter_map(|tab| self.wakes_at(tab)).min().filter(|at| *at <= end);
            let Some(at) = at else { return self.set_time(end) };
            self.set_time(at.max(self.now.instant));
            for tab in 0..self.tabs.len() {
                if self.wakes_at(tab).is_some_and(|wakes| wakes <= at) {
                    self.handle(tab, Input::Tick);
                }
            }
        }
    }

    fn wakes_at(&self, tab: usize) -> Option<u64> {
        const MINUTE: u64 = 60_000;
        let Tab { node, frozen, throttled, .. } = &self.tabs[tab];
        let deadline = node.as_ref().filter(|_| !frozen)?.deadline()?.max(self.now.instant);
        Some(if *throttled { deadline.div_ceil(MINUTE) * MINUTE } else { deadline })
    }

    fn set_time(&mut self, at: u64) {
        self.now.timestamp += (at - self.now.instant) as i64;
        self.now.instant = at;
    }

    /// The tab dies without a word.
    pub fn crash(&mut self, tab: usize) {
        self.tabs[tab].node = None;
        self.tabs[tab].readers.clear();
        self.release(|(holder, _)| holder == tab);
        self.run();
    }

    /// A frozen tab runs again, and finds what came meanwhile.
    pub fn thaw(&mut self, tab: usize) {
        self.tabs[tab].frozen = false;
        self.queue.push_back((tab, Input::Tick));
        let backlog = std::mem::take(&mut self.tabs[tab].backlog);
        self.queue.extend(backlog.into_iter().map(|input| (tab, input)));
        self.run();
    }

    /// The group `g`, as it is stored.
    pub fn group(&mut self) -> GroupRow {
        self.table.run(&DescribeGroup { group: "g".into() }).unwrap().expect("the group is stored")
    }

    /// The tab that holds the coordinator's lock of group `g`.
    pub fn coordinator(&self) -> usize {
        self.locks["coordinator/g"].front().expect("somebody holds it").0
    }
}
