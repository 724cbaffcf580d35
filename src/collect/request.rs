//! The body of an ingest request: a line of JSON, then the batches that it lists.

use serde::Deserialize;

use super::answer::Refusal;
use super::settings::Limits;
use crate::base::{Code, Error, Timestamp};

/// A request, taken apart.
pub(super) struct Request<'a> {
    pub(super) write_key: String,
    pub(super) batches: Vec<(Listed, Result<&'a [u8], Refusal>)>,
    /// What is wrong with the request beyond its batches.
    pub(super) surplus: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstLine {
    v: u32,
    #[serde(default)]
    write_key: String,
    batches: Vec<Listed>,
}

/// What the first line says of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) topic: String,
    pub(super) partition: i32,
    #[serde(default)]
    pub(super) partitions: i32,
    bytes: u32,
    #[serde(default)]
    pub(super) signature: Option<String>,
    #[serde(default)]
    pub(super) signed_at: Option<Timestamp>,
}

impl<'a> Request<'a> {
    pub(super) fn read(body: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        if body.len() > limits.request_bytes {
            let message = format!("the request exceeds the limit of {} bytes", limits.request_bytes);
            return Err(Error::new(Code::MessageTooLarge, message).into());
        }
        let (line, mut rest) = first_line(body)?;
        let line: FirstLine = serde_json::from_slice(line).map_err(|error| malformed(&error))?;
        if line.v != 1 {
            return Err(invalid(format!("this collector speaks version 1 of the protocol, not {}", line.v)));
        }
        if line.batches.is_empty() || line.batches.len() > limits.batches {
            let message =
                format!("a request carries 1 to {} batches, not {}", limits.batches, line.batches.len());
            return Err(invalid(message));
        }
        let batches = line.batches.into_iter().map(|listed| {
            let bytes = take(&mut rest, listed.bytes as usize);
            (listed, bytes)
        });
        let batches = batches.collect();
        let surplus = (!rest.is_empty()).then(|| {
            invalid(format!(
                "{} bytes follow the last batch: the sizes in the first line do not add up",
                rest.len()
            ))
        });
        Ok(Self { write_key: line.write_key, batches, surplus })
    }
}

fn first_line(body: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let head = body.get(..=Limits::HEADER_BYTES).unwrap_or(body);
    match head.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok((&body[..end], &body[end + 1..])),
        None if head.len() > Limits::HEADER_BYTES => {
            let message = format!("the first line exceeds the limit of {} bytes", Limits::HEADER_BYTES);
            Err(Error::new(Code::MessageTooLarge, message).into())
        }
        None => Err(invalid("the body must begin with a line of JSON that a line feed ends".to_string())),
    }
}

/// The next batch. Where the body ends in it, nothing is left for those that follow.
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Refusal> {
    match rest.split_at_checked(length) {
        Some((batch, after)) => {
            *rest = after;
            Ok(batch)
        }
        None => {
            let message = format!("the batch was cut off: {} of its {length} bytes arrived", rest.len());
            *rest = &[];
            Err(Refusal::damaged(400, message))
        }
    }
}

fn malformed(error: &serde_json::Error) -> Refusal {
    // The parser quotes what it found, which may be long.
    let reason: String = error.to_string().chars().take(200).collect();
    invalid(format!("the first line is not the JSON of the protocol: {reason}"))
}

fn invalid(message: String) -> Refusal {
    Error::new(Code::InvalidRequest, message).into()
}
