use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use idb::event::VersionChangeEvent;
use idb::request::OpenDatabaseRequest;
use idb::{Database, DatabaseEvent, Factory, ObjectStoreParams, Request};
use js_sys::{Array, Object};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, IdbDatabase, IdbTransaction};

use super::failure::copy;
use super::watchdog::Watchdog;
use crate::log::{Durability, Plan, Store};
use crate::platform::slot::Slot;
use crate::platform::web::dom::{Exception, global, set};

#[wasm_bindgen]
extern "C" {
    /// An IDBDatabase, for the one call that the `idb` crate lacks: it cannot set the durability.
    type Handle;

    #[wasm_bindgen(method, catch)]
    fn transaction(
        this: &Handle,
        stores: &Array,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// One open connection to the database. It is closed when the last transaction lets go of it.
pub(super) struct Connection {
    /// Holds the handlers of the connection's end.
    database: Database,
    handle: IdbDatabase,
    _errors: Closure<dyn FnMut(Event)>,
    /// True where a transaction may be told to commit while requests are under way that may fail. Firefox commits the
    /// others then, whatever the page does about the one that failed: it has to find out by itself that nothing more comes.
    pub(super) commits: bool,
    /// Watches its transactions.
    pub(super) watchdog: Rc<Watchdog>,
    /// True once a transaction has completed on it.
    pub(super) proved: Cell<bool>,
}

/// The schema. Topics and partitions are rows, so it may stay for ever.
const VERSION: u32 = 1;

/// An open that neither answers nor reports that another tab blocks it is given up after this time.
const OPEN_MS_MAX: u32 = 10_000;

impl Connection {
    /// Opens the database, creating it where it is not there. `blocked` is called when another tab keeps an
    /// older version open; the request then waits until that tab lets go.
    pub(super) async fn open(name: &str, blocked: Rc<dyn Fn()>) -> Result<Self, Exception> {
        let factory = Factory::new().map_err(|_| Exception::named("NotSupportedError"))?;
        let mut request = factory.open(name, Some(VERSION)).map_err(|error| copy(&error))?;
        let waits = Rc::new(Cell::new(false));
        let waiting = Rc::clone(&waits);
        request.on_blocked(move |_| {
            waiting.set(true);
            blocked();
        });
        request.on_upgrade_needed(|event| create_stores(&event));
        let answer = answer(request);
        loop {
            match select(answer.take(), TimeoutFuture::new(OPEN_MS_MAX)).await {
                Either::Left((opened, _)) => return opened.map(Self::new),
                Either::Right(_) if waits.get() => {}
                Either::Right(_) => return Err(Exception::named("TimeoutError")),
            }
        }
    }

    fn new(handle: IdbDatabase) -> Self {
        // Requests that an abort takes along fail, and bubble up to here. Unprevented, that would count as uncaught in
        // some browsers. Of any other failure the default, an abort, must go on where the transaction let it.
        let errors = Closure::new(|event: Event| {
            if Exception::of_request(&event).is_some_and(|error| error.name == "AbortError") {
                event.prevent_default();
            }
        });
        handle.set_onerror(Some(errors.as_ref().unchecked_ref()));
        let (watchdog, proved) = (Rc::default(), Cell::new(false));
        // Told by a global of its engine, which, unlike its name, no user or extension changes.
        let commits = global("InternalError").is_none();
        Self { database: handle.clone().into(), handle, _errors: errors, commits, watchdog, proved }
    }

    /// Calls `lost`, which must let go of the connection, when another tab wants to upgrade or delete the
    /// database (it waits until we do), or when the browser closed it.
    pub(super) fn on_end(&mut self, lost: impl Fn() + Clone + 'static) {
        let closed = lost.clone();
        self.database.on_close(move |_| closed());
        self.database.on_version_change(move |_| lost());
    }

    /// Starts the transaction of a plan.
    pub(super) fn begin(&self, plan: &Plan) -> Result<IdbTransaction, Exception> {
        let stores: Array = plan.stores().into_iter().map(|store| JsValue::from(store.name())).collect();
        let mode = if plan.read_only() { "readonly" } else { "readwrite" };
        let durability = match plan.durability {
            Durability::Relaxed => "relaxed",
            Durability::Strict => "strict",
        };
        let options = Object::new();
        set(&options, "durability", &durability.into());
        let handle: &Handle = self.handle.unchecked_ref();
        handle.transaction(&stores, mode, &options).map_err(|thrown| Exception::of(&thrown))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle.set_onerror(None);
        self.handle.set_onclose(None);
        self.handle.set_onversionchange(None);
        self.handle.close();
    }
}

/// What the request says in the end. It lives until then, in its own handlers, even where nobody waits any
/// more: a connection that nobody takes is closed, because an orphan would block every upgrade.
fn answer(request: OpenDatabaseRequest) -> Rc<Slot<Result<IdbDatabase, Exception>>> {
    let answer = Slot::new();
    let waiter = Rc::downgrade(&answer);
    let request = Rc::new(RefCell::new(Some(request)));
    let asked = Rc::clone(&request);
    let end = Rc::new(move || {
        let Some(request) = asked.take() else { return };
        let result = match request.error() {
            Ok(Some(error)) => Err(Exception { name: error.name(), message: error.message() }),
            _ => request.database().map(IdbDatabase::from).map_err(|error| copy(&error)),
        };
        match (waiter.upgrade(), result) {
            (Some(waiter), result) => waiter.fill(result),
            (None, Ok(orphan)) => orphan.close(),
            (None, Err(_)) => {}
        }
    });
    if let Some(request) = &mut *request.borrow_mut() {
        let failed = Rc::clone(&end);
        request.on_success(move |_| end());
        request.on_error(move |event| {
            Event::from(event).prevent_default();
            failed();
        });
    }
    answer
}

fn create_stores(event: &VersionChangeEvent) {
    let Ok(database) = event.database() else { return };
    for store in Store::ALL {
        // Where a store cannot be created, the first transaction that names it says so.
        let _ = database.create_object_store(store.name(), ObjectStoreParams::new());
    }
}
