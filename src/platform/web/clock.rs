#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where the core's clocks come from"
)]

use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::base::{Instant, Now};
use crate::platform::ports::Clock;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// `performance.now` for deadlines, `Date.now` for records.
#[derive(Clone, Copy, Default)]
pub struct PageClock;

impl Clock for PageClock {
    fn now(&self) -> Now {
        Now { instant: performance_now() as Instant, timestamp: js_sys::Date::now() as i64 }
    }

    async fn sleep_until(&self, at: Instant) {
        // A timer may fire a little early, and none is set for longer than JavaScript can count.
        loop {
            let left = at.saturating_sub(self.now().instant);
            if left == 0 {
                return;
            }
            TimeoutFuture::new(left.min(SLEEP_MS_MAX) as u32).await;
        }
    }

    async fn pause(&self, ms: u32) {
        TimeoutFuture::new(ms).await;
    }
}

/// Timers count in 31 bits; a day is far below.
const SLEEP_MS_MAX: u64 = 86_400_000;
