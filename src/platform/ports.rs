//! The ports: what a node needs of the place that it runs in. None asks for `Send`.

#![allow(async_fn_in_trait)]

use std::cell::RefCell;
use std::rc::Rc;

use super::slot::Slot;
use crate::base::{Code, Error, Instant, Now};
use crate::log::{Op, Plan, Rows, Store, Write};

/// Turns the rows of a transaction into its writes, or refuses.
pub type Apply<'a> = &'a dyn Fn(&Rows) -> Result<Vec<Write>, Error>;

/// Rows, and transactions over them.
pub trait Storage {
    /// Runs one plan as one transaction: reads, applies, writes. It resolves when the transaction has
    /// completed at the plan's durability. `apply` may run again where the transaction is repeated.
    ///
    /// # Errors
    /// What `apply` refused; [`Code::StorageConflict`] where an added row exists; and the failures of the
    /// storage, of which only [`Code::StorageUnknownOutcome`] may have written.
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error>;
}

/// What becomes of a storage beside the transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageEvent {
    /// Another tab keeps the database from being opened: transactions wait until it lets go.
    Blocked,
    /// The storage cannot be opened, or every transaction fails: this is why.
    Degraded(String),
    /// Transactions complete again after [`StorageEvent::Blocked`] or [`StorageEvent::Degraded`].
    Recovered,
    /// A lost connection was replaced. Others may have written, or wiped, the log meanwhile: what was cached
    /// of its rows is void.
    Reopened,
}

/// A channel to the other nodes of the log. Best effort: it may drop, and never calls back inside `send`.
pub trait Bus {
    /// Sends these bytes to every other node.
    fn send(&self, message: &[u8]);
}

/// The clocks.
pub trait Clock {
    /// Both clocks now.
    fn now(&self) -> Now;

    /// Resolves at or after `at`.
    async fn sleep_until(&self, at: Instant);

    /// Resolves so many milliseconds later, and after what is going on now even where they are none.
    async fn pause(&self, ms: u32);
}

/// Exclusive locks that are released when their holder's context dies.
pub trait Locks {
    /// What holds the lock; dropping it releases the lock.
    type Guard: Guard + 'static;

    /// Resolves when the lock is held: at once where `steal` is set, whoever holds it.
    async fn acquire(&self, name: &str, steal: bool) -> Result<Self::Guard, Error>;
}

/// What holds a lock.
pub trait Guard {
    /// Filled when another node has stolen the lock.
    fn stolen(&self) -> Rc<Slot<()>>;
}

/// Refuses writes to a store that `plan` did not name: a backend locks no other.
pub(super) fn check_writes(plan: &Plan, writes: &[Write]) -> Result<(), Error> {
    let named = |store: Store| plan.writes.contains(&store) || plan.adds.iter().any(|add| add.0 == store);
    match writes.iter().map(Write::store).find(|store| !named(*store)) {
        None => Ok(()),
        Some(store) => {
            let message = format!("an operation wrote to {}, which its plan does not name", store.name());
            Err(Error::new(Code::Internal, message))
        }
    }
}

/// Runs `op` as one transaction.
///
/// # Errors
/// What the operation refused and what the storage failed with.
pub async fn run<O: Op, S: Storage>(storage: &S, op: &O) -> Result<O::Reply, Error> {
    let reply = RefCell::new(None);
    let apply = |rows: &Rows| {
        let applied = op.apply(rows)?;
        reply.replace(Some(applied.reply));
        Ok(applied.writes)
    };
    storage.transact(&op.plan(), &apply).await?;
    reply.take().ok_or_else(|| {
        Error::new(Code::Internal, "a storage backend completed a transaction without applying it")
    })
}
