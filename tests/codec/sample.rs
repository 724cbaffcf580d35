//! Batches of any kind, and what is in them.

use headwater::base::Writer;
use headwater::log::batch::{Attributes, BatchBuilder, BatchOptions, TimestampType};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A record as it is put in, `gap` offsets after the one before.
#[derive(Clone, Debug)]
pub struct Sample {
    pub gap: i32,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

pub fn samples() -> impl Strategy<Value = Vec<Sample>> {
    vec(sample(), 0..30)
}

fn sample() -> impl Strategy<Value = Sample> {
    let bytes = || option::of(vec(any::<u8>(), 0..80));
    let headers = vec((".{0,6}", bytes()), 0..4);
    let gap = prop_oneof![8 => Just(1), 1 => 2..5, 1 => 1000..100_000_i32];
    // Most records of a batch are of one moment; some are of another age, or have no time at all.
    let now = 1_729_800_000_000_i64;
    let timestamp = prop_oneof![6 => now - 1000..now + 1000, 1 => any::<i64>(), 1 => Just(-1)];
    (gap, timestamp, bytes(), bytes(), headers).prop_map(|(gap, timestamp, key, value, headers)| Sample {
        gap,
        timestamp,
        key,
        value,
        headers,
    })
}

/// Anything that a batch may say beyond its records.
pub fn options() -> impl Strategy<Value = BatchOptions> {
    let offsets = prop_oneof![Just(0), 0..=i64::MAX / 2];
    let producer = prop_oneof![
        Just((-1, -1, -1)),
        (0..=i64::MAX, 0..=i16::MAX, prop_oneof![0..=i32::MAX, i32::MAX - 40..=i32::MAX])
    ];
    (offsets, any::<i32>(), any::<[bool; 4]>(), producer).prop_map(|(base_offset, epoch, marks, producer)| {
        let kind = if marks[0] { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let attributes = Attributes::default()
            .with_timestamp_type(kind)
            .with_transactional(marks[1])
            .with_control(marks[2])
            .with_delete_horizon(marks[3]);
        let (producer_id, producer_epoch, base_sequence) = producer;
        BatchOptions {
            base_offset,
            partition_leader_epoch: epoch,
            attributes,
            producer_id,
            producer_epoch,
            base_sequence,
            ..BatchOptions::default()
        }
    })
}

pub fn batch(options: BatchOptions, samples: &[Sample]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    let mut delta = -1;
    for sample in samples {
        delta += sample.gap;
        let (key, value) = (sample.key.as_deref(), sample.value.as_deref());
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            sample.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref())).collect();
        if sample.gap == 1 {
            builder.push(sample.timestamp, key, value, &headers);
        } else {
            let mut raw = Writer::new();
            for (key, value) in &headers {
                raw.nullable(Some(key));
                raw.nullable(*value);
            }
            builder.push_at(delta, sample.timestamp, key, value, headers.len() as i32, &raw.finish());
        }
    }
    let expected = builder.size();
    let batch = builder.finish();
    assert_eq!(batch.len(), expected, "the size is known before the end");
    batch
}
