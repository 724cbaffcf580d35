use headwater::log::Store::{Batches, Meta, Topics};
use headwater::log::Write;

use super::{Backend, dump, get, key, last, put, range, read, rows, write};

pub async fn get_finds_its_row_only(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Topics, "a", "1"), put(Topics, "ab", "2")]).await.unwrap();
    let found = read(&storage, vec![get(Topics, "a"), get(Topics, "ab"), get(Topics, "b")]).await;
    assert_eq!(found, [vec![(key("a"), key("1"))], vec![(key("ab"), key("2"))], vec![]]);
}

pub async fn range_is_half_open_and_in_order(backend: &impl Backend) {
    let storage = backend.open().await;
    let writes = ["c", "a", "d", "b"].map(|at| put(Topics, at, at)).to_vec();
    write(&storage, writes).await.unwrap();
    let found = read(&storage, vec![range(Topics, b"b", b"d", 10)]).await;
    assert_eq!(found, [vec![(key("b"), key("b")), (key("c"), key("c"))]]);
}

pub async fn range_stops_at_its_limit(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, ["a", "b", "c"].map(|at| put(Topics, at, at)).to_vec()).await.unwrap();
    let scans = [0, 1, 2, 3, 4, usize::MAX].map(|limit| range(Topics, b"a", b"z", limit)).to_vec();
    let counts: Vec<usize> = read(&storage, scans).await.iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 1, 2, 3, 3, 3]);
}

pub async fn empty_and_reversed_ranges_find_nothing(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Topics, "a", "1")]).await.unwrap();
    let scans = vec![
        range(Topics, b"a", b"a", 10),
        range(Topics, b"b", b"a", 10),
        last(Topics, b"a", b"a"),
        last(Topics, b"b", b"a"),
    ];
    assert!(read(&storage, scans).await.iter().all(Vec::is_empty));
}

pub async fn last_finds_the_greatest_key_below(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, ["a", "b", "d"].map(|at| put(Topics, at, at)).to_vec()).await.unwrap();
    let scans = vec![
        last(Topics, b"a", b"z"),
        last(Topics, b"a", b"d"),
        last(Topics, b"a", b"c"),
        last(Topics, b"c", b"d"),
        last(Topics, b"a", b"b"),
    ];
    let found = read(&storage, scans).await;
    let only = |at: &str| vec![(key(at), key(at))];
    assert_eq!(found, [only("d"), only("b"), only("b"), vec![], only("a")]);
}

pub async fn scans_answer_in_the_order_of_the_plan(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Topics, "a", "1"), put(Topics, "b", "2"), put(Meta, "m", "3")]).await.unwrap();
    let scans = vec![
        last(Topics, b"a", b"z"),
        range(Topics, b"a", b"a", 1),
        get(Meta, "m"),
        range(Topics, b"a", b"z", 1),
        get(Topics, "none"),
    ];
    let found = read(&storage, scans).await;
    let row = |at, value| vec![(key(at), key(value))];
    assert_eq!(found, [row("b", "2"), vec![], row("m", "3"), row("a", "1"), vec![]]);
}

pub async fn stores_do_not_share_keys(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, headwater::log::Store::ALL.map(|store| put(store, "k", store.name())).to_vec())
        .await
        .unwrap();
    for store in headwater::log::Store::ALL {
        assert_eq!(dump(&storage, store).await, rows(&[("k", store.name())]));
    }
}

pub async fn keys_order_as_bytes(backend: &impl Backend) {
    let storage = backend.open().await;
    let keys: [&[u8]; 8] =
        [&[], &[0], &[0, 0], &[0, 255], &[1], &[127, 255, 255], &[128], &[255, 255, 255, 255, 255, 255, 255]];
    let shuffled = [5, 2, 7, 0, 6, 1, 4, 3];
    let writes = shuffled.map(|index| Write::Put(Batches, keys[index].to_vec(), vec![index as u8])).to_vec();
    write(&storage, writes).await.unwrap();
    let found =
        read(&storage, vec![range(Batches, &[], &[255; 8], 100), range(Batches, &[0, 1], &[128], 100)]).await;
    let order: Vec<u8> = found[0].iter().map(|(_, value)| value[0]).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(found[0].iter().zip(keys).all(|((found, _), key)| found == key));
    assert_eq!(found[1].iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [3, 4, 5]);
}

pub async fn empty_keys_and_values_are_rows(backend: &impl Backend) {
    let storage = backend.open().await;
    write(&storage, vec![put(Meta, "", ""), put(Meta, "a", "")]).await.unwrap();
    let found = read(&storage, vec![get(Meta, ""), get(Meta, "a"), last(Meta, b"", b"a")]).await;
    assert_eq!(found, [vec![(key(""), key(""))], vec![(key("a"), key(""))], vec![(key(""), key(""))]]);
}

pub async fn a_value_of_a_mebibyte_comes_back_whole(backend: &impl Backend) {
    let storage = backend.open().await;
    let value: Vec<u8> =
        (0..1_048_576_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    write(&storage, vec![Write::Add(Batches, key("big"), value.clone())]).await.unwrap();
    let other = backend.open().await;
    let found =
        read(&other, vec![get(Batches, "big"), last(Batches, b"a", b"z"), range(Batches, b"a", b"z", 1)])
            .await;
    assert!(found.iter().all(|rows| rows.len() == 1 && rows[0].1 == value));
}

pub async fn many_rows_come_back_whole(backend: &impl Backend) {
    let storage = backend.open().await;
    let at = |index: u32| index.to_be_bytes().to_vec();
    let value = |index: u32| vec![index as u8; (index % 97) as usize];
    let writes = (0..2_000).rev().map(|index| Write::Put(Batches, at(index), value(index))).collect();
    write(&storage, writes).await.unwrap();
    let found = read(&storage, vec![range(Batches, &at(500), &at(1_500), 700)]).await;
    let expected: Vec<_> = (500..1_200).map(|index| (at(index), value(index))).collect();
    assert_eq!(found, [expected]);
}
