#![allow(clippy::disallowed_methods, reason = "this is where the core's chance comes from")]

use js_sys::{Date, Math, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;

use super::dom::global;

#[wasm_bindgen]
extern "C" {
    type Crypto;

    #[wasm_bindgen(method, js_name = getRandomValues)]
    fn get_random_values(this: &Crypto, bytes: &Uint8Array);
}

/// A seed that no other node has: identities are drawn from it.
pub fn seed() -> u64 {
    let mut seed = [0; 8];
    if let Some(crypto) = global("crypto") {
        let bytes = Uint8Array::new_with_length(8);
        crypto.unchecked_ref::<Crypto>().get_random_values(&bytes);
        bytes.copy_to(&mut seed);
    } else {
        // Places without the global have no better source than these.
        seed.fill_with(|| (Math::random() * 256.0) as u8);
        let now = (Date::now() as u64).to_le_bytes();
        seed.iter_mut().zip(now).for_each(|(byte, now)| *byte ^= now);
    }
    u64::from_le_bytes(seed)
}
