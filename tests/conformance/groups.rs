//! Topics by name and partitions by topic, as the files of the group protocol have them.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use headwater::base::{TopicId, TopicPartition, crc32c};
use headwater::group::Partitions;

/// Topic to partitions. Topics without partitions are left out.
pub type Named = BTreeMap<String, Vec<i32>>;

/// What the files call an id that the metadata does not know begins so.
const UNKNOWN: &str = "unknown-topic-";

/// The ids of topics. One that was deleted keeps its id for those who still have its partitions: the files then call it
/// unknown, and a topic that is created under its name is another one.
#[derive(Default)]
pub struct Names {
    ids: RefCell<BTreeMap<String, TopicId>>,
    deleted: RefCell<VecDeque<TopicId>>,
}

impl Names {
    pub fn id(&self, name: &str) -> TopicId {
        let old = || self.deleted.borrow_mut().pop_front_if(|_| name.starts_with(UNKNOWN));
        *self
            .ids
            .borrow_mut()
            .entry(name.to_owned())
            .or_insert_with(|| old().unwrap_or_else(|| topic_id(name)))
    }

    pub fn delete(&self, name: &str) {
        let id = self.id(name);
        self.deleted.borrow_mut().push_back(id);
    }

    pub fn create(&self, name: &str) {
        let old = self.id(name);
        if self.deleted.borrow().contains(&old) {
            let id = topic_id(&format!("{name} again"));
            self.ids.borrow_mut().insert(name.to_owned(), id);
        }
    }

    /// The set of these partitions.
    pub fn partitions(&self, named: &Named) -> Partitions {
        let mut set = Partitions::new();
        for (name, numbers) in named {
            let topic = self.id(name);
            numbers
                .iter()
                .for_each(|partition| _ = set.insert(TopicPartition { topic, partition: *partition }));
        }
        set
    }
}

/// The id that a topic of this name has in these tests.
pub fn topic_id(name: &str) -> TopicId {
    let mut id = [0; 16];
    name.bytes().take(12).enumerate().for_each(|(index, byte)| id[index] = byte);
    id[12..].copy_from_slice(&crc32c(name.as_bytes()).to_be_bytes());
    TopicId(id)
}

#[test]
fn a_topic_that_was_deleted_is_found_by_its_old_name_or_as_unknown() {
    let names = Names::default();
    let old = names.id("orders");
    names.delete("orders");
    assert_eq!((names.id("orders"), names.id("unknown-topic-1")), (old, old));

    let names = Names::default();
    names.id("orders");
    names.delete("orders");
    names.create("orders");
    assert_ne!(names.id("orders"), old);
    assert_eq!(names.id("unknown-topic-1"), old);
    assert_ne!(names.id("unknown-topic-2"), old);
}
