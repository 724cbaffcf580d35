use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::base::{Code, Error};
use crate::log::{Key, Plan, Rows, Scan, Store, Value, Write};
use crate::platform::ports::{Apply, Storage, check_writes};

/// Rows in sorted tables. Clones share them; a transaction never waits, so none interleaves with another.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    tables: Rc<RefCell<Tables>>,
}

impl Storage for MemoryStorage {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        let found = {
            let tables = self.tables.borrow();
            Rows(plan.scans.iter().map(|scan| tables.table(scan.store()).find(scan)).collect())
        };
        let writes = apply(&found)?;
        check_writes(plan, &writes)?;
        let adds = plan.adds.iter().map(|(store, key, value)| Write::Add(*store, key.clone(), value.clone()));
        self.tables.borrow_mut().write(adds.chain(writes))
    }
}

/// A table for each store, in the order of [`Store::ALL`].
#[derive(Default)]
struct Tables([Table; Store::ALL.len()]);

/// Rows in the order of their keys.
#[derive(Default)]
struct Table(Vec<(Key, Value)>);

/// What a row was before it was written.
type Before = (Store, Key, Option<Value>);

impl Tables {
    fn table(&self, store: Store) -> &Table {
        &self.0[store as usize]
    }

    /// Carries out all of the writes or, where an added row exists, none.
    fn write(&mut self, writes: impl Iterator<Item = Write>) -> Result<(), Error> {
        let mut before = Vec::new();
        for write in writes {
            if !self.carry_out(write, &mut before) {
                for (store, key, value) in before.into_iter().rev() {
                    self.replace(store, key, value);
                }
                return Err(Error::new(
                    Code::StorageConflict,
                    "a row that was to be added exists already: read again, then try again",
                ));
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, write: Write, before: &mut Vec<Before>) -> bool {
        let (store, key, value) = match write {
            Write::Add(store, key, _) if self.table(store).position(&key).is_ok() => return false,
            Write::Add(store, key, value) | Write::Put(store, key, value) => (store, key, Some(value)),
            Write::Delete(store, key) => (store, key, None),
            Write::DeleteRange(store, from, to) => {
                let Table(rows) = &mut self.0[store as usize];
                let range = between(rows, &from, &to);
                before.extend(rows.drain(range).map(|(key, value)| (store, key, Some(value))));
                return true;
            }
        };
        let replaced = self.replace(store, key.clone(), value);
        before.push((store, key, replaced));
        true
    }

    /// Sets a row, or removes it; answers what it was.
    fn replace(&mut self, store: Store, key: Key, value: Option<Value>) -> Option<Value> {
        let found = self.table(store).position(&key);
        let Table(rows) = &mut self.0[store as usize];
        match (found, value) {
            (Ok(index), Some(value)) => Some(core::mem::replace(&mut rows[index].1, value)),
            (Ok(index), None) => Some(rows.remove(index).1),
            (Err(index), Some(value)) => {
                rows.insert(index, (key, value));
                None
            }
            (Err(_), None) => None,
        }
    }
}

impl Table {
    /// Where the row of this key is, or where it would be.
    fn position(&self, key: &Key) -> Result<usize, usize> {
        self.0.binary_search_by(|(each, _)| each.cmp(key))
    }

    fn find(&self, scan: &Scan) -> Vec<(Key, Value)> {
        let rows = match scan {
            Scan::Get(_, key) => match self.position(key) {
                Ok(index) => &self.0[index..=index],
                Err(_) => &[],
            },
            Scan::Range { from, to, limit, .. } => {
                let rows = &self.0[between(&self.0, from, to)];
                &rows[..rows.len().min(*limit)]
            }
            Scan::Last { from, to, .. } => {
                let rows = &self.0[between(&self.0, from, to)];
                &rows[rows.len().saturating_sub(1)..]
            }
        };
        rows.to_vec()
    }
}

/// Where the rows with `from <= key < to` are; nowhere where the range is empty or turned round.
fn between(rows: &[(Key, Value)], from: &Key, to: &Key) -> Range<usize> {
    let below = |bound: &Key| rows.partition_point(|(key, _)| key < bound);
    let start = below(from);
    start..below(to).max(start)
}
