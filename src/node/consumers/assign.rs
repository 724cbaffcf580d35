use super::{Phase, overlapping};
use crate::base::{Code, Error, TopicPartition};
use crate::client::producer::CallId;
use crate::group::Partitions;
use crate::log::unknown_partition;
use crate::node::{Answer, Assigned, ConsumerId, Node};

impl Node {
    /// The application assigns partitions by itself: the consumer is a member of no group.
    pub(in crate::node) fn assign(&mut self, call: CallId, id: ConsumerId, partitions: Vec<Assigned>) {
        let Some(member) = self.consumers.get(id) else { return };
        if !matches!(member.phase, Phase::Out | Phase::Alone) {
            let message = "this consumer is in a group, which assigns its partitions: stop it first";
            return self.done(call, Err(Error::new(Code::InvalidRequest, message)));
        }
        if member.assigning.is_some() {
            return self.done(call, Err(overlapping("an assign")));
        }
        member.phase = Phase::Alone;
        member.subscriptions = partitions.iter().map(|each| (each.topic.clone(), each.reset)).collect();
        member.topics.clear();
        member.assigning = Some((call, partitions));
        self.look_up_subscription(id, true);
        self.assign_alone(id);
    }

    /// Takes up what the application has assigned, once the topics are known.
    pub(super) fn assign_alone(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        if member.phase != Phase::Alone || !member.knows_topics() {
            return;
        }
        let Some((call, partitions)) = &member.assigning else { return };
        let call = *call;
        let mut named = Vec::with_capacity(partitions.len());
        for each in partitions {
            let row = member.topics.get(&each.topic).and_then(Option::as_ref);
            let Some(row) = row.filter(|row| (0..row.partitions).contains(&each.partition)) else {
                let error = unknown_partition(each.partition);
                member.assigning = None;
                return self.done(call, Err(error));
            };
            let tp = TopicPartition { topic: row.id, partition: each.partition };
            named.push((tp, each.topic.clone(), each.reset, each.offset));
        }
        let wanted: Partitions = named.iter().map(|(tp, ..)| *tp).collect();
        member.consumer.keep(&wanted);
        member.consumer.assign(named.iter().map(|(tp, topic, reset, _)| (*tp, topic.clone(), *reset)));
        for (tp, .., offset) in named {
            if let Some(offset) = offset {
                member.consumer.seek(tp, offset);
            }
        }
    }

    /// The positions of what the application has assigned are known.
    pub(super) fn assigned_alone(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id).filter(|member| member.phase == Phase::Alone) else {
            return;
        };
        member.consumer.activate();
        if let Some((call, _)) = member.assigning.take() {
            self.done(call, Ok(Answer::Nothing));
        }
    }
}
