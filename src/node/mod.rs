//! F4, the node: one tab or worker. One way in, one way out: after every [`Node::handle`], drain
//! [`Node::poll`]; call again at [`Node::deadline`] with [`Input::Tick`].

mod admin;
mod call;
mod consumers;
mod damage;
mod forwarders;
mod groups;
mod late;
mod maintenance;
mod message;
mod op;
mod relief;
mod sends;
mod topics;
mod transactions;
mod want;

use std::collections::VecDeque;
use std::rc::Rc;

pub use call::{
    Acks, Answer, Assigned, Call, Command, Consumed, ConsumerOptions, Event, ForwardOptions, Input, Output,
    PageEvent, Position, Transaction,
};
pub use consumers::{Rebalance, RebalanceKind};
pub use groups::{GroupMessage, Signal, Term};
pub use message::Message;
pub use op::{AnyOp, AnyReply};

use crate::base::{Code, Error, Instant, Map, Now, Offset, ProducerId, Random, TopicPartition};
use crate::client::producer::{CallId, Producer};
use crate::client::transaction::{CommitTransaction, Transactions};
use consumers::Consumers;
use forwarders::Forwarders;
use groups::Groups;
use maintenance::Maintenance;
use relief::Reliefs;
use topics::Topics;
use transactions::Commits;
use want::{PendingSend, Want};

/// Names a transaction until its result is known.
pub type Ticket = u64;
/// Names a lock, from the wait for it until its release.
pub type LockId = u64;
/// Names a consumer of this node.
pub type ConsumerId = u32;
/// Names a forwarder of this node.
pub type ForwarderId = u32;

/// So long a node may do with its core alone.
const COMPLETE_MS: u64 = 60_000;

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
    groups: Groups,
    maintenance: Maintenance,
    /// False while what is loaded late is not there.
    complete: bool,
    /// When to ask for it although nothing needs it.
    complete_at: Option<Instant>,
    /// Transactions that wait for it.
    held: Vec<(Pending, Rc<AnyOp>, Error)>,
    reliefs: Reliefs,
}

/// What a node is told of the place that it runs in.
#[derive(Clone, Copy, Debug)]
pub struct NodeOptions {
    /// There are locks that tell who is alive. Where there are none, silence does, later.
    pub locks: bool,
    /// The user sees the page, or there is none, as in a worker.
    pub visible: bool,
    /// What is loaded late is there already: see [`Input::Complete`].
    pub complete: bool,
    /// Whoever was stalled judges nobody for what it did not hear. Only a test turns this off.
    pub doubts_stalls: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { locks: true, visible: true, complete: true, doubts_stalls: true }
    }
}

/// What a transaction was run for.
enum Pending {
    Admin(CallId),
    Topic(String),
    Learn(String),
    Append,
    InitTransactions {
        call: CallId,
        transactional_id: String,
    },
    CommitTransaction(Rc<CommitTransaction>),
    Sync(Vec<CallId>, u32),
    Consumer(ConsumerId, consumers::Step),
    Forwarder(ForwarderId, forwarders::Step),
    Group(groups::Step),
    Maintenance(u64, maintenance::Step),
    Repair(TopicPartition, Box<damage::Repair>),
    /// It met damage that was not found again.
    Mended(Box<Pending>),
    Relief(relief::Task),
}

impl Node {
    /// A node with its own producer id, all of whose choices follow from `seed`.
    pub fn new(now: Now, seed: u64, options: NodeOptions) -> Self {
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
            groups: Groups::new(random.next_u64(), options),
            maintenance: Maintenance::new(now, &mut random),
            reliefs: Reliefs::default(),
            random,
            complete: options.complete,
            complete_at: None,
            held: Vec::new(),
        }
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        // Most of what nodes say of groups is for one of them: the others sleep on.
        if let Input::Message(Message::Group(bytes)) = &input
            && !(self.complete && self.late_concerns(bytes))
        {
            return;
        }
        if self.complete {
            self.late_wake(now);
        }
        self.now = now;
        match input {
            Input::Tick => self.tick(),
            Input::Calls(calls) => calls.into_iter().for_each(|(call, what)| self.call(call, what)),
            Input::Consumer(id, command) => self.late_command(id, command),
            Input::Stored(ticket, result) => self.stored(ticket, result),
            Input::Message(message) => self.message(message),
            Input::Granted(lock) => self.late_granted(lock),
            Input::LockLost(lock) => self.late_lock_lost(lock),
            Input::Assigned(group, epoch, result) => self.late_assigned(&group, epoch, result),
            Input::Idle(id) => self.late_idle(id),
            Input::Delivered(id, ticket, delivery) => self.late_delivered(id, ticket, &delivery),
            Input::Reopened => self.forget_all(),
            Input::Page(event) => self.page(event),
            Input::Complete(complete) => self.completed(complete),
        }
        self.drain();
    }

    /// What is to be done next; `None` until the next [`Node::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        let late = if self.complete { self.late_deadline() } else { self.complete_at };
        [self.producer.deadline(), late].into_iter().flatten().min()
    }

    fn call(&mut self, call: CallId, what: Call) {
        match what {
            Call::Send { topic, frames, acks, create, compression } => {
                self.want(&topic, Want::Send(PendingSend { call, frames, acks, create, compression }));
            }
            Call::DescribeTopic { name, create } => self.want(&name, Want::Describe { call, create }),
            Call::Flush => self.flushes.push(call),
            late => self.late_call(call, late),
        }
    }

    fn tick(&mut self) {
        self.producer.tick(self.now);
        if self.complete {
            self.late_tick();
        } else if self.complete_at.take_if(|at| *at <= self.now.instant).is_some() {
            self.event(Event::Incomplete);
        }
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

    fn page(&mut self, event: PageEvent) {
        if let PageEvent::Visible | PageEvent::Hidden = event {
            self.groups.visible = event == PageEvent::Visible;
        }
        if self.complete {
            self.late_page(event);
        }
    }

    fn done(&mut self, call: CallId, result: Result<Answer, Error>) {
        self.outputs.push_back(Output::Done(call, result));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn stored(&mut self, ticket: Ticket, result: Result<AnyReply, Error>) {
        let Some((pending, op)) = self.pending.remove(&ticket) else { return };
        match result {
            Err(error) if mendable(&pending, &error) => self.mend(pending, op, error),
            result => {
                if result.is_ok() && matches!(*op, AnyOp::Append(_)) {
                    self.reliefs.fits();
                }
                self.concluded(pending, result);
            }
        }
    }

    /// Something has to be done before the transaction can be run again, or fails.
    fn mend(&mut self, pending: Pending, op: Rc<AnyOp>, error: Error) {
        if self.complete {
            self.late_mend(pending, op, error);
        } else {
            self.held.push((pending, op, error));
            self.event(Event::Incomplete);
        }
    }

    /// What is loaded late is there, or cannot be loaded. A page that only appends needs it some time all the same: the
    /// log has to be looked after.
    fn completed(&mut self, complete: bool) {
        self.complete = complete;
        self.complete_at = if complete { None } else { Some(self.now.instant + COMPLETE_MS) };
        for (pending, op, error) in core::mem::take(&mut self.held) {
            if complete {
                self.late_mend(pending, op, error);
            } else {
                self.concluded(pending, Err(error));
            }
        }
    }

    fn concluded(&mut self, pending: Pending, result: Result<AnyReply, Error>) {
        match pending {
            Pending::Topic(name) => self.topic_resolved(&name, result),
            Pending::Learn(name) => self.learned(&name, result),
            Pending::Append => self.appended(result),
            Pending::Sync(calls, relaxed) => self.synced(&calls, relaxed, &result),
            late => self.late_stored(late, result),
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Appended(ends) => self.grew(&ends),
            Message::TopicChanged(name) => self.topic_changed(&name),
            Message::Group(bytes) if self.complete => self.late_message(&bytes),
            Message::Group(_) => {}
        }
    }

    /// Partitions end there now, by an append of this node or of another.
    fn grew(&mut self, ends: &[(TopicPartition, Offset)]) {
        if self.complete {
            self.late_appended(ends);
        }
    }

    /// Moves what the machines want done into the node's own outputs.
    fn drain(&mut self) {
        self.drain_producer();
        if self.complete {
            self.late_drain();
        }
        self.end_flushes();
    }
}

/// True where a transaction met damage, or a quota that is used up, and can go on once that was seen to. What makes
/// room gets its own failures, or it would wait for itself.
fn mendable(pending: &Pending, error: &Error) -> bool {
    let relief = matches!(pending, Pending::Relief(_));
    matches!(error.code(), Code::CorruptMessage | Code::StorageQuotaExceeded) && !relief
}
