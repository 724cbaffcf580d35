use super::Spec;
use super::order::{by_utf16, order};
use crate::base::{TopicId, TopicPartition};
use crate::group::Partitions;

/// KafkaJS's round robin: all partitions, topic by topic in the order of their names, dealt to the members in the order
/// of their ids; who does not subscribe is passed over.
pub fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut shares = vec![Partitions::new(); spec.members.len()];
    let members = order(shares.len(), |a, b| by_utf16(&spec.members[a].id, &spec.members[b].id));
    let topics: Vec<(&TopicId, &(String, i32))> = spec.topics.iter().collect();
    let mut turn = members.iter().cycle();
    for index in order(topics.len(), |a, b| by_utf16(&topics[a].1.0, &topics[b].1.0)) {
        let (topic, (_, count)) = topics[index];
        for partition in 0..*count {
            let mut asked = turn.by_ref().take(members.len());
            if let Some(member) = asked.find(|member| spec.members[**member].topics.contains(topic)) {
                shares[*member].insert(TopicPartition { topic: *topic, partition });
            }
        }
    }
    shares
}
