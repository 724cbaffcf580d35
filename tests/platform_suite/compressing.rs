//! A storage whose batches may be compressed, by a codec that repeats: `7 x` for `xxxxxxx`.

use std::cell::Cell;

use futures::executor::block_on;
use headwater::base::{Code, Error, TopicConfig, TopicId, TopicPartition};
use headwater::log::batch::{
    Attributes, BatchBuilder, BatchHeader, BatchOptions, Compression, check, records,
};
use headwater::log::ops::{Append, AppendEntry, CreateTopic, Expected, Fetch, Fetched};
use headwater::log::{Durability, Plan, Rows, Scan, Store, Write, batch_range};
use headwater::platform::compressing::{Compressing, Recode, Recoding};
use headwater::platform::memory::MemoryStorage;
use headwater::platform::{Storage, run};

use crate::storage_suite::Backend;

#[derive(Default)]
struct Repeats {
    fails: Cell<bool>,
    calls: Cell<usize>,
}

impl Recode for Repeats {
    fn recode(&self, compression: Compression, bytes: &[u8], compress: bool) -> Recoding<'_> {
        assert_eq!(compression, Compression::Zstd);
        self.calls.set(self.calls.get() + 1);
        let recoded = if compress { packed(bytes) } else { unpacked(bytes) };
        let refusal = || Error::new(Code::UnsupportedCompressionType, "there is no codec");
        let answer = if self.fails.get() { Err(refusal()) } else { Ok(recoded) };
        Box::pin(async { answer })
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let runs = bytes.chunk_by(|a, b| a == b);
    runs.flat_map(|run| run.chunks(255)).flat_map(|run| [run.len() as u8, run[0]]).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(2).flat_map(|pair| vec![pair[1]; usize::from(pair[0])]).collect()
}

struct Packing(MemoryStorage);

impl Backend for Packing {
    type Storage = Compressing<MemoryStorage, Repeats>;

    async fn open(&self) -> Self::Storage {
        Compressing { inner: self.0.clone(), codec: Repeats::default() }
    }
}

macro_rules! case {
    ($name:ident) => {
        #[test]
        fn $name() {
            block_on(crate::storage_suite::$name(&Packing(MemoryStorage::default())));
        }
    };
}

crate::storage_suite!(case);

const TP: TopicPartition = TopicPartition { topic: TopicId([7; 16]), partition: 0 };

fn storage() -> Compressing<MemoryStorage, Repeats> {
    let storage = Compressing { inner: MemoryStorage::default(), codec: Repeats::default() };
    let config = TopicConfig::default();
    let create = CreateTopic { name: "t".into(), id: TP.topic, partitions: 1, config, validate_only: false };
    block_on(run(&storage, &create)).unwrap();
    storage
}

fn batch(values: &[&str], compression: Compression) -> Vec<u8> {
    let attributes = Attributes(0).with_compression(compression).with_mark(compression != Compression::None);
    let mut builder = BatchBuilder::new(BatchOptions { attributes, ..BatchOptions::default() });
    values.iter().for_each(|value| builder.push(5, None, Some(value.as_bytes()), &[]));
    builder.finish()
}

/// Appends where the partition is believed to end at `next`, or without any belief.
fn append(storage: &impl Storage, batch: Vec<u8>, next: Option<i64>) {
    let expected = next.map(|next| Expected { next, generation: 0, start: 0 });
    let entry = AppendEntry { tp: TP, batches: vec![batch], expected, attempted_from: None };
    let append = Append { entries: vec![entry], durability: Durability::Relaxed };
    let [Ok(_)] = block_on(run(storage, &append)).unwrap()[..] else { panic!("the batch was refused") };
}

fn fetch(storage: &impl Storage) -> Result<Fetched, Error> {
    block_on(run(storage, &Fetch { tp: TP, offset: 0, batches_max: 10 }))
}

fn values(batches: &[Vec<u8>]) -> Vec<String> {
    let text = |batch: &Vec<u8>| {
        check(batch).unwrap();
        let found = records(batch).unwrap().map(|record| record.unwrap().value.unwrap().to_vec());
        found.map(|value| String::from_utf8(value).unwrap()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(text).collect()
}

/// The batches as they are stored.
fn stored(storage: &Compressing<MemoryStorage, Repeats>) -> Vec<Vec<u8>> {
    let (from, to) = batch_range(TP, 0, i64::MAX);
    let plan = Plan::read(vec![Scan::Range { store: Store::Batches, from, to, limit: 99 }]);
    let rows = std::cell::RefCell::default();
    let look = |found: &Rows| {
        rows.replace(found.all(0).iter().map(|(_, value)| value.clone()).collect());
        Ok(Vec::new())
    };
    block_on(storage.inner.transact(&plan, &look)).unwrap();
    rows.into_inner()
}

fn compressions(batches: &[Vec<u8>]) -> Vec<Compression> {
    let read = |batch: &Vec<u8>| {
        let attributes = check(batch).unwrap().attributes;
        assert!(!attributes.is_marked(), "a mark was stored");
        attributes.compression().unwrap()
    };
    batches.iter().map(read).collect()
}

#[test]
fn a_marked_batch_is_stored_compressed_and_read_as_it_was() {
    let storage = storage();
    let long = "x".repeat(5_000);
    append(&storage, batch(&[&long, "short"], Compression::Zstd), Some(0));
    append(&storage, batch(&["plain"], Compression::None), Some(2));
    let kept = stored(&storage);
    assert_eq!(compressions(&kept), [Compression::Zstd, Compression::None]);
    assert!(kept[0].len() < 300, "5000 bytes of one letter took {}", kept[0].len());
    assert_eq!(BatchHeader::read(&kept[0]).unwrap().record_count, 2);
    let fetched = fetch(&storage).unwrap();
    assert_eq!(values(&fetched.batches), [&long, "short", "plain"]);
    assert_eq!(compressions(&fetched.batches), [Compression::None, Compression::None]);
    assert_eq!(
        compressions(&stored(&storage)),
        [Compression::Zstd, Compression::None],
        "reading changes nothing"
    );
}

#[test]
fn what_gains_nothing_is_stored_as_it_is() {
    let storage = storage();
    append(&storage, batch(&["abcdefghijklmnopqrstuvwxyz"], Compression::Zstd), Some(0));
    assert_eq!(compressions(&stored(&storage)), [Compression::None]);
    assert_eq!(values(&fetch(&storage).unwrap().batches), ["abcdefghijklmnopqrstuvwxyz"]);
}

#[test]
fn a_batch_whose_place_is_found_in_the_transaction_is_stored_as_it_is() {
    let storage = storage();
    let long = "x".repeat(5_000);
    append(&storage, batch(&[&long], Compression::Zstd), None);
    assert_eq!(compressions(&stored(&storage)), [Compression::None]);
    assert_eq!(values(&fetch(&storage).unwrap().batches), [long]);
    assert_eq!(storage.codec.calls.get(), 0);
}

#[test]
fn a_codec_that_fails_stores_what_it_should_have_compressed_as_it_is() {
    let storage = storage();
    storage.codec.fails.set(true);
    append(&storage, batch(&["x".repeat(5_000).as_str()], Compression::Zstd), Some(0));
    assert_eq!(compressions(&stored(&storage)), [Compression::None]);
}

#[test]
fn without_a_codec_a_compressed_batch_is_refused_and_read_once_there_is_one() {
    let storage = storage();
    let long = "x".repeat(5_000);
    append(&storage, batch(&[&long], Compression::Zstd), Some(0));
    storage.codec.fails.set(true);
    let error = fetch(&storage).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::UnsupportedCompressionType, "there is no codec"));
    storage.codec.fails.set(false);
    assert_eq!(values(&fetch(&storage).unwrap().batches), [long]);
}

#[test]
fn a_transaction_that_writes_by_what_it_reads_sees_it_unpacked() {
    let storage = storage();
    let long = "x".repeat(5_000);
    append(&storage, batch(&[&long], Compression::Zstd), Some(0));
    let (from, to) = batch_range(TP, 0, i64::MAX);
    let scan = Scan::Range { store: Store::Batches, from, to, limit: 9 };
    let plan = Plan::write(vec![scan], vec![Store::Meta], Durability::Relaxed);
    let copy = |rows: &Rows| {
        let batch = rows.value(0).unwrap().to_vec();
        let count = records(&batch)?.count();
        Ok(vec![Write::Put(Store::Meta, vec![count as u8], batch)])
    };
    block_on(storage.transact(&plan, &copy)).unwrap();
    let plan = Plan::read(vec![Scan::Get(Store::Meta, vec![1])]);
    let look = |rows: &Rows| {
        assert_eq!(values(&[rows.value(0).unwrap().to_vec()]), [long.as_str()]);
        Ok(Vec::new())
    };
    block_on(storage.transact(&plan, &look)).unwrap();
}
