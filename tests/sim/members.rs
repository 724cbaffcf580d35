//! The checkers of groups: who owns what, who handled what, and whether a group comes to rest.

use std::collections::BTreeSet;

use headwater::base::{Map, Offset, TopicPartition};
use headwater::client::consumer::Records;
use headwater::group::{CommitForAnother, GroupRow, MemberState, Partitions, Spec};
use headwater::log::{Store, Write};
use headwater::node::AnyOp;

use super::app::PLAIN;
use super::consume::Reader;
use super::page::PageId;
use super::storage::put_in;
use super::world::World;

/// A reader: its page, and its place there.
pub type ReaderId = (PageId, usize);

/// Enough of a member's id to tell it from the others.
fn short(id: &str) -> &str {
    &id[id.len().saturating_sub(6)..]
}

/// What an assignor of the application answers: all to the first who takes it.
pub fn assignment(spec: &Spec) -> Map<String, Partitions> {
    let mut assignment: Vec<(String, Partitions)> =
        spec.members.iter().map(|member| (member.id.clone(), Partitions::new())).collect();
    for (topic, (_, count)) in spec.topics.iter() {
        let taker = spec.members.iter().position(|member| member.topics.contains(topic));
        for partition in 0..*count {
            if let Some(taker) = taker {
                assignment[taker].1.insert(TopicPartition { topic: *topic, partition });
            }
        }
    }
    assignment.into_iter().collect()
}

impl World {
    /// The rows of groups that these writes change.
    pub fn groups_written(&mut self, origin: usize, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Delete(Store::Groups, key) => {
                    self.origins[origin].groups.remove(&String::from_utf8_lossy(key).into_owned());
                }
                _ => {
                    if let Some((key, value)) = put_in(Store::Groups, write) {
                        let name = String::from_utf8_lossy(key).into_owned();
                        let row = GroupRow::decode(value).expect("a group's row");
                        self.group_written(origin, name, row);
                    }
                }
            }
        }
    }

    fn group_written(&mut self, origin: usize, name: String, row: GroupRow) {
        let (epoch, state) = (row.coordinator_epoch, &row.state);
        self.note(&[10, origin as u64, epoch as u64, state.epoch as u64, state.target_epoch as u64]);
        self.say(|| {
            let member = |(id, member): (&String, &headwater::group::GroupMember)| {
                let numbers =
                    |partitions: &Partitions| partitions.iter().map(|tp| tp.partition).collect::<Vec<_>>();
                let current = &member.current;
                let (has, gives) = (numbers(&current.assigned), numbers(&current.pending_revocation));
                format!("{}@{} {has:?}-{gives:?} {:?}", short(id), current.epoch, current.state)
            };
            let members: Vec<String> = state.members.iter().map(member).collect();
            format!("{name} by {} at {epoch}: {}/{} {members:?}", row.node, state.epoch, state.target_epoch)
        });
        let mut wrong = Vec::new();
        if let Some(before) = self.origins[origin].groups.get(&name) {
            if epoch < before.coordinator_epoch {
                wrong.push(format!(
                    "deposed: {name} was written at {epoch} after {}",
                    before.coordinator_epoch
                ));
            }
            if epoch == before.coordinator_epoch && row.node != before.node {
                wrong.push(format!("coordinators: {name} has two of epoch {epoch}"));
            }
            if state.epoch < before.state.epoch {
                wrong.push(format!("back: {name} is at epoch {} after {}", state.epoch, before.state.epoch));
            }
        }
        let mut owned = BTreeSet::new();
        for member in state.members.values() {
            for tp in member.current.assigned.iter().chain(member.current.pending_revocation.iter()) {
                if !owned.insert(tp) {
                    wrong.push(format!("owners: {name} gives {tp:?} to two members"));
                }
            }
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
        self.origins[origin].groups.insert(name, row);
    }

    /// Records come in order, none is left out, and they are what was appended there.
    pub fn check_read(&mut self, page: PageId, index: usize, records: &Records, handed: &[(Offset, String)]) {
        let (origin, tp) = (self.pages[page].origin, records.tp);
        self.check_end(page, index, tp, records.end);
        let end = handed.last().map_or(records.from, |(last, _)| last + 1);
        let next = self.pages[page].app.readers[index].goes_on(tp, end).unwrap_or(records.from);
        let mut wrong = Vec::new();
        if handed.first().is_some_and(|(first, _)| *first < next) {
            wrong.push(format!("again: page {page} was handed {:?} after {next}", handed.first()));
        }
        if let Some(part) = self.origins[origin].shadow.partitions.get(&tp) {
            let missing = part.between(next, end).find(|record| !handed.contains(record));
            if let Some(record) = missing {
                wrong.push(format!("skipped: page {page} was not handed {record:?} of {tp:?}"));
            }
            let unheard = |(offset, name): &&(Offset, String)| {
                part.at(*offset).is_none() && !self.broker.places.contains_key(name)
            };
            if let Some(record) = handed.iter().find(unheard) {
                wrong.push(format!("made up: page {page} was handed {record:?} of {tp:?}"));
            }
            let other =
                handed.iter().find(|(offset, name)| part.at(*offset).is_some_and(|there| there != name));
            if let Some(record) = other {
                wrong.push(format!("wrong: page {page} was handed {record:?} of {tp:?}"));
            }
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }

    /// A handler has handled these.
    pub fn check_handled(
        &mut self,
        page: PageId,
        index: usize,
        tp: TopicPartition,
        records: &[(Offset, String)],
    ) {
        let (origin, group) = (self.pages[page].origin, self.pages[page].app.readers[index].group);
        self.say(|| {
            format!("page {page} reader {index} of {group} has handled {}/{records:?}", tp.partition)
        });
        for (_, name) in records {
            self.counts.consumed += 1;
            let by = self.handled.entry((origin, group.to_string(), name.clone())).or_default();
            if let Some(before) = by.last() {
                self.repeated.push((name.clone(), *before, (page, index)));
            }
            by.push((page, index));
        }
    }

    /// What was handled twice was so for a reason: somebody died or was frozen in mid-handler, or heard too late that
    /// another had taken over.
    pub fn check_repeated(&mut self) {
        let excused = |id: &ReaderId| {
            let page = &self.pages[id.0];
            !page.alive() || page.app.readers[id.1].disturbed
        };
        // Whose first attempt was deleted before the retry looked for it comes as another record.
        let again = |name: &String| self.broker.excused.contains(name);
        let calm = self
            .repeated
            .iter()
            .filter(|(name, before, after)| !again(name) && !excused(before) && !excused(after));
        let wrong = calm.map(|(name, before, after)| format!("repeated: {name} by {before:?} and {after:?}"));
        let wrong: Vec<String> = wrong.collect();
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }

    /// The page of the member that commits.
    pub fn committing_page(&self, op: &AnyOp) -> Option<PageId> {
        let (AnyOp::CommitOffsets(commit) | AnyOp::CommitForAnother(CommitForAnother(commit))) = op else {
            return None;
        };
        let (member, _) = commit.member.as_ref()?;
        self.pages
            .iter()
            .position(|page| page.app.readers.iter().any(|reader| reader.members.contains(member)))
    }

    /// What a member commits, its page has handled.
    pub fn check_commit(
        &mut self,
        origin: usize,
        page: PageId,
        group: &str,
        tp: TopicPartition,
        from: Offset,
        to: Offset,
    ) {
        let Some(part) = self.origins[origin].shadow.partitions.get(&tp) else { return };
        let handled = |name: &String| {
            let by = self.handled.get(&(origin, group.to_string(), name.clone()));
            by.is_some_and(|by| by.iter().any(|(by, _)| *by == page))
        };
        let other = part.between(from, to).find(|(_, name)| !handled(name)).cloned();
        if let Some((_, name)) = other {
            self.violated(format!(
                "passed: page {page} of {group} committed {to} of {tp:?}, and has not handled {name}"
            ));
        }
    }

    fn readers(&self, origin: usize, group: &str) -> Vec<&Reader> {
        let pages = self.pages.iter().filter(|page| page.origin == origin && page.alive());
        let readers = pages.flat_map(|page| &page.app.readers);
        readers.filter(|reader| reader.group == group && !reader.left()).collect()
    }

    /// Why a group is not at rest.
    pub fn unstable(&self, origin: usize, group: &str) -> Option<String> {
        let readers = self.readers(origin, group);
        if readers.is_empty() {
            return None;
        }
        let Some(row) = self.origins[origin].groups.get(group) else {
            return Some(format!("{group} has no row"));
        };
        let state = &row.state;
        let rests = |member: &headwater::group::GroupMember| {
            member.current.state == MemberState::Stable && member.current.epoch == state.target_epoch
        };
        if state.epoch != state.target_epoch || !state.members.values().all(rests) {
            return Some(format!("{group} does not come to rest"));
        }
        let numbers = |partitions: &Partitions| partitions.iter().map(|tp| tp.partition).collect::<Vec<_>>();
        let has = state.members.iter().map(|(id, member)| (short(id), numbers(&member.current.assigned)));
        let believes = readers.iter().map(|reader| (short(&reader.member), reader.assigned.clone()));
        let (mut has, mut believes): (Vec<_>, Vec<_>) = (has.collect(), believes.collect());
        has.sort();
        believes.sort();
        if has != believes {
            return Some(format!("{group}: the coordinator says {has:?}, the readers say {believes:?}"));
        }
        let count = self.topic(origin, PLAIN).map_or(0, |row| row.partitions);
        let all: BTreeSet<i32> = has.into_iter().flat_map(|(_, partitions)| partitions).collect();
        (all.len() as i32 != count).then(|| format!("{group} has {all:?} of {count} partitions"))
    }

    /// What a group has not handled, or not committed.
    pub fn lagging(&self, origin: usize, group: &str) -> Option<String> {
        if self.readers(origin, group).is_empty() {
            return None;
        }
        let row = self.topic(origin, PLAIN)?;
        let shadow = &self.origins[origin].shadow;
        row.topic_partitions().find_map(|tp| {
            let part = shadow.partitions.get(&tp)?;
            let unhandled = part
                .records()
                .find(|(_, name)| !self.handled.contains_key(&(origin, group.to_string(), name.clone())));
            if let Some(record) = unhandled {
                return Some(format!("{group} has not handled {record:?} of {tp:?} in {origin}"));
            }
            let (last, _) = part.records().last()?;
            let committed = shadow.offsets.get(&(group.to_string(), tp)).copied().unwrap_or(0);
            (committed <= *last)
                .then(|| format!("{group} has committed {committed} of {tp:?}, which has {last}"))
        })
    }
}

impl Reader {
    /// Where it went on in this partition until now; from now on it is at `end`.
    fn goes_on(&mut self, tp: TopicPartition, end: Offset) -> Option<Offset> {
        let before = self.next.iter().find(|(each, _)| *each == tp).map(|(_, next)| *next);
        self.next.retain(|(each, _)| *each != tp);
        self.next.push((tp, end));
        before
    }

    /// It is out of its group, or on its way out.
    fn left(&self) -> bool {
        self.leaving
    }
}
