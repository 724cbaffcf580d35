use super::{Acks, ConsumerId, ForwarderId};
use crate::base::TopicConfig;
use crate::client::producer::CallId;
use crate::log::batch::Compression;

/// Who wants to know a topic, and what for.
pub(super) enum Want {
    Send(PendingSend),
    Describe { call: CallId, create: bool },
    Bounds(CallId),
    Committed { call: CallId, group: String },
    OffsetAt { call: CallId, partition: i32, timestamp: i64 },
    Trim { call: CallId, partition: i32, before: Option<i64> },
    AlterConfigs { call: CallId, config: TopicConfig, validate_only: bool },
    SetOffsets { call: CallId, group: String, offsets: Vec<(i32, i64, Option<String>)> },
    Transaction { call: CallId, create: bool },
    Join { consumer: ConsumerId, create: bool },
    Group(String),
    Forward(ForwarderId),
}

impl Want {
    /// True where the topic may be created for it.
    pub(super) fn create(&self) -> bool {
        match self {
            Self::Send(send) => send.create,
            Self::Describe { create, .. } | Self::Transaction { create, .. } | Self::Join { create, .. } => {
                *create
            }
            Self::Forward(_) => true,
            Self::Bounds(_)
            | Self::Committed { .. }
            | Self::OffsetAt { .. }
            | Self::Trim { .. }
            | Self::AlterConfigs { .. }
            | Self::SetOffsets { .. }
            | Self::Group(_) => false,
        }
    }
}

/// A send on its way to the producer.
pub(super) struct PendingSend {
    pub(super) call: CallId,
    pub(super) frames: Vec<u8>,
    pub(super) acks: Acks,
    pub(super) create: bool,
    pub(super) compression: Compression,
}
