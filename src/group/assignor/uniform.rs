use super::Spec;
use crate::base::{TopicId, TopicPartition};
use crate::group::Partitions;

const NOBODY: usize = usize::MAX;

/// Kafka's uniform: everyone gets as much as everyone else, as far as subscriptions let them, and keeps of what it had
/// as much as that allows.
pub fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut table = Table::new(spec);
    table.fill();
    while table.balance() || table.restore() {}
    let mut shares = vec![Partitions::new(); spec.members.len()];
    for seat in table.seats.iter().filter(|seat| seat.owner != NOBODY) {
        shares[seat.owner].insert(seat.tp);
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

/// All partitions, and how many each member has.
struct Table {
    seats: Vec<Seat>,
    subscribers: Vec<Vec<usize>>,
    loads: Vec<usize>,
}

impl Table {
    /// Everyone has what it had and still subscribes to.
    fn new(spec: &Spec) -> Self {
        let mut table =
            Self { seats: Vec::new(), subscribers: Vec::new(), loads: vec![0; spec.members.len()] };
        let topics: Vec<(&TopicId, &(String, i32))> = spec.topics.iter().collect();
        for (id, (_, count)) in topics {
            let topic = table.subscribers.len();
            let subscribes = |member: &usize| spec.members[*member].topics.contains(id);
            let subscribers: Vec<usize> = (0..spec.members.len()).filter(subscribes).collect();
            for partition in 0..*count {
                let tp = TopicPartition { topic: *id, partition };
                let had = |member: &&usize| spec.members[**member].previous.contains(tp);
                let home = subscribers.iter().find(had).copied().unwrap_or(NOBODY);
                table.seats.push(Seat { tp, topic, owner: NOBODY, home });
                table.give(table.seats.len() - 1, home);
            }
            table.subscribers.push(subscribers);
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

    /// The subscriber with the least to do.
    fn least(&self, topic: usize) -> usize {
        let subscribers = self.subscribers[topic].iter().copied();
        subscribers.min_by_key(|member| self.loads[*member]).unwrap_or(NOBODY)
    }

    fn fill(&mut self) {
        for index in 0..self.seats.len() {
            if self.seats[index].owner == NOBODY {
                self.give(index, self.least(self.seats[index].topic));
            }
        }
    }

    /// Makes the one move that levels most; false where none levels anything.
    fn balance(&mut self) -> bool {
        let least: Vec<usize> = (0..self.subscribers.len()).map(|topic| self.least(topic)).collect();
        let gain = |seat: &Seat| {
            let (from, to) = (self.loads.get(seat.owner)?, self.loads.get(least[seat.topic])?);
            let gap = from.checked_sub(*to).filter(|gap| *gap > 1)?;
            Some((gap, seat.home == least[seat.topic], seat.home != seat.owner))
        };
        let gains = self.seats.iter().enumerate().filter_map(|(index, seat)| Some((gain(seat)?, index)));
        let Some((_, index)) = gains.max() else { return false };
        self.give(index, least[self.seats[index].topic]);
        true
    }

    /// Gives one partition back to who had it, where that levels as well: by a swap, or to who has one less.
    fn restore(&mut self) -> bool {
        for index in 0..self.seats.len() {
            let Seat { owner, home, .. } = self.seats[index];
            if home == NOBODY || owner == home {
                continue;
            }
            if self.loads[owner] <= self.loads[home] {
                let other = self.seats.iter().position(|seat| {
                    let takes = self.subscribers[seat.topic].contains(&owner);
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
