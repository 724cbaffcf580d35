use super::Spec;
use super::order::{by_utf16, order};
use crate::base::TopicPartition;
use crate::group::Partitions;

/// Kafka's range: of each topic a run of neighbours a subscriber, static members first. Topics with equal subscribers
/// and counts are cut alike, so that partition i of all of them is with one member.
pub fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut shares = vec![Partitions::new(); spec.members.len()];
    let key = |index: usize| {
        let member = &spec.members[index];
        (member.instance.is_none(), member.instance.as_ref().unwrap_or(&member.id))
    };
    let ordered = order(shares.len(), |a, b| {
        let ((dynamic_a, name_a), (dynamic_b, name_b)) = (key(a), key(b));
        dynamic_a.cmp(&dynamic_b).then_with(|| by_utf16(name_a, name_b))
    });
    for (topic, (_, count)) in spec.topics.iter() {
        let subscribers = || ordered.iter().filter(|member| spec.members[**member].topics.contains(topic));
        let mut left = subscribers().count() as i32;
        let mut next = 0;
        for member in subscribers() {
            // The first of those that are left get the one more that does not divide.
            let end = next + (count - next + left - 1) / left;
            let run = (next..end).map(|partition| TopicPartition { topic: *topic, partition });
            run.for_each(|tp| _ = shares[*member].insert(tp));
            (next, left) = (end, left - 1);
        }
    }
    shares
}
