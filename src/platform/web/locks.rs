use futures::channel::oneshot;
use js_sys::{Function, Object, Promise};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::dom::{Exception, global, property, set};
use crate::base::{Code, Error};
use crate::platform::memory::{MemoryGuard, MemoryLog};
use crate::platform::ports::Locks;

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

/// The locks of the origin, each named `headwater/<log>/<name>`. Where there are none (insecure pages, Node
/// before 24), locks that hold among the nodes of this realm only.
pub struct WebLocks {
    prefix: String,
    manager: Option<LockManager>,
    realm: MemoryLog,
}

/// What holds a lock; dropping it releases the lock.
pub struct WebGuard {
    _web: Option<Release>,
    _realm: Option<MemoryGuard>,
}

/// Ends the promise for whose life the browser holds the lock.
struct Release(Option<Function>);

/// Takes a request back that nobody waits for any more. After the grant it changes nothing.
struct Withdraw(AbortController);

impl WebLocks {
    /// The locks of the log `name`.
    pub fn open(name: &str) -> Self {
        let manager = global("navigator").and_then(|navigator| property(&navigator, "locks"));
        Self {
            prefix: ["headwater/", name, "/"].concat(),
            manager: manager.map(JsCast::unchecked_into),
            realm: MemoryLog::named(name),
        }
    }

    /// False where a lock excludes only the nodes of this realm, so that nothing may rely on it.
    pub fn supported(&self) -> bool {
        self.manager.is_some()
    }
}

impl Locks for WebLocks {
    type Guard = WebGuard;

    async fn acquire(&self, name: &str) -> Result<WebGuard, Error> {
        let Some(manager) = &self.manager else {
            return Ok(WebGuard { _web: None, _realm: Some(self.realm.locks().acquire(name).await?) });
        };
        let release = request(manager, &[self.prefix.as_str(), name].concat()).await?;
        Ok(WebGuard { _web: Some(release), _realm: None })
    }
}

async fn request(manager: &LockManager, name: &str) -> Result<Release, Error> {
    let refused = |thrown: &JsValue| refused(name, &Exception::of(thrown));
    let controller = AbortController::new().map_err(|thrown| refused(&thrown))?;
    let options = Object::new();
    set(&options, "signal", &controller.signal());
    let (grant, granted) = oneshot::channel();
    let callback = Closure::once(move |_lock: JsValue| hold(grant));
    let ended = manager.request(name, &options, callback.as_ref().unchecked_ref());
    let ended = ended.map_err(|thrown| refused(&thrown))?;
    let (fail, failed) = oneshot::channel();
    spawn_local(async move {
        // It resolves on release and rejects on withdrawal. The callback lives until then.
        let ended = JsFuture::from(ended).await;
        if let Err(thrown) = ended {
            // Nobody listens after a withdrawal.
            let _ = fail.send(Exception::of(&thrown));
        }
        drop(callback);
    });
    let withdraw = Withdraw(controller);
    let outcome = granted.await;
    drop(withdraw);
    match outcome {
        Ok(release) => Ok(release),
        Err(_) => Err(self::refused(name, &failed.await.unwrap_or_default())),
    }
}

/// Called by the browser when the lock is granted: the lock is held until the promise ends.
fn hold(grant: oneshot::Sender<Release>) -> JsValue {
    let mut resolve = None;
    let held = Promise::new(&mut |resolved, _| resolve = Some(resolved));
    // Where the waiter gave up meanwhile, the release comes back and is dropped: the promise ends at once.
    drop(grant.send(Release(resolve)));
    held.into()
}

fn refused(name: &str, exception: &Exception) -> Error {
    let message = format!("the browser refused the lock {name}: {}", exception.text());
    Error::new(Code::StorageFailed, message)
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
