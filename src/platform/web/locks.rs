use std::rc::{Rc, Weak};

use js_sys::{Function, Object, Promise};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::dom::{Exception, global, property, set};
use crate::base::{Code, Error};
use crate::platform::memory::{MemoryGuard, MemoryLog};
use crate::platform::ports::{Guard, Locks};
use crate::platform::slot::Slot;

#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &Object,
        granted: &Function,
    ) -> Result<Promise, JsValue>;

    type AbortController;

    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<AbortController, JsValue>;

    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortController) -> JsValue;

    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);
}

/// The locks of one log. Those of a log that the origin shares are Web Locks, named `headwater/<log>/<name>`;
/// where there are none (insecure pages, Node before 24), they hold among the nodes of this realm only.
pub struct PageLocks {
    prefix: String,
    manager: Option<LockManager>,
    realm: MemoryLog,
    supported: bool,
}

/// What holds a lock; dropping it releases the lock.
pub struct PageGuard {
    _release: Option<Release>,
    _realm: Option<MemoryGuard>,
    stolen: Rc<Slot<()>>,
}

impl Guard for PageGuard {
    fn stolen(&self) -> Rc<Slot<()>> {
        Rc::clone(&self.stolen)
    }
}

/// Ends the promise for whose life the browser holds the lock.
struct Release(Option<Function>);

/// Takes a request back that nobody waits for any more. After the grant it changes nothing.
struct Withdraw(AbortController);

impl PageLocks {
    /// The locks of a log that the tabs and workers of the origin share.
    pub fn open(name: &str) -> Self {
        let manager = global("navigator").and_then(|navigator| property(&navigator, "locks"));
        let manager: Option<LockManager> = manager.map(JsCast::unchecked_into);
        let supported = manager.is_some();
        Self { prefix: format!("headwater/{name}/"), manager, realm: MemoryLog::named(name), supported }
    }

    /// The locks of a log in the memory of this realm.
    pub fn in_memory(log: MemoryLog) -> Self {
        Self { prefix: String::new(), manager: None, realm: log, supported: true }
    }

    /// False where others may open the log whom a lock does not exclude, so that nothing may rely on it.
    pub fn supported(&self) -> bool {
        self.supported
    }
}

impl Locks for PageLocks {
    type Guard = PageGuard;

    async fn acquire(&self, name: &str, steal: bool) -> Result<PageGuard, Error> {
        let Some(manager) = &self.manager else {
            let guard = self.realm.locks().acquire(name, steal).await?;
            let stolen = guard.stolen();
            return Ok(PageGuard { _release: None, _realm: Some(guard), stolen });
        };
        request(manager, &format!("{}{name}", self.prefix), steal).await
    }
}

async fn request(manager: &LockManager, name: &str, steal: bool) -> Result<PageGuard, Error> {
    let refused = |exception: &Exception| {
        let message = format!("the browser refused the lock {name} ({})", exception.text());
        Error::new(Code::StorageFailed, message)
    };
    let controller = AbortController::new().map_err(|thrown| refused(&Exception::of(&thrown)))?;
    let options = Object::new();
    if steal {
        // Nobody waits for what is granted at once, and browsers refuse a signal beside it.
        set(&options, "steal", &JsValue::TRUE);
    } else {
        set(&options, "signal", &controller.signal());
    }
    let (answer, stolen) = (Slot::new(), Slot::new());
    let grant = Rc::downgrade(&answer);
    let callback = Closure::once(move |_lock: JsValue| hold(&grant));
    let ended = manager.request(name, &options, callback.as_ref().unchecked_ref());
    let ended = ended.map_err(|thrown| refused(&Exception::of(&thrown)))?;
    let (refusal, robbed) = (Rc::downgrade(&answer), Rc::downgrade(&stolen));
    spawn_local(async move {
        // It resolves on release and rejects on withdrawal, refusal or theft. The callback lives until then.
        if let Err(thrown) = JsFuture::from(ended).await {
            match (refusal.upgrade(), robbed.upgrade()) {
                (Some(refusal), _) => refusal.fill(Err(Exception::of(&thrown))),
                (None, Some(robbed)) => robbed.fill(()),
                (None, None) => {}
            }
        }
        drop(callback);
    });
    let _withdraw = Withdraw(controller);
    let release = answer.take().await.map_err(|exception| refused(&exception))?;
    Ok(PageGuard { _release: Some(release), _realm: None, stolen })
}

/// Called by the browser when the lock is granted: the lock is held until the promise ends.
fn hold(grant: &Weak<Slot<Result<Release, Exception>>>) -> JsValue {
    let mut resolve = None;
    let held = Promise::new(&mut |resolved, _| resolve = Some(resolved));
    let release = Release(resolve);
    // Where the waiter gave up meanwhile, the release is dropped here and the promise ends at once.
    if let Some(grant) = grant.upgrade() {
        grant.fill(Ok(release));
    }
    held.into()
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(resolve) = self.0.take() {
            // A promise's own function does not throw.
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    }
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.0.abort();
    }
}
