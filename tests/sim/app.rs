//! What the applications do: send, read, forward, administer.

use std::collections::BTreeMap;

use headwater::base::{Code, Error, TopicConfig, TopicPartition};
use headwater::client::producer::{CallId, Sent};
use headwater::log::batch::Compression;
use headwater::log::{Store, TopicRow};
use headwater::node::{Acks, Answer, Call, Event, ForwardOptions, Input, NodeOptions};

use super::consume::Reader;
use super::mutant::Mutant;
use super::page::{Page, PageId, START};
use super::plan::Fault;
use super::support::FrameWriter;
use super::world::{What, World};

/// The topic that is forwarded, the one that groups read, and one that comes and goes.
pub const FORWARDED: &str = "events";
pub const PLAIN: &str = "plain";
pub const SCRATCH: &str = "scratch";
/// What identifies the one sink.
const SINK: &str = "collector";

/// The application of one page.
#[derive(Default)]
pub struct App {
    pub asked: BTreeMap<CallId, Asked>,
    /// Acknowledged on a relaxed commit, and not flushed since.
    unflushed: Vec<String>,
    pub readers: Vec<Reader>,
}

/// What an answer will be about.
pub enum Asked {
    Send { topic: &'static str, records: Vec<String>, strict: bool },
    Flush(Vec<String>),
    Create(&'static str),
    Join(usize),
    Step(usize),
    Fetch(usize),
    Commit(usize),
    Forward,
    Init(&'static str),
    Transaction(usize),
    MoverInit(usize, String),
    Move(usize, usize),
    Rewind(usize),
    Other,
}

impl World {
    /// A page is opened; its application forwards, and may read.
    pub fn open_page(&mut self, origin: usize, instance: Option<String>) -> PageId {
        let skew = if self.plan.has(Fault::Skew) {
            self.random.below(20 * 3_600_000) as i64 - 10 * 3_600_000
        } else {
            0
        };
        let seed = self.random.next_u64();
        let doubts_stalls = self.plan.mutant != Some(Mutant::NoStallRule);
        let options = NodeOptions { locks: self.plan.locks, doubts_stalls, ..NodeOptions::default() };
        self.pages.push(Page::new(origin, self.time, skew, seed, options, App::default()));
        let page = self.pages.len() - 1;
        self.say(|| format!("page {page} of {origin} opens"));
        for topic in [FORWARDED, PLAIN] {
            let partitions = self.plan.partitions;
            let config = TopicConfig::default();
            let create = Call::CreateTopic { name: topic.into(), partitions, config, validate_only: false };
            self.call(page, create, Asked::Create(topic));
        }
        self.forward(page);
        self.open_readers(page, instance);
        self.push(1, What::Act(page));
        page
    }

    /// The page forwards; where it could not begin to, it tries again.
    pub fn forward(&mut self, page: PageId) {
        if self.pages[page].runs() {
            let (topic, sink) = (FORWARDED.into(), SINK.into());
            let options = ForwardOptions { topic, sink, bytes_max: 600, linger_ms: self.plan.linger_ms };
            self.call(page, Call::Forward(1, options), Asked::Forward);
        } else if self.pages[page].alive() {
            self.push(1_000, What::Forward(page));
        }
    }

    pub fn call(&mut self, page: PageId, call: Call, asked: Asked) {
        self.calls += 1;
        self.pages[page].app.asked.insert(self.calls, asked);
        self.handle(page, Input::Calls(vec![(self.calls, call)]));
    }

    /// The application does something, if it can.
    pub fn act(&mut self, page: PageId) {
        if !self.pages[page].alive() || !self.faulty {
            return;
        }
        let most = 2 * self.plan.act_ms;
        let after = 1 + self.random.below(most);
        self.push(after, What::Act(page));
        if !self.pages[page].runs() {
            return;
        }
        let acts = if self.plan.has(Fault::Transact) { 26 } else { 24 };
        match self.random.below(acts) {
            0 => self.flush(page),
            1 => self.call(page, Call::ListBounds(PLAIN.into()), Asked::Other),
            2 => {
                let (topic, timestamp) = (FORWARDED.to_string(), START + self.random.below(60_000) as i64);
                self.call(page, Call::OffsetAt { topic, partition: 0, timestamp }, Asked::Other);
            }
            3 => {
                let (group, topic) = ("__forwarder".to_string(), FORWARDED.to_string());
                self.call(page, Call::CommittedOffsets { group, topic }, Asked::Other);
            }
            4 if self.happens(Fault::Admin, 2) => self.administer(page),
            24.. => self.transact(page),
            5..8 => {
                // What is sent in one turn shares a transaction.
                for _ in 0..1 + self.random.below(3) {
                    self.produce(page);
                }
            }
            _ => self.produce(page),
        }
    }

    fn administer(&mut self, page: PageId) {
        let call = match self.random.below(3) {
            0 => Call::DeleteTopic(SCRATCH.into()),
            which => {
                let topic = if which == 1 { PLAIN } else { FORWARDED }.to_string();
                Call::Trim { topic, partition: 0, before: None }
            }
        };
        self.call(page, call, Asked::Other);
    }

    fn produce(&mut self, page: PageId) {
        let topic = match self.random.below(8) {
            0..4 => FORWARDED,
            4..7 => PLAIN,
            _ => SCRATCH,
        };
        let strict = self.random.chance(1, 3);
        let mut frames = FrameWriter::default();
        let mut records = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            self.names += 1;
            let name = format!("r{}", self.names);
            if self.happens(Fault::Poison, 25) {
                self.broker.poison.insert(name.clone());
            }
            let key = format!("k{}", self.random.below(5));
            let keyed = self.random.chance(1, 2).then_some(key.as_bytes());
            let time = self.pages[page].now(self.time).timestamp;
            frames = frames.frame(-1, time, keyed, Some(name.as_bytes()));
            records.push(name);
        }
        let acks = if strict { Acks::All } else { Acks::Leader };
        let call = Call::Send {
            topic: topic.into(),
            frames: frames.0,
            acks,
            create: true,
            compression: Compression::None,
        };
        self.call(page, call, Asked::Send { topic, records, strict });
    }

    fn flush(&mut self, page: PageId) {
        let names = core::mem::take(&mut self.pages[page].app.unflushed);
        self.call(page, Call::Flush, Asked::Flush(names));
    }

    /// A call has ended.
    pub fn answered(&mut self, page: PageId, call: CallId, result: Result<Answer, Error>) {
        let Some(asked) = self.pages[page].app.asked.remove(&call) else {
            return self.violated(format!("answered: call {call} has two answers"));
        };
        match (asked, result) {
            (Asked::Send { topic, records, strict }, Ok(Answer::Sent(sent))) => {
                self.sent(page, topic, records, strict, &sent);
            }
            (Asked::Flush(names), Ok(_)) => {
                for name in names {
                    self.acknowledged.insert(name, true);
                }
            }
            (Asked::Flush(names), Err(_)) => self.pages[page].app.unflushed.extend(names),
            (Asked::Join(reader), result) => self.joined(page, reader, &result),
            (Asked::Step(reader), result) => self.stepped(page, reader, result),
            (Asked::Fetch(reader), result) => self.fetched(page, reader, result),
            (Asked::Init(id), result) => self.transactions_begun(page, id, result),
            (Asked::Transaction(number), result) => self.transaction_ended(number, &result),
            (Asked::Commit(reader), result) => self.commit_answered(page, reader, result),
            (Asked::MoverInit(reader, id), result) => self.mover_initialised(page, reader, &id, result),
            (Asked::Move(reader, number), result) => self.move_ended(page, reader, number, result),
            (Asked::Rewind(reader), result) => self.rewound(page, reader, &result),
            (Asked::Create(topic), Err(error)) if error.code() != Code::TopicAlreadyExists => {
                self.say(|| format!("page {page} cannot create {topic}: {error}"));
            }
            (Asked::Forward, Err(error)) if error.retriable() => self.push(1_000, What::Forward(page)),
            (_, Err(error)) if error.code() == Code::Internal => {
                self.violated(format!("internal: {error}"));
            }
            _ => {}
        }
    }

    /// The answer to a send names the place of every record, in the order in which they were sent.
    fn sent(
        &mut self,
        page: PageId,
        topic: &'static str,
        mut records: Vec<String>,
        strict: bool,
        sent: &[Sent],
    ) {
        let origin = self.pages[page].origin;
        for part in sent {
            for offset in part.base..part.base + i64::from(part.count) {
                let place = self.place_of(origin, &mut records, part.partition, offset);
                let Some((name, tp)) = place else {
                    return self.violated(format!("untrue: nothing was sent to {offset} of {topic}"));
                };
                self.check_acknowledged(origin, &name, tp, offset, strict);
                if !strict {
                    self.pages[page].app.unflushed.push(name);
                }
            }
        }
        if !records.is_empty() {
            self.violated(format!("untrue: no answer says where {records:?} are"));
        }
    }

    /// Which of the records was appended there: the first one of its partition that is left.
    fn place_of(
        &self,
        origin: usize,
        records: &mut Vec<String>,
        partition: i32,
        offset: i64,
    ) -> Option<(String, TopicPartition)> {
        let there = |name: &String| {
            let place = self.broker.places.get(name)?;
            let same = (place.profile, place.tp.partition, place.offset) == (origin, partition, offset);
            same.then_some(place.tp)
        };
        let at = records.iter().position(|name| there(name).is_some())?;
        let tp = there(&records[at])?;
        Some((records.remove(at), tp))
    }

    pub fn heard(&mut self, page: PageId, event: &Event) {
        self.hear_of_damage(page, event);
        if let Event::Forwarder(_, _, headwater::client::forwarder::Event::Stuck { error, .. }) = event {
            self.say(|| format!("page {page} is stuck: {error}"));
        }
    }

    /// A topic of this copy of the profile.
    pub fn topic(&self, origin: usize, name: &str) -> Option<TopicRow> {
        let row = self.origins[origin].database.disk.get(Store::Topics, &name.as_bytes().to_vec())?;
        TopicRow::decode(row).ok()
    }
}
