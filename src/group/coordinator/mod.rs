//! The coordinator of one group. Handlers decide on a [`Draft`], where each decision is a record that is folded at once;
//! only a decision that came to its end becomes the group's state.

mod draft;
mod heartbeat;
mod timers;
mod validate;

use std::rc::Rc;

use super::{Assignors, GroupState, HeartbeatResponse, Record, STATIC_LEAVE_EPOCH, Spec};
use crate::base::{Instant, Map, Now, Random, TopicId};
use draft::Draft;
use timers::Timers;
pub use timers::{Fired, Timer};

/// What the coordinator of a group is told by its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// How long a member may be silent that did not say so itself.
    pub session_timeout_ms: i32,
    /// How often members shall say that they live.
    pub heartbeat_interval_ms: i32,
    /// How many members there may be.
    pub max_size: usize,
    /// How often topics are looked at although nobody said that they changed.
    pub metadata_refresh_ms: u64,
    /// How long a silent member may take to answer a ping before it is fenced; 0 asks no one.
    pub ping_timeout_ms: i32,
    /// The assignors by name; the first is the default.
    pub assignors: Vec<String>,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            max_size: i32::MAX as usize,
            metadata_refresh_ms: 60_000,
            ping_timeout_ms: 0,
            assignors: ["uniform", "range", "roundRobin"].map(str::to_owned).into(),
        }
    }
}

/// What topics there are.
pub trait Metadata {
    /// The id and the partition count of the topic of this name.
    fn topic(&self, name: &str) -> Option<(TopicId, i32)>;
}

/// What a heartbeat comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer. Where there are records, it leaves after the state was stored.
    Answer {
        /// What the member is told.
        response: HeartbeatResponse,
        /// What changed, in order.
        records: Vec<Record>,
    },
    /// Nothing yet: this is to be assigned, then the same heartbeat comes again.
    Assign(Spec),
    /// Nothing, and no answer: the member has said something newer, or this very thing, before.
    Late,
}

/// The coordinator of one group: what is stored, and timers that are not.
pub struct Coordinator {
    group: String,
    state: Rc<GroupState>,
    config: GroupConfig,
    timers: Map<String, Timers>,
    refresh_at: Instant,
    random: Random,
}

impl Coordinator {
    /// The coordinator of a group without any timers; the ids that it makes follow from `seed`.
    pub fn new(group: String, state: Rc<GroupState>, config: GroupConfig, seed: u64) -> Self {
        Self { group, state, config, timers: Map::new(), refresh_at: 0, random: Random::new(seed) }
    }

    /// The coordinator of a group whose rows were just read: every member has all its time again.
    pub fn load(now: Now, group: String, state: Rc<GroupState>, config: GroupConfig, seed: u64) -> Self {
        let mut coordinator = Self::new(group, state, config, seed);
        coordinator.restart_timers(now);
        coordinator
    }

    /// Another configuration, which holds from each member's next heartbeat on.
    pub fn configure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    /// What is to be stored.
    pub fn state(&self) -> &Rc<GroupState> {
        &self.state
    }

    /// The topic was created, deleted, or has more partitions: the next heartbeat looks at it.
    pub fn metadata_changed(&mut self, topic: &str) {
        let subscribes = |name: &String| name == topic;
        if self.state.members.values().any(|member| member.metadata.topics.iter().any(subscribes)) {
            self.refresh_at = 0;
        }
    }

    /// True if the next heartbeat looks at the topics.
    pub fn refreshes(&self, now: Now) -> bool {
        now.instant >= self.refresh_at
    }

    /// The member's lock was released although it did not leave: it is gone, and a static one may come back. What
    /// changed is to be stored.
    pub fn gone(&mut self, id: &str, metadata: &dyn Metadata) -> Vec<Record> {
        let Some(member) = self.state.members.get(id) else { return Vec::new() };
        let mut draft = Draft::new(&self.state);
        if member.metadata.instance.is_none() {
            self.fence(&mut draft, id, metadata);
        } else if member.current.epoch != STATIC_LEAVE_EPOCH {
            draft.suspend(id);
        }
        self.adopt(draft)
    }

    fn fence(&mut self, draft: &mut Draft, id: &str, metadata: &dyn Metadata) {
        draft.remove(id);
        draft.look_at_topics(metadata);
        draft.bump();
        self.timers.remove(id);
    }

    fn adopt(&mut self, draft: Draft) -> Vec<Record> {
        self.state = draft.state;
        draft.records
    }
}
