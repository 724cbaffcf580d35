use std::rc::Rc;

use js_sys::{Array, BigInt, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::fields::{array, bytes, flag, integer_of, list, number, object, text, text_of};
use super::page::{PageDriver, ask, nothing};
use super::{error, records};
use crate::base::{Code, Error};
use crate::client::consumer::{FetchLimits, Records, Reset};
use crate::log::batch::BatchHeader;
use crate::node::{
    Answer, Assigned, Call, Command, ConsumerId, ConsumerOptions, Position, Rebalance, RebalanceKind,
};

/// One consumer of a group.
#[wasm_bindgen]
pub struct Consumer {
    driver: Rc<PageDriver>,
    id: ConsumerId,
}

impl Consumer {
    pub(super) fn open(
        driver: &Rc<PageDriver>,
        id: ConsumerId,
        group: &str,
        options: &JsValue,
    ) -> Result<Self, JsValue> {
        let defaults = ConsumerOptions::new(group);
        let milliseconds = |name| number(options, name).map_or(-1, |wait| wait as i32);
        let options = ConsumerOptions {
            client_id: text_of(options, "clientId")?,
            url: text(options, "url").unwrap_or_default(),
            instance: text(options, "instanceId"),
            session_timeout_ms: milliseconds("sessionTimeout"),
            heartbeat_interval_ms: milliseconds("heartbeatInterval"),
            rebalance_timeout_ms: integer_of(options, "rebalanceTimeout")?,
            max_poll_interval_ms: milliseconds("maxPollInterval"),
            assignors: list(options, "assignors").iter().filter_map(|name| name.as_string()).collect(),
            prefer_visible: flag(options, "preferVisible"),
            metadata: bytes(options, "metadata"),
            ..defaults
        };
        driver.command(id, Command::Open(Box::new(options)));
        Ok(Self { driver: Rc::clone(driver), id })
    }

    fn command(&self, command: Command) {
        self.driver.command(self.id, command);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.command(Command::Close);
    }
}

#[wasm_bindgen]
impl Consumer {
    /// Joins the group; resolves when the first assignment and its positions are known.
    pub fn join(&self) -> Promise {
        ask(&self.driver, Call::Join(self.id), nothing)
    }

    /// Resolves with the next step of a rebalance, or with `undefined` once the consumer has left.
    pub fn rebalance(&self) -> Promise {
        ask(&self.driver, Call::Rebalance(self.id), |answer| match answer {
            Answer::Rebalance(Some(step)) => Ok(rebalance(&step)),
            _ => Ok(JsValue::UNDEFINED),
        })
    }

    /// The step is taken: what was added is read from now on, what was to be given up is another's.
    pub fn rebalanced(&self) {
        self.command(Command::Rebalanced);
    }

    /// Leaves the group; resolves when its coordinator knows, or does not answer.
    pub fn leave(&self) -> Promise {
        ask(&self.driver, Call::Leave(self.id), nothing)
    }

    /// Reads these topics and no others from now on.
    #[wasm_bindgen(js_name = updateSubscription)]
    pub fn update_subscription(&self, topics: JsValue) -> Result<(), JsValue> {
        let topics = Array::from(&topics);
        let named =
            topics.iter().map(|each| Ok((text_of(&each, "topic")?, reset(flag(&each, "fromBeginning")))));
        self.command(Command::UpdateSubscription(named.collect::<Result<_, JsValue>>()?));
        Ok(())
    }

    /// Reads these partitions and no others, as a member of no group; resolves when their positions are known.
    pub fn assign(&self, partitions: JsValue) -> Result<Promise, JsValue> {
        let read = |each: JsValue| {
            let offset = text(&each, "offset").map(|_| read_offset(&each)).transpose()?;
            Ok(Assigned {
                topic: text_of(&each, "topic")?,
                partition: integer_of(&each, "partition")?,
                offset: offset.map(|(_, _, offset, _)| offset),
                reset: reset(flag(&each, "fromBeginning")),
            })
        };
        let partitions: Result<_, JsValue> = Array::from(&partitions).iter().map(read).collect();
        Ok(ask(&self.driver, Call::Assign(self.id, partitions?), nothing))
    }

    /// The next offset to read of a partition that is assigned.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.driver.node(|node| node.position(self.id, topic, partition))
    }

    /// Reads this topic after the next join.
    pub fn subscribe(&self, topic: String, from_beginning: bool) {
        self.command(Command::Subscribe(topic, reset(from_beginning)));
    }

    /// Resolves with records of one partition when all have `bytes_min` or the wait is over, or with `undefined` where
    /// there are none then, and once it is woken.
    pub fn fetch(&self, bytes_max: u32, bytes_min: u32, wait_ms: u32) -> Promise {
        let limits = FetchLimits {
            bytes_max: bytes_max as usize,
            bytes_min: bytes_min as usize,
            wait_ms: u64::from(wait_ms),
        };
        ask(&self.driver, Call::Fetch(self.id, limits), |answer| match answer {
            Answer::Records(Some(records)) => fetched(&records),
            _ => Ok(JsValue::UNDEFINED),
        })
    }

    /// Ends a waiting fetch.
    pub fn wake(&self) {
        self.command(Command::Wake);
    }

    /// Reads on from `offset`; -1 is the end, -2 the beginning.
    pub fn seek(&self, topic: String, partition: i32, offset: i64) {
        self.command(Command::Seek(topic, partition, offset));
    }

    /// Stops reading a partition.
    pub fn pause(&self, topic: String, partition: i32) {
        self.command(Command::Pause(topic, partition, true));
    }

    /// Reads a paused partition again.
    pub fn resume(&self, topic: String, partition: i32) {
        self.command(Command::Pause(topic, partition, false));
    }

    /// Commits these offsets.
    pub fn commit(&self, offsets: JsValue) -> Result<Promise, JsValue> {
        let offsets: Result<Vec<_>, _> =
            Array::from(&offsets).iter().map(|each| read_offset(&each)).collect();
        Ok(ask(&self.driver, Call::Commit(self.id, offsets?), nothing))
    }
}

pub(super) fn reset(from_beginning: bool) -> Reset {
    if from_beginning { Reset::Earliest } else { Reset::Latest }
}

fn rebalance(step: &Rebalance) -> JsValue {
    let kind = match step.kind {
        RebalanceKind::Assign => "assign",
        RebalanceKind::Revoke => "revoke",
        RebalanceKind::Lost => "lost",
    };
    let leader = step.coordinator.map_or_else(|| step.member.clone(), |node| node.to_string());
    object(&[
        ("kind", kind.into()),
        ("partitions", by_topic(&step.partitions)),
        ("assignment", by_topic(&step.assignment)),
        ("memberId", step.member.as_str().into()),
        ("memberEpoch", step.epoch.into()),
        ("leaderId", leader.into()),
        ("isLeader", step.coordinator.is_none().into()),
        ("error", step.error.as_ref().map_or(JsValue::UNDEFINED, error::to_js)),
    ])
    .into()
}

/// Partitions that stand topic by topic, as `{ topic, partitions }`.
pub(super) fn by_topic(partitions: &[(String, i32)]) -> JsValue {
    let topics = partitions.chunk_by(|one, next| one.0 == next.0);
    array(topics.map(|topic| {
        let name = topic.first().map_or("", |(name, _)| name);
        let numbers: Array = topic.iter().map(|(_, partition)| JsValue::from(*partition)).collect();
        object(&[("topic", name.into()), ("partitions", numbers.into())])
    }))
}

pub(super) fn read_offset(committed: &JsValue) -> Result<Position, JsValue> {
    let offset = text_of(committed, "offset")?;
    let offset = offset.parse().map_err(|_| {
        let message = format!("Invalid offset, expected a long received {offset}");
        error::to_js(&Error::new(Code::InvalidRequest, message))
    })?;
    let metadata = text(committed, "metadata");
    Ok((text_of(committed, "topic")?, integer_of(committed, "partition")?, offset, metadata))
}

fn fetched(found: &Records) -> Result<JsValue, JsValue> {
    let index = records::index(&found.batches, found.from).map_err(|failure| error::to_js(&failure))?;
    let next = found.batches.last().and_then(|batch| BatchHeader::read(batch).ok());
    let next = next.map_or(JsValue::UNDEFINED, |header| BigInt::from(header.next_offset()).into());
    let fields: [(&str, JsValue); 8] = [
        ("topic", found.topic.as_str().into()),
        ("partition", found.tp.partition.into()),
        ("highWatermark", BigInt::from(found.end).into()),
        ("baseOffset", BigInt::from(found.from).into()),
        ("bytes", index.bytes.into()),
        ("index", index.numbers.into()),
        ("count", index.count.into()),
        ("nextOffset", next),
    ];
    Ok(object(&fields).into())
}
