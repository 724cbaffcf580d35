use headwater::base::TopicPartition;
use headwater::log::Durability;
use headwater::log::batch::records;
use headwater::log::ops::{Append, AppendEntry, Fetch, ListTopics};
use headwater::platform::run;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{Database, Events, faults};

/// A log of each schema and format that was ever stored; see tests/log/formats.rs.
const FORMATS: [(u32, &str); 1] = [(1, include_str!("../fixtures/formats/1.json"))];

#[wasm_bindgen_test]
async fn a_database_of_every_format_opens_and_goes_on() {
    for (version, rows) in FORMATS {
        faults::restore();
        let (backend, events) = (Database::new(), Events::default());
        faults::seed(&backend.0, version, rows).await;
        let storage = events.open(&backend.0).await.unwrap();
        let topics = run(&storage, &ListTopics).await.unwrap();
        assert_eq!(topics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["events", "state"]);
        let tp = TopicPartition { topic: topics[0].1.id, partition: 0 };
        let fetched = run(&storage, &Fetch { tp, offset: 0, batches_max: 9 }).await.unwrap();
        assert_eq!((fetched.start, fetched.end, fetched.batches.len()), (0, 3, 3));
        let first = records(&fetched.batches[0]).unwrap().next().unwrap().unwrap();
        assert_eq!((first.key, first.value), (Some(&b"key"[..]), Some(&b"a"[..])));
        let batches = vec![fetched.batches[0].clone()];
        let entries = vec![AppendEntry { tp, batches, expected: None, attempted_from: None }];
        let appended = run(&storage, &Append { entries, durability: Durability::Strict }).await.unwrap();
        assert_eq!(appended[0].as_ref().unwrap().base, 3);
        assert_eq!(events.take(), []);
    }
}
