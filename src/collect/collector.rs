use std::collections::{BTreeMap, BTreeSet};

use super::answer::{self, Answer, Outcome, Refusal, Response};
use super::inspect::{Inspected, inspect};
use super::letter::{DEAD_LETTERS, Letter};
use super::ops::{Entry, Opened};
use super::registration::{Allowances, Signature, Signer};
use super::request::{Listed, Request};
use super::settings::Settings;
use crate::base::{Code, Error, ProducerId, Random, Timestamp, TopicConfig, TopicId, TopicPartition};
use crate::log::TopicRow;
use crate::log::batch::BatchHeader;
use crate::log::ops::CreateTopic;

/// The rules of one collector, and what it must know of its log to apply them.
pub struct Collector {
    settings: Settings,
    signer: Option<Signer>,
    allowances: Allowances,
    topics: BTreeMap<String, TopicRow>,
    random: Random,
}

/// What came of a request at the door.
pub enum Admitted {
    /// These are to be kept; then [`Collector::respond`].
    Intake(Intake, Vec<Wanted>),
    /// This is the answer already.
    Response(Response),
}

/// A request that was let in: what is to be answered once the fate of its batches is known.
pub struct Intake {
    write_key: String,
    parcels: Vec<Parcel>,
    surplus: Option<Refusal>,
}

struct Parcel {
    topic: String,
    partition: i32,
    /// The producer id, where it may have a fresh signature.
    registered: Option<ProducerId>,
    /// What became of it; `None` where that is decided by those who keep it.
    outcome: Option<Outcome>,
}

/// Something to be kept.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A batch for its topic.
    Batch {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// How many partitions the sender has.
        partitions: i32,
        /// Its header.
        header: BatchHeader,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A batch to be kept apart.
    Dead(Letter),
}

impl Wanted {
    /// Its bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Batch { bytes, .. } => bytes.len(),
            Self::Dead(letter) => letter.bytes.len(),
        }
    }

    /// The topic that takes it, and how many partitions a new one needs.
    fn destination(&self) -> (String, i32) {
        match self {
            Self::Batch { topic, partitions, .. } => (topic.clone(), *partitions),
            Self::Dead(letter) => (letter.topic(), 1),
        }
    }
}

/// Kafka allows 249 characters; the dead letters of a topic need some.
const TOPIC_BYTES_MAX: usize = 249 - DEAD_LETTERS.len();

impl Collector {
    /// A collector whose choices follow from `seed`.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let signer = Signer::new(&settings.secret);
        let allowances = Allowances::new(settings.limits.registrations_per_minute);
        let mut random = Random::new(seed);
        let fixed = settings.topics.as_deref().unwrap_or_default().iter();
        let topics =
            fixed.map(|(name, partitions)| (name.clone(), topic(&mut random, *partitions))).collect();
        Self { settings, signer, allowances, topics, random }
    }

    /// The log was opened: these are its topics, and its secret where the settings name none. Answers the topics
    /// that are missing or too small, to be created before anything is admitted.
    pub fn opened(&mut self, opened: Opened) -> Vec<CreateTopic> {
        if self.signer.is_none() {
            self.signer = Signer::new(&opened.secret);
        }
        self.topics = opened.topics;
        let fixed = self.settings.topics.clone().unwrap_or_default();
        fixed.into_iter().map(|(name, partitions)| self.creation(name, partitions)).collect()
    }

    /// What the settings ask for.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every topic that is known.
    pub fn topics(&self) -> &BTreeMap<String, TopicRow> {
        &self.topics
    }

    /// Checks a request and each of its batches.
    pub fn admit(&mut self, now: Timestamp, body: &[u8], address: &str) -> Admitted {
        match self.try_admit(now, body, address) {
            Ok((intake, wanted)) => Admitted::Intake(intake, wanted),
            Err(refusal) => {
                Admitted::Response(answer::respond(now, &self.settings.limits, &[], Some(&refusal)))
            }
        }
    }

    fn try_admit(
        &mut self,
        now: Timestamp,
        body: &[u8],
        address: &str,
    ) -> Result<(Intake, Vec<Wanted>), Refusal> {
        let request = Request::read(body, &self.settings.limits)?;
        let known = self.settings.write_keys.as_ref().is_none_or(|keys| keys.contains(&request.write_key));
        if !known {
            let message =
                "this write key is not known here: give the tracker one of the collector's write keys";
            return Err(Error::new(Code::WriteKeyRefused, message).into());
        }
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        let mut parcels = Vec::with_capacity(request.batches.len());
        let mut door = Door { now, address, write_key: &request.write_key, seen: &mut seen };
        for (listed, bytes) in request.batches {
            let (topic, partition) = (listed.topic.clone(), listed.partition);
            let mut registered = None;
            let judged = bytes.and_then(|bytes| self.judge(&mut door, listed, bytes, &mut registered));
            let outcome = match judged {
                Ok(batch) => {
                    wanted.push(batch);
                    None
                }
                Err(refusal) => Some(Outcome::Refused(refusal)),
            };
            parcels.push(Parcel { topic, partition, registered, outcome });
        }
        Ok((Intake { write_key: request.write_key, parcels, surplus: request.surplus }, wanted))
    }

    /// One batch: whole, for a topic that there is, of a producer that is registered.
    fn judge(
        &mut self,
        door: &mut Door<'_>,
        listed: Listed,
        bytes: &[u8],
        registered: &mut Option<ProducerId>,
    ) -> Result<Wanted, Refusal> {
        let Inspected { header, unacceptable } = inspect(bytes, self.settings.limits.batch_bytes)?;
        self.check_topic(&listed)?;
        if !door.seen.insert((header.producer_id, listed.topic.clone(), listed.partition)) {
            let message =
                "a request carries at most one batch of a producer for a partition: send it by itself";
            return Err(Error::new(Code::InvalidRequest, message).into());
        }
        self.check_registration(door, &listed, header.producer_id, registered)?;
        let Listed { topic, partition, partitions, .. } = listed;
        let bytes = bytes.to_vec();
        Ok(match unacceptable {
            Some(error) => Wanted::Dead(Letter { topic, partition, header, bytes, error }),
            None => Wanted::Batch { topic, partition, partitions, header, bytes },
        })
    }

    fn check_topic(&self, listed: &Listed) -> Result<(), Refusal> {
        let name = listed.topic.as_str();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let well_formed = !name.is_empty() && !matches!(name, "." | "..") && name.bytes().all(legal);
        if !well_formed || name.len() > TOPIC_BYTES_MAX || name.ends_with(DEAD_LETTERS) {
            let message = format!(
                "a topic has a name of 1 to {TOPIC_BYTES_MAX} ASCII letters, digits, '.', '_' and '-', which does \
                 not end in {DEAD_LETTERS}"
            );
            return Err(Error::new(Code::InvalidTopic, message).into());
        }
        if self.settings.topics.as_ref().is_some_and(|fixed| !fixed.iter().any(|(topic, _)| topic == name)) {
            return Err(self.unknown_topic(name).into());
        }
        let partitions = match self.topics.get(name) {
            Some(row) => row.partitions,
            None => listed.partitions.clamp(1, self.settings.limits.partitions),
        };
        if (0..partitions).contains(&listed.partition) {
            return Ok(());
        }
        let message =
            format!("topic \"{name}\" has {partitions} partitions here, and none is {}", listed.partition);
        Err(Error::new(Code::UnknownTopicOrPartition, message).into())
    }

    fn unknown_topic(&self, name: &str) -> Error {
        let message = if self.settings.topics.is_none() {
            let limit = self.settings.limits.topics;
            format!(
                "there is no topic \"{name}\" here, and the {limit} topics that may be created are there already"
            )
        } else {
            format!("there is no topic \"{name}\" here: name it when the collector is started")
        };
        Error::new(Code::UnknownTopicOrPartition, message)
    }

    fn check_registration(
        &mut self,
        door: &Door<'_>,
        listed: &Listed,
        producer_id: ProducerId,
        registered: &mut Option<ProducerId>,
    ) -> Result<(), Refusal> {
        let Some(signer) = &self.signer else {
            return Err(
                Error::new(Code::Internal, "the collector has no secret: its log was not opened").into()
            );
        };
        let brought = listed.signature.clone().zip(listed.signed_at);
        let brought = brought.map(|(text, signed_at)| Signature { text, signed_at });
        if brought.is_some_and(|signature| signer.holds(&signature, producer_id, door.now, door.write_key)) {
            *registered = Some(producer_id);
            return Ok(());
        }
        if let Err(wait_ms) = self.allowances.take(door.address, door.now) {
            let message = "this address has registered as many producers as it may for now";
            return Err(Refusal::rate_limited(message, wait_ms));
        }
        *registered = Some(producer_id);
        let message =
            "the producer id is not signed, or its signature ran out: send again with the one given here";
        Err(Error::new(Code::ProducerUnregistered, message).into())
    }

    /// The topics that have to be created before these are stored.
    pub fn missing(&mut self, wanted: &[Wanted]) -> Vec<CreateTopic> {
        let mut missing: BTreeMap<String, i32> = BTreeMap::new();
        for (topic, partitions) in wanted.iter().map(Wanted::destination) {
            if !self.topics.contains_key(&topic) {
                let most = missing.entry(topic).or_default();
                *most = partitions.max(*most);
            }
        }
        let letters = |name: &String| name.ends_with(DEAD_LETTERS);
        let own = self.topics.keys().filter(|name| !letters(name)).count();
        let mut room = self.settings.limits.topics.saturating_sub(own);
        let most = self.settings.limits.partitions;
        let mut creations = Vec::new();
        for (name, partitions) in missing {
            if letters(&name) {
                creations.push(self.creation(name, 1));
            } else if room > 0 {
                room -= 1;
                creations.push(self.creation(name, partitions.clamp(1, most)));
            }
        }
        creations
    }

    fn creation(&mut self, name: String, partitions: i32) -> CreateTopic {
        let TopicRow { id, partitions, config, .. } = topic(&mut self.random, partitions);
        CreateTopic { name, id, partitions, config, validate_only: false }
    }

    /// A topic is there now.
    pub fn created(&mut self, name: String, row: TopicRow) {
        self.topics.insert(name, row);
    }

    /// What is to be stored where.
    ///
    /// # Errors
    /// [`Code::UnknownTopicOrPartition`] where the topic is not there, or is smaller than the sender thinks.
    pub fn entry(&self, now: Timestamp, wanted: &Wanted) -> Result<Entry, Error> {
        let (topic, _) = wanted.destination();
        let row = self.topics.get(&topic).ok_or_else(|| self.unknown_topic(&topic))?;
        let place = |partition: i32| TopicPartition { topic: row.id, partition };
        Ok(match wanted {
            Wanted::Batch { partition, header, bytes, .. } => {
                Entry { tp: place(*partition), header: header.clone(), bytes: bytes.clone(), dead: false }
            }
            Wanted::Dead(letter) => {
                Entry { tp: place(0), header: letter.header.clone(), bytes: letter.encode(now), dead: true }
            }
        })
    }

    /// The answer, once those who keep the batches have decided: one outcome for each that was wanted, in order.
    pub fn respond(&self, now: Timestamp, intake: Intake, outcomes: Vec<Outcome>) -> Response {
        let Intake { write_key, parcels, surplus } = intake;
        let mut outcomes = outcomes.into_iter();
        let answers: Vec<Answer> = parcels
            .into_iter()
            .map(|parcel| {
                let partitions = self.topics.get(&parcel.topic).map(|row| row.partitions);
                let outcome = parcel.outcome.or_else(|| outcomes.next());
                let outcome = outcome.unwrap_or_else(|| Outcome::Refused(undecided().into()));
                let answer =
                    Answer::new(parcel.topic, parcel.partition, &outcome).with_partitions(partitions);
                match (&self.signer, parcel.registered) {
                    (Some(signer), Some(id)) => answer.signed(signer.sign(id, now, &write_key)),
                    _ => answer,
                }
            })
            .collect();
        answer::respond(now, &self.settings.limits, &answers, surplus.as_ref())
    }
}

/// What the batches of one request are checked against.
struct Door<'a> {
    now: Timestamp,
    address: &'a str,
    write_key: &'a str,
    seen: &'a mut BTreeSet<(ProducerId, String, i32)>,
}

fn topic(random: &mut Random, partitions: i32) -> TopicRow {
    TopicRow { id: TopicId(random.bytes16()), partitions, config: TopicConfig::default(), sink: None }
}

fn undecided() -> Error {
    Error::new(Code::Internal, "nobody said what became of this batch")
}
