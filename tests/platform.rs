//! The backends that run on the host.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod platform_suite;
mod storage_suite;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{join, join3};
use headwater::platform::memory::{MemoryLog, MemoryStorage};
use headwater::platform::{Bus, Locks};
use storage_suite::Backend;

struct Memory(MemoryStorage);

impl Backend for Memory {
    type Storage = MemoryStorage;

    async fn open(&self) -> MemoryStorage {
        self.0.clone()
    }
}

macro_rules! case {
    ($name:ident) => {
        #[test]
        fn $name() {
            block_on(storage_suite::$name(&Memory(MemoryStorage::default())));
        }
    };
}

storage_suite!(case);

#[test]
fn memory_logs_of_one_name_are_one_log() {
    block_on(async {
        let (one, other) = (MemoryLog::named("shop"), MemoryLog::named("shop"));
        let backend = (Memory(one.storage().clone()), Memory(other.storage().clone()));
        storage_suite::put_replaces(&backend.0).await;
        let apart = Memory(MemoryLog::named("other").storage().clone());
        storage_suite::put_replaces(&apart).await;
        drop((one, other));
        // Nobody held the log any more, so this one is new: the suite finds it empty.
        storage_suite::put_replaces(&Memory(MemoryLog::named("shop").storage().clone())).await;
    });
}

#[test]
fn a_memory_message_reaches_every_other_end_in_order_and_never_inside_send() {
    block_on(async {
        let log = MemoryLog::default();
        let ends = [log.bus(), log.bus(), log.bus()];
        let inboxes = [ends[0].inbox(), ends[1].inbox(), ends[2].inbox()];
        let mut waiting = Box::pin(inboxes[1].next());
        assert!(waiting.as_mut().now_or_never().is_none());
        ends[0].send(b"one");
        ends[0].send(b"two");
        assert_eq!(waiting.await.unwrap(), b"one");
        assert_eq!(inboxes[1].next().await.unwrap(), b"two");
        assert_eq!(
            join(inboxes[2].next(), inboxes[2].next()).await,
            (Some(b"one".to_vec()), Some(b"two".to_vec()))
        );
        assert!(inboxes[0].try_next().is_none());
    });
}

#[test]
fn a_memory_channel_drops_what_nobody_reads() {
    let log = MemoryLog::default();
    let (from, to) = (log.bus(), log.bus());
    let inbox = to.inbox();
    (0..5_000).for_each(|_| from.send(b"x"));
    assert_eq!(std::iter::from_fn(|| inbox.try_next()).count(), 1_024);
}

#[test]
fn a_closed_memory_end_neither_hears_nor_speaks() {
    block_on(async {
        let log = MemoryLog::default();
        let (one, other) = (log.bus(), log.bus());
        let (inbox, heard) = (one.inbox(), other.inbox());
        let mut waiting = Box::pin(inbox.next());
        assert!(waiting.as_mut().now_or_never().is_none());
        one.close();
        assert_eq!(waiting.await, None);
        one.send(b"late");
        assert!(heard.try_next().is_none());
    });
}

#[test]
fn memory_locks_exclude_and_hand_over_in_order() {
    block_on(async {
        let log = MemoryLog::default();
        let locks = log.locks();
        let held = locks.acquire("a", false).await.unwrap();
        let elsewhere = locks.acquire("b", false).await.unwrap();
        let (mut second, mut third) =
            (Box::pin(locks.acquire("a", false)), Box::pin(locks.acquire("a", false)));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(held);
        assert!(third.as_mut().now_or_never().is_none());
        drop(second.await.unwrap());
        drop((third.await.unwrap(), elsewhere));
        assert!(
            join3(locks.acquire("a", false), locks.acquire("b", false), locks.acquire("c", false))
                .await
                .0
                .is_ok()
        );
    });
}

#[test]
fn a_memory_lock_passes_by_those_who_gave_up() {
    block_on(async {
        let log = MemoryLog::default();
        let locks = log.locks();
        let held = locks.acquire("a", false).await.unwrap();
        let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(locks.acquire("a", false))).collect();
        for waiter in &mut waiters {
            assert!(waiter.as_mut().now_or_never().is_none());
        }
        let mut last = waiters.pop().unwrap();
        // One gives up before the lock is handed over, one after it was and before it looked.
        drop(waiters.remove(0));
        drop(held);
        drop(waiters);
        assert!(last.as_mut().now_or_never().is_some());
        drop(last);
        assert!(locks.acquire("a", false).await.is_ok());
    });
}
