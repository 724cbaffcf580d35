//! Applications that consume, transform and produce: what they read, and what they make of it, is committed in one
//! transaction. Each record that went in comes out once.

use std::collections::BTreeMap;

use headwater::base::{Code, Error, Offset, Timestamp, TopicPartition};
use headwater::log::Durability;
use headwater::node::{Answer, Call, Command, Consumed, Input, RebalanceKind, Transaction};

use super::app::{Asked, FORWARDED, PLAIN};
use super::consume::Stage;
use super::page::PageId;
use super::plan::Fault;
use super::support::FrameWriter;
use super::transactions::Bundle;
use super::world::{What, World};

/// The group that they form.
pub const MOVERS: &str = "movers";
/// `transaction.timeout.ms`: one that is open for longer is aborted, as `Transaction` does in TypeScript.
const TIMEOUT_MS: Timestamp = 10_000;
/// Where the group's epoch has passed the commit is tried again for so long.
const STALE_MS: u64 = 10_000;
const AGAIN_MS: u64 = 500;

/// What a mover does with what it has read.
pub struct Move {
    tp: TopicPartition,
    records: Vec<(Offset, String)>,
    /// When its transaction was opened, by the wall clock of its page.
    opened: Timestamp,
    /// Until when a stale commit is tried again.
    until: u64,
}

/// What came out.
#[derive(Default)]
pub struct Moved {
    /// What each record was made of.
    of: BTreeMap<String, String>,
    /// What was made of each record of a copy, and is committed.
    out: BTreeMap<(usize, String), Vec<String>>,
    /// The last end of each partition that a reader was told.
    ends: BTreeMap<(PageId, usize, TopicPartition), Offset>,
}

impl World {
    /// What this mover has read is handled: it commits.
    pub fn moves(
        &mut self,
        page: PageId,
        index: usize,
        (tp, records): (TopicPartition, Vec<(Offset, String)>),
        opened: Timestamp,
    ) {
        let until = self.time + STALE_MS;
        let moving = Move { tp, records, opened, until };
        self.commit_move(page, index, moving);
    }

    fn commit_move(&mut self, page: PageId, index: usize, moving: Move) {
        let Some((last, _)) = moving.records.last() else { return self.rewind(page, index, moving.tp) };
        let next = last + 1;
        let now = self.pages[page].now(self.time).timestamp;
        if now - moving.opened > TIMEOUT_MS {
            self.say(|| format!("page {page} reader {index}: its transaction was open for too long"));
            return self.rewind(page, index, moving.tp);
        }
        let id = self.mover_id(page, index);
        let Some(producer) = self.bundles.held(page, &id) else {
            self.reader(page, index).stage = Stage::Moves(moving);
            return self.call(page, Call::InitTransactions(id.clone()), Asked::MoverInit(index, id));
        };
        let mut names = Vec::new();
        let mut frames = FrameWriter::default();
        for (_, input) in &moving.records {
            self.names += 1;
            let name = format!("r{}", self.names);
            frames = frames.frame(-1, now, None, Some(name.as_bytes()));
            self.moved.of.insert(name.clone(), input.clone());
            names.push(name);
        }
        let position = (PLAIN.to_string(), moving.tp.partition, next, None);
        let transaction = Transaction {
            transactional_id: id.clone(),
            producer_id: producer.0,
            epoch: producer.1,
            create: true,
            durability: Durability::Strict,
            sends: vec![(FORWARDED.to_string(), frames.0)],
            offsets: vec![Consumed { group: MOVERS.into(), member: None, position }],
        };
        let number = self.bundles.open(Bundle { id, producer, names, aborted: false });
        self.reader(page, index).stage = Stage::Moves(moving);
        self.call(page, Call::CommitTransaction(Box::new(transaction)), Asked::Move(index, number));
    }

    /// Ids that pages take from each other, or one of its own.
    fn mover_id(&mut self, page: PageId, index: usize) -> String {
        match self.random.below(8) {
            shared @ 0..2 if self.faulty => format!("m{shared}"),
            _ => format!("m-{page}-{index}"),
        }
    }

    pub fn mover_initialised(&mut self, page: PageId, index: usize, id: &str, result: Result<Answer, Error>) {
        let Some(moving) = self.taken_move(page, index) else { return };
        match result {
            Ok(Answer::Producer(producer, epoch)) => {
                self.bundles.hold(page, id, (producer, epoch));
                self.commit_move(page, index, moving);
            }
            _ => self.rewind(page, index, moving.tp),
        }
    }

    pub fn move_ended(&mut self, page: PageId, index: usize, number: usize, result: Result<Answer, Error>) {
        self.transaction_ended(number, &result);
        let Some(moving) = self.taken_move(page, index) else { return };
        match result {
            Ok(_) => {
                self.reader(page, index).stage = Stage::Idle;
                self.go_on(page, index);
            }
            // Nothing was stored, and the member will hear of its epoch.
            Err(error) if error.code() == Code::StaleMemberEpoch && self.time < moving.until => {
                self.reader(page, index).stage = Stage::Stale(moving);
                let after = 10 + self.random.below(200);
                self.push(after, What::Again(page, index));
            }
            Err(error) => {
                self.say(|| format!("page {page} reader {index} cannot move: {error}"));
                self.bundles.forget(page, &error, number);
                self.rewind(page, index, moving.tp);
            }
        }
    }

    /// A commit that found its epoch passed is tried once more.
    pub fn move_again(&mut self, page: PageId, index: usize) {
        if let Stage::Stale(moving) = core::mem::replace(&mut self.reader(page, index).stage, Stage::Idle) {
            self.commit_move(page, index, moving);
        }
    }

    fn taken_move(&mut self, page: PageId, index: usize) -> Option<Move> {
        let reader = self.reader(page, index);
        match core::mem::replace(&mut reader.stage, Stage::Idle) {
            Stage::Moves(moving) => Some(moving),
            other => {
                reader.stage = other;
                None
            }
        }
    }

    /// The transaction was aborted: the application goes back to what is committed, or begins anew.
    fn rewind(&mut self, page: PageId, index: usize, tp: TopicPartition) {
        self.reader(page, index).disturb();
        if self.random.chance(1, 4) {
            return self.begin_again(page, index);
        }
        self.reader(page, index).stage = Stage::Rewinds(tp);
        let (group, topic) = (MOVERS.to_string(), PLAIN.to_string());
        self.call(page, Call::CommittedOffsets { group, topic }, Asked::Rewind(index));
    }

    pub fn rewound(&mut self, page: PageId, index: usize, result: &Result<Answer, Error>) {
        let reader = self.reader(page, index);
        let (id, lost) =
            (reader.id, reader.step.as_ref().is_some_and(|step| step.kind == RebalanceKind::Lost));
        let Stage::Rewinds(tp) = reader.stage else { return };
        let Ok(Answer::CommittedOffsets(committed)) = result else { return self.begin_again(page, index) };
        self.reader(page, index).stage = Stage::Idle;
        // Whoever has lost it will be told where it goes on.
        if !lost {
            let committed = committed.get(tp.partition as usize).and_then(Option::as_ref);
            let offset = committed.map_or(-2, |(offset, _)| *offset);
            self.reader(page, index).next.retain(|(each, _)| *each != tp);
            self.handle(page, Input::Consumer(id, Command::Seek(PLAIN.into(), tp.partition, offset)));
        }
        self.push(AGAIN_MS, What::Again(page, index));
    }

    /// A record was committed: if it was made of another one, it is the only one that was.
    pub fn check_moved(&mut self, origin: usize, name: &str) {
        let Some(input) = self.moved.of.get(name).cloned() else { return };
        let out = self.moved.out.entry((origin, input.clone())).or_default();
        out.push(name.to_string());
        // A record that was deleted before a retry looked for it is there a second time.
        if out.len() > 1 && !self.broker.excused.contains(&input) {
            let out = out.clone();
            self.violated(format!("moved: {out:?} were made of {input}"));
        }
    }

    /// Who reads what is committed is told of an end that never goes back.
    pub fn check_end(&mut self, page: PageId, index: usize, tp: TopicPartition, end: Offset) {
        let before = self.moved.ends.insert((page, index, tp), end);
        if let Some(before) = before.filter(|before| end < *before) {
            self.violated(format!("back: {tp:?} ends at {end} for page {page}, after {before}"));
        }
    }

    /// These are gone with the power, or with all of the log.
    pub fn unmoved(&mut self, origin: usize, lost: &[String]) {
        for name in lost {
            if let Some(input) = self.moved.of.get(name) {
                let out = self.moved.out.get_mut(&(origin, input.clone()));
                out.into_iter().for_each(|out| out.retain(|each| each != name));
            }
        }
    }

    /// What was moved in one copy of a profile was so in the other.
    pub fn copy_moved(&mut self) {
        let copied: Vec<_> =
            self.moved.out.iter().map(|((_, input), out)| ((1, input.clone()), out.clone())).collect();
        self.moved.out.extend(copied);
    }

    /// What the group has behind it came out.
    pub fn check_moved_in_the_end(&mut self) {
        if !self.plan.has(Fault::Consume) {
            return;
        }
        let mut wrong = Vec::new();
        for (index, origin) in self.origins.iter().enumerate() {
            for ((group, tp), committed) in &origin.shadow.offsets {
                let Some(part) = origin.shadow.partitions.get(tp).filter(|_| group == MOVERS) else {
                    continue;
                };
                for (_, name) in part.between(0, *committed) {
                    if self.moved.out.get(&(index, name.clone())).is_none_or(Vec::is_empty) {
                        wrong.push(format!("moved: nothing was made of {name}"));
                    }
                }
            }
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
    }
}
