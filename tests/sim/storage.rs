//! One IndexedDB database, shared by the tabs of an origin: transactions wait for those before them whose stores they
//! touch, read-only ones beside each other; what was asked to commit commits, even if its page is gone.

use std::collections::BTreeMap;
use std::rc::Rc;

use headwater::log::{Op, Store, Write};
use headwater::node::{AnyOp, Ticket};

use super::disk::Disk;
use super::page::PageId;

pub type TransactionId = u64;

pub struct Database {
    pub disk: Disk,
    queue: BTreeMap<TransactionId, Transaction>,
    begun: TransactionId,
    /// Some engines run one read-write transaction a database, whatever it touches.
    pub whole: bool,
}

pub struct Transaction {
    pub page: PageId,
    pub ticket: Ticket,
    pub op: Rc<AnyOp>,
    /// A bit for each store that it touches.
    stores: u16,
    read_only: bool,
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
        Self { disk, queue: BTreeMap::new(), begun: 0, whole }
    }

    /// A page begins a transaction.
    pub fn begin(&mut self, page: PageId, ticket: Ticket, op: Rc<AnyOp>, repeated: bool) -> TransactionId {
        let plan = op.plan();
        self.begun += 1;
        let stores = plan.stores().into_iter().fold(0, |bits, store: Store| bits | 1 << store as u16);
        let (read_only, stage) = (plan.read_only(), Stage::Waits);
        let transaction = Transaction { page, ticket, op, stores, read_only, stage, repeated };
        self.queue.insert(self.begun, transaction);
        self.begun
    }

    /// The transactions that need not wait any more: they run from now on.
    pub fn start(&mut self) -> Vec<TransactionId> {
        let mut started = Vec::new();
        // What those before read, and what they write.
        let (mut read, mut written) = (0, 0);
        for (id, transaction) in &mut self.queue {
            let Transaction { stores, read_only, .. } = *transaction;
            let waits = match read_only {
                true => stores & written != 0,
                false => stores & (written | read) != 0 || self.whole && written != 0,
            };
            if transaction.stage == Stage::Waits && !waits {
                transaction.stage = Stage::Runs;
                started.push(*id);
            }
            if read_only { read |= stores } else { written |= stores }
        }
        started
    }

    pub fn get(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.queue.get_mut(&id)
    }

    pub fn end(&mut self, id: TransactionId) -> Option<Transaction> {
        self.queue.remove(&id)
    }

    /// The page is gone: what had not asked for its commit aborts.
    pub fn abandon(&mut self, page: PageId) {
        self.queue.retain(|_, transaction| transaction.page != page || transaction.stage == Stage::Commits);
    }

    /// Every transaction of the database aborts; answers them.
    pub fn abort_all(&mut self) -> Vec<Transaction> {
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
