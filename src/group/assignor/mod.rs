//! Assignors: who shall own what. Each looks at all members and topics at once, and knows nothing of what members have
//! to give up first.

mod order;
mod range;
mod round_robin;
mod spec;
mod uniform;

pub use spec::{Spec, SpecMember};

use super::{GroupState, Partitions};
use crate::base::{Code, Error, Map};

/// The assignors of a node beyond those that every node has.
pub trait Assignors {
    /// True if this node has one of this name. It then comes before a built-in one.
    fn has(&self, name: &str) -> bool;

    /// What [`Spec::assignor`] makes of `spec`; what it made of another one does not count.
    fn assign(&self, spec: &Spec) -> Assigned;
}

/// What came of an assignor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// The partitions of each member, or how it failed.
    Done(Result<Map<String, Partitions>, Error>),
    /// It has to be asked first.
    Pending,
}

/// The assignor that most members would have, out of those that `can` be run here.
pub fn elect(state: &GroupState, can: impl Fn(&str) -> bool) -> Option<&String> {
    let mut votes: Map<&String, usize> = Map::new();
    for member in state.members.values() {
        if let Some(name) = member.metadata.assignors.iter().find(|name| can(name)) {
            *votes.get_or_insert_with(name, || 0) += 1;
        }
    }
    votes.into_entries().max_by_key(|(_, count)| *count).map(|(name, _)| name)
}

/// Runs the assignor that `spec` names; what a custom one answers is checked.
pub fn assign(spec: &Spec, assignors: &dyn Assignors) -> Assigned {
    if assignors.has(&spec.assignor) {
        return match assignors.assign(spec) {
            Assigned::Done(Ok(assignment)) => Assigned::Done(check(spec, &assignment).map(|()| assignment)),
            other => other,
        };
    }
    Assigned::Done(built_in(spec))
}

/// Runs a built-in assignor: `range`, `roundRobin`, and for any other name `uniform`.
///
/// # Errors
/// [`Code::UnknownServerError`] where a member subscribes to a topic that is not there.
pub fn built_in(spec: &Spec) -> Result<Map<String, Partitions>, Error> {
    if spec.members.iter().any(|member| member.topics.iter().any(|topic| !spec.topics.contains_key(topic))) {
        return Err(refused("a member subscribes to a topic that is not there"));
    }
    let shares = match spec.assignor.as_str() {
        "range" => range::assign(spec),
        "roundRobin" => round_robin::assign(spec),
        _ => uniform::assign(spec),
    };
    Ok(spec.members.iter().map(|member| member.id.clone()).zip(shares).collect())
}

/// Nobody may get what is not there, what it does not subscribe to, or what another has got.
fn check(spec: &Spec, assignment: &Map<String, Partitions>) -> Result<(), Error> {
    let mut given = Partitions::new();
    for (id, partitions) in assignment.iter() {
        let Some(member) = spec.members.iter().find(|member| member.id == *id) else {
            return Err(refused(&format!("the group has no member {id}")));
        };
        for tp in partitions.iter() {
            let topic = spec.topics.get(&tp.topic);
            let name = topic.map_or("of an unknown topic", |(name, _)| name);
            let wrong = if topic.is_none_or(|(_, count)| !(0..*count).contains(&tp.partition)) {
                "does not exist"
            } else if !member.topics.contains(&tp.topic) {
                "is of a topic that the member does not subscribe to"
            } else if !given.insert(tp) {
                "was given to two members"
            } else {
                continue;
            };
            return Err(refused(&format!(
                "partition {} {name}, given to member {id}, {wrong}",
                tp.partition
            )));
        }
    }
    Ok(())
}

fn refused(wrong: &str) -> Error {
    Error::new(Code::UnknownServerError, wrong)
}
