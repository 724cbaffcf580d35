//! Several writers of one topic, outcomes that nobody heard of, and trims.

use headwater::base::{Code, Error, Now, Offset, TopicPartition};
use headwater::client::producer::{CallId, Output, Producer, Sent};
use headwater::log::ops::{ListBounds, Trim};
use headwater::log::{Durability, TopicRow};
use proptest::prelude::*;

use crate::bench::{FrameWriter, NAME, Table, created, producer, values};

/// What one step of a random run does.
#[derive(Clone, Debug)]
enum Action {
    Send { writer: usize, partition: i32, records: usize, padding: usize },
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
    // Now and then a call fills more than one batch.
    let padding = prop_oneof![20 => Just(0), 1 => Just(100_000_usize)];
    prop_oneof![
        4 => (0..3_usize, 0..2_i32, 1..5_usize, padding)
            .prop_map(|(writer, partition, records, padding)| Action::Send { writer, partition, records, padding }),
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
    acknowledged: Vec<(CallId, Vec<Sent>)>,
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
            Action::Send { writer, partition, records, padding } => {
                self.calls += 1;
                let call = self.calls;
                let frames = (0..records).fold(FrameWriter::default(), |frames, index| {
                    let value = format!("{call}/{index}{}", " ".repeat(padding));
                    frames.frame(partition, 1, None, Some(value.as_bytes()))
                });
                self.writers[writer]
                    .send(Now::default(), call, &self.row, &frames.0, Durability::Relaxed)
                    .unwrap();
                self.sent.push((call, partition, records));
            }
            Action::Store { writer, outcome } => self.store(writer, outcome),
            Action::Trim { partition, percent } => {
                let tp = self.tp(partition);
                let end = self.table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].end;
                self.table
                    .run(&Trim {
                        topic: NAME.into(),
                        tp,
                        before: Some(end * percent / 100),
                        undelivered: false,
                    })
                    .unwrap();
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
                            let next = |sent: &Sent| sent.base + i64::from(sent.count);
                            assert!(sent.windows(2).all(|two| next(&two[0]) <= two[1].base), "in order");
                            self.acknowledged.push((call, sent));
                        }
                    }
                    Output::Appended(..) | Output::Changed(_) => {}
                }
            }
        }
    }

    fn check(&mut self) {
        for partition in 0..2 {
            let tp = self.tp(partition);
            let bounds = self.table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
            let found = values(&mut self.table, tp, bounds.start).into_iter();
            let found: Vec<_> = found.map(|(offset, value)| (offset, value.trim_end().to_string())).collect();
            let offsets: Vec<Offset> = found.iter().map(|(offset, _)| *offset).collect();
            assert_eq!(offsets, (bounds.start..bounds.end).collect::<Vec<_>>(), "offsets are dense");
            let mut seen: Vec<&String> = found.iter().map(|(_, value)| value).collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), found.len(), "no record twice");
            for (call, sent) in &self.acknowledged {
                let Some((_, _, records)) =
                    self.sent.iter().find(|sent| sent.0 == *call && sent.1 == partition)
                else {
                    continue;
                };
                let offsets = sent.iter().flat_map(|sent| sent.base..sent.base + i64::from(sent.count));
                let offsets: Vec<Offset> = offsets.collect();
                assert_eq!(offsets.len(), *records);
                for (index, offset) in offsets.into_iter().enumerate() {
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

/// A call of more than a batch, and where another call begins whose records come last.
fn large_call(table: &mut Table, row: &TopicRow, seed: u64) -> Producer {
    let mut producer = producer(table, row, seed);
    let (large, small) = ("x".repeat(100_000), "last");
    for (call, values) in [(1, vec![large.as_str(); 8]), (2, vec![small])] {
        let frames = values
            .iter()
            .fold(FrameWriter::default(), |frames, value| frames.frame(0, 1, None, Some(value.as_bytes())));
        producer.send(Now::default(), call, row, &frames.0, Durability::Relaxed).unwrap();
    }
    producer
}

#[test]
fn a_call_of_several_batches_is_one_transaction_with_what_was_sent_behind_it() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut producer = large_call(&mut table, &row, 1);
    let Some(Output::Store(append)) = producer.poll() else { panic!("nothing is stored") };
    assert!(append.entries[0].batches.len() > 1);
    assert!(append.entries[0].expected.is_some(), "one round trip");
    let result = table.run(&*append);
    producer.stored(Now::default(), result);
    let mut done = Vec::new();
    while let Some(output) = producer.poll() {
        match output {
            Output::Store(_) => panic!("a second transaction"),
            Output::Done(call, sent) => done.push((call, sent.unwrap())),
            Output::Appended(..) | Output::Changed(_) => {}
        }
    }
    let sums = |sent: &[Sent]| (sent[0].base, sent.iter().map(|sent| sent.count).sum::<i32>());
    let calls: Vec<_> = done.iter().map(|(call, sent)| (*call, sums(sent))).collect();
    assert_eq!(calls, [(1, (0, 8)), (2, (8, 1))]);
    let stored = values(&mut table, TopicPartition { topic: row.id, partition: 0 }, 0);
    assert_eq!((stored.len(), stored[8].1.as_str()), (9, "last"));
}

#[test]
fn several_batches_whose_commit_nobody_heard_of_are_found_together() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut producer = large_call(&mut table, &row, 1);
    let Some(Output::Store(append)) = producer.poll() else { panic!("nothing is stored") };
    table.run(&*append).unwrap();
    let unknown = Error::new(Code::StorageUnknownOutcome, "the connection died");
    producer.stored(Now::default(), Err(unknown));
    // Somebody else has appended since.
    let mut other = crate::bench::producer(&mut table, &row, 2);
    crate::bench::send(&mut table, &mut other, &row, 1, &["of another"]);
    producer.tick(Now { instant: 1_000_000, timestamp: 0 });
    let done = crate::bench::run(&mut table, &mut producer);
    let bases: Vec<_> = done.into_iter().map(|(call, bases)| (call, bases.unwrap()[0])).collect();
    assert_eq!(bases, [(1, 0), (2, 8)]);
    let stored = values(&mut table, TopicPartition { topic: row.id, partition: 0 }, 0);
    assert_eq!(stored.len(), 10);
}

#[test]
fn several_batches_where_another_was_faster_all_move_behind_it() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut producer = large_call(&mut table, &row, 1);
    let mut other = crate::bench::producer(&mut table, &row, 2);
    crate::bench::send(&mut table, &mut other, &row, 1, &["of another"]);
    let done = crate::bench::run(&mut table, &mut producer);
    let bases: Vec<_> = done.into_iter().map(|(call, bases)| (call, bases.unwrap()[0])).collect();
    assert_eq!(bases, [(1, 1), (2, 9)]);
    let stored = values(&mut table, TopicPartition { topic: row.id, partition: 0 }, 0);
    assert_eq!((stored.len(), stored[0].1.as_str()), (10, "of another"));
}

#[test]
fn batches_whose_commit_nobody_heard_of_are_found_though_the_first_is_trimmed() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut producer = large_call(&mut table, &row, 1);
    let Some(Output::Store(append)) = producer.poll() else { panic!("nothing is stored") };
    table.run(&*append).unwrap();
    let unknown = Error::new(Code::StorageUnknownOutcome, "the connection died");
    producer.stored(Now::default(), Err(unknown));
    let tp = TopicPartition { topic: row.id, partition: 0 };
    table.run(&Trim { topic: NAME.into(), tp, before: Some(7), undelivered: false }).unwrap();
    producer.tick(Now { instant: 1_000_000, timestamp: 0 });
    let done = crate::bench::run(&mut table, &mut producer);
    let bases: Vec<_> = done.into_iter().map(|(call, bases)| (call, bases.unwrap()[0])).collect();
    assert_eq!(bases, [(1, 0), (2, 8)]);
    let stored: Vec<_> = values(&mut table, tp, 7).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(stored, [7, 8]);
}
