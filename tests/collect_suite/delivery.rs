use headwater::log::batch::{BatchBuilder, BatchOptions};
use serde_json::json;

use super::{Bench, NOW, P, Sent, request, results, wire, wire_of_node};

#[test]
fn a_producer_registers_then_its_batches_are_stored_in_order() {
    let bench = Bench::default();
    let signed = bench.register(P);
    assert!(bench.disk.is_empty(headwater::log::Store::Batches), "nothing is stored before the registration");
    let (status, answer) = bench.post_batches(&signed, &[wire(P, 0, 0, &["a", "b"])]);
    assert_eq!((status, results(&answer)), (200, vec!["accepted"]));
    let (_, answer) = bench.post_batches(&signed, &[wire(P, 0, 2, &["c"])]);
    assert_eq!(answer["answers"][0]["baseOffset"], json!("2"));
    assert_eq!(bench.values("events", 0), ["a", "b", "c"]);
}

#[test]
fn an_answer_says_all_that_the_sender_wants_to_know() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let (_, answer) = bench.post(&request(&[Sent { partitions: 3, ..Sent::new(&batch, &signed) }]));
    let fresh = &answer["answers"][0];
    let expected = json!({
        "v": 1, "time": NOW, "limits": { "requestBytes": 100_000, "batchBytes": 10_000 },
        "answers": [{
            "topic": "events", "partition": 0, "status": 200, "result": "accepted", "baseOffset": "0",
            "partitions": 3, "signature": fresh["signature"], "signedAt": NOW,
        }],
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_batch_that_comes_again_is_acknowledged_with_the_offset_of_the_first() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batches: Vec<Vec<u8>> = (0..5).map(|sequence| wire(P, 0, sequence, &["x"])).collect();
    for batch in &batches {
        assert_eq!(results(&bench.post_batches(&signed, std::slice::from_ref(batch)).1), ["accepted"]);
    }
    for (offset, batch) in batches.iter().enumerate() {
        let (status, answer) = bench.post_batches(&signed, std::slice::from_ref(batch));
        assert_eq!((status, results(&answer)), (200, vec!["duplicate"]));
        assert_eq!(answer["answers"][0]["baseOffset"], json!(offset.to_string()));
    }
    assert_eq!(bench.values("events", 0).len(), 5);
}

#[test]
fn duplicates_are_known_after_the_collector_was_started_again() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    let again = Bench::open(super::settings(), bench.disk.clone()).unwrap();
    let (status, answer) = again.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    assert_eq!((status, results(&answer)), (200, vec!["duplicate"]), "the signature holds too");
    assert_eq!(again.values("events", 0), ["a"]);
}

#[test]
fn the_same_records_are_a_duplicate_when_they_say_that_they_are_uncertain() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a", "b"])]);
    let again = wire_of_node(7, (P, 0, 0), &["a", "b"], true);
    assert_eq!(results(&bench.post_batches(&signed, &[again]).1), ["duplicate"]);
    assert_eq!(bench.values("events", 0), ["a", "b"]);
}

#[test]
fn other_records_under_a_known_identity_diverge() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    let other = wire_of_node(8, (P, 0, 0), &["b"], false);
    let (status, answer) = bench.post_batches(&signed, &[other]);
    assert_eq!((status, results(&answer)), (409, vec!["diverged"]));
    assert_eq!(answer["answers"][0]["error"]["code"], json!("DIVERGED"));
    assert_eq!(bench.values("events", 0), ["a"]);
}

/// A batch of one record with these headers.
fn with_headers(headers: &[(&[u8], Option<&[u8]>)], value: &str) -> Vec<u8> {
    let options =
        BatchOptions { producer_id: P, producer_epoch: 0, base_sequence: 0, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.push(NOW, None, Some(value.as_bytes()), headers);
    builder.finish()
}

#[test]
fn records_are_the_same_by_the_name_that_their_node_gave_them() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let (ours, other, apps) = (Some(&[1_u8; 12][..]), Some(&[2_u8; 12][..]), Some(&b"app"[..]));
    let post = |headers: &[(&[u8], Option<&[u8]>)], value: &str| {
        let (_, answer) = bench.post_batches(&signed, &[with_headers(headers, value)]);
        results(&answer)[0].to_string()
    };
    assert_eq!(post(&[(b"hw-id", apps), (b"hw-id", ours)], "a"), "accepted");
    let uncertain: [(&[u8], Option<&[u8]>); 3] =
        [(b"hw-id", apps), (b"hw-id", ours), (b"hw-uncertain", Some(b"1"))];
    assert_eq!(post(&uncertain, "a"), "duplicate", "it says more than before, and is the same");
    assert_eq!(
        post(&[(b"hw-id", apps), (b"hw-id", other)], "a"),
        "diverged",
        "the application's own key is no name"
    );
    assert_eq!(post(&[(b"hw-id", apps)], "a"), "diverged");
    assert_eq!(post(&[], "a"), "diverged");
}

#[test]
fn a_gap_and_an_old_epoch_store_nothing_and_say_which_they_are() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 1, 0, &["a"])]);
    let gap = bench.post_batches(&signed, &[wire(P, 1, 2, &["c"])]);
    assert_eq!((gap.0, results(&gap.1)), (409, vec!["outOfOrder"]));
    assert_eq!(gap.1["answers"][0]["error"]["code"], json!("OUT_OF_ORDER_SEQUENCE_NUMBER"));
    let old = bench.post_batches(&signed, &[wire(P, 0, 1, &["b"])]);
    assert_eq!((old.0, results(&old.1)), (409, vec!["fenced"]));
    assert_eq!(old.1["answers"][0]["error"]["kind"], json!("Fenced"));
    let later = bench.post_batches(&signed, &[wire(P, 2, 5, &["x"])]);
    assert_eq!(results(&later.1), ["outOfOrder"], "a new epoch begins at sequence 0");
    let next = bench.post_batches(&signed, &[wire(P, 2, 0, &["b"])]);
    assert_eq!((next.0, results(&next.1)), (200, vec!["accepted"]));
    for answer in [&gap.1, &old.1] {
        assert!(
            answer["answers"][0]["signature"].is_string(),
            "a registered producer gets a fresh signature"
        );
    }
    assert_eq!(bench.values("events", 0), ["a", "b"]);
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let (status, answer) = bench.post_batches(&signed, &[wire(P, 3, 2_147_483_647, &["a", "b"])]);
    assert_eq!((status, results(&answer)), (200, vec!["accepted"]));
    assert_eq!(results(&bench.post_batches(&signed, &[wire(P, 3, 1, &["c"])]).1), ["accepted"], "it wraps");
}

#[test]
fn a_request_carries_many_partitions_and_producers_with_an_answer_each() {
    let bench = Bench::default();
    let (one, other) = (bench.register(P), bench.register(P + 1));
    let batches =
        [wire(P, 0, 0, &["a"]), wire(P + 1, 0, 0, &["b"]), wire(P, 0, 7, &["c"]), wire(P, 0, 0, &["d"])];
    let sent = [
        Sent::new(&batches[0], &one),
        Sent::new(&batches[1], &other),
        Sent { partition: 1, partitions: 2, ..Sent::new(&batches[2], &one) },
        Sent { topic: "other", ..Sent::new(&batches[3], &one) },
    ];
    let (status, answer) = bench.post(&request(&[sent[0].copy(), sent[1].copy(), sent[3].copy()]));
    assert_eq!((status, results(&answer)), (200, vec!["accepted"; 3]));
    assert_eq!(
        answer["answers"][1]["baseOffset"],
        json!("1"),
        "two producers of one partition follow each other"
    );
    assert_eq!(bench.values("events", 0), ["a", "b"]);
    assert_eq!(bench.values("other", 0), ["d"]);
    let (status, answer) = bench.post(&request(&[sent[2].copy()]));
    assert_eq!((status, results(&answer)), (404, vec!["refused"]), "the topic has one partition");
    assert_eq!(answer["answers"][0]["partitions"], json!(1));
}

impl Sent<'_> {
    fn copy(&self) -> Self {
        Self { ..*self }
    }
}
