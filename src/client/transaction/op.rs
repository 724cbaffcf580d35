use crate::base::{Code, Error, Offset, ProducerId, Timestamp, TopicPartition};
use crate::group::CommitOffsets;
use crate::log::batch::{self, BatchHeader};
use crate::log::ops::{TransactionalRow, producer_state_key};
use crate::log::producer_state::{Admission, ProducerState};
use crate::log::{
    Applied, Durability, Op, Plan, Rows, Scan, Store, Write, batch_key, last_batch, partition_key, rows,
};

/// Commits a transaction: records of many partitions and consumed offsets are written together, or nothing is.
#[derive(Clone, Debug)]
pub struct CommitTransaction {
    /// The `transactional.id`.
    pub transactional_id: String,
    /// Whom [`InitProducerId`](crate::log::ops::InitProducerId) named.
    pub producer_id: ProducerId,
    /// In which epoch.
    pub epoch: i16,
    /// The number of the transaction in its epoch, from 1: a retry of one that was committed changes nothing.
    pub number: i64,
    /// The batches of each partition, in order.
    pub records: Vec<(TopicPartition, Vec<Vec<u8>>)>,
    /// What was consumed; each is held to the rules of its group.
    pub offsets: Vec<CommitOffsets>,
    /// What the commit survives.
    pub durability: Durability,
    /// When.
    pub now: Timestamp,
}

impl CommitTransaction {
    /// Scans a partition takes.
    const SCANS: usize = 3;

    fn check(&self, row: Option<&[u8]>) -> Result<TransactionalRow, Error> {
        let id = &self.transactional_id;
        let Some(row) = row.map(TransactionalRow::decode).transpose()? else {
            let message = format!("transactional.id \"{id}\" is not known to this log: begin a new producer");
            return Err(Error::new(Code::InvalidProducerIdMapping, message));
        };
        if (row.producer_id, row.epoch) == (self.producer_id, self.epoch) {
            return Ok(row);
        }
        let message = format!(
            "There is a newer producer with the same transactionalId which fences the current one: \"{id}\" \
             is in epoch {}, not {}",
            row.epoch, self.epoch
        );
        Err(Error::new(Code::ProducerFenced, message))
    }

    /// Adds the batches of one partition at its end; answers the end afterwards.
    fn append(
        &self,
        rows: &Rows,
        scan: usize,
        (tp, batches): &(TopicPartition, Vec<Vec<u8>>),
        writes: &mut Vec<Write>,
    ) -> Result<Offset, Error> {
        let row = rows::partition(*tp, rows.value(scan))?;
        let mut end = rows::sound_end(&row, rows.first(scan + 1))?;
        let mut state = rows.value(scan + 2).map(ProducerState::decode).transpose()?.unwrap_or_default();
        for bytes in batches {
            let header = BatchHeader::read(bytes)?;
            if state.check(&header)? != Admission::Append {
                continue;
            }
            let mut placed = bytes.clone();
            batch::set_base_offset(&mut placed, end);
            writes.push(Write::Add(Store::Batches, batch_key(*tp, end), placed));
            state.record(&header, end, self.now);
            end += i64::from(header.last_offset_delta) + 1;
        }
        let key = producer_state_key(self.producer_id, *tp);
        writes.push(Write::Put(Store::Producers, key, state.encode()));
        Ok(end)
    }
}

impl Op for CommitTransaction {
    /// The end of each partition that got records, in order.
    type Reply = Vec<(TopicPartition, Offset)>;

    fn plan(&self) -> Plan {
        let mut scans = vec![Scan::Get(Store::Producers, TransactionalRow::key(&self.transactional_id))];
        for (tp, _) in &self.records {
            scans.push(Scan::Get(Store::Partitions, partition_key(*tp)));
            scans.push(last_batch(*tp));
            scans.push(Scan::Get(Store::Producers, producer_state_key(self.producer_id, *tp)));
        }
        let mut writes = vec![Store::Producers, Store::Batches];
        for commit in &self.offsets {
            let plan = commit.plan();
            scans.extend(plan.scans);
            writes.extend(plan.writes);
        }
        Plan::write(scans, writes, self.durability)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let row = self.check(rows.value(0))?;
        let mut applied = Applied::reply(Vec::with_capacity(self.records.len()));
        let committed = row.committed >= self.number;
        let mut scan = 1;
        for entry in &self.records {
            let end = if committed {
                let row = rows::partition(entry.0, rows.value(scan))?;
                rows::end_offset(&row, rows.value(scan + 1))?
            } else {
                self.append(rows, scan, entry, &mut applied.writes)?
            };
            applied.reply.push((entry.0, end));
            scan += Self::SCANS;
        }
        if committed {
            return Ok(applied);
        }
        for commit in &self.offsets {
            let count = commit.plan().scans.len();
            let own = Rows(rows.0.get(scan..scan + count).unwrap_or_default().to_vec());
            applied.writes.extend(commit.apply(&own)?.writes);
            scan += count;
        }
        let row = TransactionalRow { committed: self.number, at: self.now, ..row };
        let key = TransactionalRow::key(&self.transactional_id);
        applied.writes.push(Write::Put(Store::Producers, key, row.encode()));
        Ok(applied)
    }
}
