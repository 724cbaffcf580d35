use crate::base::{Code, Error, Timestamp};
use crate::log::batch::Record;

/// One record as the application's side of the boundary wrote it; all integers are little-endian:
///
/// ```text
/// i32 partition (-1: by key, or in turn) | i64 timestamp | i32 key length (-1: null) | key
/// | i32 value length (-1: null) | value | u32 headers | each: u32 key length | key | i32 value length | value
/// ```
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The partition asked for; -1 leaves the choice.
    pub partition: i32,
    /// The record's time.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
    size: usize,
}

impl Frame<'_> {
    /// No fewer bytes than the record takes in a batch, the batch's header included.
    pub fn bytes_max(&self) -> usize {
        self.size + 96
    }
}

/// The frames of one call, one after another.
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn i32(&mut self) -> Result<i32, Error> {
        self.chunk().map(i32::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, Error> {
        self.chunk().map(i64::from_le_bytes)
    }

    fn nullable(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| malformed())?).map(Some),
        }
    }

    fn frame(&mut self) -> Result<Frame<'a>, Error> {
        let before = self.rest.len();
        let (partition, timestamp) = (self.i32()?, self.i64()?);
        let (key, value) = (self.nullable()?, self.nullable()?);
        let count = self.i32()?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let key = self.nullable()?.ok_or_else(malformed)?;
            headers.push((key, self.nullable()?));
        }
        Ok(Frame { partition, timestamp, key, value, headers, size: before - self.rest.len() })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.frame();
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

fn malformed() -> Error {
    Error::new(
        Code::InvalidRequest,
        "the records given to send are malformed: this is a defect of the caller",
    )
}

/// Appends a record as a frame.
///
/// # Errors
/// Where its headers cannot be read.
pub fn put_frame(frames: &mut Vec<u8>, partition: i32, record: &Record<'_>) -> Result<(), Error> {
    frames.extend_from_slice(&partition.to_le_bytes());
    frames.extend_from_slice(&record.timestamp.to_le_bytes());
    put_part(frames, record.key);
    put_part(frames, record.value);
    frames.extend_from_slice(&record.raw_headers().0.to_le_bytes());
    for header in record.headers() {
        let (key, value) = header?;
        put_part(frames, Some(key));
        put_part(frames, value);
    }
    Ok(())
}

fn put_part(frames: &mut Vec<u8>, part: Option<&[u8]>) {
    frames.extend_from_slice(&part.map_or(-1, |bytes| bytes.len() as i32).to_le_bytes());
    frames.extend_from_slice(part.unwrap_or_default());
}
