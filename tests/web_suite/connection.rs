use futures::future::{join, join_all};
use headwater::base::{Code, Error};
use headwater::log::Store::{Groups, Topics};
use headwater::log::{Durability, Plan, Rows, Scan, Write};
use headwater::platform::web::IndexedDb;
use headwater::platform::{Storage, StorageEvent};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Database, Events, faults};
use crate::storage_suite::{self, Backend};

async fn put(storage: &IndexedDb, at: u8) -> Result<(), Error> {
    let plan = Plan::write(vec![Scan::Get(Topics, vec![at])], vec![Topics], Durability::Relaxed);
    storage.transact(&plan, &|_: &Rows| Ok(vec![Write::Put(Topics, vec![at], vec![at])])).await
}

fn code<T>(result: Result<T, Error>) -> Option<Code> {
    result.err().map(|error| error.code())
}

#[wasm_bindgen_test]
async fn another_tab_may_wipe_the_database_at_any_time() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    put(&storage, 1).await.unwrap();
    assert!(!faults::wipe(&backend.0).await);
    storage_suite::put_replaces(&backend).await;
    put(&storage, 2).await.unwrap();
    assert_eq!(events.take(), [StorageEvent::Reopened]);
}

#[wasm_bindgen_test]
async fn another_tab_may_upgrade_and_its_format_is_refused() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    let newer = faults::open_other(&backend.0, 2, true).await;
    assert_eq!(code(put(&storage, 1).await), Some(Code::StorageNewerFormat));
    assert_eq!(code(events.open(&backend.0).await), Some(Code::StorageNewerFormat));
    assert_eq!(events.take(), []);
    newer.close();
}

#[wasm_bindgen_test]
async fn a_connection_that_the_browser_closed_is_replaced_once_for_all_who_wait() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::watch();
    put(&storage, 1).await.unwrap();
    faults::close_connection();
    let before = faults::seen().len();
    let results = join_all((0..8).map(|at| put(&storage, at))).await;
    assert!(results.iter().all(Result::is_ok));
    let seen = faults::seen();
    // The storage heard of it: nobody tried the old connection first.
    assert!(seen[before..].starts_with(" open readwrite"));
    assert_eq!(seen.matches("open").count(), 1);
    assert_eq!(events.take(), [StorageEvent::Reopened]);
    faults::restore();
}

#[wasm_bindgen_test]
async fn the_end_of_an_old_connection_does_not_touch_its_successor() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    let other = faults::open_other(&backend.0, 1, true).await;
    let release = faults::hold(&other).await;
    faults::watch();
    // One waits for the other tab on the first connection, whatever becomes of that. The other reads: a writer waits for
    // every writer, in some browsers.
    let waiting = put(&storage, 1);
    let dying = async {
        faults::abort_unasked(1);
        let plan = Plan::read(vec![Scan::Get(Groups, vec![1])]);
        storage.transact(&plan, &|_: &Rows| Ok(Vec::new())).await.unwrap();
        assert_eq!(events.take(), [StorageEvent::Reopened]);
        faults::close_connection();
        storage.transact(&plan, &|_: &Rows| Ok(Vec::new())).await.unwrap();
        release.call0(&wasm_bindgen::JsValue::NULL).unwrap();
    };
    let (waited, ()) = join(waiting, dying).await;
    waited.unwrap();
    assert_eq!(events.take(), []);
    other.close();
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_late_failure_on_an_old_connection_does_not_touch_its_successor() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    let other = faults::open_other(&backend.0, 1, true).await;
    let release = faults::hold(&other).await;
    let plan = Plan::read(vec![Scan::Get(Groups, vec![1])]);
    faults::fast_timers();
    let stalling = put(&storage, 1);
    let dying = async {
        faults::abort_unasked(1);
        storage.transact(&plan, &|_: &Rows| Ok(Vec::new())).await.unwrap();
    };
    let (stalled, ()) = join(stalling, dying).await;
    assert_eq!(code(stalled), Some(Code::StorageFailed));
    release.call0(&wasm_bindgen::JsValue::NULL).unwrap();
    put(&storage, 1).await.unwrap();
    assert_eq!(events.take(), [StorageEvent::Reopened]);
    other.close();
    faults::restore();
}

#[wasm_bindgen_test]
async fn opening_heals_within_three_attempts() {
    faults::restore();
    faults::fast_timers();
    let (backend, events) = (Database::new(), Events::default());
    for (name, message) in DAMAGES {
        faults::fail_open(3, name, message);
        let storage = events.open(&backend.0).await.unwrap();
        put(&storage, 1).await.unwrap();
        assert_eq!(events.take(), [], "{message}");
    }
    faults::restore();
}

/// What browsers say of a database that they cannot open.
const DAMAGES: [(&str, &str); 4] = [
    ("UnknownError", "Internal error opening backing store for indexedDB.open."),
    ("UnknownError", "Connection to Indexed Database server lost. Refresh the page to try again"),
    // A full disk that is none.
    ("QuotaExceededError", "Encountered full disk while opening backing store for indexedDB.open."),
    ("AbortError", "The connection was closed."),
];

#[wasm_bindgen_test]
async fn a_database_that_cannot_be_opened_is_given_up_after_three_more_attempts_and_never_deleted() {
    for (name, message) in DAMAGES {
        faults::restore();
        faults::fast_timers();
        let (backend, events) = (Database::new(), Events::default());
        storage_suite::put_replaces(&backend).await;
        faults::fail_open(u32::MAX, name, message);
        faults::watch();
        assert_eq!(code(events.open(&backend.0).await), Some(Code::StorageFailed), "{message}");
        assert_eq!(faults::seen(), "open open open open");
        assert_eq!(events.take(), [StorageEvent::Degraded(format!("{name}: {message}"))]);
        faults::restore();
        put(&events.open(&backend.0).await.unwrap(), 1).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn storage_that_stays_away_degrades_and_is_found_when_it_is_back() {
    faults::restore();
    faults::fast_timers();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::watch();
    put(&storage, 1).await.unwrap();
    faults::close_connection();
    let message = "Connection to Indexed Database server lost. Refresh the page to try again";
    faults::fail_open(6, "UnknownError", message);
    for _ in 0..3 {
        let failed = put(&storage, 2).await.unwrap_err();
        assert_eq!(failed.code(), Code::StorageFailed);
        assert!(failed.retriable() && failed.message().contains("server lost"));
    }
    put(&storage, 2).await.unwrap();
    let degraded = StorageEvent::Degraded(format!("UnknownError: {message}"));
    assert_eq!(events.take(), [degraded, StorageEvent::Reopened, StorageEvent::Recovered]);
    faults::restore();
}

#[wasm_bindgen_test]
async fn connections_that_open_and_serve_nothing_degrade_too() {
    faults::restore();
    faults::fast_timers();
    let (backend, events) = (Database::new(), Events::default());
    let storage = events.open(&backend.0).await.unwrap();
    faults::abort_unasked(6);
    for _ in 0..3 {
        assert_eq!(code(put(&storage, 1).await), Some(Code::StorageFailed));
    }
    put(&storage, 1).await.unwrap();
    let told = events.take();
    assert_eq!(told.iter().filter(|event| matches!(event, StorageEvent::Degraded(_))).count(), 1);
    assert_eq!(told.last(), Some(&StorageEvent::Recovered));
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_page_without_indexed_db_is_told_so_at_once() {
    type Fault = fn();
    let absent: [Fault; 4] = [
        || faults::without_global("indexedDB"),
        || faults::throw_on_open(1, "SecurityError"),
        || {
            faults::fail_open(
                1,
                "InvalidStateError",
                "A mutation operation was attempted on a database that did not allow mutations.",
            )
        },
        || faults::fail_open(1, "SecurityError", ""),
    ];
    for fault in absent {
        faults::restore();
        fault();
        let events = Events::default();
        assert_eq!(code(events.open("missing").await), Some(Code::StorageMissing));
        assert_eq!(events.take(), []);
    }
    faults::restore();
}

#[wasm_bindgen_test]
async fn an_open_that_another_tab_blocks_waits_and_says_so() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    let older = faults::open_other(&backend.0, 1, false).await;
    faults::open_version(1, 2);
    faults::fast_timers();
    let opening = async {
        let storage = events.open(&backend.0).await.unwrap();
        put(&storage, 1).await.unwrap();
    };
    let waiting = async {
        while events.0.borrow().is_empty() {
            faults::settle().await;
        }
        // Longer than an open may take that nobody blocks.
        for _ in 0..400 {
            faults::settle().await;
        }
        assert_eq!(events.take(), [StorageEvent::Blocked]);
        older.close();
    };
    join(opening, waiting).await;
    assert_eq!(events.take(), [StorageEvent::Recovered]);
    faults::restore();
}

#[wasm_bindgen_test]
async fn an_open_that_does_not_answer_is_tried_again_and_leaves_no_orphan() {
    faults::restore();
    let (backend, events) = (Database::new(), Events::default());
    storage_suite::put_replaces(&backend).await;
    faults::fast_timers();
    faults::open_late(1, 20_000);
    let storage = events.open(&backend.0).await.unwrap();
    faults::restore();
    put(&storage, 1).await.unwrap();
    for _ in 0..14 {
        faults::settle().await;
    }
    drop(storage);
    assert!(!faults::wipe(&backend.0).await);
    assert_eq!(events.take(), []);
}

#[wasm_bindgen_test]
async fn a_closed_storage_lets_go_of_the_database() {
    faults::restore();
    let backend = Database::new();
    let (closed, dropped) = (backend.open().await, backend.open().await);
    closed.close();
    drop(dropped);
    assert!(!faults::wipe(&backend.0).await);
    assert_eq!(code(put(&closed, 1).await), Some(Code::NodeClosed));
}
