use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::{Bench, P, wire};

/// Kafka's recorded answers to idempotent producers, asked of the collector. Transactions and expiry are Kafka's
/// alone: a case ends where one begins.
#[test]
fn conformance_producer_state() {
    let folder = std::env::var_os("HEADWATER_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join("producer_state_cases.json")).unwrap();
    let cases: Json = serde_json::from_str(&text).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    let steps: usize = cases.iter().map(run).sum();
    assert!(cases.len() >= 9 && steps >= 14, "{} cases, {steps} steps", cases.len());
}

fn run(case: &Json) -> usize {
    let bench = Bench::default();
    let mut steps = 0;
    for step in case["steps"].as_array().unwrap() {
        let number = |field: &str| step[field].as_i64().unwrap();
        if step["op"] != "append" || step["transactional"] == true || number("producer_id") < 0 {
            break;
        }
        let id = P + number("producer_id");
        let values = vec!["x"; number("record_count") as usize];
        let batch = wire(id, number("producer_epoch") as i16, number("base_sequence") as i32, &values);
        let (_, answer) = bench.post_batches(&bench.register(id), &[batch]);
        let answer = &answer["answers"][0];
        assert_eq!(answer["error"]["code"], step["error"], "{}: {step}", case["name"]);
        let offset = step["base_offset"].as_i64().map_or(Json::Null, |offset| json!(offset.to_string()));
        assert_eq!(answer["baseOffset"], offset, "{}: {step}", case["name"]);
        assert_eq!(answer["result"] == "duplicate", step["duplicate"] == true, "{}: {step}", case["name"]);
        assert_eq!(bench.values("events", 0).len() as i64, number("log_end_offset"));
        steps += 1;
    }
    steps
}
