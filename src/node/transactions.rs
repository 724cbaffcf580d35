use std::rc::Rc;

use super::want::Want;
use super::{Answer, AnyReply, Consumed, Node, Pending, Transaction};
use crate::base::{Code, Error, Map, ProducerId, TopicPartition};
use crate::client::producer::CallId;
use crate::client::transaction::{self, Buffered, CommitTransaction, Gathered, Transactions};
use crate::group::{CommitOffsets, CommittedOffset, OffsetCommit};
use crate::log::ops::{InitProducerId, TransactionalRow};
use crate::log::{TopicRow, unknown_partition};

/// Commits that wait for their topics, and those under way.
pub(super) struct Commits {
    waiting: Map<CallId, Waiting>,
    pub(super) machine: Transactions,
}

struct Waiting {
    transaction: Transaction,
    /// The topics that are known so far, and how many there are in all.
    topics: Map<String, TopicRow>,
    wanted: usize,
}

impl Commits {
    pub(super) fn new(machine: Transactions) -> Self {
        Self { waiting: Map::new(), machine }
    }
}

impl Node {
    pub(super) fn init_transactions(&mut self, call: CallId, transactional_id: String) {
        let fresh = (self.random.next_u64() >> 2) as ProducerId;
        let init =
            InitProducerId { transactional_id: transactional_id.clone(), fresh, now: self.now.timestamp };
        self.store(init.into(), Pending::InitTransactions { call, transactional_id });
    }

    pub(super) fn transactions_initialised(
        &mut self,
        call: CallId,
        transactional_id: String,
        result: Result<AnyReply, Error>,
    ) {
        let answer = match result {
            Ok(AnyReply::InitProducerId(row)) => {
                self.commits.machine.initialised(transactional_id, &row);
                let TransactionalRow { producer_id, epoch, .. } = row;
                Ok(Answer::Producer(producer_id, epoch))
            }
            Ok(_) => Err(Answer::mismatch()),
            Err(error) => Err(error),
        };
        self.done(call, answer);
    }

    /// Commits as soon as every topic of the transaction is known.
    pub(super) fn commit_transaction(&mut self, call: CallId, transaction: Transaction) {
        let mut names: Map<String, bool> = Map::new();
        for consumed in &transaction.offsets {
            names.insert(consumed.position.0.clone(), false);
        }
        for (topic, _) in &transaction.sends {
            names.insert(topic.clone(), transaction.create);
        }
        let waiting = Waiting { transaction, topics: Map::new(), wanted: names.len() };
        self.commits.waiting.insert(call, waiting);
        if names.is_empty() {
            self.topics_of_transaction(call);
        }
        for (name, create) in names.into_entries() {
            self.want(&name, Want::Transaction { call, create });
        }
    }

    pub(super) fn transaction_topic(&mut self, call: CallId, name: &str, row: TopicRow) {
        let Some(waiting) = self.commits.waiting.get_mut(&call) else { return };
        waiting.topics.insert(name.to_string(), row);
        if waiting.topics.len() == waiting.wanted {
            self.topics_of_transaction(call);
        }
    }

    /// A topic of the transaction is not there: nothing of it is written.
    pub(super) fn transaction_refused(&mut self, call: CallId, error: &Error) {
        if self.commits.waiting.remove(&call).is_some() {
            self.done(call, Err(error.clone()));
        }
    }

    fn topics_of_transaction(&mut self, call: CallId) {
        let Some(Waiting { transaction, topics, .. }) = self.commits.waiting.remove(&call) else { return };
        let result = self.begin_commit(call, transaction, &topics);
        if let Err(error) = result {
            self.done(call, Err(error));
        }
    }

    fn begin_commit(
        &mut self,
        call: CallId,
        transaction: Transaction,
        topics: &Map<String, TopicRow>,
    ) -> Result<(), Error> {
        let Transaction { transactional_id, producer_id, epoch, durability, sends, offsets, .. } =
            transaction;
        let mut groups: Vec<CommitOffsets> = Vec::new();
        for Consumed { group, member, position } in offsets {
            let (name, partition, offset, metadata) = position;
            let row = topics.get(&name).filter(|row| (0..row.partitions).contains(&partition));
            let topic = row.ok_or_else(|| unknown_partition(partition))?.id;
            let committed = CommittedOffset { offset, metadata, at: self.now.timestamp };
            let tp = TopicPartition { topic, partition };
            let member = match member {
                Some(member) => Some(member),
                None => self.owner_of(&group, &name, tp)?,
            };
            let commit = OffsetCommit { tp, committed };
            match groups.iter_mut().find(|known| known.group == group && known.member == member) {
                Some(known) => known.offsets.push(commit),
                None => groups.push(CommitOffsets { group, member, offsets: vec![commit] }),
            }
        }
        let sends: Vec<Buffered> = sends
            .into_iter()
            .filter_map(|(name, frames)| Some(Buffered { topic: topics.get(&name)?.clone(), frames }))
            .collect();
        let producer = (transactional_id, producer_id, epoch);
        let gathered = Gathered { sends, offsets: groups, durability };
        self.commits.machine.begin(self.now, call, producer, gathered, &mut self.producer)
    }

    pub(super) fn transaction_committed(
        &mut self,
        op: &Rc<CommitTransaction>,
        result: Result<AnyReply, Error>,
    ) {
        let result = match result {
            Ok(AnyReply::CommitTransaction(ends)) => {
                self.producer.wrote(op.durability);
                Ok(ends)
            }
            Ok(_) => Err(Answer::mismatch()),
            Err(error) => {
                if error.code() == Code::UnknownTopicOrPartition {
                    // A topic was deleted, and perhaps created anew: the next commit reads it again.
                    op.records.iter().for_each(|(tp, _)| self.forget_topic(tp.topic));
                    op.offsets.iter().flat_map(|commit| &commit.offsets).for_each(|commit| {
                        self.forget_topic(commit.tp.topic);
                    });
                }
                Err(error)
            }
        };
        self.commits.machine.stored(self.now, op, result);
    }

    pub(super) fn drain_commits(&mut self) {
        while let Some(output) = self.commits.machine.poll() {
            match output {
                transaction::Output::Store(op) => {
                    self.store(Rc::clone(&op).into(), Pending::CommitTransaction(op));
                }
                transaction::Output::Done(call, result) => {
                    if let Ok(ends) = &result {
                        self.tell_ends(ends.clone());
                    }
                    self.done(call, result.map(|_| Answer::Nothing));
                }
            }
        }
    }
}
