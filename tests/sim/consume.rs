//! Applications that read as members of groups: a reader hands what it fetched to a handler, which takes its time, then
//! commits; it takes the steps of a rebalance between two handlers, as `consumer.run` does.

use headwater::base::{Code, Error, Offset, Timestamp, TopicPartition};
use headwater::client::consumer::{FetchLimits, Records, Reset};
use headwater::log::batch;
use headwater::node::{Answer, Call, Command, ConsumerOptions, Input, Rebalance, RebalanceKind};

use super::app::{Asked, PLAIN};
use super::movers::{MOVERS, Move};
use super::page::PageId;
use super::plan::Fault;
use super::world::{What, World};

/// The groups that there are.
pub const GROUPS: [&str; 2] = ["readers", "others"];
/// What a fetch brings at most.
const FETCH_BYTES: usize = 2_000;
/// How long until what failed is tried again.
const AGAIN_MS: u64 = 500;

/// One consumer of a page.
pub struct Reader {
    pub id: u32,
    pub group: &'static str,
    pub instance: Option<String>,
    /// The member that it was last told to be.
    pub member: String,
    /// All members that it ever was.
    pub members: Vec<String>,
    pub joined: bool,
    /// What it fetches, handles or commits.
    pub stage: Stage,
    /// The step that it takes as soon as it has time.
    pub step: Option<Rebalance>,
    /// What it was told to have.
    pub assigned: Vec<i32>,
    /// Where it goes on in each partition, as what it was handed shows.
    pub next: Vec<(TopicPartition, Offset)>,
    /// What it has handled and not committed.
    uncommitted: Vec<(TopicPartition, Offset)>,
    /// Something happened to it after which others may have taken over unseen.
    pub disturbed: bool,
    pub leaving: bool,
}

pub enum Stage {
    /// It waits for an answer to its join.
    Joins,
    Idle,
    Fetches,
    /// Since when, too, by the page's wall clock.
    Handles(TopicPartition, Vec<(Offset, String)>, Timestamp),
    Commits(Vec<(TopicPartition, Offset)>),
    /// It commits in a transaction, or begins one.
    Moves(Move),
    /// It waits until it commits once more.
    Stale(Move),
    /// It looks where to go on after a transaction that was aborted.
    Rewinds(TopicPartition),
    Out,
}

impl Reader {
    fn new(id: u32, group: &'static str, instance: Option<String>) -> Self {
        Self {
            id,
            group,
            instance,
            member: String::new(),
            members: Vec::new(),
            joined: false,
            stage: Stage::Joins,
            step: None,
            assigned: Vec::new(),
            next: Vec::new(),
            uncommitted: Vec::new(),
            disturbed: false,
            leaving: false,
        }
    }

    /// It may have lost what it had without having heard of it.
    pub fn disturb(&mut self) {
        self.disturbed = true;
    }
}

impl World {
    /// A page may read, in a group or two.
    pub fn open_readers(&mut self, page: PageId, instance: Option<String>) {
        let count = if instance.is_some() { 1 } else { self.random.below(3) };
        for index in 0..count as usize {
            let group = GROUPS[self.random.below(8) as usize / 6];
            let (fixed, named) = (instance.clone(), format!("i{page}-{index}"));
            let fixed = fixed.or_else(|| self.random.chance(1, 5).then_some(named));
            self.pages[page].app.readers.push(Reader::new(index as u32 + 1, group, fixed));
            self.open_reader(page, index);
        }
        if self.plan.has(Fault::Consume) && self.random.chance(2, 3) {
            let index = self.pages[page].app.readers.len();
            self.pages[page].app.readers.push(Reader::new(index as u32 + 1, MOVERS, None));
            self.open_reader(page, index);
        }
    }

    fn open_reader(&mut self, page: PageId, index: usize) {
        let Reader { id, group, instance, .. } = &self.pages[page].app.readers[index];
        let (id, options) = (*id, ConsumerOptions::new(group));
        let options = ConsumerOptions {
            instance: instance.clone(),
            session_timeout_ms: 10_000 + self.random.below(4) as i32 * 10_000,
            rebalance_timeout_ms: 10_000 + self.random.below(2) as i32 * 50_000,
            prefer_visible: self.random.chance(1, 4),
            assignors: self.assignors(),
            ..options
        };
        self.handle(page, Input::Consumer(id, Command::Open(Box::new(options))));
        self.handle(page, Input::Consumer(id, Command::Subscribe(PLAIN.into(), Reset::Earliest)));
        self.join(page, index);
        self.ask_for_step(page, index);
    }

    fn assignors(&mut self) -> Vec<String> {
        let name = ["uniform", "uniform", "range", "roundRobin", "mine"][self.random.below(5) as usize];
        vec![name.to_string(), "uniform".to_string()]
    }

    pub fn reader(&mut self, page: PageId, index: usize) -> &mut Reader {
        &mut self.pages[page].app.readers[index]
    }

    fn join(&mut self, page: PageId, index: usize) {
        let id = self.reader(page, index).id;
        self.call(page, Call::Join(id), Asked::Join(index));
    }

    fn ask_for_step(&mut self, page: PageId, index: usize) {
        let id = self.reader(page, index).id;
        self.call(page, Call::Rebalance(id), Asked::Step(index));
    }

    pub fn joined(&mut self, page: PageId, index: usize, result: &Result<Answer, Error>) {
        self.say(|| format!("page {page} reader {index} joined: {:?}", result.as_ref().map(|_| ())));
        match result {
            Ok(_) => {
                let reader = self.reader(page, index);
                (reader.joined, reader.stage) = (true, Stage::Idle);
                self.go_on(page, index);
            }
            Err(_) => self.begin_again(page, index),
        }
    }

    /// The consumer is out: the application joins once more.
    pub fn begin_again(&mut self, page: PageId, index: usize) {
        let reader = self.reader(page, index);
        let (id, group, instance) = (reader.id, reader.group, reader.instance.clone());
        if reader.leaving {
            return;
        }
        let members = core::mem::take(&mut reader.members);
        *reader = Reader { disturbed: true, members, ..Reader::new(id, group, instance) };
        reader.stage = Stage::Out;
        self.handle(page, Input::Consumer(id, Command::Close));
        self.push(AGAIN_MS, What::Again(page, index));
    }

    /// What has failed is tried again, now or when the page runs again.
    pub fn again(&mut self, page: PageId, index: usize) {
        if !self.pages[page].alive() {
            return;
        }
        if !self.pages[page].runs() {
            return self.push(AGAIN_MS, What::Again(page, index));
        }
        match self.reader(page, index).stage {
            Stage::Out => {
                self.reader(page, index).stage = Stage::Joins;
                self.open_reader(page, index);
            }
            Stage::Stale(_) => self.move_again(page, index),
            _ => self.go_on(page, index),
        }
    }

    /// A step of a rebalance; it waits for the handler that runs.
    pub fn stepped(&mut self, page: PageId, index: usize, result: Result<Answer, Error>) {
        // A consumer that was given up has nothing to say to the next one.
        if matches!(self.reader(page, index).stage, Stage::Out) {
            return;
        }
        match result {
            Ok(Answer::Rebalance(Some(step))) => {
                self.say(|| {
                    let (kind, partitions, after) = (step.kind, &step.partitions, &step.assignment);
                    format!(
                        "page {page} reader {index} {kind:?} {partitions:?}: {after:?} epoch {}",
                        step.epoch
                    )
                });
                let reader = self.reader(page, index);
                reader.step = Some(step);
                let id = reader.id;
                if matches!(reader.stage, Stage::Fetches) {
                    self.handle(page, Input::Consumer(id, Command::Wake));
                }
                self.go_on(page, index);
            }
            Ok(_) => {}
            Err(error) => {
                self.say(|| format!("page {page} reader {index} asked for a step: {error}"));
                self.ask_for_step(page, index);
            }
        }
    }

    /// Does what comes next: a commit, a step, a fetch.
    pub fn go_on(&mut self, page: PageId, index: usize) {
        let reader = self.reader(page, index);
        if !matches!(reader.stage, Stage::Idle) {
            return;
        }
        let id = reader.id;
        if !reader.uncommitted.is_empty() {
            let offsets = core::mem::take(&mut reader.uncommitted);
            reader.stage = Stage::Commits(offsets.clone());
            let position =
                |(tp, offset): (TopicPartition, Offset)| (PLAIN.to_string(), tp.partition, offset, None);
            let offsets = offsets.into_iter().map(position).collect();
            return self.call(page, Call::Commit(id, offsets), Asked::Commit(index));
        }
        if let Some(step) = reader.step.take() {
            return self.take_step(page, index, step);
        }
        reader.stage = Stage::Fetches;
        self.call(page, Call::Fetch(id, FetchLimits::up_to(FETCH_BYTES)), Asked::Fetch(index));
    }

    fn take_step(&mut self, page: PageId, index: usize, step: Rebalance) {
        self.note(&[9, page as u64, step.kind as u64, step.epoch as u64]);
        let reader = self.reader(page, index);
        let id = reader.id;
        reader.assigned = step.assignment.iter().map(|(_, partition)| *partition).collect();
        let kept = &reader.assigned;
        reader.next.retain(|(tp, _)| kept.contains(&tp.partition));
        let lost = step.kind == RebalanceKind::Lost && !step.partitions.is_empty();
        if lost && !reader.disturbed && self.nothing_fences() {
            self.violated(format!("fenced: page {page} has lost {:?} and did nothing", step.partitions));
        }
        let reader = self.reader(page, index);
        reader.disturbed |= lost;
        reader.members.push(step.member.clone());
        reader.member = step.member;
        if step.error.is_some() {
            return self.begin_again(page, index);
        }
        self.handle(page, Input::Consumer(id, Command::Rebalanced));
        self.ask_for_step(page, index);
        self.go_on(page, index);
    }

    pub fn fetched(&mut self, page: PageId, index: usize, result: Result<Answer, Error>) {
        if !matches!(self.reader(page, index).stage, Stage::Fetches) {
            return;
        }
        self.reader(page, index).stage = Stage::Idle;
        match result {
            Ok(Answer::Records(Some(records))) => self.begin_to_handle(page, index, &records),
            Ok(_) => self.go_on(page, index),
            Err(_) => self.push(AGAIN_MS, What::Again(page, index)),
        }
    }

    fn begin_to_handle(&mut self, page: PageId, index: usize, records: &Records) {
        let mut handed = Vec::new();
        for bytes in &records.batches {
            for record in batch::records(bytes).expect("uncompressed") {
                let record = record.expect("whole");
                if record.offset >= records.from {
                    let name = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                    handed.push((record.offset, name));
                }
            }
        }
        self.check_read(page, index, records, &handed);
        let since = self.pages[page].now(self.time).timestamp;
        self.reader(page, index).stage = Stage::Handles(records.tp, handed, since);
        let most = if self.random.chance(1, 20) { 3_000 } else { 60 };
        let after = self.random.below(most);
        self.push(after, What::Handled(page, index));
    }

    /// The handler has returned.
    pub fn handled(&mut self, page: PageId, index: usize) {
        if !self.pages[page].alive() {
            return;
        }
        if !self.pages[page].runs() {
            return self.push(AGAIN_MS, What::Handled(page, index));
        }
        let reader = self.reader(page, index);
        let Stage::Handles(tp, records, since) = core::mem::replace(&mut reader.stage, Stage::Idle) else {
            return;
        };
        if let Some((last, _)) = records.last().filter(|_| reader.group != MOVERS) {
            reader.uncommitted.push((tp, last + 1));
        }
        self.check_handled(page, index, tp, &records);
        if self.reader(page, index).group == MOVERS && !records.is_empty() {
            return self.moves(page, index, (tp, records), since);
        }
        self.go_on(page, index);
    }

    pub fn commit_answered(&mut self, page: PageId, index: usize, result: Result<Answer, Error>) {
        let reader = self.reader(page, index);
        let Stage::Commits(offsets) = core::mem::replace(&mut reader.stage, Stage::Idle) else { return };
        if let Err(error) = result {
            reader.disturbed = true;
            let reader = format!("page {page} reader {index}");
            self.say(|| format!("{reader} cannot commit {offsets:?}: {error}"));
            let reader = self.reader(page, index);
            // What storage or a rebalance kept from being committed is committed with the next step.
            if error.retriable() || error.code() == Code::RebalanceInProgress {
                let kept = |(tp, _): &(TopicPartition, Offset)| reader.assigned.contains(&tp.partition);
                reader.uncommitted.extend(offsets.into_iter().filter(kept));
                if error.code() != Code::RebalanceInProgress || reader.step.is_none() {
                    return self.push(AGAIN_MS, What::Again(page, index));
                }
                reader.uncommitted.clear();
            }
        }
        self.go_on(page, index);
    }

    /// The application stops its readers; true if it waits for their last words.
    pub fn stop_readers(&mut self, page: PageId) {
        for index in 0..self.pages[page].app.readers.len() {
            let reader = self.reader(page, index);
            reader.leaving = true;
            let id = reader.id;
            self.call(page, Call::Leave(id), Asked::Other);
        }
    }

    /// An assignor of the application decides, or fails.
    pub fn assign(&mut self, page: PageId, spec: &headwater::group::Spec) {
        let after = 1 + self.random.below(50);
        let result = match self.random.below(6) {
            0 => Err(Error::new(Code::UnknownServerError, "the assignor has failed")),
            _ => Ok(super::members::assignment(spec)),
        };
        let (group, epoch) = (spec.group.clone(), spec.group_epoch);
        self.push(after, What::Tell(page, super::page::Told::Assigned(group, epoch, result)));
    }

    /// True in a world in which no member that runs can be silent: messages and transactions do what they should.
    fn nothing_fences(&self) -> bool {
        use Fault::{
            Abort, Away, Jump, MessageLate, MessageLost, Quota, Reopen, Sleep, Slow, Steal, StealMember,
            Unknown, Wipe,
        };
        const FENCING: [Fault; 13] = [
            Abort,
            Away,
            Jump,
            MessageLate,
            MessageLost,
            Quota,
            Reopen,
            Sleep,
            Slow,
            Steal,
            StealMember,
            Unknown,
            Wipe,
        ];
        !FENCING.iter().any(|fault| self.plan.has(*fault)) && !self.plan.has(Fault::Night)
    }

    /// A group that is not stable, or has records left to read, though all is quiet.
    pub fn behind(&self, origin: usize) -> Option<String> {
        if self.plan.has(Fault::Restore) && origin == 0 {
            return None;
        }
        let movers = self.plan.has(Fault::Consume).then_some(MOVERS);
        GROUPS
            .into_iter()
            .chain(movers)
            .find_map(|group| self.unstable(origin, group).or_else(|| self.lagging(origin, group)))
    }
}
