use core::ops::Range;

use super::Spec;
use super::order::order;
use crate::base::{TopicId, TopicPartition};
use crate::group::Partitions;

const NOBODY: usize = usize::MAX;

/// Kafka's uniform: everyone gets as much as everyone else, as far as subscriptions let them, and keeps of what it had
/// as much as that allows. Where Kafka moves a partition for nothing, this gives it back.
pub fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut table = Table::new(spec);
    for topic in 0..table.topics.len() {
        table.fill(topic);
    }
    while table.balance() || table.restore() {}
    let mut shares = vec![Partitions::new(); spec.members.len()];
    for seat in &table.seats {
        if let Some(share) = shares.get_mut(seat.owner) {
            share.insert(seat.tp);
        }
    }
    shares
}

/// A partition, who has it, and who had it.
struct Seat {
    tp: TopicPartition,
    topic: usize,
    owner: usize,
    home: usize,
}

/// A topic: where its partitions are, and who subscribes.
struct Topic {
    seats: Range<usize>,
    subscribers: Vec<usize>,
}

/// All partitions, and how many each member has.
struct Table {
    seats: Vec<Seat>,
    topics: Vec<Topic>,
    loads: Vec<usize>,
}

impl Table {
    /// Everyone has what it had and still subscribes to. The topics with the most partitions a subscriber come first, and
    /// of those that are alike the ones with the fewest subscribers: they leave the least choice.
    fn new(spec: &Spec) -> Self {
        let mut table = Self { seats: Vec::new(), topics: Vec::new(), loads: vec![0; spec.members.len()] };
        let subscribers = |(id, (_, count)): (&TopicId, &(String, i32))| {
            let subscribes = |member: &usize| spec.members[*member].topics.contains(id);
            (*id, *count, (0..spec.members.len()).filter(subscribes).collect::<Vec<usize>>())
        };
        let topics: Vec<_> = spec.topics.iter().map(subscribers).collect();
        let ordered = order(topics.len(), |a, b| {
            let ((_, count_a, a), (_, count_b, b)) = (&topics[a], &topics[b]);
            let (share_a, share_b) = (*count_a as usize * b.len(), *count_b as usize * a.len());
            share_b.cmp(&share_a).then(a.len().cmp(&b.len()))
        });
        for index in ordered {
            let (id, count, subscribers) = &topics[index];
            let first = table.seats.len();
            for partition in 0..*count {
                let tp = TopicPartition { topic: *id, partition };
                let had = |member: &&usize| spec.members[**member].previous.contains(tp);
                let home = subscribers.iter().find(had).copied().unwrap_or(NOBODY);
                let topic = table.topics.len();
                table.seats.push(Seat { tp, topic, owner: NOBODY, home });
                table.give(table.seats.len() - 1, home);
            }
            let (seats, subscribers) = (first..table.seats.len(), subscribers.clone());
            table.topics.push(Topic { seats, subscribers });
        }
        table
    }

    fn give(&mut self, seat: usize, to: usize) {
        let from = core::mem::replace(&mut self.seats[seat].owner, to);
        if let Some(load) = self.loads.get_mut(from) {
            *load -= 1;
        }
        if let Some(load) = self.loads.get_mut(to) {
            *load += 1;
        }
    }

    /// The subscribers with the least to do first. Among equals this order decides for as long as a topic is worked on.
    fn ranked(&self, topic: usize) -> Vec<usize> {
        let subscribers = &self.topics[topic].subscribers;
        let load = |index: usize| self.loads[subscribers[index]];
        order(subscribers.len(), |a, b| load(a).cmp(&load(b)))
            .into_iter()
            .map(|index| subscribers[index])
            .collect()
    }

    fn least(&self, ranked: &[usize]) -> usize {
        ranked.iter().copied().min_by_key(|member| self.loads[*member]).unwrap_or(NOBODY)
    }

    /// Gives what nobody has to who has the least.
    fn fill(&mut self, topic: usize) {
        let ranked = self.ranked(topic);
        for seat in self.topics[topic].seats.clone() {
            if self.seats[seat].owner == NOBODY {
                self.give(seat, self.least(&ranked));
            }
        }
    }

    /// Moves partitions from who has the most to who has the least, topic by topic; false where none had to.
    fn balance(&mut self) -> bool {
        let mut moved = false;
        for topic in 0..self.topics.len() {
            let ranked = self.ranked(topic);
            let seats = self.topics[topic].seats.clone();
            loop {
                let most = ranked
                    .iter()
                    .copied()
                    .filter(|member| self.seats[seats.clone()].iter().any(|seat| seat.owner == *member));
                let (most, least) = (most.max_by_key(|member| self.loads[*member]), self.least(&ranked));
                let Some(most) = most.filter(|most| self.loads[*most] > self.loads[least] + 1) else { break };
                let last = seats.clone().rev().find(|seat| self.seats[*seat].owner == most);
                last.into_iter().for_each(|seat| self.give(seat, least));
                moved = true;
            }
        }
        moved
    }

    /// Gives one partition back to who had it, where that is as level: for another one, or to who has one less.
    fn restore(&mut self) -> bool {
        for index in 0..self.seats.len() {
            let Seat { owner, home, .. } = self.seats[index];
            if home == NOBODY || owner == home {
                continue;
            }
            if self.loads[owner] <= self.loads[home] {
                let other = self.seats.iter().position(|seat| {
                    let takes = self.topics[seat.topic].subscribers.contains(&owner);
                    seat.owner == home && seat.home != home && takes
                });
                let Some(other) = other else { continue };
                self.give(other, owner);
            }
            self.give(index, home);
            return true;
        }
        false
    }
}
