//! Which batches of a producer a log takes.
//!
//! Kafka's log holds the markers of transactions and knows which transactions are open; this one commits a transaction
//! at once and has neither. So the last stable offset and what a marker completes are not looked at, and the three
//! rules that open transactions add are played here, in [`Transactions`]. Everything else goes through the product: a
//! marker is a real control batch, which takes an offset, is held to its producer's epoch, and raises it.

use std::collections::{BTreeMap, BTreeSet};

use headwater::base::Timestamp;
use headwater::log::batch::{Attributes, BatchBuilder, BatchHeader, BatchOptions, check};
use headwater::log::producer_state::{Admission, PRODUCER_ID_EXPIRATION_MS, ProducerState};
use serde::Deserialize;

use crate::files::{integer, nullable_integer, read, run};

const SCENARIOS: usize = 9;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(flatten)]
    op: StepOp,
    #[serde(deserialize_with = "integer")]
    log_end_offset: i64,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum StepOp {
    Append {
        #[serde(deserialize_with = "integer")]
        producer_id: i64,
        producer_epoch: i16,
        base_sequence: i32,
        record_count: usize,
        transactional: bool,
        #[serde(flatten)]
        expect: Outcome,
    },
    EndTxnMarker {
        #[serde(deserialize_with = "integer")]
        producer_id: i64,
        producer_epoch: i16,
        #[serde(rename = "type")]
        kind: Marker,
        coordinator_epoch: i32,
        #[serde(flatten)]
        expect: Outcome,
    },
    ExpireIdleProducers,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Marker {
    Abort,
    Commit,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Outcome {
    error: Option<String>,
    duplicate: bool,
    #[serde(deserialize_with = "nullable_integer")]
    base_offset: Option<i64>,
}

impl Outcome {
    fn error(name: &str) -> Self {
        Self { error: Some(name.to_owned()), duplicate: false, base_offset: None }
    }

    fn stored(base_offset: i64, duplicate: bool) -> Self {
        Self { error: None, duplicate, base_offset: Some(base_offset) }
    }
}

#[test]
fn conformance_producer_state() {
    let file: File = read("producer_state_cases.json");
    run(
        "producer_state_cases.json",
        &file.cases,
        SCENARIOS,
        |case| case.name.clone(),
        |case| {
            let mut log = Log::default();
            for (index, step) in case.steps.iter().enumerate() {
                log.step(index, &step.op);
                assert_eq!(log.end, step.log_end_offset, "the log's end after step {index}");
            }
        },
    );
}

/// One partition's log as far as producers see it, each producer's state being the bytes of its row.
#[derive(Default)]
struct Log {
    end: i64,
    now: Timestamp,
    rows: BTreeMap<i64, Vec<u8>>,
    transactions: Transactions,
}

/// What Kafka's log knows of transactions beyond what this one does.
#[derive(Default)]
struct Transactions {
    open: BTreeSet<i64>,
    coordinator_epochs: BTreeMap<i64, i32>,
}

impl Log {
    fn step(&mut self, index: usize, op: &StepOp) {
        self.now += 1;
        match op {
            StepOp::Append {
                producer_id,
                producer_epoch,
                base_sequence,
                record_count,
                transactional,
                expect,
            } => {
                let header = batch(
                    *record_count,
                    BatchOptions {
                        attributes: Attributes::default().with_transactional(*transactional),
                        producer_id: *producer_id,
                        producer_epoch: *producer_epoch,
                        base_sequence: *base_sequence,
                        ..BatchOptions::default()
                    },
                );
                assert_eq!(self.append(&header), *expect, "append at step {index}");
            }
            StepOp::EndTxnMarker { producer_id, producer_epoch, kind, coordinator_epoch, expect } => {
                let header = marker(*kind, *coordinator_epoch, *producer_id, *producer_epoch);
                assert_eq!(
                    self.end_transaction(&header, *coordinator_epoch),
                    *expect,
                    "marker at step {index}"
                );
            }
            StepOp::ExpireIdleProducers => {
                self.now += PRODUCER_ID_EXPIRATION_MS;
                let (now, open) = (self.now, &self.transactions.open);
                self.rows.retain(|producer_id, row| {
                    let expired =
                        ProducerState::decode(row).unwrap().is_expired(now, PRODUCER_ID_EXPIRATION_MS);
                    open.contains(producer_id) || !expired
                });
            }
        }
    }

    fn append(&mut self, header: &BatchHeader) -> Outcome {
        // In a transaction there are only batches of the transaction; the rules of sequences come before that.
        let stray =
            self.transactions.open.contains(&header.producer_id) && !header.attributes.is_transactional();
        let outcome = self.admit(header, || stray.then_some("INVALID_TXN_STATE"));
        if outcome.error.is_none() && header.attributes.is_transactional() {
            self.transactions.open.insert(header.producer_id);
        }
        outcome
    }

    fn end_transaction(&mut self, header: &BatchHeader, coordinator_epoch: i32) -> Outcome {
        let newest = self.transactions.coordinator_epochs.get(&header.producer_id).copied();
        let old = newest.is_some_and(|newest| newest > coordinator_epoch);
        let outcome = self.admit(header, || old.then_some("TRANSACTION_COORDINATOR_FENCED"));
        if outcome.error.is_none() {
            self.transactions.open.remove(&header.producer_id);
            self.transactions.coordinator_epochs.insert(header.producer_id, coordinator_epoch);
        }
        outcome
    }

    /// Stores a batch that the product's rules admit and `refusal` does not refuse.
    fn admit(&mut self, header: &BatchHeader, refusal: impl Fn() -> Option<&'static str>) -> Outcome {
        let row = self.rows.get(&header.producer_id);
        let mut state = row.map(|row| ProducerState::decode(row).unwrap()).unwrap_or_default();
        if header.producer_id >= 0 {
            match state.check(header) {
                Err(error) => return Outcome::error(error.code().name()),
                Ok(Admission::Duplicate { base_offset }) => return Outcome::stored(base_offset, true),
                Ok(Admission::Append) => {}
            }
            if let Some(name) = refusal() {
                return Outcome::error(name);
            }
            state.record(header, self.end, self.now);
            self.rows.insert(header.producer_id, state.encode());
        }
        let base_offset = self.end;
        self.end += header.next_offset() - header.base_offset;
        Outcome::stored(base_offset, false)
    }
}

fn batch(records: usize, options: BatchOptions) -> BatchHeader {
    let mut builder = BatchBuilder::new(options);
    (0..records).for_each(|_| builder.push(0, None, Some(b"v"), &[]));
    check(&builder.finish()).unwrap()
}

fn marker(kind: Marker, coordinator_epoch: i32, producer_id: i64, producer_epoch: i16) -> BatchHeader {
    let attributes = Attributes::default().with_transactional(true).with_control(true);
    let mut builder = BatchBuilder::new(BatchOptions {
        attributes,
        producer_id,
        producer_epoch,
        ..BatchOptions::default()
    });
    let value = [[0, 0].as_slice(), &coordinator_epoch.to_be_bytes()].concat();
    builder.push(0, Some(&[0, 0, 0, kind as u8]), Some(&value), &[]);
    check(&builder.finish()).unwrap()
}
