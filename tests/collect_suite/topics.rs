use serde_json::{Value as Json, json};

use super::{Bench, Disk, P, Sent, request, results, settings, wire};

fn listed(bench: &Bench) -> Json {
    let response = futures::executor::block_on(bench.service.topics());
    assert_eq!(response.status, 200);
    serde_json::from_str(&response.body).unwrap()
}

#[test]
fn a_topic_is_created_by_the_first_batch_with_as_many_partitions_as_the_sender_has() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let sent = Sent { partition: 1, partitions: 2, ..Sent::new(&batch, &signed) };
    let (_, answer) = bench.post(&request(&[sent]));
    assert_eq!((results(&answer), &answer["answers"][0]["partitions"]), (vec!["accepted"], &json!(2)));
    let end = |partition: i32, end: &str| json!({"partition": partition, "logStartOffset": "0", "highWatermark": end});
    assert_eq!(
        listed(&bench),
        json!({"topics": [{"topic": "events", "partitions": [end(0, "0"), end(1, "1")]}]})
    );
}

#[test]
fn so_many_topics_are_created_and_no_more() {
    let mut few = settings();
    few.limits.topics = 2;
    let bench = Bench::open(few, Disk::default()).unwrap();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let huge = wire(P, 1, 0, &["x".repeat(10_001).as_str()]);
    for (topic, result) in [("one", "accepted"), ("two", "accepted"), ("three", "refused")] {
        let (_, answer) = bench.post(&request(&[Sent { topic, ..Sent::new(&batch, &signed) }]));
        assert_eq!(results(&answer), [result], "{topic}");
    }
    let (_, answer) = bench.post(&request(&[Sent { topic: "one", ..Sent::new(&huge, &signed) }]));
    assert_eq!(results(&answer), ["deadLettered"], "dead letters do not count");
}

#[test]
fn named_topics_are_created_and_grown_when_the_collector_starts() {
    let named = |partitions: i32| {
        let mut settings = settings();
        settings.topics = Some(vec![("events".to_string(), partitions)]);
        settings
    };
    let bench = Bench::open(named(1), Disk::default()).unwrap();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    let grown = Bench::open(named(3), bench.disk.clone()).unwrap();
    let batch = wire(P, 0, 0, &["b"]);
    let (_, answer) = grown.post(&request(&[Sent { partition: 2, ..Sent::new(&batch, &signed) }]));
    assert_eq!((results(&answer), &answer["answers"][0]["partitions"]), (vec!["accepted"], &json!(3)));
    let smaller = Bench::open(named(2), bench.disk.clone()).unwrap();
    assert_eq!(
        listed(&smaller)["topics"][0]["partitions"].as_array().unwrap().len(),
        3,
        "a topic never shrinks"
    );
    assert_eq!(smaller.values("events", 2), ["b"]);
}

#[test]
fn a_topic_that_is_named_no_longer_can_be_read_but_takes_nothing() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    let mut named = settings();
    named.topics = Some(vec![("orders".to_string(), 1)]);
    let other = Bench::open(named, bench.disk.clone()).unwrap();
    assert_eq!(results(&other.post_batches(&signed, &[wire(P, 0, 1, &["b"])]).1), ["refused"]);
    assert_eq!(other.values("events", 0), ["a"]);
}
