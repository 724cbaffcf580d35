use std::rc::Rc;

use js_sys::{BigInt, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::page::{Committed, PageDriver, ask, nothing, object, unexpected};
use super::{error, records};
use crate::client::consumer::{Records, Reset};
use crate::node::{Answer, Call, Command, ConsumerId};

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
        let offsets: Option<Vec<Committed>> = object::read(offsets)?;
        let offsets = match offsets {
            Some(offsets) => {
                let parsed: Result<Vec<_>, JsValue> = offsets.into_iter().map(Committed::parse).collect();
                Some(parsed?)
            }
            None => None,
        };
        Ok(ask(&self.driver, Call::Commit(self.id, offsets), |answer| match answer {
            Answer::Committed(committed) => {
                let committed: Vec<Committed> = committed.into_iter().map(Committed::from).collect();
                object::write(&committed)
            }
            _ => Err(unexpected()),
        }))
    }
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
    let fetched = js_sys::Object::new();
    for (name, value) in fields {
        Reflect::set(&fetched, &name.into(), &value)?;
    }
    Ok(fetched.into())
}
