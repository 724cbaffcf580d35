//! Whatever the bytes are, they are read or refused: nothing panics, and nothing is allocated because of what they claim.

use headwater::base::{Code, Error, TopicConfig, crc32c};
use headwater::log::batch::{
    Attributes, BatchHeader, BatchOptions, Batches, Codec, Compression, NoCodec, check, decompressed, records,
};
use headwater::log::producer_state::ProducerState;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::allocations::allocated;
use crate::codecs::Codecs;
use crate::sample::{Sample, batch, options, samples};

/// What an error may weigh, its message included.
const ERROR_BYTES_MAX: usize = 512;
const MAGIC_AT: usize = 16;
const COUNT_AT: usize = 57;

/// Reads all that there is in a batch, and how many records and headers that was.
fn read(batch: &[u8]) -> Result<usize, Error> {
    let mut parts = 0;
    for record in records(batch)? {
        let record = record?;
        parts += 1;
        for header in record.headers() {
            header?;
            parts += 1;
        }
    }
    Ok(parts)
}

/// Gives a changed batch the length and the CRC that it should have, as somebody who means harm would.
fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn everything(bytes: &[u8]) {
    for batch in Batches::new(bytes).flatten() {
        let _ = read(batch);
    }
    let _ = (check(bytes), read(bytes), decompressed(bytes, &NoCodec));
    if let Ok(batch) = decompressed(bytes, &Codecs) {
        let _ = read(&batch);
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..300)) {
        everything(&bytes);
        let _ = (TopicConfig::decode(&bytes), ProducerState::decode(&bytes));
    }

    /// With a proper header in front of them, random bytes reach the records.
    #[test]
    fn random_records_are_refused(
        header in any::<[u8; 61]>(),
        records in vec(any::<u8>(), 0..200),
        count in 0..20_i32,
        compression in 0..8_u8,
    ) {
        let mut bytes = [header.as_slice(), &records].concat();
        bytes[16] = 2;
        bytes[22] = bytes[22] & !7 | compression;
        bytes[COUNT_AT..61].copy_from_slice(&count.to_be_bytes());
        everything(&sealed(bytes));
    }

    #[test]
    fn a_changed_batch_is_read_or_refused(
        options in options(),
        samples in samples(),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
        cut in any::<Option<Index>>(),
        honest in any::<bool>(),
    ) {
        let mut bytes = batch(options, &samples);
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut.filter(|_| !honest) {
            bytes.truncate(BatchHeader::SIZE + cut.index(bytes.len() - BatchHeader::SIZE + 1));
        }
        everything(&bytes);
        if !honest {
            everything(&sealed(bytes));
        }
    }

    /// The CRC finds every change of one byte; the log's own two fields are not in it.
    #[test]
    fn one_changed_byte_is_found(
        options in options(),
        samples in samples(),
        at in any::<Index>(),
        flip in 1..=255_u8,
    ) {
        let mut bytes = batch(options, &samples);
        let at = MAGIC_AT + at.index(bytes.len() - MAGIC_AT);
        bytes[at] ^= flip;
        prop_assert_eq!(check(&bytes).map_err(|error| error.code()), Err(Code::CorruptMessage));
        prop_assert!(decompressed(&bytes, &NoCodec).is_err(), "no new CRC hides what was damaged");
    }

    #[test]
    fn what_is_claimed_is_not_allocated(bytes in vec(any::<u8>(), 0..120), count in any::<i32>()) {
        let mut batch = batch(BatchOptions::default(), &[]);
        batch.extend_from_slice(&bytes);
        batch[COUNT_AT..61].copy_from_slice(&count.to_be_bytes());
        batch[23..27].copy_from_slice(&i32::MAX.to_be_bytes());
        let batch = sealed(batch);
        let (_, allocated) = allocated(|| read(&batch).is_ok());
        prop_assert!(allocated <= ERROR_BYTES_MAX, "{} bytes for {}", allocated, batch.len());
    }
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let sample = Sample { gap: 1, timestamp: 0, key: None, value: None, headers: Vec::new() };
    let whole = batch(BatchOptions::default(), &[sample]);
    let changed = |at: usize, field: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    assert!(check(&changed(0, &[1])).is_ok(), "the log may give it any offset");
    let lies: [(&str, Vec<u8>); 6] = [
        ("an offset after the last there is", changed(0, &i64::MAX.to_be_bytes())),
        ("a length shorter than a header", changed(8, &48_i32.to_be_bytes())),
        ("a length beyond the end", changed(8, &60_i32.to_be_bytes())),
        ("an older format", changed(MAGIC_AT, &[1])),
        ("a last offset before the first", changed(23, &(-1_i32).to_be_bytes())),
        ("a negative count", changed(COUNT_AT, &(-1_i32).to_be_bytes())),
    ];
    for (what, bytes) in lies {
        assert_eq!(check(&bytes).map_err(|error| error.code()), Err(Code::CorruptMessage), "{what}");
        let readers = [records(&bytes).err(), decompressed(&bytes, &Codecs).err()];
        assert!(readers.iter().all(Option::is_some), "{what}");
    }
}

#[test]
fn what_is_no_batch_is_known_before_it_is_whole() {
    let start =
        |length: i32, magic: &[u8]| [&[0; 8], length.to_be_bytes().as_slice(), &[0; 4], magic].concat();
    let first =
        |bytes: &[u8]| Batches::new(bytes).next().map(|batch| batch.map_err(|error| error.code()).is_ok());
    assert_eq!(first(&start(14, &[])), None, "it may become one");
    assert_eq!(first(&start(14, &[2])), None, "it may become one");
    assert_eq!(first(&start(i32::MAX, &[2])), None, "it may become one");
    assert_eq!(first(&start(13, &[])[..11]), None, "the length is not there yet");
    assert_eq!(first(&start(13, &[])[..12]), Some(false));
    assert_eq!(first(&start(-1, &[2])), Some(false));
    assert_eq!(first(&start(100, &[3])), Some(false));
    assert_eq!(first(&start(100, &[255])), Some(false));
    let twice =
        [batch(BatchOptions::default(), &[]), start(-1, &[2]), batch(BatchOptions::default(), &[])].concat();
    let found: Vec<bool> = Batches::new(&twice).map(|batch| batch.is_ok()).collect();
    assert_eq!(found, [true, false], "nothing is read after an error");
}

#[test]
fn counts_and_lengths_that_lie_are_refused() {
    // A record of nothing: length, attributes, time, offset, no key, no value, no headers.
    let record = [12, 0, 0, 0, 1, 1, 0];
    let with = |count: i32, records: &[u8]| {
        let mut bytes = batch(BatchOptions { last_offset_delta: Some(5), ..BatchOptions::default() }, &[]);
        bytes.extend_from_slice(records);
        bytes[COUNT_AT..61].copy_from_slice(&count.to_be_bytes());
        sealed(bytes)
    };
    assert_eq!(read(&with(1, &record)), Ok(1));
    let lies: [(&str, i32, &[u8]); 10] = [
        ("more records than there are", 2, &record),
        ("fewer records than there are", 0, &record),
        ("a negative count", -1, &record),
        ("a length beyond the end", 1, &[14, 0, 0, 0, 1, 1, 0]),
        ("a negative length", 1, &[1, 0, 0, 0, 1, 1, 0]),
        ("a header that is not there", 1, &[12, 0, 0, 0, 1, 1, 2]),
        ("a negative number of headers", 1, &[12, 0, 0, 0, 1, 1, 1]),
        ("a byte after the headers", 1, &[14, 0, 0, 0, 1, 1, 0, 0]),
        ("a header without a key", 1, &[16, 0, 0, 0, 1, 1, 2, 1, 0]),
        ("an offset outside the batch", 1, &[12, 0, 0, 12, 1, 1, 0]),
    ];
    for (what, count, bytes) in lies {
        assert_eq!(
            read(&with(count, bytes)).map_err(|error| error.code()),
            Err(Code::CorruptMessage),
            "{what}"
        );
    }
    for headers in [1, 2, 254, 255] {
        let bytes = with(1, &[12, 0, 0, 0, 1, 1, headers]);
        assert!(
            records(&bytes).unwrap().next().unwrap().is_err(),
            "seen before anyone reserves room for headers"
        );
    }
    let twice = [record, record].concat();
    assert!(read(&with(2, &twice)).is_err(), "two records at one offset");
}

#[test]
fn a_bomb_is_not_unpacked() {
    let sample =
        Sample { gap: 1, timestamp: 0, key: None, value: Some(vec![0; 65 << 20]), headers: Vec::new() };
    let bomb = batch(BatchOptions::default(), &[sample]);
    let packed = Codecs.compress(Compression::Gzip, &bomb[BatchHeader::SIZE..]).unwrap();
    assert!(packed.len() < 1 << 20);
    let mut bytes = [&bomb[..BatchHeader::SIZE], &packed].concat();
    let attributes = Attributes::default().with_compression(Compression::Gzip);
    bytes[21..23].copy_from_slice(&attributes.0.to_be_bytes());
    let error = decompressed(&sealed(bytes), &Codecs).unwrap_err();
    assert_eq!(error.code(), Code::MessageTooLarge);
}
