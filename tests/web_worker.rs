//! The browser's backends in a dedicated worker.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage_suite;
mod web_suite;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

macro_rules! case {
    ($name:ident) => {
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            storage_suite::$name(&web_suite::Database::new()).await;
        }
    };
}

storage_suite!(case);
