use crate::base::{Code, Error, ProducerId, Reader, Timestamp, TopicPartition, Writer};
use crate::log::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write, partition_key};

/// Who produces under a `transactional.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionalRow {
    /// The producer id.
    pub producer_id: ProducerId,
    /// Grows with every [`InitProducerId`]: whoever holds an older one is fenced.
    pub epoch: i16,
    /// How many transactions this epoch has committed.
    pub committed: i64,
    /// When it was last written.
    pub at: Timestamp,
}

impl TransactionalRow {
    const VERSION: u8 = 1;

    /// The row's key.
    pub fn key(transactional_id: &str) -> Key {
        [b"t", transactional_id.as_bytes()].concat()
    }

    /// The row's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.i64(self.producer_id);
        writer.i16(self.epoch);
        writer.i64(self.committed);
        writer.i64(self.at);
        writer.finish()
    }

    /// The row from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| {
            Error::new(Code::StorageCorrupt, "the stored row of a transactional.id cannot be read")
        })
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != Self::VERSION {
            return Err(Error::new(Code::StorageCorrupt, "unknown version"));
        }
        let (producer_id, epoch) = (reader.i64()?, reader.i16()?);
        Ok(Self { producer_id, epoch, committed: reader.i64()?, at: reader.i64()? })
    }
}

/// The key of what a partition remembers of a transactional producer; see
/// [`ProducerState`](crate::log::producer_state::ProducerState).
pub fn producer_state_key(producer_id: ProducerId, tp: TopicPartition) -> Key {
    [b"p".as_slice(), &producer_id.to_be_bytes(), &partition_key(tp)].concat()
}

/// Begins a new epoch of a `transactional.id`: whoever produced under it before is fenced, and what it had not
/// committed was never written.
#[derive(Clone, Debug)]
pub struct InitProducerId {
    /// The `transactional.id`.
    pub transactional_id: String,
    /// The producer id. Each epoch has one of its own, since sequences begin anew with it, and since a copy of the profile
    /// may begin the same epoch: id and sequence name a record for ever, wherever it is forwarded to.
    pub fresh: ProducerId,
    /// When.
    pub now: Timestamp,
}

impl InitProducerId {
    /// The last epoch that Kafka hands out.
    const EPOCH_MAX: i16 = i16::MAX - 1;
}

impl Op for InitProducerId {
    type Reply = TransactionalRow;

    fn plan(&self) -> Plan {
        let scan = Scan::Get(Store::Producers, TransactionalRow::key(&self.transactional_id));
        Plan::write(vec![scan], vec![Store::Producers], Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<TransactionalRow>, Error> {
        let known = rows.value(0).map(TransactionalRow::decode).transpose()?;
        let older = known.filter(|row| row.epoch < Self::EPOCH_MAX);
        let epoch = older.map_or(0, |row| row.epoch + 1);
        let row = TransactionalRow { producer_id: self.fresh, epoch, committed: 0, at: self.now };
        let key = TransactionalRow::key(&self.transactional_id);
        Ok(Applied { writes: vec![Write::Put(Store::Producers, key, row.encode())], reply: row })
    }
}
