//! A storage whose power may fail: strict transactions stay, relaxed ones since the last strict one may go, the last
//! ones first.

use std::collections::BTreeMap;

use headwater::base::{Code, Error, Random};
use headwater::log::{Durability, Key, Op, Plan, Rows, Scan, Store, Value, Write};

type Row = (Store, Key);
type Undo = Vec<(Row, Option<Value>)>;

#[derive(Clone, Default)]
pub struct Disk {
    rows: BTreeMap<Row, Value>,
    /// How to take back each relaxed transaction since the last strict one.
    relaxed: Vec<Undo>,
    /// What the last transaction survives.
    pub durability: Option<Durability>,
}

impl Disk {
    /// Runs `op` as one transaction.
    pub fn run<O: Op>(&mut self, op: &O) -> Result<O::Reply, Error> {
        let durability = op.plan().durability;
        self.run_as(op, durability)
    }

    /// Runs `op` as one transaction that survives what `durability` says, whatever its own plan asks for.
    pub fn run_as<O: Op>(&mut self, op: &O, durability: Durability) -> Result<O::Reply, Error> {
        self.transact(op, durability).map(|(reply, _)| reply)
    }

    /// Runs `op` as one transaction; answers what it wrote too.
    pub fn transact<O: Op>(
        &mut self,
        op: &O,
        durability: Durability,
    ) -> Result<(O::Reply, Vec<Write>), Error> {
        let plan = op.plan();
        let applied = op.apply(&self.scan(&plan))?;
        let adds = plan.adds.iter().map(|(store, key, value)| Write::Add(*store, key.clone(), value.clone()));
        let writes: Vec<Write> = adds.chain(applied.writes).collect();
        for write in &writes {
            let added = plan.adds.iter().any(|(store, ..)| *store == write.store());
            assert!(
                added || plan.writes.contains(&write.store()),
                "a plan names the stores that it writes to"
            );
        }
        let mut undo = Undo::new();
        for write in &writes {
            if let Err(conflict) = self.write(write.clone(), &mut undo) {
                self.take_back(undo);
                return Err(conflict);
            }
        }
        if !plan.read_only() {
            self.durability = Some(durability);
            self.relaxed.push(undo);
            if durability == Durability::Strict {
                self.relaxed.clear();
            }
        }
        Ok((applied.reply, writes))
    }

    /// Nothing of what was written so far can be lost any more.
    pub fn flush(&mut self) {
        self.relaxed.clear();
    }

    /// The power fails.
    pub fn fail(&mut self, random: &mut Random) {
        for _ in 0..random.below(self.relaxed.len() as u64 + 1) {
            let undo = self.relaxed.pop().expect("there is one");
            self.take_back(undo);
        }
        self.relaxed.clear();
    }

    pub fn get(&self, store: Store, key: &Key) -> Option<&Value> {
        self.rows.get(&(store, key.clone()))
    }

    /// Puts a row from outside, strictly.
    pub fn put(&mut self, store: Store, key: Key, value: Value) {
        self.rows.insert((store, key), value);
        self.relaxed.clear();
    }

    /// The bytes of a row change by themselves.
    pub fn spoil(&mut self, store: Store, key: Key, value: Value) {
        self.rows.insert((store, key), value);
    }

    pub fn delete(&mut self, store: Store, key: &Key) {
        self.rows.remove(&(store, key.clone()));
        self.relaxed.clear();
    }

    /// The rows of `store` whose keys begin with `prefix`.
    pub fn rows(&self, store: Store, prefix: &[u8]) -> Vec<(Key, Value)> {
        let all = self.rows.range((store, prefix.to_vec())..);
        let of = all.take_while(|((each, key), _)| *each == store && key.starts_with(prefix));
        of.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// What the scans of `plan` find.
    pub fn scan(&self, plan: &Plan) -> Rows {
        let range = |store: Store, from: &Key, to: &Key| {
            let rows = self.rows.range((store, from.clone())..(store, to.clone().max(from.clone())));
            rows.map(|((_, key), value)| (key.clone(), value.clone()))
        };
        let scan = |scan: &Scan| match scan {
            Scan::Get(store, key) => {
                self.get(*store, key).map(|value| (key.clone(), value.clone())).into_iter().collect()
            }
            Scan::Range { store, from, to, limit } => range(*store, from, to).take(*limit).collect(),
            Scan::Last { store, from, to } => range(*store, from, to).next_back().into_iter().collect(),
        };
        Rows(plan.scans.iter().map(scan).collect())
    }

    fn write(&mut self, write: Write, undo: &mut Undo) -> Result<(), Error> {
        match write {
            Write::Put(store, key, value) => {
                let before = self.rows.insert((store, key.clone()), value);
                undo.push(((store, key), before));
            }
            Write::Add(store, key, value) => {
                if self.rows.contains_key(&(store, key.clone())) {
                    return Err(Error::new(Code::StorageConflict, "the row exists"));
                }
                self.rows.insert((store, key.clone()), value);
                undo.push(((store, key), None));
            }
            Write::Delete(store, key) => {
                let before = self.rows.remove(&(store, key.clone()));
                undo.push(((store, key), before));
            }
            Write::DeleteRange(store, from, to) => {
                let gone: Vec<Key> =
                    self.rows.range((store, from)..(store, to)).map(|((_, key), _)| key.clone()).collect();
                for key in gone {
                    let before = self.rows.remove(&(store, key.clone()));
                    undo.push(((store, key), before));
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, undo: Undo) {
        for (row, before) in undo.into_iter().rev() {
            match before {
                Some(value) => self.rows.insert(row, value),
                None => self.rows.remove(&row),
            };
        }
    }
}
