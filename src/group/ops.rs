//! The operations on rows of groups. A coordinator that another one has followed is refused by the row, whatever it
//! believes.

use std::rc::Rc;

use super::GroupState;
use super::offsets::{FORWARDER_GROUP, offset_range};
use super::row::{GroupRow, not_found};
use crate::base::{Code, Error};
use crate::log::{Applied, Durability, Op, Plan, Rows, Scan, Store, Write};

fn put(group: &str, bytes: Vec<u8>) -> Write {
    Write::Put(Store::Groups, group.as_bytes().to_vec(), bytes)
}

/// Makes a node the coordinator of a group, under an epoch that is greater than any before.
#[derive(Clone, Debug)]
pub struct ClaimGroup {
    /// The group.
    pub group: String,
    /// The node.
    pub node: u64,
    /// The highest epoch that the node has heard of: where the row was wiped, those who live still know it.
    pub above: i32,
}

impl Op for ClaimGroup {
    /// The row as it is now.
    type Reply = GroupRow;

    fn plan(&self) -> Plan {
        Plan::write(vec![GroupRow::scan(&self.group)], vec![Store::Groups], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<GroupRow>, Error> {
        let mut row = rows.value(0).map(GroupRow::decode).transpose()?.unwrap_or_default();
        row.coordinator_epoch = row.coordinator_epoch.max(self.above).saturating_add(1);
        row.node = self.node;
        Ok(Applied { writes: vec![put(&self.group, row.encode())], reply: row })
    }
}

/// Stores what the coordinator of this very epoch has decided.
#[derive(Clone, Debug)]
pub struct WriteGroup {
    /// The group.
    pub group: String,
    /// The coordinator's node.
    pub node: u64,
    /// Its epoch.
    pub coordinator_epoch: i32,
    /// The group.
    pub state: Rc<GroupState>,
}

impl Op for WriteGroup {
    type Reply = ();

    fn plan(&self) -> Plan {
        Plan::write(vec![GroupRow::scan(&self.group)], vec![Store::Groups], Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        let row = rows.value(0).map(GroupRow::decode).transpose()?.unwrap_or_default();
        // An epoch may come again after the group was deleted; the node does not.
        if (row.coordinator_epoch, row.node) != (self.coordinator_epoch, self.node) {
            let message = format!("another node coordinates group {} by now: ask that one", self.group);
            return Err(Error::new(Code::NotCoordinator, message));
        }
        Ok(Applied { writes: vec![put(&self.group, row.encode_with(&self.state))], reply: () })
    }
}

/// Sees whether the row of a group can be written: nobody waits for a storage that keeps everybody waiting.
#[derive(Clone, Debug)]
pub struct TryGroup {
    /// The group.
    pub group: String,
}

impl Op for TryGroup {
    type Reply = ();

    fn plan(&self) -> Plan {
        Plan::write(vec![GroupRow::scan(&self.group)], vec![Store::Groups], Durability::Relaxed)
    }

    fn apply(&self, _rows: &Rows) -> Result<Applied<()>, Error> {
        Ok(Applied::reply(()))
    }
}

/// Deletes a group that has no members, and its offsets.
#[derive(Clone, Debug)]
pub struct DeleteGroup {
    /// The group.
    pub group: String,
}

impl Op for DeleteGroup {
    type Reply = ();

    fn plan(&self) -> Plan {
        let writes = vec![Store::Groups, Store::Offsets];
        Plan::write(vec![GroupRow::scan(&self.group)], writes, Durability::Relaxed)
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<()>, Error> {
        if self.group == FORWARDER_GROUP {
            let message = "the group of the forwarders is as old as their deliveries, and cannot be deleted";
            return Err(Error::new(Code::InvalidRequest, message));
        }
        match GroupRow::find(rows.value(0)) {
            Ok(Some(row)) if row.state.members.is_empty() => {}
            Ok(Some(_)) => {
                let message = format!("group {} has members: stop them, then delete it", self.group);
                return Err(Error::new(Code::NonEmptyGroup, message));
            }
            Ok(None) => return Err(not_found(&self.group)),
            // To delete it is the way out of a row that cannot be read.
            Err(error) if error.code() == Code::StorageCorrupt => {}
            Err(newer) => return Err(newer),
        }
        let (from, to) = offset_range(&self.group);
        let writes = vec![
            Write::Delete(Store::Groups, self.group.as_bytes().to_vec()),
            Write::DeleteRange(Store::Offsets, from, to),
        ];
        Ok(Applied { writes, reply: () })
    }
}

/// Reads all groups.
#[derive(Clone, Debug)]
pub struct ListGroups;

impl Op for ListGroups {
    /// The groups by name, in the order of their bytes. One that cannot be read is left out.
    type Reply = Vec<(String, GroupRow)>;

    fn plan(&self) -> Plan {
        let (from, to) = (Vec::new(), vec![u8::MAX]);
        Plan::read(vec![Scan::Range { store: Store::Groups, from, to, limit: usize::MAX }])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        let group = |(key, value): &(Vec<u8>, Vec<u8>)| {
            Some((String::from_utf8_lossy(key).into_owned(), GroupRow::find(Some(value)).ok()??))
        };
        Ok(Applied::reply(rows.all(0).iter().filter_map(group).collect()))
    }
}

/// Reads one group.
#[derive(Clone, Debug)]
pub struct DescribeGroup {
    /// The group.
    pub group: String,
}

impl Op for DescribeGroup {
    /// The group, if there is one.
    type Reply = Option<GroupRow>;

    fn plan(&self) -> Plan {
        Plan::read(vec![GroupRow::scan(&self.group)])
    }

    fn apply(&self, rows: &Rows) -> Result<Applied<Self::Reply>, Error> {
        Ok(Applied::reply(GroupRow::find(rows.value(0))?))
    }
}
