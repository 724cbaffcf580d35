//! One IndexedDB database, shared by the tabs of an origin: transactions wait for those before them whose stores they
//! touch, read-only ones beside each other; what was asked to commit commits, even if its page is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use headwater::log::{Op, Store, Write};
use headwater::node::{AnyOp, Ticket};

use super::disk::Disk;
use super::page::PageId;

pub type TransactionId = u64;

pub struct Database {
    pub disk: Disk,
    queue: BTreeMap<TransactionId, Transaction>,
    /// Those that wait for others, by what they touch and how.
    waiting: BTreeMap<Touch, BTreeSet<TransactionId>>,
    /// What those touch that run or commit.
    running: BTreeMap<TransactionId, Touch>,
    begun: TransactionId,
    /// Some engines run one read-write transaction a database, whatever it touches.
    pub whole: bool,
}

/// What a transaction touches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Touch {
    /// A bit for each store.
    stores: u16,
    read_only: bool,
}

/// The stores that are read, and those that are written, by transactions that go first.
#[derive(Clone, Copy, Default)]
struct Taken {
    read: u16,
    written: u16,
}

impl Taken {
    fn admits(self, touch: Touch, whole: bool) -> bool {
        match touch.read_only {
            true => touch.stores & self.written == 0,
            false => touch.stores & (self.written | self.read) == 0 && !(whole && self.written != 0),
        }
    }

    fn take(&mut self, touch: Touch) {
        *(if touch.read_only { &mut self.read } else { &mut self.written }) |= touch.stores;
    }
}

pub struct Transaction {
    pub page: PageId,
    pub ticket: Ticket,
    pub op: Rc<AnyOp>,
    touch: Touch,
    pub stage: Stage,
    /// It ran before, on a connection that was lost.
    pub repeated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Behind others.
    Waits,
    /// Its rows are being read.
    Runs,
    /// The commit was asked for.
    Commits,
}

impl Database {
    pub fn new(disk: Disk, whole: bool) -> Self {
        Self {
            disk,
            queue: BTreeMap::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            begun: 0,
            whole,
        }
    }

    /// A page begins a transaction.
    pub fn begin(&mut self, page: PageId, ticket: Ticket, op: Rc<AnyOp>, repeated: bool) -> TransactionId {
        let plan = op.plan();
        self.begun += 1;
        let stores = plan.stores().into_iter().fold(0, |bits, store: Store| bits | 1 << store as u16);
        let (touch, stage) = (Touch { stores, read_only: plan.read_only() }, Stage::Waits);
        self.queue.insert(self.begun, Transaction { page, ticket, op, touch, stage, repeated });
        self.waiting.entry(touch).or_default().insert(self.begun);
        self.begun
    }

    /// The transactions that need not wait any more, in order: they run from now on.
    pub fn start(&mut self) -> Vec<TransactionId> {
        let mut taken = Taken::default();
        self.running.values().for_each(|touch| taken.take(*touch));
        let mut started = Vec::new();
        // Where one waits, those behind it that touch the same wait, too.
        let heads = self.waiting.iter().filter_map(|(touch, ids)| Some((*ids.first()?, *touch)));
        let mut heads: BTreeSet<(TransactionId, Touch)> = heads.collect();
        while let Some((id, touch)) = heads.pop_first() {
            if taken.admits(touch, self.whole) {
                started.push(id);
                self.running.insert(id, touch);
                let ids = self.waiting.get_mut(&touch).expect("it waits there");
                ids.remove(&id);
                heads.extend(ids.first().map(|next| (*next, touch)));
            }
            taken.take(touch);
        }
        for id in &started {
            self.queue.get_mut(id).expect("it is in the queue").stage = Stage::Runs;
        }
        started
    }

    pub fn get(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.queue.get_mut(&id)
    }

    pub fn end(&mut self, id: TransactionId) -> Option<Transaction> {
        let ended = self.queue.remove(&id)?;
        self.running.remove(&id);
        if ended.stage == Stage::Waits {
            self.waiting.get_mut(&ended.touch).expect("it waits there").remove(&id);
        }
        Some(ended)
    }

    /// The page is gone: what had not asked for its commit aborts.
    pub fn abandon(&mut self, page: PageId) {
        let aborts = self.queue.iter().filter(|(_, each)| each.page == page && each.stage != Stage::Commits);
        let aborts: Vec<TransactionId> = aborts.map(|(id, _)| *id).collect();
        for id in aborts {
            self.end(id);
        }
    }

    /// Every transaction of the database aborts; answers them.
    pub fn abort_all(&mut self) -> Vec<Transaction> {
        self.waiting.clear();
        self.running.clear();
        core::mem::take(&mut self.queue).into_values().collect()
    }

    /// The transactions of the page whose rows are read while it cannot look at them.
    pub fn running(&self, page: PageId) -> Vec<TransactionId> {
        let of_page = self.queue.iter().filter(|(_, each)| each.page == page && each.stage == Stage::Runs);
        of_page.map(|(id, _)| *id).collect()
    }
}

/// The key and the value of a row that a write leaves in `store`.
pub fn put_in(store: Store, write: &Write) -> Option<(&[u8], &[u8])> {
    match write {
        Write::Put(into, key, value) | Write::Add(into, key, value) if *into == store => Some((key, value)),
        _ => None,
    }
}
