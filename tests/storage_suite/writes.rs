use headwater::log::Store::{Batches, Groups, Topics};
use headwater::log::{Durability, Plan, Write};
use headwater::platform::Storage;

use super::{Backend, add, dump, key, put, rows, write};

fn delete_range(from: &str, to: &str) -> Write {
    Write::DeleteRange(Topics, key(from), key(to))
}

pub async fn put_replaces(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Topics, "a", "old")]).await.unwrap();
    write(&storage, vec![put(Topics, "a", "new"), put(Topics, "b", "1")]).await.unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "new"), ("b", "1")]));
}

pub async fn add_creates(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![add(Topics, "a", "1"), add(Groups, "a", "2")]).await.unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "1")]));
    assert_eq!(dump(&storage, Groups).await, rows(&[("a", "2")]));
}

pub async fn delete_removes_one_row(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, ["a", "b"].map(|at| put(Topics, at, at)).to_vec()).await.unwrap();
    write(&storage, vec![Write::Delete(Topics, key("a")), Write::Delete(Topics, key("none"))]).await.unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("b", "b")]));
}

pub async fn delete_range_is_half_open(backend: &impl Backend) {
    let storage = backend.open().await;
    let writes = ["a", "b", "c", "d"].iter().flat_map(|at| [put(Topics, at, at), put(Batches, at, at)]);
    write(&storage, writes.collect()).await.unwrap();
    write(&storage, vec![delete_range("b", "d")]).await.unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "a"), ("d", "d")]));
    assert_eq!(dump(&storage, Batches).await.len(), 4);
}

pub async fn empty_and_reversed_delete_ranges_delete_nothing(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, ["a", "b"].map(|at| put(Topics, at, at)).to_vec()).await.unwrap();
    write(&storage, vec![delete_range("a", "a"), delete_range("b", "a"), delete_range("c", "d")])
        .await
        .unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "a"), ("b", "b")]));
}

pub async fn writes_happen_in_order(backend: &impl Backend) {
    let storage = backend.open().await;
    let writes = vec![
        add(Topics, "a", "1"),
        Write::Delete(Topics, key("a")),
        add(Topics, "a", "2"),
        put(Topics, "b", "1"),
        delete_range("b", "c"),
        put(Topics, "c", "1"),
        put(Topics, "c", "2"),
    ];
    write(&storage, writes).await.unwrap();
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "2"), ("c", "2")]));
}

pub async fn both_durabilities_write(backend: &impl Backend) {
    let storage = backend.open().await;
    for (at, durability) in [("a", Durability::Relaxed), ("b", Durability::Strict)] {
        let plan = Plan::write(Vec::new(), vec![Topics], durability);
        storage.transact(&plan, &|_| Ok(vec![put(Topics, at, "1")])).await.unwrap();
    }
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "1"), ("b", "1")]));
}

pub async fn what_was_written_is_seen_by_another_handle(backend: &impl Backend) {
    let (one, other) = (backend.open().await, backend.open().await);
    write(&one, vec![put(Topics, "a", "1")]).await.unwrap();
    assert_eq!(dump(&other, Topics).await, rows(&[("a", "1")]));
    write(&other, vec![put(Topics, "a", "2")]).await.unwrap();
    drop(other);
    assert_eq!(dump(&one, Topics).await, rows(&[("a", "2")]));
}
