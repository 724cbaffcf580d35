//! One forwarder, driven by hand.

use std::collections::VecDeque;

use headwater::base::{Error, Now, Random};
use headwater::client::forwarder::{
    Answered, Delivery, DeliveryRow, Event, Failure, Forwarder, ForwarderOp, Options, Outcome, Output,
    WireBatch,
};
use headwater::log::Durability;

use super::broker::sign;
use super::profile::{Profile, TOPIC};

pub const HOUR: u64 = 3_600_000;

pub struct Sent {
    pub ticket: u64,
    pub batches: Vec<WireBatch>,
    pub keepalive: bool,
}

pub struct Rig {
    pub now: Now,
    pub profile: Profile,
    pub forwarder: Forwarder,
    pub sent: VecDeque<Sent>,
    pub events: Vec<Event>,
    pub grown: Vec<i32>,
    /// The transactions that were run: what they were, and what they survive.
    pub ran: Vec<(&'static str, Durability)>,
    /// What the next transactions end with, whether they write or not.
    pub failures: VecDeque<(bool, Error)>,
    names: usize,
}

impl Rig {
    pub fn new(partitions: i32) -> Self {
        Self::of(Profile::new(partitions, &mut Random::new(7)))
    }

    /// The next owner of the partitions of a profile.
    pub fn of(profile: Profile) -> Self {
        let options = Options { topic: TOPIC.into(), bytes_max: 100_000, linger_ms: 250 };
        let mut rig = Self {
            now: Now { instant: 1_000, timestamp: 1_800_000_000_000 },
            forwarder: Forwarder::new(options, Random::new(3)),
            profile,
            sent: VecDeque::new(),
            events: Vec::new(),
            grown: Vec::new(),
            ran: Vec::new(),
            failures: VecDeque::new(),
            names: 0,
        };
        rig.given();
        rig.drain();
        rig
    }

    /// The topic is known, and all its partitions are this forwarder's.
    pub fn given(&mut self) {
        self.forwarder.set_topic(self.now, &self.profile.topic);
        self.forwarder.assign(self.now, &self.profile.topic.topic_partitions().collect());
    }

    /// A forwarder of one partition whose identity is signed, and which has sent `count` records: the request.
    pub fn sending(count: usize) -> (Self, Sent) {
        let mut rig = Self::new(1);
        rig.append(0, count);
        rig.pass(250);
        let sent = rig.take();
        rig.answer(&sent, Outcome::Unregistered);
        let sent = rig.take();
        (rig, sent)
    }

    pub fn append(&mut self, partition: i32, count: usize) {
        let names: Vec<String> = (self.names..self.names + count).map(|name| format!("r{name}")).collect();
        self.append_named(partition, &names);
    }

    pub fn append_named(&mut self, partition: i32, names: &[String]) {
        let end = self.append_unnoticed(partition, names);
        self.notice(partition, end);
        self.drain();
    }

    /// Appends records of which the forwarder hears nothing; answers the partition's end.
    pub fn append_unnoticed(&mut self, partition: i32, names: &[String]) -> i64 {
        self.names += names.len();
        self.profile.append(partition, names, Durability::Relaxed) + names.len() as i64
    }

    pub fn notice(&mut self, partition: i32, end: i64) {
        self.forwarder.appended(self.now, self.profile.tp(partition), end);
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.forwarder.poll() {
            match output {
                Output::Store(partition, op) => self.store(partition, &op),
                Output::Deliver { ticket, batches, keepalive } => {
                    self.sent.push_back(Sent { ticket, batches, keepalive });
                }
                Output::Grow(partitions) => self.grown.push(partitions),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn store(&mut self, partition: i32, op: &ForwarderOp) {
        let kind = match op {
            ForwarderOp::Claim { .. } => "claim",
            ForwarderOp::Save { .. } => "save",
            ForwarderOp::Mark { .. } => "mark",
            ForwarderOp::Remark { .. } => "remark",
        };
        self.ran.push((kind, headwater::log::Op::plan(op).durability));
        let result = match self.failures.pop_front() {
            Some((false, error)) => Err(error),
            Some((true, error)) => self.profile.disk.run(op).and(Err(error)),
            None => self.profile.disk.run(op),
        };
        self.forwarder.stored(self.now, partition, result);
    }

    /// Lets time pass, with every tick that is asked for.
    pub fn pass(&mut self, milliseconds: u64) {
        let until = self.now.instant + milliseconds;
        while let Some(at) = self.forwarder.deadline().filter(|at| *at <= until) {
            self.advance(at.saturating_sub(self.now.instant));
            self.forwarder.tick(self.now);
            self.drain();
        }
        self.advance(until - self.now.instant);
    }

    /// Time passes unseen.
    pub fn advance(&mut self, milliseconds: u64) {
        self.now.instant += milliseconds;
        self.now.timestamp += milliseconds as i64;
    }

    /// The only request that was sent.
    pub fn take(&mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "one request was sent");
        self.sent.pop_front().unwrap()
    }

    /// All batches of the request get this answer.
    pub fn answer(&mut self, sent: &Sent, outcome: Outcome) {
        let answers = sent.batches.iter().map(|batch| self.answered(batch, outcome)).collect();
        self.deliver(sent, Delivery { failure: None, answers, limits: None });
    }

    pub fn answered(&self, batch: &WireBatch, outcome: Outcome) -> Answered {
        let at = self.now.timestamp;
        let signature = Some((sign(batch.producer_id, at), at));
        Answered { outcome, partitions: None, signature, failure: None }
    }

    pub fn deliver(&mut self, sent: &Sent, delivery: Delivery) {
        self.forwarder.delivered(self.now, sent.ticket, &delivery);
        self.drain();
    }

    pub fn fail(&mut self, sent: &Sent, retriable: bool, retry_after_ms: Option<u64>) {
        let failure = Failure { code: "FAILED".into(), message: "no".into(), retriable, retry_after_ms };
        self.deliver(sent, Delivery { failure: Some(failure), answers: Vec::new(), limits: None });
    }

    pub fn row(&self) -> DeliveryRow {
        self.profile.row(0).expect("the partition was claimed")
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The transactions since the last call.
    pub fn ran(&mut self) -> Vec<(&'static str, Durability)> {
        std::mem::take(&mut self.ran)
    }
}
