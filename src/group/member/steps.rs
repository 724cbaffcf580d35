use super::machine::{Member, MemberOutput, Membership};
use crate::base::Now;
use crate::group::JOIN_EPOCH;

impl Member {
    /// The application is done with the last step.
    pub(super) fn acknowledged(&mut self, now: Now) {
        if let Some(MemberOutput::Revoke(revoked)) = self.step.take() {
            self.owned = self.owned.minus(&revoked);
        }
        self.proceed(now);
    }

    /// The member is out of the group, and with it goes what it has.
    pub(super) fn lose(&mut self, now: Now, state: Membership) {
        // Who was leaving anyway does not come back.
        let left = self.state == Membership::PrepareLeaving && state == Membership::Fenced;
        self.state = if left { Membership::Unsubscribed } else { state };
        self.epoch = JOIN_EPOCH;
        self.wanted_at = now.instant;
        self.target = None;
        self.known = None;
        self.proceed(now);
    }

    /// Takes the next step that the application does not have to do first.
    pub(super) fn proceed(&mut self, now: Now) {
        if self.step.is_some() {
            return;
        }
        match self.state {
            Membership::PrepareLeaving if self.owned.is_empty() => {
                self.state = Membership::Leaving;
                self.say_goodbye(now);
            }
            Membership::PrepareLeaving => self.ask(MemberOutput::Revoke(self.owned.clone())),
            _ if self.is_member() => self.reconcile(now),
            _ if !self.owned.is_empty() => {
                let lost = core::mem::take(&mut self.owned);
                self.ask(MemberOutput::Lost(lost));
            }
            Membership::Fenced if self.in_flight.is_none() => self.join(now),
            _ => {}
        }
    }

    /// First the application gives up what is not its own any more, then it gets what is new, then the coordinator is
    /// told. A target that comes meanwhile is the one that counts.
    fn reconcile(&mut self, now: Now) {
        let Some(target) = &self.target else { return };
        let revoked = self.owned.minus(target);
        if !revoked.is_empty() {
            return self.ask(MemberOutput::Revoke(revoked));
        }
        if !self.told {
            let added = target.minus(&self.owned);
            self.owned.extend(&added);
            self.told = true;
            return self.ask(MemberOutput::Assign(added));
        }
        self.target = None;
        self.state = Membership::Acknowledging;
        self.due.owned = true;
        self.hurry(now);
    }

    /// The member says what it has. What it was assigned and has not begun to take it does not have, and the coordinator
    /// may give that to others at once: it has to be assigned anew, by the answer to this very heartbeat, or a later one.
    /// True where there is such a thing.
    pub(super) fn waive(&mut self) -> bool {
        let Some(target) = self.target.as_ref().filter(|_| !self.told) else { return false };
        let kept = self.owned.minus(&self.owned.minus(target));
        let waived = kept != *target;
        if waived {
            (self.target, self.known) = (Some(kept.clone()), Some(kept));
        }
        waived
    }

    fn ask(&mut self, step: MemberOutput) {
        self.step = Some(step.clone());
        self.outputs.push_back(step);
    }
}
