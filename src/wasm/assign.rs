use std::future::Future;
use std::pin::Pin;

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::consumer::by_topic;
use super::fields::{array, list, object, text, text_of};
use super::host::Host;
use crate::base::{Code, Error, Map, TopicId, TopicPartition};
use crate::group::{Partitions, Spec, SpecMember};

/// What comes of an assignment, in time.
type Assignment = Pin<Box<dyn Future<Output = Result<Map<String, Partitions>, Error>>>>;

/// Asks an assignor of the application. What it throws is the reason why there is no assignment.
#[inline(never)]
pub(super) fn late_assign(host: &Host, spec: &Spec) -> Assignment {
    let (group, name) = (spec.group.as_str().into(), spec.assignor.as_str().into());
    let asked =
        host.method("assign").and_then(|assign| assign.call3(&host.object, &group, &name, &write(spec)));
    let spec = spec.clone();
    Box::pin(async move {
        let answer = match asked.and_then(|promise| promise.dyn_into::<Promise>()) {
            Ok(promise) => JsFuture::from(promise).await,
            Err(thrown) => Err(thrown),
        };
        answer.and_then(|answer| read(&spec, &answer)).map_err(|thrown| {
            let message = text(&thrown, "message").unwrap_or_else(|| "it threw no error".to_string());
            Error::new(Code::UnknownServerError, message)
        })
    })
}

fn write(spec: &Spec) -> JsValue {
    let topics = spec
        .topics
        .values()
        .map(|(topic, partitions)| object(&[("topic", topic.into()), ("partitions", (*partitions).into())]));
    object(&[
        ("members", array(spec.members.iter().map(|each| member(spec, each)))),
        ("topics", array(topics)),
    ])
    .into()
}

fn member(spec: &Spec, member: &SpecMember) -> js_sys::Object {
    let name = |id: &TopicId| spec.topics.get(id).map(|(name, _)| name.clone());
    let topics: Array = member.topics.iter().filter_map(name).map(JsValue::from).collect();
    let owned: Vec<_> =
        member.previous.iter().filter_map(|tp| Some((name(&tp.topic)?, tp.partition))).collect();
    object(&[
        ("memberId", member.id.as_str().into()),
        ("topics", topics.into()),
        ("metadata", Uint8Array::from(member.client.metadata.as_slice()).into()),
        ("owned", by_topic(&owned)),
    ])
}

fn read(spec: &Spec, answer: &JsValue) -> Result<Map<String, Partitions>, JsValue> {
    let mut assignment = Map::new();
    for member in Array::from(answer).iter() {
        let id = text_of(&member, "memberId")?;
        if assignment.contains_key(&id) {
            return Err(js_sys::Error::new(&["member ", &id, " is named twice"].concat()).into());
        }
        let mut partitions = Partitions::new();
        for topic in list(&member, "partitions").iter() {
            let name = text_of(&topic, "topic")?;
            let named = spec.topics.iter().find(|(_, (each, _))| *each == name);
            let Some((id, _)) = named else {
                return Err(js_sys::Error::new(&["there is no topic ", &name].concat()).into());
            };
            for partition in list(&topic, "partitions").iter() {
                let partition = partition.as_f64().filter(|number| number.fract() == 0.0);
                let partition = partition.map_or(-1, |number| number as i32);
                partitions.insert(TopicPartition { topic: *id, partition });
            }
        }
        assignment.insert(id, partitions);
    }
    Ok(assignment)
}
