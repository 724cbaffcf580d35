//! What the tests of the log share: one topic, and writers and readers of it.

use headwater::base::{Error, Now, Offset, Random, TopicConfig, TopicId, TopicPartition};
use headwater::client::producer::{CallId, Output, Producer};
use headwater::log::batch::{BatchHeader, records};
use headwater::log::ops::{CreateTopic, Fetch, ListBounds};
use headwater::log::{Durability, TopicRow};

pub use crate::support::{FrameWriter, Table};

pub const NAME: &str = "events";

pub fn created(table: &mut Table, partitions: i32) -> TopicRow {
    let id = TopicId([7; 16]);
    let config = TopicConfig::default();
    let create = CreateTopic { name: NAME.into(), id, partitions, config, validate_only: false };
    table.run(&create).unwrap().topic
}

pub fn producer(table: &mut Table, row: &TopicRow, seed: u64) -> Producer {
    let mut producer = Producer::new(seed as i64 + 1, Random::new(seed));
    let partitions: Vec<_> = row.topic_partitions().collect();
    let bounds = table.run(&ListBounds { partitions: partitions.clone() }).unwrap();
    partitions.into_iter().zip(bounds).for_each(|(tp, bounds)| producer.learn(tp, bounds));
    producer
}

/// Runs what the producer wants stored until nothing is left; answers the calls that ended.
pub fn run(table: &mut Table, producer: &mut Producer) -> Vec<(CallId, Result<Vec<Offset>, Error>)> {
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
            Output::Appended(..) | Output::Changed(_) => {}
        }
    }
    done
}

pub fn send(
    table: &mut Table,
    producer: &mut Producer,
    row: &TopicRow,
    call: CallId,
    values: &[&str],
) -> Vec<Offset> {
    let frames = values.iter().fold(FrameWriter::default(), |frames, value| {
        frames.frame(0, 1_000 + call as i64, None, Some(value.as_bytes()))
    });
    producer.send(Now::default(), call, row, &frames.0, Durability::Relaxed).unwrap();
    run(table, producer).pop().unwrap().1.unwrap()
}

pub fn values(table: &mut Table, tp: TopicPartition, from: Offset) -> Vec<(Offset, String)> {
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
