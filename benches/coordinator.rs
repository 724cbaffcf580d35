//! What a group costs its coordinator, by members and partitions: `cargo bench --bench coordinator`. Prints a line each:
//! members, partitions, nanoseconds of a heartbeat without news, of the one that makes everybody's assignment anew,
//! and of encoding the row, then the bytes of the row, and the heartbeats until all have what they shall have.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use headwater::base::{Error, Now, TopicId};
use headwater::group::assignor::{Assigned, Assignors};
use headwater::group::{
    Client, Coordinator, GroupConfig, GroupRow, GroupState, HeartbeatRequest, HeartbeatResponse, Metadata,
    Outcome, Partitions, Spec,
};

const GROUP: &str = "orders";
const ROUNDS: u128 = 20;
const SIZES: [(usize, i32); 9] =
    [(1, 1), (10, 1), (50, 1), (1, 100), (10, 100), (50, 100), (1, 1_000), (10, 1_000), (50, 1_000)];

/// One topic of so many partitions.
struct Topic(i32);

impl Metadata for Topic {
    fn topic(&self, name: &str) -> Option<(TopicId, i32)> {
        (name == GROUP).then_some((TopicId([1; 16]), self.0))
    }
}

/// No assignor but the built-in ones.
struct BuiltIn;

impl Assignors for BuiltIn {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn assign(&self, _: &Spec) -> Assigned {
        Assigned::Pending
    }
}

/// A member that does at once what it is told.
struct Member {
    id: String,
    epoch: i32,
    owned: Partitions,
    news: bool,
}

struct Group {
    topic: Topic,
    coordinator: Coordinator,
    members: Vec<Member>,
}

impl Group {
    const NOW: Now = Now { instant: 1_000, timestamp: 0 };

    fn new(partitions: i32) -> Self {
        let config = GroupConfig::default();
        let coordinator = Coordinator::new(GROUP.into(), Rc::new(GroupState::default()), config, 1);
        Self { topic: Topic(partitions), coordinator, members: Vec::new() }
    }

    /// Another member comes; the coordinator makes the assignment anew.
    fn join(&mut self) -> Result<(), Error> {
        let id = format!("shop-00000000-0000-4000-8000-{:012}", self.members.len());
        self.members.push(Member { id, epoch: 0, owned: Partitions::new(), news: true });
        self.beat(self.members.len() - 1)
    }

    fn beat(&mut self, index: usize) -> Result<(), Error> {
        let member = &self.members[index];
        let joins = member.epoch == 0;
        let request = HeartbeatRequest {
            group: GROUP.into(),
            member: member.id.clone(),
            epoch: member.epoch,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            session_timeout_ms: -1,
            topics: joins.then(|| vec![GROUP.into()]),
            owned: member.news.then(|| member.owned.clone()),
            client: joins.then(|| Client { id: "shop".into(), ..Client::default() }),
            ..HeartbeatRequest::default()
        };
        let outcome = self.coordinator.heartbeat(Self::NOW, &request, &self.topic, &BuiltIn)?;
        if let Outcome::Answer { response, .. } = outcome {
            self.members[index].take(response);
        }
        Ok(())
    }

    /// All heartbeat in turn until there is no news for any; answers how often.
    fn settle(&mut self) -> Result<usize, Error> {
        for rounds in 1.. {
            let before = Rc::clone(self.coordinator.state());
            (0..self.members.len()).try_for_each(|index| self.beat(index))?;
            if Rc::ptr_eq(&before, self.coordinator.state()) && self.members.iter().all(|member| !member.news)
            {
                return Ok(rounds * self.members.len());
            }
        }
        Ok(0)
    }

    /// The last one leaves.
    fn leave(&mut self) {
        if let Some(member) = self.members.pop() {
            self.coordinator.gone(&member.id, &self.topic);
        }
    }
}

impl Member {
    fn take(&mut self, response: HeartbeatResponse) {
        self.epoch = response.epoch;
        self.news = response.assignment.is_some();
        if let Some(assignment) = response.assignment {
            self.owned = assignment;
        }
    }
}

/// Nanoseconds that one of `count` calls takes.
#[allow(clippy::disallowed_methods, reason = "time is what is measured here")]
fn nanoseconds(count: usize, mut call: impl FnMut(usize) -> Result<(), Error>) -> Result<u128, Error> {
    let start = Instant::now();
    (0..count).try_for_each(&mut call)?;
    Ok(start.elapsed().as_nanos() / count as u128)
}

fn measure(members: usize, partitions: i32) -> Result<(), Error> {
    let mut group = Group::new(partitions);
    (0..members).try_for_each(|_| group.join())?;
    group.settle()?;
    let beat = nanoseconds(100_000, |round| group.beat(round % members))?;
    let row = GroupRow { state: (**group.coordinator.state()).clone(), ..GroupRow::default() };
    let encode = nanoseconds(200, |_| {
        black_box(row.encode());
        Ok(())
    })?;
    let bytes = row.encode().len();
    let mut assign = 0;
    let mut beats = 0;
    for _ in 0..ROUNDS {
        assign += nanoseconds(1, |_| group.join())?;
        beats = group.settle()?;
        group.leave();
        group.settle()?;
    }
    println!("{members} {partitions} {beat} {} {encode} {bytes} {beats}", assign / ROUNDS);
    Ok(())
}

fn main() -> Result<(), Error> {
    // Cargo also runs benches as tests, and then wants to know that they work.
    let sizes = if std::env::args().any(|argument| argument == "--bench") { &SIZES[..] } else { &SIZES[..1] };
    sizes.iter().try_for_each(|(members, partitions)| measure(*members, *partitions))
}
