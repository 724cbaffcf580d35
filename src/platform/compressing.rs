//! Compression, below everything that reads records: what stands above sees batches that are not compressed. A
//! platform compresses in its own time, and a transaction does not wait for it. So what is to be compressed is before
//! the transaction, and where a transaction comes upon a compressed batch it is run again with the batch unpacked.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use super::ports::{Apply, Storage};
use crate::base::{Code, Error};
use crate::log::batch::{self, Compression};
use crate::log::{Plan, Rows, Store, Value, Write};

/// Bytes to come.
pub type Recoding<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + 'a>>;

/// Compresses, and undoes it, in its own time.
pub trait Recode {
    /// `bytes` compressed, or decompressed.
    ///
    /// # Errors
    /// [`Code::UnsupportedCompressionType`] where there is no codec, or where it fails.
    fn recode(&self, compression: Compression, bytes: &[u8], compress: bool) -> Recoding<'_>;
}

/// A storage whose batches may be compressed.
pub struct Compressing<S, C> {
    /// Where the rows are.
    pub inner: S,
    /// Who compresses.
    pub codec: C,
}

impl<S: Storage, C: Recode> Storage for Compressing<S, C> {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        if plan.adds.iter().any(|(store, _, value)| *store == Store::Batches && batch::is_marked(value)) {
            return late_packed(self, plan, apply).await;
        }
        let stored = |rows: &Rows| {
            let mut writes = apply(rows)?;
            for write in &mut writes {
                if let Write::Put(Store::Batches, _, value) | Write::Add(Store::Batches, _, value) = write
                    && batch::is_marked(value)
                {
                    late_unmark(value)?;
                }
            }
            Ok(writes)
        };
        match self.inner.transact(plan, &stored).await {
            Err(error) if error.code() == Code::UnsupportedCompressionType => {
                late_unpacked(self, plan, apply, error).await
            }
            result => result,
        }
    }
}

/// How often one transaction may come upon batches that were not there before.
const ROUNDS: usize = 4;

/// What takes the place of a batch, and the batch.
type Replacement = (Value, Value);
type Done<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

// What follows is needed only where something is compressed: a build may load it after the rest.

/// Runs the plan with what it adds compressed.
#[inline(never)]
fn late_packed<'a, S: Storage, C: Recode>(
    storage: &'a Compressing<S, C>,
    plan: &'a Plan,
    apply: Apply<'a>,
) -> Done<'a> {
    Box::pin(async move {
        let mut plan = plan.clone();
        for (store, _, value) in &mut plan.adds {
            if *store != Store::Batches || !batch::is_marked(value) {
                continue;
            }
            let (compression, records) = batch::packable(value)?;
            *value = match storage.codec.recode(compression, records, true).await {
                Ok(packed) if packed.len() < records.len() => batch::repacked(value, compression, &packed)?,
                // What gains nothing by it, and what cannot be compressed, is stored as it is.
                _ => batch::repacked(value, Compression::None, records)?,
            };
        }
        storage.transact(&plan, apply).await
    })
}

/// Runs the plan again with the compressed batches that it reads unpacked.
#[inline(never)]
fn late_unpacked<'a, S: Storage, C: Recode>(
    storage: &'a Compressing<S, C>,
    plan: &'a Plan,
    apply: Apply<'a>,
    error: Error,
) -> Done<'a> {
    Box::pin(async move {
        let mut result = Err(error);
        let mut unpacked: Vec<Replacement> = Vec::new();
        for _ in 0..ROUNDS {
            let found: RefCell<Vec<Value>> = RefCell::default();
            let seen = |rows: &Rows| {
                let mut plain = rows.clone();
                found.replace(replace(plan, &mut plain, &unpacked));
                if found.borrow().is_empty() { apply(&plain) } else { Err(late()) }
            };
            result = storage.inner.transact(plan, &seen).await;
            let found = found.into_inner();
            if found.is_empty() {
                break;
            }
            for batch in found {
                let (compression, records) = batch::packable(&batch)?;
                let plain = storage.codec.recode(compression, records, false).await?;
                unpacked.push((batch::repacked(&batch, Compression::None, &plain)?, batch));
            }
        }
        result
    })
}

fn late() -> Error {
    Error::new(Code::StorageConflict, "compressed batches came faster than they were read")
}

/// Puts what is unpacked in place of what is not; answers what nobody has unpacked yet.
fn replace(plan: &Plan, rows: &mut Rows, unpacked: &[Replacement]) -> Vec<Value> {
    let mut others = Vec::new();
    for (scan, rows) in plan.scans.iter().zip(&mut rows.0) {
        if scan.store() != Store::Batches {
            continue;
        }
        for (_, value) in rows {
            let packed =
                batch::packable(value).is_ok_and(|(compression, _)| compression != Compression::None);
            if !packed {
                continue;
            }
            match unpacked.iter().find(|(_, batch)| batch == value) {
                Some((plain, _)) => value.clone_from(plain),
                None => others.push(value.clone()),
            }
        }
    }
    others
}

/// Inside of a transaction nobody can wait for a codec: what is written there is stored as it is.
#[inline(never)]
fn late_unmark(batch: &mut Value) -> Result<(), Error> {
    let (_, records) = batch::packable(batch)?;
    *batch = batch::repacked(batch, Compression::None, records)?;
    Ok(())
}
