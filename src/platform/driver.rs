//! The loop that drives a node: carries out what it wants done, and tells it what happened.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{AbortHandle, abortable};

use super::ports::{Bus, Clock, Guard, Locks, Storage, run};
use crate::base::{Code, Error, Instant, Map, Offset, TopicPartition};
use crate::client::forwarder::{Delivery, WireBatch};
use crate::client::producer::CallId;
use crate::group::{Partitions, Spec};
use crate::node::{
    Answer, AnyOp, Call, Command, ConsumerId, Event, ForwarderId, Input, LockId, Message, Node, NodeOptions,
    Output, PageEvent,
};

/// A timer that fires so much too early is set anew: to wake a page for nothing costs more than that.
const EARLY_MS: u64 = 1_000;

/// The place that a node runs in.
pub trait Platform: 'static {
    /// Its storage.
    type Storage: Storage;
    /// Its channel to the other nodes.
    type Bus: Bus;
    /// Its clocks.
    type Clock: Clock;
    /// Its locks.
    type Locks: Locks;

    /// The storage.
    fn storage(&self) -> &Self::Storage;
    /// The channel.
    fn bus(&self) -> &Self::Bus;
    /// The clocks.
    fn clock(&self) -> &Self::Clock;
    /// The locks.
    fn locks(&self) -> &Self::Locks;
    /// Runs a task to its end.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
    /// Hands batches to the sink of a forwarder.
    fn deliver(
        &self,
        forwarder: ForwarderId,
        batches: Vec<WireBatch>,
        keepalive: bool,
    ) -> impl Future<Output = Delivery> + 'static;
    /// Resolves when the place has nothing better to do.
    fn idle(&self) -> impl Future<Output = ()> + 'static;
    /// Lets an assignor of the application decide.
    fn assign(&self, spec: &Spec) -> impl Future<Output = Result<Map<String, Partitions>, Error>> + 'static;
    /// Tells the application something.
    fn event(&self, event: Event);
}

/// A running node.
pub struct Driver<P: Platform> {
    platform: P,
    node: RefCell<Node>,
    calls: Cell<CallId>,
    waiting: RefCell<Map<CallId, oneshot::Sender<Result<Answer, Error>>>>,
    locks: RefCell<Map<LockId, Held>>,
    armed: Cell<Option<Instant>>,
    sleep: Cell<Option<AbortHandle>>,
    /// Where partitions end, as the others have not heard yet.
    ends: RefCell<Vec<(TopicPartition, Offset)>>,
    /// How many appends are under way.
    appends: Cell<usize>,
    visible: Cell<bool>,
    closed: Cell<bool>,
}

/// A call that was made.
pub struct Asked(oneshot::Receiver<Result<Answer, Error>>);

impl Asked {
    /// Its answer.
    ///
    /// # Errors
    /// The node's own, and [`Code::NodeClosed`] after [`Driver::close`].
    pub async fn answer(self) -> Result<Answer, Error> {
        self.0.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// A lock that is waited for or held; dropping it gives it up at once.
struct Held {
    watch: AbortHandle,
    /// Of a type that only who takes a lock knows: the code that gives it up is loaded with that.
    guard: Option<Box<dyn Any>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.watch.abort();
        self.guard = None;
    }
}

impl<P: Platform> Driver<P> {
    /// Starts a node whose choices follow from `seed`.
    pub fn start(platform: P, seed: u64, options: NodeOptions) -> Rc<Self> {
        let node = Node::new(platform.clock().now(), seed, options);
        Rc::new(Self {
            platform,
            node: RefCell::new(node),
            calls: Cell::new(0),
            waiting: RefCell::default(),
            locks: RefCell::default(),
            armed: Cell::new(None),
            sleep: Cell::new(None),
            ends: RefCell::default(),
            appends: Cell::new(0),
            visible: Cell::new(options.visible),
            closed: Cell::new(false),
        })
    }

    /// Looks at the node.
    pub fn node<T>(&self, look: impl FnOnce(&Node) -> T) -> T {
        look(&self.node.borrow())
    }

    /// The place that the node runs in.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// Asks the node something.
    ///
    /// # Errors
    /// The node's own, and [`Code::NodeClosed`] after [`Driver::close`].
    pub fn call(self: &Rc<Self>, call: Call) -> impl Future<Output = Result<Answer, Error>> + use<P> {
        let asked = self.calls(vec![call]).pop();
        async move {
            match asked {
                Some(asked) => asked.answer().await,
                None => Err(closed()),
            }
        }
    }

    /// Asks the node several things at once: the sends among them share a transaction.
    pub fn calls(self: &Rc<Self>, calls: Vec<Call>) -> Vec<Asked> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut named = Vec::with_capacity(calls.len());
        for call in calls {
            let id = self.calls.get() + 1;
            self.calls.set(id);
            let (sender, receiver) = oneshot::channel();
            self.waiting.borrow_mut().insert(id, sender);
            answers.push(Asked(receiver));
            named.push((id, call));
        }
        self.handle(Input::Calls(named));
        answers
    }

    /// Tells a consumer something.
    pub fn command(self: &Rc<Self>, consumer: ConsumerId, command: Command) {
        self.handle(Input::Consumer(consumer, command));
    }

    /// Another node said something.
    pub fn message(self: &Rc<Self>, bytes: &[u8]) {
        if let Some(message) = Message::decode(bytes) {
            self.handle(Input::Message(message));
        }
    }

    /// The storage was replaced under the node.
    pub fn reopened(self: &Rc<Self>) {
        self.handle(Input::Reopened);
    }

    /// What is loaded late is there now, or not yet.
    pub fn complete(self: &Rc<Self>, complete: bool) {
        self.handle(Input::Complete(complete));
    }

    /// Something became of the page.
    pub fn page(self: &Rc<Self>, event: PageEvent) {
        match event {
            PageEvent::Visible => self.visible.set(true),
            PageEvent::Hidden | PageEvent::Suspended | PageEvent::Closing => {
                self.visible.set(false);
                self.tell_ends();
            }
            PageEvent::Resumed | PageEvent::Online => {}
        }
        self.handle(Input::Page(event));
    }

    /// Stops the node: every lock is released, every call that waits ends, nothing more is stored or sent.
    pub fn close(&self) {
        self.tell_ends();
        self.closed.set(true);
        // A sleep that goes on would keep the process of a server alive.
        if let Some(sleep) = self.sleep.take() {
            sleep.abort();
        }
        // Dropped after the borrow: a lock that is released may call back.
        drop(core::mem::take(&mut *self.locks.borrow_mut()));
        let waiting = core::mem::take(&mut *self.waiting.borrow_mut());
        for (_, sender) in waiting.into_entries() {
            // The caller may have stopped waiting.
            let _ = sender.send(Err(closed()));
        }
    }

    fn handle(self: &Rc<Self>, input: Input) {
        if self.closed.get() {
            if let Input::Calls(calls) = input {
                calls.into_iter().for_each(|(id, _)| self.answer(id, Err(closed())));
            }
            return;
        }
        let now = self.platform.clock().now();
        self.node.borrow_mut().handle(now, input);
        loop {
            let output = self.node.borrow_mut().poll();
            match output {
                Some(output) => self.carry_out(output),
                None => break,
            }
        }
        self.arm();
    }

    fn carry_out(self: &Rc<Self>, output: Output) {
        match output {
            Output::Store(ticket, op) => {
                let driver = Rc::clone(self);
                let append = usize::from(matches!(*op, AnyOp::Append(_)));
                self.appends.set(self.appends.get() + append);
                self.platform.spawn(async move {
                    let result = run(driver.platform.storage(), &op).await;
                    driver.appends.set(driver.appends.get() - append);
                    driver.handle(Input::Stored(ticket, result));
                });
            }
            Output::Send(Message::Appended(ends)) => self.notify(ends),
            Output::Send(message) => self.platform.bus().send(&message.encode()),
            Output::Done(call, result) => self.answer(call, result),
            Output::Event(event) => self.platform.event(event),
            late => self.late_carry_out(late),
        }
    }

    /// What no append needs: a build may load it after the rest.
    #[inline(never)]
    fn late_carry_out(self: &Rc<Self>, output: Output) {
        match output {
            Output::Idle(id) => {
                let driver = Rc::clone(self);
                let idle = self.platform.idle();
                self.platform.spawn(async move {
                    idle.await;
                    driver.handle(Input::Idle(id));
                });
            }
            Output::Acquire(lock, name) => self.acquire(lock, name, false),
            Output::Steal(lock, name) => self.acquire(lock, name, true),
            Output::Release(lock) => {
                let held = self.locks.borrow_mut().remove(&lock);
                drop(held);
            }
            Output::Deliver { forwarder, ticket, batches, keepalive } => {
                let driver = Rc::clone(self);
                let delivery = self.platform.deliver(forwarder, batches, keepalive);
                self.platform.spawn(async move {
                    let delivery = delivery.await;
                    driver.handle(Input::Delivered(forwarder, ticket, delivery));
                });
            }
            Output::Assign(spec) => {
                let driver = Rc::clone(self);
                let assignment = self.platform.assign(&spec);
                self.platform.spawn(async move {
                    let result = assignment.await;
                    driver.handle(Input::Assigned(spec.group, spec.group_epoch, result));
                });
            }
            Output::Store(..) | Output::Send(_) | Output::Done(..) | Output::Event(_) => {}
        }
    }

    /// Tells the others where partitions end, after whoever waits for the append has its answer, and once for the
    /// appends that follow at its heels. A page that is not seen may wait for its timers for long.
    fn notify(self: &Rc<Self>, ends: Vec<(TopicPartition, Offset)>) {
        let under_way = !self.ends.borrow().is_empty();
        self.ends.borrow_mut().extend(ends);
        if !self.visible.get() {
            return self.tell_ends();
        }
        if under_way {
            return;
        }
        let driver = Rc::clone(self);
        self.platform.spawn(async move {
            driver.platform.clock().pause(0).await;
            if driver.appends.get() > 0 {
                driver.platform.clock().pause(NOTICE_MS).await;
            }
            driver.tell_ends();
        });
    }

    fn tell_ends(&self) {
        let ends = self.ends.take();
        if !ends.is_empty() && !self.closed.get() {
            self.platform.bus().send(&Message::Appended(ends).encode());
        }
    }

    fn answer(&self, call: CallId, result: Result<Answer, Error>) {
        let sender = self.waiting.borrow_mut().remove(&call);
        if let Some(sender) = sender {
            // The caller may have stopped waiting.
            let _ = sender.send(result);
        }
    }

    fn acquire(self: &Rc<Self>, lock: LockId, name: String, steal: bool) {
        let driver = Rc::clone(self);
        let (task, watch) = abortable(async move {
            if let Ok(guard) = driver.platform.locks().acquire(&name, steal).await {
                let stolen = guard.stolen();
                if let Some(held) = driver.locks.borrow_mut().get_mut(&lock) {
                    held.guard = Some(Box::new(guard));
                }
                driver.handle(Input::Granted(lock));
                stolen.take().await;
            }
            let held = driver.locks.borrow_mut().remove(&lock);
            drop(held);
            driver.handle(Input::LockLost(lock));
        });
        self.locks.borrow_mut().insert(lock, Held { watch, guard: None });
        self.platform.spawn(async move {
            // Aborted: the node no longer wants the lock.
            let _ = task.await;
        });
    }

    /// Sees to it that the node is called at its deadline.
    fn arm(self: &Rc<Self>) {
        let Some(deadline) = self.node.borrow().deadline() else { return };
        let spare = |armed: Instant| deadline.checked_sub(armed);
        if self.armed.get().and_then(spare).is_some_and(|early_ms| early_ms < EARLY_MS) {
            return;
        }
        self.armed.set(Some(deadline));
        let driver = Rc::clone(self);
        let (task, handle) = abortable(async move {
            driver.platform.clock().sleep_until(deadline).await;
            driver.armed.set(None);
            driver.handle(Input::Tick);
        });
        if let Some(other) = self.sleep.replace(Some(handle)) {
            other.abort();
        }
        self.platform.spawn(async move {
            // Aborted: another sleep has taken its place.
            let _ = task.await;
        });
    }
}

/// So long a notice waits for the appends that are under way.
const NOTICE_MS: u32 = 5;

fn closed() -> Error {
    Error::new(Code::NodeClosed, "this node was closed: open the log again")
}
