use super::Purge;
use crate::base::{Error, Reader, Timestamp, TopicId};
use crate::log::rows::{self, TopicRow};
use crate::log::{Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Write};

/// Begins a round of maintenance, unless another node began one not long ago.
#[derive(Clone, Debug)]
pub struct BeginMaintenance {
    /// When.
    pub now: Timestamp,
    /// A round that began within so many milliseconds is enough.
    pub interval_ms: i64,
}

/// What a round is to look after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// All topics that can be read; the others say so wherever they are used. None where that is not due yet.
    pub topics: Vec<(String, TopicRow)>,
    /// Topics that were deleted, and are not gone.
    pub deleted: Vec<TopicId>,
}

impl BeginMaintenance {
    const KEY: &'static [u8] = b"maintained";
    const TOPICS_MAX: usize = 100_000;
}

impl Op for BeginMaintenance {
    type Reply = Round;

    fn plan(&self) -> Plan {
        let topics = Scan::Range {
            store: Store::Topics,
            from: Key::new(),
            to: vec![u8::MAX],
            limit: Self::TOPICS_MAX,
        };
        let scans = vec![Scan::Get(Store::Meta, Self::KEY.to_vec()), topics, Purge::scan()];
        Plan::write(scans, vec![Store::Meta], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let last = rows.value(0).and_then(|row| Reader::new(row).i64().ok());
        // A clock that was set back must not stop maintenance for ever.
        let recent = last.is_some_and(|last| (0..self.interval_ms).contains(&self.now.saturating_sub(last)));
        let deleted = Purge::topics(rows, 2);
        if recent {
            return Ok(Applied::reply(Round { topics: Vec::new(), deleted }));
        }
        let topics = rows.all(1).iter().filter_map(|(name, row)| {
            let name = String::from_utf8_lossy(name).into_owned();
            Some((name.clone(), rows::topic(&name, Some(row)).ok()??))
        });
        let row = Write::Put(Store::Meta, Self::KEY.to_vec(), self.now.to_be_bytes().to_vec());
        Ok(Applied { writes: vec![row], reply: Round { topics: topics.collect(), deleted } })
    }
}
