use super::row::DeliveryRow;
use crate::base::{Error, Offset, Writer};
use crate::log::batch::{BatchBuilder, BatchOptions, Record, records};

/// The header that names a record for ever: the producer id and sequence with which its node appended it.
pub const HW_ID: &[u8] = b"hw-id";
/// The header with the record's own time, since the topic beyond the collector has the log's.
pub const HW_TIMESTAMP: &[u8] = b"hw-timestamp";
/// The header of a record that may have been delivered before under another name.
pub const HW_UNCERTAIN: &[u8] = b"hw-uncertain";

/// Stored records, cut and encoded as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// A record batch under the delivery's identity. The same records give the same bytes, always.
    pub bytes: Vec<u8>,
}

/// Encodes the records of `batches` from `from` on, while they fit into `bytes_max` and up to `to`; at least one.
/// A gap in the offsets ends the cut: what follows it belongs to a new epoch.
///
/// # Errors
/// Where a stored batch cannot be read.
pub fn cut<'a>(
    row: &DeliveryRow,
    batches: impl Iterator<Item = &'a [u8]>,
    from: Offset,
    to: Option<Offset>,
    bytes_max: usize,
) -> Result<Option<Cut>, Error> {
    let mut encoder = Encoder { row, builder: None, first: from, next: from, headers: Writer::new() };
    'cut: for batch in batches {
        let header = crate::log::batch::BatchHeader::read(batch)?;
        let named = (header.producer_id, header.base_sequence >= 0);
        for record in records(batch)? {
            let record = record?;
            if record.offset < from {
                continue;
            }
            let beyond = to.is_some_and(|to| record.offset > to);
            if beyond || !encoder.takes(&record, bytes_max) {
                break 'cut;
            }
            encoder.push(&record, if named.1 { named.0 } else { -1 });
        }
    }
    Ok(encoder.finish())
}

struct Encoder<'a> {
    row: &'a DeliveryRow,
    builder: Option<BatchBuilder>,
    first: Offset,
    next: Offset,
    headers: Writer,
}

impl Encoder<'_> {
    /// What a record's own fields and our headers take beyond its payload, at most.
    const OVERHEAD: usize = 128;

    fn takes(&self, record: &Record<'_>, bytes_max: usize) -> bool {
        let Some(builder) = &self.builder else { return true };
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let payload = length(record.key) + length(record.value) + record.raw_headers().1.len();
        record.offset == self.next && builder.size() + payload + Self::OVERHEAD <= bytes_max
    }

    fn push(&mut self, record: &Record<'_>, producer_id: i64) {
        let row = self.row;
        let first = &mut self.first;
        let builder = self.builder.get_or_insert_with(|| {
            *first = record.offset;
            BatchBuilder::new(BatchOptions {
                producer_id: row.producer_id,
                producer_epoch: row.epoch,
                base_sequence: row.sequence(record.offset),
                ..BatchOptions::default()
            })
        });
        let (count, own) = record.raw_headers();
        let mut id = [0; 12];
        id[..8].copy_from_slice(&producer_id.to_be_bytes());
        id[8..].copy_from_slice(&record.sequence.to_be_bytes());
        let headers = &mut self.headers;
        headers.bytes(own);
        headers.nullable(Some(HW_ID));
        headers.nullable(Some(&id));
        headers.nullable(Some(HW_TIMESTAMP));
        headers.nullable(Some(&record.timestamp.to_be_bytes()));
        let uncertain = record.offset < row.uncertain;
        if uncertain {
            headers.nullable(Some(HW_UNCERTAIN));
            headers.nullable(Some(b"1"));
        }
        let all = core::mem::take(headers).finish();
        builder.push_raw(record.timestamp, record.key, record.value, count + 2 + i32::from(uncertain), &all);
        self.next = record.offset + 1;
    }

    fn finish(self) -> Option<Cut> {
        let (first, last) = (self.first, self.next - 1);
        self.builder.map(|builder| Cut { first, last, bytes: builder.finish() })
    }
}
