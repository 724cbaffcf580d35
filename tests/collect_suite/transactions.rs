use futures::executor::block_on;
use futures::future::join_all;
use headwater::base::Code;
use headwater::log::Store;
use serde_json::json;

use super::{Bench, Disk, P, Sent, request, results, settings, wire};

#[test]
fn requests_that_arrive_while_the_disk_is_busy_share_the_next_transaction() {
    let bench = Bench::default();
    let signed: Vec<_> = (0..50).map(|producer| bench.register(P + producer)).collect();
    bench.post_batches(&signed[0], &[wire(P, 0, 0, &["0"])]);
    let before = bench.disk.commits.get();
    let bodies: Vec<Vec<u8>> = (1..50)
        .map(|producer| {
            let batch = wire(P + producer, 0, 0, &[&producer.to_string()]);
            request(&[Sent::new(&batch, &signed[producer as usize])])
        })
        .collect();
    let answers = block_on(join_all(bodies.iter().map(|body| bench.send(body))));
    assert!(answers.iter().all(|(status, answer)| (*status, results(answer)) == (200, vec!["accepted"])));
    assert!(bench.disk.commits.get() - before <= 2, "{} commits", bench.disk.commits.get() - before);
    let mut values: Vec<i32> = bench.values("events", 0).iter().map(|value| value.parse().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..50).collect::<Vec<_>>());
}

#[test]
fn the_same_batch_at_the_same_time_is_stored_once_and_acknowledged_each_time() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let body = request(&[Sent::new(&batch, &signed)]);
    let answers = block_on(join_all((0..10).map(|_| bench.send(&body))));
    let mut seen: Vec<&str> = answers.iter().flat_map(|(_, answer)| results(answer)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [vec!["accepted"], vec!["duplicate"; 9]].concat());
    assert!(answers.iter().all(|(_, answer)| answer["answers"][0]["baseOffset"] == json!("0")));
    assert_eq!(bench.values("events", 0), ["a"]);
}

#[test]
fn nothing_is_acknowledged_that_the_disk_did_not_take() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    bench.disk.fails.set(true);
    let body = request(&[Sent::new(&wire(P, 0, 1, &["b"]), &signed)]);
    let response = block_on(bench.service.batches(super::NOW, &body, ""));
    assert_eq!((response.status, response.retry_after_ms), (503, Some(1_000)));
    let answer: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(results(&answer), ["busy"]);
    assert_eq!(answer["answers"][0]["error"]["retriable"], json!(true));
    bench.disk.fails.set(false);
    assert_eq!(results(&bench.post(&body).1), ["accepted"]);
    assert_eq!(bench.values("events", 0), ["a", "b"]);
}

#[test]
fn a_topic_that_could_not_be_created_is_tried_again() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.disk.fails.set(true);
    assert_eq!(results(&bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]).1), ["busy"]);
    bench.disk.fails.set(false);
    assert_eq!(results(&bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]).1), ["accepted"]);
}

#[test]
fn more_than_the_queue_holds_is_refused_for_now() {
    let mut large = settings();
    large.limits.request_bytes = 64 << 20;
    large.limits.batch_bytes = 64 << 20;
    let bench = Bench::open(large, Disk::default()).unwrap();
    let signed: Vec<_> = (0..3).map(|producer| bench.register(P + producer)).collect();
    let value = "x".repeat(30 << 20);
    let bodies = (0..3).map(|producer| {
        let batch = wire(P + producer, 0, 0, &[&value]);
        request(&[Sent::new(&batch, &signed[producer as usize])])
    });
    let bodies: Vec<Vec<u8>> = bodies.collect();
    let answers = block_on(join_all(bodies.iter().map(|body| bench.send(body))));
    let seen: Vec<&str> = answers.iter().flat_map(|(_, answer)| results(answer)).collect();
    assert_eq!(seen, ["accepted", "accepted", "busy"]);
    assert_eq!(answers[2].1["answers"][0]["error"]["code"], json!("QUEUE_FULL"));
    assert_eq!(results(&bench.post(&bodies[2]).1), ["accepted"]);
}

#[test]
fn a_damaged_row_stops_its_partition_and_no_other() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let sent = |partition: i64| Sent { partition, partitions: 2, ..Sent::new(&batch, &signed) };
    bench.post(&request(&[sent(0), sent(1)]));
    let again = wire(P, 0, 1, &["b"]);
    let damaged = bench.disk.clone();
    damaged.damage_partition(0);
    let sent = |partition: i64| Sent { partition, partitions: 2, ..Sent::new(&again, &signed) };
    let (status, answer) = bench.post(&request(&[sent(0), sent(1)]));
    assert_eq!((status, results(&answer)), (207, vec!["refused", "accepted"]));
    assert_eq!(answer["answers"][0]["status"], json!(500));
}

#[test]
fn a_log_of_a_newer_format_is_left_alone() {
    let disk = Disk::default();
    disk.put(Store::Meta, b"format", &[2]);
    let error = Bench::open(settings(), disk.clone()).err().unwrap();
    assert_eq!(error.code(), Code::StorageNewerFormat);
    assert_eq!(disk.commits.get(), 0);
}
