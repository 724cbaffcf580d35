//! The loop that drives a node, over the backends in memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;
use headwater::base::{Error, Instant, Map, Now};
use headwater::client::consumer::Reset;
use headwater::client::forwarder::{Delivery, WireBatch};
use headwater::group::{Partitions, Spec};
use headwater::node::{
    Answer, Call, Command, ConsumerOptions, Event, ForwarderId, NodeOptions, PageEvent, Rebalance,
};
use headwater::platform::driver::{Driver, Platform};
use headwater::platform::memory::{MemoryBus, MemoryLocks, MemoryLog, MemoryStorage};
use headwater::platform::{Clock, Locks};

/// A clock that stands still.
#[derive(Clone, Default)]
struct Still(Rc<Cell<Now>>);

impl Clock for Still {
    fn now(&self) -> Now {
        self.0.get()
    }

    async fn sleep_until(&self, _: Instant) {
        std::future::pending::<()>().await;
    }
}

struct Place {
    log: MemoryLog,
    bus: MemoryBus,
    clock: Still,
    spawner: LocalSpawner,
}

impl Platform for Place {
    type Storage = MemoryStorage;
    type Bus = MemoryBus;
    type Clock = Still;
    type Locks = MemoryLocks;

    fn storage(&self) -> &MemoryStorage {
        self.log.storage()
    }

    fn bus(&self) -> &MemoryBus {
        &self.bus
    }

    fn clock(&self) -> &Still {
        &self.clock
    }

    fn locks(&self) -> &MemoryLocks {
        self.log.locks()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawner.spawn_local(task).expect("the pool lives");
    }

    fn deliver(
        &self,
        _: ForwarderId,
        _: Vec<WireBatch>,
        _: bool,
    ) -> impl Future<Output = Delivery> + 'static {
        std::future::ready(Delivery::default())
    }

    fn idle(&self) -> impl Future<Output = ()> + 'static {
        std::future::pending()
    }

    fn assign(&self, _: &Spec) -> impl Future<Output = Result<Map<String, Partitions>, Error>> + 'static {
        std::future::pending()
    }

    fn event(&self, _: Event) {}
}

struct World {
    pool: LocalPool,
    log: MemoryLog,
    tabs: u64,
}

impl World {
    fn new() -> Self {
        Self { pool: LocalPool::new(), log: MemoryLog::default(), tabs: 0 }
    }

    fn tab(&mut self) -> Rc<Driver<Place>> {
        let (bus, spawner) = (self.log.bus(), self.pool.spawner());
        let inbox = bus.inbox();
        let place = Place { log: self.log.clone(), bus, clock: Still::default(), spawner };
        self.tabs += 1;
        let driver = Driver::start(place, self.tabs, NodeOptions::default());
        let weak = Rc::downgrade(&driver);
        let hear = async move {
            while let Some(message) = inbox.next().await {
                if let Some(driver) = weak.upgrade() {
                    driver.message(&message);
                }
            }
        };
        self.pool.spawner().spawn_local(hear).expect("the pool lives");
        driver
    }

    /// What becomes of the call, as far as it can get without the clock.
    fn ask(&mut self, tab: &Rc<Driver<Place>>, call: Call) -> Option<Result<Answer, Error>> {
        let answer = Rc::new(RefCell::new(None));
        let (asked, told) = (tab.call(call), Rc::clone(&answer));
        let waits = async move {
            let result = asked.await;
            told.replace(Some(result));
        };
        self.pool.spawner().spawn_local(waits).expect("the pool lives");
        self.pool.run_until_stalled();
        answer.take()
    }

    fn join(&mut self, tab: &Rc<Driver<Place>>) -> Vec<(String, i32)> {
        tab.command(1, Command::Open(Box::new(ConsumerOptions::new("g"))));
        tab.command(1, Command::Subscribe("t".into(), Reset::Earliest));
        assert!(matches!(self.ask(tab, Call::Join(1)), Some(Ok(Answer::Nothing))));
        self.step(tab).assignment
    }

    fn step(&mut self, tab: &Rc<Driver<Place>>) -> Rebalance {
        let Some(Ok(Answer::Rebalance(Some(step)))) = self.ask(tab, Call::Rebalance(1)) else {
            panic!("a step is told")
        };
        tab.command(1, Command::Rebalanced);
        self.pool.run_until_stalled();
        step
    }
}

#[test]
fn a_member_joins_and_the_next_one_gets_what_it_gives_up_by_closing() {
    let mut world = World::new();
    let one = world.tab();
    assert_eq!(world.join(&one), [("t".to_string(), 0)]);
    let two = world.tab();
    assert!(world.join(&two).is_empty());
    one.close();
    world.pool.run_until_stalled();
    assert_eq!(world.step(&two).assignment, [("t".to_string(), 0)], "the lock of the first was released");
}

#[test]
fn a_suspended_page_holds_no_lock() {
    let mut world = World::new();
    let one = world.tab();
    world.join(&one);
    one.page(PageEvent::Suspended);
    world.pool.run_until_stalled();
    let locks = world.log.locks().clone();
    let free = async move { locks.acquire("coordinator/g", false).await.is_ok() };
    assert!(world.pool.run_until(free));
}
