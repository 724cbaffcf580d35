//! F6, the boundary to JavaScript: one file an exported class, values in and values out.

#[cfg(feature = "page")]
mod assign;
#[cfg(feature = "collector")]
mod collector;
#[cfg(feature = "page")]
mod consumer;
mod error;
#[cfg(feature = "page")]
mod fields;
#[cfg(feature = "page")]
mod groups;
#[cfg(feature = "page")]
mod host;
#[cfg(feature = "page")]
mod node;
#[cfg(feature = "page")]
mod page;
#[cfg(feature = "collector")]
mod panic;
#[cfg(feature = "page")]
mod recoding;
mod records;
#[cfg(feature = "page")]
mod sink;
#[cfg(feature = "page")]
mod transaction;
