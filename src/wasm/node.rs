use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::{Array, BigInt, BigInt64Array, Object, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::consumer::Consumer;
use super::error;
use super::fields::{array, flag, integer_of, list, object, text_of};
use super::host::Host;
use super::page::{Page, PageDriver, ask, nothing, promise, unexpected};
use super::transaction;
use crate::base::{Error, TopicConfig};
use crate::client::producer::Sent;
use crate::log::TopicRow;
use crate::log::batch::Compression;
use crate::node::{Acks, Answer, Call, ForwardOptions, ForwarderId, NodeOptions, PageEvent};
use crate::platform::compressing::Compressing;
use crate::platform::driver::Driver;
use crate::platform::{adopt, web};

/// One tab or worker of a log.
#[wasm_bindgen]
pub struct Node {
    driver: Rc<PageDriver>,
    consumers: Cell<u32>,
}

#[wasm_bindgen]
impl Node {
    /// Opens the log of this name.
    pub async fn open(options: JsValue, host: JsValue) -> Result<Node, JsValue> {
        let name = text_of(&options, "name")?;
        let host = Rc::new(Host::new(host));
        let memory = text_of(&options, "storage")? == "memory";
        let opened: Rc<RefCell<Weak<PageDriver>>> = Rc::default();
        let driver = Rc::clone(&opened);
        let events = Host::storage_events(&host, move || {
            if let Some(driver) = driver.borrow().upgrade() {
                driver.reopened();
            }
        });
        let parts = web::open(&name, memory, events).await;
        let parts = parts.map_err(|failure| error::to_js(&failure))?;
        let storage = Compressing { inner: parts.storage, codec: Rc::clone(&host) };
        let page = Page { storage, bus: parts.bus, clock: parts.clock, locks: parts.locks, host };
        let complete = flag(&options, "complete");
        let (locks, visible) = (page.locks.supported(), web::visible());
        let place = NodeOptions { locks, visible, complete, ..NodeOptions::default() };
        let driver = Driver::start(page, web::seed(), place);
        if !complete {
            driver.complete(false);
        }
        let weak = Rc::downgrade(&driver);
        opened.replace(Weak::clone(&weak));
        driver.platform().bus.listen(move |bytes| {
            if let Some(driver) = weak.upgrade() {
                driver.message(bytes);
            }
        });
        Ok(Self { driver, consumers: Cell::new(0) })
    }

    /// `indexeddb`, or `memory` where there is no IndexedDB or where it was asked for.
    pub fn storage(&self) -> String {
        self.driver.platform().storage.inner.name().to_string()
    }

    /// Stops the node. What has not been acknowledged may be lost: flush first.
    pub fn close(&self) {
        self.driver.close();
        self.driver.platform().bus.close();
        self.driver.platform().storage.inner.close();
    }

    /// What is loaded late is there now.
    pub fn complete(&self) {
        self.driver.complete(true);
    }

    /// What is loaded late cannot be loaded: what waits for it fails.
    pub fn incomplete(&self) {
        self.driver.complete(false);
    }

    /// Creates a topic.
    #[wasm_bindgen(js_name = createTopic)]
    pub fn create_topic(&self, topic: JsValue, validate_only: bool) -> Result<Promise, JsValue> {
        let config = read_config(&list(&topic, "configEntries"))?;
        let (name, partitions) = (text_of(&topic, "topic")?, integer_of(&topic, "numPartitions")?);
        Ok(self.ask(Call::CreateTopic { name, partitions, config, validate_only }, nothing))
    }

    /// All topics.
    #[wasm_bindgen(js_name = listTopics)]
    pub fn list_topics(&self) -> Promise {
        self.ask(Call::ListTopics, |answer| match answer {
            Answer::Topics(topics) => Ok(array(topics.iter().map(|(name, row)| describe(name, row)))),
            _ => Err(unexpected()),
        })
    }

    /// One topic's configuration as it is stored: names, values, and which of them are defaults.
    #[wasm_bindgen(js_name = describeConfigs)]
    pub fn describe_configs(&self, topic: String) -> Promise {
        self.ask(Call::ReadTopic(topic), |answer| match answer {
            Answer::Topic(row) => Ok(config_entries(&row)),
            _ => Err(unexpected()),
        })
    }

    /// Replaces a topic's configuration.
    #[wasm_bindgen(js_name = alterConfigs)]
    pub fn alter_configs(
        &self,
        name: String,
        entries: Array,
        validate_only: bool,
    ) -> Result<Promise, JsValue> {
        let config = read_config(&entries)?;
        Ok(self.ask(Call::AlterConfigs { name, config, validate_only }, nothing))
    }

    /// Adds partitions to a topic; `total` is how many it has then.
    #[wasm_bindgen(js_name = createPartitions)]
    pub fn create_partitions(&self, name: String, total: i32, validate_only: bool) -> Promise {
        self.ask(Call::CreatePartitions { name, total, validate_only }, nothing)
    }

    /// Deletes a topic with its records.
    #[wasm_bindgen(js_name = deleteTopic)]
    pub fn delete_topic(&self, name: String) -> Promise {
        self.ask(Call::DeleteTopic(name), nothing)
    }

    /// Both ends of each partition, as decimal strings.
    #[wasm_bindgen(js_name = fetchTopicOffsets)]
    pub fn fetch_topic_offsets(&self, topic: String) -> Promise {
        self.ask(Call::ListBounds(topic), |answer| match answer {
            Answer::Bounds(bounds) => Ok(array((0..).zip(&bounds).map(|(partition, bounds): (i32, _)| {
                object(&[
                    ("partition", partition.into()),
                    ("low", bounds.start.to_string().into()),
                    ("high", bounds.end.to_string().into()),
                ])
            }))),
            _ => Err(unexpected()),
        })
    }

    /// The first offset at or after a time in one partition; the end where there is none.
    #[wasm_bindgen(js_name = offsetAt)]
    pub fn offset_at(&self, topic: String, partition: i32, timestamp: i64) -> Promise {
        self.ask(Call::OffsetAt { topic, partition, timestamp }, offset)
    }

    /// Deletes the records before `before`, -1 for all; answers the log start offset.
    #[wasm_bindgen(js_name = deleteRecords)]
    pub fn delete_records(&self, topic: String, partition: i32, before: i64) -> Promise {
        self.ask(Call::Trim { topic, partition, before: (before >= 0).then_some(before) }, offset)
    }

    /// What a group has committed in each partition of a topic; offset -1 where it has nothing.
    #[wasm_bindgen(js_name = fetchOffsets)]
    pub fn fetch_offsets(&self, group: String, topic: String) -> Promise {
        self.ask(Call::CommittedOffsets { group, topic }, |answer| match answer {
            Answer::CommittedOffsets(offsets) => {
                Ok(array((0..).zip(offsets).map(|(partition, found): (i32, _)| {
                    let (offset, metadata) = found.unwrap_or((-1, None));
                    object(&[
                        ("partition", partition.into()),
                        ("offset", offset.to_string().into()),
                        ("metadata", metadata.into()),
                    ])
                })))
            }
            _ => Err(unexpected()),
        })
    }

    /// How many partitions a topic has; it is created where `create` is set and it does not exist.
    pub fn partitions(&self, topic: String, create: bool) -> Promise {
        self.ask(Call::DescribeTopic { name: topic, create }, |answer| match answer {
            Answer::Topic(row) => Ok(row.partitions.into()),
            _ => Err(unexpected()),
        })
    }

    /// Appends framed records of several calls; `ends` says where the frames of each call end. Answers one entry a
    /// call, in order: its error, or its places, five numbers for each stored batch that its records went into:
    /// partition, base offset, count, log start offset, and when the log appended it, or -1.
    pub fn send(
        &self,
        topic: String,
        frames: Vec<u8>,
        ends: &[u32],
        acks: i32,
        create: bool,
        compression: i32,
    ) -> Promise {
        let (acks, compression) = (Acks::from_number(acks), Compression::from_number(compression));
        let call = |frames| Call::Send { topic: topic.clone(), frames, acks, create, compression };
        let mut start = 0;
        let calls = match ends {
            // The bytes of one call are its own: they are many, and need not be copied.
            [end] if *end as usize == frames.len() => vec![call(frames)],
            ends => ends
                .iter()
                .map(|end| {
                    let from = core::mem::replace(&mut start, *end as usize);
                    call(frames.get(from..start).unwrap_or_default().to_vec())
                })
                .collect(),
        };
        let asked = self.driver.calls(calls);
        promise(Box::pin(async move {
            let answers = Array::new();
            for call in asked {
                answers.push(&places(call.answer().await));
            }
            Ok(answers.into())
        }))
    }

    /// Begins a new epoch of a `transactional.id`, which fences an older producer of it.
    #[wasm_bindgen(js_name = initTransactions)]
    pub fn init_transactions(&self, transactional_id: String) -> Promise {
        self.ask(Call::InitTransactions(transactional_id), |answer| match answer {
            Answer::Producer(id, epoch) => {
                Ok(object(&[("producerId", BigInt::from(id).into()), ("epoch", epoch.into())]).into())
            }
            _ => Err(unexpected()),
        })
    }

    /// Commits a transaction: the framed records of its `sends` and its `offsets` are stored together, or nothing is.
    #[wasm_bindgen(js_name = commitTransaction)]
    pub fn commit_transaction(&self, transaction: JsValue) -> Result<Promise, JsValue> {
        let transaction = transaction::read(&transaction)?;
        Ok(self.ask(Call::CommitTransaction(Box::new(transaction)), nothing))
    }

    /// Appends what a log in memory took while the storage was away, and deletes it there; answers how many records.
    pub fn adopt(&self, memory: &Node) -> Promise {
        let (driver, memory) = (Rc::clone(&self.driver), Rc::clone(&memory.driver));
        promise(Box::pin(async move {
            let adopted = adopt(&memory.platform().storage, async |call| driver.call(call).await).await;
            adopted.map(|count| JsValue::from(count as f64)).map_err(|failure| error::to_js(&failure))
        }))
    }

    /// Resolves when everything that was sent before survives a power cut.
    pub fn flush(&self) -> Promise {
        self.ask(Call::Flush, nothing)
    }

    /// A consumer of this group.
    pub fn consumer(&self, group: &str, options: JsValue) -> Result<Consumer, JsValue> {
        self.consumers.set(self.consumers.get() + 1);
        Consumer::open(&self.driver, self.consumers.get(), group, &options)
    }

    /// Forwards a topic to the sink that the host knows by `id`.
    pub fn forward(&self, id: ForwarderId, options: JsValue) -> Result<Promise, JsValue> {
        self.driver.platform().host.decodes(id, flag(&options, "decode"));
        let forward = ForwardOptions {
            topic: text_of(&options, "topic")?,
            sink: text_of(&options, "sink")?,
            bytes_max: integer_of(&options, "bytesMax")?.unsigned_abs() as usize,
            linger_ms: u64::from(integer_of(&options, "lingerMs")?.unsigned_abs()),
        };
        Ok(self.ask(Call::Forward(id, forward), nothing))
    }

    /// Stops forwarding.
    #[wasm_bindgen(js_name = stopForward)]
    pub fn stop_forward(&self, id: ForwarderId) -> Promise {
        self.ask(Call::StopForward(id), nothing)
    }

    /// The page cannot be seen any more, and may be gone at any moment.
    pub fn hidden(&self) {
        self.driver.page(PageEvent::Hidden);
    }

    /// The page can be seen again.
    pub fn visible(&self) {
        self.driver.page(PageEvent::Visible);
    }

    /// The page is about to be frozen, cached or closed.
    pub fn suspend(&self) {
        self.driver.page(PageEvent::Suspended);
        self.driver.platform().bus.suspend();
    }

    /// The page is closed, most likely for good.
    pub fn closing(&self) {
        self.driver.page(PageEvent::Closing);
    }

    /// The network is back.
    pub fn online(&self) {
        self.driver.page(PageEvent::Online);
    }

    /// The page runs again after it was frozen or cached.
    pub fn resume(&self) {
        self.driver.platform().bus.resume();
        self.driver.page(PageEvent::Resumed);
    }
}

impl Node {
    pub(super) fn ask(&self, call: Call, convert: fn(Answer) -> Result<JsValue, JsValue>) -> Promise {
        ask(&self.driver, call, convert)
    }
}

fn places(answer: Result<Answer, Error>) -> JsValue {
    match answer {
        Ok(Answer::Sent(sent)) => {
            let place = |sent: &Sent| {
                let (partition, count) = (i64::from(sent.partition), i64::from(sent.count));
                [partition, sent.base, count, sent.start, sent.append_time]
            };
            let places: Vec<i64> = sent.iter().flat_map(place).collect();
            BigInt64Array::from(places.as_slice()).into()
        }
        Ok(_) => unexpected(),
        Err(failure) => error::to_js(&failure),
    }
}

fn offset(answer: Answer) -> Result<JsValue, JsValue> {
    match answer {
        Answer::Offset(offset) => Ok(BigInt::from(offset).into()),
        _ => Err(unexpected()),
    }
}

fn describe(name: &str, row: &TopicRow) -> Object {
    object(&[
        ("name", name.into()),
        ("partitions", row.partitions.into()),
        ("configEntries", config_entries(row)),
        ("sink", row.sink.clone().into()),
    ])
}

fn config_entries(row: &TopicRow) -> JsValue {
    array(row.config.entries().into_iter().map(|(name, value, is_default)| {
        object(&[("name", name.into()), ("value", value.into()), ("isDefault", is_default.into())])
    }))
}

fn read_config(entries: &Array) -> Result<TopicConfig, JsValue> {
    let entries: Result<Vec<_>, JsValue> =
        entries.iter().map(|entry| Ok((text_of(&entry, "name")?, text_of(&entry, "value")?))).collect();
    let entries = entries?;
    let entries = entries.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    TopicConfig::from_entries(entries).map_err(|failure| error::to_js(&failure))
}
