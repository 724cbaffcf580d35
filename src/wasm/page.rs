use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;

use super::host::Host;
use super::{assign, error, sink};
use crate::base::{Code, Error, Map};
use crate::client::forwarder::{Delivery, WireBatch};
use crate::group::{Partitions, Spec};
use crate::node::{Answer, Call, Event, ForwarderId};
use crate::platform::compressing::Compressing;
use crate::platform::driver::{Driver, Platform};
use crate::platform::web::{self, PageBus, PageClock, PageLocks, PageStorage};

/// The driver of a page's node.
pub(super) type PageDriver = Driver<Page>;

/// A window or a worker, or any other place that JavaScript runs in.
pub(super) struct Page {
    pub(super) storage: Compressing<PageStorage, Rc<Host>>,
    pub(super) bus: PageBus,
    pub(super) clock: PageClock,
    pub(super) locks: PageLocks,
    pub(super) host: Rc<Host>,
}

impl Platform for Page {
    type Storage = Compressing<PageStorage, Rc<Host>>;
    type Bus = PageBus;
    type Clock = PageClock;
    type Locks = PageLocks;

    fn storage(&self) -> &Self::Storage {
        &self.storage
    }

    fn bus(&self) -> &PageBus {
        &self.bus
    }

    fn clock(&self) -> &PageClock {
        &self.clock
    }

    fn locks(&self) -> &PageLocks {
        &self.locks
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        // Boxed: each type of task that is spawned would cost half a kilobyte of wasm.
        wasm_bindgen_futures::spawn_local(Box::pin(task) as Pin<Box<dyn Future<Output = ()>>>);
    }

    fn deliver(
        &self,
        forwarder: ForwarderId,
        batches: Vec<WireBatch>,
        keepalive: bool,
    ) -> impl Future<Output = Delivery> + 'static {
        sink::late_deliver(&self.host, forwarder, batches, keepalive)
    }

    fn idle(&self) -> impl Future<Output = ()> + 'static {
        web::idle()
    }

    fn assign(&self, spec: &Spec) -> impl Future<Output = Result<Map<String, Partitions>, Error>> + 'static {
        assign::late_assign(&self.host, spec)
    }

    fn event(&self, event: Event) {
        self.host.heard(&event);
    }
}

/// Asks the node something; the promise is what `convert` makes of the answer. All calls of the boundary share
/// this one future: each future of its own would cost about 1 kB of wasm.
pub(super) fn ask(
    driver: &Rc<PageDriver>,
    call: Call,
    convert: fn(Answer) -> Result<JsValue, JsValue>,
) -> Promise {
    let answer = driver.call(call);
    promise(Box::pin(async move { convert(answer.await.map_err(|failure| error::to_js(&failure))?) }))
}

/// The promise of what a task answers. Boxed, so that a task keeps the name of the module that it stands in: by that it
/// is told whether it is loaded late.
pub(super) fn promise(task: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>>) -> Promise {
    wasm_bindgen_futures::future_to_promise(task)
}

/// For calls whose answer says nothing.
pub(super) fn nothing(_: Answer) -> Result<JsValue, JsValue> {
    Ok(JsValue::UNDEFINED)
}

/// An answer that does not fit its question.
pub(super) fn unexpected() -> JsValue {
    error::to_js(&Error::new(Code::Internal, "the node answered another question"))
}
