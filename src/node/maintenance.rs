use super::{AnyReply, Event, Node, Pending};
use crate::base::{Error, Instant, Now, Offset, Random, TopicPartition};
use crate::client::retention::{self, Retention};
use crate::log::TopicRow;
use crate::log::ops::{ListTopics, Measure, Trim};

/// Retention, a partition at a time. Any node may run it: every step is one safe transaction.
pub(super) struct Maintenance {
    next_at: Instant,
    partitions: Vec<(String, TopicRow, TopicPartition)>,
    pass: Option<Retention>,
}

/// What a transaction of maintenance was run for.
pub(super) enum Step {
    List,
    Measure { topic: String, tp: TopicPartition },
    Trim { topic: String, tp: TopicPartition, before: Offset },
}

impl Maintenance {
    /// `log.retention.check.interval.ms`
    const INTERVAL_MS: u64 = 300_000;
    /// Nothing is maintained while a page is still loading.
    const FIRST_MS: u64 = 30_000;

    pub(super) fn new(now: Now, random: &mut Random) -> Self {
        let jitter = random.below(Self::FIRST_MS);
        Self { next_at: now.instant + Self::FIRST_MS + jitter, partitions: Vec::new(), pass: None }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.next_at)
    }
}

impl Node {
    pub(super) fn maintain(&mut self) {
        if self.maintenance.next_at > self.now.instant {
            return;
        }
        self.maintenance.next_at = self.now.instant + Maintenance::INTERVAL_MS;
        if self.maintenance.pass.is_none() {
            self.store(ListTopics.into(), Pending::Maintenance(Step::List));
        }
    }

    pub(super) fn maintained(&mut self, step: Step, result: Result<AnyReply, Error>) {
        match (step, result) {
            (Step::List, Ok(AnyReply::ListTopics(topics))) => {
                let each = |(name, row): (String, TopicRow)| {
                    row.topic_partitions().map(move |tp| (name.clone(), row.clone(), tp)).collect::<Vec<_>>()
                };
                self.maintenance.partitions = topics.into_iter().flat_map(each).collect();
                self.maintain_next();
            }
            (Step::Measure { topic, tp }, Ok(AnyReply::Measure(slice))) => {
                let step = self.maintenance.pass.as_mut().map(|pass| pass.measured(&slice));
                match step {
                    Some(retention::Step::Measure(from)) => self.measure(topic, tp, from),
                    Some(retention::Step::Trim(before)) => {
                        let trim = Trim { topic: topic.clone(), tp, before: Some(before) };
                        self.store(trim.into(), Pending::Maintenance(Step::Trim { topic, tp, before }));
                    }
                    Some(retention::Step::Keep) | None => self.maintain_next(),
                }
            }
            (Step::Trim { topic, tp, before }, Ok(AnyReply::Trim(start))) => {
                if start == before {
                    self.event(Event::Trimmed { topic, partition: tp.partition, start });
                }
                self.maintain_next();
            }
            // The partition went meanwhile, or storage failed: the next pass comes by itself.
            _ => self.maintain_next(),
        }
    }

    fn maintain_next(&mut self) {
        self.maintenance.pass = None;
        while let Some((topic, row, tp)) = self.maintenance.partitions.pop() {
            let pass = Retention::new(self.now, &row.config);
            if !pass.idle() {
                self.maintenance.pass = Some(pass);
                return self.measure(topic, tp, 0);
            }
        }
    }

    fn measure(&mut self, topic: String, tp: TopicPartition, from: Offset) {
        self.store(Measure { tp, from }.into(), Pending::Maintenance(Step::Measure { topic, tp }));
    }
}
