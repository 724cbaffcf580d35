use std::rc::Rc;

use crate::base::{Code, Error};
use crate::client::compaction::{Compact, FindDirty};
use crate::client::forwarder::{ListDelivered, OwnedOp};
use crate::client::relief::FindConsumed;
use crate::client::transaction::CommitTransaction;
use crate::group::{
    ClaimGroup, CommitForAnother, CommitOffsets, DeleteGroup, DescribeGroup, FetchOffsets, FindPositions,
    ListGroups, SetOffsets, TryGroup, WriteGroup,
};
use crate::log::ops::{
    AlterConfigs, Append, BeginMaintenance, ClaimSink, CreatePartitions, CreateTopic, DeleteTopic,
    DescribeTopic, ExpireProducers, Fetch, GrowTopic, InitProducerId, ListBounds, ListOffsets, ListTopics,
    Measure, Purge, SetAside, Sync, Trim,
};
use crate::log::{Applied, Op, Plan, Rows};

macro_rules! any_op {
    (core { $($core:ident($core_op:ty),)* } late { $($late:ident($late_op:ty),)* }) => {
        /// Any operation that a node runs.
        pub enum AnyOp {
            $(#[doc = "See the operation of this name."] $core($core_op),)*
            $(#[doc = "See the operation of this name."] $late($late_op),)*
        }

        /// The answer of the operation of the same name.
        pub enum AnyReply {
            $(#[doc = "See the operation of this name."] $core(<$core_op as Op>::Reply),)*
            $(#[doc = "See the operation of this name."] $late(<$late_op as Op>::Reply),)*
        }

        impl Op for AnyOp {
            type Reply = AnyReply;

            fn plan(&self) -> Plan {
                match self {
                    $(Self::$core(op) => op.plan(),)*
                    late => late.late_plan(),
                }
            }

            fn apply(&self, rows: &Rows) -> Result<Applied<AnyReply>, Error> {
                match self {
                    $(Self::$core(op) => op.apply(rows).map(|applied| applied.map(AnyReply::$core)),)*
                    late => late.late_apply(rows),
                }
            }
        }

        impl AnyOp {
            #[inline(never)]
            fn late_plan(&self) -> Plan {
                match self {
                    $(Self::$late(op) => op.plan(),)*
                    $(Self::$core(_))|* => Plan::read(Vec::new()),
                }
            }

            #[inline(never)]
            fn late_apply(&self, rows: &Rows) -> Result<Applied<AnyReply>, Error> {
                match self {
                    $(Self::$late(op) => op.apply(rows).map(|applied| applied.map(AnyReply::$late)),)*
                    $(Self::$core(_))|* => Err(Error::new(Code::Internal, "an operation of the core ran late")),
                }
            }
        }

        $(any_op!(@from $core($core_op));)*
        $(any_op!(@from $late($late_op));)*
    };
    (@from $variant:ident($op:ty)) => {
        impl From<$op> for AnyOp {
            fn from(op: $op) -> Self {
                Self::$variant(op)
            }
        }
    };
}

// What appends needs the first five; the others may be loaded late.
any_op! {
    core {
        Append(Rc<Append>),
        DescribeTopic(DescribeTopic),
        CreateTopic(CreateTopic),
        ListBounds(ListBounds),
        Sync(Sync),
    }
    late {
        GrowTopic(GrowTopic),
        CreatePartitions(CreatePartitions),
        AlterConfigs(AlterConfigs),
        ClaimSink(ClaimSink),
        ListTopics(ListTopics),
        DeleteTopic(DeleteTopic),
        InitProducerId(InitProducerId),
        CommitTransaction(Rc<CommitTransaction>),
        Fetch(Fetch),
        ListOffsets(ListOffsets),
        BeginMaintenance(BeginMaintenance),
        Measure(Measure),
        Purge(Purge),
        ExpireProducers(ExpireProducers),
        FindConsumed(FindConsumed),
        FindDirty(FindDirty),
        Compact(Compact),
        Trim(Trim),
        SetAside(SetAside),
        CommitOffsets(CommitOffsets),
        FetchOffsets(FetchOffsets),
        FindPositions(FindPositions),
        SetOffsets(SetOffsets),
        CommitForAnother(CommitForAnother),
        ClaimGroup(ClaimGroup),
        WriteGroup(WriteGroup),
        TryGroup(TryGroup),
        DeleteGroup(DeleteGroup),
        ListGroups(ListGroups),
        DescribeGroup(DescribeGroup),
        Forwarder(OwnedOp),
        ListDelivered(ListDelivered),
    }
}
