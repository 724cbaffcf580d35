//! Several writers of one topic, outcomes that nobody heard of, and trims.

use headwater::base::{Code, Error, Now, Offset, TopicPartition};
use headwater::client::producer::{CallId, Output, Producer};
use headwater::log::ops::{ListBounds, Trim};
use headwater::log::{Durability, TopicRow};
use proptest::prelude::*;

use crate::bench::{FrameWriter, NAME, Table, created, producer, values};

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
                            self.acknowledged.push((call, sent[0].base));
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
