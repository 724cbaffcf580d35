use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, BigInt, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::fields::{flag, get, list, number, object, text};
use super::records;
use crate::base::Error;
use crate::client::forwarder::{self, Answered, Delivery, Failure, Outcome, WireBatch};
use crate::node::{Event, ForwarderId};
use crate::platform::StorageEvent;

/// What the wasm asks of the JavaScript around it: an object with `event` and `deliver`.
pub(super) struct Host {
    object: JsValue,
    /// The forwarders whose sinks want their records decoded.
    decoding: RefCell<Vec<ForwarderId>>,
}

impl Host {
    pub(super) fn new(object: JsValue) -> Self {
        Self { object, decoding: RefCell::default() }
    }

    pub(super) fn decodes(&self, id: ForwarderId, decodes: bool) {
        if decodes {
            self.decoding.borrow_mut().push(id);
        }
    }

    fn method(&self, name: &str) -> Result<Function, JsValue> {
        get(&self.object, name).dyn_into()
    }

    fn tell(&self, kind: &str, fields: &[(&str, JsValue)]) {
        let event = object(fields);
        // A plain object takes any property; what the listener throws is its own affair.
        let _ = Reflect::set(&event, &"type".into(), &kind.into());
        if let Ok(listener) = self.method("event") {
            let _ = listener.call1(&self.object, &event);
        }
    }

    /// Passes on what the storage reports; `reopened` hears of a connection that was replaced.
    pub(super) fn storage_events(
        host: &Rc<Self>,
        reopened: impl Fn() + 'static,
    ) -> impl Fn(StorageEvent) + 'static {
        let host = Rc::clone(host);
        move |event| {
            let (kind, message) = match event {
                StorageEvent::Blocked => ("storage.blocked", None),
                StorageEvent::Degraded(message) => ("storage.degraded", Some(message)),
                StorageEvent::Recovered => ("storage.recovered", None),
                StorageEvent::Reopened => {
                    reopened();
                    ("storage.reopened", None)
                }
            };
            host.tell(kind, &[("message", message.unwrap_or_default().into())]);
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Forwarder(id, topic, event) => self.forwarder_event(*id, topic, event),
            Event::Damaged { topic, partition, damaged } => self.tell(
                "log.corrupt",
                &[
                    ("topic", topic.as_str().into()),
                    ("partition", (*partition).into()),
                    ("first", damaged.first.to_string().into()),
                    ("last", damaged.last.to_string().into()),
                    ("reason", damaged.error.message().into()),
                ],
            ),
            Event::Compacted { topic, partition, removed } => self.tell(
                "log.compacted",
                &[
                    ("topic", topic.as_str().into()),
                    ("partition", (*partition).into()),
                    ("records", removed.to_string().into()),
                ],
            ),
            Event::Trimmed { topic, partition, start } => self.tell(
                "log.trimmed",
                &[
                    ("topic", topic.as_str().into()),
                    ("partition", (*partition).into()),
                    ("logStartOffset", start.to_string().into()),
                ],
            ),
        }
    }

    fn forwarder_event(&self, id: ForwarderId, topic: &str, event: &forwarder::Event) {
        use forwarder::Event::{DeadLettered, Delivered, PartitionsDiffer, Retrying, Stuck, Uncertain};
        let offset = |offset: i64| JsValue::from(offset.to_string());
        let (kind, mut fields): (&str, Vec<(&str, JsValue)>) = match event {
            Delivered { partition, committed } => (
                "forwarder.delivered",
                vec![("partition", (*partition).into()), ("committed", offset(*committed))],
            ),
            Retrying { failure, wait_ms } => (
                "forwarder.retrying",
                vec![
                    ("code", failure.code.as_str().into()),
                    ("message", failure.message.as_str().into()),
                    ("retriable", failure.retriable.into()),
                    ("waitMs", (*wait_ms as f64).into()),
                ],
            ),
            Uncertain { partition, until } => {
                ("forwarder.uncertain", vec![("partition", (*partition).into()), ("until", offset(*until))])
            }
            DeadLettered { partition, first, last } => (
                "forwarder.deadLettered",
                vec![("partition", (*partition).into()), ("first", offset(*first)), ("last", offset(*last))],
            ),
            PartitionsDiffer { local, remote } => {
                ("forwarder.partitionsDiffer", vec![("local", (*local).into()), ("remote", (*remote).into())])
            }
            Stuck { partition, error } => ("forwarder.stuck", stuck(*partition, error)),
        };
        fields.push(("topic", topic.into()));
        fields.push(("forwarder", id.into()));
        self.tell(kind, &fields);
    }

    /// Hands batches to a sink. Whatever is thrown is a failure of the network.
    pub(super) async fn deliver(&self, id: ForwarderId, batches: &[WireBatch], keepalive: bool) -> Delivery {
        match self.try_deliver(id, batches, keepalive).await {
            Ok(delivery) => delivery,
            Err(thrown) => {
                let failure = Failure {
                    code: "NETWORK_EXCEPTION".to_string(),
                    message: text(&thrown, "message")
                        .unwrap_or_else(|| "the sink failed without a reason".to_string()),
                    retriable: true,
                    retry_after_ms: None,
                };
                Delivery { failure: Some(failure), answers: Vec::new(), limits: None }
            }
        }
    }

    async fn try_deliver(
        &self,
        id: ForwarderId,
        batches: &[WireBatch],
        keepalive: bool,
    ) -> Result<Delivery, JsValue> {
        let decodes = self.decoding.borrow().contains(&id);
        let sent = Array::new();
        for batch in batches {
            sent.push(&wire(batch, decodes)?);
        }
        let deliver = self.method("deliver")?;
        let promise: Promise =
            deliver.call3(&self.object, &id.into(), &sent, &keepalive.into())?.dyn_into()?;
        let answer = JsFuture::from(promise).await?;
        let limit = |name| number(&answer, name).filter(|bytes| *bytes >= 1.0).map(|bytes| bytes as usize);
        Ok(Delivery {
            limits: limit("batchBytes").zip(limit("requestBytes")),
            failure: failure(&get(&answer, "error"), &answer),
            answers: list(&answer, "answers").iter().map(|answer| answered(&answer)).collect(),
        })
    }
}

fn stuck(partition: i32, error: &Error) -> Vec<(&'static str, JsValue)> {
    vec![
        ("partition", partition.into()),
        ("code", error.code().name().into()),
        ("message", error.message().into()),
    ]
}

fn wire(batch: &WireBatch, decodes: bool) -> Result<JsValue, JsValue> {
    let js = object(&[
        ("topic", batch.topic.as_str().into()),
        ("partition", batch.partition.into()),
        ("partitions", batch.partitions.into()),
        ("producerId", BigInt::from(batch.producer_id).into()),
        ("epoch", batch.epoch.into()),
        ("baseSequence", batch.base_sequence.into()),
        ("firstOffset", BigInt::from(batch.first).into()),
        ("lastOffset", BigInt::from(batch.last).into()),
        ("uncertain", batch.uncertain.into()),
        ("signature", Uint8Array::from(batch.signature.as_slice()).into()),
        ("signedAt", (batch.signed_at as f64).into()),
        ("count", ((batch.last - batch.first + 1) as f64).into()),
    ]);
    let bytes: JsValue = if decodes {
        let index =
            records::index(std::slice::from_ref(&batch.bytes), 0).map_err(|e| super::error::to_js(&e))?;
        Reflect::set(&js, &"index".into(), &index.numbers)?;
        index.bytes.into()
    } else {
        Uint8Array::from(batch.bytes.as_slice()).into()
    };
    Reflect::set(&js, &"bytes".into(), &bytes)?;
    Ok(js.into())
}

fn failure(error: &JsValue, answer: &JsValue) -> Option<Failure> {
    if !error.is_object() {
        return None;
    }
    Some(Failure {
        code: text(error, "code").unwrap_or_default(),
        message: text(error, "message").unwrap_or_default(),
        retriable: flag(error, "retriable"),
        retry_after_ms: number(answer, "retryAfterMs").map(|wait| wait as u64),
    })
}

fn answered(answer: &JsValue) -> Answered {
    let outcome = match text(answer, "result").as_deref() {
        Some("accepted") => Outcome::Accepted,
        Some("duplicate") => Outcome::Duplicate,
        Some("deadLettered") => Outcome::DeadLettered,
        Some("unregistered") => Outcome::Unregistered,
        Some("diverged") => Outcome::Diverged,
        Some("outOfOrder") => Outcome::OutOfOrder,
        Some("fenced") => Outcome::Fenced,
        Some("refused") => Outcome::Refused,
        // What this version does not know is tried again rather than taken for a success.
        _ => Outcome::Busy,
    };
    let signature = get(answer, "signature").dyn_into().ok();
    let signature = signature.map(|bytes: Uint8Array| bytes.to_vec()).filter(|bytes| !bytes.is_empty());
    Answered {
        outcome,
        partitions: number(answer, "partitions").map(|partitions| partitions as i32),
        signature: signature.zip(number(answer, "signedAt").map(|at| at as i64)),
        failure: failure(&get(answer, "error"), answer),
    }
}
