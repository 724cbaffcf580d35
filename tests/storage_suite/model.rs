use std::collections::BTreeMap;
use std::ops::Bound;

use headwater::base::{Code, Random};
use headwater::log::Store::{Batches, Groups};
use headwater::log::{Durability, Key, Plan, Scan, Store, Value, Write};
use headwater::platform::Storage;

use super::{Backend, code, read};

type Model = BTreeMap<(Store, Key), Value>;

fn bound(random: &mut Random) -> Key {
    (0..random.below(3)).map(|_| random.below(4) as u8).collect()
}

fn store(random: &mut Random) -> Store {
    if random.chance(1, 2) { Batches } else { Groups }
}

fn row(random: &mut Random) -> (Store, Key, Value) {
    let value = (0..random.below(5)).map(|_| random.below(256) as u8).collect();
    (store(random), bound(random), value)
}

fn draw_write(random: &mut Random) -> Write {
    let (store, key, value) = row(random);
    match random.below(8) {
        0..4 => Write::Put(store, key, value),
        4 => Write::Add(store, key, value),
        5 | 6 => Write::Delete(store, key),
        _ => Write::DeleteRange(store, key, bound(random)),
    }
}

fn draw_scan(random: &mut Random) -> Scan {
    let (store, from, to) = (store(random), bound(random), bound(random));
    match random.below(3) {
        0 => Scan::Get(store, from),
        1 => Scan::Range { store, from, to, limit: random.below(6) as usize },
        _ => Scan::Last { store, from, to },
    }
}

/// What the model says of a transaction: the rows after it, or nothing where it conflicts.
fn after(before: &Model, writes: impl Iterator<Item = Write>) -> Option<Model> {
    let mut model = before.clone();
    for write in writes {
        match write {
            Write::Put(store, key, value) => drop(model.insert((store, key), value)),
            Write::Add(store, key, value) => {
                if model.insert((store, key), value).is_some() {
                    return None;
                }
            }
            Write::Delete(store, key) => drop(model.remove(&(store, key))),
            Write::DeleteRange(store, from, to) => {
                model.retain(|(each, key), _| *each != store || *key < from || *key >= to);
            }
        }
    }
    Some(model)
}

fn expected(model: &Model, scan: &Scan) -> Vec<(Key, Value)> {
    let rows = |store: Store, from: &Key, to: &Key| {
        let end = Bound::Excluded((store, to.max(from).clone()));
        let range = model.range((Bound::Included((store, from.clone())), end));
        range.map(|((_, key), value)| (key.clone(), value.clone()))
    };
    match scan {
        Scan::Get(store, key) => {
            model.get(&(*store, key.clone())).map(|value| (key.clone(), value.clone())).into_iter().collect()
        }
        Scan::Range { store, from, to, limit } => rows(*store, from, to).take(*limit).collect(),
        Scan::Last { store, from, to } => rows(*store, from, to).next_back().into_iter().collect(),
    }
}

pub async fn random_transactions_match_a_model(backend: &impl Backend) {
    let storage = backend.open().await;
    let mut random = Random::new(7);
    let (mut model, mut conflicts) = (Model::new(), 0);
    for _ in 0..150 {
        let writes: Vec<Write> = (0..random.below(5)).map(|_| draw_write(&mut random)).collect();
        let adds: Vec<_> = (0..random.below(2)).map(|_| row(&mut random)).collect();
        let scans: Vec<Scan> = (0..random.below(4)).map(|_| draw_scan(&mut random)).collect();
        let plan = Plan {
            scans: scans.clone(),
            adds: adds.clone(),
            writes: vec![Batches, Groups],
            durability: Durability::Relaxed,
        };
        let result = storage
            .transact(&plan, &|rows| {
                let expected: Vec<_> = scans.iter().map(|scan| expected(&model, scan)).collect();
                assert_eq!(rows.0, expected);
                Ok(writes.clone())
            })
            .await;
        let added = adds.into_iter().map(|(store, key, value)| Write::Add(store, key, value));
        match after(&model, added.chain(writes)) {
            Some(after) => {
                assert_eq!(code(result), None);
                model = after;
            }
            None => {
                assert_eq!(code(result), Some(Code::StorageConflict));
                conflicts += 1;
            }
        }
    }
    assert!(conflicts > 20 && conflicts < 120);
    let all = [Batches, Groups].map(|store| Scan::Range { store, from: vec![], to: vec![9], limit: 1_000 });
    let found = read(&storage, all.to_vec()).await;
    assert_eq!(found, all.map(|scan| expected(&model, &scan)));
}
