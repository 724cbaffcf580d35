use super::{Code, Error};

/// Reads big-endian numbers, varints and byte strings; never past the end, never more than there is.
#[derive(Clone, Debug, Default)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where fewer are left.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next byte, signed.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn i8(&mut self) -> Result<i8, Error> {
        self.array().map(i8::from_be_bytes)
    }

    /// The next two bytes as a number.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn i16(&mut self) -> Result<i16, Error> {
        self.array().map(i16::from_be_bytes)
    }

    /// The next four bytes as a number.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    /// The next four bytes as an unsigned number.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes as a number.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] at the end.
    pub fn i64(&mut self) -> Result<i64, Error> {
        self.array().map(i64::from_be_bytes)
    }

    /// A zigzag varint of at most five bytes.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where it does not end, or holds more than 32 bits.
    pub fn varint(&mut self) -> Result<i32, Error> {
        let raw = u32::try_from(self.leb128(5)?).map_err(|_| too_long())?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag varint of at most ten bytes.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where it does not end.
    pub fn varlong(&mut self) -> Result<i64, Error> {
        let raw = self.leb128(10)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn leb128(&mut self, length_max: usize) -> Result<u64, Error> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(length_max).enumerate() {
            value |= u64::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < length_max { short() } else { too_long() })
    }

    /// A varint length, then so many bytes; the length -1 is null.
    ///
    /// # Errors
    /// [`Code::CorruptMessage`] where the length is less than -1, or more than what is left.
    pub fn nullable(&mut self) -> Result<Option<&'a [u8]>, Error> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.bytes(usize::try_from(length).map_err(|_| negative())?).map(Some),
        }
    }
}

/// Writes big-endian numbers, varints and byte strings.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// How much was written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A byte, signed.
    pub fn i8(&mut self, value: i8) {
        self.bytes(&value.to_be_bytes());
    }

    /// Two bytes.
    pub fn i16(&mut self, value: i16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Four bytes.
    pub fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Eight bytes.
    pub fn i64(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A zigzag varint.
    pub fn varint(&mut self, value: i32) {
        self.leb128(u64::from(((value << 1) ^ (value >> 31)) as u32));
    }

    /// A zigzag varint of up to ten bytes.
    pub fn varlong(&mut self, value: i64) {
        self.leb128(((value << 1) ^ (value >> 63)) as u64);
    }

    fn leb128(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A varint length, then the bytes; null is the length -1.
    pub fn nullable(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.varint(-1),
            Some(bytes) => {
                self.varint(bytes.len() as i32);
                self.bytes(bytes);
            }
        }
    }
}

/// How many bytes [`Writer::varint`] writes.
pub fn varint_len(value: i32) -> usize {
    leb128_len(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// How many bytes [`Writer::varlong`] writes.
pub fn varlong_len(value: i64) -> usize {
    leb128_len(((value << 1) ^ (value >> 63)) as u64)
}

fn leb128_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn short() -> Error {
    Error::new(Code::CorruptMessage, "the bytes end in the middle of a field")
}

fn too_long() -> Error {
    Error::new(Code::CorruptMessage, "a variable-length number is too long")
}

fn negative() -> Error {
    Error::new(Code::CorruptMessage, "a length is negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_as_they_are_written() {
        for value in [0, -1, 1, -64, 64, 8191, -8193, i32::MAX, i32::MIN] {
            let mut writer = Writer::new();
            writer.varint(value);
            assert_eq!(writer.len(), varint_len(value));
            assert_eq!(Reader::new(&writer.finish()).varint(), Ok(value));
        }
        for value in [0, -1, i64::from(i32::MAX) + 1, 1 << 62, i64::MAX, i64::MIN] {
            let mut writer = Writer::new();
            writer.varlong(value);
            assert_eq!(writer.len(), varlong_len(value));
            assert_eq!(Reader::new(&writer.finish()).varlong(), Ok(value));
        }
    }

    #[test]
    fn null_is_not_empty() {
        let mut writer = Writer::new();
        writer.nullable(None);
        writer.nullable(Some(b""));
        let bytes = writer.finish();
        assert_eq!(bytes, [1, 0]);
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.nullable(), reader.nullable()), (Ok(None), Ok(Some(b"".as_slice()))));
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_an_error() {
        let cut: [&[u8]; 4] = [&[], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0x7f], &[0x80; 20]];
        for bytes in cut {
            assert_eq!(Reader::new(bytes).varint().map_err(|error| error.code()), Err(Code::CorruptMessage));
        }
        assert!(Reader::new(&[0x80; 11]).varlong().is_err());
        assert!(Reader::new(&[3]).nullable().is_err(), "a length of -2");
        assert!(Reader::new(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 0]).nullable().is_err(), "a length of 2^31-1");
        assert!(Reader::new(&[0; 7]).i64().is_err());
    }
}
