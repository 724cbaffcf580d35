use super::init_producer::TransactionalRow;
use crate::base::{Error, Timestamp};
use crate::log::producer_state::{PRODUCER_ID_EXPIRATION_MS, ProducerState};
use crate::log::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write};

/// Forgets transactional producers that have been silent for long, a slice of rows at a time.
#[derive(Clone, Debug)]
pub struct ExpireProducers {
    /// Where the slice begins; empty at first.
    pub from: Key,
    /// When.
    pub now: Timestamp,
}

impl ExpireProducers {
    const ROWS_A_SLICE: usize = 256;
    /// Kafka's `transactional.id.expiration.ms`.
    const TRANSACTIONAL_ID_EXPIRATION_MS: i64 = 604_800_000;

    /// True for a row that can be read, and is old. Any other is left as it is.
    fn expired(&self, key: &[u8], row: &[u8]) -> bool {
        match key.first() {
            Some(b't') => TransactionalRow::decode(row)
                .is_ok_and(|row| self.now.saturating_sub(row.at) >= Self::TRANSACTIONAL_ID_EXPIRATION_MS),
            Some(b'p') => ProducerState::decode(row)
                .is_ok_and(|state| state.is_expired(self.now, PRODUCER_ID_EXPIRATION_MS)),
            _ => false,
        }
    }
}

impl Op for ExpireProducers {
    /// Where the next slice begins; `None` at the end.
    type Reply = Option<Key>;

    fn plan(&self) -> Plan {
        let limit = Self::ROWS_A_SLICE;
        let rows = Scan::Range { store: Store::Producers, from: self.from.clone(), to: vec![u8::MAX], limit };
        Plan::write(vec![rows], vec![Store::Producers], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let old = rows.all(0).iter().filter(|(key, row)| self.expired(key, row));
        let writes = old.map(|(key, _)| Write::Delete(Store::Producers, key.clone())).collect();
        let last = rows.all(0).last().filter(|_| rows.all(0).len() >= Self::ROWS_A_SLICE);
        let next = last.map(|(key, _)| [key.as_slice(), &[0]].concat());
        Ok(Applied { writes, reply: next })
    }
}
