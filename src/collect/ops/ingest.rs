use std::collections::BTreeMap;

use crate::base::{Error, Offset, ProducerId, Reader, Timestamp, TopicPartition, Writer};
use crate::log::batch::{self, BatchHeader};
use crate::log::producer_state::{Admission, ProducerState};
use crate::log::{
    Applied, Durability, Key, Op, PartitionRow, Plan, Rows, Scan, Store, Value, Write, batch_key, end_offset,
    last_batch, partition_key, unknown_partition,
};

/// Stores batches: all that one request brought, or several requests, in one transaction that is on disk when it
/// completes. A batch that a rule refuses does not keep the others from being stored.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// The batches, in the order in which they arrived.
    pub entries: Vec<Entry>,
    /// When, by the collector's clock.
    pub now: Timestamp,
}

/// A batch and where it goes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The partition.
    pub tp: TopicPartition,
    /// What names the batch: the header under which it arrived.
    pub header: BatchHeader,
    /// What is stored. Its base offset is rewritten.
    pub bytes: Vec<u8>,
    /// True for a dead letter: it wraps a batch of this header, and follows no sequence.
    pub dead: bool,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// It was stored from this offset on.
    Appended(Offset),
    /// A batch of this name was stored before, from this offset on.
    Duplicate(Offset),
}

impl Op for Ingest {
    type Reply = Vec<Result<Ingested, Error>>;

    fn plan(&self) -> Plan {
        let ends = self
            .partitions()
            .into_keys()
            .flat_map(|tp| [Scan::Get(Store::Partitions, partition_key(tp)), last_batch(tp)]);
        let producers =
            self.producers().into_keys().map(|producer| Scan::Get(Store::Producers, key(producer)));
        let writes = vec![Store::Batches, Store::Producers];
        Plan::write(ends.chain(producers).collect(), writes, Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let mut log =
            Log { now: self.now, ends: self.partitions(), memory: self.producers(), writes: Vec::new() };
        let mut scan = 0;
        for (tp, end) in &mut log.ends {
            *end = read_end(*tp, rows.value(scan), rows.value(scan + 1));
            scan += 2;
        }
        for memory in log.memory.values_mut() {
            memory.row = rows.value(scan).map(<[u8]>::to_vec);
            scan += 1;
        }
        let reply = self.entries.iter().map(|entry| log.ingest(entry)).collect();
        Ok(Applied { writes: log.finish(), reply })
    }
}

type Producer = (TopicPartition, ProducerId);

impl Ingest {
    fn partitions(&self) -> BTreeMap<TopicPartition, Result<Offset, Error>> {
        self.entries.iter().map(|entry| (entry.tp, Ok(0))).collect()
    }

    fn producers(&self) -> BTreeMap<Producer, Memory> {
        self.entries.iter().map(|entry| ((entry.tp, entry.header.producer_id), Memory::default())).collect()
    }
}

fn key((tp, producer_id): Producer) -> Key {
    let mut key = partition_key(tp);
    key.extend_from_slice(&producer_id.to_be_bytes());
    key
}

fn read_end(tp: TopicPartition, row: Option<&[u8]>, last: Option<&[u8]>) -> Result<Offset, Error> {
    let row = row.ok_or_else(|| unknown_partition(tp.partition))?;
    end_offset(&PartitionRow::decode(row)?, last)
}

/// What a partition remembers of a producer.
#[derive(Default)]
struct Memory {
    row: Option<Value>,
    changed: bool,
}

/// The partitions as they are after what was ingested so far.
struct Log {
    now: Timestamp,
    ends: BTreeMap<TopicPartition, Result<Offset, Error>>,
    memory: BTreeMap<Producer, Memory>,
    writes: Vec<Write>,
}

impl Log {
    fn ingest(&mut self, entry: &Entry) -> Result<Ingested, Error> {
        let producer = (entry.tp, entry.header.producer_id);
        let row = self.memory.get(&producer).and_then(|memory| memory.row.as_deref());
        let end = self
            .ends
            .get(&entry.tp)
            .cloned()
            .unwrap_or_else(|| Err(unknown_partition(entry.tp.partition)))?;
        let row = if entry.dead {
            let name = LetterRow::new(&entry.header, end);
            match row.and_then(LetterRow::decode) {
                Some(last) if last.names_the_same(&name) => return Ok(Ingested::Duplicate(last.base)),
                _ => name.encode(),
            }
        } else {
            let mut state = row.map(ProducerState::decode).transpose()?.unwrap_or_default();
            match state.check(&entry.header)? {
                Admission::Duplicate { base_offset } => return Ok(Ingested::Duplicate(base_offset)),
                Admission::Append => state.record(&entry.header, end, self.now),
            }
            state.encode()
        };
        self.memory.insert(producer, Memory { row: Some(row), changed: true });
        let mut bytes = entry.bytes.clone();
        batch::set_base_offset(&mut bytes, end);
        let next = BatchHeader::read(&bytes)?.next_offset();
        self.writes.push(Write::Add(Store::Batches, batch_key(entry.tp, end), bytes));
        self.ends.insert(entry.tp, Ok(next));
        Ok(Ingested::Appended(end))
    }

    fn finish(self) -> Vec<Write> {
        let mut writes = self.writes;
        for (producer, memory) in self.memory {
            if let Some(row) = memory.row.filter(|_| memory.changed) {
                writes.push(Write::Put(Store::Producers, key(producer), row));
            }
        }
        writes
    }
}

/// The last dead letter of a producer: it may come again where its answer was lost, and is then the same to the
/// bit, since there is one batch at a time.
struct LetterRow {
    epoch: i16,
    base_sequence: i32,
    length: i32,
    crc: u32,
    base: Offset,
}

impl LetterRow {
    const VERSION: u8 = 1;

    fn new(header: &BatchHeader, base: Offset) -> Self {
        Self {
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            length: header.batch_length,
            crc: header.crc,
            base,
        }
    }

    fn names_the_same(&self, other: &Self) -> bool {
        (self.epoch, self.base_sequence, self.length, self.crc)
            == (other.epoch, other.base_sequence, other.length, other.crc)
    }

    fn encode(&self) -> Value {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.i16(self.epoch);
        writer.i32(self.base_sequence);
        writer.i32(self.length);
        writer.u32(self.crc);
        writer.i64(self.base);
        writer.finish()
    }

    /// A row that cannot be read remembers nothing: the worst that follows is a letter kept twice.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        reader.u8().ok().filter(|version| *version == Self::VERSION)?;
        Some(Self {
            epoch: reader.i16().ok()?,
            base_sequence: reader.i32().ok()?,
            length: reader.i32().ok()?,
            crc: reader.u32().ok()?,
            base: reader.i64().ok()?,
        })
    }
}
