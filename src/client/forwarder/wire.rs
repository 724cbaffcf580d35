use super::row::DeliveryRow;
use crate::base::{Error, Offset, Writer};
use crate::log::batch::{BatchBuilder, BatchHeader, BatchOptions, Record, records};
use crate::log::{HW_ID, HW_TIMESTAMP, HW_UNCERTAIN};

/// Stored records, cut and encoded as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// How many stored batches it took records from.
    pub batches: usize,
    /// A record batch under the delivery's identity. The same records give the same bytes, always.
    pub bytes: Vec<u8>,
}

/// The first offset from `from` on that `batches` hold.
///
/// # Errors
/// Where a stored batch cannot be read.
pub fn first_offset<'a>(
    batches: impl Iterator<Item = &'a [u8]>,
    from: Offset,
) -> Result<Option<Offset>, Error> {
    for batch in batches {
        if BatchHeader::read(batch)?.last_offset() < from {
            continue;
        }
        for record in records(batch)? {
            let offset = record?.offset;
            if offset >= from {
                return Ok(Some(offset));
            }
        }
    }
    Ok(None)
}

/// Encodes the records of `batches` from `first` up to `last`, while they fit into `bytes_max`; at least one. A
/// gap in the offsets ends the cut: what follows it belongs to a new epoch.
///
/// # Errors
/// Where a stored batch cannot be read.
pub fn cut<'a>(
    row: &DeliveryRow,
    batches: impl Iterator<Item = &'a [u8]>,
    first: Offset,
    last: Offset,
    bytes_max: usize,
) -> Result<Option<Cut>, Error> {
    let mut encoder = Encoder::new(row, first);
    let mut taken = 0;
    'cut: for batch in batches {
        let header = BatchHeader::read(batch)?;
        if header.last_offset() < first {
            continue;
        }
        taken += 1;
        for record in records(batch)? {
            let record = record?;
            if record.offset < first {
                continue;
            }
            if record.offset > last || !encoder.takes(&record, bytes_max) {
                break 'cut;
            }
            encoder.push(&record, header.producer_id);
        }
    }
    let last = encoder.next - 1;
    let cut = |builder: BatchBuilder| Cut { first, last, batches: taken, bytes: builder.finish() };
    Ok(Some(encoder.builder).filter(|builder| !builder.is_empty()).map(cut))
}

struct Encoder<'a> {
    row: &'a DeliveryRow,
    builder: BatchBuilder,
    next: Offset,
}

impl<'a> Encoder<'a> {
    /// What a record's own fields and our headers take beyond its payload, at most.
    const OVERHEAD: usize = 128;
    /// What `hw-uncertain` takes. Room for it is kept, so that a batch that gets it later is not too large then.
    const UNCERTAIN: usize = 1 + HW_UNCERTAIN.len() + 2;

    fn new(row: &'a DeliveryRow, first: Offset) -> Self {
        let builder = BatchBuilder::new(BatchOptions {
            producer_id: row.producer_id,
            producer_epoch: row.epoch,
            base_sequence: row.sequence(first),
            ..BatchOptions::default()
        });
        Self { row, builder, next: first }
    }

    fn takes(&self, record: &Record<'_>, bytes_max: usize) -> bool {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let payload = length(record.key) + length(record.value) + record.raw_headers().1.len();
        let size = self.builder.size() + self.builder.len() * Self::UNCERTAIN + payload + Self::OVERHEAD;
        record.offset == self.next && (self.builder.is_empty() || size <= bytes_max)
    }

    fn push(&mut self, record: &Record<'_>, producer_id: i64) {
        let (count, own) = record.raw_headers();
        let mut id = [0; 12];
        id[..8].copy_from_slice(&producer_id.to_be_bytes());
        id[8..].copy_from_slice(&record.sequence.to_be_bytes());
        let mut headers = Writer::with_capacity(own.len() + 64);
        headers.bytes(own);
        headers.nullable(Some(HW_ID));
        headers.nullable(Some(&id));
        headers.nullable(Some(HW_TIMESTAMP));
        headers.nullable(Some(&record.timestamp.to_be_bytes()));
        let uncertain = record.offset < self.row.uncertain;
        if uncertain {
            headers.nullable(Some(HW_UNCERTAIN));
            headers.nullable(Some(b"1"));
        }
        let count = count + 2 + i32::from(uncertain);
        self.builder.push_raw(record.timestamp, record.key, record.value, count, &headers.finish());
        self.next = record.offset + 1;
    }
}
