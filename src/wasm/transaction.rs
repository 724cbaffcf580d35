use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

use super::consumer::read_offset;
use super::fields::{flag, get, integer_of, list, text, text_of};
use crate::base::ProducerId;
use crate::log::Durability;
use crate::node::{Consumed, Transaction};

/// A transaction as JavaScript gathered it: `transactionalId`, `producerId` (a bigint), `epoch`, `create`, `relaxed`, `sends` (`topic`, `frames`) and `offsets`
/// (`groupId`, `memberId` with `memberEpoch` or neither, and where the group goes on).
pub(super) fn read(given: &JsValue) -> Result<Transaction, JsValue> {
    let (sends, offsets) = (list(given, "sends"), list(given, "offsets"));
    let sends = sends.iter().map(|send| {
        let frames: Uint8Array = get(&send, "frames").unchecked_into();
        Ok((text_of(&send, "topic")?, frames.to_vec()))
    });
    let offsets = offsets.iter().map(|offset| {
        let member = match text(&offset, "memberId") {
            Some(id) => Some((id, integer_of(&offset, "memberEpoch")?)),
            None => None,
        };
        Ok(Consumed { group: text_of(&offset, "groupId")?, member, position: read_offset(&offset)? })
    });
    let producer_id: Result<ProducerId, _> = get(given, "producerId").try_into();
    Ok(Transaction {
        transactional_id: text_of(given, "transactionalId")?,
        // No log has handed out -1: what is none belongs to a producer that is not known.
        producer_id: producer_id.unwrap_or(-1),
        epoch: integer_of(given, "epoch")? as i16,
        create: flag(given, "create"),
        durability: if flag(given, "relaxed") { Durability::Relaxed } else { Durability::Strict },
        sends: sends.collect::<Result<_, JsValue>>()?,
        offsets: offsets.collect::<Result<_, JsValue>>()?,
    })
}
