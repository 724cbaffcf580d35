use std::collections::VecDeque;

use crate::base::{Error, TopicPartition};
use crate::client::producer::CallId;
use crate::group::Partitions;

/// What a rebalance does to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions are added, or none: the member has reached another epoch.
    Assign,
    /// Partitions are taken. They are the member's until it says that it has given them up.
    Revoke,
    /// Everything was taken already: the member was fenced, or its page was suspended.
    Lost,
}

/// One step of a rebalance, which the application takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// What happens.
    pub kind: RebalanceKind,
    /// The partitions that are added or taken: topic and number.
    pub partitions: Vec<(String, i32)>,
    /// What the member has afterwards.
    pub assignment: Vec<(String, i32)>,
    /// The member.
    pub member: String,
    /// Its epoch.
    pub epoch: i32,
    /// The node of the coordinator; `None` where it is this one.
    pub coordinator: Option<u64>,
    /// Why the member is out of the group for good, if it is.
    pub error: Option<Error>,
}

/// The steps that the application is to take, in order, one at a time.
#[derive(Default)]
pub(super) struct Steps {
    queue: VecDeque<Step>,
    /// The step that the application is taking.
    open: Option<Step>,
    /// Who waits for the next step.
    pub(super) asking: Option<CallId>,
    /// What the application knows to be assigned.
    pub(super) told: Partitions,
}

pub(super) struct Step {
    pub(super) kind: RebalanceKind,
    pub(super) partitions: Partitions,
    /// False while positions are looked up.
    pub(super) ready: bool,
    /// The names of its topics were looked up once more.
    pub(super) looked: bool,
    /// Its positions are being looked up, not those of others.
    pub(super) asked: bool,
    /// True while the member waits for the application.
    pub(super) awaited: bool,
    pub(super) error: Option<Error>,
}

impl Step {
    /// A step without partitions for which nobody waits.
    pub(super) fn new(kind: RebalanceKind) -> Self {
        let partitions = Partitions::new();
        Self { kind, partitions, ready: true, looked: false, asked: false, awaited: false, error: None }
    }
}

impl Steps {
    pub(super) fn push(&mut self, step: Step) {
        if step.kind == RebalanceKind::Lost {
            // Of what it does not know yet the application need not hear any more.
            self.queue.retain(|queued| queued.kind == RebalanceKind::Lost);
            if let Some(open) = &mut self.open {
                open.awaited = false;
            }
        }
        self.queue.push_back(step);
    }

    /// The step that looks its positions up.
    pub(super) fn unready(&mut self) -> Option<&mut Step> {
        self.queue.iter_mut().find(|step| !step.ready)
    }

    /// True if some step waits for the application, or is being taken.
    pub(super) fn pending(&self) -> bool {
        self.open.is_some() || !self.queue.is_empty()
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// True if the application can be told the next step.
    pub(super) fn is_ready(&self) -> bool {
        self.open.is_none() && self.queue.front().is_some_and(|step| step.ready)
    }

    /// True if the application was told that it has such a partition, and has yet to hear, or to take in, that it is
    /// lost: what it still does with it counts for nothing, even where the member has it again.
    pub(super) fn lost(&self, such: impl Fn(TopicPartition) -> bool) -> bool {
        let lost = |step: &&Step| step.kind == RebalanceKind::Lost;
        let untold = self.queue.iter().find(lost).map(|_| &self.told);
        let told = self.open.as_ref().filter(lost).map(|step| &step.partitions);
        untold.into_iter().chain(told).any(|partitions| partitions.iter().any(&such))
    }

    /// Takes out a loss of nothing: of that the application need not hear. Answers whether the member waits for it.
    pub(super) fn skip(&mut self) -> Option<bool> {
        let nothing = |step: &&Step| step.kind == RebalanceKind::Lost && step.error.is_none();
        if self.open.is_some() || !self.told.is_empty() || self.queue.front().filter(nothing).is_none() {
            return None;
        }
        self.queue.pop_front().map(|step| step.awaited)
    }

    /// The next step, if the application can take it, and what it has afterwards.
    pub(super) fn open(&mut self) -> Option<(&Step, Partitions)> {
        if !self.is_ready() {
            return None;
        }
        let mut step = self.queue.pop_front()?;
        let after = match step.kind {
            RebalanceKind::Assign => {
                let mut after = self.told.clone();
                after.extend(&step.partitions);
                after
            }
            RebalanceKind::Revoke => self.told.minus(&step.partitions),
            RebalanceKind::Lost => {
                step.partitions = core::mem::take(&mut self.told);
                Partitions::new()
            }
        };
        self.told.clone_from(&after);
        Some((self.open.insert(step), after))
    }

    /// The application has taken the step.
    pub(super) fn close(&mut self) -> Option<Step> {
        self.open.take()
    }

    /// Nothing is left to be done.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.open = None;
        self.told = Partitions::new();
    }
}
