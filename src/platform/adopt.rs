//! What a log in memory took while the storage was away, brought into the stored log.

use super::ports::{Storage, run};
use crate::base::{Code, Error, Offset, TopicPartition};
use crate::client::producer::put_frame;
use crate::log::TopicRow;
use crate::log::batch::{BatchHeader, Compression, records};
use crate::log::ops::{Fetch, ListBounds, ListTopics, Trim};
use crate::node::{Acks, Answer, Call};

/// How many stored batches are read at once.
const BATCHES_A_STEP: usize = 16;

/// Appends the records of `from` to the log that `ask` asks, topic by topic, and deletes them in `from` once they are
/// stored there. Answers how many there were. Topics with a forwarder are left: their records are delivered from where
/// they are, under an identity of their own.
///
/// # Errors
/// Whatever the log answers; what was not stored is still in `from`.
pub async fn adopt<S: Storage>(
    from: &S,
    ask: impl AsyncFn(Call) -> Result<Answer, Error>,
) -> Result<u64, Error> {
    let mut adopted = 0;
    for (name, row) in run(from, &ListTopics).await? {
        if row.sink.is_some() {
            continue;
        }
        let create = Call::CreateTopic {
            name: name.clone(),
            partitions: row.partitions,
            config: row.config.clone(),
            validate_only: false,
        };
        match ask(create).await {
            Err(error) if error.code() != Code::TopicAlreadyExists => return Err(error),
            _ => {}
        }
        let Answer::Topic(stored) = ask(Call::DescribeTopic { name: name.clone(), create: true }).await?
        else {
            return Err(Error::new(Code::Internal, "a topic was asked for, and something else answered"));
        };
        for tp in row.topic_partitions() {
            adopted += adopt_partition(from, &ask, &name, tp, (&row, &stored)).await?;
        }
    }
    Ok(adopted)
}

async fn adopt_partition<S: Storage>(
    from: &S,
    ask: &impl AsyncFn(Call) -> Result<Answer, Error>,
    name: &str,
    tp: TopicPartition,
    (row, stored): (&TopicRow, &TopicRow),
) -> Result<u64, Error> {
    let mut adopted = 0;
    let bounds = run(from, &ListBounds { partitions: vec![tp] }).await?;
    let Some(mut next) = bounds.first().map(|bounds| bounds.start) else { return Ok(0) };
    loop {
        let fetched = run(from, &Fetch { tp, offset: next, batches_max: BATCHES_A_STEP }).await?;
        let Some(last) = fetched.batches.last() else { return Ok(adopted) };
        let after = BatchHeader::read(last)?.next_offset();
        let same = row.partitions == stored.partitions;
        let (frames, count) = framed(&fetched.batches, next, |keyed| match (same, keyed) {
            (true, _) => tp.partition,
            (false, true) => -1,
            (false, false) => tp.partition % stored.partitions.max(1),
        })?;
        if count > 0 {
            let (topic, acks, create) = (name.to_string(), Acks::All, true);
            ask(Call::Send { compression: Compression::None, topic, frames, acks, create }).await?;
        }
        adopted += count;
        next = after;
        let trim = Trim { topic: name.to_string(), tp, before: Some(next), undelivered: false };
        run(from, &trim).await?;
    }
}

/// The records of `batches` from `from` on, framed as a send takes them, and how many they are.
fn framed(
    batches: &[Vec<u8>],
    from: Offset,
    partition: impl Fn(bool) -> i32,
) -> Result<(Vec<u8>, u64), Error> {
    let mut frames = Vec::new();
    let mut count = 0;
    for batch in batches {
        for record in records(batch)? {
            let record = record?;
            if record.offset >= from {
                put_frame(&mut frames, partition(record.key.is_some()), &record)?;
                count += 1;
            }
        }
    }
    Ok((frames, count))
}
