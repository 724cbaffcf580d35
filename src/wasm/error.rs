use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::base::Error;

/// An error as JavaScript sees it: an `Error` with `kind`, `code` (Kafka's name), `number` and `retriable`.
pub(super) fn to_js(error: &Error) -> JsValue {
    let js = js_sys::Error::new(error.message());
    let fields: [(&str, JsValue); 4] = [
        ("kind", error.kind().name().into()),
        ("code", error.code().name().into()),
        ("number", error.code().number().into()),
        ("retriable", error.retriable().into()),
    ];
    for (name, value) in fields {
        // A plain object takes any property.
        let _ = Reflect::set(&js, &name.into(), &value);
    }
    js.into()
}
