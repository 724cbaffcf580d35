//! One member's step from what it has towards its target.

use std::collections::BTreeMap;

use headwater::group::{CurrentAssignment, MemberState, reconcile};
use serde::Deserialize;

use crate::files::{read, run};
use crate::groups::{Named, Names, topic_id};

const STEPS: usize = 40;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Input,
    expect: Expect,
}

#[derive(Deserialize)]
struct Input {
    member: Member,
    target_epoch: i32,
    target: Named,
    current_partition_epoch: BTreeMap<String, BTreeMap<String, i32>>,
    owned: Option<Named>,
}

#[derive(Deserialize)]
struct Expect {
    error: Option<String>,
    #[serde(default)]
    unchanged: bool,
    member: Option<Member>,
}

#[derive(Deserialize)]
struct Member {
    state: String,
    member_epoch: i32,
    previous_member_epoch: i32,
    assigned: Named,
    pending_revocation: Named,
}

impl Member {
    fn current(&self) -> CurrentAssignment {
        CurrentAssignment {
            epoch: self.member_epoch,
            previous_epoch: self.previous_member_epoch,
            state: match self.state.as_str() {
                "STABLE" => MemberState::Stable,
                "UNREVOKED_PARTITIONS" => MemberState::UnrevokedPartitions,
                "UNRELEASED_PARTITIONS" => MemberState::UnreleasedPartitions,
                "UNKNOWN" => MemberState::Unknown,
                other => panic!("no member state {other}"),
            },
            assigned: Names::default().partitions(&self.assigned),
            pending_revocation: Names::default().partitions(&self.pending_revocation),
        }
    }
}

#[test]
fn conformance_reconciler() {
    let file: File = read("reconciler_cases.json");
    run("reconciler_cases.json", &file.cases, STEPS, |case| case.name.clone(), step);
}

fn step(Case { input, expect, .. }: &Case) {
    let owners: BTreeMap<_, i32> = input
        .current_partition_epoch
        .iter()
        .flat_map(|(topic, epochs)| epochs.iter().map(move |(number, epoch)| (topic, number, epoch)))
        .map(|(topic, number, epoch)| ((topic_id(topic), number.parse::<i32>().unwrap()), *epoch))
        .collect();
    let free = |tp: headwater::base::TopicPartition| {
        owners.get(&(tp.topic, tp.partition)).is_none_or(|epoch| *epoch == -1)
    };
    let current = input.member.current();
    let owned = input.owned.as_ref().map(|owned| Names::default().partitions(owned));
    let next = reconcile(
        &current,
        input.target_epoch,
        &Names::default().partitions(&input.target),
        free,
        owned.as_ref(),
    );
    if let Some(error) = &expect.error {
        return assert_eq!(next.unwrap_err().code().name(), error);
    }
    let next = next.unwrap();
    assert_eq!(next.is_none(), expect.unchanged, "whether anything changes");
    assert_eq!(next.unwrap_or(current), expect.member.as_ref().unwrap().current());
}
