use crate::base::{Code, Error, Reader, Writer};
use crate::group::{CommitOffsets, HeartbeatRequest, HeartbeatResponse};

/// What nodes tell each other of groups. A message is a hint: it may be lost, and what it says is in storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupMessage {
    /// Who coordinates the group?
    FindCoordinator(String),
    /// This node does, and hosts these members: whoever takes over looks after their locks at once.
    Coordinator(Term, Vec<String>),
    /// A member's heartbeat. One that arrives late must not say what the member had once: it is for one coordinator
    /// epoch alone, and an older number is of no interest.
    Heartbeat(Term, HeartbeatRequest),
    /// The answer to the heartbeat of this member and number.
    Answer(Term, String, i32, Result<HeartbeatResponse, Error>),
    /// The coordinator is there, and the group has this epoch. Members that it is no news for may do without heartbeats.
    /// The coordinator's node hosts these members.
    Pulse(Term, i32, Vec<String>),
    /// Between the coordinator and some members.
    Signal(Signal, Term, Vec<String>),
    /// The page of this node may be gone before these offsets are stored: another one sees to it.
    Commit(u64, CommitOffsets),
    /// The coordinator cannot be seen by the user; the node of this name can, and shall take over.
    HandOver(Term, u64),
}

/// Who coordinates a group, and since which claim: a higher epoch replaces a lower one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The group.
    pub group: String,
    /// The coordinator epoch.
    pub epoch: i32,
    /// The coordinator's node.
    pub node: u64,
}

/// What a coordinator and the members of its group call to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Coordinator: are you there? Nobody is fenced who answers.
    Ping,
    /// Member: I am.
    Pong,
    /// Coordinator: there is news for your next heartbeat, so do not wait for its time.
    News,
}

impl GroupMessage {
    const FIND_COORDINATOR: u8 = 1;
    const COORDINATOR: u8 = 2;
    const HEARTBEAT: u8 = 3;
    const ANSWER: u8 = 4;
    const PING: u8 = 5;
    const PONG: u8 = 6;
    const NEWS: u8 = 7;
    const HAND_OVER: u8 = 8;
    const COMMIT: u8 = 9;
    const PULSE: u8 = 10;

    /// The message's bytes. What a later version says otherwise gets another tag.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(self.tag());
        match self {
            Self::FindCoordinator(name) => writer.bytes(name.as_bytes()),
            Self::Coordinator(term, members) => {
                term.write(&mut writer);
                write_texts(&mut writer, members);
            }
            Self::Heartbeat(term, request) => {
                term.write(&mut writer);
                request.write(&mut writer);
            }
            Self::Answer(term, member, number, result) => {
                term.write(&mut writer);
                write_text(&mut writer, member);
                writer.i32(*number);
                match result {
                    Ok(response) => {
                        writer.i16(0);
                        response.write(&mut writer);
                    }
                    Err(error) => {
                        writer.i16(error.code().number());
                        write_text(&mut writer, error.message());
                    }
                }
            }
            Self::Signal(_, term, members) => {
                term.write(&mut writer);
                write_texts(&mut writer, members);
            }
            Self::Pulse(term, epoch, members) => {
                term.write(&mut writer);
                writer.i32(*epoch);
                write_texts(&mut writer, members);
            }
            Self::Commit(node, commit) => {
                writer.i64(node.cast_signed());
                commit.write(&mut writer);
            }
            Self::HandOver(term, node) => {
                term.write(&mut writer);
                writer.i64(node.cast_signed());
            }
        }
        writer.finish()
    }

    fn tag(&self) -> u8 {
        match self {
            Self::FindCoordinator(_) => Self::FIND_COORDINATOR,
            Self::Coordinator(..) => Self::COORDINATOR,
            Self::Heartbeat(..) => Self::HEARTBEAT,
            Self::Answer(..) => Self::ANSWER,
            Self::Signal(Signal::Ping, ..) => Self::PING,
            Self::Signal(Signal::Pong, ..) => Self::PONG,
            Self::Signal(Signal::News, ..) => Self::NEWS,
            Self::HandOver(..) => Self::HAND_OVER,
            Self::Commit(..) => Self::COMMIT,
            Self::Pulse(..) => Self::PULSE,
        }
    }

    /// The message from its bytes; `None` for one that this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        Self::read(*tag, rest).ok().flatten()
    }

    fn read(tag: u8, rest: &[u8]) -> Result<Option<Self>, Error> {
        let mut reader = Reader::new(rest);
        Ok(Some(match tag {
            Self::FIND_COORDINATOR => Self::FindCoordinator(String::from_utf8_lossy(rest).into_owned()),
            Self::COORDINATOR => Self::Coordinator(Term::read(&mut reader)?, read_texts(&mut reader)?),
            Self::HEARTBEAT => {
                Self::Heartbeat(Term::read(&mut reader)?, HeartbeatRequest::read(&mut reader)?)
            }
            Self::ANSWER => {
                let (term, member) = (Term::read(&mut reader)?, read_text(&mut reader)?);
                let number = reader.i32()?;
                let result = match reader.i16()? {
                    0 => Ok(HeartbeatResponse::read(&mut reader)?),
                    code => Err(Error::new(Code::from_number(code), read_text(&mut reader)?)),
                };
                Self::Answer(term, member, number, result)
            }
            Self::PING | Self::PONG | Self::NEWS => {
                let term = Term::read(&mut reader)?;
                let members = read_texts(&mut reader)?;
                let signal = match tag {
                    Self::PING => Signal::Ping,
                    Self::PONG => Signal::Pong,
                    _ => Signal::News,
                };
                Self::Signal(signal, term, members)
            }
            Self::COMMIT => Self::Commit(reader.i64()?.cast_unsigned(), CommitOffsets::read(&mut reader)?),
            Self::PULSE => Self::Pulse(Term::read(&mut reader)?, reader.i32()?, read_texts(&mut reader)?),
            Self::HAND_OVER => Self::HandOver(Term::read(&mut reader)?, reader.i64()?.cast_unsigned()),
            _ => return Ok(None),
        }))
    }
}

impl Term {
    fn write(&self, writer: &mut Writer) {
        write_text(writer, &self.group);
        writer.i32(self.epoch);
        writer.i64(self.node.cast_signed());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let group = read_text(reader)?;
        Ok(Self { group, epoch: reader.i32()?, node: reader.i64()?.cast_unsigned() })
    }
}

fn write_text(writer: &mut Writer, text: &str) {
    writer.nullable(Some(text.as_bytes()));
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, Error> {
    let bytes = reader.nullable()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn write_texts(writer: &mut Writer, texts: &[String]) {
    writer.varint(texts.len() as i32);
    texts.iter().for_each(|text| write_text(writer, text));
}

fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    let count = reader.varint()?;
    (0..count).map(|_| read_text(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term() -> Term {
        Term { group: "g".into(), epoch: 7, node: u64::MAX - 3 }
    }

    fn messages() -> Vec<GroupMessage> {
        let request =
            HeartbeatRequest { group: "g".into(), member: "m".into(), ..HeartbeatRequest::default() };
        let response = HeartbeatResponse {
            member: "m".into(),
            epoch: 3,
            heartbeat_interval_ms: 3_000,
            assignment: None,
        };
        let refusal = Error::new(Code::FencedMemberEpoch, "why");
        let mut messages = vec![
            GroupMessage::FindCoordinator("g".into()),
            GroupMessage::Coordinator(term(), vec!["a".into()]),
            GroupMessage::Heartbeat(term(), request),
            GroupMessage::Answer(term(), "m".into(), 9, Ok(response)),
            GroupMessage::Answer(term(), "m".into(), 9, Err(refusal)),
            GroupMessage::HandOver(term(), 5),
            GroupMessage::Pulse(term(), 6, Vec::new()),
        ];
        for signal in [Signal::Ping, Signal::Pong, Signal::News] {
            messages.push(GroupMessage::Signal(signal, term(), vec!["a".into(), "b".into()]));
        }
        messages
    }

    #[test]
    fn messages_are_read_as_they_are_written() {
        for message in messages() {
            assert_eq!(GroupMessage::decode(&message.encode()), Some(message));
        }
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_no_message() {
        for message in messages().into_iter().skip(1) {
            let bytes = message.encode();
            assert_eq!(GroupMessage::decode(&bytes[..bytes.len() - 1]), None, "{message:?}");
        }
        assert_eq!(GroupMessage::decode(&[99, 1, 2]), None);
        assert_eq!(GroupMessage::decode(&[]), None);
    }
}
