//! Stored rows that are damaged: batches are set aside, and nothing is silently skipped.

use headwater::base::{Code, Offset, TopicConfig, TopicPartition};
use headwater::log::batch::{BatchHeader, check};
use headwater::log::ops::{
    Append, AppendEntry, CreateTopic, DeleteTopic, DescribeTopic, Fetch, ListBounds, ListTopics, Purge,
    SetAside,
};
use headwater::log::{Durability, Store, TopicRow, batch_key, partition_key};
use proptest::prelude::*;

use crate::bench::{NAME, Table, created, producer, send, values};

/// Three batches of two records each.
fn filled(table: &mut Table) -> (TopicRow, TopicPartition) {
    let row = created(table, 1);
    let tp = row.topic_partitions().next().unwrap();
    let mut one = producer(table, &row, 1);
    for call in 1..=3 {
        send(table, &mut one, &row, call, &["a", "b"]);
    }
    (row, tp)
}

fn damage(table: &mut Table, tp: TopicPartition, base: Offset, at: usize) -> Vec<u8> {
    let bytes = table.rows.get_mut(&(Store::Batches, batch_key(tp, base))).unwrap();
    bytes[at] ^= 0x10;
    bytes.clone()
}

fn fetch(table: &mut Table, tp: TopicPartition, offset: Offset) -> Result<Vec<Offset>, Code> {
    let fetched = table.run(&Fetch { tp, offset, batches_max: 9 }).map_err(|error| error.code())?;
    Ok(fetched.batches.iter().map(|batch| BatchHeader::read(batch).unwrap().base_offset).collect())
}

#[test]
fn a_fetch_ends_before_a_damaged_batch_and_says_so_where_it_begins_with_one() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    damage(&mut table, tp, 2, 70);
    assert_eq!(fetch(&mut table, tp, 0), Ok(vec![0]));
    assert_eq!(fetch(&mut table, tp, 2), Err(Code::CorruptMessage));
    assert_eq!(fetch(&mut table, tp, 3), Err(Code::CorruptMessage), "inside of it");
    assert_eq!(fetch(&mut table, tp, 4), Ok(vec![4]));
}

#[test]
fn nobody_is_told_an_end_that_is_damaged() {
    // Bytes of the base offset, which no checksum covers, and of the last offset's delta.
    for at in [3, 6, 24, 26] {
        let mut table = Table::default();
        let (_, tp) = filled(&mut table);
        damage(&mut table, tp, 4, at);
        assert_eq!(fetch(&mut table, tp, 0), Err(Code::CorruptMessage), "byte {at}");
        table.run(&SetAside { tp, from: 0, limit: 1 }).unwrap();
        let end = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0].end;
        let fetched = table.run(&Fetch { tp, offset: 0, batches_max: 1 }).unwrap();
        assert_eq!((fetched.end, fetched.batches.len()), (end, 1), "byte {at}");
    }
}

#[test]
fn an_append_that_is_looked_for_is_where_its_key_says() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    let batches = vec![table.rows[&(Store::Batches, batch_key(tp, 2))].clone()];
    damage(&mut table, tp, 2, 1);
    let entries = vec![AppendEntry { tp, batches, expected: None, attempted_from: Some(0) }];
    let landed = table.run(&Append { entries, durability: Durability::Relaxed }).unwrap();
    assert_eq!(landed[0].as_ref().unwrap().base, 2);
}

#[test]
fn a_damaged_batch_is_kept_and_its_offsets_are_passed_over() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    let bytes = damage(&mut table, tp, 2, 70);
    let before = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
    let aside = table.run(&SetAside { tp, from: 2, limit: 64 }).unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!((aside[0].first, aside[0].last, aside[0].error.code()), (2, 3, Code::CorruptMessage));
    let kept = SetAside::kept_key(&batch_key(tp, 2));
    assert_eq!(table.rows[&(Store::Meta, kept)], bytes);
    assert_eq!(values(&mut table, tp, 0).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 4, 5]);
    let after = table.run(&ListBounds { partitions: vec![tp] }).unwrap()[0];
    assert_eq!((after.start, after.end), (before.start, before.end));
    assert!(after.generation > before.generation, "a writer with an old view is turned away");
    assert_eq!(table.run(&SetAside { tp, from: 2, limit: 64 }).unwrap(), [], "what is sound stays");
}

#[test]
fn a_damaged_batch_is_no_longer_than_the_next_one_lets_it_be() {
    let mut table = Table::default();
    let (row, tp) = filled(&mut table);
    let mut two = producer(&mut table, &row, 2);
    send(&mut table, &mut two, &row, 4, &["c"]);
    damage(&mut table, tp, 2, 70);
    // The one that follows it is just beyond what is looked at.
    let aside = table.run(&SetAside { tp, from: 0, limit: 1 }).unwrap();
    assert_eq!(aside.iter().map(|damaged| (damaged.first, damaged.last)).collect::<Vec<_>>(), [(2, 3)]);
    assert_eq!(values(&mut table, tp, 2).iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [4, 5, 6]);
}

#[test]
fn no_offset_of_a_damaged_last_batch_is_used_again() {
    // Beyond its payload, every field that says how many records there were.
    for at in [70, 16, 10, 23, 24, 25, 26, 57, 60, 3] {
        let mut table = Table::default();
        let (row, tp) = filled(&mut table);
        let mut stale = producer(&mut table, &row, 2);
        damage(&mut table, tp, 4, at);
        let refused = table.run(&ListBounds { partitions: vec![tp] }).unwrap_err();
        assert_eq!(refused.code(), Code::CorruptMessage, "nobody writes behind a damaged end: byte {at}");
        let aside = table.run(&SetAside { tp, from: Offset::MAX, limit: 64 }).unwrap();
        assert_eq!((aside.len(), aside[0].first), (1, 4));
        let base = send(&mut table, &mut stale, &row, 1, &["c"])[0];
        assert!(base >= 6 && base == aside[0].last + 1, "byte {at}: {base} after {}", aside[0].last);
        let found = values(&mut table, tp, 0);
        assert_eq!(found.last(), Some(&(base, "c".to_string())));
        assert_eq!(found.len(), 5);
    }
}

#[test]
fn a_batch_under_anothers_key_or_cut_off_is_damaged() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    let stored = table.rows[&(Store::Batches, batch_key(tp, 0))].clone();
    table.rows.insert((Store::Batches, batch_key(tp, 2)), stored.clone());
    assert_eq!(fetch(&mut table, tp, 2), Err(Code::CorruptMessage));
    table.rows.insert((Store::Batches, batch_key(tp, 2)), stored[..stored.len() - 1].to_vec());
    assert_eq!(fetch(&mut table, tp, 2), Err(Code::CorruptMessage));
    table.rows.insert((Store::Batches, batch_key(tp, 2)), Vec::new());
    assert_eq!(fetch(&mut table, tp, 2), Err(Code::CorruptMessage));
    assert_eq!(table.run(&SetAside { tp, from: 2, limit: 64 }).unwrap().len(), 1);
    assert_eq!(fetch(&mut table, tp, 2), Ok(vec![2, 4]));
}

#[test]
fn a_deleted_topic_takes_along_what_was_set_aside() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    damage(&mut table, tp, 2, 70);
    table.run(&SetAside { tp, from: 2, limit: 64 }).unwrap();
    table.run(&DeleteTopic { name: NAME.into() }).unwrap();
    while table.run(&Purge { topic: tp.topic }).unwrap() {}
    assert!(table.rows.is_empty());
}

#[test]
fn rows_that_cannot_be_read_are_named() {
    let mut table = Table::default();
    let (_, tp) = filled(&mut table);
    let partition = (Store::Partitions, partition_key(tp));
    let sound = table.rows.insert(partition.clone(), vec![9, 9]).unwrap();
    let error = table.run(&Fetch { tp, offset: 0, batches_max: 1 }).unwrap_err();
    assert_eq!(error.code(), Code::StorageCorrupt);
    assert!(error.message().contains("partition 0 of topic id 0707"), "{error}");
    table.rows.insert(partition, sound);
    table.rows.insert((Store::Topics, NAME.into()), vec![1, 2, 3]);
    let create = CreateTopic {
        name: NAME.into(),
        id: tp.topic,
        partitions: 1,
        config: TopicConfig::default(),
        validate_only: false,
    };
    let errors = [
        table.run(&DescribeTopic { name: NAME.into() }).unwrap_err(),
        table.run(&ListTopics).unwrap_err(),
        table.run(&create).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), Code::StorageCorrupt);
        assert!(error.message().contains("topic \"events\""), "{error}");
    }
}

proptest! {
    #[test]
    fn whatever_is_damaged_readers_get_all_the_rest(
        hits in proptest::collection::vec((0..12_i64, 0..200_usize, 1..=255_u8), 1..6)
    ) {
        let mut table = Table::default();
        let row = created(&mut table, 1);
        let tp = row.topic_partitions().next().unwrap();
        let mut one = producer(&mut table, &row, 1);
        for call in 1..=12 {
            send(&mut table, &mut one, &row, call, &["a", "b"]);
        }
        let mut hurt = std::collections::BTreeSet::new();
        let sound = table.rows.clone();
        for (batch, at, flip) in hits {
            let bytes = table.rows.get_mut(&(Store::Batches, batch_key(tp, batch * 2))).unwrap();
            let at = at % bytes.len();
            // The leader epoch is nobody's.
            if !(12..16).contains(&at) {
                bytes[at] ^= flip;
            }
        }
        for batch in 0..12 {
            let key = (Store::Batches, batch_key(tp, batch * 2));
            if table.rows[&key] != sound[&key] {
                hurt.insert(batch);
            }
        }
        let mut next = 0;
        let mut read = Vec::new();
        while next < 24 {
            match table.run(&Fetch { tp, offset: next, batches_max: 4 }) {
                Ok(fetched) => {
                    prop_assert!(!fetched.batches.is_empty());
                    for batch in &fetched.batches {
                        let header = check(batch).unwrap();
                        if header.record_count > 0 {
                            read.push(header.base_offset / 2);
                        }
                        next = header.next_offset();
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error.code(), Code::CorruptMessage);
                    let aside = table.run(&SetAside { tp, from: next, limit: 64 }).unwrap();
                    prop_assert!(!aside.is_empty());
                }
            }
        }
        let whole: Vec<i64> = (0..12).filter(|batch| !hurt.contains(batch)).collect();
        prop_assert_eq!(read, whole);
    }
}
