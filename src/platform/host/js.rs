use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::storage::HostRows;
use crate::base::{Code, Error};
use crate::log::{Durability, Key, Scan, Store, Value, Write};

/// Rows that JavaScript keeps: an object with `read(scans)` and `write(changes, durable)`, each of which answers
/// a promise. A key begins with a byte that names its store.
///
/// A scan is `{ key }` for one row, or `{ from, to, limit, reverse }`; it finds `[key, value]` pairs. A change is
/// `{ key, value }`, `{ key }` to delete, or `{ from, to }` to delete a range.
pub struct JsRows {
    object: JsValue,
}

impl JsRows {
    /// Rows behind this object.
    pub fn new(object: JsValue) -> Self {
        Self { object }
    }

    async fn call(&self, method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
        let function: Function = Reflect::get(&self.object, &method.into())?.dyn_into()?;
        let answer = Reflect::apply(&function, &self.object, arguments)?;
        JsFuture::from(Promise::resolve(&answer)).await
    }
}

impl HostRows for JsRows {
    async fn read(&self, scans: &[Scan]) -> Result<Vec<Vec<(Key, Value)>>, Error> {
        let wanted: Array = scans.iter().map(scan).collect();
        let found = self
            .call("read", &Array::of1(&wanted))
            .await
            .map_err(|thrown| failed(Code::StorageFailed, &thrown))?;
        let found = Array::from(&found);
        if found.length() as usize != scans.len() {
            return Err(Error::new(
                Code::Internal,
                "the store answered another number of scans than it was asked",
            ));
        }
        found.iter().map(|rows| Array::from(&rows).iter().map(|pair| row(&pair)).collect()).collect()
    }

    async fn commit(&self, writes: &[Write], durability: Durability) -> Result<(), Error> {
        let changes: Array = writes.iter().map(change).collect();
        let durable = JsValue::from(durability == Durability::Strict);
        let written = self.call("write", &Array::of2(&changes, &durable)).await;
        written.map(|_| ()).map_err(|thrown| failed(Code::StorageUnknownOutcome, &thrown))
    }
}

fn tag(store: Store) -> u8 {
    Store::ALL.iter().position(|candidate| *candidate == store).unwrap_or(0) as u8
}

fn key(store: Store, key: &[u8]) -> JsValue {
    let bytes = Uint8Array::new_with_length(key.len() as u32 + 1);
    bytes.set_index(0, tag(store));
    bytes.subarray(1, bytes.length()).copy_from(key);
    bytes.into()
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in fields {
        // A plain object takes any property.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

fn scan(scan: &Scan) -> JsValue {
    let range = |store: Store, from: &Key, to: &Key, limit: usize, reverse: bool| {
        let limit = limit.min(u32::MAX as usize) as u32;
        let fields = [
            ("from", key(store, from)),
            ("to", key(store, to)),
            ("limit", limit.into()),
            ("reverse", reverse.into()),
        ];
        object(&fields)
    };
    match scan {
        Scan::Get(store, at) => object(&[("key", key(*store, at))]),
        Scan::Range { store, from, to, limit } => range(*store, from, to, *limit, false),
        Scan::Last { store, from, to } => range(*store, from, to, 1, true),
    }
}

fn change(write: &Write) -> JsValue {
    match write {
        Write::Put(store, at, value) | Write::Add(store, at, value) => {
            object(&[("key", key(*store, at)), ("value", Uint8Array::from(value.as_slice()).into())])
        }
        Write::Delete(store, at) => object(&[("key", key(*store, at))]),
        Write::DeleteRange(store, from, to) => {
            object(&[("from", key(*store, from)), ("to", key(*store, to))])
        }
    }
}

fn row(pair: &JsValue) -> Result<(Key, Value), Error> {
    let pair = Array::from(pair);
    let bytes = |index: u32| pair.get(index).dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec());
    match (bytes(0), bytes(1)) {
        (Ok(key), Ok(value)) if !key.is_empty() => Ok((key[1..].to_vec(), value)),
        _ => Err(Error::new(Code::Internal, "the store answered something else than rows of bytes")),
    }
}

fn failed(code: Code, thrown: &JsValue) -> Error {
    let message = Reflect::get(thrown, &"message".into()).ok().and_then(|message| message.as_string());
    let reason = message.unwrap_or_else(|| "it gave no reason".to_string());
    Error::new(code, format!("the store failed: {reason}"))
}
