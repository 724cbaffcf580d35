use headwater::log::Store;
use serde_json::{Value as Json, json};

use super::{Bench, P, Sent, body, request, results, settings, wire};

/// One bad batch between two good ones: what the bad one is answered, and that the good ones are stored.
fn beside_good_ones(spoil: impl Fn(&Json) -> (Vec<u8>, Json)) -> Json {
    let bench = Bench::default();
    let (one, bad, other) = (bench.register(P), bench.register(P + 1), bench.register(P + 2));
    let good = [wire(P, 0, 0, &["first"]), wire(P + 2, 0, 0, &["last"])];
    let (bytes, listed) = spoil(&bad);
    let batches = [Sent::new(&good[0], &one).listed(), listed, Sent::new(&good[1], &other).listed()];
    let line = json!({ "v": 1, "writeKey": "key", "batches": batches });
    let (status, answer) = bench.post(&body(&line.to_string(), &[&good[0], &bytes, &good[1]]));
    assert_eq!(status, 207, "{answer}");
    assert_eq!((results(&answer)[0], results(&answer)[2]), ("accepted", "accepted"));
    assert_eq!(bench.values("events", 0), ["first", "last"]);
    assert!(
        answer["answers"][1]["error"]["kind"].is_string()
            && answer["answers"][1]["error"]["message"].is_string()
    );
    answer["answers"][1].clone()
}

#[test]
fn a_wrong_crc_is_refused_alone() {
    let answer = beside_good_ones(|signed| {
        let mut batch = wire(P + 1, 0, 0, &["spoilt"]);
        *batch.last_mut().unwrap() ^= 1;
        let listed = Sent::new(&batch, signed).listed();
        (batch, listed)
    });
    assert_eq!((&answer["status"], &answer["result"]), (&json!(422), &json!("refused")));
    assert_eq!(answer["error"]["code"], json!("CORRUPT_MESSAGE"));
    assert_eq!(answer["error"]["retriable"], json!(true), "the same bytes may arrive better");
    assert_eq!(answer["signature"], Json::Null, "a damaged batch says nothing about its producer");
}

#[test]
fn a_batch_shorter_than_it_says_is_refused_alone() {
    let answer = beside_good_ones(|signed| {
        let mut batch = wire(P + 1, 0, 0, &["spoilt"]);
        batch.truncate(batch.len() - 3);
        let listed = Sent::new(&batch, signed).listed();
        (batch, listed)
    });
    assert_eq!((&answer["status"], &answer["result"]), (&json!(400), &json!("refused")));
}

#[test]
fn an_unknown_topic_is_refused_alone() {
    let mut with_topics = settings();
    with_topics.topics = Some(vec![("events".to_string(), 1)]);
    let bench = Bench::open(with_topics, super::Disk::default()).unwrap();
    let (one, other) = (bench.register(P), bench.register(P + 1));
    let (good, bad) = (wire(P, 0, 0, &["a"]), wire(P + 1, 0, 0, &["b"]));
    let sent = [Sent { topic: "orders", ..Sent::new(&bad, &other) }, Sent::new(&good, &one)];
    let (status, answer) = bench.post(&request(&sent));
    assert_eq!((status, results(&answer)), (207, vec!["refused", "accepted"]));
    assert_eq!(answer["answers"][0]["status"], json!(404));
    assert_eq!(answer["answers"][0]["error"]["code"], json!("UNKNOWN_TOPIC_OR_PARTITION"));
}

#[test]
fn a_body_that_was_cut_off_loses_only_what_is_missing() {
    let bench = Bench::default();
    let (one, other) = (bench.register(P), bench.register(P + 1));
    let batches = [wire(P, 0, 0, &["whole"]), wire(P + 1, 0, 0, &["cut"])];
    let whole = request(&[Sent::new(&batches[0], &one), Sent::new(&batches[1], &other)]);
    let (status, answer) = bench.post(&whole[..whole.len() - 10]);
    assert_eq!((status, results(&answer)), (207, vec!["accepted", "refused"]));
    assert_eq!(answer["answers"][1]["status"], json!(400));
    assert_eq!(bench.values("events", 0), ["whole"]);
    let (_, answer) = bench.post(&whole);
    assert_eq!(results(&answer), ["duplicate", "accepted"]);
}

#[test]
fn bytes_after_the_last_batch_are_reported_and_lose_nothing() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = wire(P, 0, 0, &["a"]);
    let mut body = request(&[Sent::new(&batch, &signed)]);
    body.extend_from_slice(b"surplus");
    let (status, answer) = bench.post(&body);
    assert_eq!((status, results(&answer)), (207, vec!["accepted"]));
    assert_eq!(answer["error"]["code"], json!("INVALID_REQUEST"));
    assert_eq!(bench.values("events", 0), ["a"]);
}

#[test]
fn a_batch_whose_length_differs_from_the_listed_one_is_refused() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let batch = [wire(P, 0, 0, &["a"]), b"tail".to_vec()].concat();
    let (status, answer) = bench.post(&request(&[Sent::new(&batch, &signed)]));
    assert_eq!((status, results(&answer)), (400, vec!["refused"]));
}

#[test]
fn what_is_no_request_is_answered_as_a_whole() {
    let bench = Bench::default();
    let huge = "x".repeat(300 << 10);
    let many = json!({ "v": 1, "writeKey": "key", "batches": vec![json!({"topic": "t", "partition": 0, "bytes": 0}); 1_001] });
    let cases: [(&str, u16, &str); 12] = [
        ("", 400, "INVALID_REQUEST"),
        ("{", 400, "INVALID_REQUEST"),
        ("null\n", 400, "INVALID_REQUEST"),
        ("{\"v\":1}\n", 400, "INVALID_REQUEST"),
        ("{\"v\":2,\"writeKey\":\"key\",\"batches\":[]}\n", 400, "INVALID_REQUEST"),
        ("{\"v\":1,\"writeKey\":\"key\",\"batches\":[]}\n", 400, "INVALID_REQUEST"),
        (
            "{\"v\":1,\"writeKey\":\"key\",\"batches\":[{\"topic\":\"t\",\"partition\":0,\"bytes\":-1}]}\n",
            400,
            "INVALID_REQUEST",
        ),
        (
            "{\"v\":1,\"writeKey\":\"key\",\"batches\":[{\"topic\":\"t\",\"partition\":1e99,\"bytes\":1}]}\n",
            400,
            "INVALID_REQUEST",
        ),
        (
            "{\"v\":1,\"writeKey\":\"nope\",\"batches\":[{\"topic\":\"t\",\"partition\":0,\"bytes\":0}]}\n",
            403,
            "WRITE_KEY_REFUSED",
        ),
        ("{\"v\":1,\"batches\":[{\"topic\":\"t\",\"partition\":0,\"bytes\":0}]}\n", 403, "WRITE_KEY_REFUSED"),
        (&huge, 413, "MESSAGE_TOO_LARGE"),
        (&format!("{many}\n"), 400, "INVALID_REQUEST"),
    ];
    let roomy = settings_with_room();
    let roomy = Bench::open(roomy, super::Disk::default()).unwrap();
    for (body, status, code) in cases {
        let (answered, answer) = roomy.post(body.as_bytes());
        let shown: String = body.chars().take(80).collect();
        assert_eq!((answered, answer["error"]["code"].as_str()), (status, Some(code)), "{shown}");
        assert!(answer["error"]["kind"].is_string() && answer["error"]["message"].is_string());
        assert!(
            answer["error"]["message"].as_str().unwrap().len() < 400,
            "a message does not repeat what was sent"
        );
        assert_eq!(answer.get("answers"), None);
        assert!(answer["time"].is_number() && answer["limits"]["batchBytes"].is_number());
    }
    let (status, _) = bench.post(&vec![b' '; 100_001]);
    assert_eq!(status, 413, "a body over the limit");
    assert!(bench.disk.is_empty(Store::Topics));
}

fn settings_with_room() -> headwater::collect::Settings {
    let mut settings = settings();
    settings.limits.request_bytes = 4 << 20;
    settings
}
