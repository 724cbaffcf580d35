use super::{Code, Error, Reader, Writer};

/// A topic's configuration, under Kafka's names. What was never set has Kafka's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    /// What was set, by the place of its name in [`NUMBERS`].
    set: [Option<i64>; NUMBERS.len()],
}

/// A name whose value is a whole number.
struct Number {
    name: &'static str,
    default: i64,
    min: i64,
    max: i64,
}

impl Number {
    fn admits(&self, value: i64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// The numbers. Their places are in stored rows: new names go to the end.
const NUMBERS: [Number; 3] = [
    Number { name: "retention.ms", default: 604_800_000, min: -1, max: i64::MAX },
    Number { name: "retention.bytes", default: -1, min: -1, max: i64::MAX },
    // A record batch has 61 bytes without any record.
    Number { name: "max.message.bytes", default: 1_048_588, min: 128, max: i32::MAX as i64 },
];
const RETENTION_MS: usize = 0;
const RETENTION_BYTES: usize = 1;
const MAX_MESSAGE_BYTES: usize = 2;

/// Names that have one value that this version can honour.
const FIXED: [(&str, &str); 3] = [
    ("cleanup.policy", "delete"),
    ("message.timestamp.type", "CreateTime"),
    ("compression.type", "producer"),
];

impl TopicConfig {
    const VERSION: u8 = 1;

    /// The configuration that these names and values ask for.
    ///
    /// # Errors
    /// [`Code::InvalidConfig`] for an unknown name, and for a value that is no number, out of bounds, or not
    /// supported.
    pub fn from_entries<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut config = Self::default();
        for (name, value) in entries {
            config.set(name, value.trim())?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if let Some((_, only)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            let message = || format!("{name} = \"{value}\" is not supported: the one value is \"{only}\"");
            return if value == *only { Ok(()) } else { Err(invalid(message())) };
        }
        let Some(place) = NUMBERS.iter().position(|number| number.name == name) else {
            return Err(invalid(format!("there is no topic configuration \"{name}\"")));
        };
        let number = &NUMBERS[place];
        let Ok(value) = value.parse::<i64>() else {
            return Err(invalid(format!("{name} = \"{value}\" is not a whole number of 64 bits")));
        };
        if !number.admits(value) {
            let (min, max) = (number.min, number.max);
            return Err(invalid(format!("{name} = {value} is out of bounds: it goes from {min} to {max}")));
        }
        self.set[place] = Some(value);
        Ok(())
    }

    /// Every name with its value, and whether that is the default.
    pub fn entries(&self) -> Vec<(&'static str, String, bool)> {
        let numbers = NUMBERS
            .iter()
            .zip(self.set)
            .map(|(number, set)| (number.name, set.unwrap_or(number.default).to_string(), set.is_none()));
        let fixed = FIXED.iter().map(|(name, value)| (*name, (*value).to_owned(), true));
        numbers.chain(fixed).collect()
    }

    fn value(&self, place: usize) -> i64 {
        self.set[place].unwrap_or(NUMBERS[place].default)
    }

    /// How long a record is kept, in milliseconds; -1 is for ever.
    pub fn retention_ms(&self) -> i64 {
        self.value(RETENTION_MS)
    }

    /// How many bytes a partition keeps; -1 is all.
    pub fn retention_bytes(&self) -> i64 {
        self.value(RETENTION_BYTES)
    }

    /// The largest record batch that the topic takes, in bytes.
    pub fn max_message_bytes(&self) -> usize {
        self.value(MAX_MESSAGE_BYTES) as usize
    }

    /// The configuration's bytes: a version, then a place and a value for each number that was set.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        for (place, set) in (0..).zip(self.set) {
            if let Some(value) = set {
                writer.u8(place);
                writer.i64(value);
            }
        }
        writer.finish()
    }

    /// The configuration from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| corrupt())
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != Self::VERSION {
            return Err(corrupt());
        }
        let mut config = Self::default();
        while !reader.rest().is_empty() {
            let (place, value) = (usize::from(reader.u8()?), reader.i64()?);
            if !NUMBERS.get(place).is_some_and(|number| number.admits(value)) {
                return Err(corrupt());
            }
            config.set[place] = Some(value);
        }
        Ok(config)
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidConfig, message)
}

fn corrupt() -> Error {
    Error::new(Code::StorageCorrupt, "a stored topic configuration cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: &str) -> Result<TopicConfig, Error> {
        TopicConfig::from_entries([(name, value)])
    }

    #[test]
    fn what_was_not_set_has_kafkas_default() {
        let entries = TopicConfig::default().entries();
        let entries: Vec<_> =
            entries.iter().map(|(name, value, default)| (*name, value.as_str(), *default)).collect();
        let expected = [
            ("retention.ms", "604800000", true),
            ("retention.bytes", "-1", true),
            ("max.message.bytes", "1048588", true),
            ("cleanup.policy", "delete", true),
            ("message.timestamp.type", "CreateTime", true),
            ("compression.type", "producer", true),
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn what_was_set_is_read_back() {
        let entries =
            [("retention.ms", " 60000 "), ("max.message.bytes", "2000"), ("cleanup.policy", "delete")];
        let config = TopicConfig::from_entries(entries).unwrap();
        assert_eq!((config.retention_ms(), config.retention_bytes()), (60_000, -1));
        assert_eq!(config.max_message_bytes(), 2000);
        assert_eq!(config.entries()[0], ("retention.ms", "60000".to_owned(), false));
        assert_eq!(TopicConfig::decode(&config.encode()), Ok(config));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_and_named() {
        let refused = [
            ("cleanup.policy", "compact"),
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", "-2"),
            ("retention.ms", "a week"),
            ("retention.ms", ""),
            ("max.message.bytes", "2147483648"),
            ("max.message.bytes", "0"),
            ("segment.bytes", "1"),
        ];
        for (name, value) in refused {
            let error = config(name, value).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig);
            assert!(error.message().contains(name), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_configuration_are_corrupt() {
        let rows: [&[u8]; 5] =
            [&[], &[2], &[1, 0], &[1, 3, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 255, 0, 0, 0, 0, 0, 0, 0]];
        for row in rows {
            assert_eq!(TopicConfig::decode(row).map_err(|error| error.code()), Err(Code::StorageCorrupt));
        }
    }
}
