use std::rc::Rc;

use js_sys::{Array, BigInt, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::fields::{array, integer_of, object, text, text_of};
use super::page::{PageDriver, ask, nothing, unexpected};
use super::{error, records};
use crate::base::{Code, Error};
use crate::client::consumer::{Records, Reset};
use crate::node::{Answer, Call, Command, ConsumerId, Position};

/// One consumer of a group.
#[wasm_bindgen]
pub struct Consumer {
    driver: Rc<PageDriver>,
    id: ConsumerId,
}

impl Consumer {
    pub(super) fn open(driver: &Rc<PageDriver>, id: ConsumerId, group: String) -> Self {
        driver.command(id, Command::Open(group));
        Self { driver: Rc::clone(driver), id }
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
    /// Resolves when this consumer is the group's only member and every partition has a position.
    pub fn join(&self) -> Promise {
        ask(&self.driver, Call::Join(self.id), nothing)
    }

    /// Gives the group up.
    pub fn leave(&self) {
        self.command(Command::Leave);
    }

    /// Reads this topic after the next join.
    pub fn subscribe(&self, topic: String, from_beginning: bool) {
        let reset = if from_beginning { Reset::Earliest } else { Reset::Latest };
        self.command(Command::Subscribe(topic, reset));
    }

    /// Resolves with records when there are any, or with `undefined` once it is woken.
    pub fn fetch(&self, bytes_max: u32) -> Promise {
        ask(&self.driver, Call::Fetch(self.id, bytes_max as usize), |answer| match answer {
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

    /// Everything before `next` has been handled.
    pub fn resolve(&self, topic: String, partition: i32, next: i64) {
        self.command(Command::Resolve(topic, partition, next));
    }

    /// Commits these offsets, or what was handled where there are none; answers what was committed.
    pub fn commit(&self, offsets: JsValue) -> Result<Promise, JsValue> {
        let offsets = if offsets.is_undefined() {
            None
        } else {
            let offsets: Result<Vec<_>, _> =
                Array::from(&offsets).iter().map(|each| read_offset(&each)).collect();
            Some(offsets?)
        };
        Ok(ask(&self.driver, Call::Commit(self.id, offsets), |answer| match answer {
            Answer::Committed(committed) => {
                Ok(array(committed.into_iter().map(|(topic, partition, offset)| {
                    object(&[
                        ("topic", topic.into()),
                        ("partition", partition.into()),
                        ("offset", offset.to_string().into()),
                        ("metadata", JsValue::NULL),
                    ])
                })))
            }
            _ => Err(unexpected()),
        }))
    }
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
    let fields: [(&str, JsValue); 7] = [
        ("topic", found.topic.as_str().into()),
        ("partition", found.tp.partition.into()),
        ("highWatermark", BigInt::from(found.end).into()),
        ("baseOffset", BigInt::from(found.from).into()),
        ("bytes", index.bytes.into()),
        ("index", index.numbers.into()),
        ("count", index.count.into()),
    ];
    Ok(object(&fields).into())
}
