use crate::base::{Error, Offset, Reader, TopicId, TopicPartition, Writer};

/// What nodes tell each other. A message is a hint: it may be lost, and what it says is in storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// These partitions now end there.
    Appended(Vec<(TopicPartition, Offset)>),
    /// The topic of this name was created, deleted, or has more partitions.
    TopicChanged(String),
    /// What only those who take part in groups read; see [`super::GroupMessage`].
    Group(Vec<u8>),
}

impl Message {
    const APPENDED: u8 = 1;
    const TOPIC_CHANGED: u8 = 2;
    const GROUP: u8 = 3;

    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Appended(ends) => {
                writer.u8(Self::APPENDED);
                for (tp, end) in ends {
                    writer.bytes(&tp.topic.0);
                    writer.i32(tp.partition);
                    writer.i64(*end);
                }
            }
            Self::TopicChanged(name) => {
                writer.u8(Self::TOPIC_CHANGED);
                writer.bytes(name.as_bytes());
            }
            Self::Group(bytes) => {
                writer.u8(Self::GROUP);
                writer.bytes(bytes);
            }
        }
        writer.finish()
    }

    /// The message from its bytes; `None` for one that this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        match *tag {
            Self::APPENDED => {
                let ends: Result<Vec<_>, Error> = rest.chunks(28).map(read_end).collect();
                ends.ok().map(Self::Appended)
            }
            Self::TOPIC_CHANGED => Some(Self::TopicChanged(String::from_utf8_lossy(rest).into_owned())),
            Self::GROUP => Some(Self::Group(rest.to_vec())),
            _ => None,
        }
    }
}

fn read_end(bytes: &[u8]) -> Result<(TopicPartition, Offset), Error> {
    let mut reader = Reader::new(bytes);
    let mut id = [0; 16];
    id.copy_from_slice(reader.bytes(16)?);
    let tp = TopicPartition { topic: TopicId(id), partition: reader.i32()? };
    Ok((tp, reader.i64()?))
}
