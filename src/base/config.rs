use super::{Code, Error, Reader, Writer};

/// A topic's configuration, under Kafka's names. What was never set has Kafka's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    retention_ms: Option<i64>,
    retention_bytes: Option<i64>,
    max_message_bytes: Option<i64>,
}

struct Setting {
    name: &'static str,
    default: i64,
    least: i64,
    field: fn(&mut TopicConfig) -> &mut Option<i64>,
    value: fn(&TopicConfig) -> Option<i64>,
}

const RETENTION_MS: Setting = Setting {
    name: "retention.ms",
    default: 604_800_000,
    least: -1,
    field: |config| &mut config.retention_ms,
    value: |config| config.retention_ms,
};
const RETENTION_BYTES: Setting = Setting {
    name: "retention.bytes",
    default: -1,
    least: -1,
    field: |config| &mut config.retention_bytes,
    value: |config| config.retention_bytes,
};
const MAX_MESSAGE_BYTES: Setting = Setting {
    name: "max.message.bytes",
    default: 1_048_588,
    least: 128,
    field: |config| &mut config.max_message_bytes,
    value: |config| config.max_message_bytes,
};
const SETTINGS: [Setting; 3] = [RETENTION_MS, RETENTION_BYTES, MAX_MESSAGE_BYTES];

/// Names that have one value that this version can honour.
const FIXED: [(&str, &str); 3] =
    [("cleanup.policy", "delete"), ("message.timestamp.type", "CreateTime"), ("compression.type", "producer")];

impl TopicConfig {
    const VERSION: u8 = 1;

    /// The configuration that these names and values ask for.
    ///
    /// # Errors
    /// [`Code::InvalidConfig`] for an unknown name, or a value that is no number, too small, or not supported.
    pub fn from_entries<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut config = Self::default();
        for (name, value) in entries {
            config.set(name, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if let Some((_, only)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            return if value == *only {
                Ok(())
            } else {
                Err(invalid(format!("{name} = \"{value}\" is not supported: the one value is \"{only}\"")))
            };
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            return Err(invalid(format!("there is no topic configuration \"{name}\"")));
        };
        let number: i64 = value
            .parse()
            .map_err(|_| invalid(format!("{name} = \"{value}\" is not a whole number")))?;
        if number < setting.least {
            return Err(invalid(format!("{name} = {number} is too small: the least is {}", setting.least)));
        }
        *(setting.field)(self) = Some(number);
        Ok(())
    }

    /// Every name with its value, and whether that is the default.
    pub fn entries(&self) -> Vec<(&'static str, String, bool)> {
        let set = SETTINGS.iter().map(|setting| {
            let value = (setting.value)(self);
            (setting.name, value.unwrap_or(setting.default).to_string(), value.is_none())
        });
        let fixed = FIXED.iter().map(|(name, value)| (*name, (*value).to_string(), true));
        set.chain(fixed).collect()
    }

    /// How long a record is kept, in milliseconds; -1 is for ever.
    pub fn retention_ms(&self) -> i64 {
        self.retention_ms.unwrap_or(RETENTION_MS.default)
    }

    /// How many bytes a partition keeps; -1 is all.
    pub fn retention_bytes(&self) -> i64 {
        self.retention_bytes.unwrap_or(RETENTION_BYTES.default)
    }

    /// The largest record batch that the topic takes, in bytes.
    pub fn max_message_bytes(&self) -> usize {
        let bytes = self.max_message_bytes.unwrap_or(MAX_MESSAGE_BYTES.default);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The configuration's bytes: a version, then a tag and a value for each name that was set.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        for (tag, setting) in (0..).zip(&SETTINGS) {
            if let Some(value) = (setting.value)(self) {
                writer.u8(tag);
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
        let mut reader = Reader::new(bytes);
        let mut config = Self::default();
        if reader.u8()? != Self::VERSION {
            return Err(corrupt());
        }
        while !reader.rest().is_empty() {
            let setting = SETTINGS.get(usize::from(reader.u8()?)).ok_or_else(corrupt)?;
            *(setting.field)(&mut config) = Some(reader.i64()?);
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
