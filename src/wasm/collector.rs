use std::cell::RefCell;
use std::collections::BTreeSet;

use js_sys::{Array, BigInt, Function, Object, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use super::error;
use super::records;
use crate::base::{Code, Error, Timestamp};
use crate::collect::{self, Admitted, Letter, Limits, Outcome, Response, Settings, Wanted};
use crate::log::batch::{self, BatchHeader};
use crate::platform::host::{HostStorage, JsRows, Service};

/// A collector: over a log whose rows JavaScript keeps, or before a function of the application's.
#[wasm_bindgen]
pub struct Collector {
    target: Target,
}

enum Target {
    Log(Box<Service<HostStorage<JsRows>>>),
    Sink(Box<Sink>),
}

struct Sink {
    collector: RefCell<collect::Collector>,
    /// Takes the batches and the dead letters of a request; it answers a promise.
    deliver: Function,
    keeps_letters: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    write_keys: Option<Vec<String>>,
    topics: Option<Vec<Topic>>,
    limits: LimitOptions,
    #[serde(default)]
    keeps_letters: bool,
}

#[derive(Deserialize)]
struct Topic {
    name: String,
    partitions: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitOptions {
    request_bytes: u32,
    batch_bytes: u32,
    batches: u32,
    topics: u32,
    partitions: i32,
    registrations_per_minute: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    status: u16,
    body: &'a str,
    retry_after_ms: Option<u32>,
}

#[wasm_bindgen]
impl Collector {
    /// A collector with a log of its own. `random` is 40 random bytes; an empty secret is made up, and kept.
    #[wasm_bindgen(js_name = openLog)]
    pub async fn open_log(
        options: JsValue,
        secret: Vec<u8>,
        random: Vec<u8>,
        rows: JsValue,
    ) -> Result<Collector, JsValue> {
        let (settings, _) = read_options(options, secret)?;
        let storage = HostStorage::new(JsRows::new(rows));
        let (seed, fresh_secret) = split(&random);
        let service = Service::open(settings, storage, seed, fresh_secret.to_vec()).await;
        service
            .map(|service| Self { target: Target::Log(Box::new(service)) })
            .map_err(|failure| error::to_js(&failure))
    }

    /// A collector that hands what it took to `deliver(batches, letters)`.
    #[wasm_bindgen(js_name = openSink)]
    pub fn open_sink(
        options: JsValue,
        secret: Vec<u8>,
        random: Vec<u8>,
        deliver: Function,
    ) -> Result<Collector, JsValue> {
        let (seed, fresh_secret) = split(&random);
        let secret = if secret.is_empty() { fresh_secret.to_vec() } else { secret };
        let (settings, keeps_letters) = read_options(options, secret)?;
        let collector = RefCell::new(collect::Collector::new(settings, seed));
        Ok(Self { target: Target::Sink(Box::new(Sink { collector, deliver, keeps_letters })) })
    }

    /// Takes the body of an ingest request, inflated; `address` says where it came from, or is empty.
    pub async fn batches(&self, body: Vec<u8>, address: String, now: Timestamp) -> Result<JsValue, JsValue> {
        match &self.target {
            Target::Log(service) => reply(&service.batches(now, &body, &address).await),
            Target::Sink(sink) => reply(&sink.batches(now, &body, &address).await),
        }
    }

    /// All topics and the ends of their partitions.
    pub async fn topics(&self) -> Result<JsValue, JsValue> {
        match &self.target {
            Target::Log(service) => reply(&service.topics().await),
            Target::Sink(_) => reply(&collect::failed(no_log())),
        }
    }

    /// Records of a partition from an offset on.
    pub async fn records(
        &self,
        topic: String,
        partition: i32,
        offset: i64,
        limit: u32,
    ) -> Result<JsValue, JsValue> {
        match &self.target {
            Target::Log(service) => reply(&service.records(&topic, partition, offset, limit as usize).await),
            Target::Sink(_) => reply(&collect::failed(no_log())),
        }
    }
}

impl Sink {
    async fn batches(&self, now: Timestamp, body: &[u8], address: &str) -> Response {
        let admitted = self.collector.borrow_mut().admit(now, body, address);
        match admitted {
            Admitted::Response(response) => response,
            Admitted::Intake(intake, wanted) => {
                let outcomes = self.deliver(wanted).await;
                self.collector.borrow().respond(now, intake, outcomes)
            }
        }
    }

    async fn deliver(&self, wanted: Vec<Wanted>) -> Vec<Outcome> {
        let (batches, letters) = (Array::new(), Array::new());
        let mut outcomes = Vec::with_capacity(wanted.len());
        for item in wanted {
            outcomes.push(match item {
                Wanted::Batch { topic, partition, header, bytes, .. } => {
                    match decoded(&topic, partition, &header, bytes) {
                        Ok(batch) => {
                            batches.push(&batch);
                            Outcome::Accepted(None)
                        }
                        Err(refusal) => Outcome::Refused(refusal.into()),
                    }
                }
                Wanted::Dead(letter) if self.keeps_letters => {
                    letters.push(&dead(&letter));
                    Outcome::DeadLettered(letter.error)
                }
                Wanted::Dead(letter) => Outcome::Refused(letter.error.into()),
            });
        }
        if batches.length() + letters.length() == 0 {
            return outcomes;
        }
        match self.call(&batches, &letters).await {
            Ok(()) => outcomes,
            // What it threw is reported on this side, and is nobody's business on the other.
            Err(_) => {
                let failure =
                    Error::new(Code::StorageFailed, "the collector's sink failed: send again later");
                let failed = |outcome| match outcome {
                    Outcome::Refused(refusal) => Outcome::Refused(refusal),
                    _ => Outcome::Refused(failure.clone().into()),
                };
                outcomes.into_iter().map(failed).collect()
            }
        }
    }

    async fn call(&self, batches: &Array, letters: &Array) -> Result<(), JsValue> {
        let answer = self.deliver.call2(&JsValue::NULL, batches, letters)?;
        JsFuture::from(Promise::resolve(&answer)).await.map(|_| ())
    }
}

fn named(topic: &str, partition: i32, header: &BatchHeader) -> Object {
    object(&[
        ("topic", topic.into()),
        ("partition", partition.into()),
        ("producerId", BigInt::from(header.producer_id).into()),
        ("epoch", header.producer_epoch.into()),
        ("baseSequence", header.base_sequence.into()),
    ])
}

fn decoded(topic: &str, partition: i32, header: &BatchHeader, mut bytes: Vec<u8>) -> Result<Object, Error> {
    batch::set_base_offset(&mut bytes, 0);
    let index = records::index(&[bytes], 0)?;
    let js = named(topic, partition, header);
    set(
        &js,
        &[("bytes", index.bytes.into()), ("index", index.numbers.into()), ("count", index.count.into())],
    );
    Ok(js)
}

fn dead(letter: &Letter) -> Object {
    let js = named(&letter.topic, letter.partition, &letter.header);
    let bytes = Uint8Array::from(letter.bytes.as_slice());
    set(&js, &[("bytes", bytes.into()), ("error", error::to_js(&letter.error))]);
    js
}

fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    set(&object, fields);
    object
}

fn set(object: &Object, fields: &[(&str, JsValue)]) {
    for (name, value) in fields {
        // A plain object takes any property.
        let _ = Reflect::set(object, &(*name).into(), value);
    }
}

fn read_options(options: JsValue, secret: Vec<u8>) -> Result<(Settings, bool), JsValue> {
    let options: Options = serde_wasm_bindgen::from_value(options).map_err(|failure| {
        let message = format!("an option of the collector has another shape than its type says: {failure}");
        error::to_js(&Error::new(Code::InvalidRequest, message))
    })?;
    let limits = options.limits;
    let settings = Settings {
        write_keys: options.write_keys.map(|keys| keys.into_iter().collect::<BTreeSet<_>>()),
        topics: options
            .topics
            .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partitions)).collect()),
        limits: Limits {
            request_bytes: limits.request_bytes as usize,
            batch_bytes: limits.batch_bytes as usize,
            batches: limits.batches as usize,
            topics: limits.topics as usize,
            partitions: limits.partitions,
            registrations_per_minute: limits.registrations_per_minute,
        },
        secret,
    };
    Ok((settings, options.keeps_letters))
}

/// A seed, and what is left for a secret.
fn split(random: &[u8]) -> (u64, &[u8]) {
    random.split_first_chunk::<8>().map_or((0, random), |(seed, rest)| (u64::from_be_bytes(*seed), rest))
}

fn reply(response: &Response) -> Result<JsValue, JsValue> {
    let reply = Reply {
        status: response.status,
        body: &response.body,
        retry_after_ms: response.retry_after_ms.map(|wait| u32::try_from(wait).unwrap_or(u32::MAX)),
    };
    serde_wasm_bindgen::to_value(&reply).map_err(JsValue::from)
}

fn no_log() -> Error {
    Error::new(
        Code::UnknownTopicOrPartition,
        "this collector hands what it takes to a sink: it has no log to read",
    )
}
