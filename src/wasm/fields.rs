//! Plain objects over the boundary, field by field: configuration and descriptions, never records. The page does
//! without serde here: reading through it costs 15 kB of gzipped wasm, most of it for printing floats in refusals.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::error;
use crate::base::{Code, Error};

/// The field, or `undefined`.
pub(super) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// The field, if it is a string.
pub(super) fn text(object: &JsValue, name: &str) -> Option<String> {
    get(object, name).as_string()
}

/// The field, if it is a number.
pub(super) fn number(object: &JsValue, name: &str) -> Option<f64> {
    get(object, name).as_f64()
}

/// True if the field is there and true.
pub(super) fn flag(object: &JsValue, name: &str) -> bool {
    get(object, name).is_truthy()
}

/// The field's bytes; none where it has none.
pub(super) fn bytes(object: &JsValue, name: &str) -> Vec<u8> {
    get(object, name).dyn_into().map_or_else(|_| Vec::new(), |bytes: Uint8Array| bytes.to_vec())
}

/// The field, if it is an array.
pub(super) fn list(object: &JsValue, name: &str) -> Array {
    let value = get(object, name);
    if Array::is_array(&value) { Array::from(&value) } else { Array::new() }
}

/// The string that must be in this field.
pub(super) fn text_of(object: &JsValue, name: &str) -> Result<String, JsValue> {
    text(object, name).ok_or_else(|| refuse(name, "a string"))
}

/// The whole number that must be in this field.
pub(super) fn integer_of(object: &JsValue, name: &str) -> Result<i32, JsValue> {
    let number = number(object, name).filter(|number| number.fract() == 0.0);
    number.map(|number| number as i32).ok_or_else(|| refuse(name, "a whole number"))
}

/// An object of these fields.
pub(super) fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes any property.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// An array of these objects.
pub(super) fn array(objects: impl Iterator<Item = Object>) -> JsValue {
    objects.collect::<Array>().into()
}

fn refuse(name: &str, wanted: &str) -> JsValue {
    let message = ["the field \"", name, "\" must be ", wanted].concat();
    error::to_js(&Error::new(Code::InvalidRequest, message))
}
