//! The loop that drives a node, over the backends in memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;
use headwater::base::{Error, Instant, Map, Now};
use headwater::client::consumer::Reset;
use headwater::client::forwarder::{Delivery, WireBatch};
use headwater::group::{Partitions, Spec};
use headwater::log::batch::Compression;
use headwater::node::{
    Acks, Answer, Call, Command, ConsumerOptions, Event, ForwarderId, Message, NodeOptions, PageEvent,
    Rebalance,
};
use headwater::platform::driver::{Driver, Platform};
use headwater::platform::memory::{Inbox, MemoryBus, MemoryLocks, MemoryLog, MemoryStorage};
use headwater::platform::{Clock, Locks};

/// How long it was meant to be, and what ends it.
type Pause = (u32, oneshot::Sender<()>);

/// A clock that stands still; pauses end when the test says so.
#[derive(Clone, Default)]
struct Still {
    now: Rc<Cell<Now>>,
    pauses: Rc<RefCell<Vec<Pause>>>,
}

impl Still {
    /// Ends the pauses; answers how long they were meant to be.
    fn go_on(&self) -> Vec<u32> {
        let pauses = self.pauses.take();
        pauses.into_iter().map(|(ms, pause)| pause.send(()).map_or(0, |()| ms)).collect()
    }
}

impl Clock for Still {
    fn now(&self) -> Now {
        self.now.get()
    }

    async fn sleep_until(&self, _: Instant) {
        std::future::pending::<()>().await;
    }

    async fn pause(&self, ms: u32) {
        let (pause, over) = oneshot::channel();
        self.pauses.borrow_mut().push((ms, pause));
        over.await.expect("a pause ends");
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

/// Sends one record without a key.
fn send() -> Call {
    let frames = [&[0; 12][..], &[255; 4], &[1, 0, 0, 0, b'v'], &[0; 4]].concat();
    let (topic, compression) = ("t".to_string(), Compression::None);
    Call::Send { topic, frames, acks: Acks::Leader, create: true, compression }
}

/// The ends that each notice told since the last time.
fn notices(world: &mut World, inbox: &Inbox) -> Vec<Vec<i64>> {
    world.pool.run_until_stalled();
    let mut told = Vec::new();
    while let Some(message) = inbox.try_next() {
        if let Some(Message::Appended(ends)) = Message::decode(&message) {
            told.push(ends.into_iter().map(|(_, end)| end).collect());
        }
    }
    told
}

#[test]
fn a_notice_follows_the_answer() {
    let mut world = World::new();
    let (tab, other) = (world.tab(), world.log.bus());
    let inbox = other.inbox();
    assert!(matches!(world.ask(&tab, send()), Some(Ok(Answer::Sent(_)))));
    assert!(notices(&mut world, &inbox).is_empty());
    assert_eq!(tab.platform().clock.go_on(), [0]);
    assert_eq!(notices(&mut world, &inbox), [[1]]);
}

#[test]
fn appends_at_the_heels_of_another_share_its_notice() {
    let mut world = World::new();
    let (tab, other) = (world.tab(), world.log.bus());
    let inbox = other.inbox();
    world.ask(&tab, send());
    tab.platform().clock.go_on();
    // The next one is under way when the notice would go.
    world.ask(&tab, send());
    world.ask(&tab, send());
    assert!(notices(&mut world, &inbox).is_empty());
    assert_eq!(tab.platform().clock.go_on(), [5]);
    assert_eq!(notices(&mut world, &inbox), [[1, 2, 3]]);
    assert!(tab.platform().clock.go_on().is_empty());
}

#[test]
fn a_page_that_is_hidden_or_closed_holds_no_notice() {
    let mut world = World::new();
    let (tab, other) = (world.tab(), world.log.bus());
    let inbox = other.inbox();
    world.ask(&tab, send());
    tab.page(PageEvent::Hidden);
    assert_eq!(notices(&mut world, &inbox), [[1]]);
    world.ask(&tab, send());
    assert_eq!(notices(&mut world, &inbox), [[2]]);
    tab.page(PageEvent::Visible);
    world.ask(&tab, send());
    assert!(notices(&mut world, &inbox).is_empty());
    tab.close();
    assert_eq!(notices(&mut world, &inbox), [[3]]);
}
