use headwater::base::crc32c;
use headwater::log::Store;
use headwater::log::batch::{BatchBuilder, BatchOptions};
use proptest::prelude::*;
use serde_json::json;

use super::{Bench, P, Sent, request, results, wire};

#[test]
fn a_second_batch_of_a_producer_for_a_partition_is_refused() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let (status, answer) = bench.post_batches(&signed, &[wire(P, 0, 0, &["a"]), wire(P, 0, 1, &["b"])]);
    assert_eq!((status, results(&answer)), (207, vec!["accepted", "refused"]));
    assert_eq!(answer["answers"][1]["error"]["code"], json!("INVALID_REQUEST"));
    assert_eq!(bench.values("events", 0), ["a"]);
}

#[test]
fn topics_with_tricks_in_their_names_are_refused() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let long = "a".repeat(246);
    for topic in
        ["", ".", "..", "../events", "a/b", "a\\b", "a b", "ä", "a\0", "a\n", "events.dlq", ".dlq", &long]
    {
        let (status, answer) = bench.post(&request(&[Sent { topic, ..Sent::new(&batch, &signed) }]));
        assert_eq!((status, results(&answer)), (400, vec!["refused"]), "{topic}");
        assert_eq!(answer["answers"][0]["error"]["code"], json!("INVALID_TOPIC_EXCEPTION"), "{topic}");
    }
    assert!(bench.disk.is_empty(Store::Topics));
}

#[test]
fn partitions_that_cannot_be_are_refused() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    for (partition, partitions) in [(-1, 1), (1, 1), (1, -5), (100, 100_000), (2_147_483_647, 2_147_483_647)]
    {
        let (status, answer) =
            bench.post(&request(&[Sent { partition, partitions, ..Sent::new(&batch, &signed) }]));
        assert_eq!((status, results(&answer)), (404, vec!["refused"]), "{partition} of {partitions}");
    }
    assert!(bench.disk.is_empty(Store::Topics));
}

#[test]
fn identities_outside_their_ranges_are_refused() {
    let bench = Bench::default();
    let signed = bench.register(P);
    for batch in [
        wire(-1, -1, -1, &["a"]),
        wire(7, 0, 0, &["a"]),
        wire(1 << 62, 0, 0, &["a"]),
        wire(P, -1, 0, &["a"]),
        wire(P, 0, -1, &["a"]),
    ] {
        let (status, answer) = bench.post_batches(&signed, &[batch]);
        assert_eq!((status, results(&answer)), (400, vec!["refused"]));
    }
}

/// Writes the length and the CRC that fit the bytes.
fn seal(batch: &mut [u8]) {
    let length = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A batch whose header field at `at` is replaced, with a CRC that fits.
fn altered(at: usize, field: &[u8]) -> Vec<u8> {
    let mut batch = wire(P, 0, 0, &["a", "b"]);
    batch[at..at + field.len()].copy_from_slice(field);
    seal(&mut batch);
    batch
}

#[test]
fn a_header_that_contradicts_itself_is_refused_and_one_that_lies_is_set_aside() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let negative = (-1_i32).to_be_bytes();
    for batch in [altered(16, &[1]), altered(23, &negative), altered(57, &negative)] {
        let (status, answer) = bench.post_batches(&signed, &[batch]);
        assert_eq!((status, results(&answer)), (422, vec!["refused"]));
    }
    let lies = [
        altered(23, &2_i32.to_be_bytes()),
        altered(57, &1_i32.to_be_bytes()),
        altered(57, &i32::MAX.to_be_bytes()),
        altered(57, &0_i32.to_be_bytes()),
        altered(21, &1_i16.to_be_bytes()),
        altered(21, &7_i16.to_be_bytes()),
        altered(21, &(1_i16 << 3).to_be_bytes()),
        altered(21, &(1_i16 << 4).to_be_bytes()),
        altered(21, &(1_i16 << 5).to_be_bytes()),
        altered(61, &[0xff; 10]),
    ];
    for (at, batch) in lies.into_iter().enumerate() {
        let (status, answer) = bench.post_batches(&signed, &[batch]);
        assert_eq!((status, results(&answer)), (200, vec!["deadLettered"]), "lie {at}: {answer}");
    }
    assert!(bench.values("events", 0).is_empty());
}

#[test]
fn a_record_longer_than_its_parts_is_set_aside() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let options =
        BatchOptions { producer_id: P, producer_epoch: 0, base_sequence: 0, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.push_raw(super::NOW, None, Some(b"a"), 1, b"\x02k\x02v and more");
    let (_, answer) = bench.post_batches(&signed, &[builder.finish()]);
    assert_eq!(results(&answer), ["deadLettered"]);
}

proptest! {
    /// Whatever is done to a request on its way: it is answered, and the log can be read afterwards.
    #[test]
    fn a_damaged_request_never_damages_the_log(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
        reseal in any::<bool>(),
    ) {
        let bench = Bench::default();
        let signed = bench.register(P);
        let mut batch = wire(P, 0, 0, &["one", "two", "three"]);
        let mut body = if reseal {
            // Damage that the CRC does not show.
            for (at, byte) in &damage {
                let at = at.index(batch.len());
                batch[at] = *byte;
            }
            seal(&mut batch);
            request(&[Sent::new(&batch, &signed)])
        } else {
            let mut body = request(&[Sent::new(&batch, &signed)]);
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body
        };
        if cuts {
            body.truncate(cut.index(body.len()));
        }
        let (status, answer) = bench.post(&body);
        prop_assert!((200..600).contains(&status));
        prop_assert!(answer["answers"].is_array() || answer["error"].is_object());
        for topic in ["events", "events.dlq"] {
            let response = futures::executor::block_on(bench.service.records(topic, 0, 0, 100));
            prop_assert!([200, 404].contains(&response.status), "{}", response.body);
        }
        let other = bench.register(P + 1);
        let (_, answer) = bench.post_batches(&other, &[wire(P + 1, 0, 0, &["after"])]);
        prop_assert_eq!(results(&answer)[0], "accepted");
    }
}
