use super::Partitions;
use super::wire;
use crate::base::{Error, Reader, Writer};

/// What a member says to its group's coordinator: KIP-848's one request. What did not change since its last heartbeat
/// may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatRequest {
    /// The group.
    pub group: String,
    /// The member. Only one that joins may leave it empty: the coordinator then names it.
    pub member: String,
    /// Grows with each of the member's heartbeats, and comes back with the answer: messages may overtake each other, and
    /// what is late must not count. 0 is no number.
    pub correlation: i32,
    /// The member's epoch, or [`JOIN_EPOCH`], [`LEAVE_EPOCH`], [`STATIC_LEAVE_EPOCH`].
    pub epoch: i32,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// How long the member may take to give up partitions; -1 is unchanged.
    pub rebalance_timeout_ms: i32,
    /// How long the member may be silent; -1 is unchanged, at first the group's default.
    pub session_timeout_ms: i32,
    /// The names of the topics that it subscribes to.
    pub topics: Option<Vec<String>>,
    /// The names of the assignors that it would have, preferred first. The coordinator takes the first that it has.
    pub assignors: Option<Vec<String>>,
    /// What it owns now.
    pub owned: Option<Partitions>,
    /// Who it is.
    pub client: Option<Client>,
}

/// What a coordinator answers to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatResponse {
    /// The member.
    pub member: String,
    /// Its epoch from now on.
    pub epoch: i32,
    /// When the next heartbeat is due.
    pub heartbeat_interval_ms: i32,
    /// What the member shall own, where that is news; an empty set is nothing, `None` is unchanged.
    pub assignment: Option<Partitions>,
}

/// Who a member is, for those who look at the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client id that the application chose.
    pub id: String,
    /// The page's address, without its query.
    pub url: String,
    /// True where the user sees the page.
    pub visible: bool,
    /// While it is hidden, others that subscribe to the same topics shall work instead.
    pub prefer_visible: bool,
    /// It holds no lock that tells whether it lives: there are none where it is.
    pub unlocked: bool,
    /// The node that hosts the member.
    pub node: u64,
    /// What its custom assignor wants others of its kind to know.
    pub metadata: Vec<u8>,
}

/// The epoch of a member that joins.
pub const JOIN_EPOCH: i32 = 0;
/// The epoch of a member that leaves.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch of a static member that leaves for a while.
pub const STATIC_LEAVE_EPOCH: i32 = -2;

impl Client {
    /// True if others shall work instead, where there are any.
    pub fn steps_back(&self) -> bool {
        self.prefer_visible && !self.visible
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        wire::write_text(writer, &self.id);
        wire::write_text(writer, &self.url);
        let flags = [self.visible, self.prefer_visible, self.unlocked];
        writer.u8(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
        writer.i64(self.node.cast_signed());
        writer.nullable(Some(&self.metadata));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (id, url) = (wire::read_text(reader)?, wire::read_text(reader)?);
        let flags = reader.u8()?;
        let node = reader.i64()?.cast_unsigned();
        let metadata = reader.nullable()?.unwrap_or_default().to_vec();
        let [visible, prefer_visible, unlocked] = [1, 2, 4].map(|flag| flags & flag != 0);
        Ok(Self { id, url, visible, prefer_visible, unlocked, node, metadata })
    }
}

impl HeartbeatRequest {
    /// Appends the request's bytes.
    pub fn write(&self, writer: &mut Writer) {
        wire::write_text(writer, &self.group);
        wire::write_text(writer, &self.member);
        writer.varint(self.correlation);
        writer.varint(self.epoch);
        writer.varint(self.rebalance_timeout_ms);
        writer.varint(self.session_timeout_ms);
        wire::write_option(writer, self.instance.as_deref(), wire::write_text);
        wire::write_option(writer, self.topics.as_deref(), wire::write_texts);
        wire::write_option(writer, self.assignors.as_deref(), wire::write_texts);
        wire::write_option(writer, self.owned.as_ref(), |writer, owned| owned.write(writer));
        wire::write_option(writer, self.client.as_ref(), |writer, client| client.write(writer));
    }

    /// Reads what [`HeartbeatRequest::write`] wrote.
    ///
    /// # Errors
    /// [`crate::base::Code::CorruptMessage`] where the bytes are no request.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            group: wire::read_text(reader)?,
            member: wire::read_text(reader)?,
            correlation: reader.varint()?,
            epoch: reader.varint()?,
            rebalance_timeout_ms: reader.varint()?,
            session_timeout_ms: reader.varint()?,
            instance: wire::read_option(reader, wire::read_text)?,
            topics: wire::read_option(reader, wire::read_texts)?,
            assignors: wire::read_option(reader, wire::read_texts)?,
            owned: wire::read_option(reader, Partitions::read)?,
            client: wire::read_option(reader, Client::read)?,
        })
    }
}

impl HeartbeatResponse {
    /// Appends the response's bytes.
    pub fn write(&self, writer: &mut Writer) {
        wire::write_text(writer, &self.member);
        writer.varint(self.epoch);
        writer.varint(self.heartbeat_interval_ms);
        wire::write_option(writer, self.assignment.as_ref(), |writer, assignment| assignment.write(writer));
    }

    /// Reads what [`HeartbeatResponse::write`] wrote.
    ///
    /// # Errors
    /// [`crate::base::Code::CorruptMessage`] where the bytes are no response.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            member: wire::read_text(reader)?,
            epoch: reader.varint()?,
            heartbeat_interval_ms: reader.varint()?,
            assignment: wire::read_option(reader, Partitions::read)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{TopicId, TopicPartition};

    fn owned() -> Partitions {
        [TopicPartition { topic: TopicId([3; 16]), partition: 4 }].into_iter().collect()
    }

    fn full() -> HeartbeatRequest {
        HeartbeatRequest {
            group: "g".into(),
            member: "m".into(),
            correlation: 2,
            epoch: 7,
            instance: Some("i".into()),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 30_000,
            topics: Some(vec!["a".into(), "b".into()]),
            assignors: Some(vec!["uniform".into()]),
            owned: Some(owned()),
            client: Some(Client {
                id: "c".into(),
                url: "https://x/".into(),
                visible: true,
                ..Client::default()
            }),
        }
    }

    fn bytes(write: impl Fn(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish()
    }

    #[test]
    fn messages_are_read_as_they_are_written() {
        for request in [full(), HeartbeatRequest { epoch: LEAVE_EPOCH, ..HeartbeatRequest::default() }] {
            let bytes = bytes(|writer| request.write(writer));
            assert_eq!(HeartbeatRequest::read(&mut Reader::new(&bytes)), Ok(request));
        }
        for assignment in [None, Some(Partitions::new()), Some(owned())] {
            let response =
                HeartbeatResponse { member: "m".into(), epoch: 3, heartbeat_interval_ms: 5000, assignment };
            let bytes = bytes(|writer| response.write(writer));
            assert_eq!(HeartbeatResponse::read(&mut Reader::new(&bytes)), Ok(response));
        }
    }

    #[test]
    fn a_message_that_is_cut_off_is_refused() {
        let bytes = bytes(|writer| full().write(writer));
        (0..bytes.len())
            .for_each(|end| assert!(HeartbeatRequest::read(&mut Reader::new(&bytes[..end])).is_err()));
    }
}
