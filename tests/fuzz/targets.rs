use headwater::base::{Reader, TopicConfig, TopicId, TopicPartition, Writer};
use headwater::client::forwarder::DeliveryRow;
use headwater::client::producer::Frames;
use headwater::group::{GroupRow, HeartbeatRequest, HeartbeatResponse, Partitions, stored_offset};
use headwater::log::batch::{
    Attributes, BatchBuilder, BatchHeader, BatchOptions, Batches, Compression, check, decompressed, records,
};
use headwater::log::ops::TransactionalRow;
use headwater::log::producer_state::ProducerState;
use headwater::log::{PartitionRow, TopicRow};
use headwater::node::Message;

use super::{Target, about, feature, reason, rows};
use crate::codecs::Codecs;

pub const TARGETS: &[Target] = &[
    Target { name: "batches", run: batches, seeds: batch_seeds },
    Target { name: "records", run: resealed, seeds: batch_seeds },
    Target { name: "frames", run: frames, seeds: frame_seeds },
    Target { name: "messages", run: messages, seeds: message_seeds },
    Target { name: "heartbeats", run: heartbeats, seeds: heartbeat_seeds },
    Target { name: "stored_rows", run: stored_rows, seeds: row_seeds },
    Target { name: "damaged_logs", run: rows::run, seeds: rows::seeds },
    #[cfg(feature = "collector")]
    Target { name: "requests", run: requests, seeds: request_seeds },
];

fn batch(count: i32, attributes: Attributes) -> Vec<u8> {
    let options = BatchOptions {
        attributes,
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: 3,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    for index in 0..count {
        let key = index.to_be_bytes();
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", Some(b"v")), (b"", None)];
        builder.push(5 + i64::from(index), Some(&key), (index % 2 == 0).then_some(b"value"), headers);
    }
    builder.finish()
}

fn batch_seeds() -> Vec<Vec<u8>> {
    let plain = batch(3, Attributes(0));
    let mut seeds = vec![plain.clone(), batch(0, Attributes(0)), batch(1, Attributes(0b100_1000))];
    let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let packed = |codec| headwater::log::batch::compressed(&plain, codec, &Codecs).unwrap();
    seeds.extend(codecs.into_iter().map(packed));
    seeds.push([plain.clone(), plain].concat());
    seeds
}

fn error_or<T>(result: Result<T, headwater::base::Error>, ok: impl FnOnce(T) -> u64) -> u64 {
    match result {
        Ok(value) => ok(value),
        Err(error) => reason(&error),
    }
}

/// Batches back to back, whose CRC must match.
fn batches(bytes: &[u8]) -> u64 {
    let mut found = Vec::new();
    for batch in Batches::new(bytes) {
        found.push(error_or(batch, |batch| {
            let header = check(batch).unwrap();
            assert!(header.size() == batch.len() && header.next_offset() > header.base_offset);
            about(batch.len())
        }));
        assert!(found.len() <= bytes.len() / 14 + 1, "every batch takes bytes");
    }
    found.truncate(2);
    feature(&found)
}

/// The same after a CRC that matches: what a hostile producer sends.
fn resealed(bytes: &[u8]) -> u64 {
    let mut sealed = bytes.to_vec();
    if sealed.len() >= BatchHeader::SIZE {
        let length = (sealed.len() - 12) as i32;
        sealed[8..12].copy_from_slice(&length.to_be_bytes());
        sealed[16] = 2;
        let crc = headwater::base::crc32c(&sealed[21..]);
        sealed[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    let plain = match decompressed(&sealed, &Codecs) {
        Ok(plain) => plain,
        Err(error) => return reason(&error),
    };
    error_or(records(&plain), |records| {
        let (mut count, mut last, mut headers) = (0, -1_i64, 0);
        for record in records {
            match record {
                Ok(record) => {
                    assert!(record.offset > last || count == 0, "offsets grow");
                    last = record.offset;
                    headers += record.headers().filter(Result::is_ok).count();
                }
                Err(error) => return feature(&[reason(&error), about(count), about(headers)]),
            }
            count += 1;
            assert!(count <= plain.len(), "every record takes bytes");
        }
        feature(&[about(count), about(headers)])
    })
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let plain = crate::support::FrameWriter::default();
    let frames = plain.frame(-1, 5, None, Some(b"v")).frame(0, 6, Some(b"k"), None).0;
    let mut headers = frames.clone();
    let last = headers.len() - 4;
    headers[last..].copy_from_slice(&1_i32.to_le_bytes());
    headers.extend([1, 0, 0, 0, b'h', 255, 255, 255, 255]);
    vec![frames, headers]
}

fn frames(bytes: &[u8]) -> u64 {
    let mut found = Vec::new();
    for frame in Frames::new(bytes) {
        found.push(error_or(frame, |frame| {
            assert!(frame.bytes_max() <= bytes.len() + 96);
            let key = frame.key.map_or(0, |key| 1 + about(key.len()));
            feature(&[key, u64::from(frame.value.is_none()), about(frame.headers.len())])
        }));
    }
    found.truncate(2);
    feature(&found)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([7; 16]), partition }
}

fn message_seeds() -> Vec<Vec<u8>> {
    vec![
        Message::Appended(vec![(tp(0), 5), (tp(1), 6)]).encode(),
        Message::TopicChanged("events".into()).encode(),
    ]
}

fn messages(bytes: &[u8]) -> u64 {
    match Message::decode(bytes) {
        Some(message) => {
            let again = Message::decode(&message.encode());
            assert!(again.as_ref() == Some(&message), "what was read is written the same");
            feature(&[u64::from(bytes[0]), about(bytes.len())])
        }
        None => feature(&[1 << 32, bytes.first().copied().unwrap_or(0).into()]),
    }
}

fn heartbeat_seeds() -> Vec<Vec<u8>> {
    let owned: Partitions = [tp(0), tp(3)].into_iter().collect();
    let request = HeartbeatRequest {
        group: "g".into(),
        member: "m".into(),
        epoch: 3,
        topics: Some(vec!["a".into(), "b".into()]),
        owned: Some(owned.clone()),
        ..HeartbeatRequest::default()
    };
    let response = HeartbeatResponse {
        member: "m".into(),
        epoch: 4,
        heartbeat_interval_ms: 5_000,
        assignment: Some(owned),
    };
    let (mut one, mut two) = (Writer::new(), Writer::new());
    request.write(&mut one);
    response.write(&mut two);
    vec![one.finish(), two.finish()]
}

fn heartbeats(bytes: &[u8]) -> u64 {
    let request = error_or(HeartbeatRequest::read(&mut Reader::new(bytes)), |request| {
        let mut writer = Writer::new();
        request.write(&mut writer);
        let again = writer.finish();
        assert_eq!(HeartbeatRequest::read(&mut Reader::new(&again)), Ok(request));
        about(again.len())
    });
    let response = error_or(HeartbeatResponse::read(&mut Reader::new(bytes)), |response| {
        let mut writer = Writer::new();
        response.write(&mut writer);
        let again = writer.finish();
        assert_eq!(HeartbeatResponse::read(&mut Reader::new(&again)), Ok(response));
        about(again.len())
    });
    feature(&[request, response])
}

fn row_seeds() -> Vec<Vec<u8>> {
    let config = TopicConfig::from_entries([("cleanup.policy", "compact"), ("retention.ms", "5")]).unwrap();
    let topic =
        TopicRow { id: TopicId([7; 16]), partitions: 3, config: config.clone(), sink: Some("sink".into()) };
    let compacted = headwater::log::rows::Compacted { upto: 5, kept: 3, horizon: 9 };
    let partition = PartitionRow { start: 5, generation: 2, compacted };
    let transactional = TransactionalRow { producer_id: 5, epoch: 1, committed: 2, at: 3 };
    let mut state = ProducerState::default();
    state.record(&check(&batch(3, Attributes(0))).unwrap(), 0, 5);
    vec![
        topic.encode(),
        config.encode(),
        partition.encode(),
        PartitionRow::default().encode(),
        transactional.encode(),
        state.encode(),
        DeliveryRow { marker: Some((1, 2)), signature: vec![1; 32], ..DeliveryRow::begin(1 << 61, 0) }
            .encode(),
        GroupRow::default().encode(),
    ]
}

/// Every row that is not a batch. What can be read is written as it was read.
fn stored_rows(bytes: &[u8]) -> u64 {
    fn same<T: PartialEq + std::fmt::Debug>(
        bytes: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, headwater::base::Error>,
        encode: impl Fn(&T) -> Vec<u8>,
    ) -> u64 {
        error_or(decode(bytes), |row| {
            let again = encode(&row);
            assert_eq!(decode(&again), Ok(row));
            about(again.len())
        })
    }
    feature(&[
        same(bytes, TopicRow::decode, TopicRow::encode),
        same(bytes, TopicConfig::decode, TopicConfig::encode),
        same(bytes, PartitionRow::decode, PartitionRow::encode),
        same(bytes, TransactionalRow::decode, TransactionalRow::encode),
        same(bytes, ProducerState::decode, ProducerState::encode),
        same(bytes, DeliveryRow::decode, DeliveryRow::encode),
        same(bytes, GroupRow::decode, GroupRow::encode),
        error_or(stored_offset(bytes, bytes), |(group, ..)| about(group.len())),
    ])
}

#[cfg(feature = "collector")]
fn request_seeds() -> Vec<Vec<u8>> {
    let batch = batch(2, Attributes(0));
    let line = |bytes: usize| {
        format!(
            "{{\"v\":1,\"writeKey\":\"k\",\"batches\":[{{\"topic\":\"t\",\"partition\":0,\"partitions\":1,\
             \"bytes\":{bytes},\"signature\":\"AAAA\",\"signedAt\":5}}]}}\n"
        )
    };
    vec![
        [line(batch.len()).as_bytes(), &batch].concat(),
        [line(batch.len() + 9).as_bytes(), &batch].concat(),
        b"{\"v\":1,\"batches\":[]}\n".to_vec(),
    ]
}

#[cfg(feature = "collector")]
fn requests(bytes: &[u8]) -> u64 {
    use headwater::collect::{Admitted, Collector, Limits, Settings};
    let limits = Limits { request_bytes: 2_048, batch_bytes: 512, ..Limits::default() };
    let settings = Settings { write_keys: None, topics: None, limits, secret: vec![1; 32] };
    let mut collector = Collector::new(settings, 1);
    match collector.admit(1_000, bytes, "address") {
        Admitted::Intake(_, wanted) => feature(&[1, about(wanted.len())]),
        Admitted::Response(response) => {
            let text = response.body.bytes().filter(u8::is_ascii_alphabetic);
            let words = text.take(120).fold(0_u64, |mixed, byte| mixed.wrapping_mul(31) ^ u64::from(byte));
            feature(&[u64::from(response.status), words])
        }
    }
}
