//! The operations of the log. Each is one transaction; see [`super::Op`].

mod alter;
mod append;
mod begin_maintenance;
mod expire_producers;
mod fetch;
mod init_producer;
mod list_offsets;
mod purge;
mod set_aside;
mod sync;
mod topics;
mod trim;

pub use alter::{AlterConfigs, CreatePartitions};
pub use append::{Append, AppendEntry, Appended, Expected};
pub use begin_maintenance::{BeginMaintenance, Round};
pub use expire_producers::ExpireProducers;
pub use fetch::{Fetch, Fetched};
pub use init_producer::{InitProducerId, TransactionalRow, producer_state_key};
pub use list_offsets::{Bounds, ListBounds, ListOffsets, ListedOffset, OffsetSpec};
pub use purge::Purge;
pub use set_aside::{Damaged, SetAside};
pub use sync::Sync;
pub use topics::{ClaimSink, CreateTopic, Created, DeleteTopic, DescribeTopic, GrowTopic, ListTopics};
pub use trim::{Measure, Measured, Stretch, Trim, Trimmed};
