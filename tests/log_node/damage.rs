//! A node that meets damaged batches goes on behind them, and says what is gone.

use headwater::base::{Code, Error, TopicPartition};
use headwater::log::ops::{DescribeTopic, SetAside};
use headwater::log::{Store, batch_key};
use headwater::node::{Answer, AnyOp, Call, Event};

use crate::support::origin::Origin;

fn place(origin: &mut Origin) -> TopicPartition {
    let row = origin.table.run(&DescribeTopic { name: "events".into() }).unwrap().unwrap();
    row.topic_partitions().next().unwrap()
}

fn damage(origin: &mut Origin, base: i64, at: usize) {
    let tp = place(origin);
    origin.table.rows.get_mut(&(Store::Batches, batch_key(tp, base))).unwrap()[at] ^= 1;
}

fn told(origin: &mut Origin) -> Vec<(String, i32, i64, i64)> {
    let events = core::mem::take(&mut origin.events);
    let damage = events.into_iter().filter_map(|event| match event {
        Event::Damaged { topic, partition, damaged } => Some((topic, partition, damaged.first, damaged.last)),
        _ => None,
    });
    damage.collect()
}

#[test]
fn a_send_behind_a_damaged_end_mends_it_and_lands_behind_it() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    for value in ["a", "b", "c"] {
        origin.send(one, "events", value).unwrap();
    }
    damage(&mut origin, 2, 63);
    assert_eq!(origin.send(two, "events", "d").unwrap(), 3);
    assert_eq!(told(&mut origin), [("events".to_string(), 0, 2, 2)]);
    assert_eq!(origin.send(one, "events", "e").unwrap(), 4, "whose belief was older");
    let texts: Vec<String> = origin.stored("events", 0).into_iter().map(|(_, value)| value).collect();
    assert_eq!(texts, ["a", "b", "d", "e"]);
    let kept = SetAside::kept_key(&batch_key(place(&mut origin), 2));
    assert!(origin.table.rows.contains_key(&(Store::Meta, kept)));
}

#[test]
fn offsets_by_time_are_found_behind_a_damaged_batch() {
    let mut origin = Origin::default();
    let one = origin.node();
    for value in ["a", "b", "c"] {
        origin.now.timestamp += 10;
        origin.send(one, "events", value).unwrap();
    }
    damage(&mut origin, 1, 63);
    let at = Call::OffsetAt { topic: "events".into(), partition: 0, timestamp: 15 };
    assert!(matches!(origin.ask(one, at), Ok(Answer::Offset(2))));
    assert_eq!(told(&mut origin).len(), 1);
}

#[test]
fn damage_that_is_not_in_a_batch_is_an_error_that_names_the_row() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    origin.send(one, "events", "a").unwrap();
    origin.table.rows.insert((Store::Topics, b"events".to_vec()), vec![7]);
    let error = origin.send(two, "events", "b").unwrap_err();
    assert_eq!((error.code(), error.retriable()), (Code::StorageCorrupt, false));
    assert!(error.message().contains("\"events\""), "{error}");
    origin.send(two, "others", "b").unwrap();
}

#[test]
fn damage_that_another_tab_has_set_aside_meanwhile_is_none() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    for value in ["a", "b"] {
        origin.send(one, "events", value).unwrap();
    }
    damage(&mut origin, 1, 63);
    origin.fault = Some(|op, table| {
        if let AnyOp::SetAside(op) = op {
            table.run(op).unwrap();
        }
        None
    });
    assert_eq!(origin.send(two, "events", "c").unwrap(), 2);
}

#[test]
fn damage_that_storage_keeps_from_being_set_aside_is_so_later() {
    let mut origin = Origin::default();
    let (one, two) = (origin.node(), origin.node());
    for value in ["a", "b"] {
        origin.send(one, "events", value).unwrap();
    }
    damage(&mut origin, 1, 63);
    origin.fault = Some(|op, _| {
        let failed = || Err(Error::new(Code::StorageFailed, "nothing was written"));
        matches!(op, AnyOp::SetAside(_)).then(failed)
    });
    let failed = origin.send(two, "events", "c").unwrap_err();
    assert_eq!((failed.code(), failed.retriable()), (Code::StorageFailed, true));
    origin.fault = None;
    assert_eq!(origin.send(two, "events", "c").unwrap(), 2);
    assert_eq!(told(&mut origin), [("events".to_string(), 0, 1, 1)]);
}

#[test]
fn damage_that_cannot_be_set_aside_fails_what_meets_it() {
    let mut origin = Origin::default();
    let one = origin.node();
    origin.send(one, "events", "a").unwrap();
    origin.fault = Some(|op, _| {
        let failed = || Err(Error::new(Code::CorruptMessage, "for ever"));
        matches!(op, AnyOp::Append(_)).then(failed)
    });
    assert_eq!(origin.send(one, "events", "b").unwrap_err().code(), Code::CorruptMessage);
}
