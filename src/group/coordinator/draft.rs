use std::rc::Rc;

use crate::base::Map;
use crate::group::{
    CurrentAssignment, GroupState, MemberMetadata, Metadata, Partitions, Record, STATIC_LEAVE_EPOCH,
};

/// A group as a decision would leave it. It is copied at the first record, and forgotten where the decision fails.
pub struct Draft {
    pub state: Rc<GroupState>,
    pub records: Vec<Record>,
}

impl Draft {
    pub fn new(state: &Rc<GroupState>) -> Self {
        Self { state: Rc::clone(state), records: Vec::new() }
    }

    pub fn write(&mut self, record: Record) {
        self.records.push(record.clone());
        Rc::make_mut(&mut self.state).replay(record);
    }

    /// The group epoch grows: a new target is due.
    pub fn bump(&mut self) {
        self.write(Record::Epoch(self.state.epoch + 1));
    }

    /// The member goes. In this order a reader that stops in between never sees an owner that is no member.
    pub fn remove(&mut self, id: &str) {
        self.write(Record::Current(id.to_owned(), None));
        self.write(Record::Target(id.to_owned(), None));
        self.write(Record::Member(id.to_owned(), None));
    }

    /// The static member goes for a while: it keeps what it has.
    pub fn suspend(&mut self, id: &str) {
        let Some(member) = self.state.members.get(id) else { return };
        let current = CurrentAssignment {
            epoch: STATIC_LEAVE_EPOCH,
            pending_revocation: Partitions::new(),
            ..member.current.clone()
        };
        self.write(Record::Current(id.to_owned(), Some(current)));
    }

    /// The static member `old` comes back as `new`, and gets what it had.
    pub fn replace(&mut self, old: &str, new: &str) {
        let Some(member) = self.state.members.get(old).cloned() else { return };
        self.remove(old);
        let current = CurrentAssignment { epoch: 0, previous_epoch: 0, ..member.current };
        self.write(Record::Member(new.to_owned(), Some(member.metadata)));
        self.write(Record::Target(new.to_owned(), Some(member.target.unwrap_or_default())));
        self.write(Record::Current(new.to_owned(), Some(current)));
    }

    /// Takes the ids and partition counts of all subscribed topics; true where they differ from those of before.
    pub fn look_at_topics(&mut self, metadata: &dyn Metadata) -> bool {
        let mut topics = Map::new();
        for name in self.state.members.values().flat_map(|member| &member.metadata.topics) {
            if !topics.contains_key(name)
                && let Some(topic) = metadata.topic(name)
            {
                topics.insert(name.clone(), topic);
            }
        }
        let changed = topics != self.state.topics;
        if changed {
            self.write(Record::Topics(topics));
        }
        changed
    }

    /// Stores what a member says of itself; true where that makes a new target due.
    pub fn update(&mut self, id: &str, metadata: MemberMetadata) -> bool {
        let old = self.state.members.get(id).map(|member| &member.metadata);
        if old == Some(&metadata) {
            return false;
        }
        let due = old.is_none_or(|old| {
            old.topics != metadata.topics || old.client.steps_back() != metadata.client.steps_back()
        });
        self.write(Record::Member(id.to_owned(), Some(metadata)));
        due
    }
}
