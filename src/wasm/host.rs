use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::fields::{get, object};
use crate::base::Error;
use crate::client::forwarder;
use crate::node::{Event, ForwarderId};
use crate::platform::StorageEvent;

/// What the wasm asks of the JavaScript around it: an object with `event`, `deliver` and `assign`.
pub(super) struct Host {
    pub(super) object: JsValue,
    /// The forwarders whose sinks want their records decoded.
    pub(super) decoding: RefCell<Vec<ForwarderId>>,
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

    pub(super) fn method(&self, name: &str) -> Result<Function, JsValue> {
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

    /// Tells the application; what is loaded late is asked for by an event of the core.
    pub(super) fn heard(&self, event: &Event) {
        if let Event::Incomplete = event {
            self.tell("log.incomplete", &[]);
        } else {
            self.late_event(event);
        }
    }

    #[inline(never)]
    fn late_event(&self, event: &Event) {
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
            Event::Incomplete => {}
            Event::Dropped { topic, partition, records, start } => self.tell(
                "log.dropped",
                &[
                    ("topic", topic.as_str().into()),
                    ("partition", (*partition).into()),
                    ("records", records.to_string().into()),
                    ("logStartOffset", start.to_string().into()),
                ],
            ),
            Event::Rebalancing { group, member } => {
                self.tell("group.rebalancing", &[("groupId", group.into()), ("memberId", member.into())]);
            }
            Event::Heartbeat { group, member, epoch } => self.tell(
                "group.heartbeat",
                &[("groupId", group.into()), ("memberId", member.into()), ("memberEpoch", (*epoch).into())],
            ),
            Event::GroupFailed { group, error } => self.tell(
                "group.failed",
                &[
                    ("groupId", group.into()),
                    ("code", error.code().name().into()),
                    ("message", error.message().into()),
                ],
            ),
            Event::TopicChanged(topic) => self.tell("topic.changed", &[("topic", topic.into())]),
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
}

fn stuck(partition: i32, error: &Error) -> Vec<(&'static str, JsValue)> {
    vec![
        ("partition", partition.into()),
        ("code", error.code().name().into()),
        ("message", error.message().into()),
    ]
}
