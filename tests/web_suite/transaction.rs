use std::cell::Cell;

use headwater::base::{Code, Error};
use headwater::log::Store::{Batches, Partitions, Topics};
use headwater::log::{Durability, Plan, Rows, Scan, Write};
use headwater::platform::{Storage, StorageEvent};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Database, Events, faults};
use crate::storage_suite::{self, Backend};

/// Reads a row, adds one and writes one; answers how often it was applied.
async fn attempt(storage: &impl Storage, at: u8) -> (Result<(), Error>, u32) {
    let applied = Cell::new(0);
    let plan = Plan {
        scans: vec![Scan::Get(Partitions, vec![at])],
        adds: vec![(Batches, vec![at], vec![at])],
        writes: vec![Partitions],
        durability: Durability::Relaxed,
    };
    let apply = |_: &Rows| {
        applied.set(applied.get() + 1);
        Ok(vec![Write::Put(Partitions, vec![at], vec![at])])
    };
    let result = storage.transact(&plan, &apply).await;
    (result, applied.get())
}

fn code(attempt: &(Result<(), Error>, u32)) -> Option<Code> {
    attempt.0.as_ref().err().map(Error::code)
}

async fn stored(backend: &Database) -> usize {
    let storage = backend.open().await;
    let found = Cell::new(0);
    let all = |store| Scan::Range { store, from: Vec::new(), to: vec![255], limit: 100 };
    let plan = Plan::read(vec![all(Batches), all(Partitions)]);
    let apply = |rows: &Rows| {
        assert_eq!(rows.all(0).len(), rows.all(1).len());
        found.set(rows.all(0).len());
        Ok(Vec::new())
    };
    storage.transact(&plan, &apply).await.unwrap();
    found.get()
}

/// What is seen in this engine, which may be left to commit by itself.
fn engine(seen: &str) -> String {
    if faults::commits() { seen.to_string() } else { seen.replace("commit ", "") }
}

#[wasm_bindgen_test]
async fn an_append_asks_for_everything_at_once_and_commits_with_the_rows() {
    faults::restore();
    let storage = Database::new().open().await;
    faults::watch();
    assert_eq!(code(&attempt(&storage, 1).await), None);
    assert_eq!(faults::seen(), engine("readwrite:relaxed get add got commit complete"));
    faults::restore();
}

#[wasm_bindgen_test]
async fn the_plan_sets_mode_and_durability() {
    faults::restore();
    let storage = Database::new().open().await;
    faults::watch();
    let plans = [
        Plan::read(vec![Scan::Get(Topics, vec![1])]),
        Plan::write(Vec::new(), vec![Topics], Durability::Strict),
        Plan::write(Vec::new(), vec![Topics], Durability::Relaxed),
    ];
    for plan in &plans {
        storage.transact(plan, &|_| Ok(Vec::new())).await.unwrap();
        faults::settle().await;
    }
    let read = "readonly:relaxed get got commit complete";
    let wrote = "readwrite:strict commit complete readwrite:relaxed commit complete";
    assert_eq!(faults::seen(), engine(&format!("{read} {wrote}")));
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_storage_that_says_it_is_full_and_is_not_is_opened_again() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    assert_eq!(code(&attempt(&storage, 1).await), None);
    faults::estimate(10.0, 100.0);
    // The attempt, and what would take no room.
    faults::refuse_commit(2, "QuotaExceededError");
    assert_eq!(code(&attempt(&storage, 2).await), None, "run again on a new connection");
    assert_eq!(events.take(), [StorageEvent::Reopened]);
    faults::refuse_commit(4, "QuotaExceededError");
    assert_eq!(code(&attempt(&storage, 3).await), Some(Code::StorageFailed), "and not as a full storage");
    assert_eq!(stored(&backend).await, 2);
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_storage_that_commits_what_takes_no_room_is_full_whatever_the_estimate_says() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::estimate(10.0, 100.0);
    faults::refuse_commit(1, "QuotaExceededError");
    assert_eq!(code(&attempt(&storage, 1).await), Some(Code::StorageQuotaExceeded));
    assert_eq!(events.take(), []);
    assert_eq!(stored(&backend).await, 0);
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_storage_that_stays_falsely_full_degrades() {
    faults::restore();
    faults::fast_timers();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::estimate(10.0, 100.0);
    faults::refuse_commit(12, "QuotaExceededError");
    for at in 1..=3 {
        assert_eq!(code(&attempt(&storage, at).await), Some(Code::StorageFailed));
    }
    let degraded = |event: &StorageEvent| matches!(event, StorageEvent::Degraded(_));
    assert_eq!(events.take().iter().filter(|event| degraded(event)).count(), 1);
    assert_eq!(code(&attempt(&storage, 1).await), None);
    assert_eq!(events.take().last(), Some(&StorageEvent::Recovered));
    faults::restore();
}

type Fault = fn(u32);

/// The ways in which a connection dies before the commit.
const DEATHS: [Fault; 4] =
    [faults::closing_handle, faults::abort_unasked, faults::abort_under_the_rows, |times| {
        let message = "Attempt to get a record from database without an in-progress transaction";
        faults::fail_get(times, "UnknownError", message);
    }];

#[wasm_bindgen_test]
async fn a_connection_that_dies_before_the_commit_is_replaced_and_the_transaction_run_again() {
    for fault in DEATHS {
        faults::restore();
        let (backend, events) = (Database::new(), Events::default());
        let storage = events.open(&backend.0).await.unwrap();
        assert_eq!(code(&attempt(&storage, 1).await), None);
        fault(1);
        assert_eq!(code(&attempt(&storage, 2).await), None);
        assert_eq!(events.take(), [StorageEvent::Reopened]);
        assert_eq!(stored(&backend).await, 2);
    }
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_transaction_is_run_again_once_only() {
    for fault in DEATHS {
        faults::restore();
        let (backend, events) = (Database::new(), Events::default());
        let storage = events.open(&backend.0).await.unwrap();
        fault(2);
        let failed = attempt(&storage, 1).await;
        assert_eq!(code(&failed), Some(Code::StorageFailed));
        assert!(failed.0.unwrap_err().retriable());
        assert_eq!(stored(&backend).await, 0);
        assert_eq!(code(&attempt(&storage, 1).await), None);
        assert_eq!(stored(&backend).await, 1);
    }
    faults::restore();
}

#[wasm_bindgen_test]
async fn an_unknown_outcome_is_told_and_never_run_again() {
    for name in [None, Some("UnknownError"), Some("AbortError")] {
        faults::restore();
        let (backend, events) = (Database::new(), Events::default());
        let storage = events.open(&backend.0).await.unwrap();
        faults::die_in_commit(1, name);
        let unknown = attempt(&storage, 1).await;
        assert_eq!(code(&unknown), Some(Code::StorageUnknownOutcome));
        assert_eq!(unknown.1, 1);
        assert_eq!(stored(&backend).await, 1);
        assert_eq!(code(&attempt(&storage, 1).await), Some(Code::StorageConflict));
        assert_eq!(events.take(), [StorageEvent::Reopened]);
    }
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_write_that_the_engine_lost_is_an_unknown_outcome_even_where_nothing_is_there() {
    // The engine answers the write after the commit was asked for: nobody can tell this from the case above.
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::refuse_commit(1, "UnknownError");
    assert_eq!(code(&attempt(&storage, 1).await), Some(Code::StorageUnknownOutcome));
    assert_eq!(stored(&backend).await, 0);
    assert_eq!(code(&attempt(&storage, 1).await), None);
    assert_eq!(events.take(), [StorageEvent::Reopened]);
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_commit_that_the_browser_refuses_says_why() {
    let codes = [
        ("QuotaExceededError", Code::StorageQuotaExceeded),
        ("ConstraintError", Code::StorageConflict),
        ("DataError", Code::StorageFailed),
    ];
    for (name, expected) in codes {
        faults::restore();
        let (backend, events) = (Database::new(), Events::default());
        let storage = events.open(&backend.0).await.unwrap();
        faults::estimate(95.0, 100.0);
        faults::refuse_commit(1, name);
        assert_eq!(code(&attempt(&storage, 1).await), Some(expected));
        assert_eq!(stored(&backend).await, 0);
        assert_eq!(code(&attempt(&storage, 1).await), None);
        assert_eq!(events.take(), []);
    }
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_transaction_that_waits_for_a_frozen_tab_is_given_up() {
    faults::restore();
    let backend = Database::new();
    let storage = backend.open().await;
    let other = faults::open_other(&backend.0, 1, true).await;
    let release = faults::hold(&other).await;
    faults::fast_timers();
    let plan = Plan::write(vec![Scan::Get(Topics, vec![1])], vec![Topics], Durability::Relaxed);
    let stalled = storage.transact(&plan, &|_| Ok(vec![Write::Put(Topics, vec![1], vec![1])])).await;
    assert_eq!(stalled.unwrap_err().code(), Code::StorageFailed);
    release.call0(&wasm_bindgen::JsValue::NULL).unwrap();
    let again = storage.transact(&plan, &|rows| {
        assert!(rows.first(0).is_none());
        Ok(Vec::new())
    });
    again.await.unwrap();
    other.close();
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_commit_that_never_ends_is_an_unknown_outcome() {
    faults::restore();
    let backend = Database::new();
    let storage = backend.open().await;
    faults::silent_commit(1);
    faults::fast_timers();
    assert_eq!(code(&attempt(&storage, 1).await), Some(Code::StorageUnknownOutcome));
    faults::restore();
    assert_eq!(stored(&backend).await, 1);
}

#[wasm_bindgen_test]
async fn no_failure_reaches_the_pages_error_handlers() {
    faults::restore();
    faults::uncaught();
    let backend = Database::new();
    storage_suite::a_conflict_of_a_speculative_add_aborts_every_write(&Database::new()).await;
    storage_suite::a_refusal_comes_before_the_conflict_of_a_speculative_add(&Database::new()).await;
    storage_suite::a_dropped_transaction_leaves_the_storage_sound(&Database::new()).await;
    let storage = backend.open().await;
    faults::watch();
    for _ in 0..10 {
        let _ = attempt(&storage, 1).await;
    }
    faults::settle().await;
    assert_eq!(faults::seen().matches("abort").count(), 9);
    faults::abort_unasked(1);
    let _ = attempt(&storage, 2).await;
    drop(storage);
    faults::settle().await;
    assert_eq!(faults::uncaught(), "");
    faults::restore();
}
