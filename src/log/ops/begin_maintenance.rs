use crate::base::{Error, Reader, Timestamp};
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

impl BeginMaintenance {
    const KEY: &'static [u8] = b"maintained";
    const TOPICS_MAX: usize = 100_000;
}

impl Op for BeginMaintenance {
    /// All topics that can be read, or `None` where there is nothing to do yet. The others say so wherever they are
    /// used.
    type Reply = Option<Vec<(String, TopicRow)>>;

    fn plan(&self) -> Plan {
        let topics = Scan::Range {
            store: Store::Topics,
            from: Key::new(),
            to: vec![u8::MAX],
            limit: Self::TOPICS_MAX,
        };
        let scans = vec![Scan::Get(Store::Meta, Self::KEY.to_vec()), topics];
        Plan::write(scans, vec![Store::Meta], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let last = rows.value(0).and_then(|row| Reader::new(row).i64().ok());
        // A clock that was set back must not stop maintenance for ever.
        let recent = last.is_some_and(|last| (0..self.interval_ms).contains(&self.now.saturating_sub(last)));
        if recent {
            return Ok(Applied::reply(None));
        }
        let topics = rows.all(1).iter().filter_map(|(name, row)| {
            let name = String::from_utf8_lossy(name).into_owned();
            Some((name.clone(), rows::topic(&name, Some(row)).ok()??))
        });
        let row = Write::Put(Store::Meta, Self::KEY.to_vec(), self.now.to_be_bytes().to_vec());
        Ok(Applied { writes: vec![row], reply: Some(topics.collect()) })
    }
}
