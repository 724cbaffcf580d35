use std::rc::Rc;

use super::connection::Connection;
use super::connections::Connections;
use super::failure::Failure;
use super::{quota, transaction};
use crate::base::{Code, Error};
use crate::log::{Durability, Plan, Rows, Store, Write};
use crate::platform::ports::{Apply, Storage, StorageEvent};
use crate::platform::web::dom::Exception;

/// A log in an IndexedDB database, which all tabs and workers of the origin share.
pub struct IndexedDb {
    connections: Rc<Connections>,
}

impl IndexedDb {
    /// Opens the database of the log `name`. What becomes of the storage beside the transactions goes to
    /// `events`.
    ///
    /// # Errors
    /// [`Code::StorageMissing`] where there is no IndexedDB for this page, [`Code::StorageNewerFormat`], and
    /// [`Code::StorageFailed`] where the database cannot be opened after three attempts.
    pub async fn open(name: &str, events: impl Fn(StorageEvent) + 'static) -> Result<Self, Error> {
        let connections = Connections::new(format!("headwater/{name}"), Box::new(events));
        connections.connection().await?;
        Ok(Self { connections })
    }

    /// Closes the connection: later transactions are refused.
    pub fn close(&self) {
        self.connections.shut();
    }
}

impl Storage for IndexedDb {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        let mut again = true;
        loop {
            let connection = self.connections.connection().await?;
            let failure = match transaction::run(&connection, plan, apply).await {
                Ok(()) => {
                    self.connections.prove(&connection);
                    return Ok(());
                }
                Err(failure) => failure,
            };
            let (code, cause) = match failure {
                Failure::Refused(error) => return Err(error),
                Failure::Full(cause) if quota::is_used_up().await || commits(&connection).await => {
                    return Err(failed(Code::StorageQuotaExceeded, &cause));
                }
                // Damage that calls itself a full disk: a new connection may be better.
                Failure::Full(cause) => (None, cause),
                Failure::Lost(cause) => (None, cause),
                Failure::Stalled(cause) => (Some(Code::StorageFailed), cause),
                Failure::Unknown(cause) => (Some(Code::StorageUnknownOutcome), cause),
            };
            self.connections.invalidate(&connection, &cause);
            match code {
                None if again => again = false,
                code => return Err(failed(code.unwrap_or(Code::StorageFailed), &cause)),
            }
        }
    }
}

/// True where the storage commits what takes no room. Chromium reports a quota that is always far away, lest it tells
/// how large the disk is: there the estimate alone would take a storage that is full for a damaged one.
async fn commits(connection: &Connection) -> bool {
    let nothing = |_: &Rows| Ok(vec![Write::Delete(Store::Meta, b"probe".to_vec())]);
    let plan = Plan::write(Vec::new(), vec![Store::Meta], Durability::Relaxed);
    transaction::run(connection, &plan, &nothing).await.is_ok()
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        self.close();
    }
}

fn failed(code: Code, cause: &Exception) -> Error {
    let message = match code {
        Code::StorageQuotaExceeded => {
            "the origin's storage is full: delete records, or free room on the device"
        }
        Code::StorageUnknownOutcome => "the connection died during the commit: read what became of it",
        _ => "the connection died before the commit, twice or for too long: try again later",
    };
    Error::new(code, format!("{message} ({})", cause.text()))
}
