//! Applications that read as members of a group: what they are handed is in order and complete, and what they commit
//! they have handled.

use headwater::base::{Error, Offset, TopicPartition};
use headwater::client::consumer::{Records, Reset};
use headwater::log::batch;
use headwater::node::{Answer, Call, Command, ConsumerOptions, Input, Rebalance, RebalanceKind};

use super::app::{Asked, PLAIN};
use super::page::PageId;
use super::plan::Fault;
use super::world::{What, World};

/// Each page reads for itself.
fn group(page: PageId) -> String {
    format!("readers-{page}")
}

/// One consumer of a page.
pub struct Reader {
    id: u32,
    stage: Stage,
    /// Where it goes on in each partition, as what it was handed shows.
    next: Vec<(TopicPartition, Offset)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Joins,
    Reads,
    Commits,
}

impl Reader {
    /// It goes on wherever the group had committed.
    pub fn revoked(&mut self) {
        self.next.clear();
    }
}

impl World {
    pub fn open_readers(&mut self, page: PageId) {
        if !self.random.chance(2, 3) {
            return;
        }
        let id = 1;
        self.pages[page].app.readers.push(Reader { id, stage: Stage::Joins, next: Vec::new() });
        self.handle(page, Input::Consumer(id, Command::Open(Box::new(ConsumerOptions::new(&group(page))))));
        self.handle(page, Input::Consumer(id, Command::Subscribe(PLAIN.into(), Reset::Earliest)));
        self.call(page, Call::Join(id), Asked::Reader(0));
    }

    pub fn reader_answered(&mut self, page: PageId, reader: usize, result: Result<Answer, Error>) {
        let (id, stage) =
            (self.pages[page].app.readers[reader].id, self.pages[page].app.readers[reader].stage);
        let (stage, call) = match (stage, result) {
            (Stage::Joins, Ok(_)) => {
                self.call(page, Call::Rebalance(id), Asked::Step(reader));
                (Stage::Reads, Call::Fetch(id, 100_000))
            }
            (Stage::Joins, Err(_)) => return self.push(1_000, What::ReadAgain(page, reader)),

            (Stage::Reads, Ok(Answer::Records(Some(records)))) => {
                self.handled_records(page, reader, &records);
                if self.random.chance(1, 4) {
                    (Stage::Reads, Call::Fetch(id, 100_000))
                } else {
                    (Stage::Commits, Call::Commit(id, None))
                }
            }
            (Stage::Reads, Ok(_)) => {
                // It was woken, which a revocation does too: what comes next may begin anywhere.
                self.pages[page].app.readers[reader].next.clear();
                (Stage::Reads, Call::Fetch(id, 100_000))
            }
            (Stage::Reads, Err(_)) => return self.push(1_000, What::ReadAgain(page, reader)),
            (Stage::Commits, _) => (Stage::Reads, Call::Fetch(id, 100_000)),
        };
        self.pages[page].app.readers[reader].stage = stage;
        self.call(page, call, Asked::Reader(reader));
    }

    /// The application takes a step of a rebalance, and asks for the next.
    pub fn rebalanced(&mut self, page: PageId, reader: usize, step: &Rebalance) {
        let id = self.pages[page].app.readers[reader].id;
        if step.kind != RebalanceKind::Assign {
            self.pages[page].app.readers[reader].next.clear();
        }
        self.handle(page, Input::Consumer(id, Command::Rebalanced));
        self.call(page, Call::Rebalance(id), Asked::Step(reader));
    }

    /// What has failed is asked for again.
    pub fn read_again(&mut self, page: PageId, reader: usize) {
        let Reader { id, stage, .. } = self.pages[page].app.readers[reader];
        if !self.pages[page].alive() {
            return;
        }
        if !self.pages[page].runs() {
            return self.push(1_000, What::ReadAgain(page, reader));
        }
        let call = if stage == Stage::Joins { Call::Join(id) } else { Call::Fetch(id, 100_000) };
        self.call(page, call, Asked::Reader(reader));
    }

    /// The application handles what it was handed.
    fn handled_records(&mut self, page: PageId, reader: usize, records: &Records) {
        let origin = self.pages[page].origin;
        let (id, tp) = (self.pages[page].app.readers[reader].id, records.tp);
        let mut handled = Vec::new();
        for bytes in &records.batches {
            for record in batch::records(bytes).expect("uncompressed") {
                let record = record.expect("whole");
                if record.offset >= records.from {
                    let name = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                    handled.push((record.offset, name));
                }
            }
        }
        self.check_read(page, reader, records, &handled);
        for (_, name) in &handled {
            self.counts.consumed += 1;
            *self.handled.entry((origin, group(page), name.clone())).or_default() += 1;
        }
        if let Some((last, _)) = handled.last() {
            let command = Command::Resolve(PLAIN.into(), tp.partition, last + 1);
            self.handle(page, Input::Consumer(id, command));
        }
    }

    /// Records come in order, none is left out, and they are what was appended there.
    fn check_read(&mut self, page: PageId, reader: usize, records: &Records, handled: &[(Offset, String)]) {
        let (origin, tp) = (self.pages[page].origin, records.tp);
        let seen = &self.pages[page].app.readers[reader].next;
        let next = seen.iter().find(|(each, _)| *each == tp).map_or(records.from, |(_, next)| *next);
        let end = handled.last().map_or(records.from, |(last, _)| last + 1);
        let mut wrong = Vec::new();
        if handled.first().is_some_and(|(first, _)| *first < next) {
            wrong.push(format!("again: page {page} was handed {:?} after {next}", handled.first()));
        }
        if let Some(part) = self.origins[origin].shadow.partitions.get(&tp) {
            let missing = part.between(next, end).find(|record| !handled.contains(record));
            if let Some(record) = missing {
                wrong.push(format!("skipped: page {page} was not handed {record:?} of {tp:?}"));
            }
            let other =
                handled.iter().find(|(offset, name)| part.at(*offset).is_some_and(|there| there != name));
            if let Some(record) = other {
                wrong.push(format!("wrong: page {page} was handed {record:?} of {tp:?}"));
            }
        }
        wrong.into_iter().for_each(|wrong| self.violated(wrong));
        let seen = &mut self.pages[page].app.readers[reader].next;
        seen.retain(|(each, _)| *each != tp);
        seen.push((tp, end));
    }

    /// A group that has records left to read, though all is quiet.
    pub fn behind(&self, origin: usize) -> Option<String> {
        const LASTING: [Fault; 5] = [Fault::Wipe, Fault::Admin, Fault::Abort, Fault::Unknown, Fault::Quota];
        if LASTING.iter().any(|fault| self.plan.has(*fault)) {
            return None;
        }
        let reads = |page: &PageId| {
            let page = &self.pages[*page];
            page.origin == origin && page.alive() && !page.app.readers.is_empty()
        };
        (0..self.pages.len()).filter(reads).find_map(|page| self.behind_in(page))
    }

    fn behind_in(&self, page: PageId) -> Option<String> {
        let origin = self.pages[page].origin;
        let row = self.topic(origin, PLAIN)?;
        let shadow = &self.origins[origin].shadow;
        row.topic_partitions().find_map(|tp| {
            let part = shadow.partitions.get(&tp)?;
            let unhandled = part
                .records()
                .find(|(_, name)| !self.handled.contains_key(&(origin, group(page), name.clone())));
            unhandled.map(|record| format!("page {page} has not handled {record:?} of {tp:?} in {origin}"))
        })
    }
}
