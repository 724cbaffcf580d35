use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt;
use headwater::platform::web::{BroadcastBus, PageClock, PageLocks, idle, open, seed};
use headwater::platform::{Bus, Clock, Locks, StorageEvent};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Database, Events, faults};
use crate::storage_suite::{self, Backend};

#[wasm_bindgen_test]
async fn a_lock_excludes_and_is_handed_over_when_its_guard_is_dropped() {
    faults::restore();
    let name = Database::new().0;
    let (one, other) = (PageLocks::open(&name), PageLocks::open(&name));
    assert!(one.supported());
    let held = one.acquire("group", false).await.unwrap();
    let elsewhere = PageLocks::open("another log").acquire("group", false).await.unwrap();
    let mut waiting = Box::pin(other.acquire("group", false));
    assert!(waiting.as_mut().now_or_never().is_none());
    faults::settle().await;
    assert!(waiting.as_mut().now_or_never().is_none());
    let full = format!("headwater/{name}/group");
    assert_eq!(faults::locks().await, format!("held headwater/another log/group,{full} pending {full}"));
    drop((held, elsewhere));
    let held = waiting.await.unwrap();
    assert_eq!(faults::locks().await, format!("held {full} pending "));
    drop(held);
    faults::settle().await;
    assert_eq!(faults::locks().await, "held  pending ");
}

#[wasm_bindgen_test]
async fn a_lock_request_that_is_dropped_is_withdrawn() {
    faults::restore();
    faults::uncaught();
    let name = Database::new().0;
    let locks = PageLocks::open(&name);
    let held = locks.acquire("a", false).await.unwrap();
    let mut queued = Box::pin(locks.acquire("a", false));
    assert!(queued.as_mut().now_or_never().is_none());
    faults::settle().await;
    drop(queued);
    // Dropped before the browser has looked at it.
    assert!(locks.acquire("b", false).now_or_never().is_none());
    faults::settle().await;
    assert_eq!(faults::locks().await, format!("held headwater/{name}/a pending "));
    drop(held);
    assert!(locks.acquire("a", false).await.is_ok());
    assert!(locks.acquire("b", false).await.is_ok());
    faults::settle().await;
    assert_eq!(faults::uncaught(), "");
}

#[wasm_bindgen_test]
async fn without_web_locks_a_lock_holds_within_the_realm_and_says_so() {
    faults::restore();
    faults::without_locks();
    let name = Database::new().0;
    let (one, other) = (PageLocks::open(&name), PageLocks::open(&name));
    assert!(!one.supported());
    let held = one.acquire("a", false).now_or_never().unwrap().unwrap();
    let mut waiting = Box::pin(other.acquire("a", false));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    assert!(waiting.now_or_never().is_some());
    faults::restore();
}

/// An end of the channel that notes what it hears.
fn end(name: &str) -> (BroadcastBus, Rc<RefCell<Vec<Vec<u8>>>>) {
    let heard = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let bus = BroadcastBus::open(name);
    let list = Rc::clone(&heard);
    bus.listen(move |bytes| list.borrow_mut().push(bytes.to_vec()));
    (bus, heard)
}

#[wasm_bindgen_test]
async fn a_message_reaches_every_other_end_and_never_inside_send() {
    faults::restore();
    let name = Database::new().0;
    let ((one, first), (_two, second), (three, third)) = (end(&name), end(&name), end(&name));
    faults::chatter(&name);
    one.send(b"");
    one.send(&[7; 70_000]);
    assert!(second.borrow().is_empty());
    faults::settle().await;
    assert_eq!(*second.borrow(), [vec![], vec![7; 70_000]]);
    assert_eq!(*third.borrow(), *second.borrow());
    assert!(first.borrow().is_empty());
    three.close();
    three.send(b"late");
    one.send(b"more");
    faults::settle().await;
    assert_eq!((second.borrow().len(), third.borrow().len()), (3, 2));
}

#[wasm_bindgen_test]
async fn without_channels_messages_reach_nobody() {
    faults::restore();
    faults::without_global("BroadcastChannel");
    let (bus, _) = end("nowhere");
    assert!(!bus.supported());
    bus.send(b"hello");
    faults::restore();
}

#[wasm_bindgen_test]
async fn the_clock_never_wakes_too_early() {
    faults::restore();
    let before = PageClock.now();
    for ms in [0, 1, 7, 30] {
        let until = PageClock.now().instant + ms;
        PageClock.sleep_until(until).await;
        assert!(PageClock.now().instant >= until);
    }
    let after = PageClock.now();
    assert!(after.instant - before.instant >= 38);
    assert!((after.timestamp - before.timestamp - (after.instant - before.instant) as i64).abs() < 1_000);
    assert!(before.timestamp > 1_700_000_000_000);
}

#[wasm_bindgen_test]
async fn a_log_opens_in_indexed_db_where_there_is_one() {
    faults::restore();
    let name = Database::new().0;
    let parts = open(&name, false, |_| {}).await.unwrap();
    assert_eq!(parts.storage.name(), "indexeddb");
    assert!(parts.locks.supported());
    parts.storage.close();
    parts.bus.close();
    assert_eq!(open(&name, true, |_| {}).await.unwrap().storage.name(), "memory");
}

#[wasm_bindgen_test]
async fn a_log_without_indexed_db_opens_in_memory_and_says_so() {
    faults::restore();
    faults::without_global("indexedDB");
    let (name, events) = (Database::new().0, Events::default());
    let told = events.clone();
    let one = open(&name, false, move |event| told.0.borrow_mut().push(event)).await.unwrap();
    assert_eq!(one.storage.name(), "memory");
    assert!(
        matches!(events.take().as_slice(), [StorageEvent::Degraded(message)] if message.contains("use memory"))
    );
    let other = open(&name, false, |_| {}).await.unwrap();
    let heard = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let list = Rc::clone(&heard);
    other.bus.listen(move |bytes| list.borrow_mut().push(bytes.to_vec()));
    one.bus.send(b"hello");
    assert!(heard.borrow().is_empty());
    faults::settle().await;
    assert_eq!(*heard.borrow(), [b"hello".to_vec()]);
    let held = one.locks.acquire("a", false).await.unwrap();
    assert!(other.locks.acquire("a", false).now_or_never().is_none());
    drop(held);
    faults::restore();
}

#[wasm_bindgen_test]
async fn a_log_that_a_newer_headwater_wrote_does_not_open_in_memory() {
    faults::restore();
    let name = Database::new().0;
    faults::open_other(&name, 2, true).await.close();
    let refused = open(&name, false, |_| {}).await.err().unwrap();
    assert_eq!(refused.code(), headwater::base::Code::StorageNewerFormat);
}

#[wasm_bindgen_test]
fn every_node_draws_another_seed() {
    faults::restore();
    assert_ne!(seed(), seed());
    faults::without_global("crypto");
    assert_ne!(seed(), seed());
    faults::restore();
}

/// The suite's own backend must be able to fail it: two names are two databases.
#[wasm_bindgen_test]
async fn two_names_are_two_databases() {
    let (one, other) = (Database::new(), Database::new());
    storage_suite::put_replaces(&one).await;
    storage_suite::put_replaces(&other).await;
    drop(one.open().await);
}

#[wasm_bindgen_test]
async fn idleness_comes_with_idle_callbacks_and_without() {
    faults::restore();
    idle().await;
    faults::without_global("requestIdleCallback");
    idle().await;
    faults::restore();
}
