//! Transactions of the applications, under ids that pages take from each other; all of one is written, or nothing, and
//! nothing of whoever was fenced.

use std::collections::BTreeMap;

use headwater::base::{Code, Error, ProducerId, TopicPartition};
use headwater::client::transaction::CommitTransaction;
use headwater::log::ops::TransactionalRow;
use headwater::log::{Durability, Store, Write};
use headwater::node::{Answer, Call, Transaction};

use super::app::{Asked, FORWARDED, PLAIN};
use super::mutant::Mutant;
use super::page::PageId;
use super::plan::Fault;
use super::storage::put_in;
use super::support::FrameWriter;
use super::world::World;

pub type Producer = (ProducerId, i16);

/// The `transactional.id`s that there are.
const IDS: [&str; 2] = ["t0", "t1"];

/// What one transaction writes, and as whom.
pub struct Bundle {
    pub id: String,
    pub producer: Producer,
    pub names: Vec<String>,
    /// Its application was told that nothing of it is written.
    pub aborted: bool,
}

/// The transactions of a world.
#[derive(Default)]
pub struct Bundles {
    all: Vec<Bundle>,
    /// Which transaction each record is of.
    of: BTreeMap<String, usize>,
    /// Who each page is under each id.
    held: BTreeMap<(PageId, String), Producer>,
    /// Who may write under each id in each copy, as stored.
    current: BTreeMap<(usize, Vec<u8>), Producer>,
}

impl Bundles {
    /// A transaction is about to be committed; answers its number.
    pub fn open(&mut self, bundle: Bundle) -> usize {
        let number = self.all.len();
        self.of.extend(bundle.names.iter().map(|name| (name.clone(), number)));
        self.all.push(bundle);
        number
    }

    pub fn held(&self, page: PageId, id: &str) -> Option<Producer> {
        self.held.get(&(page, id.to_string())).copied()
    }

    pub fn hold(&mut self, page: PageId, id: &str, producer: Producer) {
        self.held.insert((page, id.to_string()), producer);
    }

    /// Whoever was fenced begins a new epoch.
    pub fn forget(&mut self, page: PageId, error: &Error, number: usize) {
        if matches!(error.code(), Code::ProducerFenced | Code::InvalidProducerIdMapping) {
            self.held.remove(&(page, self.all[number].id.clone()));
        }
    }
}

impl World {
    /// The application of a page takes an id, or commits a transaction under it.
    pub fn transact(&mut self, page: PageId) {
        let id = IDS[self.random.below(2) as usize];
        let taken = self.random.chance(1, 6);
        let Some(producer) = self.bundles.held(page, id).filter(|_| !taken) else {
            return self.call(page, Call::InitTransactions(id.into()), Asked::Init(id));
        };
        let (mut names, mut sends) = (Vec::new(), Vec::new());
        for topic in [FORWARDED, PLAIN] {
            let mut frames = FrameWriter::default();
            for _ in 0..1 + self.random.below(3) {
                self.names += 1;
                let (name, key) = (format!("r{}", self.names), format!("k{}", self.random.below(5)));
                let time = self.pages[page].now(self.time).timestamp;
                frames = frames.frame(-1, time, Some(key.as_bytes()), Some(name.as_bytes()));
                names.push(name);
            }
            sends.push((topic.to_string(), frames.0));
        }
        let number = self.bundles.open(Bundle { id: id.to_string(), producer, names, aborted: false });
        let transaction = Transaction {
            transactional_id: id.into(),
            producer_id: producer.0,
            epoch: producer.1,
            create: true,
            durability: Durability::Strict,
            sends,
            offsets: Vec::new(),
        };
        self.call(page, Call::CommitTransaction(Box::new(transaction)), Asked::Transaction(number));
    }

    pub fn transactions_begun(&mut self, page: PageId, id: &'static str, result: Result<Answer, Error>) {
        if let Ok(Answer::Producer(producer, epoch)) = result {
            self.bundles.hold(page, id, (producer, epoch));
        }
    }

    /// What was committed is there; of what failed nothing is, nor will be.
    pub fn transaction_ended(&mut self, number: usize, result: &Result<Answer, Error>) {
        // A commit whose outcome was unknown, and whose id was taken before its retry, may be there all the same.
        let certain = !self.plan.has(Fault::Unknown) && !self.plan.has(Fault::Wipe);
        if result.is_err() {
            self.bundles.all[number].aborted = certain;
            let written =
                self.bundles.all[number].names.iter().find(|name| self.broker.places.contains_key(*name));
            if let Some(name) = written.filter(|_| certain).cloned() {
                self.violated(format!("aborted: {name} is written, and its transaction failed"));
            }
            return;
        }
        for name in self.bundles.all[number].names.clone() {
            if !self.broker.places.contains_key(&name) {
                self.violated(format!("untrue: {name} was committed, and is nowhere"));
            }
            self.counts.acknowledged += 1;
            self.acknowledged.insert(name, true);
        }
    }

    /// A storage transaction has appended these.
    pub fn check_bundles(&mut self, origin: usize, appended: &[(TopicPartition, i64, String)]) {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for number in appended.iter().filter_map(|(.., name)| self.bundles.of.get(name)) {
            *counts.entry(*number).or_default() += 1;
        }
        for (number, count) in counts {
            let Bundle { id, producer, names, aborted } = &self.bundles.all[number];
            let (id, producer, all, aborted) = (id.clone(), *producer, names.len(), *aborted);
            if aborted {
                self.violated(format!("aborted: a transaction of {id} failed, and was written then"));
            }
            if count < all {
                self.violated(format!("torn: {count} of {all} records of a transaction of {id} are written"));
            }
            let current = self.bundles.current.get(&(origin, TransactionalRow::key(&id)));
            if current.is_some_and(|current| *current != producer) {
                self.violated(format!("zombie: {producer:?} has written, and {id} is {current:?}"));
            }
        }
    }

    /// Ids that changed hands.
    pub fn producers_written(&mut self, origin: usize, writes: &[Write]) {
        for (key, row) in writes.iter().filter_map(|write| put_in(Store::Producers, write)) {
            if let (Some(b't'), Ok(row)) = (key.first(), TransactionalRow::decode(row)) {
                self.bundles.current.insert((origin, key.to_vec()), (row.producer_id, row.epoch));
            }
        }
    }

    /// The rows of this copy are other ones now.
    pub fn look_at_producers(&mut self, origin: usize) {
        self.bundles.current.retain(|(of, _), _| *of != origin);
        for (key, row) in self.origins[origin].database.disk.rows(Store::Producers, b"t") {
            let row = TransactionalRow::decode(&row).expect("a row of a transactional id");
            self.bundles.current.insert((origin, key), (row.producer_id, row.epoch));
        }
    }

    /// A mutant commits as whoever holds the id by now.
    pub fn unfenced(&self, origin: usize, commit: &CommitTransaction) -> Option<CommitTransaction> {
        if self.plan.mutant != Some(Mutant::NoTransactionFence) {
            return None;
        }
        let key = TransactionalRow::key(&commit.transactional_id);
        let row = self.origins[origin].database.disk.get(Store::Producers, &key)?;
        let row = TransactionalRow::decode(row).ok()?;
        let zombie = (row.producer_id, row.epoch) != (commit.producer_id, commit.epoch);
        let number = if zombie { row.committed + 1 } else { commit.number };
        Some(CommitTransaction { producer_id: row.producer_id, epoch: row.epoch, number, ..commit.clone() })
    }
}
