use super::{Phase, Step, closed};
use crate::base::{Code, Error, Instant, TopicPartition};
use crate::client::consumer::Consumer;
use crate::client::producer::CallId;
use crate::group::{CommitOffsets, CommittedOffset, Committer, OffsetCommit};
use crate::node::{Answer, ConsumerId, Node, Pending, Position};

/// A commit of a member whose epoch has passed waits so long to hear of the next one.
const STALE_MS: u64 = 30_000;

/// A commit on its way.
pub(in crate::node) struct Commit {
    call: CallId,
    op: CommitOffsets,
    /// When to give up waiting for the member's next epoch.
    pub(super) until: Instant,
}

impl Node {
    pub(in crate::node) fn commit(&mut self, call: CallId, id: ConsumerId, offsets: Vec<Position>) {
        let now = self.now;
        let member = match self.committer(id) {
            Ok(member) => member,
            Err(error) => return self.done(call, Err(error)),
        };
        let Some(consumer) = self.consumers.get(id).map(|member| &mut member.consumer) else { return };
        let named = |(topic, partition, offset, metadata): Position| {
            let tp = consumer.partition(&topic, partition).ok_or_else(|| unassigned(&topic, partition))?;
            let committed = CommittedOffset { offset, metadata, at: now.timestamp };
            Ok(OffsetCommit { tp, committed })
        };
        match offsets.into_iter().map(named).collect::<Result<Vec<_>, Error>>() {
            Ok(offsets) if offsets.is_empty() => self.done(call, Ok(Answer::Nothing)),
            Ok(offsets) => {
                let group = consumer.group().to_string();
                let op = CommitOffsets { group, member, offsets };
                self.store_commit(id, Commit { call, op, until: now.instant + STALE_MS });
            }
            Err(error) => self.done(call, Err(error)),
        }
    }

    /// The member of this node that reads this partition for its group, and its epoch: as it a transaction commits.
    /// Where there is none, nobody does, and the group must have no members.
    ///
    /// # Errors
    /// [`Code::UnknownMemberId`] where an application of this node has lost the partition and does not know it yet,
    /// [`Code::RebalanceInProgress`] where the member is out of its group.
    pub(in crate::node) fn owner_of(
        &mut self,
        group: &str,
        name: &str,
        tp: TopicPartition,
    ) -> Result<Option<Committer>, Error> {
        let reads = |consumer: &Consumer| {
            let topic = consumer.topic(tp.topic);
            topic.is_some_and(|topic| consumer.partition(topic, tp.partition).is_some())
        };
        let mut owner = None;
        for (id, member) in self.consumers.members.iter() {
            if member.consumer.group() != group {
                continue;
            }
            // By its name: the log may have been wiped since, and the topic be another one.
            if member.has_lost(name, tp.partition) {
                return Err(lost(tp));
            }
            if reads(&member.consumer) {
                owner = Some(*id);
            }
        }
        owner.map_or(Ok(None), |id| self.committer(id))
    }

    /// As whom a consumer commits.
    fn committer(&mut self, id: ConsumerId) -> Result<Option<Committer>, Error> {
        let member = self.consumers.get(id).ok_or_else(closed)?;
        let phase = member.phase;
        match phase {
            Phase::Out => return Err(closed()),
            Phase::Alone => return Ok(None),
            Phase::Joining | Phase::Seated(_) => {}
        }
        let seat = member.seat().and_then(|seat| self.seat(seat)).map(|seat| &seat.machine);
        let joined = seat.filter(|machine| machine.epoch() > 0);
        joined.map(|machine| Some((machine.id().to_string(), machine.epoch()))).ok_or_else(|| {
            let message =
                "this consumer is not a member of its group at the moment: wait until it has joined again";
            Error::new(Code::RebalanceInProgress, message)
        })
    }

    fn store_commit(&mut self, id: ConsumerId, commit: Commit) {
        let op = commit.op.clone();
        self.store(op.into(), Pending::Consumer(id, Step::Commit(commit)));
    }

    pub(super) fn committed(&mut self, id: ConsumerId, commit: Commit, result: Result<(), Error>) {
        let stale = result.as_ref().is_err_and(|error| error.code() == Code::StaleMemberEpoch);
        if stale && let Ok(committer) = self.committer(id) {
            return self.commit_again(id, commit, committer);
        }
        self.done(commit.call, result.map(|()| Answer::Nothing));
    }

    /// The member's epoch has passed: the commit goes under the next one, as soon as that is known.
    fn commit_again(&mut self, id: ConsumerId, mut commit: Commit, committer: Option<Committer>) {
        if commit.op.member != committer {
            commit.op.member = committer;
            self.store_commit(id, commit);
        } else if let Some(member) = self.consumers.get(id) {
            member.stale.push(commit);
            self.hurry_consumer(id);
        }
    }

    /// The member has another epoch, or none any more.
    pub(super) fn retry_commits(&mut self, id: ConsumerId) {
        let Some(member) = self.consumers.get(id) else { return };
        for commit in core::mem::take(&mut member.stale) {
            match self.committer(id) {
                Ok(committer) => self.commit_again(id, commit, committer),
                Err(error) => self.committed(id, commit, Err(error)),
            }
        }
    }

    pub(super) fn give_up_commits(&mut self) {
        let now = self.now.instant;
        for id in self.consumers.ids() {
            let Some(member) = self.consumers.get(id) else { continue };
            let (late, stale) =
                core::mem::take(&mut member.stale).into_iter().partition(|commit| commit.until <= now);
            member.stale = stale;
            let late: Vec<Commit> = late;
            for commit in late {
                let message =
                    "the group's coordinator does not say which epoch this member has: nothing was committed";
                let error = Error::new(Code::CoordinatorNotAvailable, message);
                self.committed(id, commit, Err(error));
            }
        }
    }
}

fn lost(tp: TopicPartition) -> Error {
    let message = format!(
        "partition {} was lost to the group while its records were handled: abort the transaction, another member handles them",
        tp.partition
    );
    Error::new(Code::UnknownMemberId, message)
}

fn unassigned(topic: &str, partition: i32) -> Error {
    let message = format!("partition {partition} of \"{topic}\" is not assigned to this consumer");
    Error::new(Code::UnknownTopicOrPartition, message)
}
