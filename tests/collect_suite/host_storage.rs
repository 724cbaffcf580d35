//! The storage over rows that somebody else keeps does what every storage does.

use futures::executor::block_on;
use headwater::platform::host::HostStorage;
use std::rc::Rc;

use super::Disk;
use crate::storage_suite::{self, Backend};
use headwater::base::Error;
use headwater::log::Plan;
use headwater::platform::{Apply, Storage};

/// Handles of one storage: the rows belong to it alone.
#[derive(Clone)]
struct Shared(Rc<HostStorage<Disk>>);

impl Storage for Shared {
    async fn transact(&self, plan: &Plan, apply: Apply<'_>) -> Result<(), Error> {
        self.0.transact(plan, apply).await
    }
}

impl Backend for Shared {
    type Storage = Self;

    async fn open(&self) -> Self {
        self.clone()
    }
}

macro_rules! case {
    ($name:ident) => {
        #[test]
        fn $name() {
            let storage = Rc::new(HostStorage::new(Disk::default()));
            block_on(storage_suite::$name(&Shared(storage)));
        }
    };
}

crate::storage_suite!(case);
