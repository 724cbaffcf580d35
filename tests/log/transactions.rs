//! Transactions: all of it or nothing, once, and by the newest producer of the id only.

use std::collections::BTreeMap;
use std::rc::Rc;

use headwater::base::{Code, Error, Now, Offset, Random, TopicPartition};
use headwater::client::producer::Producer;
use headwater::client::transaction::{Buffered, CommitTransaction, Gathered, Output, Transactions};
use headwater::group::{CommitOffsets, CommittedOffset, FetchOffsets, OffsetCommit};
use headwater::log::batch::BatchHeader;
use headwater::log::ops::{DeleteTopic, ExpireProducers, Fetch, InitProducerId, TransactionalRow};
use headwater::log::producer_state::ProducerState;
use headwater::log::{Durability, Op, Store, TopicRow};
use proptest::prelude::*;

use crate::bench::{FrameWriter, NAME, Table, created, producer, send, values};

const ID: &str = "orders";

fn init(table: &mut Table, fresh: i64) -> TransactionalRow {
    table.run(&InitProducerId { transactional_id: ID.into(), fresh, now: 0 }).unwrap()
}

/// A node's transactions, which have just been initialised, and the producer that chooses partitions for them.
struct Writer {
    row: TransactionalRow,
    machine: Transactions,
    chooser: Producer,
    now: Now,
    calls: u64,
    durability: Durability,
}

impl Writer {
    fn new(table: &mut Table, topic: &TopicRow, seed: u64) -> Self {
        let row = init(table, 900 + seed as i64);
        let mut machine = Transactions::new(Random::new(seed));
        machine.initialised(ID.into(), &row);
        let (now, durability) = (Now::default(), Durability::Strict);
        Self { row, machine, chooser: producer(table, topic, seed), now, calls: 0, durability }
    }

    fn begin(
        &mut self,
        topic: &TopicRow,
        records: &[(i32, &str)],
        offsets: Vec<CommitOffsets>,
    ) -> Result<(), Error> {
        let frames = records.iter().fold(FrameWriter::default(), |frames, (partition, value)| {
            frames.frame(*partition, 1, None, Some(value.as_bytes()))
        });
        let sends = vec![Buffered { topic: topic.clone(), frames: frames.0 }];
        let gathered = Gathered { sends, offsets, durability: self.durability };
        let id = (ID.to_string(), self.row.producer_id, self.row.epoch);
        let call = self.calls + 1;
        self.machine.begin(self.now, call, id, gathered, &mut self.chooser)?;
        self.calls = call;
        Ok(())
    }

    fn store(&mut self) -> Option<Rc<CommitTransaction>> {
        self.now.instant += 10_000;
        self.machine.tick(self.now);
        match self.machine.poll() {
            Some(Output::Store(op)) => Some(op),
            Some(Output::Done(..)) => panic!("a commit ended that nobody ran"),
            None => None,
        }
    }

    fn stored(
        &mut self,
        op: &Rc<CommitTransaction>,
        result: Result<Vec<(TopicPartition, Offset)>, Error>,
    ) -> Option<Result<(), Error>> {
        self.machine.stored(self.now, op, result);
        match self.machine.poll() {
            Some(Output::Done(call, result)) => {
                assert_eq!(call, self.calls);
                Some(result.map(|_| ()))
            }
            Some(Output::Store(_)) => panic!("it is tried again at its time, not at once"),
            None => None,
        }
    }

    fn commit(
        &mut self,
        table: &mut Table,
        topic: &TopicRow,
        records: &[(i32, &str)],
        offsets: Vec<CommitOffsets>,
    ) -> Result<(), Error> {
        self.begin(topic, records, offsets)?;
        let op = self.store().unwrap();
        let result = table.run(&*op);
        self.stored(&op, result).unwrap()
    }
}

fn consumed(tp: TopicPartition, offset: Offset) -> CommitOffsets {
    let committed = CommittedOffset { offset, metadata: None, at: 0 };
    CommitOffsets { group: "workers".into(), member: None, offsets: vec![OffsetCommit { tp, committed }] }
}

fn committed(table: &mut Table, tp: TopicPartition) -> Option<Offset> {
    let fetch = FetchOffsets { group: "workers".into(), member: None, partitions: vec![tp] };
    table.run(&fetch).unwrap().remove(0).map(|found| found.offset)
}

fn partitions(row: &TopicRow) -> Vec<TopicPartition> {
    row.topic_partitions().collect()
}

fn texts(table: &mut Table, tp: TopicPartition) -> Vec<String> {
    values(table, tp, 0).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn records_of_many_partitions_and_consumed_offsets_are_written_together() {
    let mut table = Table::default();
    let row = created(&mut table, 3);
    let tps = partitions(&row);
    let mut one = Writer::new(&mut table, &row, 1);
    let mut plain = producer(&mut table, &row, 2);
    send(&mut table, &mut plain, &row, 1, &["before"]);
    one.commit(&mut table, &row, &[(0, "a"), (2, "b"), (0, "c")], vec![consumed(tps[1], 7)]).unwrap();
    assert_eq!(texts(&mut table, tps[0]), ["before", "a", "c"]);
    assert_eq!(texts(&mut table, tps[2]), ["b"]);
    assert_eq!(committed(&mut table, tps[1]), Some(7));
}

#[test]
fn what_one_part_of_a_transaction_breaks_keeps_all_of_it_from_being_written() {
    let mut table = Table::default();
    let row = created(&mut table, 2);
    let tps = partitions(&row);
    let mut one = Writer::new(&mut table, &row, 1);
    let before = table.rows.clone();
    let nowhere = TopicPartition { partition: 9, ..tps[0] };
    let failed = one.commit(&mut table, &row, &[(0, "a"), (1, "b")], vec![consumed(nowhere, 1)]);
    assert_eq!(failed.unwrap_err().code(), Code::UnknownTopicOrPartition);
    assert_eq!(table.rows, before);
    one.commit(&mut table, &row, &[(0, "c")], vec![consumed(tps[0], 1)]).unwrap();
    assert_eq!(texts(&mut table, tps[0]), ["c"]);
}

#[test]
fn a_newer_producer_of_the_same_id_fences_the_older_one() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = partitions(&row)[0];
    let mut old = Writer::new(&mut table, &row, 1);
    old.begin(&row, &[(0, "zombie")], vec![consumed(tp, 9)]).unwrap();
    let op = old.store().unwrap();
    let mut new = Writer::new(&mut table, &row, 2);
    assert_eq!(new.row.epoch, old.row.epoch + 1);
    assert_ne!(
        new.row.producer_id, old.row.producer_id,
        "sequences begin anew: `hw-id` would name two records"
    );
    let result = table.run(&*op);
    let refused = old.stored(&op, result).unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.retriable()), (Code::ProducerFenced, false));
    assert_eq!((texts(&mut table, tp).len(), committed(&mut table, tp)), (0, None));
    new.commit(&mut table, &row, &[(0, "new")], vec![]).unwrap();
    assert_eq!(texts(&mut table, tp), ["new"]);
}

#[test]
fn epochs_that_are_used_up_begin_anew() {
    let mut table = Table::default();
    let last = TransactionalRow { producer_id: 5, epoch: i16::MAX - 1, committed: 3, at: 0 };
    table.rows.insert((Store::Producers, TransactionalRow::key(ID)), last.encode());
    let next = init(&mut table, 6);
    assert_eq!((next.producer_id, next.epoch, next.committed), (6, 0, 0));
    assert_eq!((init(&mut table, 7).producer_id, init(&mut table, 8).epoch), (7, 2));
}

#[test]
fn an_id_that_the_log_does_not_know_commits_nothing() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    table.rows.remove(&(Store::Producers, TransactionalRow::key(ID)));
    let refused = one.commit(&mut table, &row, &[(0, "a")], vec![]).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidProducerIdMapping);
    let mut other = Transactions::new(Random::new(1));
    let id = (ID.to_string(), 1, 0);
    let gathered = Gathered { sends: vec![], offsets: vec![], durability: Durability::Strict };
    let stranger = other.begin(Now::default(), 1, id, gathered, &mut one.chooser).unwrap_err();
    assert_eq!(stranger.code(), Code::ProducerFenced);
}

#[test]
fn a_commit_survives_what_it_was_asked_to() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    for durability in [Durability::Strict, Durability::Relaxed] {
        one.durability = durability;
        one.begin(&row, &[(0, "a")], vec![]).unwrap();
        let op = one.store().unwrap();
        assert_eq!(op.plan().durability, durability);
        one.stored(&op, table.run(&*op)).unwrap().unwrap();
    }
}

#[test]
fn one_commit_of_an_id_runs_at_a_time() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    one.begin(&row, &[(0, "a")], vec![]).unwrap();
    let busy = one.begin(&row, &[(0, "b")], vec![]).unwrap_err();
    assert_eq!((busy.code(), busy.retriable()), (Code::ConcurrentTransactions, true));
}

#[test]
fn batches_of_a_transaction_carry_its_producer_and_go_on_in_sequence() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let tp = partitions(&row)[0];
    let mut one = Writer::new(&mut table, &row, 1);
    one.commit(&mut table, &row, &[(0, "a"), (0, "b")], vec![]).unwrap();
    one.commit(&mut table, &row, &[(0, "c")], vec![]).unwrap();
    let batches = table.run(&Fetch { tp, offset: 0, batches_max: 9 }).unwrap().batches;
    let headers: Vec<_> = batches.iter().map(|batch| BatchHeader::read(batch).unwrap()).collect();
    let named =
        headers.iter().map(|header| (header.producer_id, header.producer_epoch, header.base_sequence));
    let (id, epoch) = (one.row.producer_id, one.row.epoch);
    assert_eq!(named.collect::<Vec<_>>(), [(id, epoch, 0), (id, epoch, 2)]);
    assert!(
        headers.iter().all(|header| !header.attributes.is_transactional()),
        "no reader waits for a marker"
    );
    let key = headwater::log::ops::producer_state_key(id, tp);
    let state = ProducerState::decode(&table.rows[&(Store::Producers, key)]).unwrap();
    let gap = BatchHeader { base_sequence: 4, ..headers[1].clone() };
    assert_eq!(state.check(&gap).unwrap_err().code(), Code::OutOfOrderSequence);
}

#[test]
fn a_topic_that_is_deleted_before_the_commit_takes_the_transaction_along() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    table.run(&DeleteTopic { name: NAME.into() }).unwrap();
    let refused = one.commit(&mut table, &row, &[(0, "a")], vec![]).unwrap_err();
    assert_eq!(refused.code(), Code::UnknownTopicOrPartition);
}

#[test]
fn a_commit_that_was_never_written_fails_in_the_end() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    one.begin(&row, &[(0, "a")], vec![]).unwrap();
    let failed = || Err(Error::new(Code::StorageFailed, "the transaction failed"));
    let ended = (0..20).find_map(|_| {
        let op = one.store()?;
        one.stored(&op, failed())
    });
    assert_eq!(ended.unwrap().unwrap_err().code(), Code::StorageFailed);
    one.commit(&mut table, &row, &[(0, "b")], vec![]).unwrap();
    assert_eq!(texts(&mut table, partitions(&row)[0]), ["b"]);
}

#[test]
fn producers_that_were_silent_for_long_are_forgotten_slice_by_slice() {
    const DAY: i64 = 86_400_000;
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = Writer::new(&mut table, &row, 1);
    one.commit(&mut table, &row, &[(0, "a")], vec![]).unwrap();
    for index in 0..600 {
        let old = TransactionalRow { producer_id: index, epoch: 0, committed: 0, at: index % 2 * 6 * DAY };
        let key = TransactionalRow::key(&format!("other {index}"));
        table.rows.insert((Store::Producers, key), old.encode());
    }
    table.rows.insert((Store::Producers, b"t damaged".to_vec()), vec![9]);
    let count = |table: &Table| table.rows.keys().filter(|(store, _)| *store == Store::Producers).count();
    let mut pass = |now: i64| {
        let (mut from, mut slices) = (Vec::new(), 0);
        loop {
            slices += 1;
            match table.run(&ExpireProducers { from, now }).unwrap() {
                Some(next) => from = next,
                None => break (count(&table), slices),
            }
        }
    };
    assert_eq!(pass(DAY - 1), (603, 3));
    assert_eq!(pass(DAY), (602, 3), "what a partition remembers of a producer goes after a day");
    assert_eq!(pass(7 * DAY), (301, 3), "and an id after a week");
    assert_eq!(pass(13 * DAY), (1, 2), "what cannot be read is left");
}

/// What becomes of a storage transaction.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Known,
    Written,
    Lost,
    Failed,
}

#[derive(Clone, Debug)]
enum Action {
    /// Another tab begins with the same id.
    Init(usize),
    Begin {
        writer: usize,
        records: Vec<i32>,
    },
    Store {
        writer: usize,
        outcome: Outcome,
    },
    Plain(i32),
}

fn action() -> impl Strategy<Value = Action> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Known),
        2 => Just(Outcome::Written),
        2 => Just(Outcome::Lost),
        1 => Just(Outcome::Failed)
    ];
    prop_oneof![
        1 => (0..2_usize).prop_map(Action::Init),
        4 => (0..2_usize, proptest::collection::vec(0..3_i32, 0..6))
            .prop_map(|(writer, records)| Action::Begin { writer, records }),
        8 => (0..2_usize, outcome).prop_map(|(writer, outcome)| Action::Store { writer, outcome }),
        2 => (0..3_i32).prop_map(Action::Plain),
    ]
}

/// Two tabs with one `transactional.id`, and a third one that sends without.
struct Run {
    table: Table,
    topic: TopicRow,
    writers: Vec<Writer>,
    plain: Producer,
    number: u64,
    /// The partitions of each transaction's records, what was consumed, and what the application heard.
    begun: BTreeMap<u64, (Vec<i32>, Option<bool>)>,
    /// The last transaction that each writer began.
    current: [u64; 2],
}

impl Run {
    fn new() -> Self {
        let mut table = Table::default();
        let topic = created(&mut table, 3);
        let writers = vec![Writer::new(&mut table, &topic, 1), Writer::new(&mut table, &topic, 2)];
        let plain = producer(&mut table, &topic, 3);
        Self { table, topic, writers, plain, number: 0, begun: BTreeMap::new(), current: [0; 2] }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Init(writer) => {
                let seed = 10 + self.number;
                self.writers[*writer] = Writer::new(&mut self.table, &self.topic, seed);
            }
            Action::Begin { writer, records } => self.begin(*writer, records),
            Action::Store { writer, outcome } => self.store(*writer, *outcome),
            Action::Plain(partition) => {
                let frames = FrameWriter::default().frame(*partition, 1, None, Some(b"plain")).0;
                self.plain
                    .send(Now::default(), 1, &self.topic, &frames, headwater::log::Durability::Relaxed)
                    .unwrap();
                crate::bench::run(&mut self.table, &mut self.plain);
            }
        }
    }

    fn begin(&mut self, writer: usize, records: &[i32]) {
        self.number += 1;
        let number = self.number;
        let values: Vec<String> = (0..records.len()).map(|index| format!("{number}/{index}")).collect();
        let framed: Vec<(i32, &str)> =
            records.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let offsets = vec![consumed(partitions(&self.topic)[0], number as i64)];
        if self.writers[writer].begin(&self.topic, &framed, offsets).is_ok() {
            self.begun.insert(number, (records.to_vec(), None));
            self.current[writer] = number;
        }
    }

    fn store(&mut self, writer: usize, outcome: Outcome) {
        let Some(op) = self.writers[writer].store() else { return };
        let unknown = || Err(Error::new(Code::StorageUnknownOutcome, "the connection died"));
        let result = match outcome {
            Outcome::Known => self.table.run(&*op),
            Outcome::Written => self.table.run(&*op).and_then(|_| unknown()),
            Outcome::Lost => unknown(),
            Outcome::Failed => Err(Error::new(Code::StorageFailed, "the transaction failed")),
        };
        if let Some(heard) = self.writers[writer].stored(&op, result)
            && let Some((_, known)) = self.begun.get_mut(&self.current[writer])
        {
            // A commit that was written unheard, and fenced before its retry, does not learn that it was written.
            let fenced = heard.as_ref().is_err_and(|error| error.code() == Code::ProducerFenced);
            *known = (!fenced).then_some(heard.is_ok());
        }
    }

    /// Every transaction is there as a whole and once, or not at all; what was acknowledged is there.
    fn check(&mut self) {
        let mut stored: BTreeMap<u64, Vec<(i32, usize)>> = BTreeMap::new();
        for (partition, tp) in (0..).zip(partitions(&self.topic)) {
            for text in texts(&mut self.table, tp).iter().filter(|text| *text != "plain") {
                let (number, index) = text.split_once('/').unwrap();
                stored.entry(number.parse().unwrap()).or_default().push((partition, index.parse().unwrap()));
            }
        }
        let mut last = None;
        for (number, (records, heard)) in &self.begun {
            let mut found = stored.remove(number).unwrap_or_default();
            found.sort_by_key(|(_, index)| *index);
            let all: Vec<_> = records.iter().copied().zip(0..).collect();
            assert!(found == all || found.is_empty(), "transaction {number}: {found:?} of {all:?}");
            if *heard == Some(true) {
                assert_eq!(found, all, "transaction {number} was acknowledged");
                last = Some(*number as i64);
            }
            let unheard = heard.is_none() && !all.is_empty();
            assert!(found.is_empty() || *heard == Some(true) || unheard, "an abort was written");
        }
        assert!(stored.is_empty());
        let offset = committed(&mut self.table, partitions(&self.topic)[0]);
        assert!(offset >= last, "the offsets of the last acknowledged transaction: {offset:?}, {last:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn transactions_under_unknown_outcomes_and_fencing_are_whole_and_written_once(
        actions in proptest::collection::vec(action(), 1..80)
    ) {
        let mut run = Run::new();
        for action in &actions {
            run.act(action);
        }
        for _ in 0..4 {
            run.store(0, Outcome::Known);
            run.store(1, Outcome::Known);
        }
        run.check();
    }
}
