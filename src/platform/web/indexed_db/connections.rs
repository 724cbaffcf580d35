use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo_timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use super::connection::Connection;
use super::failure::is_missing;
use crate::base::{Code, Error};
use crate::platform::ports::StorageEvent;
use crate::platform::slot::Slot;
use crate::platform::web::dom::Exception;

/// The connection of this realm: opened once for everybody who asks, and replaced when it dies.
pub(super) struct Connections {
    name: String,
    events: Box<dyn Fn(StorageEvent)>,
    state: RefCell<State>,
    /// How many connections there have been.
    count: Cell<u32>,
    /// Opens that failed, and connections that died unproved, since a transaction last completed.
    failures: Cell<usize>,
    /// True from [`StorageEvent::Blocked`] to [`StorageEvent::Recovered`].
    blocked: Cell<bool>,
    /// True from [`StorageEvent::Degraded`] to [`StorageEvent::Recovered`].
    degraded: Cell<bool>,
}

enum State {
    Closed,
    Opening(Vec<Waiter>),
    Open(Rc<Connection>),
    /// For good: the node is closed.
    Shut,
}

type Waiter = Weak<Slot<Result<Rc<Connection>, Error>>>;

/// How long to wait before opening again, by how often it failed. After the last, every further call tries
/// once, so that storage that comes back is found.
const BACKOFF_MS: [u32; 3] = [100, 450, 2_000];

impl Connections {
    pub(super) fn new(name: String, events: Box<dyn Fn(StorageEvent)>) -> Rc<Self> {
        Rc::new(Self {
            name,
            events,
            state: RefCell::new(State::Closed),
            count: Cell::new(0),
            failures: Cell::new(0),
            blocked: Cell::new(false),
            degraded: Cell::new(false),
        })
    }

    /// The connection, opened where there is none.
    pub(super) async fn connection(self: &Rc<Self>) -> Result<Rc<Connection>, Error> {
        let opened = Slot::new();
        let waiter = Rc::downgrade(&opened);
        match &mut *self.state.borrow_mut() {
            State::Open(connection) => return Ok(Rc::clone(connection)),
            State::Shut => return Err(shut()),
            State::Opening(waiters) => waiters.push(waiter),
            closed @ State::Closed => {
                *closed = State::Opening(vec![waiter]);
                let connections = Rc::clone(self);
                spawn_local(async move {
                    let result = connections.open().await;
                    connections.opened(&result);
                });
            }
        }
        opened.take().await
    }

    /// Gives this connection up, unless another has replaced it already.
    pub(super) fn invalidate(&self, lost: &Rc<Connection>, cause: &Exception) {
        let current =
            matches!(&*self.state.borrow(), State::Open(connection) if Rc::ptr_eq(connection, lost));
        if current {
            self.drop_connection();
            if !lost.proved.get() {
                self.failed(cause);
            }
        }
    }

    /// A transaction has completed.
    pub(super) fn prove(&self, connection: &Connection) {
        connection.proved.set(true);
        self.failures.set(0);
        let troubled = self.blocked.replace(false) | self.degraded.replace(false);
        if troubled {
            (self.events)(StorageEvent::Recovered);
        }
    }

    /// Closes the connection, for good.
    pub(super) fn shut(&self) {
        if let State::Opening(waiters) = self.state.replace(State::Shut) {
            answer(&waiters, &Err(shut()));
        }
    }

    async fn open(self: &Rc<Self>) -> Result<Rc<Connection>, Error> {
        loop {
            let failures = self.failures.get();
            if let Some(wait) = failures.checked_sub(1) {
                let wait = BACKOFF_MS[wait.min(BACKOFF_MS.len() - 1)];
                TimeoutFuture::new(wait).await;
            }
            let connections = Rc::downgrade(self);
            let blocked = Rc::new(move || {
                if let Some(connections) = connections.upgrade() {
                    connections.blocked.set(true);
                    (connections.events)(StorageEvent::Blocked);
                }
            });
            let exception = match Connection::open(&self.name, blocked).await {
                Ok(connection) => return Ok(self.adopt(connection)),
                Err(exception) => exception,
            };
            if exception.name == "VersionError" {
                return Err(self.refused(Code::StorageNewerFormat, &exception));
            }
            if self.count.get() == 0 && is_missing(&exception) {
                return Err(self.refused(Code::StorageMissing, &exception));
            }
            self.failed(&exception);
            if self.failures.get() > BACKOFF_MS.len() {
                return Err(self.refused(Code::StorageFailed, &exception));
            }
        }
    }

    /// Sees to it that the connection is dropped when it ends.
    fn adopt(self: &Rc<Self>, mut connection: Connection) -> Rc<Connection> {
        let count = self.count.get() + 1;
        self.count.set(count);
        let connections = Rc::downgrade(self);
        connection.on_end(move || {
            if let Some(connections) = connections.upgrade()
                && connections.count.get() == count
            {
                connections.drop_connection();
            }
        });
        Rc::new(connection)
    }

    fn opened(&self, result: &Result<Rc<Connection>, Error>) {
        let next = result.as_ref().map_or(State::Closed, |connection| State::Open(Rc::clone(connection)));
        let State::Opening(waiters) = self.state.replace(next) else {
            self.shut();
            return;
        };
        if result.is_ok() && self.count.get() > 1 {
            (self.events)(StorageEvent::Reopened);
        }
        answer(&waiters, result);
    }

    fn drop_connection(&self) {
        let mut state = self.state.borrow_mut();
        if matches!(&*state, State::Open(_)) {
            let dropped = core::mem::replace(&mut *state, State::Closed);
            drop(state);
            drop(dropped);
        }
    }

    fn failed(&self, cause: &Exception) {
        let failures = (self.failures.get() + 1).min(BACKOFF_MS.len() + 1);
        self.failures.set(failures);
        if failures > BACKOFF_MS.len() && !self.degraded.replace(true) {
            (self.events)(StorageEvent::Degraded(cause.text()));
        }
    }

    fn refused(&self, code: Code, exception: &Exception) -> Error {
        let message = match code {
            Code::StorageMissing => "there is no IndexedDB for this page: use memory",
            Code::StorageNewerFormat => "a newer headwater wrote the database: load the newer version",
            _ => "the database cannot be opened: try again later, or use memory",
        };
        Error::new(code, format!("{message} ({}: {})", self.name, exception.text()))
    }
}

fn answer(waiters: &[Waiter], result: &Result<Rc<Connection>, Error>) {
    for waiter in waiters.iter().filter_map(Weak::upgrade) {
        waiter.fill(result.clone());
    }
}

fn shut() -> Error {
    Error::new(Code::NodeClosed, "this storage was closed: open the log again")
}
