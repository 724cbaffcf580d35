use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, IdbRequest};

/// What a DOM exception said. It is copied: no error holds a JavaScript value.
#[derive(Clone, Default)]
pub(super) struct Exception {
    /// The name, which is what browsers agree on.
    pub(super) name: String,
    /// The message, which each browser words for itself.
    pub(super) message: String,
}

impl Exception {
    /// Copies whatever was thrown.
    pub(super) fn of(thrown: &JsValue) -> Self {
        let text = |name| property(thrown, name).and_then(|value| value.as_string()).unwrap_or_default();
        Self { name: text("name"), message: text("message") }
    }

    /// Why the request failed that an event is about.
    pub(super) fn of_request(event: &Event) -> Option<Self> {
        let request = event.target()?.dyn_into::<IdbRequest>().ok()?;
        request.error().ok().flatten().map(|error| Self::of(&error))
    }

    /// One with a name alone.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_string(), message: String::new() }
    }

    /// `name: message`, for people.
    pub(super) fn text(&self) -> String {
        format!("{}: {}", self.name, self.message)
    }
}

/// A property that is there and is neither `undefined` nor `null`.
pub(super) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// A global that is there: windows, workers and Node do not have the same ones.
pub(super) fn global(name: &str) -> Option<JsValue> {
    property(&js_sys::global(), name)
}

/// Sets a property of a plain object.
pub(super) fn set(object: &js_sys::Object, name: &str, value: &JsValue) {
    // A plain object takes any property.
    let _ = Reflect::set(object.unchecked_ref(), &name.into(), value);
}
