use serde_json::json;

use super::{Bench, Disk, NOW, P, Sent, request, results, settings, wire};

const HOUR: i64 = 3_600_000;

#[test]
fn a_signature_runs_out_after_an_hour_and_every_answer_renews_it() {
    let bench = Bench::default();
    let first = bench.register(P);
    bench.now.set(NOW + HOUR);
    let (_, answer) = bench.post_batches(&first, &[wire(P, 0, 0, &["a"])]);
    assert_eq!(results(&answer), ["accepted"]);
    let renewed = answer["answers"][0].clone();
    bench.now.set(NOW + HOUR + 1);
    let (status, answer) = bench.post_batches(&first, &[wire(P, 0, 1, &["b"])]);
    assert_eq!((status, results(&answer)), (202, vec!["unregistered"]));
    assert!(answer["answers"][0]["signature"].is_string());
    assert_eq!(results(&bench.post_batches(&renewed, &[wire(P, 0, 1, &["b"])]).1), ["accepted"]);
}

#[test]
fn a_signature_is_for_one_producer_id() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let (status, answer) = bench.post_batches(&signed, &[wire(P + 1, 0, 0, &["a"])]);
    assert_eq!((status, results(&answer)), (202, vec!["unregistered"]));
    let forged = json!({ "signature": "AAAA", "signedAt": NOW });
    assert_eq!(results(&bench.post_batches(&forged, &[wire(P, 0, 0, &["a"])]).1), ["unregistered"]);
    assert!(bench.values("events", 0).is_empty());
}

#[test]
fn collectors_with_one_secret_know_each_others_producers() {
    let shared = |secret: &[u8]| {
        let settings = headwater::collect::Settings { secret: secret.to_vec(), ..settings() };
        Bench::open(settings, Disk::default()).unwrap()
    };
    let (one, other, stranger) = (shared(b"a"), shared(b"a"), shared(b"b"));
    let signed = one.register(P);
    assert_eq!(results(&other.post_batches(&signed, &[wire(P, 0, 0, &["a"])]).1), ["accepted"]);
    assert_eq!(results(&stranger.post_batches(&signed, &[wire(P, 0, 0, &["a"])]).1), ["unregistered"]);
}

#[test]
fn an_address_registers_so_many_producers_a_minute_and_registered_ones_go_on() {
    let mut limited = settings();
    limited.limits.registrations_per_minute = 2;
    let bench = Bench::open(limited, Disk::default()).unwrap();
    let signed = bench.register(P);
    bench.register(P + 1);
    let batches = [wire(P + 2, 0, 0, &["new"]), wire(P, 0, 0, &["known"])];
    let body = request(&[Sent::new(&batches[0], &json!(null)), Sent::new(&batches[1], &signed)]);
    let response = futures::executor::block_on(bench.service.batches(NOW, &body, "192.0.2.1"));
    assert_eq!((response.status, response.retry_after_ms), (207, Some(30_000)));
    let answer: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(results(&answer), ["busy", "accepted"]);
    assert_eq!(
        (&answer["answers"][0]["status"], &answer["answers"][0]["retryAfterMs"]),
        (&json!(429), &json!(30_000))
    );
    assert_eq!(answer["answers"][0]["error"]["retriable"], json!(true));
    assert_eq!(answer["answers"][0].get("signature"), None);
    let elsewhere = futures::executor::block_on(bench.service.batches(NOW, &body, "192.0.2.2"));
    assert!(elsewhere.body.contains("unregistered"), "another address has its own allowance");
}
