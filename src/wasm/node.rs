use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::{BigInt, BigInt64Array, Promise};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::consumer::Consumer;
use super::error;
use super::host::Host;
use super::page::{Page, PageDriver, ask, nothing, object, unexpected};
use crate::base::TopicConfig;
use crate::log::TopicRow;
use crate::node::{Acks, Answer, Call, ForwardOptions, ForwarderId, PageEvent};
use crate::platform::driver::Driver;
use crate::platform::web;

/// One tab or worker of a log.
#[wasm_bindgen]
pub struct Node {
    driver: Rc<PageDriver>,
    consumers: Cell<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenOptions {
    name: String,
    storage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTopic {
    topic: String,
    num_partitions: i32,
    #[serde(default)]
    config_entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    value: String,
    #[serde(default)]
    is_default: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicDescription {
    name: String,
    partitions: i32,
    config_entries: Vec<Entry>,
    sink: Option<String>,
}

#[derive(Serialize)]
struct PartitionOffsets {
    partition: i32,
    low: String,
    high: String,
}

#[derive(Serialize)]
struct PartitionOffset {
    partition: i32,
    offset: String,
    metadata: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forward {
    topic: String,
    sink: String,
    bytes_max: u32,
    linger_ms: u32,
    decode: bool,
}

#[wasm_bindgen]
impl Node {
    /// Opens the log of this name.
    pub async fn open(options: JsValue, host: JsValue) -> Result<Node, JsValue> {
        let options: OpenOptions = object::read(options)?;
        let host = Rc::new(Host::new(host));
        let memory = options.storage == "memory";
        let opened: Rc<RefCell<Weak<PageDriver>>> = Rc::default();
        let driver = Rc::clone(&opened);
        let events = Host::storage_events(&host, move || {
            if let Some(driver) = driver.borrow().upgrade() {
                driver.reopened();
            }
        });
        let parts = web::open(&options.name, memory, events).await;
        let parts = parts.map_err(|failure| error::to_js(&failure))?;
        let page =
            Page { storage: parts.storage, bus: parts.bus, clock: parts.clock, locks: parts.locks, host };
        let driver = Driver::start(page, web::seed());
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
        self.driver.platform().storage.name().to_string()
    }

    /// Stops the node. What has not been acknowledged may be lost: flush first.
    pub fn close(&self) {
        self.driver.close();
        self.driver.platform().bus.close();
        self.driver.platform().storage.close();
    }

    /// Creates a topic.
    #[wasm_bindgen(js_name = createTopic)]
    pub fn create_topic(&self, topic: JsValue, validate_only: bool) -> Result<Promise, JsValue> {
        let topic: NewTopic = object::read(topic)?;
        let entries = topic.config_entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_str()));
        let config = TopicConfig::from_entries(entries).map_err(|failure| error::to_js(&failure))?;
        let (name, partitions) = (topic.topic, topic.num_partitions);
        Ok(self.ask(Call::CreateTopic { name, partitions, config, validate_only }, nothing))
    }

    /// All topics.
    #[wasm_bindgen(js_name = listTopics)]
    pub fn list_topics(&self) -> Promise {
        self.ask(Call::ListTopics, |answer| match answer {
            Answer::Topics(topics) => {
                let topics: Vec<_> =
                    topics.iter().map(|(name, row)| TopicDescription::new(name, row)).collect();
                object::write(&topics)
            }
            _ => Err(unexpected()),
        })
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
            Answer::Bounds(bounds) => {
                let offsets = (0..).zip(&bounds).map(|(partition, bounds)| PartitionOffsets {
                    partition,
                    low: bounds.start.to_string(),
                    high: bounds.end.to_string(),
                });
                object::write(&offsets.collect::<Vec<_>>())
            }
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
                let offsets = (0..).zip(offsets).map(|(partition, found)| {
                    let (offset, metadata) = found.unwrap_or((-1, None));
                    PartitionOffset { partition, offset: offset.to_string(), metadata }
                });
                object::write(&offsets.collect::<Vec<_>>())
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

    /// Appends framed records; answers a triple for each partition: partition, base offset, log start offset.
    pub fn send(&self, topic: String, frames: &[u8], acks: i32, create: bool) -> Promise {
        let call = Call::Send { topic, frames: frames.to_vec(), acks: Acks::from_number(acks), create };
        self.ask(call, |answer| match answer {
            Answer::Sent(sent) => {
                let triples: Vec<i64> =
                    sent.iter().flat_map(|sent| [i64::from(sent.partition), sent.base, sent.start]).collect();
                Ok(BigInt64Array::from(triples.as_slice()).into())
            }
            _ => Err(unexpected()),
        })
    }

    /// Resolves when everything that was sent before survives a power cut.
    pub fn flush(&self) -> Promise {
        self.ask(Call::Flush, nothing)
    }

    /// A consumer of this group.
    pub fn consumer(&self, group: String) -> Consumer {
        self.consumers.set(self.consumers.get() + 1);
        Consumer::open(&self.driver, self.consumers.get(), group)
    }

    /// Forwards a topic to the sink that the host knows by `id`.
    pub fn forward(&self, id: ForwarderId, options: JsValue) -> Result<Promise, JsValue> {
        let Forward { topic, sink, bytes_max, linger_ms, decode } = object::read(options)?;
        self.driver.platform().host.decodes(id, decode);
        let options =
            ForwardOptions { topic, sink, bytes_max: bytes_max as usize, linger_ms: u64::from(linger_ms) };
        Ok(self.ask(Call::Forward(id, options), nothing))
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
    }

    /// The network is back.
    pub fn online(&self) {
        self.driver.page(PageEvent::Online);
    }

    /// The page runs again after it was frozen or cached.
    pub fn resume(&self) {
        self.driver.page(PageEvent::Resumed);
    }
}

impl Node {
    fn ask(&self, call: Call, convert: fn(Answer) -> Result<JsValue, JsValue>) -> Promise {
        ask(&self.driver, call, convert)
    }
}

fn offset(answer: Answer) -> Result<JsValue, JsValue> {
    match answer {
        Answer::Offset(offset) => Ok(BigInt::from(offset).into()),
        _ => Err(unexpected()),
    }
}

impl TopicDescription {
    fn new(name: &str, row: &TopicRow) -> Self {
        let entries = row.config.entries().into_iter().map(|(name, value, is_default)| Entry {
            name: name.to_string(),
            value,
            is_default,
        });
        Self {
            name: name.to_string(),
            partitions: row.partitions,
            config_entries: entries.collect(),
            sink: row.sink.clone(),
        }
    }
}
