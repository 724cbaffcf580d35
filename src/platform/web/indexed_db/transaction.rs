use std::rc::Rc;

use idb::ObjectStore;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Event, IdbTransaction};

use super::connection::Connection;
use super::failure::{Failure, copy};
use super::progress::Progress;
use super::scan::{Pending, bytes, key_range};
use super::watchdog::Watchdog;
use crate::log::{Key, Plan, Rows, Store, Value, Write};
use crate::platform::ports::{Apply, check_writes};
use crate::platform::web::dom::Exception;

/// Runs one plan as one transaction.
///
/// Scans and `plan.adds` are asked for at once; `apply` runs in the turn in which the last scan succeeds, and
/// the writes and the commit follow in the same turn: a page that is frozen or busy later holds nobody up.
pub(super) async fn run(connection: &Connection, plan: &Plan, apply: Apply<'_>) -> Result<(), Failure> {
    let transaction = Transaction::begin(connection, plan)?;
    let scans = transaction.ask(plan).map_err(thrown)?;
    transaction.progress.until(true).await?;
    transaction.finish(plan, scans, apply)?;
    // What a plan only read is read: there is nothing to wait for.
    if plan.read_only() { Ok(()) } else { transaction.progress.until(false).await }
}

/// One transaction and its handlers. Dropped before its commit it aborts, and nothing is written.
struct Transaction {
    handle: IdbTransaction,
    progress: Rc<Progress>,
    /// See [`Connection::commits`].
    commits: bool,
    watchdog: Rc<Watchdog>,
    _handler: Closure<dyn FnMut(Event)>,
}

impl Transaction {
    fn begin(connection: &Connection, plan: &Plan) -> Result<Self, Failure> {
        let handle = connection.begin(plan).map_err(|exception| Failure::of(exception, false))?;
        let progress = Rc::<Progress>::default();
        let (told, transaction) = (Rc::clone(&progress), handle.clone());
        // One for all events: each is a closure to be made and to be freed.
        let handler = Closure::new(move |event: Event| match event.type_().as_str() {
            "complete" => told.ended(Ok(())),
            "abort" => told.ended(Err(told.cause(&transaction))),
            _ => {
                told.failed(&event);
                // The default does the same, but counts as uncaught in some browsers. Behind the commit only the
                // default can abort: prevented there, what was asked for beside it would be committed.
                if transaction.abort().is_ok() {
                    event.prevent_default();
                }
            }
        });
        let listener = handler.as_ref().unchecked_ref();
        handle.set_oncomplete(Some(listener));
        handle.set_onabort(Some(listener));
        handle.set_onerror(Some(listener));
        let watchdog = Rc::clone(&connection.watchdog);
        watchdog.watch(&progress);
        Ok(Self { handle, progress, commits: connection.commits, watchdog, _handler: handler })
    }

    /// Asks for the rows, and for the adds behind them.
    fn ask(&self, plan: &Plan) -> Result<Vec<Pending>, idb::Error> {
        let mut scans = Vec::with_capacity(plan.scans.len());
        for scan in &plan.scans {
            scans.push(Pending::issue(&self.store(scan.store())?, scan)?);
        }
        for (store, key, value) in &plan.adds {
            self.add(*store, key, value)?;
        }
        // The last one that asks for anything: requests succeed in the order in which they were made.
        let asked = scans.iter_mut().rev().any(|scan| {
            let progress = Rc::clone(&self.progress);
            scan.on_success(move || progress.scanned())
        });
        if !asked {
            self.progress.scanned();
        }
        Ok(scans)
    }

    /// Decides on the rows, and asks for the writes and the commit.
    fn finish(&self, plan: &Plan, scans: Vec<Pending>, apply: Apply<'_>) -> Result<(), Failure> {
        let mut rows = Vec::with_capacity(scans.len());
        for scan in scans {
            rows.push(scan.rows().map_err(thrown)?);
        }
        let writes = apply(&Rows(rows)).map_err(Failure::Refused)?;
        check_writes(plan, &writes).map_err(Failure::Refused)?;
        for write in &writes {
            self.write(write).map_err(thrown)?;
        }
        self.commit()
    }

    fn add(&self, store: Store, key: &Key, value: &Value) -> Result<(), idb::Error> {
        self.store(store)?.add(&bytes(value), Some(&bytes(key))).map(drop)
    }

    fn write(&self, write: &Write) -> Result<(), idb::Error> {
        let store = self.store(write.store())?;
        match write {
            Write::Put(_, key, value) => store.put(&bytes(value), Some(&bytes(key))).map(drop),
            Write::Add(_, key, value) => store.add(&bytes(value), Some(&bytes(key))).map(drop),
            Write::Delete(_, key) => store.delete(bytes(key)).map(drop),
            Write::DeleteRange(_, from, to) => match key_range(from, to)? {
                Some(range) => store.delete(range).map(drop),
                None => Ok(()),
            },
        }
    }

    fn store(&self, store: Store) -> Result<ObjectStore, idb::Error> {
        let found = self.handle.object_store(store.name());
        found.map(ObjectStore::from).map_err(idb::Error::ObjectStoreNotFound)
    }

    fn commit(&self) -> Result<(), Failure> {
        if self.commits {
            #[allow(deprecated, reason = "the binding dates from before the call was standardised")]
            let asked = self.handle.commit();
            asked.map_err(|thrown| Failure::of(Exception::of(&thrown), false))?;
        }
        self.progress.committing();
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.watchdog.forget(&self.progress);
        self.handle.set_oncomplete(None);
        self.handle.set_onabort(None);
        self.handle.set_onerror(None);
        if !self.progress.is_committing() {
            // Refused where the transaction has ended already.
            let _ = self.handle.abort();
        }
    }
}

fn thrown(error: idb::Error) -> Failure {
    Failure::of(copy(&error), false)
}
