use std::cell::{Cell, RefCell};
use std::pin::pin;

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::lock::Mutex;

use crate::base::{Code, Error, Timestamp};
use crate::collect::ops::{Compare, Entry, Ingest, Ingested, OpenLog, Original};
use crate::collect::{Collector, Outcome, Wanted};
use crate::log::ops::GrowTopic;
use crate::platform::ports::{Storage, run};

/// Keeps what arrives in a log of its own. What arrives while a transaction runs shares the next one, since the
/// disk takes as long for one batch as for many.
pub struct Keeper<S> {
    storage: S,
    queue: RefCell<Vec<Waiting>>,
    /// What waits or is being stored.
    queued_bytes: Cell<usize>,
    turn: Mutex<()>,
}

/// What one request wants kept.
struct Waiting {
    wanted: Vec<Wanted>,
    bytes: usize,
    done: oneshot::Sender<Vec<Outcome>>,
}

impl<S: Storage> Keeper<S> {
    /// What one transaction carries.
    const TRANSACTION_BYTES: usize = 16 << 20;
    /// What may wait for one.
    const QUEUE_BYTES: usize = 64 << 20;

    /// Keeps in this storage.
    pub fn new(storage: S) -> Self {
        Self { storage, queue: RefCell::default(), queued_bytes: Cell::new(0), turn: Mutex::new(()) }
    }

    /// The storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Opens the log, and creates the topics that the collector is to have.
    ///
    /// # Errors
    /// The storage's, and [`Code::StorageNewerFormat`].
    pub async fn open(&self, collector: &RefCell<Collector>, fresh_secret: Vec<u8>) -> Result<(), Error> {
        let opened = run(&self.storage, &OpenLog { fresh_secret }).await?;
        let creations = collector.borrow_mut().opened(opened);
        for creation in creations {
            run(&self.storage, &creation).await?;
            let grow = GrowTopic { name: creation.name, partitions: creation.partitions };
            let row = run(&self.storage, &grow).await?;
            collector.borrow_mut().created(grow.name, row);
        }
        Ok(())
    }

    /// Keeps these. It resolves when they are on disk, or will not be.
    pub async fn keep(
        &self,
        collector: &RefCell<Collector>,
        now: Timestamp,
        wanted: Vec<Wanted>,
    ) -> Vec<Outcome> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let (count, bytes) = (wanted.len(), wanted.iter().map(Wanted::size).sum());
        if self.queued_bytes.get() + bytes > Self::QUEUE_BYTES {
            let full = Error::new(Code::QueueFull, "more arrives than the disk can take at the moment");
            return refuse(count, &full);
        }
        let (done, outcomes) = oneshot::channel();
        self.queue.borrow_mut().push(Waiting { wanted, bytes, done });
        self.queued_bytes.set(self.queued_bytes.get() + bytes);
        let outcomes = match select(outcomes, pin!(self.turn.lock())).await {
            Either::Left((outcomes, _)) => outcomes,
            Either::Right((turn, outcomes)) => {
                self.store_next(collector, now).await;
                drop(turn);
                outcomes.await
            }
        };
        outcomes.unwrap_or_else(|_| refuse(count, &Error::new(Code::Internal, "a request was forgotten")))
    }

    /// Stores what waits, the oldest first: at least one request, and as many as one transaction carries.
    async fn store_next(&self, collector: &RefCell<Collector>, now: Timestamp) {
        let group = {
            let mut queue = self.queue.borrow_mut();
            let mut bytes = 0;
            let fits = |waiting: &&Waiting| {
                bytes += waiting.bytes;
                bytes <= Self::TRANSACTION_BYTES
            };
            let count = queue.iter().take_while(fits).count().max(1).min(queue.len());
            queue.drain(..count).collect::<Vec<_>>()
        };
        let bytes: usize = group.iter().map(|waiting| waiting.bytes).sum();
        let mut all = Vec::new();
        let mut requests = Vec::with_capacity(group.len());
        for waiting in group {
            requests.push((waiting.wanted.len(), waiting.done));
            all.extend(waiting.wanted);
        }
        let stored = self.store(collector, now, &all).await;
        self.queued_bytes.set(self.queued_bytes.get() - bytes);
        let mut outcomes = stored.unwrap_or_else(|error| refuse(all.len(), &error)).into_iter();
        for (count, done) in requests {
            // Whoever asked may have gone.
            let _ = done.send(outcomes.by_ref().take(count).collect());
        }
    }

    async fn store(
        &self,
        collector: &RefCell<Collector>,
        now: Timestamp,
        all: &[Wanted],
    ) -> Result<Vec<Outcome>, Error> {
        let missing = collector.borrow_mut().missing(all);
        for creation in missing {
            let created = run(&self.storage, &creation).await?;
            collector.borrow_mut().created(creation.name, created.topic);
        }
        let placed: Vec<Result<Entry, Error>> =
            all.iter().map(|wanted| collector.borrow().entry(now, wanted)).collect();
        let entries: Vec<Entry> = placed.iter().filter_map(|entry| entry.as_ref().ok().cloned()).collect();
        let ingest = Ingest { entries, now };
        let mut ingested =
            if ingest.entries.is_empty() { Vec::new() } else { run(&self.storage, &ingest).await? }
                .into_iter();
        let ingested: Vec<Result<Ingested, Error>> = placed
            .iter()
            .map(|entry| match entry {
                Ok(_) => ingested
                    .next()
                    .unwrap_or_else(|| Err(Error::new(Code::Internal, "an entry has no answer"))),
                Err(error) => Err(error.clone()),
            })
            .collect();
        let same = self.compare(&placed, &ingested).await?;
        let mut same = same.into_iter();
        Ok(all
            .iter()
            .zip(ingested)
            .map(|(wanted, ingested)| match (ingested, wanted) {
                (Err(error), _) => Outcome::Refused(error.into()),
                (Ok(_), Wanted::Dead(letter)) => Outcome::DeadLettered(letter.error.clone()),
                (Ok(Ingested::Appended(base)), _) => Outcome::Accepted(Some(base)),
                (Ok(Ingested::Duplicate(base)), _) if same.next() == Some(true) => Outcome::Duplicate(base),
                (Ok(Ingested::Duplicate(_)), _) => Outcome::Refused(diverged().into()),
            })
            .collect())
    }

    /// Of every batch that looks like a duplicate, whether it is one.
    async fn compare(
        &self,
        placed: &[Result<Entry, Error>],
        ingested: &[Result<Ingested, Error>],
    ) -> Result<Vec<bool>, Error> {
        let originals = placed.iter().zip(ingested).filter_map(|(entry, ingested)| match (entry, ingested) {
            (Ok(entry), Ok(Ingested::Duplicate(base))) if !entry.dead => {
                Some(Original { tp: entry.tp, base: *base, bytes: entry.bytes.clone() })
            }
            _ => None,
        });
        let originals: Vec<Original> = originals.collect();
        if originals.is_empty() { Ok(Vec::new()) } else { run(&self.storage, &Compare { originals }).await }
    }
}

fn refuse(count: usize, error: &Error) -> Vec<Outcome> {
    vec![Outcome::Refused(error.clone().into()); count]
}

fn diverged() -> Error {
    let message = "other records were stored under this identity: this log is a copy of another";
    Error::new(Code::Diverged, message)
}
