use std::rc::Rc;

use super::consumers::Rebalance;
use super::{AnyOp, AnyReply, ConsumerId, ForwarderId, LockId, Message, Ticket};
use crate::base::{Code, Error, Map, Offset, ProducerId, TopicConfig};
use crate::client::consumer::{FetchLimits, Records, Reset};
use crate::client::forwarder::{Delivery, WireBatch};
use crate::client::producer::{CallId, Sent};
use crate::group::{GroupRow, Partitions, Spec};
use crate::log::batch::Compression;
use crate::log::ops::{Bounds, Damaged};
use crate::log::{Durability, TopicRow};

/// What can happen to a node.
pub enum Input {
    /// Time has passed.
    Tick,
    /// The application asks for things; the sends among them share a transaction.
    Calls(Vec<(CallId, Call)>),
    /// The application tells a consumer something.
    Consumer(ConsumerId, Command),
    /// A transaction has ended.
    Stored(Ticket, Result<AnyReply, Error>),
    /// Another node said something.
    Message(Message),
    /// A lock is held now.
    Granted(LockId),
    /// The page has nothing else to do.
    Idle(u64),
    /// A lock was stolen from this node, or cannot be had.
    LockLost(LockId),
    /// An assignor of the application has answered for this group and group epoch.
    Assigned(String, i32, Result<Map<String, Partitions>, Error>),
    /// A delivery has ended.
    Delivered(ForwarderId, u64, Delivery),
    /// The storage's connection was replaced: others may have written or wiped the log meanwhile.
    Reopened,
    /// What becomes of the page.
    Page(PageEvent),
    /// What is loaded late is there now, or not yet: then the node appends, and does nothing else.
    Complete(bool),
}

/// What becomes of the page that a node runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEvent {
    /// It can be seen.
    Visible,
    /// It cannot be seen, and may be gone at any moment.
    Hidden,
    /// It is about to be frozen, cached or closed: locks must go.
    Suspended,
    /// It was frozen or cached, and runs again.
    Resumed,
    /// It is closed, most likely for good.
    Closing,
    /// The network is back.
    Online,
}

/// What a node wants done.
pub enum Output {
    /// Run this as one transaction, then answer with [`Input::Stored`].
    Store(Ticket, Rc<AnyOp>),
    /// Tell every other node.
    Send(Message),
    /// Wait for the lock of this name, hold it until it is released, and answer with [`Input::Granted`].
    Acquire(LockId, String),
    /// Wait until the page has nothing else to do, then answer with [`Input::Idle`].
    Idle(u64),
    /// Take the lock of this name from whoever holds it, who hears of it by [`Input::LockLost`].
    Steal(LockId, String),
    /// Release this lock, or stop waiting for it.
    Release(LockId),
    /// Let the application's assignor decide, then answer with [`Input::Assigned`].
    Assign(Spec),
    /// Hand these batches to the forwarder's sink, then answer with [`Input::Delivered`].
    Deliver {
        /// The forwarder.
        forwarder: ForwarderId,
        /// Names the delivery.
        ticket: u64,
        /// What to deliver.
        batches: Vec<WireBatch>,
        /// The page may be gone before the answer.
        keepalive: bool,
    },
    /// A call has ended.
    Done(CallId, Result<Answer, Error>),
    /// Something that the application may want to know.
    Event(Event),
}

/// How much an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: the call ends at once.
    None,
    /// A relaxed commit: survives the tab and the browser, not the power.
    Leader,
    /// A strict commit: survives a power cut.
    All,
}

impl Acks {
    /// Kafka's numbers: 0, 1, and -1 for all.
    pub fn from_number(acks: i32) -> Self {
        match acks {
            0 => Self::None,
            1 => Self::Leader,
            _ => Self::All,
        }
    }
}

/// An offset to commit: topic, partition, offset, metadata.
pub type Position = (String, i32, Offset, Option<String>);

/// What the application asks a node to do.
pub enum Call {
    /// Create a topic.
    CreateTopic {
        /// Its name.
        name: String,
        /// How many partitions.
        partitions: i32,
        /// Its configuration.
        config: TopicConfig,
        /// Check only.
        validate_only: bool,
    },
    /// All topics.
    ListTopics,
    /// Delete a topic with its records.
    DeleteTopic(String),
    /// One topic, created with the defaults where `create` is set and it does not exist.
    DescribeTopic {
        /// Its name.
        name: String,
        /// Create it.
        create: bool,
    },
    /// Add partitions to a topic.
    CreatePartitions {
        /// Its name.
        name: String,
        /// The new total.
        total: i32,
        /// Check only.
        validate_only: bool,
    },
    /// Replace a topic's configuration.
    AlterConfigs {
        /// Its name.
        name: String,
        /// The whole configuration.
        config: TopicConfig,
        /// Check only.
        validate_only: bool,
    },
    /// One topic as it is stored, not as this node remembers it.
    ReadTopic(String),
    /// Both ends of all partitions of a topic.
    ListBounds(String),
    /// The first offset at or after a time.
    OffsetAt {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The time.
        timestamp: i64,
    },
    /// Delete records before an offset.
    Trim {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset to keep; `None` is the end.
        before: Option<Offset>,
    },
    /// The offsets that a group has committed in all partitions of a topic; `__forwarder` is the group of forwarders.
    CommittedOffsets {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// All groups.
    ListGroups,
    /// One group.
    DescribeGroup(String),
    /// Delete a group that has no members, with its offsets.
    DeleteGroup(String),
    /// Set where a group goes on in partitions of a topic; it must have no members.
    SetOffsets {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// Partition, offset, metadata.
        offsets: Vec<(i32, Offset, Option<String>)>,
    },
    /// Append records.
    Send {
        /// How they are to be compressed where they are stored.
        compression: Compression,
        /// The topic.
        topic: String,
        /// The records; see [`crate::client::producer::Frame`].
        frames: Vec<u8>,
        /// What the answer promises.
        acks: Acks,
        /// Create the topic where it does not exist.
        create: bool,
    },
    /// Begin a new epoch of a `transactional.id`: an older producer of it is fenced.
    InitTransactions(String),
    /// Commit a transaction: all of it is written, or nothing.
    CommitTransaction(Box<Transaction>),
    /// Make everything that was sent before survive a power cut.
    Flush,
    /// Join the group, and wait until the first assignment and its positions are known.
    Join(ConsumerId),
    /// Wait for the next step of a rebalance.
    Rebalance(ConsumerId),
    /// Leave the group.
    Leave(ConsumerId),
    /// Read these partitions and no others, as a member of no group.
    Assign(ConsumerId, Vec<Assigned>),
    /// Wait for records.
    Fetch(ConsumerId, FetchLimits),
    /// Commit these offsets.
    Commit(ConsumerId, Vec<Position>),
    /// Forward a topic.
    Forward(ForwarderId, ForwardOptions),
    /// Stop forwarding.
    StopForward(ForwarderId),
}

/// What a transaction has gathered until its commit.
pub struct Transaction {
    /// The `transactional.id`.
    pub transactional_id: String,
    /// Whom [`Call::InitTransactions`] answered.
    pub producer_id: ProducerId,
    /// In which epoch.
    pub epoch: i16,
    /// Create topics that do not exist.
    pub create: bool,
    /// What its commit survives.
    pub durability: Durability,
    /// Records by topic, framed; see [`crate::client::producer::Frame`].
    pub sends: Vec<(String, Vec<u8>)>,
    /// What was consumed.
    pub offsets: Vec<Consumed>,
}

/// Where a group goes on after a transaction.
pub struct Consumed {
    /// The group.
    pub group: String,
    /// The member that consumed it, and its epoch; without one the group must have no members.
    pub member: Option<(String, i32)>,
    /// The offset.
    pub position: Position,
}

/// How a topic is forwarded.
#[derive(Clone, Debug)]
pub struct ForwardOptions {
    /// The topic.
    pub topic: String,
    /// What identifies the sink over reloads.
    pub sink: String,
    /// The most bytes of a wire batch.
    pub bytes_max: usize,
    /// How long a batch that is not full may wait.
    pub linger_ms: u64,
}

/// A partition that an application assigns to its consumer by itself.
pub struct Assigned {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where to begin; `None` is what the group has committed.
    pub offset: Option<Offset>,
    /// Where to begin in case of nothing committed.
    pub reset: Reset,
}

/// What a consumer is to its group.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// `group.id`
    pub group: String,
    /// `client.id`
    pub client_id: String,
    /// The page's address, without its query.
    pub url: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// `session.timeout.ms`; -1 is the group's default.
    pub session_timeout_ms: i32,
    /// `heartbeat.interval.ms`; -1 is the group's default.
    pub heartbeat_interval_ms: i32,
    /// `rebalance.timeout.ms`
    pub rebalance_timeout_ms: i32,
    /// `max.poll.interval.ms`; -1 is for ever.
    pub max_poll_interval_ms: i32,
    /// The assignors that it would have, preferred first.
    pub assignors: Vec<String>,
    /// While the page is hidden, others shall work instead.
    pub prefer_visible: bool,
    /// What the application's own assignor is told of this member.
    pub metadata: Vec<u8>,
}

impl ConsumerOptions {
    /// A consumer of this group with KafkaJS's defaults.
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_string(),
            client_id: "headwater".to_string(),
            url: String::new(),
            instance: None,
            session_timeout_ms: 30_000,
            heartbeat_interval_ms: 3_000,
            rebalance_timeout_ms: 60_000,
            max_poll_interval_ms: -1,
            assignors: vec!["uniform".to_string()],
            prefer_visible: false,
            metadata: Vec::new(),
        }
    }
}

/// What the application tells a consumer; there is no answer.
pub enum Command {
    /// Open it.
    Open(Box<ConsumerOptions>),
    /// Read this topic after the next join.
    Subscribe(String, Reset),
    /// Read these topics and no others, from now on.
    UpdateSubscription(Vec<(String, Reset)>),
    /// The step that [`Call::Rebalance`] answered is taken.
    Rebalanced,
    /// Read on from this offset; -1 is the end, -2 the beginning.
    Seek(String, i32, Offset),
    /// Stop or resume reading a partition.
    Pause(String, i32, bool),
    /// End a waiting fetch without records.
    Wake,
    /// Leave the group, and forget the consumer.
    Close,
}

/// The answer to a [`Call`].
#[derive(Debug)]
pub enum Answer {
    /// There is nothing to say.
    Nothing,
    /// A topic.
    Topic(TopicRow),
    /// All topics.
    Topics(Vec<(String, TopicRow)>),
    /// A group, if there is one.
    Group(Option<Box<GroupRow>>),
    /// All groups.
    Groups(Vec<(String, GroupRow)>),
    /// The ends of the partitions 0, 1, ...
    Bounds(Vec<Bounds>),
    /// An offset.
    Offset(Offset),
    /// The producer id and epoch of a `transactional.id`.
    Producer(ProducerId, i16),
    /// Where the records of a send went.
    Sent(Vec<Sent>),
    /// Records, or `None` where the fetch was woken.
    Records(Option<Records>),
    /// The next step of a rebalance, or `None` where the consumer has left.
    Rebalance(Option<Rebalance>),
    /// The committed offsets of the partitions 0, 1, ..., with their metadata.
    CommittedOffsets(Vec<Option<(Offset, Option<String>)>>),
}

impl Answer {
    /// The error for a reply that does not fit its question.
    pub(super) fn mismatch() -> Error {
        Error::new(Code::Internal, "a transaction answered another question")
    }
}

/// Something that the application may want to know.
pub enum Event {
    /// A stored batch was damaged, and set aside: readers go on behind it.
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What is gone, and why.
        damaged: Damaged,
    },
    /// A member's epoch changes: its group rebalances.
    Rebalancing {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// A member's heartbeat was answered.
    Heartbeat {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// Its epoch.
        epoch: i32,
    },
    /// The coordinator cannot do its work; the members keep what they have.
    GroupFailed {
        /// The group.
        group: String,
        /// Why.
        error: Error,
    },
    /// A topic was created, deleted, or has more partitions.
    TopicChanged(String),
    /// A forwarder has something to say; see [`crate::client::forwarder::Event`].
    Forwarder(ForwarderId, String, crate::client::forwarder::Event),
    /// Compaction removed records of which there are later ones of the same key.
    Compacted {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// How many.
        removed: i64,
    },
    /// Transactions wait for what is loaded late: load it, then say so with [`Input::Complete`].
    Incomplete,
    /// With the quota used up, the oldest records of a topic were given up.
    Dropped {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// How many.
        records: i64,
        /// The log start offset now.
        start: Offset,
    },
    /// Retention deleted records.
    Trimmed {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The log start offset now.
        start: Offset,
    },
}
