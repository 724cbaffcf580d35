//! The locks of members, which tell their coordinator of their end.

use std::rc::Rc;

use super::super::Node;
use super::message::{Signal, Term};
use super::office::{Office, locked};
use super::{Purpose, member_lock};

impl Node {
    /// The lock of a member was free: it died without a word.
    pub(super) fn member_gone(&mut self, name: &str, member: &str) {
        let Some(office) = self.office(name) else { return };
        let watch = office.watches.remove(member);
        office.forget_held(member);
        if office.machine.is_none() {
            office.gone.push(member.to_string());
        }
        self.release(watch);
        // The members are asked before that is stored, and those of this node are heard: one write has it all.
        if self.end_member(name, member)
            && self.office(name).is_some_and(|office| office.writing_since.is_none())
        {
            self.tell_all(name);
        }
        self.attend_soon(name);
    }

    /// True where the group had the member.
    pub(super) fn end_member(&mut self, name: &str, member: &str) -> bool {
        let Some(office) = self.office(name) else { return false };
        let records = office.machine.as_mut().map(|machine| machine.gone(member, &office.topics));
        let had = records.is_some_and(|records| !records.is_empty());
        office.changed(had);
        had
    }

    /// Asks every member for a heartbeat: each has to reach the next epoch.
    fn tell_all(&mut self, name: &str) {
        let Some(office) = self.office(name) else { return };
        office.asked = true;
        let members = office.present_members();
        self.signal(name, Signal::News, members);
    }

    /// Queues for the lock of every member that is there and hosted elsewhere: it is free when the member is gone.
    pub(super) fn watch_members(&mut self, name: &str) {
        if !self.groups.locks {
            return;
        }
        let Some(office) = self.office(name) else { return };
        let Some(state) = office.machine.as_ref().map(|machine| Rc::clone(machine.state())) else { return };
        let mut gone = Vec::new();
        office.watches.retain(|member, lock| {
            let stays = state.members.get(member).is_some_and(locked);
            if !stays {
                gone.push(*lock);
            }
            stays
        });
        let unwatched = |member: &&String| !office.watches.contains_key(*member);
        let members = state.members.iter().filter(|(_, member)| locked(member)).map(|(member, _)| member);
        let mut new: Vec<String> = members.filter(unwatched).cloned().collect();
        new.retain(|member| self.groups.hosts(name, member).is_none());
        gone.into_iter().for_each(|lock| self.release(Some(lock)));
        new.into_iter().for_each(|member| self.watch(name, member));
    }

    pub(super) fn watch(&mut self, name: &str, member: String) {
        let purpose = Purpose::Watch(name.to_string(), member.clone());
        let lock = self.acquire(member_lock(name, &member), purpose);
        if let Some(office) = self.office(name) {
            office.watches.insert(member, lock);
        }
    }

    /// The members that this node hosts whose locks tell when it dies.
    pub(super) fn mates(&mut self, name: &str) -> Vec<String> {
        let state = self.office(name).and_then(|office| Some(Rc::clone(office.machine.as_ref()?.state())));
        let Some(state) = state else { return Vec::new() };
        let members = state.members.iter().filter(|(_, member)| locked(member)).map(|(id, _)| id);
        members.filter(|id| self.groups.hosts(name, id).is_some()).cloned().collect()
    }

    /// What the coordinator says of its own members.
    pub(super) fn learn_mates(&mut self, term: &Term, members: Vec<String>) {
        let here = self.groups.node == term.node;
        if let Some(group) = self.groups.groups.get_mut(&term.group)
            && group.term.as_ref() == Some(term)
            && !here
        {
            group.mates = members;
        }
    }

    pub(super) fn close_office(&mut self, office: Option<Office>) {
        let Some(office) = office else { return };
        for (_, lock) in office.watches.into_entries() {
            self.release(Some(lock));
        }
    }
}
