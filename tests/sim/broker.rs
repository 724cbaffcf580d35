//! Any number of stateless collectors in front of one broker, by the table that was measured on a real one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headwater::base::{Error, Offset, ProducerId, Sequence, Timestamp, TopicPartition};
use headwater::client::forwarder::{Answered, Delivery, Failure, Outcome, WireBatch};
use headwater::log::batch::{Record, check, records};
use headwater::log::{HW_ID, HW_TIMESTAMP, HW_UNCERTAIN};

const HOUR: Timestamp = 3_600_000;

/// A record as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub name: String,
    pub id: Vec<u8>,
    pub uncertain: bool,
}

#[derive(Clone, Debug)]
pub struct Batch {
    partition: i32,
    producer_id: ProducerId,
    epoch: i16,
    first: Sequence,
    last: Sequence,
    pub records: Vec<Arrived>,
}

/// What a partition remembers of a producer.
struct Known {
    epoch: i16,
    /// Its last five batches, as places in the log.
    batches: VecDeque<usize>,
    at: Timestamp,
}

/// Where a record lies in the log that it was appended to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub profile: usize,
    pub tp: TopicPartition,
    pub offset: Offset,
}

pub struct Broker {
    pub log: Vec<Batch>,
    known: BTreeMap<(i32, ProducerId), Known>,
    pub partitions: i32,
    pub batch_bytes: usize,
    /// A duplicate is acknowledged only after the original was read; a mutant does not read it.
    pub reads_originals: bool,
    /// Records of these names are refused for ever.
    pub poison: BTreeSet<String>,
    /// Everything that was ever stored, in a topic or among the dead letters.
    pub ever: BTreeSet<String>,
    pub dead: BTreeSet<String>,
    /// Everything that was given up before it was sent.
    pub given_up: BTreeSet<String>,
    /// What was appended once more, for a reason.
    pub excused: BTreeSet<String>,
    pub places: BTreeMap<String, Place>,
    /// What was sent from each place.
    pub sent: BTreeMap<Place, String>,
    delivered_to: BTreeMap<(usize, TopicPartition), Offset>,
    ids: BTreeMap<(i32, Vec<u8>), String>,
    pub violations: Vec<String>,
    pub uncertain: usize,
}

enum Verdict {
    Appended,
    Duplicate { same: bool },
    OutOfOrder,
    Fenced,
}

impl Broker {
    const REMEMBERED: usize = 5;

    pub fn new(partitions: i32) -> Self {
        Self {
            log: Vec::new(),
            known: BTreeMap::new(),
            partitions,
            batch_bytes: usize::MAX,
            reads_originals: true,
            poison: BTreeSet::new(),
            ever: BTreeSet::new(),
            dead: BTreeSet::new(),
            given_up: BTreeSet::new(),
            excused: BTreeSet::new(),
            places: BTreeMap::new(),
            sent: BTreeMap::new(),
            delivered_to: BTreeMap::new(),
            ids: BTreeMap::new(),
            violations: Vec::new(),
            uncertain: 0,
        }
    }

    /// A request arrives at a collector.
    pub fn receive(&mut self, now: Timestamp, batches: &[WireBatch]) -> Delivery {
        let answers = batches.iter().map(|batch| self.answer(now, batch)).collect();
        Delivery { failure: None, answers, limits: None }
    }

    fn answer(&mut self, now: Timestamp, batch: &WireBatch) -> Answered {
        let fresh = Some((sign(batch.producer_id, now), now));
        let answer = |outcome| Answered {
            outcome,
            partitions: Some(self.partitions),
            signature: fresh.clone(),
            failure: None,
        };
        if batch.partition >= self.partitions {
            let failure = Failure {
                code: "UNKNOWN_TOPIC_OR_PARTITION".into(),
                message: String::new(),
                retriable: false,
                retry_after_ms: None,
            };
            return Answered { failure: Some(failure), ..answer(Outcome::Refused) };
        }
        let signed = batch.signature == sign(batch.producer_id, batch.signed_at) && batch.signed_at > 0;
        if !signed || now - batch.signed_at > HOUR {
            return answer(Outcome::Unregistered);
        }
        let mut answer = answer(Outcome::Accepted);
        let arrived = decode(batch);
        let poisoned = arrived.records.iter().any(|record| self.poison.contains(&record.name));
        answer.outcome = if poisoned || batch.bytes.len() > self.batch_bytes {
            self.dead.extend(arrived.records.into_iter().map(|record| record.name));
            Outcome::DeadLettered
        } else {
            match self.produce(now, arrived) {
                Verdict::Appended => Outcome::Accepted,
                Verdict::Duplicate { same } if same || !self.reads_originals => Outcome::Duplicate,
                Verdict::Duplicate { .. } => Outcome::Diverged,
                Verdict::OutOfOrder => Outcome::OutOfOrder,
                Verdict::Fenced => Outcome::Fenced,
            }
        };
        answer
    }

    fn produce(&mut self, now: Timestamp, batch: Batch) -> Verdict {
        let producer = (batch.partition, batch.producer_id);
        self.known.retain(|_, known| now - known.at <= 24 * HOUR);
        if let Some(known) = self.known.get(&producer) {
            let log = &self.log;
            let original = known.batches.iter().map(|at| &log[*at]).find(|stored| {
                (stored.epoch, stored.first, stored.last) == (batch.epoch, batch.first, batch.last)
            });
            if let Some(stored) = original {
                return Verdict::Duplicate { same: ids(stored) == ids(&batch) };
            }
            let last = known.batches.back().map(|at| log[*at].last);
            if batch.epoch < known.epoch {
                return Verdict::Fenced;
            }
            let follows = last.map_or(0, |last| last.wrapping_add(1) & Sequence::MAX);
            let next = if batch.epoch > known.epoch { 0 } else { follows };
            if batch.first != next {
                return Verdict::OutOfOrder;
            }
        }
        self.check(&batch);
        self.log.push(batch);
        self.remember(now, self.log.len() - 1);
        Verdict::Appended
    }

    fn remember(&mut self, now: Timestamp, at: usize) {
        let batch = &self.log[at];
        let producer = (batch.partition, batch.producer_id);
        let fresh = || Known { epoch: batch.epoch, batches: VecDeque::new(), at: now };
        let known = self.known.entry(producer).or_insert_with(fresh);
        if known.epoch != batch.epoch {
            *known = fresh();
        }
        known.at = now;
        known.batches.push_back(at);
        if known.batches.len() > Self::REMEMBERED {
            known.batches.pop_front();
        }
    }

    /// What an append may break.
    fn check(&mut self, batch: &Batch) {
        for record in &batch.records {
            let copies = || {
                let all = self.log.iter().flat_map(|batch| &batch.records);
                all.filter(|other| other.name == record.name)
            };
            let excused = self.excused.contains(&record.name);
            if !record.uncertain && !excused && copies().any(|other| !other.uncertain) {
                self.violations.push(format!("doubled: {} is there twice and does not say so", record.name));
            } else if !record.uncertain && !excused && copies().next().is_some() {
                self.violations.push(format!("later: an unmarked {} follows a marked one", record.name));
            }
            let before = self.ids.insert((batch.partition, record.id.clone()), record.name.clone());
            if before.is_some_and(|before| before != record.name) {
                self.violations.push(format!("hw-id: {} has the name of another record", record.name));
            }
            self.uncertain += usize::from(record.uncertain);
            let place = self.places.get(&record.name).copied().expect("what arrives was appended somewhere");
            self.sent.insert(place, record.name.clone());
            let reached = self.delivered_to.entry((place.profile, place.tp)).or_insert(-1);
            let first = self.ever.insert(record.name.clone());
            // Which of two places a record came from that was appended once more, nobody can say.
            if excused {
                continue;
            }
            if first && place.offset < *reached && !self.given_up.contains(&record.name) {
                self.violations.push(format!("order: {} comes after what follows it", record.name));
            }
            *reached = place.offset.max(*reached);
        }
    }

    /// The broker restarts: it knows the last batch of each producer.
    pub fn restart(&mut self) {
        for known in self.known.values_mut() {
            known.batches = known.batches.pop_back().into_iter().collect();
        }
    }

    /// An unclean election loses the end of the log, a topic that is made anew loses all of it.
    pub fn lose(&mut self, now: Timestamp, keep: usize) {
        self.log.truncate(keep);
        self.known.clear();
        for at in 0..self.log.len() {
            self.remember(now, at);
        }
    }
}

fn ids(batch: &Batch) -> Vec<&[u8]> {
    batch.records.iter().map(|record| record.id.as_slice()).collect()
}

pub fn sign(producer_id: ProducerId, at: Timestamp) -> Vec<u8> {
    [producer_id.to_be_bytes(), at.to_be_bytes()].concat()
}

/// Reads a wire batch, and checks that it is what it says it is.
fn decode(batch: &WireBatch) -> Batch {
    let header = check(&batch.bytes).expect("a wire batch is a whole record batch");
    assert_eq!((header.producer_id, header.producer_epoch), (batch.producer_id, batch.epoch));
    assert_eq!(header.base_sequence, batch.base_sequence);
    assert_eq!(i64::from(header.record_count), batch.last - batch.first + 1);
    assert!((1 << 61..1 << 62).contains(&header.producer_id));
    let read = |record: Result<Record<'_>, Error>| {
        let record = record.expect("whole");
        let header = |wanted: &[u8]| {
            record
                .headers()
                .map(Result::unwrap)
                .find(|(key, _)| *key == wanted)
                .map(|(_, value)| value.unwrap())
        };
        assert_eq!(header(HW_TIMESTAMP), Some(record.timestamp.to_be_bytes().as_slice()));
        Arrived {
            name: String::from_utf8(record.value.expect("a value").to_vec()).unwrap(),
            id: header(HW_ID).expect("every record has its id").to_vec(),
            uncertain: header(HW_UNCERTAIN).is_some(),
        }
    };
    let records: Vec<Arrived> = records(&batch.bytes).expect("uncompressed").map(read).collect();
    assert_eq!(batch.uncertain, records[0].uncertain);
    Batch {
        partition: batch.partition,
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        first: header.base_sequence,
        last: header.last_sequence(),
        records,
    }
}
