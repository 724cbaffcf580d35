//! What every storage must do. A backend runs the whole suite by naming how one case is run:
//!
//! ```ignore
//! macro_rules! case { ($name:ident) => { #[test] fn $name() { run(storage_suite::$name) } } }
//! storage_suite!(case);
//! ```

mod atomicity;
mod concurrency;
mod model;
mod scans;
mod writes;

pub use atomicity::*;
pub use concurrency::*;
pub use model::*;
pub use scans::*;
pub use writes::*;

use std::cell::RefCell;

use headwater::base::{Code, Error};
use headwater::log::{Durability, Key, Plan, Rows, Scan, Store, Value, Write};
use headwater::platform::Storage;

/// Runs every case of the suite through the macro `$case`.
#[macro_export]
macro_rules! storage_suite {
    ($case:ident) => {
        $case!(get_finds_its_row_only);
        $case!(range_is_half_open_and_in_order);
        $case!(range_stops_at_its_limit);
        $case!(empty_and_reversed_ranges_find_nothing);
        $case!(last_finds_the_greatest_key_below);
        $case!(scans_answer_in_the_order_of_the_plan);
        $case!(stores_do_not_share_keys);
        $case!(keys_order_as_bytes);
        $case!(empty_keys_and_values_are_rows);
        $case!(a_value_of_a_mebibyte_comes_back_whole);
        $case!(many_rows_come_back_whole);
        $case!(put_replaces);
        $case!(add_creates);
        $case!(delete_removes_one_row);
        $case!(delete_range_is_half_open);
        $case!(empty_and_reversed_delete_ranges_delete_nothing);
        $case!(writes_happen_in_order);
        $case!(both_durabilities_write);
        $case!(what_was_written_is_seen_by_another_handle);
        $case!(a_conflict_aborts_every_write);
        $case!(a_conflict_of_a_speculative_add_aborts_every_write);
        $case!(speculative_adds_are_written_with_the_writes);
        $case!(scans_do_not_see_the_speculative_adds);
        $case!(a_refusal_passes_unchanged_and_writes_nothing);
        $case!(a_refusal_comes_before_the_conflict_of_a_speculative_add);
        $case!(a_plan_that_only_reads_may_refuse);
        $case!(a_plan_without_scans_applies);
        $case!(a_write_to_a_store_that_was_not_named_is_refused);
        $case!(after_a_conflict_the_storage_goes_on);
        $case!(transactions_do_not_interleave);
        $case!(one_of_many_adds_of_a_row_wins);
        $case!(a_reader_sees_all_of_a_transaction_or_nothing);
        $case!(a_dropped_transaction_leaves_the_storage_sound);
        $case!(random_transactions_match_a_model);
    };
}

/// One database, of which each call opens another handle: a tab of its own, so to speak.
pub trait Backend {
    /// A handle.
    type Storage: Storage;

    /// Another handle to the same rows.
    async fn open(&self) -> Self::Storage;
}

fn key(text: &str) -> Key {
    text.as_bytes().to_vec()
}

fn get(store: Store, text: &str) -> Scan {
    Scan::Get(store, key(text))
}

fn range(store: Store, from: &[u8], to: &[u8], limit: usize) -> Scan {
    Scan::Range { store, from: from.to_vec(), to: to.to_vec(), limit }
}

fn last(store: Store, from: &[u8], to: &[u8]) -> Scan {
    Scan::Last { store, from: from.to_vec(), to: to.to_vec() }
}

fn put(store: Store, at: &str, value: &str) -> Write {
    Write::Put(store, key(at), key(value))
}

fn add(store: Store, at: &str, value: &str) -> Write {
    Write::Add(store, key(at), key(value))
}

fn relaxed(scans: Vec<Scan>, writes: Vec<Store>) -> Plan {
    Plan::write(scans, writes, Durability::Relaxed)
}

fn speculative(scans: Vec<Scan>, adds: &[(Store, &str, &str)], writes: Vec<Store>) -> Plan {
    let adds = adds.iter().map(|(store, at, value)| (*store, key(at), key(value))).collect();
    Plan { scans, adds, writes, durability: Durability::Relaxed }
}

/// Writes these rows in one transaction.
async fn write(storage: &impl Storage, writes: Vec<Write>) -> Result<(), Error> {
    let mut stores: Vec<Store> = writes.iter().map(Write::store).collect();
    stores.dedup();
    storage.transact(&relaxed(Vec::new(), stores), &|_| Ok(writes.clone())).await
}

/// The rows that these scans find, in a transaction of their own.
async fn read(storage: &impl Storage, scans: Vec<Scan>) -> Vec<Vec<(Key, Value)>> {
    let found = RefCell::new(Rows::default());
    let apply = |rows: &Rows| {
        found.replace(rows.clone());
        Ok(Vec::new())
    };
    storage.transact(&Plan::read(scans), &apply).await.unwrap();
    found.take().0
}

/// All rows of a store, as text.
async fn dump(storage: &impl Storage, store: Store) -> Vec<(String, String)> {
    let rows = read(storage, vec![range(store, &[], &[0xff; 8], usize::MAX)]).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    rows[0].iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// Rows as [`dump`] gives them.
fn rows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn code(result: Result<(), Error>) -> Option<Code> {
    result.err().map(|error| error.code())
}
