//! What goes in comes out.

use headwater::log::batch::{
    BatchHeader, BatchOptions, Batches, Compression, Record, TimestampType, check, compressed, decompressed,
    records, set_base_offset,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::allocations::allocated;
use crate::codecs::Codecs;
use crate::sample::{Sample, batch, options, samples};

const COMPRESSIONS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

proptest! {
    #[test]
    fn records_come_out_as_they_went_in(options in options(), samples in samples()) {
        let bytes = batch(options, &samples);
        let header = check(&bytes).unwrap();
        prop_assert_eq!(&header, &BatchHeader::read(&bytes).unwrap());
        agrees(&header, options, &samples)?;
        let found: Vec<_> = records(&bytes).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found.len(), samples.len());
        let mut delta = -1;
        for (record, sample) in found.iter().zip(&samples) {
            delta += sample.gap;
            same(record, sample, delta, &header)?;
        }
    }

    #[test]
    fn batches_follow_each_other_and_a_cut_tail_is_left_out(
        parts in vec((options(), samples()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let parts: Vec<Vec<u8>> = parts.iter().map(|(options, samples)| batch(*options, samples)).collect();
        let all = parts.concat();
        let found: Vec<&[u8]> = Batches::new(&all).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&found, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let kept = &all[..cut.index(all.len())];
        let found: Vec<&[u8]> = Batches::new(kept).collect::<Result<_, _>>().unwrap();
        let whole = found.concat().len();
        prop_assert!(kept.starts_with(&found.concat()));
        prop_assert!(kept.len() - whole < parts[found.len()].len(), "every whole batch was found");
    }

    #[test]
    fn compression_changes_nothing_but_the_bytes(options in options(), samples in samples()) {
        let plain = batch(options, &samples);
        prop_assert_eq!(&decompressed(&plain, &Codecs).unwrap(), &plain);
        for compression in COMPRESSIONS {
            let packed = compressed(&plain, compression, &Codecs).unwrap();
            prop_assert_eq!(check(&packed).unwrap().attributes.compression().unwrap(), compression);
            prop_assert!(compressed(&packed, compression, &Codecs).is_err(), "never twice");
            prop_assert_eq!(&decompressed(&packed, &Codecs).unwrap(), &plain);
        }
    }

    #[test]
    fn the_log_may_move_a_batch(options in options(), samples in samples(), base in 0..=i64::MAX / 2) {
        let mut bytes = batch(options, &samples);
        set_base_offset(&mut bytes, base);
        prop_assert_eq!(bytes, batch(BatchOptions { base_offset: base, ..options }, &samples));
    }
}

fn agrees(header: &BatchHeader, options: BatchOptions, samples: &[Sample]) -> Result<(), TestCaseError> {
    let last = (samples.iter().map(|sample| sample.gap).sum::<i32>() - 1).max(0);
    prop_assert_eq!(header.record_count as usize, samples.len());
    prop_assert_eq!(header.last_offset(), options.base_offset + i64::from(last));
    prop_assert_eq!(header.next_offset(), header.last_offset() + 1);
    prop_assert_eq!(header.attributes, options.attributes);
    prop_assert_eq!(header.partition_leader_epoch, options.partition_leader_epoch);
    let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
    prop_assert_eq!(producer, (options.producer_id, options.producer_epoch, options.base_sequence));
    prop_assert_eq!(header.last_sequence(), sequence(options.base_sequence, last));
    prop_assert_eq!(header.base_timestamp, samples.first().map_or(-1, |sample| sample.timestamp));
    let youngest = samples.iter().map(|sample| sample.timestamp).max();
    prop_assert_eq!(header.max_timestamp, youngest.unwrap_or(-1).max(-1));
    Ok(())
}

fn same(record: &Record<'_>, sample: &Sample, delta: i32, header: &BatchHeader) -> Result<(), TestCaseError> {
    let timestamp = match header.attributes.timestamp_type() {
        TimestampType::CreateTime => sample.timestamp,
        TimestampType::LogAppendTime => header.max_timestamp,
    };
    prop_assert_eq!(record.offset, header.base_offset + i64::from(delta));
    prop_assert_eq!(record.timestamp, timestamp);
    prop_assert_eq!(record.sequence, sequence(header.base_sequence, delta));
    prop_assert_eq!((record.key, record.value), (sample.key.as_deref(), sample.value.as_deref()));
    let headers: Vec<_> = record.headers().collect::<Result<_, _>>().unwrap();
    let expected = sample.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
    prop_assert_eq!(headers, expected.collect::<Vec<_>>());
    Ok(())
}

/// The sequence `delta` records after `base`, counted in a wider number than the codec's.
fn sequence(base: i32, delta: i32) -> i32 {
    if base < 0 { -1 } else { ((i64::from(base) + i64::from(delta)) % (1 << 31)) as i32 }
}

#[test]
fn reading_records_allocates_nothing() {
    let sample = Sample {
        gap: 1,
        timestamp: 1_729_800_000_000,
        key: Some(b"user-1".to_vec()),
        value: Some(vec![b'x'; 180]),
        headers: vec![("trace".to_owned(), Some(b"1".to_vec()))],
    };
    let bytes = batch(BatchOptions::default(), &vec![sample; 5000]);
    let walk =
        || records(&bytes).unwrap().map(|record| record.unwrap().headers().map(Result::unwrap).count());
    assert_eq!(allocated(|| walk().sum::<usize>()), (5000, 0));
}
