//! What a partition remembers of a producer, beyond the recorded cases.

use headwater::base::{Code, Error};
use headwater::log::batch::{Attributes, BatchHeader, BatchOptions, check};
use headwater::log::producer_state::{Admission, PRODUCER_ID_EXPIRATION_MS, ProducerState};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sample::{Sample, batch};

/// How many batches are remembered.
const REMEMBERED: usize = 5;

fn sent(epoch: i16, base_sequence: i32, records: usize) -> BatchHeader {
    let sample = Sample { gap: 1, timestamp: 0, key: None, value: None, headers: Vec::new() };
    let options =
        BatchOptions { producer_id: 7, producer_epoch: epoch, base_sequence, ..BatchOptions::default() };
    check(&batch(options, &vec![sample; records])).unwrap()
}

fn code<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

proptest! {
    /// A producer sends batches one after another from anywhere, also across the wrap, and each of them again later.
    #[test]
    fn the_last_five_batches_are_known_and_older_ones_refused(
        first in prop_oneof![0..100_i32, i32::MAX - 20..=i32::MAX],
        sizes in vec(1..8_usize, 1..12),
    ) {
        let mut state = ProducerState::default();
        let (mut sequence, mut end) = (first, 0);
        let mut stored = Vec::new();
        for size in sizes {
            let header = sent(3, sequence, size);
            prop_assert_eq!(state.check(&header).unwrap(), Admission::Append);
            state.record(&header, end, 0);
            stored.push((header, end));
            sequence = sequence.wrapping_add(size as i32) & i32::MAX;
            end += size as i64;
            state = ProducerState::decode(&state.encode()).unwrap();
        }
        for (age, (header, base_offset)) in stored.iter().rev().enumerate() {
            let outcome = state.check(header);
            if age < REMEMBERED {
                prop_assert_eq!(outcome.unwrap(), Admission::Duplicate { base_offset: *base_offset });
            } else {
                prop_assert_eq!(code(outcome), Some(Code::OutOfOrderSequence));
            }
        }
        prop_assert_eq!(code(state.check(&sent(3, sequence.wrapping_add(1) & i32::MAX, 1))), Some(Code::OutOfOrderSequence));
        prop_assert_eq!(state.check(&sent(4, 0, 1)).unwrap(), Admission::Append);
        prop_assert_eq!(code(state.check(&sent(2, sequence, 1))), Some(Code::InvalidProducerEpoch));
    }
}

#[test]
fn a_marker_raises_the_epoch_and_the_sequences_begin_again() {
    let mut state = ProducerState::default();
    state.record(&sent(0, 0, 3), 0, 0);
    let mut marker = sent(1, -1, 1);
    marker.attributes = Attributes::default().with_control(true);
    assert_eq!(state.check(&marker).unwrap(), Admission::Append);
    state.record(&marker, 3, 0);
    assert_eq!(code(state.check(&sent(0, 3, 1))), Some(Code::InvalidProducerEpoch));
    assert_eq!(code(state.check(&sent(1, 3, 1))), Some(Code::OutOfOrderSequence));
    assert_eq!(state.check(&sent(1, 0, 1)).unwrap(), Admission::Append);
}

#[test]
fn a_batch_without_a_sequence_is_refused() {
    assert_eq!(code(ProducerState::default().check(&sent(0, -1, 1))), Some(Code::InvalidRecord));
}

#[test]
fn a_producer_is_forgotten_after_a_day_without_a_batch() {
    let mut state = ProducerState::default();
    state.record(&sent(0, 0, 1), 0, 1000);
    let expired = |now| state.is_expired(now, PRODUCER_ID_EXPIRATION_MS);
    assert!(!expired(1000 + PRODUCER_ID_EXPIRATION_MS - 1));
    assert!(expired(1000 + PRODUCER_ID_EXPIRATION_MS));
}

#[test]
fn a_row_that_is_none_is_corrupt() {
    let mut state = ProducerState::default();
    state.record(&sent(0, 0, 1), 0, 0);
    let row = state.encode();
    let batch = &row[row.len() - 16..];
    let six = [row.as_slice(), batch, batch, batch, batch, batch].concat();
    let newer = [&[2], &row[1..]].concat();
    for row in [&[], &row[..row.len() - 1], &six, &newer] {
        assert_eq!(code(ProducerState::decode(row)), Some(Code::StorageCorrupt));
    }
    assert!(ProducerState::decode(&six[..six.len() - 16]).is_ok(), "five are remembered");
}
