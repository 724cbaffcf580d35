//! The only way to durable state.
//!
//! An [`Op`] is plain data: [`Op::plan`] names the rows that it wants, [`Op::apply`] turns them into
//! writes and a reply, and both are pure. A backend is dumb: it runs one plan as one transaction.

use crate::base::Error;

/// The object stores, few and fixed: topics and partitions are rows, so a new one upgrades nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// Format version and the log's identity.
    Meta,
    /// Topics by name.
    Topics,
    /// Partitions by topic id and number: start offset, generation.
    Partitions,
    /// Record batches by topic id, partition and base offset.
    Batches,
    /// What a log remembers of producers.
    Producers,
    /// Consumer groups, a row each.
    Groups,
    /// Committed offsets by group, topic and partition.
    Offsets,
    /// Deliveries of a forwarder, a row a partition.
    Deliveries,
}

impl Store {
    /// Every store, in the order of their tags.
    pub const ALL: [Self; 8] = [
        Self::Meta,
        Self::Topics,
        Self::Partitions,
        Self::Batches,
        Self::Producers,
        Self::Groups,
        Self::Offsets,
        Self::Deliveries,
    ];

    /// The name of the object store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Topics => "topics",
            Self::Partitions => "partitions",
            Self::Batches => "batches",
            Self::Producers => "producers",
            Self::Groups => "groups",
            Self::Offsets => "offsets",
            Self::Deliveries => "deliveries",
        }
    }
}

/// A row's key. Keys order as their bytes do.
pub type Key = Vec<u8>;

/// A row's value.
pub type Value = Vec<u8>;

/// Rows that an operation wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The row of this key, if there is one.
    Get(Store, Key),
    /// The first `limit` rows with `from <= key < to`, in order.
    Range {
        /// Where to look.
        store: Store,
        /// The first key.
        from: Key,
        /// The key after the last.
        to: Key,
        /// The most rows to return.
        limit: usize,
    },
    /// The last row with `from <= key < to`.
    Last {
        /// Where to look.
        store: Store,
        /// The first key.
        from: Key,
        /// The key after the last.
        to: Key,
    },
}

impl Scan {
    /// The store that is read.
    pub fn store(&self) -> Store {
        match self {
            Self::Get(store, _) | Self::Range { store, .. } | Self::Last { store, .. } => *store,
        }
    }
}

/// A change of one row, or of a range of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The row gets this value, whether it existed or not.
    Put(Store, Key, Value),
    /// The row is created. Where it exists already, the transaction aborts as a conflict.
    Add(Store, Key, Value),
    /// The row goes, if it is there.
    Delete(Store, Key),
    /// The rows with `from <= key < to` go.
    DeleteRange(Store, Key, Key),
}

impl Write {
    /// The store that is written.
    pub fn store(&self) -> Store {
        match self {
            Self::Put(store, ..)
            | Self::Add(store, ..)
            | Self::Delete(store, _)
            | Self::DeleteRange(store, ..) => *store,
        }
    }
}

/// How much an acknowledgement survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// A crash of the tab and of the browser, but not of the power.
    Relaxed,
    /// A power cut too.
    Strict,
}

/// What a backend needs to know before it opens the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The rows to read. All are read before [`Op::apply`] runs.
    pub scans: Vec<Scan>,
    /// Rows that are added *while* the scans run, without waiting for them: where `apply` refuses, or one
    /// of the keys exists already, the transaction aborts and nothing is written.
    pub adds: Vec<(Store, Key, Value)>,
    /// The stores that `apply` may write to. None of them and no `adds`: the transaction only reads.
    pub writes: Vec<Store>,
    /// When the transaction counts as done.
    pub durability: Durability,
}

impl Plan {
    /// A transaction that only reads.
    pub fn read(scans: Vec<Scan>) -> Self {
        Self { scans, adds: Vec::new(), writes: Vec::new(), durability: Durability::Relaxed }
    }

    /// A transaction that reads, then writes to some of `writes`.
    pub fn write(scans: Vec<Scan>, writes: Vec<Store>, durability: Durability) -> Self {
        Self { scans, adds: Vec::new(), writes, durability }
    }

    /// True if nothing can be written.
    pub fn read_only(&self) -> bool {
        self.adds.is_empty() && self.writes.is_empty()
    }

    /// Every store that the transaction touches, each once, in order.
    pub fn stores(&self) -> Vec<Store> {
        let touched = |store: &Store| {
            self.scans.iter().any(|scan| scan.store() == *store)
                || self.adds.iter().any(|(added, ..)| added == store)
                || self.writes.contains(store)
        };
        Store::ALL.into_iter().filter(touched).collect()
    }
}

/// The rows that the scans of a [`Plan`] found, in the same order: one list a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub Vec<Vec<(Key, Value)>>);

impl Rows {
    /// All rows of scan `index`.
    pub fn all(&self, index: usize) -> &[(Key, Value)] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }

    /// The first row of scan `index`.
    pub fn first(&self, index: usize) -> Option<&(Key, Value)> {
        self.all(index).first()
    }

    /// The value of the first row of scan `index`.
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        self.first(index).map(|(_, value)| value.as_slice())
    }
}

/// What an operation wants written, and what it answers once that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied<R> {
    /// The writes beyond the plan's `adds`.
    pub writes: Vec<Write>,
    /// The answer. It is void until the transaction has completed.
    pub reply: R,
}

impl<R> Applied<R> {
    /// Nothing to write.
    pub fn reply(reply: R) -> Self {
        Self { writes: Vec::new(), reply }
    }

    /// The same writes with another answer.
    pub fn map<S>(self, reply: impl FnOnce(R) -> S) -> Applied<S> {
        Applied { writes: self.writes, reply: reply(self.reply) }
    }
}

/// One atomic operation on the rows.
pub trait Op {
    /// The answer.
    type Reply;

    /// The rows it wants.
    fn plan(&self) -> Plan;

    /// The decision. An error aborts the transaction: nothing is written.
    ///
    /// # Errors
    /// Whatever rule the rows break.
    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error>;
}

impl<O: Op> Op for std::rc::Rc<O> {
    type Reply = O::Reply;

    fn plan(&self) -> Plan {
        (**self).plan()
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        (**self).apply(rows)
    }
}
