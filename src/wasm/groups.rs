use js_sys::{Array, Object, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::consumer::{by_topic, read_offset};
use super::fields::{array, object};
use super::node::Node;
use super::page::{nothing, unexpected};
use crate::base::TopicId;
use crate::group::{GroupMember, GroupRow, GroupState, elect};
use crate::node::{Answer, Call};

#[wasm_bindgen]
impl Node {
    /// All groups.
    #[wasm_bindgen(js_name = listGroups)]
    pub fn list_groups(&self) -> Promise {
        self.ask(Call::ListGroups, |answer| match answer {
            Answer::Groups(groups) => Ok(array(groups.iter().map(|(group, row)| {
                object(&[("groupId", group.into()), ("state", row.state.name().into())])
            }))),
            _ => Err(unexpected()),
        })
    }

    /// A group with its members; `undefined` where there is none.
    #[wasm_bindgen(js_name = describeGroup)]
    pub fn describe_group(&self, group: String) -> Promise {
        self.ask(Call::DescribeGroup(group), |answer| match answer {
            Answer::Group(row) => Ok(row.map_or(JsValue::UNDEFINED, |row| describe(&row).into())),
            _ => Err(unexpected()),
        })
    }

    /// Deletes a group that has no members, with its offsets.
    #[wasm_bindgen(js_name = deleteGroup)]
    pub fn delete_group(&self, group: String) -> Promise {
        self.ask(Call::DeleteGroup(group), nothing)
    }

    /// Sets where a group without members goes on in a topic; -1 is the end, -2 the beginning.
    #[wasm_bindgen(js_name = setOffsets)]
    pub fn set_offsets(&self, group: String, offsets: JsValue) -> Result<Promise, JsValue> {
        let mut topic = String::new();
        let mut positions = Vec::new();
        for each in Array::from(&offsets).iter() {
            let (name, partition, offset, metadata) = read_offset(&each)?;
            topic = name;
            positions.push((partition, offset, metadata));
        }
        Ok(self.ask(Call::SetOffsets { group, topic, offsets: positions }, nothing))
    }
}

fn describe(row: &GroupRow) -> Object {
    let GroupRow { node, state, .. } = row;
    object(&[
        ("state", state.name().into()),
        ("epoch", state.epoch.into()),
        ("assignor", elect(state, |_| true).map_or("", String::as_str).into()),
        ("coordinator", node.to_string().into()),
        ("members", array(state.members.iter().map(|(id, known)| member(state, id, known)))),
    ])
}

fn member(state: &GroupState, id: &str, GroupMember { metadata, current, .. }: &GroupMember) -> Object {
    let name =
        |id: &TopicId| state.topics.iter().find(|(_, (topic, _))| topic == id).map(|(name, _)| name.clone());
    let mut owned = current.assigned.clone();
    current.pending_revocation.iter().for_each(|tp| _ = owned.insert(tp));
    let partitions: Vec<_> = owned.iter().filter_map(|tp| Some((name(&tp.topic)?, tp.partition))).collect();
    object(&[
        ("memberId", id.into()),
        ("instanceId", metadata.instance.clone().into()),
        ("clientId", metadata.client.id.as_str().into()),
        ("url", metadata.client.url.as_str().into()),
        ("visible", metadata.client.visible.into()),
        ("epoch", current.epoch.into()),
        ("topics", metadata.topics.iter().map(JsValue::from).collect::<Array>().into()),
        ("partitions", by_topic(&partitions)),
    ])
}
