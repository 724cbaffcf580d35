//! Who shall own what: `range` to the partition, `uniform` by what it guarantees.

use std::collections::{BTreeMap, BTreeSet};

use headwater::base::{Map, TopicId, TopicPartition};
use headwater::group::assignor::built_in;
use headwater::group::{Client, Partitions, Spec, SpecMember};
use serde::Deserialize;

use crate::files::{read, run};
use crate::groups::Named;

const CASES: usize = 29;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    assignor: String,
    topics: Vec<Topic>,
    members: Vec<Member>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Topic {
    name: String,
    id: String,
    partitions: i32,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    instance_id: Option<String>,
    subscriptions: Vec<String>,
    previous: Named,
}

#[derive(Deserialize)]
struct Expect {
    error: Option<String>,
    mode: Option<String>,
    assignment: Option<BTreeMap<String, Named>>,
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
struct Metrics {
    /// Null where there is no member.
    max_minus_min: Option<usize>,
    retained: usize,
    moved_from_still_subscribed_owner: usize,
    partitions_whose_single_move_would_improve_balance: usize,
}

#[test]
fn conformance_assignors() {
    let file: File = read("assignor_cases.json");
    run("assignor_cases.json", &file.cases, CASES, |case| case.name.clone(), assigns);
}

fn assigns(case: &Case) {
    let spec = case.spec();
    let assigned = built_in(&spec);
    if let Some(error) = &case.expect.error {
        assert_eq!(error, "PARTITION_ASSIGNOR_EXCEPTION", "the one way in which an assignor fails");
        return assert_eq!(assigned.unwrap_err().code().name(), "UNKNOWN_SERVER_ERROR");
    }
    let assigned = assigned.unwrap();
    let kafka = case.expect.metrics.as_ref().unwrap();
    if case.assignor == "range" {
        assert_eq!(case.expect.mode.as_deref(), Some("exact"));
        let expected = case.expect.assignment.as_ref().unwrap();
        for member in &case.members {
            let none = Named::new();
            let expected = case.partitions(expected.get(&member.id).unwrap_or(&none));
            assert_eq!(assigned.get(&member.id), Some(&expected), "member {}", member.id);
        }
    } else {
        no_worse(&case.measure(&assigned), kafka);
    }
}

fn no_worse(ours: &Metrics, kafka: &Metrics) {
    let (uneven, most) = (ours.max_minus_min.unwrap_or(0), kafka.max_minus_min.unwrap_or(0));
    assert!(uneven <= most, "uneven by {uneven}, Kafka by {most}");
    assert_eq!(
        ours.partitions_whose_single_move_would_improve_balance, 0,
        "a move would improve the balance"
    );
    assert!(ours.retained >= kafka.retained, "retained {}, Kafka {}", ours.retained, kafka.retained);
    let (moved, most) = (ours.moved_from_still_subscribed_owner, kafka.moved_from_still_subscribed_owner);
    assert!(moved <= most, "moved {moved}, Kafka {most}");
}

impl Case {
    /// The id of a topic; one that is not there has one too.
    fn topic_id(&self, name: &str) -> TopicId {
        let known = self.topics.iter().find(|topic| topic.name == name);
        known.map_or(TopicId([0xff; 16]), |topic| TopicId(base64(&topic.id)))
    }

    fn partitions(&self, named: &Named) -> Partitions {
        let all = named.iter().flat_map(|(name, numbers)| {
            let topic = self.topic_id(name);
            numbers.iter().map(move |partition| TopicPartition { topic, partition: *partition })
        });
        all.collect()
    }

    fn spec(&self) -> Spec {
        let topics = self.topics.iter().map(|topic| {
            let id = TopicId(base64(&topic.id));
            (id, (topic.name.clone(), topic.partitions))
        });
        let members = self.members.iter().map(|member| SpecMember {
            id: member.id.clone(),
            instance: member.instance_id.clone(),
            topics: member.subscriptions.iter().map(|name| self.topic_id(name)).collect(),
            previous: self.partitions(&member.previous),
            client: Client::default(),
        });
        Spec {
            assignor: self.assignor.clone(),
            group: "g".into(),
            group_epoch: 1,
            topics: topics.collect(),
            members: members.collect(),
        }
    }

    /// Checks that each partition of a subscribed topic is with one subscriber, and measures the rest.
    fn measure(&self, assigned: &Map<String, Partitions>) -> Metrics {
        let subscribed = |member: &Member, tp: TopicPartition| {
            member.subscriptions.iter().any(|name| self.topic_id(name) == tp.topic)
        };
        let mut owners = BTreeMap::new();
        for (index, member) in self.members.iter().enumerate() {
            for tp in assigned.get(&member.id).unwrap().iter() {
                assert!(subscribed(member, tp), "{} does not subscribe to {tp:?}", member.id);
                assert_eq!(owners.insert(tp, index), None, "{tp:?} is given twice");
            }
        }
        let topics = self
            .topics
            .iter()
            .filter(|topic| self.members.iter().any(|member| member.subscriptions.contains(&topic.name)));
        let wanted: BTreeSet<_> = topics
            .flat_map(|topic| {
                let id = TopicId(base64(&topic.id));
                (0..topic.partitions).map(move |partition| TopicPartition { topic: id, partition })
            })
            .collect();
        assert!(owners.keys().eq(wanted.iter()), "every partition is given, and no other");
        let loads: Vec<usize> =
            self.members.iter().map(|member| assigned.get(&member.id).unwrap().len()).collect();
        let previous = |member: &Member| self.partitions(&member.previous);
        let improves = |(tp, owner): &(&TopicPartition, &usize)| {
            let others = self.members.iter().enumerate().filter(|(_, member)| subscribed(member, **tp));
            others.map(|(other, _)| loads[other]).min().is_some_and(|least| loads[**owner] > least + 1)
        };
        let lost = |(tp, owner): &(&TopicPartition, &usize)| {
            let before = self.members.iter().position(|member| previous(member).contains(**tp));
            before.is_some_and(|before| before != **owner && subscribed(&self.members[before], **tp))
        };
        let kept =
            self.members.iter().map(|member| previous(member).and(assigned.get(&member.id).unwrap()).len());
        Metrics {
            max_minus_min: loads.iter().max().zip(loads.iter().min()).map(|(most, least)| most - least),
            retained: kept.sum(),
            moved_from_still_subscribed_owner: owners.iter().filter(lost).count(),
            partitions_whose_single_move_would_improve_balance: owners.iter().filter(improves).count(),
        }
    }
}

/// The sixteen bytes of Kafka's URL-safe base64.
fn base64(text: &str) -> [u8; 16] {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        other => panic!("{other} is no digit of base64"),
    };
    let bits = text.bytes().fold((Vec::new(), 0_u32, 0), |(mut bytes, bits, count), byte| {
        let (bits, count) = (bits << 6 | u32::from(digit(byte)), count + 6);
        if count < 8 {
            return (bytes, bits, count);
        }
        bytes.push((bits >> (count - 8)) as u8);
        (bytes, bits & ((1 << (count - 8)) - 1), count - 8)
    });
    bits.0.try_into().unwrap()
}
