use serde_json::{Value as Json, json};

use super::{Bench, P, Sent, request, results, wire};

fn letters(bench: &Bench, topic: &str) -> Vec<Json> {
    let response = futures::executor::block_on(bench.service.records(topic, 0, 0, 100));
    let page: Json = serde_json::from_str(&response.body).unwrap();
    page["records"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_batch_over_the_limit_is_kept_apart_whole_with_the_reason() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["x".repeat(10_001).as_str()]);
    let (status, answer) = bench.post_batches(&signed, std::slice::from_ref(&batch));
    assert_eq!((status, results(&answer)), (200, vec!["deadLettered"]));
    assert_eq!(answer["answers"][0]["error"]["code"], json!("MESSAGE_TOO_LARGE"));
    assert!(answer["answers"][0]["signature"].is_string());
    let kept = letters(&bench, "events.dlq");
    assert_eq!(kept.len(), 1);
    let header = |key: &str| {
        kept[0]["headers"].as_array().unwrap().iter().find(|header| header["key"] == key).unwrap()["value"]
            .clone()
    };
    assert_eq!((header("hw-topic"), header("hw-partition")), (json!("events"), json!("0")));
    assert_eq!(header("hw-error-code"), json!("MESSAGE_TOO_LARGE"));
    assert_eq!(kept[0]["valueEncoding"], json!("base64"));
    let length = kept[0]["value"].as_str().unwrap().len();
    assert_eq!(length, batch.len().div_ceil(3) * 4, "the batch itself, to the last byte");
}

#[test]
fn a_dead_letter_that_comes_again_is_kept_once() {
    let bench = Bench::default();
    let (one, other) = (bench.register(P), bench.register(P + 1));
    let huge = "x".repeat(10_001);
    let batches = [wire(P, 0, 0, &[&huge]), wire(P + 1, 0, 0, &[&huge]), wire(P, 1, 0, &[&huge])];
    for _ in 0..3 {
        assert_eq!(results(&bench.post_batches(&one, &batches[..1]).1), ["deadLettered"]);
        assert_eq!(results(&bench.post_batches(&other, &batches[1..2]).1), ["deadLettered"]);
    }
    assert_eq!(letters(&bench, "events.dlq").len(), 2);
    assert_eq!(results(&bench.post_batches(&one, &batches[2..]).1), ["deadLettered"]);
    assert_eq!(letters(&bench, "events.dlq").len(), 3, "another epoch is another letter");
    let copied = wire(P, 1, 0, &["y".repeat(10_001).as_str()]);
    bench.post_batches(&one, &[copied]);
    assert_eq!(letters(&bench, "events.dlq").len(), 4, "and so is another content");
}

#[test]
fn what_follows_a_dead_letter_goes_on_in_a_new_epoch() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    bench.post_batches(&signed, &[wire(P, 0, 1, &["x".repeat(10_001).as_str()])]);
    let (_, answer) = bench.post_batches(&signed, &[wire(P, 1, 0, &["b"])]);
    assert_eq!(results(&answer), ["accepted"]);
    assert_eq!(bench.values("events", 0), ["a", "b"]);
}

#[test]
fn a_dead_letter_costs_the_good_batches_nothing() {
    let bench = Bench::default();
    let (one, other) = (bench.register(P), bench.register(P + 1));
    let batches = [wire(P, 0, 0, &["x".repeat(10_001).as_str()]), wire(P + 1, 0, 0, &["a"])];
    let (status, answer) =
        bench.post(&request(&[Sent::new(&batches[0], &one), Sent::new(&batches[1], &other)]));
    assert_eq!((status, results(&answer)), (200, vec!["deadLettered", "accepted"]));
    assert_eq!(bench.values("events", 0), ["a"]);
}
