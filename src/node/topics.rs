use super::want::{PendingSend, Want};
use super::{AnyReply, Message, Node, Output, Pending};
use crate::base::{Code, Error, Map, TopicConfig, TopicId};
use crate::client::producer::CallId;
use crate::log::TopicRow;
use crate::log::ops::{CreateTopic, DescribeTopic, ListOffsets};

/// What the node knows of topics, and who waits to know.
#[derive(Default)]
pub(super) struct Topics {
    known: Map<String, TopicRow>,
    waiting: Map<String, Vec<Want>>,
    changed_meanwhile: Vec<String>,
    /// Sends that wait for the ends of their topic's partitions.
    postponed: Map<String, Vec<Want>>,
    /// Topics that change when these calls succeed.
    pub(super) changing: Map<CallId, String>,
    /// Searches by time that go on slice by slice.
    pub(super) searches: Map<CallId, ListOffsets>,
}

impl Topics {
    pub(super) fn name(&self, id: TopicId) -> Option<&str> {
        self.known.iter().find(|(_, row)| row.id == id).map(|(name, _)| name.as_str())
    }

    pub(super) fn row(&self, name: &str) -> Option<&TopicRow> {
        self.known.get(name)
    }

    /// True if a send waits for its topic.
    pub(super) fn sends_wait(&self) -> bool {
        let mut waiting = self.waiting.values().chain(self.postponed.values()).flatten();
        waiting.any(|want| matches!(want, Want::Send(_)))
    }

    pub(super) fn postpone(&mut self, name: &str, want: Want) {
        self.postponed.get_or_insert_with(name.to_string(), Default::default).push(want);
    }

    pub(super) fn take_postponed(&mut self, name: &str) -> Vec<Want> {
        self.postponed.remove(name).unwrap_or_default()
    }

    pub(super) fn learn(&mut self, name: &str, row: TopicRow) {
        self.known.insert(name.to_string(), row);
    }
}

impl Node {
    /// Serves `want` as soon as the topic is known.
    pub(super) fn want(&mut self, name: &str, want: Want) {
        if let Some(row) = self.topics.known.get(name).cloned() {
            return self.serve(name, row, want);
        }
        let create = want.create();
        let wants = self.topics.waiting.get_or_insert_with(name.to_string(), Default::default);
        wants.push(want);
        if wants.len() == 1 {
            self.resolve_topic(name, create);
        }
    }

    fn resolve_topic(&mut self, name: &str, create: bool) {
        let pending = Pending::Topic(name.to_string());
        if create {
            let id = TopicId(self.random.bytes16());
            let config = TopicConfig::default();
            let create =
                CreateTopic { name: name.to_string(), id, partitions: 1, config, validate_only: false };
            self.store(create.into(), pending);
        } else {
            self.store(DescribeTopic { name: name.to_string() }.into(), pending);
        }
    }

    pub(super) fn topic_resolved(&mut self, name: &str, result: Result<AnyReply, Error>) {
        let found = match result {
            Ok(AnyReply::CreateTopic(created)) => {
                if !created.existed {
                    self.announce_topic(name);
                }
                Ok(Some(created.topic))
            }
            Ok(AnyReply::DescribeTopic(row)) => Ok(row),
            Ok(_) => Err(Error::new(Code::Internal, "a transaction answered another question")),
            Err(error) => Err(error),
        };
        // A change that was announced while the row was being read makes what was read old.
        let changed = self.topics.changed_meanwhile.iter().any(|changed| changed == name);
        self.topics.changed_meanwhile.retain(|changed| changed != name);
        if changed && found.is_ok() {
            let create = self.topics.waiting.get(name).is_some_and(|wants| wants.iter().any(Want::create));
            return self.resolve_topic(name, create);
        }
        let wants = self.topics.waiting.remove(name).unwrap_or_default();
        match found {
            Ok(Some(row)) => {
                self.topics.learn(name, row.clone());
                for want in wants {
                    self.serve(name, row.clone(), want);
                }
            }
            Ok(None) => {
                let (later, now): (Vec<_>, Vec<_>) = wants.into_iter().partition(Want::create);
                for want in now {
                    self.refuse(name, want, &unknown_topic(name));
                }
                later.into_iter().for_each(|want| self.want(name, want));
            }
            Err(error) => wants.into_iter().for_each(|want| self.refuse(name, want, &error)),
        }
    }

    fn serve(&mut self, name: &str, row: TopicRow, want: Want) {
        match want {
            Want::Send(send) => self.send_to(name, row, send),
            Want::Describe { call, .. } => self.done(call, Ok(super::Answer::Topic(row))),
            late => self.late_served(name, row, late),
        }
    }

    fn refuse(&mut self, name: &str, want: Want, error: &Error) {
        match want {
            Want::Send(PendingSend { call, .. }) | Want::Describe { call, .. } => {
                self.done(call, Err(error.clone()));
            }
            late => self.late_refused(name, late, error),
        }
    }

    /// Tells the other nodes that a topic is not what it was.
    pub(super) fn announce_topic(&mut self, name: &str) {
        self.outputs.push_back(Output::Send(Message::TopicChanged(name.to_string())));
        if self.complete {
            self.late_topic_announced(name);
        }
    }

    /// A topic is not what this node believes: read it again when it is needed.
    pub(super) fn topic_changed(&mut self, name: &str) {
        if self.topics.waiting.contains_key(name) {
            self.topics.changed_meanwhile.push(name.to_string());
        }
        self.topic_doubted(name);
        if self.complete {
            self.late_topic_changed(name);
        }
    }

    /// What is known of a topic may be old.
    pub(super) fn topic_doubted(&mut self, name: &str) {
        if let Some(row) = self.topics.known.remove(name) {
            self.producer.forget(row.id);
        }
    }

    /// Forgets everything that was cached of the log's rows. What works on topics looks at them again: where the log
    /// was wiped, they are other ones.
    pub(super) fn forget_all(&mut self) {
        for (_, row) in core::mem::take(&mut self.topics.known).into_entries() {
            self.producer.forget(row.id);
        }
        if self.complete {
            self.late_reopened();
        }
    }

    /// Forgets a topic whose partitions turned out to be gone.
    pub(super) fn forget_topic(&mut self, id: TopicId) {
        if let Some(name) = self.topics.name(id).map(str::to_string) {
            self.topics.known.remove(&name);
            self.producer.forget(id);
        }
    }
}

fn unknown_topic(name: &str) -> Error {
    Error::new(
        Code::UnknownTopicOrPartition,
        format!("This server does not host this topic-partition: \"{name}\" does not exist in this log"),
    )
}
