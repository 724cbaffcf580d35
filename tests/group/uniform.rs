//! The uniform assignor by the plainest means: each step looks at everything. The real one has to come to the same.

use std::cmp::Ordering;
use std::ops::Range;

use headwater::base::{Random, TopicId, TopicPartition};
use headwater::group::assignor::built_in;
use headwater::group::{Client, Partitions, Spec, SpecMember};

const NOBODY: usize = usize::MAX;

fn order(count: usize, mut compare: impl FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut ordered: Vec<usize> = (0..count).collect();
    ordered.sort_by(|a, b| compare(*a, *b));
    ordered
}

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

/// A group made of chance: members subscribe to some topics, and say that they had partitions of which some are not
/// theirs any more, are another's too, or never were.
fn random_spec(random: &mut Random, size: u64) -> Spec {
    let mut below = |limit: u64| random.below(limit) as usize;
    let (topics, members) = (1 + below(size), below(2 * size));
    let topics: Vec<(TopicId, i32)> =
        (0..topics).map(|id| (TopicId([id as u8; 16]), below(3 * size) as i32)).collect();
    // In some groups everybody wants everything, in some hardly anybody does.
    let (wants, had, twice) = (1 + below(4), below(5), below(3) == 0);
    let mut specs: Vec<SpecMember> = (0..members)
        .map(|id| SpecMember {
            id: format!("m{id}"),
            instance: None,
            topics: topics.iter().filter(|_| below(4) < wants).map(|(id, _)| *id).collect(),
            previous: Partitions::new(),
            client: Client::default(),
        })
        .collect();
    for (topic, count) in &topics {
        for partition in -1..count + 2 {
            for _ in 0..1 + usize::from(twice) {
                let (luck, member) = (below(4), below(members.max(1) as u64));
                if let Some(member) = specs.get_mut(member).filter(|_| luck < had) {
                    member.previous.insert(TopicPartition { topic: *topic, partition });
                }
            }
        }
    }
    Spec {
        assignor: "uniform".into(),
        group: "g".into(),
        group_epoch: 1,
        topics: topics.iter().map(|(id, count)| (*id, (format!("{id:?}"), *count))).collect(),
        members: specs,
    }
}

fn compare(spec: &Spec, seed: u64) -> Vec<Partitions> {
    let slow = assign(spec);
    let fast = built_in(spec).unwrap();
    for (member, share) in spec.members.iter().zip(&slow) {
        assert_eq!(fast.get(&member.id), Some(share), "seed {seed}: {} of {spec:?}", member.id);
    }
    slow
}

#[test]
fn it_comes_to_the_same_by_the_plainest_means() {
    let seeds = std::env::var("HEADWATER_UNIFORM_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(4_000) {
        let mut random = Random::new(seed);
        let size = 2 + random.below(7);
        let mut spec = random_spec(&mut random, size);
        let mut shares = compare(&spec, seed);
        // Then the group goes on: somebody leaves, somebody wants something else.
        for _ in 0..3 {
            for (member, share) in spec.members.iter_mut().zip(shares) {
                member.previous = share;
            }
            if let Some(last) = spec.members.len().checked_sub(1) {
                let (gone, other) = (random.below(2) == 0, random.below(last as u64 + 1) as usize);
                let topic = *spec.topics.keys().next().unwrap();
                spec.members[other].topics.retain(|wanted| *wanted != topic);
                if gone {
                    spec.members.remove(random.below(last as u64 + 1) as usize);
                }
            }
            shares = compare(&spec, seed);
        }
    }
}
