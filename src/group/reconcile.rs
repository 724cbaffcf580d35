use super::{CurrentAssignment, MemberState, Partitions};
use crate::base::{Code, Error, TopicPartition};

/// One member's next step towards its target; `None` where nothing changes.
///
/// A partition goes to its new owner only after the old one has said that it gave it up: `free` answers whether nobody
/// owns a partition, and `owned` is what the member said in this very heartbeat.
///
/// # Errors
/// [`Code::FencedMemberEpoch`] where only a newer coordinator would know what the member may keep.
pub fn reconcile(
    current: &CurrentAssignment,
    target_epoch: i32,
    target: &Partitions,
    free: impl Fn(TopicPartition) -> bool,
    owned: Option<&Partitions>,
) -> Result<Option<CurrentAssignment>, Error> {
    let still_owns = |revoked: &Partitions| owned.is_none_or(|owned| !owned.and(revoked).is_empty());
    let epoch = match current.state {
        MemberState::Stable if current.epoch == target_epoch => return Ok(None),
        MemberState::UnrevokedPartitions if still_owns(&current.pending_revocation) => return Ok(None),
        MemberState::UnrevokedPartitions => current.epoch + 1,
        MemberState::Stable | MemberState::UnreleasedPartitions => current.epoch,
        MemberState::Unknown if owned.is_some_and(Partitions::is_empty) => target_epoch,
        MemberState::Unknown => {
            let message =
                "a newer version stored what the member owns: it must give everything up and rejoin";
            return Err(Error::new(Code::FencedMemberEpoch, message));
        }
    };
    let keep = current.assigned.and(target);
    let revoke = current.assigned.minus(&keep);
    let mut next = CurrentAssignment {
        epoch,
        previous_epoch: current.epoch,
        state: MemberState::UnrevokedPartitions,
        assigned: keep,
        pending_revocation: Partitions::new(),
    };
    if !revoke.is_empty() && still_owns(&revoke) {
        next.pending_revocation = revoke;
    } else {
        next.epoch = target_epoch;
        next.state = MemberState::Stable;
        for tp in target.minus(&next.assigned).iter() {
            if free(tp) {
                next.assigned.insert(tp);
            } else {
                next.state = MemberState::UnreleasedPartitions;
            }
        }
    }
    Ok((next != *current).then_some(next))
}
