//! Topics that change while they are used: partitions and configuration.

use headwater::base::{Code, Now, TopicConfig};
use headwater::client::producer::{Output, Producer, Sent};
use headwater::log::batch::{BatchHeader, TimestampType, records};
use headwater::log::ops::{AlterConfigs, CreatePartitions, DescribeTopic, Fetch, ListBounds};
use headwater::log::{Durability, TopicRow};

use crate::bench::{FrameWriter, NAME, Table, created, producer, send};

fn alter(row: &TopicRow, entries: &[(&str, &str)], validate_only: bool) -> AlterConfigs {
    let config = TopicConfig::from_entries(entries.iter().copied()).unwrap();
    AlterConfigs { name: NAME.into(), id: row.id, config, validate_only }
}

fn described(table: &mut Table) -> TopicRow {
    table.run(&DescribeTopic { name: NAME.into() }).unwrap().unwrap()
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut table = Table::default();
    created(&mut table, 2);
    let more = |total, validate_only| CreatePartitions { name: NAME.into(), total, validate_only };
    assert_eq!(table.run(&more(5, true)).unwrap().partitions, 2);
    assert_eq!(described(&mut table).partitions, 2, "validated only");
    assert_eq!(table.run(&more(5, false)).unwrap().partitions, 5);
    let partitions: Vec<_> = described(&mut table).topic_partitions().collect();
    assert_eq!(table.run(&ListBounds { partitions }).unwrap().len(), 5);
    for total in [5, 4, 0, -1, 1001] {
        assert_eq!(table.run(&more(total, false)).unwrap_err().code(), Code::InvalidPartitions);
    }
    let absent = CreatePartitions { name: "absent".into(), total: 2, validate_only: false };
    assert_eq!(table.run(&absent).unwrap_err().code(), Code::UnknownTopicOrPartition);
}

#[test]
fn a_new_configuration_replaces_the_old_one() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    table.run(&alter(&row, &[("retention.ms", "5"), ("max.message.bytes", "500")], false)).unwrap();
    assert_eq!(described(&mut table).config.retention_ms(), 5);
    table.run(&alter(&row, &[("retention.ms", "7")], true)).unwrap();
    assert_eq!(described(&mut table).config.retention_ms(), 5, "validated only");
    table.run(&alter(&row, &[("cleanup.policy", "compact")], false)).unwrap();
    let config = described(&mut table).config;
    assert!(config.compacts());
    assert_eq!(config.max_message_bytes(), 1_048_588, "what is not named has its default again");
}

#[test]
fn the_configuration_of_a_topic_that_was_created_anew_is_not_touched() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let other = TopicRow { id: headwater::base::TopicId([9; 16]), ..row };
    let refused = table.run(&alter(&other, &[("retention.ms", "5")], false)).unwrap_err();
    assert_eq!((refused.code(), refused.retriable()), (Code::StorageConflict, true));
}

#[test]
fn a_writer_that_has_not_heard_of_a_new_configuration_finds_out_at_its_next_append() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    assert!(!changed(&mut table, &mut one, &row));
    table.run(&alter(&row, &[("cleanup.policy", "compact")], false)).unwrap();
    assert!(changed(&mut table, &mut one, &row));
    assert!(!changed(&mut table, &mut one, &row), "it says so once");
}

/// Sends a record; whether the producer says that the topic has changed.
fn changed(table: &mut Table, one: &mut Producer, row: &TopicRow) -> bool {
    let frames = FrameWriter::default().frame(0, 5, Some(b"k"), Some(b"v")).0;
    one.send(Now::default(), 1, row, &frames, Durability::Relaxed).unwrap();
    let mut changed = false;
    while let Some(output) = one.poll() {
        match output {
            Output::Store(append) => {
                let result = table.run(&*append);
                one.stored(Now::default(), result);
            }
            Output::Changed(topic) => changed = topic == row.id,
            Output::Done(..) | Output::Appended(..) => {}
        }
    }
    changed
}

#[test]
fn records_of_a_topic_with_log_append_time_carry_the_logs_time() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let row = table.run(&alter(&row, &[("message.timestamp.type", "LogAppendTime")], false)).unwrap();
    let mut one = producer(&mut table, &row, 1);
    let now = Now { instant: 0, timestamp: 77 };
    let frames = FrameWriter::default().frame(0, 5, None, Some(b"a")).frame(0, 900, None, Some(b"b")).0;
    one.send(now, 1, &row, &frames, Durability::Relaxed).unwrap();
    let mut sent: Vec<Sent> = Vec::new();
    while let Some(output) = one.poll() {
        match output {
            Output::Store(append) => {
                let result = table.run(&*append);
                one.stored(now, result);
            }
            Output::Done(_, result) => sent = result.unwrap(),
            Output::Appended(..) | Output::Changed(_) => {}
        }
    }
    assert_eq!((sent.len(), sent[0].append_time), (1, 77));
    let tp = row.topic_partitions().next().unwrap();
    let batch = table.run(&Fetch { tp, offset: 0, batches_max: 1 }).unwrap().batches.remove(0);
    let header = headwater::log::batch::check(&batch).unwrap();
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    let times: Vec<_> = records(&batch).unwrap().map(|record| record.unwrap().timestamp).collect();
    assert_eq!(times, [77, 77]);
}

#[test]
fn records_of_other_topics_keep_their_producers_time() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let mut one = producer(&mut table, &row, 1);
    send(&mut table, &mut one, &row, 5, &["a"]);
    let tp = row.topic_partitions().next().unwrap();
    let batch = table.run(&Fetch { tp, offset: 0, batches_max: 1 }).unwrap().batches.remove(0);
    assert_eq!(BatchHeader::read(&batch).unwrap().max_timestamp, 1_005);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let mut table = Table::default();
    let row = created(&mut table, 1);
    let row = table.run(&alter(&row, &[("cleanup.policy", "compact")], false)).unwrap();
    let mut one = producer(&mut table, &row, 1);
    let frames = FrameWriter::default().frame(0, 5, Some(b""), Some(b"a")).frame(0, 5, None, Some(b"b")).0;
    let refused = one.send(Now::default(), 1, &row, &frames, Durability::Relaxed).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidRecord);
    assert!(one.idle(), "none of the call is taken");
    let keyed = FrameWriter::default().frame(0, 5, Some(b""), Some(b"a")).0;
    one.send(Now::default(), 2, &row, &keyed, Durability::Relaxed).unwrap();
}
