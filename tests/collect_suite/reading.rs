use futures::executor::block_on;
use headwater::log::batch::{BatchBuilder, BatchOptions};
use serde_json::{Value as Json, json};

use super::{Bench, NOW, P, wire};

fn page(bench: &Bench, offset: i64, limit: usize) -> (u16, Json) {
    let response = block_on(bench.service.records("events", 0, offset, limit));
    (response.status, serde_json::from_str(&response.body).unwrap())
}

#[test]
fn a_record_reads_back_with_its_identity() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 4, 9, &["a", "b"])]);
    let record = json!({
        "offset": "1", "timestamp": NOW, "key": "user", "value": "b",
        "headers": [
            { "key": "hw-id", "value": "\0\0\0\0\0\0\0\u{7}\0\0\0\u{3}" },
            { "key": "a", "value": null },
        ],
        "identity": {
            "producerId": P.to_string(), "epoch": 4, "sequence": 10, "hwId": "000000000000000700000003",
        },
    });
    let expected = json!({
        "topic": "events", "partition": 0, "logStartOffset": "0", "highWatermark": "2", "nextOffset": "2",
        "records": [record],
    });
    assert_eq!(page(&bench, 1, 10), (200, expected));
}

#[test]
fn bytes_that_are_no_text_read_back_in_base64() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let options =
        BatchOptions { producer_id: P, producer_epoch: 0, base_sequence: 0, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    builder.push(NOW, Some(&[0xff]), Some(&[0xfb, 0xff]), &[(&[0xfe], Some(&[0x80]))]);
    builder.push(NOW, None, None, &[]);
    bench.post_batches(&signed, &[builder.finish()]);
    let (_, page) = page(&bench, 0, 10);
    let [record, empty] = page["records"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!((&record["key"], &record["keyEncoding"]), (&json!("/w=="), &json!("base64")));
    assert_eq!((&record["value"], &record["valueEncoding"]), (&json!("+/8="), &json!("base64")));
    assert_eq!(record["headers"], json!([{ "key": "\u{fffd}", "value": "gA==", "valueEncoding": "base64" }]));
    assert_eq!((&empty["key"], &empty["value"]), (&Json::Null, &Json::Null));
    assert_eq!(empty["identity"]["hwId"], Json::Null);
}

#[test]
fn pages_follow_each_other_whatever_the_batches_are() {
    let bench = Bench::default();
    let signed = bench.register(P);
    let mut sequence = 0;
    for size in [1, 3, 7, 2, 40, 1, 1, 20] {
        let values: Vec<String> = (sequence..sequence + size).map(|value| value.to_string()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        bench.post_batches(&signed, &[wire(P, 0, sequence, &values)]);
        sequence += size;
    }
    for limit in [1, 2, 5, 16, 1_000] {
        let (mut offset, mut values) = (0, Vec::new());
        while offset < i64::from(sequence) {
            let (_, page) = page(&bench, offset, limit);
            let records = page["records"].as_array().unwrap();
            assert!((1..=limit).contains(&records.len()));
            values.extend(
                records.iter().map(|record| record["value"].as_str().unwrap().parse::<i32>().unwrap()),
            );
            offset = page["nextOffset"].as_str().unwrap().parse().unwrap();
        }
        assert_eq!(values, (0..sequence).collect::<Vec<_>>(), "pages of {limit}");
    }
}

#[test]
fn a_page_of_large_records_ends_early() {
    let mut settings = super::settings();
    settings.limits.batch_bytes = 1 << 20;
    settings.limits.request_bytes = 4 << 20;
    let bench = Bench::open(settings, super::Disk::default()).unwrap();
    let signed = bench.register(P);
    let large = "x".repeat(700_000);
    for sequence in 0..4 {
        bench.post_batches(&signed, &[wire(P, 0, sequence, &[&large])]);
    }
    let (_, page) = page(&bench, 0, 100);
    assert_eq!((page["records"].as_array().unwrap().len(), &page["nextOffset"]), (2, &json!("2")));
}

#[test]
fn what_cannot_be_read_says_why() {
    let bench = Bench::default();
    let signed = bench.register(P);
    bench.post_batches(&signed, &[wire(P, 0, 0, &["a"])]);
    assert_eq!(page(&bench, 1, 10).1["records"], json!([]), "the end is no error");
    let cases = [
        (page(&bench, 2, 10), 400, "OFFSET_OUT_OF_RANGE"),
        (page(&bench, -1, 10), 400, "INVALID_REQUEST"),
        (page(&bench, 0, 0), 400, "INVALID_REQUEST"),
        (page(&bench, 0, 1_001), 400, "INVALID_REQUEST"),
    ];
    for ((status, answer), expected, code) in cases {
        assert_eq!((status, &answer["error"]["code"]), (expected, &json!(code)));
    }
    for (topic, partition) in [("nothing", 0), ("events", 1), ("events", -1)] {
        assert_eq!(block_on(bench.service.records(topic, partition, 0, 10)).status, 404);
    }
}
