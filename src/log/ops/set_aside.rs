use crate::base::{Error, Offset, TopicPartition};
use crate::log::batch::{BatchBuilder, BatchHeader, BatchOptions};
use crate::log::rows::{self, PartitionRow};
use crate::log::{
    Applied, Durability, Key, Op, Plan, Rows, Scan, Store, Value, Write, batch_key, batch_range,
    partition_key,
};

/// Takes damaged batches out of the way: those that begin around `from`, and the last one.
///
/// The bytes go to a row of their own, for inspection. In their place stands a batch without records over the same
/// offsets, so that readers go on behind it and no offset is ever used again.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// Where to look.
    pub tp: TopicPartition,
    /// The offset that was being read.
    pub from: Offset,
    /// How many batches were being read from there.
    pub limit: usize,
}

/// A damaged batch that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The first offset that is gone.
    pub first: Offset,
    /// The last one; where nothing follows it, as far as its header can be believed.
    pub last: Offset,
    /// What is wrong with it.
    pub error: Error,
}

impl SetAside {
    /// The fewest bytes that a record takes.
    const RECORD_BYTES_MIN: usize = 7;
    /// A damaged header that claims more records than this is not believed.
    const RECORDS_MAX: i32 = 1 << 24;

    /// The row in which a damaged batch is kept.
    pub fn kept_key(batch: &[u8]) -> Key {
        [b"damaged/".as_slice(), batch].concat()
    }

    /// How many offsets a damaged batch accounts for, less one. Too many is harmless, too few would have them used
    /// again: so two fields of the header must agree, or the bytes decide.
    fn claimed(bytes: &[u8]) -> i64 {
        let most = (bytes.len() / Self::RECORD_BYTES_MIN) as i64;
        match BatchHeader::read(bytes) {
            Ok(header) if header.last_offset_delta > Self::RECORDS_MAX => most,
            Ok(header) if header.record_count == header.last_offset_delta + 1 => {
                header.last_offset_delta.into()
            }
            Ok(header) => most.max(header.last_offset_delta.into()),
            Err(_) => most,
        }
    }
}

impl Op for SetAside {
    /// What was set aside.
    type Reply = Vec<Damaged>;

    fn plan(&self) -> Plan {
        let (low, next) = batch_range(self.tp, 0, self.from.saturating_add(1));
        let (_, to) = rows::all_batches(self.tp);
        let scans = vec![
            Scan::Get(Store::Partitions, partition_key(self.tp)),
            Scan::Last { store: Store::Batches, from: low, to: next.clone() },
            // One more, where the last of them ends.
            Scan::Range { store: Store::Batches, from: next, to, limit: self.limit.saturating_add(1) },
            rows::last_batch(self.tp),
        ];
        Plan::write(scans, vec![Store::Partitions, Store::Batches, Store::Meta], Durability::Strict)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let row = rows::partition(self.tp, rows.value(0))?;
        let seen = |count| rows.all(1).iter().chain(rows.all(2).iter().take(count)).chain(rows.all(3));
        let mut applied = Applied::reply(Vec::new());
        let mut done: Option<&Key> = None;
        for (key, bytes) in seen(self.limit) {
            let Err(error) = rows::sound(key, bytes) else { continue };
            let Some(first) = rows::base_of(key).filter(|_| done.is_none_or(|done| done < key)) else {
                continue;
            };
            done = Some(key);
            let follower =
                seen(usize::MAX).filter_map(|(key, _)| rows::base_of(key)).find(|base| *base > first);
            let last = follower.map_or_else(|| first + Self::claimed(bytes), |base| base - 1);
            applied.writes.extend(self.replace(key, bytes, first, last));
            applied.reply.push(Damaged { first, last, error });
        }
        if !applied.reply.is_empty() {
            // A writer that believes in another end must not write into what is gone.
            let changed = PartitionRow { generation: row.generation + 1, ..row };
            let key = partition_key(self.tp);
            applied.writes.push(Write::Put(Store::Partitions, key, changed.encode()));
        }
        Ok(applied)
    }
}

impl SetAside {
    fn replace(&self, key: &Key, bytes: &Value, first: Offset, last: Offset) -> [Write; 2] {
        let options = BatchOptions {
            base_offset: first,
            last_offset_delta: Some((last - first).clamp(0, i32::MAX.into()) as i32),
            ..BatchOptions::default()
        };
        [
            Write::Put(Store::Meta, Self::kept_key(key), bytes.clone()),
            Write::Put(Store::Batches, batch_key(self.tp, first), BatchBuilder::new(options).finish()),
        ]
    }
}
