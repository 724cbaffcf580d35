use std::collections::VecDeque;

use super::delivery::{Answered, Delivery, Failure, WireBatch};
use super::event::Event;
use super::lane::{Lane, Next};
use super::op::{Claimed, ForwarderOp};
use super::state::Context;
use crate::base::{Error, Instant, Map, Now, Offset, Random, TopicPartition};
use crate::client::backoff::Backoff;
use crate::group::Partitions;
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
    carried: Vec<Parcel>,
    deadline: Instant,
    /// It was sent beside the others by a page that may have been dying: nobody waits for it.
    beacon: bool,
}

/// A partition, and the name of its batch.
type Parcel = (i32, u64);

/// The forwarder of one topic in one node.
pub struct Forwarder {
    options: Options,
    random: Random,
    owned: Partitions,
    hidden: bool,
    /// A keepalive request is to be sent.
    beacon: bool,
    lanes: Map<i32, Lane>,
    partitions: i32,
    /// What a sink with another number of partitions was last answered, and when.
    compared: Option<(i32, i32, Instant)>,
    request_bytes: usize,
    tickets: u64,
    requests: Vec<Request>,
    seen: Instant,
    outputs: VecDeque<Output>,
}

impl Forwarder {
    /// What a request may carry.
    const REQUEST_BYTES: usize = 3 << 20;
    /// What a request may carry that outlives its page: browsers allow 64 KiB, and others use them too. With what describes
    /// the batches it stays within 48.
    const KEEPALIVE_BYTES: usize = 46 << 10;
    /// A request that was not answered for so long has failed.
    const REQUEST_MS: u64 = 30_000;
    /// A node that heard nothing for so long may have slept: others may have gone on.
    const STALL_MS: u64 = 5_000;
    /// How long to wait where waiting alone does not help; and no sink makes us wait longer than the other.
    const REFUSED_MS: u64 = 60_000;
    const WAIT_MS_MAX: u64 = 3_600_000;

    /// A forwarder that owns nothing yet.
    pub fn new(options: Options, random: Random) -> Self {
        Self {
            options,
            random,
            owned: Partitions::new(),
            hidden: false,
            beacon: false,
            lanes: Map::new(),
            partitions: 0,
            compared: None,
            request_bytes: Self::REQUEST_BYTES,
            tickets: 0,
            requests: Vec::new(),
            seen: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.options.topic
    }

    /// These partitions are this node's to forward, too.
    pub fn assign(&mut self, now: Now, partitions: &Partitions) {
        self.wake(now);
        self.owned.extend(partitions);
        for tp in partitions.iter() {
            let lane = self.lanes.get_or_insert_with(tp.partition, || Lane::new(tp));
            if lane.tp != tp {
                lane.reset(tp);
            }
            lane.revive();
        }
        self.go_on(now);
    }

    /// These are not this node's any more: their next owner sends again what was not settled. Whatever this one is told
    /// of them afterwards is of no interest.
    pub fn revoke(&mut self, partitions: &Partitions) {
        self.owned = self.owned.minus(partitions);
        self.lanes.retain(|_, lane| {
            let stays = !partitions.contains(lane.tp);
            if !stays {
                lane.reset(lane.tp);
            }
            stays || lane.storing()
        });
        self.forget_requests();
    }

    /// The page is about to be frozen, kept for later or closed: what is at hand goes in a request that outlives it, and
    /// nothing comes after that.
    pub fn leave(&mut self, now: Now) {
        self.wake(now);
        // Else it is on its way already.
        if !self.owned.is_empty() && !self.requests.iter().any(|request| request.beacon) {
            self.send_beacon(now);
        }
        self.revoke_all();
    }

    /// No partition is this node's any more.
    pub fn revoke_all(&mut self) {
        self.beacon = false;
        self.revoke(&self.owned.clone());
    }

    /// The topic has these partitions now, as far as this node knows. Which of them are its own the group alone says: it
    /// may have heard of a change earlier.
    pub fn set_topic(&mut self, now: Now, topic: &TopicRow) {
        self.wake(now);
        self.partitions = topic.partitions;
        self.lanes.values_mut().for_each(Lane::revive);
        self.go_on(now);
    }

    /// What the sink takes, where it says so: the most bytes of a batch, and of a request. It is told before the
    /// answer that said it, see [`Forwarder::delivered`].
    pub fn limited(&mut self, batch_bytes: usize, request_bytes: usize) {
        self.options.bytes_max = self.options.bytes_max.min(batch_bytes);
        // A quarter is left to what describes the batches.
        self.request_bytes = self.request_bytes.min(request_bytes / 4 * 3);
    }

    /// Records were appended.
    pub fn appended(&mut self, now: Now, tp: TopicPartition, end: Offset) {
        self.wake(now);
        let due = now.instant + self.linger_ms();
        if let Some(lane) = self.lanes.get_mut(&tp.partition).filter(|lane| lane.tp == tp) {
            lane.appended(due, end);
            self.go_on(now);
        }
    }

    /// A hidden page's timers are slow, so it does not wait for more.
    fn linger_ms(&self) -> u64 {
        if self.hidden { 0 } else { self.options.linger_ms }
    }

    /// A transaction has ended.
    pub fn stored(&mut self, now: Now, partition: i32, result: Result<Claimed, Error>) {
        self.wake(now);
        let linger_ms = self.linger_ms();
        let ctx = Context { now, linger_ms, bytes_max: self.options.bytes_max, random: &mut self.random };
        if let Some(lane) = self.lanes.get_mut(&partition) {
            let (events, tp) = (lane.stored(result, ctx), lane.tp);
            self.outputs.extend(events.into_iter().map(Output::Event));
            if !self.owned.contains(tp) {
                self.lanes.remove(&partition);
            }
            self.go_on(now);
        }
    }

    /// The sink has answered, or the network has failed.
    pub fn delivered(&mut self, now: Now, ticket: u64, delivery: &Delivery) {
        self.wake(now);
        let Some(at) = self.requests.iter().position(|request| request.ticket == ticket) else { return };
        let request = self.requests.remove(at);
        let silence = delivery.failure.clone().unwrap_or_else(|| {
            Failure::new("MALFORMED_ANSWER", "the answer says nothing of this batch", true)
        });
        let mut failed: Vec<(Failure, Vec<Parcel>)> = Vec::new();
        for (index, parcel) in request.carried.iter().enumerate() {
            let answer = delivery.answers.get(index);
            let again = answer.map_or_else(|| Some(silence.clone()), Answered::again);
            if let Some(remote) = answer.and_then(|answer| answer.partitions) {
                self.compare_partitions(now, remote);
            }
            match (again, answer) {
                (Some(failure), _) => match failed.iter_mut().find(|(other, _)| other.code == failure.code) {
                    Some((_, parcels)) => parcels.push(*parcel),
                    None => failed.push((failure, vec![*parcel])),
                },
                (None, Some(answer)) => self.answered(now, *parcel, answer),
                (None, None) => {}
            }
        }
        for (failure, parcels) in failed {
            self.back_off(now, &parcels, failure);
        }
        self.go_on(now);
    }

    fn answered(&mut self, now: Now, (partition, name): Parcel, answer: &Answered) {
        let linger_ms = self.linger_ms();
        let mut ctx = Context { now, linger_ms, bytes_max: self.options.bytes_max, random: &mut self.random };
        if let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.carries(name)) {
            lane.answered(answer, &mut ctx);
        }
    }

    /// A topic that is too small here grows. One that is too large is a fault of configuration: the application
    /// is told, and what lies in the partitions that the sink lacks stays here.
    fn compare_partitions(&mut self, now: Now, remote: i32) {
        let local = self.partitions;
        let known = self.compared.filter(|(there, here, _)| (*there, *here) == (remote, local));
        let grow = remote > local;
        if remote == local || known.is_some_and(|(.., at)| !grow || now.instant < at + Self::REFUSED_MS) {
            return;
        }
        self.compared = Some((remote, local, now.instant));
        self.outputs.push_back(if grow {
            Output::Grow(remote)
        } else {
            Output::Event(Event::PartitionsDiffer { local, remote })
        });
    }

    /// The same bytes again, later.
    fn back_off(&mut self, now: Now, parcels: &[Parcel], failure: Failure) {
        let carried = |parcel: &Parcel| {
            self.requests.iter().any(|request| !request.beacon && request.carried.contains(parcel))
        };
        let parcels: Vec<Parcel> = parcels.iter().filter(|parcel| !carried(parcel)).copied().collect();
        let held = |lanes: &Map<i32, Lane>, (partition, name): Parcel| {
            lanes.get(&partition).filter(|lane| lane.carries(name)).map(|lane| lane.attempts)
        };
        let Some(attempts) = parcels.iter().filter_map(|parcel| held(&self.lanes, *parcel)).max() else {
            return;
        };
        let attempts = attempts + 1;
        let asked = failure.retry_after_ms.unwrap_or(0).min(Self::WAIT_MS_MAX);
        let least = if failure.retriable { 0 } else { Self::REFUSED_MS };
        let wait_ms = Backoff::DELIVERY.delay(attempts, &mut self.random) + least.max(asked);
        if failure.code == "MESSAGE_TOO_LARGE" {
            self.request_bytes /= 2;
        }
        for (partition, name) in parcels {
            if let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.carries(name)) {
                lane.attempts = attempts;
                lane.wait(now.instant + wait_ms);
            }
        }
        self.outputs.push_back(Output::Event(Event::Retrying { failure, wait_ms }));
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        self.wake(now);
        while let Some(at) = self.requests.iter().position(|request| request.deadline <= now.instant) {
            let late = self.requests.remove(at);
            let failure = Failure::new("REQUEST_TIMED_OUT", "the sink did not answer within 30 s", true);
            self.back_off(now, &late.carried, failure);
        }
        self.go_on(now);
    }

    /// Whoever heard nothing for long cannot tell that from a sleep in which others went on.
    fn wake(&mut self, now: Now) {
        if now.instant.saturating_sub(self.seen) > Self::STALL_MS {
            self.lanes.values_mut().for_each(Lane::doubt);
        }
        self.seen = now.instant;
    }

    /// The page cannot be seen any more, and may never run again: what is oldest goes at once, in a request that
    /// outlives the page, even if it is on its way already.
    pub fn hidden(&mut self, now: Now) {
        self.wake(now);
        self.hidden = true;
        self.beacon = !self.owned.is_empty();
        self.lanes.values_mut().for_each(|lane| lane.hurry(true));
        self.go_on(now);
    }

    /// The page can be seen again.
    pub fn visible(&mut self) {
        self.hidden = false;
        self.relax();
    }

    fn relax(&mut self) {
        self.beacon = false;
        self.lanes.values_mut().for_each(|lane| lane.hurry(false));
    }

    /// The network is back: nobody waits for the rest of a backoff.
    pub fn online(&mut self, now: Now) {
        self.wake(now);
        self.lanes.values_mut().for_each(Lane::wait_no_longer);
        self.go_on(now);
    }

    /// Does whatever can be done now.
    fn go_on(&mut self, now: Now) {
        if self.owned.is_empty() {
            return;
        }
        self.forget_requests();
        let (share, linger_ms) = (self.share(), self.linger_ms());
        for (partition, lane) in self.lanes.iter_mut() {
            if lane.may_store(now.instant) {
                let small = self.beacon || lane.anticipates(now.instant);
                let bytes_max = if small { share } else { self.options.bytes_max };
                let op = lane.next_op(Context { now, linger_ms, bytes_max, random: &mut self.random });
                self.outputs.push_back(Output::Store(*partition, op));
            }
        }
        if self.beacon && !self.lanes.values().any(Lane::hurries) {
            self.send_beacon(now);
        }
        if self.may_send() {
            let ready = |lane: &Lane| lane.ready(now.instant);
            self.send(now, self.request_bytes, false, ready);
        }
    }

    /// A request whose batches were all settled by another one needs no answer any more.
    fn forget_requests(&mut self) {
        let lanes = &self.lanes;
        let carries = |parcel: &Parcel| lanes.get(&parcel.0).is_some_and(|lane| lane.carries(parcel.1));
        self.requests.retain(|request| request.carried.iter().any(carries));
    }

    /// One request is on its way at a time, and what is about to be marked goes along.
    fn may_send(&self) -> bool {
        self.requests.iter().all(|request| request.beacon) && !self.lanes.values().any(Lane::storing)
    }

    /// The most bytes of the next wire batch of a partition that a dying page is to send.
    fn share(&self) -> usize {
        const LEAST: usize = 1 << 10;
        let marking = self.lanes.values().filter(|lane| lane.will_mark()).count();
        if marking == 0 {
            return self.options.bytes_max;
        }
        let stay = self.lanes.values().filter(|lane| !lane.will_mark());
        let small = stay.filter_map(Lane::held).filter(|size| *size <= Self::KEEPALIVE_BYTES);
        let share = Self::KEEPALIVE_BYTES.saturating_sub(small.sum()) / marking;
        if share < LEAST { self.options.bytes_max } else { self.options.bytes_max.min(share) }
    }

    fn send_beacon(&mut self, now: Now) {
        self.relax();
        // An earlier one that is still unanswered will hardly be answered any more.
        if let Some(at) = self.requests.iter().position(|request| request.beacon) {
            let earlier = self.requests.remove(at);
            for (partition, name) in earlier.carried {
                let elsewhere =
                    self.requests.iter().any(|request| request.carried.contains(&(partition, name)));
                if let Some(lane) =
                    self.lanes.get_mut(&partition).filter(|lane| lane.carries(name) && !elsewhere)
                {
                    lane.wait(now.instant);
                }
            }
        }
        let small = |lane: &Lane| lane.held().filter(|size| *size <= Self::KEEPALIVE_BYTES);
        self.send(now, Self::KEEPALIVE_BYTES, true, small);
    }

    /// Sends what is there, up to `room` bytes.
    fn send(&mut self, now: Now, room: usize, beacon: bool, sized: impl Fn(&Lane) -> Option<usize>) {
        let ticket = self.tickets + 1;
        let (mut bytes, mut carried, mut batches) = (0, Vec::new(), Vec::new());
        for (partition, lane) in self.lanes.iter_mut() {
            // What is larger than any request may be still goes, alone.
            let Some(size) = sized(lane).filter(|size| bytes == 0 || bytes + size <= room) else { continue };
            if let Some((batch, name)) = lane.send(now.instant, ticket, &self.options.topic, self.partitions)
            {
                bytes += size;
                carried.push((*partition, name));
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return;
        }
        self.tickets = ticket;
        self.requests.push(Request { ticket, carried, deadline: now.instant + Self::REQUEST_MS, beacon });
        self.outputs.push_back(Output::Deliver { ticket, batches, keepalive: beacon });
    }

    /// When [`Forwarder::tick`] is needed next.
    pub fn deadline(&self) -> Option<Instant> {
        if self.owned.is_empty() {
            return None;
        }
        let free = self.may_send();
        let lanes = self.lanes.values().filter_map(|lane| match lane.next() {
            Next::Store(at) => Some(at),
            Next::Send(at) => Some(at).filter(|_| free),
            Next::Nothing => None,
        });
        lanes.chain(self.requests.iter().map(|request| request.deadline)).min()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
