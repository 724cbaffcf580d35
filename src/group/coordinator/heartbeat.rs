use super::validate::check_epoch;
use super::{Coordinator, Draft, Metadata, Outcome};
use crate::base::{Code, Error, Now};
use crate::group::assignor::{self, Assigned, Assignors, Spec};
use crate::group::reconcile::reconcile;
use crate::group::row::not_found;
use crate::group::wire::uuid;
use crate::group::{
    GroupMember, GroupState, HeartbeatRequest, HeartbeatResponse, JOIN_EPOCH, MemberMetadata, Partitions,
    Record, STATIC_LEAVE_EPOCH,
};

impl Coordinator {
    /// Answers a heartbeat, and with it whatever is due in the group: a member that joins or leaves, a new target, this
    /// member's next step towards it.
    ///
    /// # Errors
    /// What the member broke, or how the assignor failed. Nothing has changed then.
    pub fn heartbeat(
        &mut self,
        now: Now,
        request: &HeartbeatRequest,
        metadata: &dyn Metadata,
        assignors: &dyn Assignors,
    ) -> Result<Outcome, Error> {
        self.validate(request, assignors)?;
        if self.is_late(request) {
            return Ok(Outcome::Late);
        }
        if request.epoch < JOIN_EPOCH {
            return self.leave(request, metadata);
        }
        let mut draft = Draft::new(&self.state);
        let id = self.enter(&mut draft, request)?;
        let member = draft.state.member(&id);
        let due = draft.update(&id, said(member.metadata, request));
        let refresh = due || self.refreshes(now);
        if refresh && (draft.look_at_topics(metadata) | due) {
            draft.bump();
        }
        if draft.state.epoch > draft.state.target_epoch
            && let Some(spec) = self.retarget(&mut draft, assignors)?
        {
            return Ok(Outcome::Assign(spec));
        }
        let moved = step(&mut draft, &id, request.owned.as_ref())?;
        let records = self.adopt(draft);
        if refresh {
            self.refresh_at = now.instant.saturating_add(self.config.metadata_refresh_ms);
        }
        self.alive(now, &id);
        if moved {
            self.watch_revocation(now, &id);
        }
        // A static member may have come back under another id.
        let Self { timers, state, .. } = self;
        timers.retain(|id, _| state.members.contains_key(id));
        if let Some(timers) = timers.get_mut(&id) {
            timers.correlation = request.correlation;
        }
        let current = self.state.member(&id).current;
        let news = is_full(request) || current.assigned != member.current.assigned;
        let response = HeartbeatResponse {
            member: id,
            epoch: current.epoch,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            assignment: news.then_some(current.assigned),
        };
        Ok(Outcome::Answer { response, records })
    }

    /// Finds the member, or makes room for one that joins; answers its id.
    fn enter(&mut self, draft: &mut Draft, request: &HeartbeatRequest) -> Result<String, Error> {
        let joins = request.epoch == JOIN_EPOCH;
        if self.state.epoch == 0 && !joins {
            return Err(not_found(&request.group));
        }
        let known = self.state.members.get(&request.member);
        if known.is_none() && self.state.members.len() >= self.config.max_size {
            let message =
                format!("group {} has {} members, as many as it may", request.group, self.config.max_size);
            return Err(Error::new(Code::GroupMaxSizeReached, message));
        }
        let id = match request.member.as_str() {
            "" => uuid(&mut self.random),
            id => id.to_owned(),
        };
        let Some(instance) = &request.instance else {
            match known {
                Some(member) => check_epoch(&member.current, request)?,
                None if joins => {}
                None => return Err(unknown_member(request)),
            }
            return Ok(id);
        };
        match self.state.static_member(instance) {
            None if joins => {}
            Some((holder, member)) if joins => {
                if member.current.epoch != STATIC_LEAVE_EPOCH {
                    return Err(unreleased(request, holder));
                }
                draft.replace(holder, &id);
            }
            holder => check_epoch(&holds(holder, request)?.current, request)?,
        }
        Ok(id)
    }

    fn leave(&mut self, request: &HeartbeatRequest, metadata: &dyn Metadata) -> Result<Outcome, Error> {
        if self.state.epoch == 0 {
            return Err(not_found(&request.group));
        }
        if let Some(instance) = &request.instance {
            holds(self.state.static_member(instance), request)?;
        } else if !self.state.members.contains_key(&request.member) {
            return Err(unknown_member(request));
        }
        let mut draft = Draft::new(&self.state);
        if request.epoch == STATIC_LEAVE_EPOCH {
            draft.suspend(&request.member);
        } else {
            self.fence(&mut draft, &request.member, metadata);
        }
        let response = HeartbeatResponse {
            member: request.member.clone(),
            epoch: request.epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        Ok(Outcome::Answer { response, records: self.adopt(draft) })
    }

    /// Gives every member its new target; answers what is to be assigned elsewhere first.
    fn retarget(&self, draft: &mut Draft, assignors: &dyn Assignors) -> Result<Option<Spec>, Error> {
        let can = |name: &str| self.can_assign(name, assignors);
        let name = assignor::elect(&draft.state, can).or(self.config.assignors.first()).cloned();
        let spec = Spec::new(&self.group, &draft.state, name.unwrap_or_default());
        let assigned = match assignor::assign(&spec, assignors) {
            Assigned::Pending => return Ok(Some(spec)),
            Assigned::Done(result) => result.map_err(|error| {
                let (name, message) = (&spec.assignor, error.message());
                let message = format!(
                    "assignor {name} failed for group {}, which keeps what it had: {message}",
                    self.group
                );
                Error::new(Code::UnknownServerError, message)
            })?,
        };
        for member in &spec.members {
            let target = assigned.get(&member.id).cloned().unwrap_or_default();
            // A static member that came back under another id has a record of its own, whatever it says.
            let has = |state: &GroupState| {
                state.members.get(&member.id).is_some_and(|member| member.target.as_ref() == Some(&target))
            };
            if !has(&self.state) || !has(&draft.state) {
                draft.write(Record::Target(member.id.clone(), Some(target)));
            }
        }
        draft.write(Record::TargetEpoch(draft.state.epoch));
        Ok(None)
    }
}

/// The member takes its next step; true where that changed anything.
fn step(draft: &mut Draft, id: &str, owned: Option<&Partitions>) -> Result<bool, Error> {
    let GroupMember { current, target, .. } = draft.state.member(id);
    let free = |tp| !draft.state.owned(tp);
    let next = reconcile(&current, draft.state.target_epoch, &target.unwrap_or_default(), free, owned)?;
    let moved = next.is_some();
    if moved {
        draft.write(Record::Current(id.to_owned(), next));
    }
    Ok(moved)
}

/// What the member is known for, with what it says now.
fn said(mut known: MemberMetadata, request: &HeartbeatRequest) -> MemberMetadata {
    let request = request.clone();
    known.instance = request.instance.or(known.instance);
    known.assignors = request.assignors.unwrap_or(known.assignors);
    known.client = request.client.unwrap_or(known.client);
    if let Some(topics) = request.topics {
        known.topics.clear();
        for topic in topics {
            if let Err(place) = known.topics.binary_search(&topic) {
                known.topics.insert(place, topic);
            }
        }
    }
    if request.rebalance_timeout_ms != -1 {
        known.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if request.session_timeout_ms != -1 {
        known.session_timeout_ms = request.session_timeout_ms;
    }
    known
}

/// A member that says everything wants to hear everything: it lost an answer, or has just come.
fn is_full(request: &HeartbeatRequest) -> bool {
    let all = request.rebalance_timeout_ms != -1 && request.topics.is_some() && request.owned.is_some();
    all || request.epoch == JOIN_EPOCH
}

/// The static member, where the one that asks is it.
fn holds<'a>(
    holder: Option<(&String, &'a GroupMember)>,
    request: &HeartbeatRequest,
) -> Result<&'a GroupMember, Error> {
    match holder {
        Some((id, member)) if *id == request.member => Ok(member),
        None => Err(unknown_member(request)),
        Some((id, _)) => {
            let message = format!(
                "member {id} of group {} has taken the group.instance.id of member {}, which must stop",
                request.group, request.member
            );
            Err(Error::new(Code::FencedInstanceId, message))
        }
    }
}

fn unreleased(request: &HeartbeatRequest, holder: &str) -> Error {
    let message = format!(
        "member {holder} of group {} holds this group.instance.id: close it, wait for its session timeout, or take another",
        request.group
    );
    Error::new(Code::UnreleasedInstanceId, message)
}

fn unknown_member(request: &HeartbeatRequest) -> Error {
    let message = format!("group {} has no member {}: it must rejoin", request.group, request.member);
    Error::new(Code::UnknownMemberId, message)
}
