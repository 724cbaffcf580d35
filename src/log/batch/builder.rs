use super::attributes::Attributes;
use super::header::{BatchHeader, seal};
use crate::base::{Offset, ProducerId, Sequence, Timestamp, Writer, varint_len, varlong_len};

/// What a batch says beyond its records. The default says nothing: every field is -1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// The offset of the first record.
    pub base_offset: Offset,
    /// The log's, or -1.
    pub partition_leader_epoch: i32,
    /// Marks; compression is not one of them, see [`super::compressed`].
    pub attributes: Attributes,
    /// Who produces, or -1.
    pub producer_id: ProducerId,
    /// Which incarnation, or -1.
    pub producer_epoch: i16,
    /// The sequence of the first record, or -1.
    pub base_sequence: Sequence,
    /// What timestamps count from; the first record's where `None`.
    pub base_timestamp: Option<Timestamp>,
    /// The time of the youngest record; computed where `None`.
    pub max_timestamp: Option<Timestamp>,
    /// The last offset less the base offset; the last record's where `None`.
    pub last_offset_delta: Option<i32>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: 0,
            partition_leader_epoch: -1,
            attributes: Attributes(0),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            base_timestamp: None,
            max_timestamp: None,
            last_offset_delta: None,
        }
    }
}

/// Writes a batch, record by record.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    bytes: Writer,
    count: i32,
    last_delta: i32,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
}

/// One header of a record: key (UTF-8), value.
type Header<'a> = (&'a [u8], Option<&'a [u8]>);

impl BatchBuilder {
    /// An empty batch.
    pub fn new(options: BatchOptions) -> Self {
        Self::with_capacity(options, 512)
    }

    /// An empty batch that grows to `capacity` bytes without moving.
    pub fn with_capacity(options: BatchOptions, capacity: usize) -> Self {
        let mut bytes = Writer::with_capacity(capacity.max(BatchHeader::SIZE));
        bytes.bytes(&[0; BatchHeader::SIZE]);
        let base_timestamp = options.base_timestamp;
        Self { options, bytes, count: 0, last_delta: -1, base_timestamp, max_timestamp: -1 }
    }

    /// How many records were pushed.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// True if no record was pushed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The batch's bytes so far, its header included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record after the last one.
    pub fn push(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        let mut raw = Writer::new();
        for (key, value) in headers {
            raw.nullable(Some(key));
            raw.nullable(*value);
        }
        self.push_raw(timestamp, key, value, headers.len() as i32, &raw.finish());
    }

    /// Adds a record after the last one, its headers encoded already.
    pub fn push_raw(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: i32,
        headers: &[u8],
    ) {
        self.push_at(self.last_delta + 1, timestamp, key, value, header_count, headers);
    }

    /// Adds a record `delta` offsets after the base offset; deltas must grow.
    pub fn push_at(
        &mut self,
        delta: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: i32,
        headers: &[u8],
    ) {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let since = timestamp.wrapping_sub(base);
        let length = 1
            + varlong_len(since)
            + varint_len(delta)
            + nullable_len(key)
            + nullable_len(value)
            + varint_len(header_count)
            + headers.len();
        let bytes = &mut self.bytes;
        bytes.varint(length as i32);
        bytes.u8(0);
        bytes.varlong(since);
        bytes.varint(delta);
        bytes.nullable(key);
        bytes.nullable(value);
        bytes.varint(header_count);
        bytes.bytes(headers);
        self.count += 1;
        self.last_delta = delta;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// The batch's bytes.
    pub fn finish(self) -> Vec<u8> {
        let options = self.options;
        let header = BatchHeader {
            base_offset: options.base_offset,
            batch_length: 0,
            partition_leader_epoch: options.partition_leader_epoch,
            magic: 2,
            crc: 0,
            attributes: options.attributes,
            last_offset_delta: options.last_offset_delta.unwrap_or(self.last_delta.max(0)),
            base_timestamp: self.base_timestamp.unwrap_or(-1),
            max_timestamp: options.max_timestamp.unwrap_or(self.max_timestamp),
            producer_id: options.producer_id,
            producer_epoch: options.producer_epoch,
            base_sequence: options.base_sequence,
            record_count: self.count,
        };
        let mut fields = Writer::with_capacity(BatchHeader::SIZE);
        header.write(&mut fields);
        let mut batch = self.bytes.finish();
        batch[..BatchHeader::SIZE].copy_from_slice(&fields.finish());
        seal(&mut batch);
        batch
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(bytes.len() as i32) + bytes.len())
}
