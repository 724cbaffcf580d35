use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Array, BigInt, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::fields::{flag, get, list, number, object, text};
use super::host::Host;
use super::{error, records};
use crate::client::forwarder::{Answered, Delivery, Failure, Outcome, WireBatch};
use crate::node::ForwarderId;

/// Hands batches to the sink of a forwarder. Whatever is thrown is a failure of the network.
#[inline(never)]
pub(super) fn late_deliver(
    host: &Rc<Host>,
    id: ForwarderId,
    batches: Vec<WireBatch>,
    keepalive: bool,
) -> Pin<Box<dyn Future<Output = Delivery>>> {
    let host = Rc::clone(host);
    Box::pin(async move {
        match deliver(&host, id, &batches, keepalive).await {
            Ok(delivery) => delivery,
            Err(thrown) => {
                let failure = Failure {
                    code: "NETWORK_EXCEPTION".to_string(),
                    message: text(&thrown, "message")
                        .unwrap_or_else(|| "the sink failed without a reason".to_string()),
                    retriable: true,
                    retry_after_ms: None,
                };
                Delivery { failure: Some(failure), answers: Vec::new(), limits: None }
            }
        }
    })
}

async fn deliver(
    host: &Host,
    id: ForwarderId,
    batches: &[WireBatch],
    keepalive: bool,
) -> Result<Delivery, JsValue> {
    let decodes = host.decoding.borrow().contains(&id);
    let sent = Array::new();
    for batch in batches {
        sent.push(&wire(batch, decodes)?);
    }
    let deliver = host.method("deliver")?;
    let promise: Promise = deliver.call3(&host.object, &id.into(), &sent, &keepalive.into())?.dyn_into()?;
    let answer = JsFuture::from(promise).await?;
    let limit = |name| number(&answer, name).filter(|bytes| *bytes >= 1.0).map(|bytes| bytes as usize);
    Ok(Delivery {
        limits: limit("batchBytes").zip(limit("requestBytes")),
        failure: failure(&get(&answer, "error"), &answer),
        answers: list(&answer, "answers").iter().map(|answer| answered(&answer)).collect(),
    })
}

fn wire(batch: &WireBatch, decodes: bool) -> Result<JsValue, JsValue> {
    let js = object(&[
        ("topic", batch.topic.as_str().into()),
        ("partition", batch.partition.into()),
        ("partitions", batch.partitions.into()),
        ("producerId", BigInt::from(batch.producer_id).into()),
        ("epoch", batch.epoch.into()),
        ("baseSequence", batch.base_sequence.into()),
        ("firstOffset", BigInt::from(batch.first).into()),
        ("lastOffset", BigInt::from(batch.last).into()),
        ("uncertain", batch.uncertain.into()),
        ("signature", Uint8Array::from(batch.signature.as_slice()).into()),
        ("signedAt", (batch.signed_at as f64).into()),
        ("count", ((batch.last - batch.first + 1) as f64).into()),
    ]);
    let bytes: JsValue = if decodes {
        let index = records::index(std::slice::from_ref(&batch.bytes), 0).map_err(|e| error::to_js(&e))?;
        Reflect::set(&js, &"index".into(), &index.numbers)?;
        index.bytes.into()
    } else {
        Uint8Array::from(batch.bytes.as_slice()).into()
    };
    Reflect::set(&js, &"bytes".into(), &bytes)?;
    Ok(js.into())
}

fn failure(error: &JsValue, answer: &JsValue) -> Option<Failure> {
    if !error.is_object() {
        return None;
    }
    Some(Failure {
        code: text(error, "code").unwrap_or_default(),
        message: text(error, "message").unwrap_or_default(),
        retriable: flag(error, "retriable"),
        retry_after_ms: number(answer, "retryAfterMs").map(|wait| wait as u64),
    })
}

fn answered(answer: &JsValue) -> Answered {
    let outcome = match text(answer, "result").as_deref() {
        Some("accepted") => Outcome::Accepted,
        Some("duplicate") => Outcome::Duplicate,
        Some("deadLettered") => Outcome::DeadLettered,
        Some("unregistered") => Outcome::Unregistered,
        Some("diverged") => Outcome::Diverged,
        Some("outOfOrder") => Outcome::OutOfOrder,
        Some("fenced") => Outcome::Fenced,
        Some("refused") => Outcome::Refused,
        // What this version does not know is tried again rather than taken for a success.
        _ => Outcome::Busy,
    };
    let signature = get(answer, "signature").dyn_into().ok();
    let signature = signature.map(|bytes: Uint8Array| bytes.to_vec()).filter(|bytes| !bytes.is_empty());
    Answered {
        outcome,
        partitions: number(answer, "partitions").map(|partitions| partitions as i32),
        signature: signature.zip(number(answer, "signedAt").map(|at| at as i64)),
        failure: failure(&get(answer, "error"), answer),
    }
}
