use std::collections::BTreeMap;

use crate::base::{Code, Error};
use crate::log::ops::ListTopics;
use crate::log::{Applied, Durability, Op, Plan, Rows, Scan, Store, TopicRow, Write};

const FORMAT: &[u8] = b"format";
const SECRET: &[u8] = b"collector.secret";
const VERSION: u8 = 1;

/// Opens a collector's log: its topics, and the secret that it signs with.
#[derive(Clone, Debug)]
pub struct OpenLog {
    /// The secret of a new log.
    pub fresh_secret: Vec<u8>,
}

/// What was there.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The secret of the log.
    pub secret: Vec<u8>,
    /// All topics.
    pub topics: BTreeMap<String, TopicRow>,
}

impl Op for OpenLog {
    type Reply = Opened;

    fn plan(&self) -> Plan {
        let row = |key: &[u8]| Scan::Get(Store::Meta, key.to_vec());
        let mut scans = ListTopics.plan().scans;
        scans.extend([row(FORMAT), row(SECRET)]);
        Plan::write(scans, vec![Store::Meta], Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Opened>, Error> {
        let put = |key: &[u8], value: &[u8]| Write::Put(Store::Meta, key.to_vec(), value.to_vec());
        let mut writes = Vec::new();
        match rows.value(1) {
            None => writes.push(put(FORMAT, &[VERSION])),
            Some([VERSION]) => {}
            Some(_) => {
                let message = "a newer headwater wrote this log: update headwater, or use another folder";
                return Err(Error::new(Code::StorageNewerFormat, message));
            }
        }
        let secret = rows.value(2).map_or_else(|| self.fresh_secret.clone(), <[u8]>::to_vec);
        if rows.value(2).is_none() {
            writes.push(put(SECRET, &secret));
        }
        let topics = ListTopics.apply(rows)?.reply.into_iter().collect();
        Ok(Applied { writes, reply: Opened { secret, topics } })
    }
}
