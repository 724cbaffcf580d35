use std::cell::RefCell;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static REPORT: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
}

/// Names the function that hears of a panic before the instance traps. A trapped instance is lost: the host
/// drops it, and opens the log again from storage with a new one.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(report: js_sys::Function) {
    REPORT.with(|slot| slot.replace(Some(report)));
    std::panic::set_hook(Box::new(|info| {
        let message = info.to_string();
        REPORT.with(|slot| {
            if let Some(report) = slot.try_borrow().ok().and_then(|slot| slot.clone()) {
                // The report must not stop the trap that follows.
                let _ = report.call1(&JsValue::NULL, &message.into());
            }
        });
    }));
}
