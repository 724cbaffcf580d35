//! Whole nodes of one log, driven by hand: storage, channel, locks, idleness and clock are the test's.

use std::collections::{BTreeMap, VecDeque};

use headwater::base::{Code, Error, Now};
use headwater::log::Op;
use headwater::log::batch::{Compression, records};
use headwater::log::ops::Fetch;
use headwater::node::{
    Acks, Answer, AnyOp, AnyReply, Call, Event, Input, LockId, Message, Node, NodeOptions, Output,
};

use super::{FrameWriter, Table};

/// What becomes of a storage transaction, before or after it has run.
pub type Fault = fn(&AnyOp, &mut Table) -> Option<Result<AnyReply, Error>>;

/// One origin: nodes that share rows, a channel and locks.
#[derive(Default)]
pub struct Origin {
    pub now: Now,
    pub table: Table,
    pub nodes: Vec<Node>,
    answers: Vec<BTreeMap<u64, Result<Answer, Error>>>,
    /// Who holds or waits for each lock, the holder first.
    locks: BTreeMap<String, VecDeque<(usize, LockId)>>,
    pub events: Vec<Event>,
    /// Asked for each transaction; where it answers nothing, the transaction runs.
    pub fault: Option<Fault>,
    pub messages_lost: bool,
    /// The pages are being used: nothing is idle before [`Origin::rest`].
    pub busy: bool,
    /// This node's page is never idle.
    pub never_idle: Option<usize>,
    waiting: Vec<(usize, u64)>,
    calls: u64,
}

impl Origin {
    pub fn node(&mut self) -> usize {
        self.nodes.push(Node::new(self.now, 100 + self.nodes.len() as u64, NodeOptions::default()));
        self.answers.push(BTreeMap::new());
        self.nodes.len() - 1
    }

    pub fn handle(&mut self, node: usize, input: Input) {
        self.nodes[node].handle(self.now, input);
        while let Some(output) = self.nodes[node].poll() {
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Store(ticket, op) => {
                let fault = self.fault.and_then(|fault| fault(&op, &mut self.table));
                let result = fault.unwrap_or_else(|| self.table.run(&op));
                self.handle(node, Input::Stored(ticket, result));
            }
            Output::Send(message) => self.broadcast(node, &message),
            Output::Acquire(lock, name) => {
                let queue = self.locks.entry(name).or_default();
                queue.push_back((node, lock));
                if queue.len() == 1 {
                    self.handle(node, Input::Granted(lock));
                }
            }
            Output::Release(lock) => self.release((node, lock)),
            Output::Idle(_) if self.never_idle == Some(node) => {}
            Output::Idle(id) if self.busy => self.waiting.push((node, id)),
            Output::Idle(id) => self.handle(node, Input::Idle(id)),
            Output::Done(call, result) => {
                self.answers[node].insert(call, result);
            }
            Output::Steal(..) | Output::Assign(_) | Output::Deliver { .. } => {
                panic!("there is no group here")
            }
            Output::Event(event) => self.events.push(event),
        }
    }

    fn broadcast(&mut self, from: usize, message: &Message) {
        let message = Message::decode(&message.encode()).expect("a message survives its encoding");
        if self.messages_lost {
            return;
        }
        for node in (0..self.nodes.len()).filter(|node| *node != from) {
            self.handle(node, Input::Message(message.clone()));
        }
    }

    fn release(&mut self, lock: (usize, LockId)) {
        for queue in self.locks.values_mut() {
            let held = queue.front() == Some(&lock);
            queue.retain(|waiting| *waiting != lock);
            if let (true, Some((node, next))) = (held, queue.front().copied()) {
                return self.handle(node, Input::Granted(next));
            }
        }
    }

    pub fn call(&mut self, node: usize, call: Call) -> u64 {
        self.calls += 1;
        self.handle(node, Input::Calls(vec![(self.calls, call)]));
        self.calls
    }

    pub fn answer(&mut self, node: usize, call: u64) -> Option<Result<Answer, Error>> {
        self.answers[node].remove(&call)
    }

    pub fn ask(&mut self, node: usize, call: Call) -> Result<Answer, Error> {
        let call = self.call(node, call);
        self.answer(node, call).expect("the call has ended")
    }

    /// Lets time pass, one deadline of all nodes after another.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.instant + ms;
        loop {
            let next = self.nodes.iter().filter_map(Node::deadline).min().filter(|at| *at <= end);
            let at = next.unwrap_or(end).max(self.now.instant);
            self.now.timestamp += (at - self.now.instant) as i64;
            self.now.instant = at;
            if next.is_none() {
                return;
            }
            for node in 0..self.nodes.len() {
                if self.nodes[node].deadline().is_some_and(|deadline| deadline <= at) {
                    self.handle(node, Input::Tick);
                }
            }
        }
    }

    /// The pages are idle once; how many had waited for it.
    pub fn rest(&mut self) -> usize {
        let waiting = core::mem::take(&mut self.waiting);
        let count = waiting.len();
        waiting.into_iter().for_each(|(node, id)| self.handle(node, Input::Idle(id)));
        count
    }

    /// Sends one record without a key; answers its offset.
    pub fn send(&mut self, node: usize, topic: &str, value: &str) -> Result<i64, Error> {
        let frames = FrameWriter::default().frame(0, self.now.timestamp, None, Some(value.as_bytes())).0;
        let call = Call::Send {
            topic: topic.into(),
            frames,
            acks: Acks::Leader,
            create: true,
            compression: Compression::None,
        };
        match self.ask(node, call)? {
            Answer::Sent(sent) => Ok(sent[0].base),
            _ => panic!("a send is answered with its places"),
        }
    }

    /// What is stored in partition 0 from `offset` on, as far as it can be read.
    pub fn stored(&mut self, topic: &str, offset: i64) -> Vec<(i64, String)> {
        let row =
            self.table.run(&headwater::log::ops::DescribeTopic { name: topic.into() }).unwrap().unwrap();
        let tp = row.topic_partitions().next().unwrap();
        let fetched = self.table.run(&Fetch { tp, offset, batches_max: 1_000 }).unwrap();
        let all = fetched.batches.iter().flat_map(|batch| records(batch).unwrap().map(Result::unwrap));
        all.map(|record| {
            let value = record.value.unwrap_or(b"<tombstone>");
            (record.offset, String::from_utf8_lossy(value).into_owned())
        })
        .filter(|(at, _)| *at >= offset)
        .collect()
    }
}

/// Runs the transaction, and has nobody hear of it.
pub fn unheard(op: &AnyOp, table: &mut Table) -> Option<Result<AnyReply, Error>> {
    let error = Error::new(Code::StorageUnknownOutcome, "the connection died");
    Some(table.run(op).and(Err(error)))
}

/// True where the operation writes batches.
pub fn appends(op: &AnyOp) -> bool {
    matches!(op, AnyOp::Append(_)) && !op.plan().read_only()
}
