use super::{Code, Error, Reader, Writer};

/// A topic's configuration, under Kafka's names. What was never set has Kafka's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    /// What was set, by the place of its name in [`NAMES`].
    set: [Option<i64>; NAMES.len()],
}

/// A name, and what its value may be.
struct Name {
    name: &'static str,
    default: i64,
    kind: Kind,
}

enum Kind {
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// One of these words; it is stored as its place among them.
    Word(&'static [&'static str]),
}

/// The names. Their places and those of their words are in stored rows: new ones go to the end.
const NAMES: [Name; 8] = [
    Name { name: "retention.ms", default: 604_800_000, kind: Kind::Number(-1, i64::MAX) },
    Name { name: "retention.bytes", default: -1, kind: Kind::Number(-1, i64::MAX) },
    // A record batch has 61 bytes without any record.
    Name { name: "max.message.bytes", default: 1_048_588, kind: Kind::Number(128, i32::MAX as i64) },
    Name { name: "cleanup.policy", default: 0, kind: Kind::Word(&["delete", "compact", "compact,delete"]) },
    Name { name: "message.timestamp.type", default: 0, kind: Kind::Word(&["CreateTime", "LogAppendTime"]) },
    Name { name: "delete.retention.ms", default: 86_400_000, kind: Kind::Number(0, i64::MAX) },
    Name { name: "min.compaction.lag.ms", default: 0, kind: Kind::Number(0, i64::MAX) },
    Name { name: "headwater.quota.policy", default: 0, kind: Kind::Word(&["reject", "dropOldest"]) },
];
const RETENTION_MS: usize = 0;
const RETENTION_BYTES: usize = 1;
const MAX_MESSAGE_BYTES: usize = 2;
const CLEANUP_POLICY: usize = 3;
const MESSAGE_TIMESTAMP_TYPE: usize = 4;
const DELETE_RETENTION_MS: usize = 5;
const MIN_COMPACTION_LAG_MS: usize = 6;
const QUOTA_POLICY: usize = 7;

/// Names of Kafka's that have one value here.
const FIXED: [(&str, &str); 1] = [("compression.type", "producer")];

impl Name {
    fn admits(&self, value: i64) -> bool {
        match self.kind {
            Kind::Number(min, max) => (min..=max).contains(&value),
            Kind::Word(words) => (0..words.len() as i64).contains(&value),
        }
    }

    fn parse(&self, text: &str) -> Result<i64, Error> {
        let name = self.name;
        match self.kind {
            Kind::Number(min, max) => {
                let Ok(value) = text.parse() else {
                    return Err(invalid(format!("{name} = \"{text}\" is not a whole number of 64 bits")));
                };
                if self.admits(value) {
                    return Ok(value);
                }
                Err(invalid(format!("{name} = {text} is out of bounds: it goes from {min} to {max}")))
            }
            Kind::Word(words) => {
                let text = if text == "delete,compact" { "compact,delete" } else { text };
                let place = words.iter().position(|word| *word == text);
                place.map(|place| place as i64).ok_or_else(|| {
                    let known = words.join("\", \"");
                    invalid(format!("{name} = \"{text}\" is not supported: it is one of \"{known}\""))
                })
            }
        }
    }

    fn print(&self, value: i64) -> String {
        match self.kind {
            Kind::Number(..) => value.to_string(),
            Kind::Word(words) => words.get(value as usize).copied().unwrap_or_default().to_owned(),
        }
    }
}

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
        let Some(place) = NAMES.iter().position(|each| each.name == name) else {
            return Err(invalid(format!("there is no topic configuration \"{name}\"")));
        };
        self.set[place] = Some(NAMES[place].parse(value)?);
        Ok(())
    }

    /// Every name with its value, and whether that is the default.
    pub fn entries(&self) -> Vec<(&'static str, String, bool)> {
        let named = NAMES
            .iter()
            .zip(self.set)
            .map(|(name, set)| (name.name, name.print(set.unwrap_or(name.default)), set.is_none()));
        let fixed = FIXED.iter().map(|(name, value)| (*name, (*value).to_owned(), true));
        named.chain(fixed).collect()
    }

    fn value(&self, place: usize) -> i64 {
        self.set[place].unwrap_or(NAMES[place].default)
    }

    /// How long a record is kept, in milliseconds; -1 is for ever, and so is a topic that is only compacted.
    pub fn retention_ms(&self) -> i64 {
        if self.deletes() { self.value(RETENTION_MS) } else { -1 }
    }

    /// How many bytes a partition keeps; -1 is all, and so is a topic that is only compacted.
    pub fn retention_bytes(&self) -> i64 {
        if self.deletes() { self.value(RETENTION_BYTES) } else { -1 }
    }

    /// The largest record batch that the topic takes, in bytes.
    pub fn max_message_bytes(&self) -> usize {
        self.value(MAX_MESSAGE_BYTES) as usize
    }

    /// True where old records go by time and by bytes.
    fn deletes(&self) -> bool {
        self.value(CLEANUP_POLICY) != 1
    }

    /// True where of the records of one key the last one stays, and every record must have a key.
    pub fn compacts(&self) -> bool {
        self.value(CLEANUP_POLICY) != 0
    }

    /// True where records carry the time at which they were appended, not the producer's.
    pub fn log_append_time(&self) -> bool {
        self.value(MESSAGE_TIMESTAMP_TYPE) == 1
    }

    /// How long compaction keeps a tombstone, in milliseconds.
    pub fn delete_retention_ms(&self) -> i64 {
        self.value(DELETE_RETENTION_MS)
    }

    /// How old a record is before compaction may touch it, in milliseconds.
    pub fn min_compaction_lag_ms(&self) -> i64 {
        self.value(MIN_COMPACTION_LAG_MS)
    }

    /// True where, with the origin's quota used up, the topic's oldest records make room for new ones.
    pub fn drops_oldest(&self) -> bool {
        self.value(QUOTA_POLICY) == 1
    }

    /// The configuration's bytes: a version, then a place and a value for each name that was set.
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
            if !NAMES.get(place).is_some_and(|name| name.admits(value)) {
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
            ("delete.retention.ms", "86400000", true),
            ("min.compaction.lag.ms", "0", true),
            ("headwater.quota.policy", "reject", true),
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
            ("cleanup.policy", "shred"),
            ("cleanup.policy", ""),
            ("message.timestamp.type", "BrokerTime"),
            ("compression.type", "gzip"),
            ("delete.retention.ms", "-1"),
            ("headwater.quota.policy", "drop"),
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
    fn a_topic_that_is_only_compacted_deletes_nothing_by_age_or_size() {
        let both = [("retention.ms", "1"), ("retention.bytes", "2"), ("cleanup.policy", "compact")];
        let kept = TopicConfig::from_entries(both).unwrap();
        assert!(kept.compacts());
        assert_eq!((kept.retention_ms(), kept.retention_bytes()), (-1, -1));
        let entries = [("retention.ms", "1"), ("retention.bytes", "2"), ("cleanup.policy", "delete,compact")];
        let both = TopicConfig::from_entries(entries).unwrap();
        assert!(both.compacts());
        assert_eq!((both.retention_ms(), both.retention_bytes()), (1, 2));
        assert_eq!(both.entries()[3], ("cleanup.policy", "compact,delete".to_owned(), false));
    }

    #[test]
    fn bytes_that_are_no_configuration_are_corrupt() {
        let rows: [&[u8]; 6] = [
            &[],
            &[2],
            &[1, 0],
            &[1, 99, 0, 0, 0, 0, 0, 0, 0, 0],
            &[1, 3, 0, 0, 0, 0, 0, 0, 0, 9],
            &[1, 0, 255, 0, 0, 0, 0, 0, 0, 0],
        ];
        for row in rows {
            assert_eq!(TopicConfig::decode(row).map_err(|error| error.code()), Err(Code::StorageCorrupt));
        }
    }
}
