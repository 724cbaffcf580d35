use super::{Assignors, Coordinator};
use crate::base::{Code, Error};
use crate::group::{CurrentAssignment, HeartbeatRequest, JOIN_EPOCH, Partitions, STATIC_LEAVE_EPOCH};

impl Coordinator {
    /// The rules that need no look at the group.
    pub(super) fn validate(
        &self,
        request: &HeartbeatRequest,
        assignors: &dyn Assignors,
    ) -> Result<(), Error> {
        let blank = |text: &str| text.trim().is_empty();
        let unnamed = blank(&request.member);
        let wrong = match request.epoch {
            _ if blank(&request.group) => Some("the group id is empty"),
            _ if request.instance.as_deref().is_some_and(blank) => Some("group.instance.id is empty"),
            JOIN_EPOCH if request.rebalance_timeout_ms == -1 => {
                Some("the first heartbeat has no rebalance timeout")
            }
            JOIN_EPOCH if !request.owned.as_ref().is_some_and(Partitions::is_empty) => {
                Some("the first heartbeat must say that the member owns nothing")
            }
            JOIN_EPOCH if request.topics.as_ref().is_none_or(Vec::is_empty) => {
                Some("the first heartbeat subscribes to no topic")
            }
            JOIN_EPOCH => None,
            ..STATIC_LEAVE_EPOCH => Some("there is no such member epoch"),
            _ if unnamed => Some("the member id is empty"),
            STATIC_LEAVE_EPOCH if request.instance.is_none() => {
                Some("only a static member may leave for a while")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(Code::InvalidRequest, format!("heartbeat refused: {wrong}")));
        }
        let wanted = request.assignors.as_deref().unwrap_or_default();
        if wanted.is_empty() || wanted.iter().any(|name| self.can_assign(name, assignors)) {
            return Ok(());
        }
        let message = format!(
            "the coordinator of group {} has no assignor {}: offer one that it has, such as {}",
            request.group,
            wanted.join(", "),
            self.config.assignors.join(", ")
        );
        Err(Error::new(Code::UnsupportedAssignor, message))
    }

    /// A heartbeat that was overtaken, or comes twice, says what the member owned once: it must not be taken for what it
    /// owns now.
    pub(super) fn is_late(&self, request: &HeartbeatRequest) -> bool {
        let newest = self.timers.get(&request.member).map_or(0, |timers| timers.correlation);
        request.correlation != 0 && request.correlation <= newest
    }

    pub(super) fn can_assign(&self, name: &str, assignors: &dyn Assignors) -> bool {
        assignors.has(name) || self.config.assignors.iter().any(|own| own == name)
    }
}

/// The member's epoch must be the coordinator's. One behind is the member whose answer was lost: it may own no more
/// than what it was told then.
pub fn check_epoch(current: &CurrentAssignment, request: &HeartbeatRequest) -> Result<(), Error> {
    let lost_answer = request.epoch == current.previous_epoch
        && request.owned.as_ref().is_some_and(|owned| owned.is_subset(&current.assigned));
    if request.epoch == current.epoch || (request.epoch < current.epoch && lost_answer) {
        return Ok(());
    }
    let message = format!(
        "member {} of group {} is at epoch {}, and the coordinator has it at {}: it must give everything up and rejoin",
        request.member, request.group, request.epoch, current.epoch
    );
    Err(Error::new(Code::FencedMemberEpoch, message))
}
