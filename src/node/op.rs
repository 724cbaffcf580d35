use std::rc::Rc;

use crate::base::Error;
use crate::client::compaction::{Compact, FindDirty};
use crate::client::forwarder::{ForwarderOp, ListDelivered};
use crate::client::transaction::CommitTransaction;
use crate::group::{CommitOffsets, FetchOffsets};
use crate::log::ops::{
    AlterConfigs, Append, BeginMaintenance, ClaimSink, CreatePartitions, CreateTopic, DeleteTopic,
    DescribeTopic, Fetch, GrowTopic, InitProducerId, ListBounds, ListOffsets, ListTopics, Measure, SetAside,
    Sync, Trim,
};
use crate::log::{Applied, Op, Plan, Rows};

macro_rules! any_op {
    ($($variant:ident($op:ty),)*) => {
        /// Any operation that a node runs.
        pub enum AnyOp { $(#[doc = "See the operation of this name."] $variant($op),)* }

        /// The answer of the operation of the same name.
        pub enum AnyReply { $(#[doc = "See the operation of this name."] $variant(<$op as Op>::Reply),)* }

        impl Op for AnyOp {
            type Reply = AnyReply;

            fn plan(&self) -> Plan {
                match self { $(Self::$variant(op) => op.plan(),)* }
            }

            fn apply(&self, rows: &Rows) -> Result<Applied<AnyReply>, Error> {
                Ok(match self {
                    $(Self::$variant(op) => {
                        let applied = op.apply(rows)?;
                        Applied { writes: applied.writes, reply: AnyReply::$variant(applied.reply) }
                    })*
                })
            }
        }

        $(impl From<$op> for AnyOp {
            fn from(op: $op) -> Self {
                Self::$variant(op)
            }
        })*
    };
}

any_op! {
    CreateTopic(CreateTopic),
    GrowTopic(GrowTopic),
    CreatePartitions(CreatePartitions),
    AlterConfigs(AlterConfigs),
    ClaimSink(ClaimSink),
    DescribeTopic(DescribeTopic),
    ListTopics(ListTopics),
    DeleteTopic(DeleteTopic),
    Append(Rc<Append>),
    InitProducerId(InitProducerId),
    CommitTransaction(Rc<CommitTransaction>),
    Fetch(Fetch),
    ListBounds(ListBounds),
    ListOffsets(ListOffsets),
    BeginMaintenance(BeginMaintenance),
    Measure(Measure),
    FindDirty(FindDirty),
    Compact(Compact),
    Trim(Trim),
    Sync(Sync),
    SetAside(SetAside),
    CommitOffsets(CommitOffsets),
    FetchOffsets(FetchOffsets),
    Forwarder(ForwarderOp),
    ListDelivered(ListDelivered),
}
