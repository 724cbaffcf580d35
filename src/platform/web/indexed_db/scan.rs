use idb::request::{GetAllKeysStoreRequest, GetAllStoreRequest, GetStoreRequest, OpenCursorStoreRequest};
use idb::{Cursor, CursorDirection, Error, KeyRange, ObjectStore, Request};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::log::{Key, Scan, Value};

/// A scan under way.
pub(super) enum Pending {
    /// Nothing can be in the range, so nothing was asked.
    Nothing,
    Get(Key, GetStoreRequest),
    Range(GetAllKeysStoreRequest, GetAllStoreRequest),
    Last(OpenCursorStoreRequest),
}

impl Pending {
    /// Asks for the rows of a scan.
    pub(super) fn issue(store: &ObjectStore, scan: &Scan) -> Result<Self, Error> {
        match scan {
            Scan::Get(_, key) => Ok(Self::Get(key.clone(), store.get(bytes(key))?)),
            Scan::Range { from, to, limit, .. } => {
                // A count of 0 would mean no limit.
                let limit = u32::try_from(*limit).unwrap_or(u32::MAX);
                let Some(range) = key_range(from, to)?.filter(|_| limit > 0) else {
                    return Ok(Self::Nothing);
                };
                let keys = store.get_all_keys(Some(range.clone().into()), Some(limit))?;
                Ok(Self::Range(keys, store.get_all(Some(range.into()), Some(limit))?))
            }
            Scan::Last { from, to, .. } => {
                let Some(range) = key_range(from, to)? else { return Ok(Self::Nothing) };
                Ok(Self::Last(store.open_cursor(Some(range.into()), Some(CursorDirection::Prev))?))
            }
        }
    }

    /// Calls `done` when the rows are there; false where nothing was asked. Requests of a transaction succeed
    /// in the order in which they were made.
    pub(super) fn on_success(&mut self, done: impl FnOnce() + 'static) -> bool {
        match self {
            Self::Nothing => return false,
            Self::Get(_, request) => request.on_success(move |_| done()),
            Self::Range(_, request) => request.on_success(move |_| done()),
            Self::Last(request) => request.on_success(move |_| done()),
        }
        true
    }

    /// The rows, after the request has succeeded.
    pub(super) fn rows(self) -> Result<Vec<(Key, Value)>, Error> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Get(key, request) => {
                let value = request.result()?;
                Ok(if value.is_undefined() { Vec::new() } else { vec![(key, vec(&value))] })
            }
            Self::Range(keys, values) => {
                let (keys, values): (Array, Array) =
                    (keys.result()?.unchecked_into(), values.result()?.unchecked_into());
                Ok(keys.iter().zip(values.iter()).map(|(key, value)| (vec(&key), vec(&value))).collect())
            }
            Self::Last(request) => {
                let cursor = request.result()?;
                if cursor.is_null() {
                    return Ok(Vec::new());
                }
                let cursor = Cursor::try_from(cursor)?;
                Ok(vec![(vec(&cursor.key()?), vec(&cursor.value()?))])
            }
        }
    }
}

/// `from <= key < to`; `None` where that is empty, which IndexedDB takes for a mistake.
pub(super) fn key_range(from: &Key, to: &Key) -> Result<Option<KeyRange>, Error> {
    if from >= to {
        return Ok(None);
    }
    // No bytes are a key by the specification, and none to some implementations of it that are used in Node.js.
    if from.is_empty() {
        return KeyRange::upper_bound(&bytes(to), Some(true)).map(Some);
    }
    KeyRange::bound(&bytes(from), &bytes(to), Some(false), Some(true)).map(Some)
}

/// Bytes as IndexedDB stores them, in keys and in values.
pub(super) fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// The bytes of a stored value (Uint8Array) or key (ArrayBuffer).
fn vec(stored: &JsValue) -> Vec<u8> {
    match stored.dyn_ref::<Uint8Array>() {
        // Another array of an array would be a copy.
        Some(bytes) => bytes.to_vec(),
        None => Uint8Array::new(stored).to_vec(),
    }
}
