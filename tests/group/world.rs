//! A group with its coordinator, members that work, and a wire between them. All of it follows from one seed.

use headwater::base::{Error, Now, Random};

use headwater::group::{
    Client, GroupConfig, GroupRow, HeartbeatRequest, HeartbeatResponse, Member, MemberEvent, MemberOptions,
    MemberOutput, Outcome, Partitions, Timer,
};
use headwater::log::Store;

use crate::rig::{BuiltIn, GROUP, Rig};

/// What may go wrong, in so many times out of a hundred.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub delay_ms: u64,
    pub coordinator_dies: u64,
}

/// A member and its application.
pub struct Actor {
    pub member: Member,
    pub alive: bool,
    /// What the application works on.
    pub works: Partitions,
    /// When the application is done with the step that it was given.
    step_until: Option<(u64, MemberOutput)>,
    pub fatal: Option<Error>,
}

enum Packet {
    Request(HeartbeatRequest),
    Answer(usize, i32, Result<HeartbeatResponse, Error>),
    Ping(String),
    Pong(String),
}

pub struct World {
    pub rig: Rig,
    pub random: Random,
    pub faults: Faults,
    pub actors: Vec<Actor>,
    pub refusals: Vec<Error>,
    wire: Vec<(u64, Packet)>,
    seed: u64,
}

impl World {
    pub const STEP_MS: u64 = 20;

    pub fn new(seed: u64, topics: &[(&str, i32)], faults: Faults) -> Self {
        let config = GroupConfig {
            session_timeout_ms: 10_000,
            heartbeat_interval_ms: 1_000,
            ping_timeout_ms: 2_000,
            ..GroupConfig::default()
        };
        let rig = Rig::with(topics, config);
        let random = Random::new(seed);
        Self { rig, random, faults, actors: Vec::new(), refusals: Vec::new(), wire: Vec::new(), seed }
    }

    /// Another member comes.
    pub fn enter(&mut self, topics: &[&str], instance: Option<&str>) -> usize {
        let options = MemberOptions {
            group: GROUP.into(),
            instance: instance.map(str::to_owned),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            assignors: Vec::new(),
            session_timeout_ms: -1,
            heartbeat_interval_ms: -1,
            rebalance_timeout_ms: 5_000,
            max_poll_interval_ms: -1,
            client: Client::default(),
        };
        self.seed += 1;
        let member = Member::new(options, self.seed);
        self.actors.push(Actor {
            member,
            alive: true,
            works: Partitions::new(),
            step_until: None,
            fatal: None,
        });
        let index = self.actors.len() - 1;
        self.tell(index, MemberEvent::Join);
        index
    }

    /// Its tab is gone: nobody says so, but its lock does, if `seen`.
    pub fn kill(&mut self, index: usize, seen: bool) {
        self.actors[index].alive = false;
        self.actors[index].works = Partitions::new();
        if seen {
            let id = self.actors[index].member.id().to_owned();
            self.rig.coordinator.gone(&id, &self.rig.topics);
            self.rig.store();
        }
    }

    pub fn tell(&mut self, index: usize, event: MemberEvent) {
        self.actors[index].member.handle(self.rig.now, event);
        while let Some(output) = self.actors[index].member.poll() {
            match output {
                MemberOutput::Send(request) => self.post(Packet::Request(request)),
                MemberOutput::Fatal(error) => self.actors[index].fatal = Some(error),
                MemberOutput::Failed(_) => {}
                step => {
                    let actor = &mut self.actors[index];
                    assert!(actor.step_until.is_none(), "one step at a time");
                    match &step {
                        MemberOutput::Assign(added) => actor.works.extend(added),
                        MemberOutput::Lost(lost) => actor.works = actor.works.minus(lost),
                        _ => {}
                    }
                    let until = self.rig.now.instant + self.random.below(300);
                    self.actors[index].step_until = Some((until, step));
                }
            }
        }
    }

    fn post(&mut self, packet: Packet) {
        if self.random.chance(self.faults.lost, 100) {
            return;
        }
        let at = self.rig.now.instant + 1 + self.random.below(self.faults.delay_ms + 1);
        if let Packet::Request(request) = &packet
            && self.random.chance(self.faults.doubled, 100)
        {
            let late = at + self.random.below(self.faults.delay_ms * 3 + 1);
            self.wire.push((late, Packet::Request(request.clone())));
        }
        self.wire.push((at, packet));
    }

    /// A step of time: the wire, the applications, the clocks.
    pub fn step(&mut self) {
        self.rig.now = Now { instant: self.rig.now.instant + Self::STEP_MS, timestamp: 0 };
        let now = self.rig.now.instant;
        let (due, rest) = std::mem::take(&mut self.wire).into_iter().partition(|(at, _)| *at <= now);
        self.wire = rest;
        let due: Vec<(u64, Packet)> = due;
        due.into_iter().for_each(|(_, packet)| self.deliver(packet));
        for index in 0..self.actors.len() {
            self.work(index);
        }
        if self.random.chance(self.faults.coordinator_dies, 10_000) {
            self.rig.take_over();
            for index in 0..self.actors.len() {
                self.if_alive(index, MemberEvent::CoordinatorChanged);
            }
        }
        for fired in self.rig.coordinator.tick(self.rig.now, &self.rig.topics) {
            if fired.timer == Timer::Ping {
                self.post(Packet::Ping(fired.member));
            }
        }
        self.rig.store();
        self.one_owner();
    }

    pub fn run(&mut self, ms: u64) {
        (0..ms / Self::STEP_MS).for_each(|_| self.step());
    }

    fn if_alive(&mut self, index: usize, event: MemberEvent) {
        if self.actors[index].alive {
            self.tell(index, event);
        }
    }

    fn work(&mut self, index: usize) {
        let now = self.rig.now.instant;
        if let Some((_, step)) = self.actors[index].step_until.take_if(|(until, _)| *until <= now) {
            if let MemberOutput::Revoke(revoked) = step {
                self.actors[index].works = self.actors[index].works.minus(&revoked);
            }
            self.if_alive(index, MemberEvent::Acknowledged);
        }
        if self.actors[index].member.deadline().is_some_and(|at| at <= now) {
            self.if_alive(index, MemberEvent::Tick);
        }
    }

    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Request(request) => {
                let outcome =
                    self.rig.coordinator.heartbeat(self.rig.now, &request, &self.rig.topics, &BuiltIn);
                let answer = match outcome {
                    Ok(Outcome::Answer { response, .. }) => Ok(response),
                    Ok(Outcome::Late) => return,
                    Ok(Outcome::Assign(_)) => panic!("built-in assignors wait for nobody"),
                    Err(error) => Err(error),
                };
                self.rig.store();
                if let Err(error) = &answer {
                    self.refusals.push(error.clone());
                }
                let sender = self.actors.iter().position(|actor| actor.member.id() == request.member);
                if let Some(index) = sender {
                    self.post(Packet::Answer(index, request.correlation, answer));
                }
            }
            Packet::Answer(index, correlation, answer) => {
                self.if_alive(index, MemberEvent::Answer(correlation, answer));
            }
            Packet::Ping(id) => {
                let lives =
                    |actor: &Actor| actor.alive && actor.member.id() == id && actor.member.is_member();
                if self.actors.iter().any(lives) {
                    self.post(Packet::Pong(id));
                }
            }
            Packet::Pong(id) => self.rig.coordinator.alive(self.rig.now, &id),
        }
    }

    /// Of all that work on a partition, at most one may commit; and the coordinator gives it to at most one.
    fn one_owner(&mut self) {
        let members = &self.rig.coordinator.state().members;
        let mut owned = Partitions::new();
        for member in members.values() {
            for tp in member.current.assigned.iter().chain(member.current.pending_revocation.iter()) {
                assert!(owned.insert(tp), "{tp:?} has two owners");
            }
        }
        let row = self.rig.table.rows.get(&(Store::Groups, GROUP.into())).unwrap();
        let mut committed = Partitions::new();
        for actor in &self.actors {
            let committer = (actor.member.id().to_owned(), actor.member.epoch());
            for tp in actor.works.iter() {
                if GroupRow::check_commit(Some(row), GROUP, Some(&committer), [tp].into_iter()).is_ok() {
                    assert!(committed.insert(tp), "two members commit {tp:?}");
                }
            }
        }
    }

    /// All is well: everyone alive is in, works on what the coordinator says, and nothing is left over.
    pub fn check_settled(&self, partitions: usize) {
        let state = self.rig.coordinator.state();
        assert_eq!(state.name(), "Stable");
        let alive: Vec<&Actor> = self.actors.iter().filter(|actor| actor.alive).collect();
        assert_eq!(state.members.len(), alive.len(), "who lives is a member, and nobody else");
        for actor in &alive {
            let member = state.members.get(actor.member.id()).unwrap();
            assert_eq!(actor.works, member.current.assigned);
            assert_eq!(actor.member.epoch(), member.current.epoch);
        }
        assert_eq!(alive.iter().map(|actor| actor.works.len()).sum::<usize>(), partitions);
    }
}
