//! The checkers. They look at every transaction, every answer and every record that is handled; what is only true when
//! all is quiet is looked at in the end.

use headwater::base::{Offset, TopicPartition};
use headwater::client::forwarder::DeliveryRow;
use headwater::group::GroupRow;
use headwater::log::{Store, Write, partition_key};

use super::app::FORWARDED;
use super::broker::Place;
use super::page::PageId;
use super::plan::Fault;
use super::shadow::Shadow;
use super::world::World;

impl World {
    /// A transaction has written.
    pub fn wrote(&mut self, origin: usize, page: PageId, writes: &[Write]) {
        let before = self.deliveries(origin, writes);
        let place = &mut self.origins[origin];
        let changes = place.shadow.wrote(writes, &place.database.disk, &self.broker.given_up);
        for wrong in changes.wrong {
            self.violated(wrong);
        }
        self.check_bundles(origin, &changes.appended);
        self.check_set_aside(page, writes);
        self.producers_written(origin, writes);
        for (tp, offset, name) in changes.appended {
            self.check_moved(origin, &name);
            self.appended(origin, tp, offset, name);
        }
        for (group, tp, before, offset) in changes.commits {
            self.committed_offset(origin, page, &group, tp, before, offset);
        }
        self.groups_written(origin, writes);
        for (key, before) in before {
            self.delivery_written(origin, &key, before);
            if self.origins[origin].rows.get(&key).is_some_and(|row| row.marker.is_some()) {
                self.stop_who_marks(page);
                self.oust_who_marks(page);
            }
        }
    }

    fn appended(&mut self, origin: usize, tp: TopicPartition, offset: Offset, name: String) {
        self.note(&[3, origin as u64, tp.partition as u64, offset as u64]);
        self.say(|| format!("{name} is appended at {origin}/{tp:?}/{offset}"));
        let place = Place { profile: origin, tp, offset };
        if let Some(before) = self.broker.places.get(&name).copied() {
            self.appended_again(&name, before, tp, offset);
        }
        if let Some(sent) = self.broker.sent.get(&place) {
            self.violated(format!("reused: {name} has the offset of {sent}, which was sent before"));
        }
        self.broker.places.insert(name, place);
    }

    /// A retry after an unknown outcome looks for the first attempt, and finds it unless its records were deleted
    /// meanwhile: then they come again, under the same `hw-id`.
    fn appended_again(&mut self, name: &str, before: Place, tp: TopicPartition, offset: Offset) {
        let start =
            self.origins[before.profile].shadow.partitions.get(&before.tp).map_or(0, |part| part.start);
        let damaged = self.damages.names.contains(name);
        if damaged || before.offset < start && before.tp == tp {
            self.broker.excused.insert(name.to_string());
        } else {
            self.violated(format!("twice: {name} is at {before:?} and at {offset} of {tp:?}"));
        }
    }

    /// A commit covers what was handled, and nothing goes back.
    fn committed_offset(
        &mut self,
        origin: usize,
        page: PageId,
        group: &str,
        tp: TopicPartition,
        before: Option<Offset>,
        offset: Offset,
    ) {
        self.note(&[4, origin as u64, tp.partition as u64, offset as u64]);
        self.say(|| format!("{group} commits {offset} of {origin}/{tp:?}"));
        if before.is_some_and(|before| offset < before) {
            self.violated(format!("back: {group} committed {offset} of {tp:?} after {before:?}"));
        }
        self.check_commit(origin, page, group, tp, before.unwrap_or(0), offset);
    }

    /// The delivery rows that these writes change, as they were before.
    fn deliveries(&self, origin: usize, writes: &[Write]) -> Vec<(Vec<u8>, Option<DeliveryRow>)> {
        let keys = writes.iter().filter_map(|write| super::storage::put_in(Store::Deliveries, write));
        keys.map(|(key, _)| (key.to_vec(), self.origins[origin].rows.get(key).cloned())).collect()
    }

    fn delivery_written(&mut self, origin: usize, key: &[u8], before: Option<DeliveryRow>) {
        let row = self.origins[origin].database.disk.get(Store::Deliveries, &key.to_vec());
        let row = DeliveryRow::decode(row.expect("it was written")).expect("a delivery row");
        self.note(&[5, origin as u64, row.committed as u64, row.epoch as u64, row.uncertain as u64]);
        self.say(|| {
            format!(
                "delivery of {origin}: committed {} marker {:?} epoch {}",
                row.committed, row.marker, row.epoch
            )
        });
        if before.is_some_and(|before| row.committed < before.committed) {
            self.violated(format!("back: committed went to {}", row.committed));
        }
        self.origins[origin].rows.insert(key.to_vec(), row);
    }

    /// The rows of this copy are other ones now: the power failed, or somebody wiped or replaced them. Answers what
    /// was there and is not any more.
    pub fn look_again(&mut self, origin: usize) -> Vec<String> {
        let place = &mut self.origins[origin];
        let now = Shadow::of(&place.database.disk);
        let kept: std::collections::BTreeSet<&str> = now.names().collect();
        let lost: Vec<String> =
            place.shadow.names().filter(|name| !kept.contains(name)).map(str::to_string).collect();
        let rows = place.database.disk.rows(Store::Deliveries, &[]);
        let rows =
            rows.into_iter().map(|(key, row)| (key, DeliveryRow::decode(&row).expect("a delivery row")));
        place.rows = rows.collect();
        let groups = place.database.disk.rows(Store::Groups, &[]);
        let groups = groups.into_iter().map(|(name, row)| {
            (String::from_utf8_lossy(&name).into_owned(), GroupRow::decode(&row).expect("a group's row"))
        });
        place.groups = groups.collect();
        place.shadow = now;
        self.look_at_producers(origin);
        self.unmoved(origin, &lost);
        lost
    }

    /// The power failed: what was acknowledged as strict is there.
    pub fn check_power(&mut self, lost: &[String]) {
        for name in lost {
            match self.acknowledged.get(name) {
                Some(true) => self.violated(format!("lost: {name} was acknowledged as strict")),
                Some(false) => self.counts.lost_relaxed += 1,
                None => {}
            }
        }
    }

    /// What an application was told of the place of a record is so.
    pub fn check_acknowledged(
        &mut self,
        origin: usize,
        name: &str,
        tp: TopicPartition,
        offset: Offset,
        strict: bool,
    ) {
        let place = Place { profile: origin, tp, offset };
        match self.broker.places.get(name) {
            Some(at) if *at == place => {}
            at => self.violated(format!("untrue: {name} was acknowledged at {place:?}, and is at {at:?}")),
        }
        self.counts.acknowledged += 1;
        self.acknowledged.insert(name.to_string(), strict);
    }

    /// What is left to be done before all is quiet.
    pub fn undelivered(&self) -> Option<String> {
        for (index, origin) in self.origins.iter().enumerate().filter(|(_, origin)| origin.used) {
            let forwarded = self.topic(index, FORWARDED);
            let parts = forwarded.iter().flat_map(|row| row.topic_partitions());
            for tp in parts {
                let end = origin.shadow.partitions.get(&tp).map_or(0, |part| part.end);
                let committed = origin.rows.get(&partition_key(tp)).map_or(0, |row| row.committed);
                if committed < end {
                    return Some(format!("{tp:?} of {index} is delivered up to {committed} of {end}"));
                }
            }
        }
        None
    }

    /// A group that is not at rest, or has something left to read.
    pub fn groups_behind(&self) -> Option<String> {
        let used = (0..self.origins.len()).filter(|origin| self.origins[*origin].used);
        used.into_iter().find_map(|origin| self.behind(origin))
    }

    /// What lies before `committed` was delivered, unless it is kept apart; what was acknowledged is there.
    pub fn check_in_the_end(&mut self) {
        self.check_repeated();
        self.check_moved_in_the_end();
        self.check_damage_in_the_end();
        let mut wrong = Vec::new();
        for origin in &self.origins {
            for (tp, part) in &origin.shadow.partitions {
                let committed = origin.rows.get(&partition_key(*tp)).map_or(0, |row| row.committed);
                for (_, name) in part.between(0, committed) {
                    if !self.broker.ever.contains(name) && !self.broker.dead.contains(name) {
                        wrong.push(format!("lost: {name} was settled and never delivered"));
                    }
                }
            }
            if origin.shadow.names().ne(Shadow::of(&origin.database.disk).names()) {
                wrong.push("lost: the log does not hold what was written to it".into());
            }
        }
        let uncertain = self.plan.scenario.may_be_uncertain() || self.plan.has(Fault::Corrupt);
        if !uncertain && self.broker.uncertain > 0 {
            wrong.push(format!("uncertain: {} records, and nothing was taken away", self.broker.uncertain));
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }
}
