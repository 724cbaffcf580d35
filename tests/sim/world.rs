//! One world: the copies of a profile, their pages, a network, a broker, and the order in which things happen.
//! Whatever happens follows from the seed.

use core::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use headwater::base::{Random, Timestamp};
use headwater::client::forwarder::{DeliveryRow, WireBatch};
use headwater::group::GroupRow;
use headwater::node::{ForwarderId, Input, LockId, Output};

use super::broker::Broker;
use super::damage::Damages;
use super::disk::Disk;
use super::locks::Locks;
use super::members::ReaderId;
use super::movers::Moved;
use super::page::{Life, Page, PageId, START, Told};
use super::plan::{Fault, Plan};
use super::shadow::Shadow;
use super::storage::{Database, TransactionId};
use super::transactions::Bundles;

/// One copy of a profile.
pub struct Origin {
    pub database: Database,
    pub locks: Locks,
    pub shadow: Shadow,
    /// False where it is a backup that waits.
    pub used: bool,
    /// The quota is used up until then.
    pub full_until: u64,
    /// No transaction succeeds until then.
    pub away_until: u64,
    /// The delivery rows as they were written last.
    pub rows: BTreeMap<Vec<u8>, DeliveryRow>,
    /// The groups' rows as they were written last.
    pub groups: BTreeMap<String, GroupRow>,
}

/// What happens at some time.
pub enum What {
    Tell(PageId, Told),
    /// What waited while the page could not run.
    Late(PageId, Told),
    Timer(PageId, u64),
    /// A transaction's rows have been read.
    Read(usize, TransactionId),
    /// It has been committed.
    Committed(usize, TransactionId),
    /// It has been waited for long enough.
    Stalled(usize, TransactionId),
    /// A lock that was freed is granted.
    Grant(usize, String),
    Arrive(Request),
    Act(PageId),
    /// It tries again to forward.
    Forward(PageId),
    /// A reader tries again what failed.
    Again(PageId, usize),
    /// A handler returns.
    Handled(PageId, usize),
    /// A page that could not run can.
    Wake(PageId),
    /// A page stops for so long.
    Stall(PageId, u64),
    /// The machine sleeps for a night.
    Night,
    Fault,
}

/// What happens, and when; the earliest is the greatest.
struct Due {
    at: u64,
    /// What was put off first happens first.
    number: u64,
    what: Box<What>,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// A request on its way to a collector.
pub struct Request {
    pub page: PageId,
    pub forwarder: ForwarderId,
    pub ticket: u64,
    pub batches: Vec<WireBatch>,
    pub answered: bool,
}

/// What was seen, to be added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub events: u64,
    pub pages: u64,
    pub acknowledged: u64,
    pub consumed: u64,
    pub delivered: u64,
    pub uncertain: u64,
    pub dead_lettered: u64,
    /// Acknowledged on a relaxed commit, and lost when the power failed.
    pub lost_relaxed: u64,
}

pub struct World {
    pub plan: Plan,
    pub random: Random,
    pub time: u64,
    queue: BinaryHeap<Due>,
    queued: u64,
    pub origins: Vec<Origin>,
    pub pages: Vec<Page>,
    pub broker: Broker,
    /// What was acknowledged, and whether that was to survive a power cut.
    pub acknowledged: BTreeMap<String, bool>,
    /// By whom each record of a copy was handled in each group.
    pub handled: BTreeMap<(usize, String, String), Vec<ReaderId>>,
    /// What was handled again: by whom before, and by whom then.
    pub repeated: Vec<(String, ReaderId, ReaderId)>,
    pub bundles: Bundles,
    pub moved: Moved,
    pub damages: Damages,
    pub names: u64,
    pub calls: u64,
    pub faulty: bool,
    pub faulty_until: u64,
    pub offline_until: u64,
    pub counts: Counts,
    pub hash: u64,
    pub violations: Vec<String>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let mut broker = Broker::new(plan.partitions);
        broker.reads_originals = plan.mutant != Some(super::mutant::Mutant::UnreadDuplicate);
        let whole = random.chance(1, 2);
        let mut world = Self {
            random,
            time: 10_000,
            queue: BinaryHeap::new(),
            queued: 0,
            origins: vec![Origin::new(Disk::default(), whole)],
            pages: Vec::new(),
            broker,
            acknowledged: BTreeMap::new(),
            handled: BTreeMap::new(),
            repeated: Vec::new(),
            bundles: Bundles::default(),
            moved: Moved::default(),
            damages: Damages::default(),
            names: 0,
            calls: 0,
            faulty: true,
            faulty_until: 0,
            offline_until: 0,
            counts: Counts::default(),
            hash: 0xcbf2_9ce4_8422_2325,
            violations: Vec::new(),
            plan,
        };
        world.faulty_until = world.time + world.plan.faulty_ms;
        for _ in 0..world.plan.pages {
            world.open_page(0, None);
        }
        world.push(500, What::Fault);
        world
    }

    /// Lets faults happen, then none until everything is settled, and checks what is left.
    pub fn run(&mut self) {
        while self.time < self.faulty_until && self.violations.is_empty() {
            self.step();
        }
        self.calm();
        self.settle();
        self.arrive_late();
        self.settle();
        self.check_in_the_end();
        self.violations.append(&mut self.broker.violations);
        self.counts.delivered = self.broker.ever.len() as u64;
        self.counts.uncertain = self.broker.uncertain as u64;
        self.counts.dead_lettered = self.broker.dead.len() as u64;
        self.counts.pages = self.pages.len() as u64;
    }

    /// Without faults, everything that was appended is delivered and consumed within bounded time, and groups are
    /// at rest after a short one.
    fn settle(&mut self) {
        const PATIENCE_MS: u64 = 4 * 3_600_000;
        const GROUP_PATIENCE_MS: u64 = 300_000;
        // Nobody may burn a device's battery by trying again and again at once.
        const EVENTS_MAX: u64 = 20_000;
        let (since, events) = (self.time, self.counts.events);
        let events_max = events + EVENTS_MAX * (self.pages.len() as u64 + 10);
        while self.violations.is_empty() {
            let (delivery, groups) = (self.undelivered(), self.groups_behind());
            match (delivery, groups) {
                (None, None) => return,
                (Some(missing), _) if self.time > since + PATIENCE_MS => {
                    return self.violated(format!("stuck: {missing}"));
                }
                (_, Some(missing)) if self.time > since + GROUP_PATIENCE_MS => {
                    return self.violated(format!("restless: {missing}"));
                }
                (missing, _) if self.counts.events > events_max => {
                    return self.violated(format!("busy: a hot loop; {missing:?}"));
                }
                _ => {}
            }
            // To look after every event would be a waste.
            for _ in 0..50 {
                self.step();
            }
        }
    }

    /// Whatever the network still holds arrives, late; then nothing may be left to do.
    fn arrive_late(&mut self) {
        let mut queue = core::mem::take(&mut self.queue);
        while let Some(due) = queue.pop() {
            match *due.what {
                What::Arrive(request) => {
                    self.time = self.time.max(due.at);
                    self.arrive(request);
                }
                what => self.queue.push(Due { what: Box::new(what), ..due }),
            }
        }
    }

    pub fn push(&mut self, after: u64, what: What) {
        self.queued += 1;
        self.queue.push(Due { at: self.time + after, number: self.queued, what: Box::new(what) });
    }

    /// Makes what happened part of what the seed stands for.
    pub fn note(&mut self, words: &[u64]) {
        for word in words.iter().chain([&self.time]) {
            self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Tells whoever traces the world what happens.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.plan.trace {
            eprintln!("{:>9} {}", self.time, what());
        }
    }

    pub fn violated(&mut self, what: String) {
        self.say(|| format!("VIOLATED {what}"));
        self.violations.push(what);
    }

    fn step(&mut self) {
        let Some(Due { at, what, .. }) = self.queue.pop() else { return self.time += 1_000 };
        self.time = self.time.max(at);
        self.counts.events += 1;
        match *what {
            What::Tell(page, told) => self.tell(page, told),
            What::Late(page, told) => self.tell_now(page, told),
            What::Timer(page, number) => self.timer(page, number),
            What::Read(origin, transaction) => self.read(origin, transaction),
            What::Committed(origin, transaction) => self.committed(origin, transaction),
            What::Stalled(origin, transaction) => self.stalled(origin, transaction),
            What::Grant(origin, name) => self.grant(origin, &name),
            What::Arrive(request) => self.arrive(request),
            What::Act(page) => self.act(page),
            What::Forward(page) => self.forward(page),
            What::Again(page, reader) => self.again(page, reader),
            What::Handled(page, reader) => self.handled(page, reader),
            What::Wake(page) => self.wake(page),
            What::Stall(page, stalled_ms) => self.stop(page, stalled_ms),
            What::Night => self.night(),
            What::Fault => self.fault(),
        }
    }

    /// The true time, which is the collectors' clock.
    pub fn wall(&self) -> Timestamp {
        START + self.time as i64
    }

    /// True one time out of `out_of`, where this kind of fault is in this world and faults have not stopped.
    pub fn happens(&mut self, fault: Fault, out_of: u64) -> bool {
        self.faulty && self.plan.has(fault) && self.random.chance(1, out_of)
    }

    fn tell(&mut self, page: PageId, told: Told) {
        let busy_until = self.pages[page].busy_until;
        if self.time < busy_until {
            return self.push(busy_until - self.time, What::Tell(page, told));
        }
        self.tell_now(page, told);
    }

    fn tell_now(&mut self, page: PageId, told: Told) {
        match self.pages[page].life {
            Life::Dead => {}
            Life::Cached if matches!(told, Told::Message(_)) => {}
            Life::Frozen | Life::Cached => self.pages[page].inbox.push(told),
            Life::Runs => {
                if let Some(input) = told.input() {
                    self.handle(page, input);
                }
            }
        }
    }

    fn timer(&mut self, page: PageId, number: u64) {
        let tab = &mut self.pages[page];
        if tab.timer.is_none_or(|(_, current)| current != number) || !tab.alive() {
            return;
        }
        tab.timer = None;
        tab.ticks = if tab.ticks.0 == self.time { (self.time, tab.ticks.1 + 1) } else { (self.time, 1) };
        if tab.ticks.1 > 100 {
            return self.violated(format!("busy: page {page} asks to be called at once, for ever"));
        }
        if tab.runs() {
            self.handle(page, Input::Tick);
        } else {
            tab.overdue = true;
        }
    }

    /// Something happens to a page that runs; what its node wants done is done.
    pub fn handle(&mut self, page: PageId, input: Input) {
        self.note(&[1, page as u64, kind(&input)]);
        let now = self.pages[page].now(self.time);
        self.pages[page].node.handle(now, input);
        while let Some(output) = self.pages[page].node.poll() {
            self.carry_out(page, output);
        }
        self.arm(page);
    }

    fn carry_out(&mut self, page: PageId, output: Output) {
        let origin = self.pages[page].origin;
        match output {
            Output::Store(ticket, op) => self.begin(page, ticket, op, false),
            Output::Send(message) => {
                self.stall_who_asks(page, &message);
                self.broadcast(page, message.encode());
            }
            Output::Acquire(lock, name) => {
                let freed = self.origins[origin].locks.request(name, (page, lock));
                self.pass_on(origin, freed, 0);
            }
            Output::Steal(lock, name) => {
                if let Some((holder, lost)) = self.origins[origin].locks.steal(name, (page, lock)) {
                    self.push(1, What::Tell(holder, Told::LockLost(lost)));
                }
                self.push(1, What::Tell(page, Told::Granted(lock)));
            }
            Output::Assign(spec) => self.assign(page, &spec),
            Output::Release(lock) => self.release(page, lock),
            Output::Idle(ticket) => {
                let after = 1 + self.random.below(50);
                self.push(after, What::Tell(page, Told::Idle(ticket)));
            }
            Output::Deliver { forwarder, ticket, batches, keepalive } => {
                self.send(page, forwarder, ticket, batches, keepalive);
            }
            Output::Done(call, result) => self.answered(page, call, result),
            Output::Event(event) => self.heard(page, &event),
        }
    }

    fn release(&mut self, page: PageId, lock: LockId) {
        let origin = self.pages[page].origin;
        let freed = self.origins[origin].locks.release((page, lock));
        self.pass_on(origin, freed, 0);
    }

    /// A lock changes hands after a while.
    pub fn pass_on(&mut self, origin: usize, freed: Option<String>, at_least: u64) {
        if let Some(name) = freed {
            let after = at_least + self.random.below(3);
            self.push(after, What::Grant(origin, name));
        }
    }

    fn grant(&mut self, origin: usize, name: &str) {
        let Some((page, lock)) = self.origins[origin].locks.grant(name) else { return };
        self.say(|| format!("page {page} gets {name}"));
        self.tell(page, Told::Granted(lock));
    }

    /// Sees to it that the node is called at its deadline.
    pub fn arm(&mut self, page: PageId) {
        let tab = &mut self.pages[page];
        let Some(deadline) = tab.node.deadline() else { return };
        let at = tab.fires_at(self.time, deadline);
        if tab.timer.is_some_and(|(armed, _)| armed <= at) {
            return;
        }
        tab.timers += 1;
        let number = tab.timers;
        tab.timer = Some((at, number));
        let after = at - self.time;
        self.push(after, What::Timer(page, number));
    }

    fn broadcast(&mut self, from: PageId, bytes: Vec<u8>) {
        let bytes: Rc<[u8]> = bytes.into();
        let origin = self.pages[from].origin;
        for to in 0..self.pages.len() {
            if to == from || self.pages[to].origin != origin || !self.pages[to].alive() {
                continue;
            }
            let copies = if self.happens(Fault::MessageTwice, 10) { 2 } else { 1 };
            for _ in 0..copies {
                if self.happens(Fault::MessageLost, 6) {
                    continue;
                }
                // The channel keeps the order, as long as it is not asked to break it.
                let after =
                    if self.happens(Fault::MessageLate, 8) { 1 + self.random.below(5_000) } else { 1 };
                self.push(after, What::Tell(to, Told::Message(Rc::clone(&bytes))));
            }
        }
    }
}

impl Origin {
    pub fn new(disk: Disk, whole: bool) -> Self {
        let shadow = Shadow::of(&disk);
        let database = Database::new(disk, whole);
        Self {
            database,
            locks: Locks::default(),
            shadow,
            used: true,
            full_until: 0,
            away_until: 0,
            rows: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }
}

fn kind(input: &Input) -> u64 {
    match input {
        Input::Tick => 0,
        Input::Calls(_) => 1,
        Input::Consumer(..) => 2,
        Input::Stored(..) => 3,
        Input::Message(_) => 4,
        Input::Granted(_) => 5,
        Input::Delivered(..) => 6,
        Input::Reopened => 7,
        Input::Page(_) => 8,
        Input::Idle(_) => 9,
        Input::LockLost(_) => 11,
        _ => 10,
    }
}
