//! The collector's place: rows that the embedding runtime keeps, and the loop that stores what arrives.

#[cfg(target_arch = "wasm32")]
mod js;
mod keeper;
mod service;
mod storage;

#[cfg(target_arch = "wasm32")]
pub use js::JsRows;
pub use keeper::Keeper;
pub use service::Service;
pub use storage::{HostRows, HostStorage};
