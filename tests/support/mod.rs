//! What the host's tests share.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod origin;
pub mod tabs;

use std::collections::BTreeMap;

use headwater::base::{Code, Error};
use headwater::log::{Key, Op, Plan, Rows, Scan, Store, Value, Write};

/// Rows in memory, one transaction at a time, as every backend behaves.
#[derive(Clone, Default)]
pub struct Table {
    pub rows: BTreeMap<(Store, Key), Value>,
}

impl Table {
    /// Runs `op` as one transaction.
    pub fn run<O: Op>(&mut self, op: &O) -> Result<O::Reply, Error> {
        let plan = op.plan();
        let mut writes: Vec<Write> = plan
            .adds
            .iter()
            .map(|(store, key, value)| Write::Add(*store, key.clone(), value.clone()))
            .collect();
        let applied = op.apply(&self.scan(&plan))?;
        writes.extend(applied.writes);
        for write in &writes {
            assert!(
                plan.writes.contains(&write.store())
                    || plan.adds.iter().any(|(store, ..)| *store == write.store()),
                "a plan must name the stores that it writes to"
            );
        }
        let mut changed = self.rows.clone();
        for write in writes {
            apply(&mut changed, write)?;
        }
        self.rows = changed;
        Ok(applied.reply)
    }

    fn scan(&self, plan: &Plan) -> Rows {
        let range = |store: Store, from: &Key, to: &Key| {
            let rows = self.rows.range((store, from.clone())..(store, to.clone().max(from.clone())));
            rows.map(|((_, key), value)| (key.clone(), value.clone()))
        };
        let scan = |scan: &Scan| match scan {
            Scan::Get(store, key) => {
                let value = self.rows.get(&(*store, key.clone()));
                value.map(|value| (key.clone(), value.clone())).into_iter().collect()
            }
            Scan::Range { store, from, to, limit } => range(*store, from, to).take(*limit).collect(),
            Scan::Last { store, from, to } => range(*store, from, to).next_back().into_iter().collect(),
        };
        Rows(plan.scans.iter().map(scan).collect())
    }
}

fn apply(rows: &mut BTreeMap<(Store, Key), Value>, write: Write) -> Result<(), Error> {
    match write {
        Write::Put(store, key, value) => {
            rows.insert((store, key), value);
        }
        Write::Add(store, key, value) => {
            if rows.insert((store, key), value).is_some() {
                return Err(Error::new(Code::StorageConflict, "the row exists"));
            }
        }
        Write::Delete(store, key) => {
            rows.remove(&(store, key));
        }
        Write::DeleteRange(store, from, to) => {
            rows.retain(|(other, key), _| *other != store || *key < from || *key >= to);
        }
    }
    Ok(())
}

/// Frames as the application's side of the boundary writes them.
#[derive(Default)]
pub struct FrameWriter(pub Vec<u8>);

impl FrameWriter {
    pub fn frame(mut self, partition: i32, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.0.extend_from_slice(&partition.to_le_bytes());
        self.0.extend_from_slice(&timestamp.to_le_bytes());
        for part in [key, value] {
            self.0.extend_from_slice(&part.map_or(-1, |part| part.len() as i32).to_le_bytes());
            self.0.extend_from_slice(part.unwrap_or_default());
        }
        self.0.extend_from_slice(&0_i32.to_le_bytes());
        self
    }
}
