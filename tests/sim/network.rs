//! Requests on their way to the collectors, and answers on their way back.

use headwater::client::forwarder::{Answered, Delivery, Failure, Outcome, WireBatch};
use headwater::node::ForwarderId;

use super::page::{PageId, Told};
use super::plan::Fault;
use super::world::{Request, What, World};

impl World {
    pub fn send(
        &mut self,
        page: PageId,
        forwarder: ForwarderId,
        ticket: u64,
        batches: Vec<WireBatch>,
        keepalive: bool,
    ) {
        if keepalive {
            let past: Vec<_> =
                batches.iter().filter_map(|batch| self.batch_past_marker(page, batch)).collect();
            for batch in past {
                let request = Request { page, forwarder, ticket: 0, batches: vec![batch], answered: false };
                self.push(self.time % 100, What::Arrive(request));
            }
        }
        for batch in &batches {
            self.note(&[6, page as u64, batch.first as u64, batch.last as u64, batch.epoch as u64]);
            self.say(|| {
                let WireBatch { partition, first, last, epoch, uncertain, .. } = batch;
                format!("page {page} sends {partition}/{first}..={last} epoch {epoch} uncertain {uncertain} beacon {keepalive}")
            });
        }
        let copies = if self.happens(Fault::Repeat, 8) { 2 } else { 1 };
        for copy in 0..copies {
            if self.cut_off() || self.happens(Fault::Drop, 6) {
                self.sleep_over_loss();
                continue;
            }
            if self.just_signed(&batches) && self.happens(Fault::Night, 2) {
                self.push(100, What::Night);
                continue;
            }
            let after = match () {
                () if self.happens(Fault::Delay, 8) => self.random.below(40 * 3_600_000),
                () if self.happens(Fault::Delay, 4) => self.random.below(60_000),
                () => self.random.below(100),
            };
            let answered = copy == 0 && !self.happens(Fault::Drop, 6);
            let request = Request { page, forwarder, ticket, batches: batches.clone(), answered };
            self.push(after, What::Arrive(request));
        }
    }

    pub fn arrive(&mut self, request: Request) {
        let Request { page, forwarder, ticket, batches, answered } = request;
        let delivery = if self.happens(Fault::Busy, 10) {
            self.unavailable(batches.len())
        } else {
            let wall = self.wall();
            self.broker.receive(wall, &batches)
        };
        let outcomes: Vec<u64> = delivery.answers.iter().map(|answer| answer.outcome as u64).collect();
        self.note(&[7, page as u64]);
        self.note(&outcomes);
        self.say(|| {
            format!(
                "the collector answers page {page}: {:?}",
                delivery.answers.iter().map(|answer| answer.outcome).collect::<Vec<_>>()
            )
        });
        let most = if self.happens(Fault::Delay, 10) { 60_000 } else { 100 };
        let after = self.random.below(most);
        if answered && !self.cut_off() {
            self.push(after, What::Tell(page, Told::Delivered(forwarder, ticket, delivery)));
        } else {
            self.sleep_over_loss();
        }
    }

    /// What is signed anew is mostly sent once more: if that is lost, and again after the next night, what the broker
    /// remembers ends before the signature looks old.
    fn just_signed(&self, batches: &[WireBatch]) -> bool {
        batches.iter().any(|batch| (0..1_000).contains(&(self.wall() - batch.signed_at)))
    }

    /// Nobody knows whether a batch was taken, and the lid is closed.
    fn sleep_over_loss(&mut self) {
        if self.happens(Fault::Night, 3) {
            self.push(100, What::Night);
        }
    }

    fn unavailable(&mut self, batches: usize) -> Delivery {
        let failure = Failure {
            code: "UNAVAILABLE".into(),
            message: "later".into(),
            retriable: self.random.chance(3, 4),
            retry_after_ms: self.random.chance(1, 2).then_some(2_000),
        };
        if self.random.chance(1, 2) {
            return Delivery { failure: Some(failure), answers: Vec::new(), limits: None };
        }
        let busy =
            Answered { outcome: Outcome::Busy, partitions: None, signature: None, failure: Some(failure) };
        Delivery { failure: None, answers: vec![busy; batches], limits: None }
    }

    fn cut_off(&self) -> bool {
        self.faulty && self.time < self.offline_until
    }
}
