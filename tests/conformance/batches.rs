//! The record batch: what its bytes mean, and which bytes it becomes.

use headwater::base::{Code, Writer, crc32c};
use headwater::log::batch::{
    Attributes, BatchBuilder, BatchHeader, BatchOptions, Batches, Compression, NoCodec, TimestampType, check,
    decompressed, records,
};
use serde::Deserialize;

use crate::codecs::Codecs;
use crate::files::{bytes, hex, integer, nullable_integer, read, run};

const BATCHES: usize = 14;
const INVALID: usize = 4;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    hex: String,
    batches: Vec<Batch>,
    check: String,
}

#[derive(Deserialize)]
struct Invalid {
    name: String,
    hex: String,
    expect: String,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Batch {
    #[serde(deserialize_with = "integer")]
    base_offset: i64,
    #[serde(deserialize_with = "integer")]
    last_offset: i64,
    size_in_bytes: usize,
    partition_leader_epoch: i32,
    magic: i8,
    crc32c: u32,
    compression: String,
    timestamp_type: String,
    is_transactional: bool,
    is_control: bool,
    #[serde(deserialize_with = "nullable_integer")]
    delete_horizon_ms: Option<i64>,
    #[serde(deserialize_with = "integer")]
    base_timestamp: i64,
    #[serde(deserialize_with = "integer")]
    max_timestamp: i64,
    #[serde(deserialize_with = "integer")]
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    last_sequence: i32,
    record_count: i32,
    records: Vec<Record>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Record {
    #[serde(deserialize_with = "integer")]
    offset: i64,
    #[serde(deserialize_with = "integer")]
    timestamp: i64,
    sequence: i32,
    key_hex: Option<String>,
    value_hex: Option<String>,
    headers: Vec<Header>,
    control_type: Option<String>,
    coordinator_epoch: Option<i32>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Header {
    key: String,
    value_hex: Option<String>,
}

#[test]
fn conformance_record_batches() {
    let file: File = read("record_batches.json");
    run(
        "record_batches.json",
        &file.cases,
        BATCHES,
        |case| case.name.clone(),
        |case| {
            decodes(case);
            match case.check.as_str() {
                "decode_and_encode" => encodes(case),
                "decode" => {}
                other => panic!("what is to be done for \"{other}\"?"),
            }
        },
    );
}

#[test]
fn conformance_invalid_record_batches() {
    let file: File = read("record_batches.json");
    run("record_batches.json, invalid", &file.invalid, INVALID, |case| case.name.clone(), refuses);
}

fn decodes(case: &Case) {
    let all = bytes(&case.hex);
    let found: Vec<&[u8]> = Batches::new(&all).map(Result::unwrap).collect();
    assert_eq!(found.concat(), all, "the batches are all that there is");
    let found: Vec<Batch> = found.into_iter().map(decode).collect();
    assert_eq!(found, case.batches);
}

fn decode(batch: &[u8]) -> Batch {
    let header = check(batch).unwrap();
    let compression = header.attributes.compression().unwrap();
    if compression != Compression::None {
        let refusals = [records(batch).err(), decompressed(batch, &NoCodec).err()];
        let codes = refusals.map(|error| error.map(|error| error.code()));
        assert_eq!(codes, [Some(Code::UnsupportedCompressionType); 2]);
    }
    let batch = decompressed(batch, &Codecs).unwrap();
    let plain = check(&batch).unwrap();
    let attributes = header.attributes.with_compression(Compression::None);
    let (batch_length, crc) = (plain.batch_length, plain.crc);
    assert_eq!(
        plain,
        BatchHeader { attributes, batch_length, crc, ..header.clone() },
        "the rest stays as it was"
    );
    let records = records(&batch).unwrap().map(|record| Record::of(&record.unwrap(), &header));
    Batch {
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
        size_in_bytes: header.size(),
        partition_leader_epoch: header.partition_leader_epoch,
        magic: header.magic,
        crc32c: header.crc,
        compression: compression.name().to_owned(),
        timestamp_type: match header.attributes.timestamp_type() {
            TimestampType::CreateTime => "CreateTime".to_owned(),
            TimestampType::LogAppendTime => "LogAppendTime".to_owned(),
        },
        is_transactional: header.attributes.is_transactional(),
        is_control: header.attributes.is_control(),
        delete_horizon_ms: header.attributes.has_delete_horizon().then_some(header.base_timestamp),
        base_timestamp: header.base_timestamp,
        max_timestamp: header.max_timestamp,
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        record_count: header.record_count,
        records: records.collect(),
    }
}

impl Record {
    fn of(record: &headwater::log::batch::Record<'_>, header: &BatchHeader) -> Self {
        let headers = record.headers().map(Result::unwrap).map(|(key, value)| Header {
            key: String::from_utf8(key.to_vec()).unwrap(),
            value_hex: value.map(hex),
        });
        let control = header.attributes.is_control().then(|| control(record.key, record.value));
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: record.sequence,
            key_hex: record.key.map(hex),
            value_hex: record.value.map(hex),
            headers: headers.collect(),
            control_type: control.map(|(kind, _)| kind.to_owned()),
            coordinator_epoch: control.map(|(_, epoch)| epoch),
        }
    }
}

/// A transaction's marker: version and type, version and the coordinator's epoch.
fn control(key: Option<&[u8]>, value: Option<&[u8]>) -> (&'static str, i32) {
    let kind = match key {
        Some([0, 0, 0, 0]) => "ABORT",
        Some([0, 0, 0, 1]) => "COMMIT",
        _ => panic!("no marker of a transaction"),
    };
    match value {
        Some([0, 0, epoch @ ..]) => (kind, i32::from_be_bytes(epoch.try_into().unwrap())),
        _ => panic!("no marker of a transaction"),
    }
}

fn encodes(case: &Case) {
    let all = bytes(&case.hex);
    let stored = Batches::new(&all).map(Result::unwrap);
    let encoded: Vec<Vec<u8>> =
        case.batches.iter().zip(stored).map(|(batch, stored)| batch.encode(stored)).collect();
    assert_eq!(hex(&encoded.concat()), case.hex);
}

impl Batch {
    /// The bytes of a batch of these fields. `stored` gives only what the fields leave out: the timestamps under
    /// which the producer sent records whose time the log set.
    fn encode(&self, stored: &[u8]) -> Vec<u8> {
        let mut options = self.options();
        let mut timestamps: Vec<i64> = self.records.iter().map(|record| record.timestamp).collect();
        if options.attributes.timestamp_type() == TimestampType::LogAppendTime {
            timestamps = sent_timestamps(stored);
            options.max_timestamp = Some(self.max_timestamp);
        }
        let mut builder = BatchBuilder::new(options);
        for (record, timestamp) in self.records.iter().zip(timestamps) {
            let (key, value) = (record.key_hex.as_deref().map(bytes), record.value_hex.as_deref().map(bytes));
            let (key, value) = (key.as_deref(), value.as_deref());
            let values: Vec<_> =
                record.headers.iter().map(|header| header.value_hex.as_deref().map(bytes)).collect();
            let headers = record.headers.iter().zip(&values);
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                headers.map(|(header, value)| (header.key.as_bytes(), value.as_deref())).collect();
            let delta = i32::try_from(record.offset - self.base_offset).unwrap();
            if delta == builder.len() as i32 {
                builder.push(timestamp, key, value, &headers);
            } else {
                let raw = raw_headers(&headers);
                builder.push_at(delta, timestamp, key, value, headers.len() as i32, &raw);
            }
        }
        builder.finish()
    }

    fn options(&self) -> BatchOptions {
        let log_append_time = match self.timestamp_type.as_str() {
            "CreateTime" => TimestampType::CreateTime,
            "LogAppendTime" => TimestampType::LogAppendTime,
            other => panic!("no timestamp type: {other}"),
        };
        let attributes = Attributes::default()
            .with_timestamp_type(log_append_time)
            .with_transactional(self.is_transactional)
            .with_control(self.is_control)
            .with_delete_horizon(self.delete_horizon_ms.is_some());
        let last_offset_delta = i32::try_from(self.last_offset - self.base_offset).unwrap();
        let mut options = BatchOptions {
            base_offset: self.base_offset,
            partition_leader_epoch: self.partition_leader_epoch,
            attributes,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            ..BatchOptions::default()
        };
        // What compaction keeps cannot be derived from the records that are left.
        if self.record_count <= last_offset_delta || self.delete_horizon_ms.is_some() {
            options.last_offset_delta = Some(last_offset_delta);
            options.base_timestamp = Some(self.base_timestamp);
        }
        if self.record_count == 0 {
            options.max_timestamp = Some(self.max_timestamp);
        }
        options
    }
}

fn raw_headers(headers: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
    let mut writer = Writer::new();
    for (key, value) in headers {
        writer.nullable(Some(key));
        writer.nullable(*value);
    }
    writer.finish()
}

fn sent_timestamps(batch: &[u8]) -> Vec<i64> {
    let mut batch = batch.to_vec();
    let attributes =
        BatchHeader::read(&batch).unwrap().attributes.with_timestamp_type(TimestampType::CreateTime);
    batch[21..23].copy_from_slice(&attributes.0.to_be_bytes());
    records(&batch).unwrap().map(|record| record.unwrap().timestamp).collect()
}

fn refuses(case: &Invalid) {
    let all = bytes(&case.hex);
    let mut whole = 0;
    let outcome = Batches::new(&all).try_for_each(|batch| {
        let batch = batch?;
        whole += batch.len();
        for record in records(&decompressed(batch, &Codecs)?)? {
            record?.headers().try_for_each(|header| header.map(drop))?;
        }
        Ok::<_, headwater::base::Error>(())
    });
    match (case.expect.as_str(), outcome) {
        ("VALID", Ok(())) => assert_eq!(whole, all.len(), "nothing is left over"),
        ("INCOMPLETE", Ok(())) => {
            assert!(whole == 0 || whole < all.len(), "the reader stops before the partial batch");
        }
        ("CORRUPT", Err(error)) => assert_eq!(error.code(), Code::CorruptMessage),
        ("CORRUPT_CRC", Err(error)) => {
            assert_eq!(error.code(), Code::CorruptMessage);
            assert!(!crc_matches(&all[whole..]));
        }
        (expected, outcome) => panic!("{expected}, and what came is {outcome:?}"),
    }
}

fn crc_matches(batch: &[u8]) -> bool {
    let number = |at: usize| u32::from_be_bytes(batch[at..at + 4].try_into().unwrap());
    crc32c(&batch[21..12 + number(8) as usize]) == number(17)
}
