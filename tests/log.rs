//! The log's operations and the producer's machine, over rows in memory, with the faults of real storage.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use headwater::base::{Code, Error, Now, Offset, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::forwarder::DeliveryRow;
use headwater::client::producer::{CallId, Output, Producer};
use headwater::client::retention::{Retention, Step};
use headwater::log::batch::{BatchHeader, records};
use headwater::log::ops::{
    ClaimSink, CreateTopic, DeleteTopic, Fetch, ListBounds, ListOffsets, ListedOffset, Measure, OffsetSpec,
    Trim,
};
use headwater::log::{Durability, Store, TopicRow, partition_key};
use proptest::prelude::*;
use support::{FrameWriter, Table};

const NAME: &str = "events";

fn created(table: &mut Table, partitions: i32) -> TopicRow {
    let id = TopicId([7; 16]);
    let config = TopicConfig::default();
    let create = CreateTopic { name: NAME.into(), id, partitions, config, validate_only: false };
    table.run(&create).unwrap().topic
}

fn producer(table: &mut Table, row: &TopicRow, seed: u64) -> Producer {
    let mut producer = Producer::new(seed as i64 + 1, Random::new(seed));
    let partitions: Vec<_> = row.topic_partitions().collect();
    let bounds = table.run(&ListBounds { partitions: partitions.clone() }).unwrap();
    partitions.into_iter().zip(bounds).for_each(|(tp, bounds)| producer.learn(tp, bounds));
    producer
}

/// Runs what the producer wants stored until nothing is left; answers the calls that ended.
fn run(table: &mut Table, producer: &mut Producer) -> Vec<(CallId, Result<Vec<Offset>, Error>)> {
    let mut done = Vec::new();
    while let Some(output) = producer.poll() {
        match output {
            Output::Store(append) => {
                let result = table.run(&*append);
                producer.stored(Now::default(), result);
            }
            Output::Done(call, result) => {
                done.push((call, result.map(|sent| sent.iter().map(|sent| sent.base).collect())));
            }
            Output::Appended(..) => {}
        }
    }
    done
}

fn send(
    table: &mut Table,
    producer: &mut Producer,
    row: &TopicRow,
    call: CallId,
    values: &[&str],
) -> Vec<Offset> {
    let frames = values.iter().fold(FrameWriter::default(), |frames, value| {
        frames.frame(0, 1_000 + call as i64, None, Some(value.as_bytes()))
    });
    producer.send(call, row, &frames.0, Durability::Relaxed).unwrap();
    run(table, producer).pop().unwrap().1.unwrap()
}

fn values(table: &mut Table, tp: TopicPartition, from: Offset) -> Vec<(Offset, String)> {
    let mut found = Vec::new();
    let mut next = from;
    loop {
        let fetched = table.run(&Fetch { tp, offset: next, batches_max: 3 }).unwrap();
        let Some(last) = fetched.batches.last() else { return found };
        for batch in &fetched.batches {
            for record in records(batch).unwrap() {
                let record = record.unwrap();
                if record.offset >= next {
                    found.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
                }
            }
        }
        next = BatchHeader::read(last).unwrap().next_offset();
    }
}

#[test]
fn offsets_are_dense_and_a_fetch_may_begin_inside_a_batch() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    assert_eq!(send(&mut table, &mut one, &row, 1, &["a", "b", "c"]), [0]);
    assert_eq!(send(&mut table, &mut one, &row, 2, &["d"]), [3]);
    let tp = row.topic_partitions().next().unwrap();
    let found = values(&mut table, tp, 1);
    assert_eq!(found, [(1, "b".into()), (2, "c".into()), (3, "d".into())]);
}

#[test]
fn a_slower_writer_finds_the_end_that_another_has_moved() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let (mut one, mut two) = (producer(&mut table, &row, 1), producer(&mut table, &row, 2));
    assert_eq!(send(&mut table, &mut one, &row, 1, &["a"]), [0]);
    assert_eq!(send(&mut table, &mut two, &row, 1, &["b"]), [1], "its belief was 0, and a conflict told it");
    assert_eq!(send(&mut table, &mut one, &row, 2, &["c"]), [2]);
}

#[test]
fn a_writer_with_an_old_view_cannot_write_over_a_gap() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let (mut one, mut stale) = (producer(&mut table, &row, 1), producer(&mut table, &row, 2));
    send(&mut table, &mut one, &row, 1, &["a", "b"]);
    assert_eq!(table.run(&Trim { topic: NAME.into(), tp, before: None }).unwrap(), 2);
    assert_eq!(
        send(&mut table, &mut stale, &row, 1, &["c"]),
        [2],
        "offset 0 is free, but must not be used again"
    );
    assert_eq!(values(&mut table, tp, 2), [(2, "c".into())]);
}

#[test]
fn a_trim_inside_a_batch_hides_its_head_and_keeps_its_bytes() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 1, &["a", "b", "c"]);
    send(&mut table, &mut one, &row, 2, &["d"]);
    assert_eq!(table.run(&Trim { topic: NAME.into(), tp, before: Some(1) }).unwrap(), 1);
    let bounds = table.run(&ListBounds { partitions: vec![tp] }).unwrap();
    assert_eq!((bounds[0].start, bounds[0].end), (1, 4));
    assert!(table.run(&Fetch { tp, offset: 0, batches_max: 9 }).unwrap().batches.is_empty());
    assert_eq!(values(&mut table, tp, 1).len(), 3);
    let beyond = table.run(&Trim { topic: NAME.into(), tp, before: Some(9) }).unwrap_err();
    assert_eq!(beyond.code(), Code::OffsetOutOfRange);
    assert_eq!(table.run(&Trim { topic: NAME.into(), tp, before: Some(0) }).unwrap(), 1, "never back");
}

#[test]
fn nothing_is_trimmed_that_a_forwarder_has_not_delivered() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=3 {
        send(&mut table, &mut one, &row, call, &["a", "b"]);
    }
    table.run(&ClaimSink { name: NAME.into(), sink: "collector".into() }).unwrap();
    let all = Trim { topic: NAME.into(), tp, before: None };
    assert_eq!(table.run(&all).unwrap(), 0, "a sink was named, and nothing was delivered yet");
    let delivered = DeliveryRow { committed: 4, ..DeliveryRow::begin(1 << 61, 0) };
    table.rows.insert((Store::Deliveries, partition_key(tp)), delivered.encode());
    assert_eq!(table.run(&all).unwrap(), 4);
    assert_eq!(values(&mut table, tp, 4), [(4, "a".into()), (5, "b".into())]);
    let other = table.run(&ClaimSink { name: NAME.into(), sink: "elsewhere".into() }).unwrap_err();
    assert_eq!((other.code(), other.retriable()), (Code::SinkConflict, false));
}

#[test]
fn offsets_by_timestamp_skip_what_is_older() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=100 {
        send(&mut table, &mut one, &row, call, &["x", "y"]);
    }
    let mut find = |spec| {
        let mut from = 0;
        loop {
            match table.run(&ListOffsets { tp, spec, from }).unwrap() {
                ListedOffset::Found(offset) => return offset,
                ListedOffset::Continue(next) => from = next,
            }
        }
    };
    assert_eq!(find(OffsetSpec::At(0)), 0);
    assert_eq!(find(OffsetSpec::At(1_090)), 178);
    assert_eq!(find(OffsetSpec::At(9_999)), 200);
    assert_eq!((find(OffsetSpec::Earliest), find(OffsetSpec::Latest)), (0, 200));
}

#[test]
fn retention_by_time_and_by_bytes_deletes_the_oldest_whole_batches() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(&mut table, &row, 1);
    for call in 1..=80 {
        send(&mut table, &mut one, &row, call, &["x"]);
    }
    let mut pass = |entries: &[(&str, &str)], timestamp| {
        let config = TopicConfig::from_entries(entries.iter().copied()).unwrap();
        let mut pass = Retention::new(Now { instant: 0, timestamp }, &config);
        let mut from = 0;
        loop {
            match pass.measured(&table.run(&Measure { tp, from }).unwrap()) {
                Step::Measure(next) => from = next,
                step => return step,
            }
        }
    };
    assert_eq!(
        pass(&[("retention.ms", "100")], 1_150),
        Step::Trim(49),
        "older than 100 ms: those before 1,050"
    );
    assert_eq!(pass(&[("retention.ms", "-1")], 9_999), Step::Keep);
    assert_eq!(pass(&[("retention.ms", "-1"), ("retention.bytes", "1")], 0), Step::Trim(79));
    let batch = table.run(&Measure { tp, from: 0 }).unwrap().batches[0].bytes;
    let limit = (batch * 10).to_string();
    let pass = |table: &mut Table| {
        let config =
            TopicConfig::from_entries([("retention.ms", "-1"), ("retention.bytes", limit.as_str())]).unwrap();
        let mut pass = Retention::new(Now::default(), &config);
        let mut from = 0;
        loop {
            match pass.measured(&table.run(&Measure { tp, from }).unwrap()) {
                Step::Measure(next) => from = next,
                step => return step,
            }
        }
    };
    assert_eq!(pass(&mut table), Step::Trim(70), "what stays is no smaller than the limit");
}

#[test]
fn a_deleted_topic_leaves_no_row_and_its_appends_are_refused() {
    let mut table = Table::default();
    let row = created(&mut table, 2);
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 1, &["a"]);
    table.run(&DeleteTopic { name: NAME.into() }).unwrap();
    assert!(table.rows.is_empty());
    let frames = FrameWriter::default().frame(0, 1, None, Some(b"b")).0;
    one.send(2, &row, &frames, Durability::Relaxed).unwrap();
    let (_, result) = run(&mut table, &mut one).pop().unwrap();
    assert_eq!(result.unwrap_err().code(), Code::UnknownTopicOrPartition);
}

#[test]
fn a_record_over_the_limit_is_refused_before_any_of_its_call_is_taken() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    let large = vec![0; row.config.max_message_bytes()];
    let frames = FrameWriter::default().frame(0, 1, None, Some(b"a")).frame(0, 1, None, Some(&large)).0;
    let error = one.send(1, &row, &frames, Durability::Relaxed).unwrap_err();
    assert_eq!((error.code(), error.retriable()), (Code::MessageTooLarge, false));
    assert!(one.idle());
}

/// What one step of a random run does.
#[derive(Clone, Debug)]
enum Action {
    Send { writer: usize, partition: i32, records: usize },
    Store { writer: usize, outcome: Outcome },
    Trim { partition: i32, percent: i64 },
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Known,
    /// It was written, and nobody heard.
    Written,
    /// It was not written, and nobody heard.
    Lost,
    Failed,
}

fn action() -> impl Strategy<Value = Action> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Known),
        2 => Just(Outcome::Written),
        2 => Just(Outcome::Lost),
        1 => Just(Outcome::Failed)
    ];
    prop_oneof![
        4 => (0..3_usize, 0..2_i32, 1..5_usize)
            .prop_map(|(writer, partition, records)| Action::Send { writer, partition, records }),
        6 => (0..3_usize, outcome).prop_map(|(writer, outcome)| Action::Store { writer, outcome }),
        1 => (0..2_i32, 0..=100_i64).prop_map(|(partition, percent)| Action::Trim { partition, percent }),
    ]
}

struct Run {
    table: Table,
    row: TopicRow,
    writers: Vec<Producer>,
    stores: Vec<Option<std::rc::Rc<headwater::log::ops::Append>>>,
    now: u64,
    sent: Vec<(CallId, i32, usize)>,
    acknowledged: Vec<(CallId, Offset)>,
    calls: CallId,
}

impl Run {
    fn new() -> Self {
        let mut table = Table::default();
        let row = created(&mut table, 2);
        let writers = (0..3).map(|seed| producer(&mut table, &row, seed)).collect();
        let stores = vec![None; 3];
        Self { table, row, writers, stores, now: 0, sent: vec![], acknowledged: vec![], calls: 0 }
    }

    fn tp(&self, partition: i32) -> TopicPartition {
        TopicPartition { topic: self.row.id, partition }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Send { writer, partition, records } => {
                self.calls += 1;
                let call = self.calls;
                let frames = (0..records).fold(FrameWriter::default(), |frames, index| {
                    frames.frame(partition, 1, None, Some(format!("{call}/{index}").as_bytes()))
                });
                self.writers[writer].send(call, &self.row, &frames.0, Durability::Relaxed).unwrap();
                self.sent.push((call, partition, records));
            }
            Action::Store { writer, outcome } => self.store(writer, outcome),
            Action::Trim { partition, percent } => {
                let tp = self.tp(partition);
                let end = self.table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].end;
                self.table.run(&Trim { topic: NAME.into(), tp, before: Some(end * percent / 100) }).unwrap();
            }
        }
        self.drain();
    }

    fn store(&mut self, writer: usize, outcome: Outcome) {
        self.now += 10_000;
        let now = Now { instant: self.now, timestamp: 0 };
        self.writers[writer].tick(now);
        self.drain();
        let Some(append) = self.stores[writer].take() else { return };
        let unknown = || Err(Error::new(Code::StorageUnknownOutcome, "the connection died"));
        let result = match outcome {
            Outcome::Known => self.table.run(&*append),
            Outcome::Written => self.table.run(&*append).and_then(|_| unknown()),
            Outcome::Lost => unknown(),
            Outcome::Failed => Err(Error::new(Code::StorageFailed, "the transaction failed")),
        };
        self.writers[writer].stored(now, result);
    }

    fn drain(&mut self) {
        for (writer, store) in self.writers.iter_mut().zip(&mut self.stores) {
            while let Some(output) = writer.poll() {
                match output {
                    Output::Store(append) => assert!(store.replace(append).is_none(), "one append at a time"),
                    Output::Done(call, result) => {
                        if let Ok(sent) = result {
                            self.acknowledged.push((call, sent[0].base));
                        }
                    }
                    Output::Appended(..) => {}
                }
            }
        }
    }

    fn check(&mut self) {
        for partition in 0..2 {
            let tp = self.tp(partition);
            let bounds = self.table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
            let found = values(&mut self.table, tp, bounds.start);
            let offsets: Vec<Offset> = found.iter().map(|(offset, _)| *offset).collect();
            assert_eq!(offsets, (bounds.start..bounds.end).collect::<Vec<_>>(), "offsets are dense");
            let mut seen: Vec<&String> = found.iter().map(|(_, value)| value).collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), found.len(), "no record twice");
            for (call, base) in &self.acknowledged {
                let Some((_, _, records)) =
                    self.sent.iter().find(|sent| sent.0 == *call && sent.1 == partition)
                else {
                    continue;
                };
                for index in 0..*records {
                    let offset = base + index as i64;
                    if offset >= bounds.start {
                        let value = format!("{call}/{index}");
                        assert!(
                            found.contains(&(offset, value)),
                            "an acknowledged record is where it was said to be"
                        );
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn writers_interleaved_with_unknown_outcomes_and_trims_lose_and_double_nothing(
        actions in proptest::collection::vec(action(), 1..120)
    ) {
        let mut run = Run::new();
        for action in &actions {
            run.act(action);
        }
        for _ in 0..40 {
            for writer in 0..3 {
                run.store(writer, Outcome::Known);
                run.drain();
            }
        }
        run.check();
        let ended = run.acknowledged.len();
        prop_assert!(ended <= run.sent.len());
        prop_assert!(run.writers.iter().all(Producer::idle));
    }
}
