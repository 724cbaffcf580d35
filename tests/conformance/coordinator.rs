//! The whole group protocol with its timers: each step goes through the coordinator and the operations on rows, and the
//! group is read back from its row.

use std::collections::BTreeMap;
use std::rc::Rc;

use headwater::base::{Error, Map, Now, TopicId};
use headwater::group::assignor::{Assigned, Assignors};
use headwater::group::{
    ClaimGroup, CommitOffsets, Coordinator, DeleteGroup, DescribeGroup, FetchOffsets, GroupConfig,
    GroupMember, GroupState, HeartbeatRequest, HeartbeatResponse, Metadata, Outcome, Partitions, Record,
    Spec, Timer, WriteGroup,
};

use crate::files::{read, run};
use crate::groups::{Named, Names};
use crate::scenario::{Answer, Case, Config, File, Fired, Group, Heartbeat, StepOp, find, shown};
use crate::support::Table;

const SCENARIOS: usize = 18;
const NODE: u64 = 7;
/// What the files call the member that the coordinator named.
const NAMED: &str = "m1";

#[test]
fn conformance_coordinator() {
    let file: File = read("coordinator_cases.json");
    run(
        "coordinator_cases.json",
        &file.cases,
        SCENARIOS,
        |case| case.name.clone(),
        |case| {
            let mut world = World::new(case);
            for (index, step) in case.steps.iter().enumerate() {
                println!("{}: step {index}", case.name);
                world.step(&step.op);
                for (id, group) in step.groups_after.iter().flatten() {
                    world.compare(id, group.as_ref());
                }
            }
        },
    );
}

/// One log's groups, as its coordinator and its rows have them.
struct World<'a> {
    config: &'a Config,
    mock: bool,
    now: Now,
    topics: Topics,
    table: Table,
    groups: BTreeMap<String, Coordinator>,
    epochs: BTreeMap<String, i32>,
    configs: BTreeMap<String, GroupConfig>,
    named: Option<String>,
    /// False where Kafka's assignment is one of several that are as good: then only its effects are compared.
    exact: bool,
    /// What Kafka's members had after the last step: assigned, and pending revocation.
    kafka: BTreeMap<String, (Partitions, Partitions)>,
}

/// The topics that there are, and the ids of all that there were.
struct Topics {
    counts: BTreeMap<String, i32>,
    names: Names,
}

impl Metadata for Topics {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        self.counts.get(name).map(|partitions| (self.names.id(name), *partitions))
    }
}

impl Topics {
    fn change(&mut self, name: &str, count: Option<i32>) {
        match count {
            Some(count) => {
                if self.counts.insert(name.to_owned(), count).is_none() {
                    self.names.create(name);
                }
            }
            None => {
                self.counts.remove(name);
                self.names.delete(name);
            }
        }
    }
}

/// Answers what the scenario says, the second time that it is asked: custom assignors take their time.
struct Mock<'a> {
    names: &'a [String],
    answer: Option<Map<String, Partitions>>,
}

impl Assignors for Mock<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    fn assign(&self, _: &Spec) -> Assigned {
        self.answer.clone().map_or(Assigned::Pending, |answer| Assigned::Done(Ok(answer)))
    }
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let mut world = Self {
            config: &case.config,
            mock: case.mock_assignor,
            now: Now::default(),
            topics: Topics { counts: case.config.topics.clone(), names: Names::default() },
            table: Table::default(),
            groups: BTreeMap::new(),
            epochs: BTreeMap::new(),
            configs: BTreeMap::new(),
            named: None,
            exact: case.mock_assignor || !case.config.assignors.iter().any(|name| name == "uniform"),
            kafka: BTreeMap::new(),
        };
        for (id, group) in &case.initial_groups {
            let state = Rc::new(group.state(&world.topics.names));
            world.claim(id);
            world.groups.insert(id.clone(), Coordinator::new(id.clone(), state, world.config(id), 1));
            world.store(id);
        }
        world
    }

    fn config(&self, id: &str) -> GroupConfig {
        let config = GroupConfig {
            session_timeout_ms: self.config.session_timeout_ms,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            max_size: self.config.max_size.unwrap_or(usize::MAX),
            metadata_refresh_ms: self.config.metadata_refresh_interval_ms.unwrap_or(u64::MAX),
            ping_timeout_ms: 0,
            assignors: self.config.assignors.clone(),
        };
        self.configs.get(id).cloned().unwrap_or(config)
    }

    fn claim(&mut self, id: &str) -> GroupState {
        let row = self.table.run(&ClaimGroup { group: id.to_owned(), node: NODE, above: 0 }).unwrap();
        self.epochs.insert(id.to_owned(), row.coordinator_epoch);
        row.state
    }

    fn load(&mut self, id: &str) {
        let state = Rc::new(self.claim(id));
        let coordinator = Coordinator::load(self.now, id.to_owned(), state, self.config(id), 1);
        self.groups.insert(id.to_owned(), coordinator);
    }

    fn store(&mut self, id: &str) {
        let (state, coordinator_epoch) = (Rc::clone(self.groups[id].state()), self.epochs[id]);
        let write = WriteGroup { group: id.to_owned(), node: NODE, coordinator_epoch, state };
        self.table.run(&write).unwrap();
    }

    fn step(&mut self, op: &StepOp) {
        match op {
            StepOp::Heartbeat(step) => self.heartbeat(step),
            StepOp::AdvanceTime { ms, fired } => self.advance(*ms, fired),
            StepOp::MetadataChange { changes } => {
                for change in changes {
                    self.topics.change(&change.topic, change.partitions);
                    self.groups.values_mut().for_each(|group| group.metadata_changed(&change.topic));
                }
            }
            StepOp::GroupConfig { change } => {
                let id = change["group_id"].as_str().map(str::to_owned).unwrap_or_else(|| self.only_group());
                let mut config = self.config(&id);
                find(change, "session_timeout_ms").inspect(|ms| config.session_timeout_ms = *ms);
                find(change, "heartbeat_interval_ms").inspect(|ms| config.heartbeat_interval_ms = *ms);
                self.configs.insert(id.clone(), config.clone());
                if let Some(group) = self.groups.get_mut(&id) {
                    group.configure(config);
                }
            }
            StepOp::OffsetCommit(access) => {
                let group = access.group_id.clone().unwrap_or_else(|| self.only_group());
                let commit = CommitOffsets { group, member: access.committer(), offsets: Vec::new() };
                check(self.table.run(&commit), access.error.as_deref());
            }
            StepOp::OffsetFetch(access) => {
                let group = access.group_id.clone().unwrap_or_else(|| self.only_group());
                let member = access.member_id.as_ref().and_then(|_| access.committer());
                let fetch = FetchOffsets { group, member, partitions: Vec::new() };
                check(self.table.run(&fetch).map(drop), access.error.as_deref());
            }
            StepOp::DeleteGroup { group_id, error } => {
                let group = group_id.clone().unwrap_or_else(|| self.only_group());
                let deleted = self.table.run(&DeleteGroup { group: group.clone() });
                if deleted.is_ok() {
                    self.groups.remove(&group);
                }
                check(deleted, error.as_deref());
            }
            StepOp::CoordinatorReloaded => {
                let ids: Vec<String> = self.groups.keys().cloned().collect();
                ids.iter().for_each(|id| self.load(id));
            }
        }
    }

    /// The group that a step means which names none.
    fn only_group(&self) -> String {
        assert!(self.groups.len() < 2, "a step that names no group is about the only one");
        self.groups.keys().next().cloned().unwrap_or_else(|| "g1".to_owned())
    }

    fn heartbeat(&mut self, step: &Heartbeat) {
        let mut request = match step.request.product(&self.topics.names) {
            Ok(request) => request,
            Err(error) => return assert_eq!(step.error.as_deref(), Some(error.code().name())),
        };
        let id = &step.request.group_id;
        if !self.groups.contains_key(id) {
            self.load(id);
        }
        let before = Rc::clone(self.groups[id].state());
        request.owned = request.owned.map(|owned| self.ours(&before, &request.member, owned));
        let outcome = self.answered(&request, step.assignor_returned.as_ref());
        let (response, records) = match outcome {
            Ok(Outcome::Answer { response, records }) => (Some(response), records),
            Ok(other) => panic!("{other:?} is no answer"),
            Err(error) => {
                assert_eq!(Some(error.code().name()), step.error.as_deref(), "{error}");
                assert_eq!(*self.groups[id].state(), before, "what is refused changes nothing");
                (None, Vec::new())
            }
        };
        if let (Some(answer), "") = (&response, step.request.member_id.as_str()) {
            self.named = Some(answer.member.clone());
        }
        let answer = response.as_ref().map(|answer| self.show(answer));
        let expected = step.response.as_ref().map(|response| response.shown(&self.topics.names, self.exact));
        assert_eq!(answer, expected, "the answer");
        let (mut kinds, mut expected) = (records.iter().map(kind).collect::<Vec<_>>(), step.records.clone());
        if !self.exact {
            // How many targets change is a matter of the assignment.
            kinds.dedup();
            expected.dedup();
        }
        assert_eq!(kinds, expected, "the records");
        let mut folded = (*before).clone();
        records.into_iter().for_each(|record| folded.replay(record));
        assert_eq!(folded, **self.groups[id].state(), "the state is the fold of the records");
        self.store(id);
    }

    /// What a member says that it owns, in terms of our assignment where Kafka's is another.
    fn ours(&self, state: &GroupState, id: &str, owned: Partitions) -> Partitions {
        let (Some((assigned, pending)), Some(member)) = (self.kafka.get(id), state.members.get(id)) else {
            return owned;
        };
        let (mut both, mut ours) = (assigned.clone(), member.current.assigned.clone());
        both.extend(pending);
        if !self.exact && owned == *assigned {
            return ours;
        }
        if !self.exact && owned == both {
            ours.extend(&member.current.pending_revocation);
            return ours;
        }
        owned
    }

    /// Runs a heartbeat, and with it the assignor of the scenario where the coordinator asks for it.
    fn answered(
        &mut self,
        request: &HeartbeatRequest,
        returned: Option<&BTreeMap<String, Named>>,
    ) -> Result<Outcome, Error> {
        let (now, topics) = (self.now, &self.topics);
        let group = self.groups.get_mut(&request.group).unwrap();
        if !self.mock {
            let none = ["no-op".to_owned()];
            let answer = Some(Map::new());
            return group.heartbeat(now, request, topics, &Mock { names: &none, answer });
        }
        let mut mock = Mock { names: &self.config.assignors, answer: None };
        let outcome = group.heartbeat(now, request, topics, &mock)?;
        let asked = matches!(outcome, Outcome::Assign(_));
        assert_eq!(asked, returned.is_some(), "whether the assignor was asked");
        let Some(returned) = returned else { return Ok(outcome) };
        mock.answer =
            Some(returned.iter().map(|(id, share)| (id.clone(), topics.names.partitions(share))).collect());
        group.heartbeat(now, request, topics, &mock)
    }

    fn advance(&mut self, ms: u64, expected: &[Fired]) {
        self.now.instant += ms;
        let mut fired = Vec::new();
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            let group = self.groups.get_mut(&id).unwrap();
            fired.extend(group.tick(self.now, &self.topics).into_iter().map(|each| {
                Fired {
                    timer: match each.timer {
                        Timer::Ping => "ping",
                        Timer::Session => "session",
                        Timer::Rebalance => "rebalance",
                    }
                    .to_owned(),
                    group_id: id.clone(),
                    member_id: each.member,
                    records: each.records.iter().map(kind).collect(),
                }
            }));
            self.store(&id);
        }
        // A timer that finds its member gone, or come further, changes nothing; whether it still runs cannot be seen.
        fired.retain(|each| !each.records.is_empty());
        let expected: Vec<&Fired> = expected.iter().filter(|each| !each.records.is_empty()).collect();
        let fired: Vec<&Fired> = fired.iter().collect();
        if expected.len() < 2 {
            return assert_eq!(fired, expected, "the timers");
        }
        assert_eq!(fenced(&fired), fenced(&expected), "the timers");
    }

    fn id<'b>(&self, id: &'b str) -> &'b str {
        if self.named.as_deref() == Some(id) { NAMED } else { id }
    }

    fn show(&self, answer: &HeartbeatResponse) -> Answer {
        let member = self.id(&answer.member).to_owned();
        let assignment = answer.assignment.clone().map(|assignment| shown(assignment, self.exact));
        (member, answer.epoch, answer.heartbeat_interval_ms, assignment)
    }

    /// The group as its row has it, and its timers, against what Kafka had.
    fn compare(&mut self, group: &str, expected: Option<&Group>) {
        let row = self.table.run(&DescribeGroup { group: group.to_owned() }).unwrap();
        // A group that has never had a member is of another kind in Kafka.
        let row = row.filter(|row| row.state.epoch > 0);
        let expected = expected.filter(|group| group.group_epoch > 0);
        assert_eq!(row.is_some(), expected.is_some(), "whether there is a group {group}");
        let (Some(row), Some(expected)) = (row, expected) else { return };
        assert_eq!(row.state.name(), expected.state, "the state of {group}");
        assert_eq!(row.state.epoch, expected.group_epoch, "the group epoch");
        assert_eq!(row.state.target_epoch, expected.assignment_epoch, "the assignment epoch");
        let counts: BTreeMap<String, i32> =
            row.state.topics.iter().map(|(name, (_, count))| (name.clone(), *count)).collect();
        assert_eq!(counts, expected.subscription_metadata, "the topics");
        let members: Vec<&str> = row.state.members.keys().map(|id| self.id(id)).collect();
        assert_eq!(members, expected.members.keys().collect::<Vec<_>>(), "the members");
        for (id, member) in row.state.members.iter() {
            let name = self.id(id);
            let wanted = &expected.members[name];
            let expected = wanted.product(&self.topics.names, member);
            assert_eq!(self.shown(member), self.shown(&expected), "member {name}");
            let timers = self.groups[group].time_left(self.now, id);
            assert_eq!(timers, (wanted.session_timer_ms, wanted.rebalance_timer_ms), "timers of {name}");
            self.kafka
                .insert(name.to_owned(), (expected.current.assigned, expected.current.pending_revocation));
        }
        one_owner(&row.state);
    }

    fn shown(&self, member: &GroupMember) -> GroupMember {
        let mut member = member.clone();
        let current = &mut member.current;
        for set in
            [&mut current.assigned, &mut current.pending_revocation].into_iter().chain(&mut member.target)
        {
            *set = shown(core::mem::take(set), self.exact);
        }
        member
    }
}

/// Who was fenced, and what that wrote. Where several timers run out at the same moment, Kafka fires them in the order of
/// a heap; which of two timers of one member is first, and which member is the last to need a topic, follows from it.
fn fenced<'a>(fired: &[&'a Fired]) -> Vec<(&'a str, &'a str, Vec<&'a str>)> {
    let written =
        |each: &'a Fired| each.records.iter().filter(|kind| *kind != "ConsumerGroupPartitionMetadata");
    let mut fenced: Vec<_> = fired
        .iter()
        .map(|each| {
            (each.group_id.as_str(), each.member_id.as_str(), written(each).map(String::as_str).collect())
        })
        .collect();
    fenced.sort();
    fenced
}

/// Nobody has what another one has.
fn one_owner(state: &GroupState) {
    let mut owned = Partitions::new();
    for tp in state.members.values().flat_map(|member| member.current.assigned.iter()) {
        assert!(owned.insert(tp), "{tp:?} has two owners");
    }
}

fn check(outcome: Result<(), Error>, expected: Option<&str>) {
    assert_eq!(outcome.err().map(|error| error.code().name()), expected);
}

/// Kafka's name of a record.
fn kind(record: &Record) -> String {
    let (name, tombstone) = match record {
        Record::Epoch(_) => ("ConsumerGroupMetadata", false),
        Record::Topics(_) => ("ConsumerGroupPartitionMetadata", false),
        Record::Member(_, value) => ("ConsumerGroupMemberMetadata", value.is_none()),
        Record::Target(_, value) => ("ConsumerGroupTargetAssignmentMember", value.is_none()),
        Record::TargetEpoch(_) => ("ConsumerGroupTargetAssignmentMetadata", false),
        Record::Current(_, value) => ("ConsumerGroupCurrentMemberAssignment", value.is_none()),
    };
    if tombstone { format!("{name}:tombstone") } else { name.to_owned() }
}
