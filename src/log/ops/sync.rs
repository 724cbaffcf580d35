use crate::base::{Error, Timestamp};
use crate::log::{Applied, Durability, Op, Plan, Rows, Store, Write};

/// Makes everything that was committed before survive a power cut: an empty strict transaction.
#[derive(Clone, Debug)]
pub struct Sync {
    /// When it was asked for.
    pub at: Timestamp,
}

impl Op for Sync {
    type Reply = ();

    fn plan(&self) -> Plan {
        Plan::write(Vec::new(), vec![Store::Meta], Durability::Strict)
    }

    fn apply(&self, _: &Rows) -> Result<Applied<()>, Error> {
        let row = Write::Put(Store::Meta, b"synced".to_vec(), self.at.to_be_bytes().to_vec());
        Ok(Applied { writes: vec![row], reply: () })
    }
}
