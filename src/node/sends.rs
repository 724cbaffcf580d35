use std::rc::Rc;

use super::want::{PendingSend, Want};
use super::{Acks, Answer, AnyReply, Message, Node, Output, Pending};
use crate::base::{Code, Error, Offset, TopicPartition};
use crate::client::producer::{self, CallId};
use crate::log::ops::{ListBounds, Sync};
use crate::log::{Durability, TopicRow};

impl Node {
    pub(super) fn send_to(&mut self, name: &str, row: TopicRow, send: PendingSend) {
        if !self.producer.knows(&row) {
            let learning =
                self.pending.values().any(|pending| matches!(&pending.0, Pending::Learn(n) if n == name));
            self.topics.postpone(name, Want::Send(send));
            if !learning {
                let partitions: Vec<TopicPartition> = row.topic_partitions().collect();
                self.store(ListBounds { partitions }.into(), Pending::Learn(name.to_string()));
            }
            return;
        }
        let durability = match send.acks {
            Acks::None | Acks::Leader => Durability::Relaxed,
            Acks::All => Durability::Strict,
        };
        self.producer.compress(send.compression);
        if let Err(error) = self.producer.send(self.now, send.call, &row, &send.frames, durability) {
            self.done(send.call, Err(error));
        }
    }

    /// The ends of a topic's partitions are known: its sends can begin.
    pub(super) fn learned(&mut self, name: &str, result: Result<AnyReply, Error>) {
        let sends = self.topics.take_postponed(name);
        let row = self.topics.row(name).cloned();
        match (result, row) {
            (Ok(AnyReply::ListBounds(bounds)), Some(row)) if bounds.len() == row.partitions as usize => {
                for (tp, bounds) in row.topic_partitions().zip(bounds) {
                    self.producer.learn(tp, bounds);
                }
                sends.into_iter().for_each(|want| self.want(name, want));
            }
            (Err(error), _) if error.code() != Code::UnknownTopicOrPartition => {
                for want in sends {
                    self.refuse_send(want, &error);
                }
            }
            // The topic changed meanwhile: begin again with what it is now.
            (_, row) => {
                if let Some(row) = row {
                    self.forget_topic(row.id);
                }
                sends.into_iter().for_each(|want| self.want(name, want));
            }
        }
    }

    fn refuse_send(&mut self, want: Want, error: &Error) {
        if let Want::Send(send) = want {
            self.done(send.call, Err(error.clone()));
        }
    }

    pub(super) fn appended(&mut self, result: Result<AnyReply, Error>) {
        let result = match result {
            Ok(AnyReply::Append(answers)) => {
                let gone = |answer: &Result<_, Error>| {
                    answer.as_ref().is_err_and(|error| error.code() == Code::UnknownTopicOrPartition)
                };
                let topics: Vec<_> = self
                    .producer
                    .in_flight()
                    .zip(&answers)
                    .filter(|(_, answer)| gone(answer))
                    .map(|(tp, _)| tp.topic)
                    .collect();
                topics.into_iter().for_each(|topic| self.forget_topic(topic));
                Ok(answers)
            }
            Ok(_) => Err(Error::new(Code::Internal, "a transaction answered another question")),
            Err(error) => Err(error),
        };
        self.producer.stored(self.now, result);
    }

    pub(super) fn drain_producer(&mut self) {
        let mut ends = Vec::new();
        while let Some(output) = self.producer.poll() {
            match output {
                producer::Output::Store(append) => self.store(Rc::clone(&append).into(), Pending::Append),
                producer::Output::Done(call, result) => self.done(call, result.map(Answer::Sent)),
                producer::Output::Appended(tp, end) => ends.push((tp, end)),
                producer::Output::Changed(topic) => self.forget_topic(topic),
            }
        }
        if !ends.is_empty() {
            self.tell_ends(ends);
        }
    }

    /// Partitions end there now: tells everybody who reads them.
    pub(super) fn tell_ends(&mut self, ends: Vec<(TopicPartition, Offset)>) {
        self.grew(&ends);
        self.outputs.push_back(Output::Send(Message::Appended(ends)));
    }

    /// Answers the flushes once nothing waits, after making it all survive a power cut.
    pub(super) fn end_flushes(&mut self) {
        if self.flushes.is_empty() || !self.producer.idle() || self.topics.sends_wait() {
            return;
        }
        let calls = core::mem::take(&mut self.flushes);
        match self.producer.unsynced() {
            // What another flush has under way may have begun before an append, and may fail.
            Some(relaxed) => {
                self.store(Sync { at: self.now.timestamp }.into(), Pending::Sync(calls, relaxed));
            }
            None => self.flushed(&calls, &Ok(AnyReply::Sync(()))),
        }
    }

    pub(super) fn synced(&mut self, calls: &[CallId], relaxed: u32, result: &Result<AnyReply, Error>) {
        if result.is_ok() {
            self.producer.synced(relaxed);
        }
        self.flushed(calls, result);
    }

    fn flushed(&mut self, calls: &[CallId], result: &Result<AnyReply, Error>) {
        for call in calls {
            let result = result.as_ref().map(|_| Answer::Nothing).map_err(Error::clone);
            self.done(*call, result);
        }
    }
}
