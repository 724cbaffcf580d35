//! What a page needs only once it consumes, forwards or administers. A build may load it after the rest, so all the
//! ways in are here, none is inlined into its caller, and none is taken before
//! [`Input::Complete`](super::Input::Complete).

use std::rc::Rc;

use super::groups::GroupMessage;
use super::want::Want;
use super::{
    AnyOp, AnyReply, Call, Command, ConsumerId, Event, ForwarderId, LockId, Node, PageEvent, Pending,
};
use crate::base::{Code, Error, Instant, Map, Now, Offset, TopicPartition};
use crate::client::forwarder::Delivery;
use crate::client::producer::CallId;
use crate::group::Partitions;
use crate::log::TopicRow;

impl Node {
    #[inline(never)]
    pub(super) fn late_call(&mut self, call: CallId, what: Call) {
        self.administer(call, what);
    }

    #[inline(never)]
    pub(super) fn late_command(&mut self, id: ConsumerId, command: Command) {
        self.command(id, command);
    }

    #[inline(never)]
    pub(super) fn late_stored(&mut self, pending: Pending, result: Result<AnyReply, Error>) {
        match pending {
            Pending::Admin(call) => self.administered(call, result),
            Pending::InitTransactions { call, transactional_id } => {
                self.transactions_initialised(call, transactional_id, result);
            }
            Pending::CommitTransaction(op) => self.transaction_committed(&op, result),
            Pending::Consumer(id, step) => self.consumer_stored(id, step, result),
            Pending::Forwarder(id, step) => self.forwarder_stored(id, step, result),
            Pending::Group(step) => self.group_stored(step, result),
            Pending::Maintenance(id, step) => self.maintained(id, step, result),
            Pending::Repair(tp, repair) => self.repaired(tp, repair, result),
            Pending::Mended(pending) => self.concluded(*pending, result),
            Pending::Relief(task) => self.relieved(task, result),
            Pending::Topic(_) | Pending::Learn(_) | Pending::Append | Pending::Sync(..) => {}
        }
    }

    #[inline(never)]
    pub(super) fn late_served(&mut self, name: &str, row: TopicRow, want: Want) {
        match want {
            Want::Bounds(call) => self.list_bounds(call, &row),
            Want::Committed { call, group } => self.committed_offsets(call, group, &row),
            Want::OffsetAt { call, partition, timestamp } => self.offset_at(call, &row, partition, timestamp),
            Want::Trim { call, partition, before } => self.trim(call, name, &row, partition, before),
            Want::AlterConfigs { call, config, validate_only } => {
                self.alter_configs(call, name, &row, config, validate_only);
            }
            Want::SetOffsets { call, group, offsets } => self.set_offsets(call, group, &row, offsets),
            Want::Transaction { call, .. } => self.transaction_topic(call, name, row),
            Want::Join { consumer, .. } => self.join_topic(consumer, name, Some(&row)),
            Want::Group(group) => self.topic_found(&group, name, Some(&row)),
            Want::Forward(id) => self.forward_topic(id, name, row),
            Want::Send(_) | Want::Describe { .. } => {}
        }
    }

    #[inline(never)]
    pub(super) fn late_refused(&mut self, name: &str, want: Want, error: &Error) {
        match want {
            Want::Transaction { call, .. } => self.transaction_refused(call, error),
            Want::Join { consumer, .. } => self.join_refused(consumer, name, error),
            Want::Group(group) => self.topic_refused(&group, name, error),
            Want::Forward(id) => self.forward_failed(id, error),
            Want::Bounds(call)
            | Want::Committed { call, .. }
            | Want::OffsetAt { call, .. }
            | Want::AlterConfigs { call, .. }
            | Want::SetOffsets { call, .. }
            | Want::Trim { call, .. } => self.done(call, Err(error.clone())),
            Want::Send(_) | Want::Describe { .. } => {}
        }
    }

    #[inline(never)]
    pub(super) fn late_delivered(&mut self, id: ForwarderId, ticket: u64, delivery: &Delivery) {
        self.delivered(id, ticket, delivery);
    }

    #[inline(never)]
    pub(super) fn late_idle(&mut self, id: u64) {
        self.idle(id);
    }

    #[inline(never)]
    pub(super) fn late_mend(&mut self, pending: Pending, op: Rc<AnyOp>, error: Error) {
        match error.code() {
            Code::CorruptMessage => self.damaged(pending, op, error),
            _ => self.relieve(pending, op, error),
        }
    }

    #[inline(never)]
    pub(super) fn late_granted(&mut self, lock: LockId) {
        self.maintenance_granted(lock);
        self.group_granted(lock);
    }

    #[inline(never)]
    pub(super) fn late_lock_lost(&mut self, lock: LockId) {
        self.lock_lost(lock);
    }

    #[inline(never)]
    pub(super) fn late_assigned(
        &mut self,
        group: &str,
        epoch: i32,
        result: Result<Map<String, Partitions>, Error>,
    ) {
        self.assigned(group, epoch, result);
    }

    /// True if this node has to hear what is said of a group.
    #[inline(never)]
    pub(super) fn late_concerns(&self, bytes: &[u8]) -> bool {
        GroupMessage::decode(bytes).is_some_and(|message| self.groups.concerns(&message))
    }

    #[inline(never)]
    pub(super) fn late_message(&mut self, bytes: &[u8]) {
        if let Some(message) = GroupMessage::decode(bytes) {
            self.group_message(message, false);
        }
    }

    /// Something is about to happen.
    #[inline(never)]
    pub(super) fn late_wake(&mut self, now: Now) {
        self.look_for_stall(now);
    }

    #[inline(never)]
    pub(super) fn late_page(&mut self, event: PageEvent) {
        self.page_of_forwarders(event);
        self.page_of_maintenance(event);
        match event {
            PageEvent::Suspended => {
                self.entrust_commits();
                self.suspend_groups();
            }
            PageEvent::Resumed => self.resume_groups(),
            PageEvent::Visible => self.seen(true),
            PageEvent::Hidden => {
                self.entrust_commits();
                self.seen(false);
            }
            PageEvent::Closing => self.entrust_commits(),
            PageEvent::Online => {}
        }
    }

    /// Partitions end there now, by an append of this node or of another.
    #[inline(never)]
    pub(super) fn late_appended(&mut self, ends: &[(TopicPartition, Offset)]) {
        for (tp, end) in ends {
            self.consumers.appended(*tp, *end);
            self.forwarders.appended(self.now, *tp, *end);
        }
    }

    /// The log may be another one.
    #[inline(never)]
    pub(super) fn late_reopened(&mut self) {
        self.doubt_groups();
        self.rejoin_all();
        self.reforward_all();
    }

    /// This node has told the others of a topic.
    #[inline(never)]
    pub(super) fn late_topic_announced(&mut self, name: &str) {
        self.doubt_topic(name);
        self.event(Event::TopicChanged(name.to_string()));
    }

    #[inline(never)]
    pub(super) fn late_topic_changed(&mut self, name: &str) {
        self.doubt_topic(name);
        self.rejoin_topic(name);
        self.reforward_topic(name);
        self.event(Event::TopicChanged(name.to_string()));
    }

    #[inline(never)]
    pub(super) fn late_tick(&mut self) {
        self.commits.machine.tick(self.now);
        self.tick_consumers(self.now);
        self.tick_groups();
        self.tick_forwarders();
        self.maintain();
    }

    #[inline(never)]
    pub(super) fn late_drain(&mut self) {
        self.drain_commits();
        while self.drain_groups() | self.drain_consumers() {}
        self.drain_forwarders();
    }

    #[inline(never)]
    pub(super) fn late_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.commits.machine.deadline(),
            self.consumers.deadline(),
            self.groups.deadline(),
            self.forwarders.deadline(),
            self.maintenance.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}
