use std::cell::RefCell;

use super::keeper::Keeper;
use crate::base::{Error, Offset, Timestamp};
use crate::collect::{Admitted, Collector, RecordsPage, Response, Settings, describe_topics, failed};
use crate::log::ops::ListBounds;
use crate::platform::ports::{Storage, run};

/// A collector over a log of its own.
pub struct Service<S> {
    collector: RefCell<Collector>,
    keeper: Keeper<S>,
}

impl<S: Storage> Service<S> {
    /// Opens the log. `seed` and `fresh_secret` are random; the secret is kept by a new log.
    ///
    /// # Errors
    /// The storage's.
    pub async fn open(
        settings: Settings,
        storage: S,
        seed: u64,
        fresh_secret: Vec<u8>,
    ) -> Result<Self, Error> {
        let service =
            Self { collector: RefCell::new(Collector::new(settings, seed)), keeper: Keeper::new(storage) };
        service.keeper.open(&service.collector, fresh_secret).await?;
        Ok(service)
    }

    /// Takes an ingest request. The answer is true once it is there: what it acknowledges is on disk.
    pub async fn batches(&self, now: Timestamp, body: &[u8], address: &str) -> Response {
        let admitted = self.collector.borrow_mut().admit(now, body, address);
        match admitted {
            Admitted::Response(response) => response,
            Admitted::Intake(intake, wanted) => {
                let outcomes = self.keeper.keep(&self.collector, now, wanted).await;
                self.collector.borrow().respond(now, intake, outcomes)
            }
        }
    }

    /// All topics and the ends of their partitions.
    pub async fn topics(&self) -> Response {
        let topics = self.collector.borrow().topics().clone();
        let partitions = topics.values().flat_map(|row| row.topic_partitions()).collect();
        match run(self.keeper.storage(), &ListBounds { partitions }).await {
            Ok(bounds) => describe_topics(&topics, &bounds),
            Err(error) => failed(error),
        }
    }

    /// Records of a partition from an offset on.
    pub async fn records(&self, topic: &str, partition: i32, offset: Offset, limit: usize) -> Response {
        self.page(topic, partition, offset, limit).await.unwrap_or_else(failed)
    }

    async fn page(
        &self,
        topic: &str,
        partition: i32,
        offset: Offset,
        limit: usize,
    ) -> Result<Response, Error> {
        let row = self.collector.borrow().topics().get(topic).cloned();
        let mut page = RecordsPage::begin(topic, row.as_ref(), partition, offset, limit)?;
        while let Some(fetch) = page.fetch() {
            page.add(&run(self.keeper.storage(), &fetch).await?)?;
        }
        Ok(page.finish())
    }
}
