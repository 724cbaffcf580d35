use core::fmt;

/// What went wrong, to what, and what to do about it.
///
/// `code` is the precise name (Kafka's where Kafka has one), `kind` says what the caller should do.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
}

impl Error {
    /// An error of this code; `message` says what happened, to what, and what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The precise name.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.code.facts().1
    }

    /// True only where the same call may succeed later without anything being changed.
    pub fn retriable(&self) -> bool {
        self.code.facts().3
    }

    /// What happened, to what, and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The node, its storage or the consumer was closed: open it again.
    Closed,
    /// Another owner is newer: stop, and read the state again.
    Fenced,
    /// Storage or a queue is full: free room or wait.
    Full,
    /// The call or the bytes are wrong: change them.
    Invalid,
    /// Something needed is not there at the moment: wait and try again.
    Unavailable,
    /// Stored or received bytes are damaged: set them aside.
    Corrupt,
    /// A defect in headwater: report it.
    Internal,
}

impl ErrorKind {
    /// The name that JavaScript sees.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Fenced => "Fenced",
            Self::Full => "Full",
            Self::Invalid => "Invalid",
            Self::Unavailable => "Unavailable",
            Self::Corrupt => "Corrupt",
            Self::Internal => "Internal",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $kind:ident, $number:literal, $retriable:literal;)*) => {
        /// The precise name of an error. Numbers are Kafka's; ours, which Kafka lacks, are from 1000 on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn facts(self) -> (&'static str, ErrorKind, i16, bool) {
                match self { $(Self::$variant => ($name, ErrorKind::$kind, $number, $retriable),)* }
            }
        }
    };
}

codes! {
    /// The offset is outside the log.
    OffsetOutOfRange = "OFFSET_OUT_OF_RANGE", Invalid, 1, false;
    /// Bytes do not match their checksum or structure.
    CorruptMessage = "CORRUPT_MESSAGE", Corrupt, 2, false;
    /// No such topic or partition.
    UnknownTopicOrPartition = "UNKNOWN_TOPIC_OR_PARTITION", Invalid, 3, false;
    /// A record or batch exceeds its limit.
    MessageTooLarge = "MESSAGE_TOO_LARGE", Invalid, 10, false;
    /// The metadata of a committed offset is too long.
    OffsetMetadataTooLarge = "OFFSET_METADATA_TOO_LARGE", Invalid, 12, false;
    /// The group's coordinator is reading its rows.
    CoordinatorLoadInProgress = "COORDINATOR_LOAD_IN_PROGRESS", Unavailable, 14, true;
    /// The group has no coordinator at the moment.
    CoordinatorNotAvailable = "COORDINATOR_NOT_AVAILABLE", Unavailable, 15, true;
    /// Another node coordinates the group.
    NotCoordinator = "NOT_COORDINATOR", Unavailable, 16, true;
    /// The topic's name breaks Kafka's rules.
    InvalidTopic = "INVALID_TOPIC_EXCEPTION", Invalid, 17, false;
    /// The member's generation has passed.
    IllegalGeneration = "ILLEGAL_GENERATION", Fenced, 22, false;
    /// The group does not know the member.
    UnknownMemberId = "UNKNOWN_MEMBER_ID", Fenced, 25, false;
    /// The group is rebalancing.
    RebalanceInProgress = "REBALANCE_IN_PROGRESS", Unavailable, 27, false;
    /// The topic exists.
    TopicAlreadyExists = "TOPIC_ALREADY_EXISTS", Invalid, 36, false;
    /// A partition count that is not allowed.
    InvalidPartitions = "INVALID_PARTITIONS", Invalid, 37, false;
    /// A configuration value that is not allowed.
    InvalidConfig = "INVALID_CONFIG", Invalid, 40, false;
    /// A request that no rule allows.
    InvalidRequest = "INVALID_REQUEST", Invalid, 42, false;
    /// The producer's sequence is not the next one.
    OutOfOrderSequence = "OUT_OF_ORDER_SEQUENCE_NUMBER", Invalid, 45, false;
    /// An older producer of the same id.
    InvalidProducerEpoch = "INVALID_PRODUCER_EPOCH", Fenced, 47, false;
    /// The `transactional.id` is not known, or belongs to another producer id.
    InvalidProducerIdMapping = "INVALID_PRODUCER_ID_MAPPING", Invalid, 49, false;
    /// The same `transactional.id` is being used at this moment.
    ConcurrentTransactions = "CONCURRENT_TRANSACTIONS", Unavailable, 51, true;
    /// The group has members, or is in use.
    NonEmptyGroup = "NON_EMPTY_GROUP", Invalid, 68, false;
    /// There is no such group.
    GroupIdNotFound = "GROUP_ID_NOT_FOUND", Invalid, 69, false;
    /// The compression type cannot be read here.
    UnsupportedCompressionType = "UNSUPPORTED_COMPRESSION_TYPE", Invalid, 76, false;
    /// The group has as many members as it may have.
    GroupMaxSizeReached = "GROUP_MAX_SIZE_REACHED", Full, 81, false;
    /// Another member has taken this `group.instance.id`.
    FencedInstanceId = "FENCED_INSTANCE_ID", Fenced, 82, false;
    /// A record that the topic does not accept.
    InvalidRecord = "INVALID_RECORD", Invalid, 87, false;
    /// A newer producer has the same `transactional.id`.
    ProducerFenced = "PRODUCER_FENCED", Fenced, 90, false;
    /// The member's epoch is not the one that the coordinator knows.
    FencedMemberEpoch = "FENCED_MEMBER_EPOCH", Fenced, 110, false;
    /// Another member holds this `group.instance.id`.
    UnreleasedInstanceId = "UNRELEASED_INSTANCE_ID", Fenced, 111, false;
    /// The coordinator has none of the member's assignors.
    UnsupportedAssignor = "UNSUPPORTED_ASSIGNOR", Invalid, 112, false;
    /// The member has another epoch, or does not own the partition, by now.
    StaleMemberEpoch = "STALE_MEMBER_EPOCH", Fenced, 113, false;
    /// The node was closed.
    NodeClosed = "NODE_CLOSED", Closed, 1000, false;
    /// Another transaction was faster; nothing was written.
    StorageConflict = "STORAGE_CONFLICT", Unavailable, 1001, true;
    /// The connection to the storage died before the transaction was known to have ended.
    StorageUnknownOutcome = "STORAGE_UNKNOWN_OUTCOME", Unavailable, 1002, true;
    /// The storage failed; nothing was written.
    StorageFailed = "STORAGE_FAILED", Unavailable, 1003, true;
    /// Another tab holds an older version of the database open.
    StorageBlocked = "STORAGE_BLOCKED", Unavailable, 1004, true;
    /// The database was written by a newer headwater.
    StorageNewerFormat = "STORAGE_NEWER_FORMAT", Invalid, 1005, false;
    /// The origin's quota is used up.
    StorageQuotaExceeded = "STORAGE_QUOTA_EXCEEDED", Full, 1006, true;
    /// There is no such storage here.
    StorageMissing = "STORAGE_MISSING", Unavailable, 1007, false;
    /// A stored row cannot be read.
    StorageCorrupt = "STORAGE_CORRUPT", Corrupt, 1008, false;
    /// A queue has reached its limit.
    QueueFull = "QUEUE_FULL", Full, 1009, true;
    /// The row is no longer the one that was read: another owner wrote it.
    DeliveryFenced = "DELIVERY_FENCED", Fenced, 1010, false;
    /// The topic is forwarded to another sink.
    SinkConflict = "SINK_CONFLICT", Invalid, 1011, false;
    /// A producer id that no collector has signed, or whose signature ran out.
    ProducerUnregistered = "PRODUCER_UNREGISTERED", Unavailable, 1012, true;
    /// The write key is not known.
    WriteKeyRefused = "WRITE_KEY_REFUSED", Invalid, 1013, false;
    /// The same identity was used for other records: this log is a copy.
    Diverged = "DIVERGED", Fenced, 1014, false;
    /// Too many requests.
    RateLimited = "RATE_LIMITED", Unavailable, 1015, true;
    /// An assignor failed.
    UnknownServerError = "UNKNOWN_SERVER_ERROR", Internal, -1, false;
    /// A defect.
    Internal = "INTERNAL", Internal, -1, false;
}

impl Code {
    /// The name, in Kafka's spelling.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Kafka's number, or ours from 1000 on.
    pub fn number(self) -> i16 {
        self.facts().2
    }

    /// The code of this number; [`Code::UnknownServerError`] where this version does not know it.
    pub fn from_number(number: i16) -> Self {
        let known = Self::ALL.iter().find(|code| code.number() == number);
        known.copied().unwrap_or(Self::UnknownServerError)
    }
}
