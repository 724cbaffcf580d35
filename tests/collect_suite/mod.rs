//! A collector over rows in memory, and what is sent to it.

mod bad_input;
mod conformance;
mod delivery;
mod host_storage;
mod hostile;
mod letters;
mod reading;
mod registration;
mod topics;
mod transactions;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::executor::block_on;
use headwater::base::{Code, Error};
use headwater::collect::{Limits, Settings};
use headwater::log::batch::{BatchBuilder, BatchOptions};
use headwater::log::{Durability, Key, Plan, Scan, Store, Value, Write};
use headwater::platform::Storage;
use headwater::platform::host::{HostRows, HostStorage, Service};
use headwater::platform::memory::MemoryStorage;
use serde_json::{Value as Json, json};

pub const NOW: i64 = 1_700_000_000_000;
/// The least producer id that a forwarder has.
pub const P: i64 = 1 << 61;

/// Rows in memory behind the port that JavaScript's rows have, with a disk that takes its time and may fail.
#[derive(Clone, Default)]
pub struct Disk {
    rows: Rc<RefCell<BTreeMap<(Store, Key), Value>>>,
    pub commits: Rc<Cell<usize>>,
    pub fails: Rc<Cell<bool>>,
}

impl HostRows for Disk {
    async fn read(&self, scans: &[Scan]) -> Result<Vec<Vec<(Key, Value)>>, Error> {
        pause().await;
        let memory = self.memory();
        let found = RefCell::new(Vec::new());
        let apply = |rows: &headwater::log::Rows| {
            found.replace(rows.0.clone());
            Ok(Vec::new())
        };
        memory.transact(&Plan::read(scans.to_vec()), &apply).await?;
        Ok(found.take())
    }

    async fn commit(&self, writes: &[Write], _: Durability) -> Result<(), Error> {
        pause().await;
        if self.fails.get() {
            return Err(Error::new(Code::StorageUnknownOutcome, "the disk is full"));
        }
        self.commits.set(self.commits.get() + 1);
        let mut rows = self.rows.borrow_mut();
        for write in writes.iter().cloned() {
            match write {
                Write::Put(store, key, value) | Write::Add(store, key, value) => {
                    rows.insert((store, key), value);
                }
                Write::Delete(store, key) => {
                    rows.remove(&(store, key));
                }
                Write::DeleteRange(store, from, to) => {
                    rows.retain(|(other, key), _| *other != store || *key < from || *key >= to);
                }
            }
        }
        Ok(())
    }
}

impl Disk {
    /// The rows as they are, behind the storage that knows how to scan them.
    fn memory(&self) -> MemoryStorage {
        let memory = MemoryStorage::default();
        let writes: Vec<Write> = self
            .rows
            .borrow()
            .iter()
            .map(|((store, key), value)| Write::Put(*store, key.clone(), value.clone()))
            .collect();
        let plan = Plan::write(Vec::new(), Store::ALL.to_vec(), Durability::Strict);
        block_on_now(memory.transact(&plan, &|_| Ok(writes.clone()))).unwrap();
        memory
    }

    pub fn is_empty(&self, store: Store) -> bool {
        !self.rows.borrow().keys().any(|(other, _)| *other == store)
    }

    /// Makes the row of a partition unreadable.
    pub fn damage_partition(&self, partition: i32) {
        let mut rows = self.rows.borrow_mut();
        for ((store, key), value) in rows.iter_mut() {
            if *store == Store::Partitions && key.ends_with(&partition.to_be_bytes()) {
                *value = vec![0xff];
            }
        }
    }

    pub fn put(&self, store: Store, key: &[u8], value: &[u8]) {
        self.rows.borrow_mut().insert((store, key.to_vec()), value.to_vec());
    }
}

/// A future that waits for nothing.
fn block_on_now<T>(future: impl Future<Output = T>) -> T {
    futures::FutureExt::now_or_never(future).expect("memory never waits")
}

/// Lets others run, as a disk does.
async fn pause() {
    let mut paused = false;
    futures::future::poll_fn(move |context| {
        if core::mem::replace(&mut paused, true) {
            return core::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        core::task::Poll::Pending
    })
    .await;
}

/// A collector and its clock.
pub struct Bench {
    pub disk: Disk,
    pub service: Service<HostStorage<Disk>>,
    pub now: Cell<i64>,
}

pub fn settings() -> Settings {
    let write_keys = Some(BTreeSet::from(["key".to_string()]));
    let limits = Limits { batch_bytes: 10_000, request_bytes: 100_000, ..Limits::default() };
    Settings { write_keys, topics: None, limits, secret: Vec::new() }
}

impl Default for Bench {
    fn default() -> Self {
        Self::open(settings(), Disk::default()).unwrap()
    }
}

impl Bench {
    pub fn open(settings: Settings, disk: Disk) -> Result<Self, Error> {
        let storage = HostStorage::new(disk.clone());
        let service = block_on(Service::open(settings, storage, 7, vec![9; 32]))?;
        Ok(Self { disk, service, now: Cell::new(NOW) })
    }

    pub async fn send(&self, body: &[u8]) -> (u16, Json) {
        let response = self.service.batches(self.now.get(), body, "192.0.2.1").await;
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    /// Posts a body, and answers the status with the JSON.
    pub fn post(&self, body: &[u8]) -> (u16, Json) {
        block_on(self.send(body))
    }

    /// Registers a producer id, and answers what its batches must carry.
    pub fn register(&self, producer_id: i64) -> Json {
        let (status, answer) =
            self.post(&request(&[Sent::new(&wire(producer_id, 0, 0, &["x"]), &Json::Null)]));
        assert_eq!((status, &answer["answers"][0]["result"]), (202, &json!("unregistered")));
        answer["answers"][0].clone()
    }

    /// Posts batches of registered producers to partition 0 of `events`.
    pub fn post_batches(&self, signed: &Json, batches: &[Vec<u8>]) -> (u16, Json) {
        let sent: Vec<Sent<'_>> = batches.iter().map(|batch| Sent::new(batch, signed)).collect();
        self.post(&request(&sent))
    }

    /// The values of a partition, in order.
    pub fn values(&self, topic: &str, partition: i32) -> Vec<String> {
        let response = block_on(self.service.records(topic, partition, 0, 1_000));
        let page: Json = serde_json::from_str(&response.body).unwrap();
        let Some(records) = page["records"].as_array() else { return Vec::new() };
        records.iter().map(|record| record["value"].as_str().unwrap().to_string()).collect()
    }
}

/// A wire batch of these values.
pub fn wire(producer_id: i64, epoch: i16, base_sequence: i32, values: &[&str]) -> Vec<u8> {
    wire_of_node(7, (producer_id, epoch, base_sequence), values, false)
}

/// The same of records that this node appended, and with what marks those that are uncertain.
pub fn wire_of_node(node: i64, identity: (i64, i16, i32), values: &[&str], uncertain: bool) -> Vec<u8> {
    let (producer_id, producer_epoch, base_sequence) = identity;
    let options = BatchOptions { producer_id, producer_epoch, base_sequence, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    for value in values {
        let id: Vec<u8> = [&node.to_be_bytes()[..], &3_i32.to_be_bytes()[..]].concat();
        let mut headers: Vec<(&[u8], Option<&[u8]>)> = vec![(b"hw-id", Some(&id)), (b"a", None)];
        if uncertain {
            headers.push((b"hw-uncertain", Some(b"1")));
        }
        builder.push(NOW, Some(b"user"), Some(value.as_bytes()), &headers);
    }
    builder.finish()
}

/// A batch as the first line of a request lists it.
pub struct Sent<'a> {
    pub topic: &'a str,
    pub partition: i64,
    pub partitions: i64,
    pub batch: &'a [u8],
    pub signed: &'a Json,
}

impl<'a> Sent<'a> {
    pub fn new(batch: &'a [u8], signed: &'a Json) -> Self {
        Self { topic: "events", partition: 0, partitions: 1, batch, signed }
    }

    pub fn listed(&self) -> Json {
        let mut listed = json!({
            "topic": self.topic, "partition": self.partition, "partitions": self.partitions,
            "bytes": self.batch.len(), "uncertain": false,
        });
        for field in ["signature", "signedAt"].into_iter().filter(|field| !self.signed[*field].is_null()) {
            listed[field] = self.signed[field].clone();
        }
        listed
    }
}

/// The body of a request.
pub fn request(sent: &[Sent<'_>]) -> Vec<u8> {
    let batches: Vec<Json> = sent.iter().map(Sent::listed).collect();
    let line = json!({ "v": 1, "writeKey": "key", "sentAt": NOW, "batches": batches });
    body(&line.to_string(), &sent.iter().map(|sent| sent.batch).collect::<Vec<_>>())
}

/// A first line and what follows it.
pub fn body(line: &str, batches: &[&[u8]]) -> Vec<u8> {
    [line.as_bytes(), b"\n", &batches.concat()].concat()
}

/// The results of all batches, in order.
pub fn results(answer: &Json) -> Vec<&str> {
    answer["answers"].as_array().unwrap().iter().map(|answer| answer["result"].as_str().unwrap()).collect()
}
