//! F4, the node: one tab or worker. One way in, one way out: after every [`Node::handle`], drain
//! [`Node::poll`]; call again at [`Node::deadline`] with [`Input::Tick`].

mod admin;
mod call;
mod consumers;
mod damage;
mod forwarders;
mod maintenance;
mod message;
mod op;
mod sends;
mod topics;
mod transactions;
mod want;

use std::collections::VecDeque;
use std::rc::Rc;

pub use call::{
    Acks, Answer, Call, Command, Consumed, Event, ForwardOptions, Input, Output, PageEvent, Position,
    Transaction,
};
pub use message::Message;
pub use op::{AnyOp, AnyReply};

use crate::base::{Code, Error, Instant, Map, Now, ProducerId, Random, TopicPartition};
use crate::client::producer::{CallId, Producer};
use crate::client::transaction::{CommitTransaction, Transactions};
use consumers::Consumers;
use forwarders::Forwarders;
use maintenance::Maintenance;
use topics::Topics;
use transactions::Commits;

/// Names a transaction until its result is known.
pub type Ticket = u64;
/// Names a lock, from the wait for it until its release.
pub type LockId = u64;
/// Names a consumer of this node.
pub type ConsumerId = u32;
/// Names a forwarder of this node.
pub type ForwarderId = u32;

/// One tab or worker of a log.
pub struct Node {
    now: Now,
    random: Random,
    tickets: Ticket,
    pending: Map<Ticket, (Pending, Rc<AnyOp>)>,
    outputs: VecDeque<Output>,
    topics: Topics,
    producer: Producer,
    commits: Commits,
    flushes: Vec<CallId>,
    consumers: Consumers,
    forwarders: Forwarders,
    maintenance: Maintenance,
}

/// What a transaction was run for.
enum Pending {
    Admin(CallId),
    Topic(String),
    Learn(String),
    Append,
    InitTransactions { call: CallId, transactional_id: String },
    CommitTransaction(Rc<CommitTransaction>),
    Sync(Vec<CallId>),
    Consumer(ConsumerId, consumers::Step),
    Forwarder(ForwarderId, forwarders::Step),
    Maintenance(u64, maintenance::Step),
    Repair(TopicPartition, Box<damage::Repair>),
}

impl Node {
    /// A node with its own producer id, all of whose choices follow from `seed`.
    pub fn new(now: Now, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let id = (random.next_u64() >> 2) as ProducerId;
        let producer = Producer::new(id, Random::new(random.next_u64()));
        Self {
            now,
            tickets: 0,
            pending: Map::new(),
            outputs: VecDeque::new(),
            topics: Topics::default(),
            producer,
            commits: Commits::new(Transactions::new(Random::new(random.next_u64()))),
            flushes: Vec::new(),
            consumers: Consumers::default(),
            forwarders: Forwarders::default(),
            maintenance: Maintenance::new(now, &mut random),
            random,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Tick => self.tick(),
            Input::Calls(calls) => calls.into_iter().for_each(|(call, what)| self.call(call, what)),
            Input::Consumer(id, command) => self.command(id, command),
            Input::Stored(ticket, result) => self.stored(ticket, result),
            Input::Message(message) => self.message(message),
            Input::Granted(lock) => self.granted(lock),
            Input::Idle(id) => self.idle(id),
            Input::Delivered(id, ticket, delivery) => self.delivered(id, ticket, &delivery),
            Input::Reopened => self.forget_all(),
            Input::Page(event) => self.page(event),
        }
        self.drain();
    }

    /// What is to be done next; `None` until the next [`Node::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.producer.deadline(),
            self.commits.machine.deadline(),
            self.consumers.deadline(),
            self.forwarders.deadline(),
            self.maintenance.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn tick(&mut self) {
        self.producer.tick(self.now);
        self.commits.machine.tick(self.now);
        self.consumers.tick(self.now);
        self.tick_forwarders();
        self.maintain();
    }

    fn store(&mut self, op: AnyOp, pending: Pending) {
        self.store_again(Rc::new(op), pending);
    }

    fn store_again(&mut self, op: Rc<AnyOp>, pending: Pending) {
        self.tickets += 1;
        self.pending.insert(self.tickets, (pending, Rc::clone(&op)));
        self.outputs.push_back(Output::Store(self.tickets, op));
    }

    fn lock_id(&mut self) -> LockId {
        self.tickets += 1;
        self.tickets
    }

    fn granted(&mut self, lock: LockId) {
        self.maintenance_granted(lock);
        self.group_granted(lock);
        self.forwarder_granted(lock);
    }

    fn page(&mut self, event: PageEvent) {
        self.page_of_forwarders(event);
        self.page_of_maintenance(event);
        match event {
            PageEvent::Suspended => self.suspend_consumers(),
            PageEvent::Resumed => self.resume_consumers(),
            PageEvent::Visible | PageEvent::Hidden | PageEvent::Online => {}
        }
    }

    fn done(&mut self, call: CallId, result: Result<Answer, Error>) {
        self.outputs.push_back(Output::Done(call, result));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn stored(&mut self, ticket: Ticket, result: Result<AnyReply, Error>) {
        match (self.pending.remove(&ticket), result) {
            (Some((pending, op)), Err(error)) if error.code() == Code::CorruptMessage => {
                self.damaged(pending, op, error);
            }
            (Some((pending, _)), result) => self.concluded(pending, result),
            (None, _) => {}
        }
    }

    fn concluded(&mut self, pending: Pending, result: Result<AnyReply, Error>) {
        match pending {
            Pending::Repair(tp, repair) => self.repaired(tp, repair, result),
            Pending::Admin(call) => self.administered(call, result),
            Pending::Topic(name) => self.topic_resolved(&name, result),
            Pending::Learn(name) => self.learned(&name, result),
            Pending::Append => self.appended(result),
            Pending::InitTransactions { call, transactional_id } => {
                self.transactions_initialised(call, transactional_id, result);
            }
            Pending::CommitTransaction(op) => self.transaction_committed(&op, result),
            Pending::Sync(calls) => self.synced(&calls, &result),
            Pending::Consumer(id, step) => self.consumer_stored(id, step, result),
            Pending::Forwarder(id, step) => self.forwarder_stored(id, step, result),
            Pending::Maintenance(id, step) => self.maintained(id, step, result),
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Appended(ends) => {
                for (tp, end) in ends {
                    self.consumers.appended(tp, end);
                    self.forwarders.appended(self.now, tp, end);
                }
            }
            Message::TopicChanged(name) => self.topic_changed(&name),
        }
    }

    /// Moves what the machines want done into the node's own outputs.
    fn drain(&mut self) {
        self.drain_producer();
        self.drain_commits();
        self.drain_consumers();
        self.drain_forwarders();
        self.end_flushes();
    }
}
