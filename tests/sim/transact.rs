//! How the transactions of pages run, fail, and block each other.

use std::rc::Rc;

use headwater::base::{Code, Error};
use headwater::log::Op;
use headwater::node::{AnyOp, AnyReply, Ticket};

use super::page::{Life, PageId, Told};
use super::plan::Fault;
use super::storage::{Stage, Transaction, TransactionId};
use super::world::{What, World};

/// A transaction that waits longer than this is given up by its page.
const STALLED_MS: u64 = 10_000;

impl World {
    /// A page begins a transaction.
    pub fn begin(&mut self, page: PageId, ticket: Ticket, op: Rc<AnyOp>, repeated: bool) {
        let origin = self.pages[page].origin;
        let early = self.answer_early(&op);
        let id = self.origins[origin].database.begin(page, ticket, op, repeated);
        self.push(STALLED_MS, What::Stalled(origin, id));
        if let Some(reply) = early {
            self.tell_soon(page, Told::Stored(ticket, Ok(reply)));
        }
        self.start_transactions(origin);
    }

    pub fn start_transactions(&mut self, origin: usize) {
        for id in self.origins[origin].database.start() {
            let slow = self.happens(Fault::Slow, 40);
            let after = self.random.below(if slow { 4_000 } else { 3 });
            self.push(after, What::Read(origin, id));
        }
    }

    /// The rows are there: the page decides, and asks for the commit in the same turn.
    pub fn read(&mut self, origin: usize, id: TransactionId) {
        let Some(transaction) = self.origins[origin].database.get(id) else { return };
        let (page, repeated) = (transaction.page, transaction.repeated);
        // A page that cannot run holds its transaction open, and everybody up.
        if transaction.stage != Stage::Runs || self.pages[page].life != Life::Runs {
            return;
        }
        if !repeated && self.happens(Fault::Reopen, 30) {
            return self.run_again(origin, id);
        }
        let failure = self.failure(origin, page);
        let wrote = failure
            .as_ref()
            .is_none_or(|error| error.code() == Code::StorageUnknownOutcome && self.random.chance(1, 2));
        let done = if wrote { self.write(origin, id) } else { None };
        let Some(transaction) = self.origins[origin].database.get(id) else { return };
        transaction.stage = Stage::Commits;
        let ticket = transaction.ticket;
        let result = match (failure, done) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => return,
        };
        self.note(&[2, page as u64, u64::from(result.is_ok())]);
        self.say(|| match &result {
            Ok(_) => format!("page {page} transaction {ticket} commits"),
            Err(error) => format!("page {page} transaction {ticket} fails: {error}; wrote: {wrote}"),
        });
        self.fail_connection(page, &result);
        let after = self.random.below(4);
        self.push(after, What::Committed(origin, id));
        let after = after + 1 + self.random.below(2);
        self.push(after, What::Tell(page, Told::Stored(ticket, result)));
    }

    /// Runs the operation on the rows as they are; answers what the page will hear.
    fn write(&mut self, origin: usize, id: TransactionId) -> Option<Result<AnyReply, Error>> {
        let transaction = self.origins[origin].database.get(id)?;
        let (page, op) = (transaction.page, Rc::clone(&transaction.op));
        // What a closing page commits may be stored by another one.
        let page = self.committing_page(&op).unwrap_or(page);
        let op = self.mutate(origin, &op).map_or(op, Rc::new);
        let durability = self.plan.mutant.and_then(|mutant| mutant.durability(&op));
        let durability = durability.unwrap_or(op.plan().durability);
        let result = self.origins[origin].database.disk.transact(&op, durability);
        Some(result.map(|(reply, writes)| {
            self.wrote(origin, page, &writes);
            reply
        }))
    }

    fn failure(&mut self, origin: usize, page: PageId) -> Option<Error> {
        if self.faulty && self.time < self.origins[origin].full_until && self.random.chance(1, 2) {
            return Some(Error::new(Code::StorageQuotaExceeded, "the origin's storage is full"));
        }
        let away_until = self.origins[origin].away_until.max(self.pages[page].away_until);
        if self.faulty && self.time < away_until {
            return Some(Error::new(Code::StorageFailed, "the server of the storage is gone"));
        }
        if self.happens(Fault::Abort, 12) {
            return Some(Error::new(Code::StorageFailed, "nothing was written"));
        }
        let unknown = self.happens(Fault::Unknown, 12);
        unknown.then(|| Error::new(Code::StorageUnknownOutcome, "nobody knows"))
    }

    /// After a failure that tells of the connection, the next transaction finds a new one.
    fn fail_connection(&mut self, page: PageId, result: &Result<AnyReply, Error>) {
        let unknown = matches!(result, Err(error) if error.code() == Code::StorageUnknownOutcome);
        if unknown {
            let after = self.random.below(10);
            self.push(after, What::Tell(page, Told::Reopened));
        }
    }

    /// The connection is lost before the commit: nothing was written, and all of it is done once more.
    fn run_again(&mut self, origin: usize, id: TransactionId) {
        let Some(Transaction { page, ticket, op, .. }) = self.origins[origin].database.end(id) else {
            return;
        };
        // It had decided on what it read, which is of no account.
        let rows = self.origins[origin].database.disk.scan(&op.plan());
        let _ = op.apply(&rows);
        self.tell_soon(page, Told::Reopened);
        self.begin(page, ticket, op, true);
    }

    pub fn committed(&mut self, origin: usize, id: TransactionId) {
        self.origins[origin].database.end(id);
        self.start_transactions(origin);
    }

    /// Somebody else keeps the database: the page gives the transaction up, on a connection that it drops.
    pub fn stalled(&mut self, origin: usize, id: TransactionId) {
        let Some(transaction) = self.origins[origin].database.get(id) else { return };
        let (page, ticket, stage) = (transaction.page, transaction.ticket, transaction.stage);
        if stage == Stage::Commits || self.pages[page].life != Life::Runs {
            return;
        }
        self.origins[origin].database.end(id);
        self.say(|| format!("page {page} transaction {ticket} stalls"));
        let error = Error::new(Code::StorageFailed, "the transaction stalled");
        self.tell_soon(page, Told::Stored(ticket, Err(error)));
        self.tell_soon(page, Told::Reopened);
        self.start_transactions(origin);
    }

    pub fn tell_soon(&mut self, page: PageId, told: Told) {
        self.push(1, What::Tell(page, told));
    }
}
