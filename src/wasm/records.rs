use js_sys::{Float64Array, Uint8Array};

use crate::base::{Error, Offset};
use crate::log::batch;

/// Numbers a record in the index.
const STRIDE: usize = 8;

/// Batches as JavaScript reads them: one copy of the bytes, and where each record's parts lie in it.
pub(super) struct Index {
    pub(super) bytes: Uint8Array,
    pub(super) numbers: Float64Array,
    pub(super) count: u32,
}

/// Indexes the records of `batches` from offset `from` on. Offsets are relative to `from`.
pub(super) fn index(batches: &[Vec<u8>], from: Offset) -> Result<Index, Error> {
    let mut numbers: Vec<f64> = Vec::new();
    let mut position = 0;
    let total: usize = batches.iter().map(Vec::len).sum();
    let bytes = Uint8Array::new_with_length(total as u32);
    for batch in batches {
        bytes.subarray(position as u32, (position + batch.len()) as u32).copy_from(batch);
        if !crate::log::batch::BatchHeader::read(batch)?.attributes.is_control() {
            let at = |part: &[u8]| (position + part.as_ptr() as usize - batch.as_ptr() as usize) as f64;
            for record in batch::records(batch)? {
                let record = record?;
                if record.offset < from {
                    continue;
                }
                let (header_count, headers) = record.raw_headers();
                let part =
                    |part: Option<&[u8]>| part.map_or((0.0, -1.0), |part| (at(part), part.len() as f64));
                let (key, value) = (part(record.key), part(record.value));
                numbers.extend([
                    (record.offset - from) as f64,
                    record.timestamp as f64,
                    key.0,
                    key.1,
                    value.0,
                    value.1,
                    at(headers),
                    header_count as f64,
                ]);
            }
        }
        position += batch.len();
    }
    let count = (numbers.len() / STRIDE) as u32;
    Ok(Index { bytes, numbers: Float64Array::from(numbers.as_slice()), count })
}
