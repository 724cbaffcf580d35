//! The world of the simulation: pages that forward a topic, their disks, a network and a broker, and everything that
//! may happen to them. Whatever happens follows from the seed.

use std::collections::BTreeMap;

use headwater::base::{Code, Error, Now, Offset, Random, TopicPartition};
use headwater::client::forwarder::{
    Answered, Claimed, Delivery, DeliveryRow, Failure, Forwarder, ForwarderOp, Options, Outcome, Output,
    WireBatch,
};
use headwater::log::Durability;

use super::broker::{Broker, Place};
use super::faults::{Fault, Faults};
use super::profile::{Profile, TOPIC};

const START: i64 = 1_800_000_000_000;

/// A rule that is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The marker is not flushed before the batch is sent.
    RelaxedMarker,
    /// The row is not compared with the one that was read.
    NoComparison,
    /// A batch that is sent again is cut anew.
    Recut,
    /// Doubt covers one batch instead of all that the log holds.
    OneBatchUncertain,
    /// A duplicate is settled without a look at the original.
    UnreadDuplicate,
    /// A marker is as young as its latest signature.
    YoungMarker,
}

/// A page.
pub struct Owner {
    pub profile: usize,
    pub forwarder: Option<Forwarder>,
    pub frozen_until: u64,
    /// By how much its clocks lag: the wall clock, and the other, which may stop in a sleep.
    pub wall_lag: i64,
    pub lag: u64,
    ticks_at: Option<u64>,
}

enum What {
    Append,
    Fault,
    Tick(usize),
    Notice(usize, TopicPartition, Offset),
    Run(usize, i32, ForwarderOp),
    Stored(usize, i32, Result<Claimed, Error>),
    Arrive { owner: usize, ticket: u64, batches: Vec<WireBatch>, answered: bool },
    Answer(usize, u64, Delivery),
    Grow(usize, i32),
}

pub struct World {
    pub random: Random,
    pub time: u64,
    queue: BTreeMap<(u64, u64), What>,
    queued: u64,
    pub broker: Broker,
    pub profiles: Vec<Profile>,
    pub owners: Vec<Owner>,
    /// Who holds the lock of each profile; `None` where the profile is gone.
    pub holders: Vec<Option<usize>>,
    pub faults: Faults,
    pub mutant: Option<Mutant>,
    pub faulty: bool,
    pub offline_until: u64,
    pub faulty_until: u64,
    names: u64,
    pub hash: u64,
    pub violations: Vec<String>,
}

impl World {
    pub fn new(seed: u64, faults: Faults, mutant: Option<Mutant>) -> Self {
        let mut random = Random::new(seed);
        let partitions = 1 + random.below(2) as i32;
        let profile = Profile::new(partitions, &mut random);
        let mut broker = Broker::new(partitions);
        broker.reads_originals = mutant != Some(Mutant::UnreadDuplicate);
        let mut world = Self {
            random,
            time: 10_000,
            queue: BTreeMap::new(),
            queued: 0,
            broker,
            profiles: vec![profile],
            owners: Vec::new(),
            holders: vec![None],
            faults,
            mutant,
            faulty: true,
            offline_until: 0,
            faulty_until: 0,
            names: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            violations: Vec::new(),
        };
        world.take_over(0);
        world.push(0, What::Append);
        world.push(500, What::Fault);
        world
    }

    /// Lets faults happen for `milliseconds`, then none, until everything is delivered.
    pub fn run(&mut self, milliseconds: u64) {
        const PATIENCE_MS: u64 = 4 * 3_600_000;
        self.faulty_until = self.time + milliseconds;
        while self.time < self.faulty_until {
            self.step();
        }
        self.calm();
        self.settle(PATIENCE_MS);
        // Whatever the network still holds arrives, late; then nothing may be left to do.
        let late = std::mem::take(&mut self.queue);
        for ((at, queued), what) in late {
            if let What::Arrive { owner, ticket, batches, .. } = what {
                self.time = self.time.max(at);
                self.arrive(owner, ticket, &batches, false);
            } else {
                self.queue.insert((at, queued), what);
            }
        }
        self.settle(PATIENCE_MS);
        self.check_delivered();
        self.violations.append(&mut self.broker.violations);
    }

    fn settle(&mut self, patience_ms: u64) {
        let until = self.time + patience_ms;
        while !self.drained() {
            if self.time >= until {
                return self.violations.push("stuck: not everything was delivered in the end".into());
            }
            self.step();
        }
    }

    fn push(&mut self, after: u64, what: What) {
        self.queued += 1;
        self.queue.insert((self.time + after, self.queued), what);
    }

    fn note(&mut self, words: &[u64]) {
        for word in words.iter().chain([&self.time]) {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn step(&mut self) {
        let Some(((at, _), what)) = self.queue.pop_first() else { return self.time += 1_000 };
        self.time = self.time.max(at);
        match what {
            What::Append => self.append(),
            What::Fault => self.fault(),
            What::Run(owner, partition, op) => self.transact(owner, partition, op),
            What::Grow(owner, partitions) => self.grow(owner, partitions),
            What::Arrive { owner, ticket, batches, answered } => {
                self.arrive(owner, ticket, &batches, answered)
            }
            What::Tick(owner)
            | What::Notice(owner, ..)
            | What::Stored(owner, ..)
            | What::Answer(owner, ..) => {
                let frozen_until = self.owners[owner].frozen_until;
                if frozen_until > self.time {
                    self.push(frozen_until - self.time, what);
                } else {
                    self.tell(owner, what);
                }
            }
        }
    }

    pub fn now(&self, owner: usize) -> Now {
        let Owner { wall_lag, lag, .. } = self.owners[owner];
        Now { instant: self.time - lag, timestamp: self.wall() - wall_lag }
    }

    /// The collectors' clock.
    pub fn wall(&self) -> i64 {
        START + self.time as i64
    }

    fn tell(&mut self, owner: usize, what: What) {
        let now = self.now(owner);
        let Owner { forwarder: Some(forwarder), ticks_at, .. } = &mut self.owners[owner] else { return };
        match what {
            What::Tick(_) => {
                *ticks_at = None;
                forwarder.tick(now);
            }
            What::Notice(_, tp, end) => forwarder.appended(now, tp, end),
            What::Stored(_, partition, result) => forwarder.stored(now, partition, result),
            What::Answer(_, ticket, delivery) => forwarder.delivered(now, ticket, &delivery),
            _ => {}
        }
        self.drain(owner);
    }

    /// Carries out what a page wants done.
    pub fn drain(&mut self, owner: usize) {
        while let Some(output) = self.owners[owner].forwarder.as_mut().and_then(Forwarder::poll) {
            match output {
                Output::Store(partition, op) => {
                    let after = self.random.below(8);
                    self.push(after, What::Run(owner, partition, op));
                }
                Output::Deliver { ticket, batches, .. } => self.send(owner, ticket, &batches),
                Output::Grow(partitions) => self.push(1, What::Grow(owner, partitions)),
                Output::Event(_) => {}
            }
        }
        let lag = self.owners[owner].lag;
        let Some(deadline) = self.owners[owner].forwarder.as_ref().and_then(Forwarder::deadline) else {
            return;
        };
        let at = (deadline + lag).max(self.time);
        if self.owners[owner].ticks_at.is_none_or(|armed| at < armed) {
            self.owners[owner].ticks_at = Some(at);
            self.push(at - self.time, What::Tick(owner));
        }
    }

    fn send(&mut self, owner: usize, ticket: u64, batches: &[WireBatch]) {
        for batch in batches {
            self.note(&[1, owner as u64, batch.first as u64, batch.last as u64, batch.epoch as u64]);
        }
        let copies = if self.happens(Fault::Repeat, 8) { 2 } else { 1 };
        for copy in 0..copies {
            if self.cut_off() || self.happens(Fault::Drop, 6) {
                continue;
            }
            let after = match () {
                () if self.happens(Fault::Delay, 8) => self.random.below(40 * 3_600_000),
                () if self.happens(Fault::Delay, 4) => self.random.below(60_000),
                () => self.random.below(100),
            };
            let answered = copy == 0 && !self.happens(Fault::Drop, 6);
            self.push(after, What::Arrive { owner, ticket, batches: batches.to_vec(), answered });
        }
    }

    fn arrive(&mut self, owner: usize, ticket: u64, batches: &[WireBatch], answered: bool) {
        let delivery = if self.happens(Fault::Busy, 10) {
            self.unavailable(batches.len())
        } else {
            self.broker.receive(self.wall(), batches)
        };
        let outcomes: Vec<u64> = delivery.answers.iter().map(|answer| answer.outcome as u64).collect();
        self.note(&[2, owner as u64]);
        self.note(&outcomes);
        let most = if self.happens(Fault::Delay, 10) { 60_000 } else { 100 };
        let after = self.random.below(most);
        if answered && !self.cut_off() {
            self.push(after, What::Answer(owner, ticket, delivery));
        }
    }

    fn unavailable(&mut self, batches: usize) -> Delivery {
        let failure = Failure {
            code: "UNAVAILABLE".into(),
            message: "later".into(),
            retriable: self.random.chance(3, 4),
            retry_after_ms: self.random.chance(1, 2).then_some(2_000),
        };
        if self.random.chance(1, 2) {
            return Delivery { failure: Some(failure), answers: Vec::new(), limits: None };
        }
        let busy =
            Answered { outcome: Outcome::Busy, partitions: None, signature: None, failure: Some(failure) };
        Delivery { failure: None, answers: vec![busy; batches], limits: None }
    }

    fn cut_off(&self) -> bool {
        self.faulty && self.time < self.offline_until
    }

    /// True one time out of `out_of`, where this kind of fault is in this world and faults have not stopped.
    pub fn happens(&mut self, fault: Fault, out_of: u64) -> bool {
        self.faulty && self.faults.has(fault) && self.random.chance(1, out_of)
    }

    fn transact(&mut self, owner: usize, partition: i32, op: ForwarderOp) {
        // A page that is gone may have started its last transaction before.
        let alive = self.owners[owner].forwarder.is_some();
        if !alive && self.random.chance(1, 2) {
            return;
        }
        let profile = self.owners[owner].profile;
        let fails = self.happens(Fault::Storage, 8);
        let unknown = fails && self.random.chance(1, 2);
        let result = if fails && !unknown {
            Err(Error::new(Code::StorageFailed, "nothing was written"))
        } else {
            self.write(profile, partition, op)
        };
        let result = if unknown { Err(Error::new(Code::StorageUnknownOutcome, "who knows")) } else { result };
        let after = self.random.below(8);
        self.push(after, What::Stored(owner, partition, result));
    }

    fn write(&mut self, profile: usize, partition: i32, op: ForwarderOp) -> Result<Claimed, Error> {
        let Some(before) = self.profiles[profile].row(partition) else {
            return self.profiles[profile].disk.run(&op);
        };
        let op = self.mutate(op, &before);
        let relaxed = self.mutant == Some(Mutant::RelaxedMarker) && matches!(op, ForwarderOp::Mark { .. });
        let disk = &mut self.profiles[profile].disk;
        let result = if relaxed { disk.run_as(&op, Durability::Relaxed) } else { disk.run(&op) };
        let after = self.profiles[profile].row(partition).expect("a row is never deleted");
        if after.committed < before.committed {
            self.violations.push("back: committed went back".into());
        }
        self.note(&[3, profile as u64, after.committed as u64, after.epoch as u64, after.uncertain as u64]);
        result
    }

    fn mutate(&self, op: ForwarderOp, stored: &DeliveryRow) -> ForwarderOp {
        let one_batch = |read: &DeliveryRow, row: DeliveryRow| {
            let end = read.marker.map_or(0, |(_, last)| last + 1);
            DeliveryRow { uncertain: row.uncertain.max(end), ..row }
        };
        match (self.mutant, op) {
            (Some(Mutant::NoComparison), ForwarderOp::Save { tp, row, doubt, .. }) => {
                ForwarderOp::Save { tp, read: stored.clone(), row, doubt }
            }
            (
                Some(Mutant::NoComparison),
                ForwarderOp::Mark { tp, row, doubt, bytes_max, batches_max, fresh, .. },
            ) => ForwarderOp::Mark { tp, read: stored.clone(), row, doubt, bytes_max, batches_max, fresh },
            (Some(Mutant::Recut), ForwarderOp::Remark { tp, read }) => {
                let row = read.clone().unmarked();
                let (bytes_max, batches_max, fresh) = (600, 64, 1 << 61);
                ForwarderOp::Mark { tp, read, row, doubt: false, bytes_max, batches_max, fresh }
            }
            (Some(Mutant::OneBatchUncertain), ForwarderOp::Save { tp, read, row, doubt: true }) => {
                ForwarderOp::Save { tp, row: one_batch(&read, row), read, doubt: false }
            }
            (
                Some(Mutant::OneBatchUncertain),
                ForwarderOp::Mark { tp, read, row, doubt: true, bytes_max, batches_max, fresh },
            ) => {
                let row = one_batch(&read, row);
                ForwarderOp::Mark { tp, read, row, doubt: false, bytes_max, batches_max, fresh }
            }
            (Some(Mutant::YoungMarker), ForwarderOp::Save { tp, read, mut row, doubt }) => {
                row.marked_at = row.signed_at;
                ForwarderOp::Save { tp, read, row, doubt }
            }
            (_, op) => op,
        }
    }

    fn grow(&mut self, owner: usize, partitions: i32) {
        let profile = self.owners[owner].profile;
        self.profiles[profile].grow(partitions);
        let topic = self.profiles[profile].topic.clone();
        for page in 0..self.owners.len() {
            let now = self.now(page);
            if self.owners[page].profile == profile
                && let Some(forwarder) = &mut self.owners[page].forwarder
            {
                forwarder.set_topic(now, &topic);
                self.drain(page);
            }
        }
    }

    fn append(&mut self) {
        if self.faulty {
            let profile = self.any_profile();
            self.append_to(profile);
        }
        let after = self.random.below(1_500);
        if self.faulty {
            self.push(after, What::Append);
        }
    }

    /// A profile that is in use.
    pub fn any_profile(&mut self) -> usize {
        let used: Vec<usize> =
            (0..self.holders.len()).filter(|profile| self.holders[*profile].is_some()).collect();
        used[self.random.below(used.len() as u64) as usize]
    }

    fn append_to(&mut self, profile: usize) {
        let partition = self.random.below(self.profiles[profile].topic.partitions as u64) as i32;
        let count = 1 + self.random.below(3);
        let names: Vec<String> = (0..count).map(|index| format!("r{}", self.names + index)).collect();
        self.names += count;
        if self.happens(Fault::Poison, 10) {
            self.broker.poison.insert(names[0].clone());
        }
        let durability = if self.random.chance(1, 3) { Durability::Strict } else { Durability::Relaxed };
        let first = self.profiles[profile].append(partition, &names, durability);
        let tp = self.profiles[profile].tp(partition);
        for (name, offset) in names.into_iter().zip(first..) {
            let place = Place { profile, tp, offset };
            if self.broker.sent.contains_key(&place) {
                self.violations.push(format!("reused: {name} has the offset of what was sent before"));
            }
            self.broker.places.insert(name, place);
        }
        let end = first + count as i64;
        for page in 0..self.owners.len() {
            let lost = self.happens(Fault::Notice, 6);
            if self.owners[page].profile == profile && !lost {
                let after = self.random.below(5);
                self.push(after, What::Notice(page, tp, end));
            }
        }
    }

    fn fault(&mut self) {
        if !self.faulty {
            return;
        }
        let fault = self.faults.any(&mut self.random);
        if let Some(fault) = fault {
            self.note(&[4, fault as u64]);
            self.cause(fault);
        }
        let after = 100 + self.random.below(3_000);
        self.push(after, What::Fault);
    }

    /// A new page holds the lock of the profile.
    pub fn take_over(&mut self, profile: usize) {
        let options = Options { topic: TOPIC.into(), bytes_max: 600, linger_ms: 50 };
        let forwarder = Forwarder::new(options, Random::new(self.random.next_u64()));
        let skewed = self.faults.has(Fault::Skew);
        let wall_lag = if skewed { self.random.below(20 * 3_600_000) as i64 - 10 * 3_600_000 } else { 0 };
        let owner =
            Owner { profile, forwarder: Some(forwarder), frozen_until: 0, wall_lag, lag: 0, ticks_at: None };
        self.owners.push(owner);
        let page = self.owners.len() - 1;
        self.holders[profile] = Some(page);
        let (now, topic) = (self.now(page), self.profiles[profile].topic.clone());
        if let Some(forwarder) = &mut self.owners[page].forwarder {
            forwarder.granted(now, &topic);
        }
        self.drain(page);
    }

    pub fn kill(&mut self, page: usize) {
        self.owners[page].forwarder = None;
    }

    /// No more faults: who does not hold a lock goes, and whoever is left runs.
    fn calm(&mut self) {
        self.faulty = false;
        for page in 0..self.owners.len() {
            let owner = &mut self.owners[page];
            owner.frozen_until = 0;
            if self.holders[owner.profile] != Some(page) {
                self.kill(page);
            }
        }
    }

    fn drained(&self) -> bool {
        let alive = (0..self.profiles.len()).filter(|profile| self.holders[*profile].is_some());
        alive.map(|profile| &self.profiles[profile]).all(|profile| {
            let settled = |partition| {
                let end = profile.end(partition);
                end == 0 || profile.row(partition).is_some_and(|row| row.committed == end)
            };
            (0..profile.topic.partitions).all(settled)
        })
    }

    /// What lies before `committed` was delivered, unless it was given up or is kept apart; and what was delivered
    /// is still there.
    pub fn check_delivered(&mut self) {
        for profile in &self.profiles {
            for partition in 0..profile.topic.partitions {
                let committed = profile.row(partition).map_or(0, |row| row.committed);
                for (_, name) in
                    profile.records(partition).into_iter().filter(|(offset, _)| *offset < committed)
                {
                    if !self.broker.ever.contains(&name) && !self.broker.dead.contains(&name) {
                        self.violations.push(format!("lost: {name} was settled and never delivered"));
                    }
                }
            }
        }
    }
}
