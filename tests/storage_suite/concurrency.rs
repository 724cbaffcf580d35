use std::cell::RefCell;

use futures::FutureExt;
use futures::future::{join, join_all};
use headwater::base::{Code, Error};
use headwater::log::Store::{Groups, Topics};
use headwater::log::{Plan, Rows, Write};
use headwater::platform::Storage;

use super::{Backend, add, code, dump, get, put, read, relaxed, rows, write};
/// Adds one to a counter, by reading and writing it in one transaction.
async fn count(storage: &impl Storage) -> Result<(), Error> {
    let plan = relaxed(vec![get(Topics, "counter")], vec![Topics]);
    let apply = |rows: &Rows| {
        let before: u32 =
            rows.value(0).map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
        Ok(vec![put(Topics, "counter", &(before + 1).to_string())])
    };
    storage.transact(&plan, &apply).await
}

pub async fn transactions_do_not_interleave(backend: &impl Backend) {
    let (one, other) = (backend.open().await, backend.open().await);
    let counted = (0..40).map(|turn| count(if turn % 2 == 0 { &one } else { &other }));
    assert!(join_all(counted).await.iter().all(Result::is_ok));
    assert_eq!(dump(&one, Topics).await, rows(&[("counter", "40")]));
}

pub async fn one_of_many_adds_of_a_row_wins(backend: &impl Backend) {
    let (one, other) = (backend.open().await, backend.open().await);
    let adding = (0..20).map(|turn: u32| {
        let storage = if turn.is_multiple_of(2) { &one } else { &other };
        write(storage, vec![add(Topics, "row", &turn.to_string()), put(Groups, &turn.to_string(), "won")])
    });
    let results = join_all(adding).await;
    let won: Vec<usize> = (0..20).filter(|turn| results[*turn].is_ok()).collect();
    assert_eq!(won.len(), 1);
    assert!(results.into_iter().filter_map(Result::err).all(|error| error.code() == Code::StorageConflict));
    assert_eq!(dump(&one, Topics).await, rows(&[("row", &won[0].to_string())]));
    assert_eq!(dump(&one, Groups).await, rows(&[(&won[0].to_string(), "won")]));
}

pub async fn a_reader_sees_all_of_a_transaction_or_nothing(backend: &impl Backend) {
    let (writer, reader) = (backend.open().await, backend.open().await);
    let writing = async {
        for round in 0..15_u32 {
            let value = round.to_string();
            write(&writer, vec![put(Topics, "a", &value), put(Groups, "b", &value)]).await.unwrap();
        }
    };
    let reading = async {
        let torn = RefCell::new(0);
        for _ in 0..15 {
            let found = read(&reader, vec![get(Topics, "a"), get(Groups, "b")]).await;
            let value = |scan: usize| found[scan].first().map(|(_, value)| value.clone());
            *torn.borrow_mut() += u32::from(value(0) != value(1));
        }
        torn.take()
    };
    assert_eq!(join(writing, reading).await.1, 0);
}

/// A transaction whose future is dropped half-way either completes or leaves nothing; either way the next one
/// runs, and nothing reaches the page's error handlers.
pub async fn a_dropped_transaction_leaves_the_storage_sound(backend: &impl Backend) {
    let storage = backend.open().await;
    for _ in 0..3 {
        let plan =
            Plan { adds: vec![(Groups, vec![1], vec![1])], ..relaxed(vec![get(Topics, "a")], vec![Topics]) };
        let apply = |_: &Rows| Ok(vec![put(Topics, "a", "1"), Write::Delete(Topics, vec![9])]);
        // Polled once, then dropped.
        let _ = storage.transact(&plan, &apply).now_or_never();
    }
    let after = write(&storage, vec![put(Topics, "b", "1")]).await;
    assert_eq!(code(after), None);
}
