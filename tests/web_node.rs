//! What is left of the browser in Node: channels and timers, but no IndexedDB and, before Node 24, no locks.
//! `wasm-pack test --node` runs it; a browser run passes it by.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage_suite;

use std::cell::RefCell;
use std::rc::Rc;

use headwater::platform::memory::{MemoryLog, MemoryStorage};
use headwater::platform::web::{BroadcastBus, PageClock, PageLocks, open, seed};
use headwater::platform::{Bus, Clock, Locks, StorageEvent};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_test::wasm_bindgen_test;

struct Memory(MemoryStorage);

impl storage_suite::Backend for Memory {
    type Storage = MemoryStorage;

    async fn open(&self) -> MemoryStorage {
        self.0.clone()
    }
}

macro_rules! case {
    ($name:ident) => {
        #[wasm_bindgen_test]
        async fn $name() {
            storage_suite::$name(&Memory(MemoryLog::default().storage().clone())).await;
        }
    };
}

storage_suite!(case);

async fn settle() {
    PageClock.sleep_until(PageClock.now().instant + 50).await;
}

#[wasm_bindgen_test]
async fn a_log_opens_in_memory_and_says_so() {
    let events = Rc::<RefCell<Vec<StorageEvent>>>::default();
    let told = Rc::clone(&events);
    let parts = open("node", false, move |event| told.borrow_mut().push(event)).await.unwrap();
    assert_eq!(parts.storage.name(), "memory");
    assert!(matches!(events.borrow().as_slice(), [StorageEvent::Degraded(_)]));
    assert!(parts.locks.supported());
    assert!(parts.locks.acquire("group", false).await.is_ok());
    assert_ne!(seed(), seed());
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = process, js_name = getActiveResourcesInfo)]
    fn active_resources() -> js_sys::Array;
}

/// Whether a channel keeps the process alive.
fn kept_alive() -> bool {
    active_resources().iter().any(|resource| resource == "MessagePort")
}

#[wasm_bindgen_test]
async fn channels_work_and_do_not_keep_the_process_alive() {
    assert!(!kept_alive());
    let heard = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let list = Rc::clone(&heard);
    let (one, other) = (BroadcastBus::open("node"), BroadcastBus::open("node"));
    other.listen(move |bytes| list.borrow_mut().push(bytes.to_vec()));
    one.send(b"hello");
    settle().await;
    assert_eq!(*heard.borrow(), [b"hello".to_vec()]);
    assert!(!kept_alive());
    drop((one, other));
}

#[wasm_bindgen_test]
async fn a_lock_is_granted_with_or_without_the_platforms_own() {
    let (one, other) = (PageLocks::open("node"), PageLocks::open("node"));
    let held = one.acquire("a", false).await.unwrap();
    drop(held);
    assert!(other.acquire("a", false).await.is_ok());
}
