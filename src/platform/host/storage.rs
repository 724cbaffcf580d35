#![allow(async_fn_in_trait)]

use std::collections::BTreeSet;

use futures::lock::Mutex;

use crate::base::{Code, Error};
use crate::log::{Durability, Key, Plan, Rows, Scan, Store, Value, Write};
use crate::platform::ports::{Apply, Storage, check_writes};

/// What the embedding runtime does: a sorted map of bytes that reads from one moment and writes all or nothing.
pub trait HostRows {
    /// The rows that these scans find, all as of one moment.
    async fn read(&self, scans: &[Scan]) -> Result<Vec<Vec<(Key, Value)>>, Error>;

    /// Carries out these writes in order, all or none of them. [`Write::Add`] is a put: whether the row exists
    /// was looked at before.
    async fn commit(&self, writes: &[Write], durability: Durability) -> Result<(), Error>;
}

/// Transactions over the runtime's rows, one writer at a time. The rows belong to this storage alone.
pub struct HostStorage<H> {
    rows: H,
    writing: Mutex<()>,
}

impl<H: HostRows> HostStorage<H> {
    /// Transactions over these rows.
    pub fn new(rows: H) -> Self {
        Self { rows, writing: Mutex::new(()) }
    }

    async fn check_adds(&self, writes: &[Write]) -> Result<(), Error> {
        let mut earlier = Touched::default();
        let mut unknown = Vec::new();
        for write in writes {
            if let Write::Add(store, key, _) = write {
                match earlier.exists(*store, key) {
                    Some(true) => return Err(conflict()),
                    Some(false) => {}
                    None => unknown.push(Scan::Get(*store, key.clone())),
                }
            }
            earlier.note(write);
        }
        if unknown.is_empty() || self.rows.read(&unknown).await?.iter().all(Vec::is_empty) {
            Ok(())
        } else {
            Err(conflict())
        }
    }
}

impl<H: HostRows> Storage for HostStorage<H> {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        if plan.read_only() {
            let found = Rows(self.rows.read(&plan.scans).await?);
            return check_writes(plan, &apply(&found)?);
        }
        let _turn = self.writing.lock().await;
        let found = Rows(self.rows.read(&plan.scans).await?);
        let applied = apply(&found)?;
        check_writes(plan, &applied)?;
        let adds = plan.adds.iter().map(|(store, key, value)| Write::Add(*store, key.clone(), value.clone()));
        let writes: Vec<Write> = adds.chain(applied).collect();
        if writes.is_empty() {
            return Ok(());
        }
        self.check_adds(&writes).await?;
        self.rows.commit(&writes, plan.durability).await
    }
}

/// What the earlier writes of a transaction did to rows.
#[derive(Default)]
struct Touched<'a> {
    written: BTreeSet<(Store, &'a Key)>,
    deleted: Vec<&'a Write>,
}

impl<'a> Touched<'a> {
    /// Whether the row is there after the earlier writes; `None` where they say nothing of it.
    fn exists(&self, store: Store, key: &Key) -> Option<bool> {
        if self.written.contains(&(store, key)) {
            return Some(true);
        }
        let deleted = self.deleted.iter().any(|write| match write {
            Write::Delete(from, gone) => *from == store && gone == key,
            Write::DeleteRange(from, first, after) => *from == store && (first..after).contains(&key),
            _ => false,
        });
        deleted.then_some(false)
    }

    fn note(&mut self, write: &'a Write) {
        match write {
            Write::Put(store, key, _) | Write::Add(store, key, _) => {
                self.written.insert((*store, key));
            }
            Write::Delete(store, key) => {
                self.written.remove(&(*store, key));
                self.deleted.push(write);
            }
            Write::DeleteRange(store, from, to) => {
                self.written.retain(|(other, key)| other != store || !(from..to).contains(key));
                self.deleted.push(write);
            }
        }
    }
}

fn conflict() -> Error {
    Error::new(Code::StorageConflict, "a row that was to be added exists already: read again, then try again")
}
