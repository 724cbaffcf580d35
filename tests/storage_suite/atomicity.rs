use std::cell::Cell;

use headwater::base::{Code, Error};
use headwater::log::Store::{Batches, Groups, Partitions, Topics};
use headwater::log::{Plan, Write};
use headwater::platform::Storage;

use super::{Backend, add, code, dump, get, key, put, relaxed, rows, speculative, write};

const CONFLICT: Option<Code> = Some(Code::StorageConflict);

pub async fn a_conflict_aborts_every_write(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Topics, "a", "1"), put(Topics, "taken", "1"), put(Groups, "g", "1")])
        .await
        .unwrap();
    let writes = vec![
        put(Topics, "a", "2"),
        put(Topics, "b", "2"),
        Write::Delete(Groups, key("g")),
        add(Topics, "taken", "2"),
        put(Topics, "c", "2"),
    ];
    assert_eq!(code(write(&storage, writes).await), CONFLICT);
    assert_eq!(dump(&storage, Topics).await, rows(&[("a", "1"), ("taken", "1")]));
    assert_eq!(dump(&storage, Groups).await, rows(&[("g", "1")]));
}

pub async fn a_conflict_of_a_speculative_add_aborts_every_write(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Batches, "taken", "1")]).await.unwrap();
    let plan = speculative(
        vec![get(Partitions, "p")],
        &[(Batches, "free", "2"), (Batches, "taken", "2")],
        vec![Partitions],
    );
    let result = storage.transact(&plan, &|_| Ok(vec![put(Partitions, "p", "2")])).await;
    assert_eq!(code(result), CONFLICT);
    assert_eq!(dump(&storage, Batches).await, rows(&[("taken", "1")]));
    assert_eq!(dump(&storage, Partitions).await, rows(&[]));
}

pub async fn speculative_adds_are_written_with_the_writes(backend: &impl Backend) {
    let storage = backend.open().await;
    let plan = speculative(
        vec![get(Partitions, "p")],
        &[(Batches, "a", "1"), (Batches, "b", "2")],
        vec![Partitions],
    );
    storage.transact(&plan, &|_| Ok(vec![put(Partitions, "p", "1")])).await.unwrap();
    assert_eq!(dump(&storage, Batches).await, rows(&[("a", "1"), ("b", "2")]));
    assert_eq!(dump(&storage, Partitions).await, rows(&[("p", "1")]));
}

pub async fn scans_do_not_see_the_speculative_adds(backend: &impl Backend) {
    let storage = backend.open().await;
    let seen = Cell::new(usize::MAX);
    let plan = speculative(vec![get(Batches, "a")], &[(Batches, "a", "1")], Vec::new());
    let apply = |rows: &headwater::log::Rows| {
        seen.set(rows.all(0).len());
        Ok(Vec::new())
    };
    storage.transact(&plan, &apply).await.unwrap();
    assert_eq!(seen.get(), 0);
}

pub async fn a_refusal_passes_unchanged_and_writes_nothing(backend: &impl Backend) {
    let storage = backend.open().await;
    let refusal = Error::new(Code::DeliveryFenced, "the row is another owner's: stop");
    let plan = speculative(vec![get(Partitions, "p")], &[(Batches, "a", "1")], vec![Partitions]);
    let result = storage.transact(&plan, &|_| Err(refusal.clone())).await;
    assert_eq!(result.unwrap_err(), refusal);
    assert_eq!(dump(&storage, Batches).await, rows(&[]));
}

pub async fn a_refusal_comes_before_the_conflict_of_a_speculative_add(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Batches, "taken", "1")]).await.unwrap();
    let plan = speculative(vec![get(Partitions, "p")], &[(Batches, "taken", "2")], Vec::new());
    let result = storage.transact(&plan, &|_| Err(Error::new(Code::OutOfOrderSequence, "no"))).await;
    assert_eq!(code(result), Some(Code::OutOfOrderSequence));
}

pub async fn a_plan_that_only_reads_may_refuse(backend: &impl Backend) {
    let storage = backend.open().await;
    let plan = Plan::read(vec![get(Topics, "a")]);
    let result = storage.transact(&plan, &|_| Err(Error::new(Code::UnknownTopicOrPartition, "none"))).await;
    assert_eq!(code(result), Some(Code::UnknownTopicOrPartition));
}

pub async fn a_plan_without_scans_applies(backend: &impl Backend) {
    let storage = backend.open().await;
    let plan = speculative(Vec::new(), &[(Batches, "a", "1")], vec![Batches, Groups]);
    let apply = |found: &headwater::log::Rows| {
        assert!(found.0.is_empty());
        Ok(vec![put(Groups, "g", "1"), add(Batches, "b", "1")])
    };
    storage.transact(&plan, &apply).await.unwrap();
    assert_eq!(dump(&storage, Batches).await, rows(&[("a", "1"), ("b", "1")]));
    assert_eq!(dump(&storage, Groups).await, rows(&[("g", "1")]));
}

pub async fn a_write_to_a_store_that_was_not_named_is_refused(backend: &impl Backend) {
    let storage = backend.open().await;
    let plans = [relaxed(vec![get(Topics, "a")], vec![Groups]), Plan::read(vec![get(Topics, "a")])];
    for plan in plans {
        let result = storage.transact(&plan, &|_| Ok(vec![put(Topics, "a", "1")])).await;
        assert_eq!(code(result), Some(Code::Internal));
    }
    assert_eq!(dump(&storage, Topics).await, rows(&[]));
}

pub async fn after_a_conflict_the_storage_goes_on(backend: &impl Backend) {
    let storage = backend.open().await;
    for round in 0..20 {
        let result =
            write(&storage, vec![add(Topics, "only", "1"), put(Topics, "round", &round.to_string())]).await;
        assert_eq!(code(result), if round == 0 { None } else { CONFLICT });
    }
    assert_eq!(dump(&storage, Topics).await, rows(&[("only", "1"), ("round", "0")]));
}
