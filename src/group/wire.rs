//! Texts, lists and what may be absent, as bytes; and names made of chance.

use crate::base::{Code, Error, Random, Reader, Writer};

pub fn write_text(writer: &mut Writer, text: &str) {
    writer.nullable(Some(text.as_bytes()));
}

pub fn read_text(reader: &mut Reader<'_>) -> Result<String, Error> {
    let text = reader.nullable()?.and_then(|bytes| core::str::from_utf8(bytes).ok());
    text.map(str::to_owned).ok_or_else(|| Error::new(Code::CorruptMessage, "a text is no UTF-8"))
}

pub fn write_texts(writer: &mut Writer, texts: &[String]) {
    writer.varint(texts.len() as i32);
    texts.iter().for_each(|text| write_text(writer, text));
}

pub fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    let count = reader.varint()?;
    (0..count).map(|_| read_text(reader)).collect()
}

pub fn write_option<T: ?Sized>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    writer.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        write(writer, value);
    }
}

pub fn read_option<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if reader.u8()? == 0 { Ok(None) } else { read(reader).map(Some) }
}

/// A name that nothing else has, in the form of a UUID.
pub fn uuid(random: &mut Random) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in random.bytes16().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}
