use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/tests/web_suite/faults.js")]
extern "C" {
    pub fn restore();
    pub fn uncaught() -> String;
    #[wasm_bindgen(js_name = settle)]
    fn settle_js() -> Promise;
    #[wasm_bindgen(js_name = closingHandle)]
    pub fn closing_handle(times: u32);
    #[wasm_bindgen(js_name = abortUnasked)]
    pub fn abort_unasked(times: u32);
    #[wasm_bindgen(js_name = abortUnderTheRows)]
    pub fn abort_under_the_rows(times: u32);
    #[wasm_bindgen(js_name = failGet)]
    pub fn fail_get(times: u32, name: &str, message: &str);
    /// Whether the page asks for its commits here, or leaves them to the browser.
    pub fn commits() -> bool;
    #[wasm_bindgen(js_name = dieInCommit)]
    pub fn die_in_commit(times: u32, name: Option<&str>);
    #[wasm_bindgen(js_name = refuseCommit)]
    pub fn refuse_commit(times: u32, name: &str);
    #[allow(clippy::disallowed_types, reason = "what a browser says is a float")]
    pub fn estimate(usage: f64, quota: f64);
    #[wasm_bindgen(js_name = silentCommit)]
    pub fn silent_commit(times: u32);
    #[wasm_bindgen(js_name = failOpen)]
    pub fn fail_open(times: u32, name: &str, message: &str);
    #[wasm_bindgen(js_name = openLate)]
    pub fn open_late(times: u32, ms: u32);
    #[wasm_bindgen(js_name = throwOnOpen)]
    pub fn throw_on_open(times: u32, name: &str);
    #[wasm_bindgen(js_name = openVersion)]
    pub fn open_version(times: u32, version: u32);
    #[wasm_bindgen(js_name = withoutGlobal)]
    pub fn without_global(name: &str);
    #[wasm_bindgen(js_name = withoutLocks)]
    pub fn without_locks();
    #[wasm_bindgen(js_name = closeConnection)]
    pub fn close_connection();
    pub fn seen() -> String;
    pub fn watch();
    #[wasm_bindgen(js_name = fastTimers)]
    pub fn fast_timers();
    #[wasm_bindgen(js_name = openOther)]
    fn open_other_js(name: &str, version: u32, polite: bool) -> Promise;
    #[wasm_bindgen(js_name = wipe)]
    fn wipe_js(name: &str) -> Promise;
    #[wasm_bindgen(js_name = seed)]
    fn seed_js(name: &str, version: u32, format: &str) -> Promise;
    #[wasm_bindgen(js_name = hold)]
    fn hold_js(database: &JsValue) -> Promise;
    #[wasm_bindgen(js_name = locks)]
    fn locks_js() -> Promise;
    pub fn chatter(name: &str);

    pub type Other;
    #[wasm_bindgen(method)]
    pub fn close(this: &Other);
}

pub async fn settle() {
    JsFuture::from(settle_js()).await.unwrap();
}

pub async fn open_other(name: &str, version: u32, polite: bool) -> Other {
    JsFuture::from(open_other_js(name, version, polite)).await.unwrap().into()
}

/// Deletes the database; true where a connection stood in the way.
pub async fn wipe(name: &str) -> bool {
    JsFuture::from(wipe_js(name)).await.unwrap().as_bool().unwrap()
}

/// Puts a database there that an earlier version left.
pub async fn seed(name: &str, version: u32, format: &str) {
    JsFuture::from(seed_js(name, version, format)).await.unwrap();
}

/// Holds a read-write transaction open until the answer is called.
pub async fn hold(database: &Other) -> Function {
    JsFuture::from(hold_js(database)).await.unwrap().into()
}

pub async fn locks() -> String {
    JsFuture::from(locks_js()).await.unwrap().as_string().unwrap()
}
