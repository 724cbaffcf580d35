//! What a log holds, as JSON for people and tests.

use serde::Serialize;

use super::answer::{self, Response};
use super::base64;
use crate::base::{Code, Error, Offset, Timestamp, TopicPartition};
use crate::log::batch::{self, BatchHeader, Record};
use crate::log::ops::{Bounds, Fetch, Fetched};
use crate::log::{HW_ID, TopicRow};

/// The answer to a request that failed as a whole.
pub fn failed(error: Error) -> Response {
    answer::failed(error)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    partition: i32,
    log_start_offset: String,
    high_watermark: String,
}

#[derive(Serialize)]
struct Topic<'a> {
    topic: &'a str,
    partitions: Vec<Partition>,
}

/// All topics with the ends of their partitions, which `bounds` gives one after another.
pub fn describe_topics<'a>(
    topics: impl IntoIterator<Item = (&'a String, &'a TopicRow)>,
    bounds: &[Bounds],
) -> Response {
    #[derive(Serialize)]
    struct Topics<'a> {
        topics: Vec<Topic<'a>>,
    }
    let mut bounds = bounds.iter();
    let describe = |(name, row): (&'a String, &'a TopicRow)| {
        let partitions = (0..row.partitions).zip(bounds.by_ref()).map(|(partition, bounds)| Partition {
            partition,
            log_start_offset: bounds.start.to_string(),
            high_watermark: bounds.end.to_string(),
        });
        Topic { topic: name, partitions: partitions.collect() }
    };
    let topics = Topics { topics: topics.into_iter().map(describe).collect() };
    Response { status: 200, body: answer::json(&topics), retry_after_ms: None }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    key: String,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<&'static str>,
}

/// Who gave the record its place in the order of its partition.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    producer_id: String,
    epoch: i16,
    sequence: i32,
    hw_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    offset: String,
    timestamp: Timestamp,
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<&'static str>,
    headers: Vec<Header>,
    identity: Identity,
}

/// A page of records: some of a partition from an offset on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordsPage {
    topic: String,
    partition: i32,
    log_start_offset: String,
    high_watermark: String,
    next_offset: String,
    records: Vec<Item>,
    #[serde(skip)]
    reading: Reading,
}

struct Reading {
    tp: TopicPartition,
    next: Offset,
    limit: usize,
    bytes: usize,
    done: bool,
}

impl RecordsPage {
    /// The most records of a page.
    pub const LIMIT_MAX: usize = 1_000;
    /// What a page may carry before it ends; what comes next is a page of its own.
    const BYTES: usize = 1 << 20;
    const BATCHES_A_FETCH: usize = 16;

    /// A page that begins at `offset`.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`] for a limit or an offset that cannot be, [`Code::UnknownTopicOrPartition`].
    pub fn begin(
        topic: &str,
        row: Option<&TopicRow>,
        partition: i32,
        offset: Offset,
        limit: usize,
    ) -> Result<Self, Error> {
        if !(1..=Self::LIMIT_MAX).contains(&limit) || offset < 0 {
            let message = format!("\"limit\" is 1 to {}, and \"offset\" is 0 or more", Self::LIMIT_MAX);
            return Err(Error::new(Code::InvalidRequest, message));
        }
        let Some(row) = row.filter(|row| (0..row.partitions).contains(&partition)) else {
            let message = format!("there is no partition {partition} of a topic \"{topic}\" here");
            return Err(Error::new(Code::UnknownTopicOrPartition, message));
        };
        let tp = TopicPartition { topic: row.id, partition };
        Ok(Self {
            topic: topic.to_string(),
            partition,
            log_start_offset: String::new(),
            high_watermark: String::new(),
            next_offset: offset.to_string(),
            records: Vec::new(),
            reading: Reading { tp, next: offset, limit, bytes: 0, done: false },
        })
    }

    /// What to read next; `None` where the page is complete.
    pub fn fetch(&self) -> Option<Fetch> {
        let Reading { tp, next, done, .. } = self.reading;
        (!done).then_some(Fetch { tp, offset: next, batches_max: Self::BATCHES_A_FETCH })
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// [`Code::OffsetOutOfRange`] beyond the end, and where a stored batch cannot be read.
    pub fn add(&mut self, fetched: &Fetched) -> Result<(), Error> {
        let reading = &mut self.reading;
        if reading.next > fetched.end {
            let message = format!("offset {} lies beyond the end, {}", reading.next, fetched.end);
            return Err(Error::new(Code::OffsetOutOfRange, message));
        }
        self.log_start_offset = fetched.start.to_string();
        self.high_watermark = fetched.end.to_string();
        // What lay before the log start offset was deleted: the page begins where the log does.
        reading.next = reading.next.max(fetched.start);
        'page: for bytes in &fetched.batches {
            let header = BatchHeader::read(bytes)?;
            for record in batch::records(bytes)? {
                let record = record?;
                if record.offset < reading.next {
                    continue;
                }
                if self.records.len() == reading.limit || reading.bytes > Self::BYTES {
                    break 'page;
                }
                reading.next = record.offset + 1;
                reading.bytes += record.value.map_or(0, <[u8]>::len) + record.raw_headers().1.len();
                self.records.push(item(&header, &record)?);
            }
            reading.next = reading.next.max(header.next_offset());
        }
        reading.done = fetched.batches.is_empty()
            || reading.next >= fetched.end
            || self.records.len() == reading.limit
            || reading.bytes > Self::BYTES;
        self.next_offset = reading.next.to_string();
        Ok(())
    }

    /// The page.
    pub fn finish(&self) -> Response {
        Response { status: 200, body: answer::json(self), retry_after_ms: None }
    }
}

fn item(header: &BatchHeader, record: &Record<'_>) -> Result<Item, Error> {
    let mut headers = Vec::new();
    let mut hw_id = None;
    for header in record.headers() {
        let (key, bytes) = header?;
        if key == HW_ID {
            hw_id = bytes.and_then(identify);
        }
        let (value, value_encoding) = text(bytes);
        headers.push(Header { key: String::from_utf8_lossy(key).into_owned(), value, value_encoding });
    }
    let (key, key_encoding) = text(record.key);
    let (value, value_encoding) = text(record.value);
    let (epoch, sequence) = (header.producer_epoch, record.sequence);
    let identity = Identity { producer_id: header.producer_id.to_string(), epoch, sequence, hw_id };
    Ok(Item {
        offset: record.offset.to_string(),
        timestamp: record.timestamp,
        key,
        key_encoding,
        value,
        value_encoding,
        headers,
        identity,
    })
}

/// Bytes as JSON can carry them: as text where they are, and else in base64, which is said beside it.
fn text(bytes: Option<&[u8]>) -> (Option<String>, Option<&'static str>) {
    match bytes.map(core::str::from_utf8) {
        None => (None, None),
        Some(Ok(text)) => (Some(text.to_string()), None),
        Some(Err(_)) => (bytes.map(base64::encode), Some("base64")),
    }
}

/// Twelve bytes that name the record for ever, in hexadecimal.
fn identify(bytes: &[u8]) -> Option<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    (bytes.len() == 12).then(|| bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect())
}
