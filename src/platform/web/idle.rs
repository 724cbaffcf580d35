use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use js_sys::Function;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::dom::global;
use crate::platform::slot::Slot;

/// What a place without idle callbacks leaves between two pieces of work: workers, Safari, Node.
const PAUSE_MS: u32 = 20;

/// Resolves when the page has nothing better to do.
pub async fn idle() {
    let idle = Slot::new();
    let waiter = Rc::downgrade(&idle);
    let asked = global("requestIdleCallback").and_then(|ask| {
        let ask: Function = ask.dyn_into().ok()?;
        let callback = Closure::once_into_js(move || {
            if let Some(waiter) = waiter.upgrade() {
                waiter.fill(());
            }
        });
        ask.call1(&JsValue::UNDEFINED, &callback).ok()
    });
    match asked {
        Some(_) => idle.take().await,
        None => TimeoutFuture::new(PAUSE_MS).await,
    }
}
