//! Delivery: every record of a topic reaches its sink once, in order, whatever happens on the way.
//!
//! ```text
//! claim -> row -> mark the next wire batch, strictly -> deliver -> answer -> settle and mark the next
//!                  ^ the same bytes again, until they are settled  |
//! ```
//!
//! One wire batch a partition is unsettled at a time. A request carries the batches of many partitions, and each
//! has its own answer.

mod lane;
mod op;
mod row;
mod wire;

use std::collections::{BTreeMap, VecDeque};

use lane::{Lane, Next};
pub use op::{Claimed, ForwarderOp, ListDelivered};
pub use row::DeliveryRow;
pub use wire::{Cut, HW_ID, HW_TIMESTAMP, HW_UNCERTAIN};

use super::backoff::Backoff;
use crate::base::{Error, Instant, Now, Offset, ProducerId, Random, Sequence, Timestamp, TopicPartition};
use crate::log::TopicRow;

/// How a forwarder behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The topic's name.
    pub topic: String,
    /// The most bytes of a wire batch.
    pub bytes_max: usize,
    /// How long a batch that is not full may wait, in milliseconds.
    pub linger_ms: u64,
}

/// One batch on its way to the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireBatch {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// How many partitions the topic has here.
    pub partitions: i32,
    /// The delivery's identity.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of the first record.
    pub base_sequence: Sequence,
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// True where one of the records may have been delivered under another name.
    pub uncertain: bool,
    /// The collector's signature of the identity; empty where there is none yet.
    pub signature: Vec<u8>,
    /// When it was signed, by the collector's clock.
    pub signed_at: Timestamp,
    /// The record batch.
    pub bytes: Vec<u8>,
}

/// What the sink said of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Why the request as a whole failed, if it did.
    pub failure: Option<Failure>,
    /// One answer a batch, in order; fewer where the request failed.
    pub answers: Vec<Answered>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The collector's code, or a name for what the network did.
    pub code: String,
    /// What happened.
    pub message: String,
    /// True where waiting helps.
    pub retriable: bool,
    /// How long the collector asks to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What became of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was stored now.
    Accepted,
    /// These very records were stored before.
    Duplicate,
    /// It can never be stored; the collector keeps it apart.
    DeadLettered,
    /// The identity is not signed, or the signature ran out; here is a fresh one.
    Unregistered,
    /// Other records were stored under this identity and sequence.
    Diverged,
    /// The sequence is not the next one.
    OutOfOrder,
    /// A newer epoch of the identity was seen.
    Fenced,
    /// It was not stored, and waiting alone does not help: somebody must change something.
    Refused,
    /// It was not stored, and waiting helps.
    Busy,
}

/// The answer to one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What became of it.
    pub outcome: Outcome,
    /// How many partitions the topic has at the sink, where it says so.
    pub partitions: Option<i32>,
    /// A fresh signature of the identity, and when it was made.
    pub signature: Option<(Vec<u8>, Timestamp)>,
    /// Why it was not stored.
    pub failure: Option<Failure>,
}

/// What the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Everything before `committed` is settled.
    Delivered {
        /// The partition.
        partition: i32,
        /// The next offset to deliver.
        committed: Offset,
    },
    /// A request failed; the same bytes go again.
    Retrying {
        /// Why.
        failure: Failure,
        /// When, in milliseconds from now.
        wait_ms: u64,
    },
    /// Records up to `until` may arrive twice, and say so.
    Uncertain {
        /// The partition.
        partition: i32,
        /// The end of what is uncertain.
        until: Offset,
    },
    /// The collector keeps these records apart, since they can never be stored.
    DeadLettered {
        /// The partition.
        partition: i32,
        /// The first offset.
        first: Offset,
        /// The last offset.
        last: Offset,
    },
    /// The topic has more partitions here than at the sink.
    PartitionsDiffer {
        /// Here.
        local: i32,
        /// There.
        remote: i32,
    },
    /// A partition cannot be forwarded until somebody has a look.
    Stuck {
        /// The partition.
        partition: i32,
        /// Why.
        error: Error,
    },
}

/// What the forwarder wants done.
pub enum Output {
    /// Run this for the partition, then call [`Forwarder::stored`].
    Store(i32, ForwarderOp),
    /// Hand these to the sink, then call [`Forwarder::delivered`] with this ticket.
    Deliver {
        /// Names the delivery.
        ticket: u64,
        /// The batches.
        batches: Vec<WireBatch>,
        /// The page may be gone before the answer.
        keepalive: bool,
    },
    /// The sink has more partitions: the topic is to grow to so many.
    Grow(i32),
    /// Tell the application.
    Event(Event),
}

struct Request {
    ticket: u64,
    partitions: Vec<i32>,
    deadline: Instant,
}

/// The forwarder of one topic in one node.
pub struct Forwarder {
    options: Options,
    random: Random,
    owns: bool,
    hidden: bool,
    lanes: BTreeMap<i32, Lane>,
    partitions: i32,
    tickets: u64,
    request: Option<Request>,
    expected_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

impl Forwarder {
    /// What a request may carry.
    const REQUEST_BYTES: usize = 3 << 20;
    /// What a request may carry that outlives its page: browsers allow 64 KiB, and others use them too.
    const KEEPALIVE_BYTES: usize = 48 << 10;
    /// A request that was not answered for so long has failed.
    const REQUEST_MS: u64 = 30_000;
    /// A node that wakes so much later than it wanted has slept: others may have gone on.
    const STALL_MS: u64 = 5_000;

    /// A forwarder that owns nothing yet.
    pub fn new(options: Options, random: Random) -> Self {
        Self {
            options,
            random,
            owns: false,
            hidden: false,
            lanes: BTreeMap::new(),
            partitions: 0,
            tickets: 0,
            request: None,
            expected_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.options.topic
    }

    /// This node is the one that forwards the topic.
    pub fn granted(&mut self, now: Now, topic: &TopicRow) {
        self.owns = true;
        self.lanes.clear();
        self.request = None;
        self.set_topic(now, topic);
    }

    /// This node is the one that forwards the topic, which is being read again: [`Forwarder::set_topic`] follows.
    pub fn granted_without_topic(&mut self) {
        self.owns = true;
        self.lanes.clear();
        self.request = None;
    }

    /// The topic has these partitions now.
    pub fn set_topic(&mut self, now: Now, topic: &TopicRow) {
        self.partitions = topic.partitions;
        if !self.owns {
            return;
        }
        for tp in topic.topic_partitions() {
            let stale = self.lanes.get(&tp.partition).is_some_and(|lane| lane.tp != tp);
            if stale || !self.lanes.contains_key(&tp.partition) {
                let fresh = DeliveryRow::fresh_id(&mut self.random);
                self.lanes.insert(tp.partition, Lane::claim(tp, fresh));
            }
        }
        self.go_on(now);
    }

    /// This node forwards the topic no longer. Whatever it is told afterwards is of no interest.
    pub fn released(&mut self) {
        self.owns = false;
        self.lanes.clear();
        self.request = None;
        self.expected_at = None;
    }

    /// Records were appended.
    pub fn appended(&mut self, now: Now, tp: TopicPartition, end: Offset) {
        let linger = self.options.linger_ms;
        if let Some(lane) = self.lanes.get_mut(&tp.partition).filter(|lane| lane.tp == tp) {
            lane.appended(now.instant + linger, end);
            self.go_on(now);
        }
    }

    /// A transaction has ended.
    pub fn stored(&mut self, now: Now, partition: i32, result: Result<Claimed, Error>) {
        let fresh = DeliveryRow::fresh_id(&mut self.random);
        let linger_until = now.instant + self.options.linger_ms;
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        let retry = Backoff::STORAGE.delay(lane.attempts + 1, &mut self.random);
        let event = lane.stored(result, fresh, linger_until, now.instant + retry);
        self.outputs.extend(event.map(Output::Event));
        self.go_on(now);
    }

    /// The sink has answered, or the network has failed.
    pub fn delivered(&mut self, now: Now, ticket: u64, delivery: &Delivery) {
        let Some(request) = self.request.take_if(|request| request.ticket == ticket) else { return };
        if let Some(failure) = &delivery.failure {
            self.back_off(now, &request.partitions, failure);
        }
        let answers = request.partitions.iter().zip(delivery.answers.iter().map(Some).chain(std::iter::repeat(None)));
        for (partition, answer) in answers {
            match answer {
                Some(answer) => self.answered(now, *partition, answer),
                None if delivery.failure.is_none() => {
                    let failure = Failure {
                        code: "MALFORMED_ANSWER".to_string(),
                        message: "the answer says nothing of this batch".to_string(),
                        retriable: true,
                        retry_after_ms: None,
                    };
                    self.back_off(now, &[*partition], &failure);
                }
                None => {}
            }
        }
        self.go_on(now);
    }

    fn answered(&mut self, now: Now, partition: i32, answer: &Answered) {
        let fresh = DeliveryRow::fresh_id(&mut self.random);
        if let Some(remote) = answer.partitions {
            self.compare_partitions(remote);
        }
        match (answer.outcome, &answer.failure) {
            (Outcome::Refused | Outcome::Busy, failure) => {
                let failure = failure.clone().unwrap_or_else(|| Failure {
                    code: "REFUSED".to_string(),
                    message: "the batch was refused without a reason".to_string(),
                    retriable: answer.outcome == Outcome::Busy,
                    retry_after_ms: None,
                });
                self.back_off(now, &[partition], &failure);
            }
            _ => {
                let linger_until = now.instant + self.options.linger_ms;
                let retry_at = now.instant + Backoff::DELIVERY.delay(1, &mut self.random);
                let Some(lane) = self.lanes.get_mut(&partition) else { return };
                let events = lane.answered(answer, fresh, linger_until, retry_at);
                self.outputs.extend(events.into_iter().map(Output::Event));
            }
        }
    }

    fn compare_partitions(&mut self, remote: i32) {
        if remote > self.partitions {
            self.partitions = remote;
            self.outputs.push_back(Output::Grow(remote));
        } else if remote < self.partitions {
            let event = Event::PartitionsDiffer { local: self.partitions, remote };
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn back_off(&mut self, now: Now, partitions: &[i32], failure: &Failure) {
        let lanes = partitions.iter().filter_map(|partition| self.lanes.get(partition));
        let attempt = lanes.map(|lane| lane.attempts).max().unwrap_or(0) + 1;
        let jitter = Backoff::DELIVERY.delay(attempt, &mut self.random);
        let least = if failure.retriable { 0 } else { Backoff::DELIVERY.max_ms * 2 };
        let wait_ms = jitter.max(least).max(failure.retry_after_ms.unwrap_or(0));
        for partition in partitions {
            if let Some(lane) = self.lanes.get_mut(partition) {
                lane.attempts = attempt;
                lane.wait(now.instant + wait_ms);
            }
        }
        self.outputs.push_back(Output::Event(Event::Retrying { failure: failure.clone(), wait_ms }));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        if self.expected_at.is_some_and(|at| now.instant > at + Self::STALL_MS) {
            self.lanes.values_mut().for_each(Lane::doubt);
        }
        if let Some(late) = self.request.take_if(|request| request.deadline <= now.instant) {
            let failure = Failure {
                code: "REQUEST_TIMED_OUT".to_string(),
                message: "the sink did not answer within 30 s".to_string(),
                retriable: true,
                retry_after_ms: None,
            };
            self.back_off(now, &late.partitions, &failure);
        }
        self.go_on(now);
    }

    /// The page cannot be seen any more: what is oldest goes at once, in a request that outlives the page.
    pub fn hidden(&mut self, now: Now) {
        self.hidden = true;
        if !self.owns {
            return;
        }
        self.lanes.values_mut().for_each(Lane::hurry);
        self.send_again(now);
        self.go_on(now);
    }

    /// The page can be seen again.
    pub fn visible(&mut self) {
        self.hidden = false;
    }

    /// The network is back: nobody waits for the rest of a backoff.
    pub fn online(&mut self, now: Now) {
        self.lanes.values_mut().for_each(Lane::wait_no_longer);
        self.go_on(now);
    }

    /// What a request under way carries goes once more, since that request may die with the page.
    fn send_again(&mut self, now: Now) {
        let Some(request) = self.request.take() else { return };
        for partition in &request.partitions {
            if let Some(lane) = self.lanes.get_mut(partition) {
                lane.wait(now.instant);
            }
        }
    }

    /// Does whatever can be done now.
    fn go_on(&mut self, now: Now) {
        if !self.owns {
            return;
        }
        let bytes_max = if self.hidden {
            Self::KEEPALIVE_BYTES / self.lanes.len().max(1)
        } else {
            self.options.bytes_max
        };
        for (partition, lane) in &mut self.lanes {
            if lane.may_store(now.instant) {
                let fresh = DeliveryRow::fresh_id(&mut self.random);
                if let Some(op) = lane.next_op(now.instant, bytes_max, fresh) {
                    self.outputs.push_back(Output::Store(*partition, op));
                }
            }
        }
        self.deliver(now);
        self.expected_at = self.deadline();
    }

    fn deliver(&mut self, now: Now) {
        if self.request.is_some() {
            return;
        }
        let room = if self.hidden { Self::KEEPALIVE_BYTES } else { Self::REQUEST_BYTES };
        let (mut bytes, mut carried, mut batches) = (0, Vec::new(), Vec::new());
        for (partition, lane) in &mut self.lanes {
            let Some(size) = lane.ready(now.instant) else { continue };
            // A batch that no keepalive request could carry still goes, alone and as usual.
            if bytes > 0 && bytes + size > room {
                continue;
            }
            if let Some(batch) = lane.send(&self.options.topic, self.partitions) {
                bytes += size;
                carried.push(*partition);
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return;
        }
        self.tickets += 1;
        let deadline = now.instant + Self::REQUEST_MS;
        self.request = Some(Request { ticket: self.tickets, partitions: carried, deadline });
        let keepalive = self.hidden && bytes <= Self::KEEPALIVE_BYTES;
        self.outputs.push_back(Output::Deliver { ticket: self.tickets, batches, keepalive });
    }

    /// When [`Forwarder::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        let free = self.request.is_none();
        let lanes = self.lanes.values().filter_map(|lane| match lane.next() {
            Next::Store(at) => Some(at),
            Next::Send(at) => Some(at).filter(|_| free),
            Next::Nothing => None,
        });
        let request = self.request.as_ref().map(|request| request.deadline);
        lanes.chain(request).min()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
