use core::ops::Range;

use super::Spec;
use super::order::order;
use crate::base::{Map, TopicPartition};
use crate::group::Partitions;

const NOBODY: usize = usize::MAX;

/// Kafka's uniform: everyone gets as much as everyone else, as far as subscriptions let them, and keeps of what it had
/// as much as that allows. Where Kafka moves a partition for nothing, this gives it back.
pub fn assign(spec: &Spec) -> Vec<Partitions> {
    let mut table = Table::new(spec);
    for topic in 0..table.topics.len() {
        table.fill(topic);
    }
    loop {
        while (0..table.topics.len()).fold(false, |moved, topic| table.balance(topic) | moved) {}
        if !table.restore() {
            break;
        }
    }
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

/// A topic: where its partitions are, who subscribes, and how many of them each member has.
struct Topic {
    seats: Range<usize>,
    subscribers: Vec<usize>,
    counts: Vec<usize>,
}

/// All partitions, and how many each member has.
struct Table {
    seats: Vec<Seat>,
    topics: Vec<Topic>,
    loads: Vec<usize>,
}

/// A member of which partitions of one topic can be taken, the last first.
struct Giver {
    member: usize,
    seats: Vec<usize>,
}

/// Partitions that are not where they were.
struct Strays {
    /// Those whose last owner is there still, in order.
    away: Vec<usize>,
    /// What each member has that was not its own, in order.
    guests: Vec<Vec<usize>>,
}

impl Table {
    /// Everyone has what it had and still subscribes to. The topics with the most partitions a subscriber come first, and
    /// of those that are alike the ones with the fewest subscribers: they leave the least choice.
    fn new(spec: &Spec) -> Self {
        let members = spec.members.len();
        let mut table = Self { seats: Vec::new(), topics: Vec::new(), loads: vec![0; members] };
        let whole = |topic: &_| TopicPartition { topic: *topic, partition: 0 };
        let wanted: Vec<Partitions> =
            spec.members.iter().map(|member| member.topics.iter().map(whole).collect()).collect();
        let topics: Vec<_> = spec.topics.iter().map(|(id, (_, count))| (*id, *count)).collect();
        let subscribers = topics.iter().map(|(id, _)| {
            let tp = whole(id);
            (0..members).filter(|member| wanted[*member].contains(tp)).collect::<Vec<usize>>()
        });
        let subscribers: Vec<_> = subscribers.collect();
        let ordered = order(topics.len(), |a, b| {
            let (count_a, count_b) = (topics[a].1 as usize, topics[b].1 as usize);
            let (a, b) = (subscribers[a].len(), subscribers[b].len());
            (count_b * a).cmp(&(count_a * b)).then(a.cmp(&b))
        });
        let mut places = Map::new();
        for (topic, index) in ordered.into_iter().enumerate() {
            let (id, count) = topics[index];
            let first = table.seats.len();
            let seat = |partition| {
                let tp = TopicPartition { topic: id, partition };
                Seat { tp, topic, owner: NOBODY, home: NOBODY }
            };
            table.seats.extend((0..count).map(seat));
            let (seats, subscribers) = (first..table.seats.len(), subscribers[index].clone());
            table.topics.push(Topic { seats, subscribers, counts: vec![0; members] });
            places.insert(id, topic);
        }
        for (member, has) in spec.members.iter().enumerate() {
            for tp in has.previous.iter() {
                let Some(topic) = places.get(&tp.topic).map(|place| &table.topics[*place]) else { continue };
                let seat = topic.seats.start.wrapping_add(tp.partition as usize);
                let has = topic.seats.contains(&seat) && topic.subscribers.binary_search(&member).is_ok();
                if has && table.seats[seat].home == NOBODY {
                    table.seats[seat].home = member;
                    table.give(seat, member);
                }
            }
        }
        table
    }

    fn give(&mut self, seat: usize, to: usize) {
        let Seat { topic, owner, .. } = &mut self.seats[seat];
        let counts = &mut self.topics[*topic].counts;
        let from = core::mem::replace(owner, to);
        if let (Some(load), Some(count)) = (self.loads.get_mut(from), counts.get_mut(from)) {
            (*load, *count) = (*load - 1, *count - 1);
        }
        if let (Some(load), Some(count)) = (self.loads.get_mut(to), counts.get_mut(to)) {
            (*load, *count) = (*load + 1, *count + 1);
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

    /// Who has the least. Those who got something since they were ranked were the first, and have one more each than the
    /// next, at whom `turn` is; when nobody is left who has less than the first, it is the first one's turn again.
    fn least(&self, ranked: &[usize], turn: &mut usize) -> usize {
        let first = ranked.first().copied().unwrap_or(NOBODY);
        match ranked.get(*turn) {
            Some(next) if self.loads[*next] < self.loads[first] => *next,
            _ => {
                *turn = 0;
                first
            }
        }
    }

    /// Gives what nobody has to who has the least.
    fn fill(&mut self, topic: usize) {
        let (ranked, mut turn) = (self.ranked(topic), 0);
        for seat in self.topics[topic].seats.clone() {
            if self.seats[seat].owner == NOBODY {
                self.give(seat, self.least(&ranked, &mut turn));
                turn += 1;
            }
        }
    }

    /// True if somebody has two more than another one that could have one of them.
    fn is_uneven(&self, topic: usize) -> bool {
        let Topic { subscribers, counts, .. } = &self.topics[topic];
        let loads = || subscribers.iter().map(|member| self.loads[*member]);
        let owners = subscribers.iter().filter(|member| counts[**member] > 0);
        let most = owners.map(|member| self.loads[*member]).max().unwrap_or(0);
        loads().min().is_some_and(|least| most > least + 1)
    }

    /// Moves partitions of a topic from who has the most, of those the last in rank, to who has the least; false where none
    /// had to. Nobody that got one has ever one to give.
    fn balance(&mut self, topic: usize) -> bool {
        if !self.is_uneven(topic) {
            return false;
        }
        let (ranked, mut turn) = (self.ranked(topic), 0);
        let mut givers = self.givers(topic, &ranked);
        // In each round those of one load give one each, from the last on.
        let (mut next, mut load) = (0, 0);
        loop {
            if next == 0 || self.loads[givers[next - 1].member] < load {
                while givers.pop_if(|giver| giver.seats.is_empty()).is_some() {}
                let Some(last) = givers.last() else { return true };
                (next, load) = (givers.len(), self.loads[last.member]);
            }
            next -= 1;
            let giver = &mut givers[next];
            let least = self.least(&ranked, &mut turn);
            if giver.seats.is_empty() {
                givers.remove(next);
            } else if self.loads[giver.member] <= self.loads[least] + 1 {
                return true;
            } else if let Some(seat) = giver.seats.pop() {
                self.give(seat, least);
                turn += 1;
            }
        }
    }

    /// Who has partitions of the topic, in the order of `ranked`, and which.
    fn givers(&self, topic: usize, ranked: &[usize]) -> Vec<Giver> {
        let Topic { seats, counts, .. } = &self.topics[topic];
        let mut places = vec![NOBODY; self.loads.len()];
        let mut givers: Vec<Giver> = Vec::new();
        for member in ranked.iter().copied().filter(|member| counts[*member] > 0) {
            places[member] = givers.len();
            givers.push(Giver { member, seats: Vec::new() });
        }
        for seat in seats.clone() {
            let place = places.get(self.seats[seat].owner).copied();
            if let Some(giver) = place.and_then(|place| givers.get_mut(place)) {
                giver.seats.push(seat);
            }
        }
        givers
    }

    /// Gives partitions back to who had them, the first first, where that is as level: for another one, or to who has one
    /// less. True where it has made a topic uneven, and there may be more to be given back after that.
    fn restore(&mut self) -> bool {
        let mut strays = self.strays();
        while let Some((index, other)) = self.returns(&strays) {
            let Seat { owner, home, .. } = self.seats[index];
            strays.move_guest(index, Some(owner), None);
            if let Some(other) = other {
                let stays = Some(owner).filter(|owner| self.seats[other].home != *owner);
                strays.move_guest(other, Some(home), stays);
                self.give(other, owner);
            }
            self.give(index, home);
            let away = |index: &usize| self.seats[*index].owner != self.seats[*index].home;
            strays.away.retain(away);
            if (0..self.topics.len()).any(|topic| self.is_uneven(topic)) {
                return true;
            }
        }
        false
    }

    fn strays(&self) -> Strays {
        let mut strays = Strays { away: Vec::new(), guests: vec![Vec::new(); self.loads.len()] };
        for (index, seat) in self.seats.iter().enumerate().filter(|(_, seat)| seat.owner != seat.home) {
            if seat.home != NOBODY {
                strays.away.push(index);
            }
            if let Some(guests) = strays.guests.get_mut(seat.owner) {
                guests.push(index);
            }
        }
        strays
    }

    /// The first partition that can go back to who had it, and what its owner gets for it, if it has to get something.
    fn returns(&self, strays: &Strays) -> Option<(usize, Option<usize>)> {
        strays.away.iter().find_map(|index| {
            let Seat { owner, home, .. } = self.seats[*index];
            if self.loads[owner] > self.loads[home] {
                return Some((*index, None));
            }
            let takes = |guest: &&usize| {
                let topic = &self.topics[self.seats[**guest].topic];
                topic.subscribers.binary_search(&owner).is_ok()
            };
            strays.guests[home].iter().find(takes).map(|other| (*index, Some(*other)))
        })
    }
}

impl Strays {
    fn move_guest(&mut self, seat: usize, from: Option<usize>, to: Option<usize>) {
        if let Some(from) = from.and_then(|from| self.guests.get_mut(from))
            && let Ok(place) = from.binary_search(&seat)
        {
            from.remove(place);
        }
        if let Some(to) = to.and_then(|to| self.guests.get_mut(to))
            && let Err(place) = to.binary_search(&seat)
        {
            to.insert(place, seat);
        }
    }
}
