//! What a request is answered, and under which HTTP status.

use serde::Serialize;

use super::registration::Signature;
use super::settings::Limits;
use crate::base::{Code, Error, Offset, Timestamp};

/// What became of one batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was stored, from this offset on; a sink that is no log has no offsets.
    Accepted(Option<Offset>),
    /// The same records were stored before, from this offset on.
    Duplicate(Offset),
    /// It can never be stored, for this reason; it is kept apart.
    DeadLettered(Error),
    /// It was not stored.
    Refused(Refusal),
}

/// Why a batch or a request was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    error: Error,
    status: u16,
    retriable: bool,
    retry_after_ms: Option<u64>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.code() {
            // The first half of a handshake, not a failure: a browser would report a 4xx on the page's console.
            Code::ProducerUnregistered => 202,
            Code::WriteKeyRefused => 403,
            Code::UnknownTopicOrPartition => 404,
            Code::OutOfOrderSequence | Code::InvalidProducerEpoch | Code::Diverged => 409,
            Code::MessageTooLarge => 413,
            Code::CorruptMessage | Code::InvalidRecord | Code::UnsupportedCompressionType => 422,
            Code::RateLimited => 429,
            Code::StorageCorrupt | Code::StorageNewerFormat | Code::Internal => 500,
            _ if error.retriable() => 503,
            _ => 400,
        };
        let retriable = error.retriable();
        Self { error, status, retriable, retry_after_ms: (status == 503).then_some(Self::STORAGE_WAIT_MS) }
    }
}

impl Refusal {
    /// What a sender should wait while the storage is not at its best.
    const STORAGE_WAIT_MS: u64 = 1_000;

    /// Bytes that were damaged or lost on the way: the same bytes may arrive better.
    pub(super) fn damaged(status: u16, message: impl Into<String>) -> Self {
        let error = Error::new(Code::CorruptMessage, message);
        Self { error, status, retriable: true, retry_after_ms: None }
    }

    /// Too much at once.
    pub(super) fn rate_limited(message: &str, retry_after_ms: u64) -> Self {
        let refusal = Self::from(Error::new(Code::RateLimited, message));
        Self { retry_after_ms: Some(retry_after_ms), ..refusal }
    }

    fn result(&self) -> &'static str {
        match (self.error.code(), self.status) {
            (Code::ProducerUnregistered, _) => "unregistered",
            (Code::OutOfOrderSequence, _) => "outOfOrder",
            (Code::InvalidProducerEpoch, _) => "fenced",
            (Code::Diverged, _) => "diverged",
            (_, 429 | 503) => "busy",
            _ => "refused",
        }
    }

    fn failure(&self) -> Failure {
        Failure { retriable: self.retriable, ..Failure::from(&self.error) }
    }
}

/// An answer in HTTP's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The JSON.
    pub body: String,
    /// How long to wait before another attempt.
    pub retry_after_ms: Option<u64>,
}

#[derive(Serialize)]
struct Failure {
    kind: &'static str,
    code: &'static str,
    message: String,
    retriable: bool,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().name(),
            code: error.code().name(),
            message: error.message().to_string(),
            retriable: error.retriable(),
        }
    }
}

/// One batch's part of the answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    topic: String,
    partition: i32,
    status: u16,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl Answer {
    pub(super) fn new(topic: String, partition: i32, outcome: &Outcome) -> Self {
        let (status, result, base, error) = match outcome {
            Outcome::Accepted(base) => (200, "accepted", *base, None),
            Outcome::Duplicate(base) => (200, "duplicate", Some(*base), None),
            Outcome::DeadLettered(error) => (200, "deadLettered", None, Some(Failure::from(error))),
            Outcome::Refused(refusal) => (refusal.status, refusal.result(), None, Some(refusal.failure())),
        };
        let retry_after_ms = match outcome {
            Outcome::Refused(refusal) => refusal.retry_after_ms,
            _ => None,
        };
        let base_offset = base.map(|offset| offset.to_string());
        Self {
            topic,
            partition,
            status,
            result,
            base_offset,
            partitions: None,
            signature: None,
            signed_at: None,
            error,
            retry_after_ms,
        }
    }

    pub(super) fn with_partitions(self, partitions: Option<i32>) -> Self {
        Self { partitions, ..self }
    }

    pub(super) fn signed(self, signature: Signature) -> Self {
        Self { signature: Some(signature.text), signed_at: Some(signature.signed_at), ..self }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    v: u32,
    time: Timestamp,
    limits: Announced,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<&'a [Answer]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Announced {
    request_bytes: usize,
    batch_bytes: usize,
}

/// The whole answer. Its status is what all parts agree on, or 207.
pub(super) fn respond(
    now: Timestamp,
    limits: &Limits,
    answers: &[Answer],
    refusal: Option<&Refusal>,
) -> Response {
    let mut statuses =
        answers.iter().map(|answer| answer.status).chain(refusal.map(|refusal| refusal.status));
    let first = statuses.next().unwrap_or(200);
    let status = if statuses.all(|status| status == first) { first } else { 207 };
    let waits = answers.iter().filter_map(|answer| answer.retry_after_ms);
    let retry_after_ms = waits.chain(refusal.and_then(|refusal| refusal.retry_after_ms)).max();
    let envelope = Envelope {
        v: 1,
        time: now,
        limits: Announced { request_bytes: limits.request_bytes, batch_bytes: limits.batch_bytes },
        answers: (!answers.is_empty()).then_some(answers),
        error: refusal.map(Refusal::failure),
    };
    Response { status, body: json(&envelope), retry_after_ms }
}

/// The answer to what is no ingest request: an error alone.
pub(super) fn failed(error: Error) -> Response {
    #[derive(Serialize)]
    struct Failed {
        error: Failure,
    }
    let refusal = Refusal::from(error);
    let body = json(&Failed { error: refusal.failure() });
    Response { status: refusal.status, body, retry_after_ms: refusal.retry_after_ms }
}

/// The JSON of a value that has no maps with keys of other types, so that nothing can go wrong.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
