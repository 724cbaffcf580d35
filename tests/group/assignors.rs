//! Who shall own what, whatever the group looks like.

use headwater::base::{Map, TopicPartition};
use headwater::group::assignor::built_in;
use headwater::group::{Client, Partitions, Spec, SpecMember};
use proptest::prelude::*;

use crate::rig::{set, topic_id};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn spec(assignor: &str, counts: &[i32], members: &[(&str, &[&str], Partitions)]) -> Spec {
    let topics = NAMES.iter().zip(counts);
    let members = members.iter().map(|(id, topics, previous)| SpecMember {
        id: (*id).to_owned(),
        instance: None,
        topics: topics.iter().map(|name| topic_id(name)).collect(),
        previous: previous.clone(),
        client: Client::default(),
    });
    Spec {
        assignor: assignor.to_owned(),
        group: "g".into(),
        group_epoch: 1,
        topics: topics.map(|(name, count)| (topic_id(name), ((*name).to_owned(), *count))).collect(),
        members: members.collect(),
    }
}

fn with_previous(mut spec: Spec, previous: &Map<String, Partitions>) -> Spec {
    for member in &mut spec.members {
        member.previous = previous.get(&member.id).cloned().unwrap_or_default();
    }
    spec
}

fn none() -> Partitions {
    Partitions::new()
}

#[test]
fn round_robin_deals_as_kafkajs_does() {
    let topics: &[&str] = &["b", "a"];
    let members = [("m2", topics, none()), ("m10", topics, none()), ("m1", topics, none())];
    let assigned = built_in(&spec("roundRobin", &[4, 3], &members)).unwrap();
    let mut m1 = set("a", [0, 3]);
    m1.extend(&set("b", [2]));
    let mut m10 = set("a", [1]);
    m10.extend(&set("b", [0]));
    let mut m2 = set("a", [2]);
    m2.extend(&set("b", [1]));
    assert_eq!(
        assigned,
        [("m1", m1), ("m10", m10), ("m2", m2)].map(|(id, set)| (id.to_owned(), set)).into_iter().collect()
    );
}

#[test]
fn round_robin_passes_over_who_does_not_subscribe() {
    let members: [(&str, &[&str], Partitions); 2] = [("m1", &["a"], none()), ("m2", &["a", "b"], none())];
    let assigned = built_in(&spec("roundRobin", &[2, 2], &members)).unwrap();
    assert_eq!(assigned.get("m1"), Some(&set("a", [0])));
    assert_eq!(assigned.get("m2").map(Partitions::len), Some(3));
}

#[test]
fn the_extra_partition_stays_with_who_had_it() {
    let members: [(&str, &[&str], Partitions); 2] = [("m1", &["a"], none()), ("m2", &["a"], none())];
    let before = spec("uniform", &[3], &members);
    let previous =
        [("m1".to_owned(), set("a", [0])), ("m2".to_owned(), set("a", [1, 2]))].into_iter().collect();
    assert_eq!(built_in(&with_previous(before, &previous)), Ok(previous), "Kafka moves one of them");
}

/// A random group: partition counts, and for each member which topics it subscribes to.
fn groups() -> impl Strategy<Value = (Vec<i32>, Vec<Vec<bool>>)> {
    let counts = prop::collection::vec(1..9_i32, 1..5);
    let subscriptions = prop::collection::vec(prop::collection::vec(any::<bool>(), 4), 1..7);
    (counts, subscriptions)
}

fn random_spec(assignor: &str, counts: &[i32], subscriptions: &[Vec<bool>]) -> Spec {
    let topics: Vec<Vec<&str>> = subscriptions
        .iter()
        .map(|wants| (0..counts.len()).filter(|index| wants[*index]).map(|index| NAMES[index]).collect())
        .collect();
    let ids = ["m0", "m1", "m2", "m3", "m4", "m5", "m6"];
    let members: Vec<_> =
        topics.iter().enumerate().map(|(index, topics)| (ids[index], topics.as_slice(), none())).collect();
    spec(assignor, counts, &members)
}

/// Each partition that somebody subscribes to is with one subscriber.
fn check_cover(spec: &Spec, assigned: &Map<String, Partitions>) {
    let mut given = Partitions::new();
    for member in &spec.members {
        for tp in assigned.get(&member.id).unwrap().iter() {
            assert!(member.topics.contains(&tp.topic) && given.insert(tp), "{tp:?} of {}", member.id);
        }
    }
    let wanted =
        spec.topics.iter().filter(|(id, _)| spec.members.iter().any(|member| member.topics.contains(id)));
    let all: Partitions = wanted
        .flat_map(|(id, (_, count))| (0..*count).map(|partition| TopicPartition { topic: *id, partition }))
        .collect();
    assert_eq!(given, all);
}

fn loads(spec: &Spec, assigned: &Map<String, Partitions>) -> Vec<usize> {
    spec.members.iter().map(|member| assigned.get(&member.id).unwrap().len()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_assignor_gives_each_partition_to_one_subscriber((counts, subscriptions) in groups()) {
        for assignor in ["uniform", "range", "roundRobin"] {
            let spec = random_spec(assignor, &counts, &subscriptions);
            check_cover(&spec, &built_in(&spec).unwrap());
        }
    }

    #[test]
    fn uniform_is_level_and_stays_where_nothing_changes((counts, subscriptions) in groups()) {
        let spec = random_spec("uniform", &counts, &subscriptions);
        let assigned = built_in(&spec).unwrap();
        let loads = loads(&spec, &assigned);
        for (index, member) in spec.members.iter().enumerate() {
            for tp in assigned.get(&member.id).unwrap().iter() {
                let others = spec.members.iter().enumerate().filter(|(_, other)| other.topics.contains(&tp.topic));
                let least = others.map(|(other, _)| loads[other]).min().unwrap();
                prop_assert!(loads[index] <= least + 1, "{tp:?} had better move");
            }
        }
        prop_assert_eq!(built_in(&with_previous(spec, &assigned)), Ok(assigned));
    }

    #[test]
    fn uniform_keeps_as_much_as_being_level_allows(counts in prop::collection::vec(1..9_i32, 1..5), before in 1..6_usize, after in 1..6_usize) {
        let all = |members: usize| vec![vec![true; 4]; members];
        let previous = built_in(&random_spec("uniform", &counts, &all(before))).unwrap();
        let spec = with_previous(random_spec("uniform", &counts, &all(after)), &previous);
        let assigned = built_in(&spec).unwrap();
        let kept: usize = spec.members.iter().map(|member| member.previous.and(assigned.get(&member.id).unwrap()).len()).sum();
        let total: usize = counts.iter().map(|count| *count as usize).sum();
        let (floor, mut extra) = (total / after, total % after);
        let most: usize = spec.members.iter().map(|member| {
            let more = usize::from(member.previous.len() > floor && extra > 0);
            extra -= more;
            member.previous.len().min(floor + more)
        }).sum();
        prop_assert_eq!(kept, most);
    }
}
