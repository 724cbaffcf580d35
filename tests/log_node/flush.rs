//! What a flush promises: whatever was acknowledged before it survives a power cut once it is answered.

use std::collections::VecDeque;
use std::rc::Rc;

use headwater::base::{Code, Error, Now};
use headwater::log::Durability;
use headwater::log::batch::Compression;
use headwater::node::{Acks, Answer, AnyOp, Call, Input, Node, NodeOptions, Output, Ticket, Transaction};

use crate::support::{FrameWriter, Table};

/// One node, whose flushes are held back.
struct Page {
    node: Node,
    table: Table,
    /// The transactions that make flushes true, until they are run or refused.
    syncs: VecDeque<(Ticket, Rc<AnyOp>)>,
    /// The flushes that were answered, and how.
    flushed: Vec<(u64, bool)>,
    producer: Option<(i64, i16)>,
}

impl Page {
    fn new() -> Self {
        let node = Node::new(Now::default(), 7, NodeOptions::default());
        let mut page = Self {
            node,
            table: Table::default(),
            syncs: VecDeque::new(),
            flushed: Vec::new(),
            producer: None,
        };
        page.send(1);
        page
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(Now::default(), input);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Store(ticket, op) if matches!(*op, AnyOp::Sync(_)) => {
                    self.syncs.push_back((ticket, op))
                }
                Output::Store(ticket, op) => {
                    let result = self.table.run(&op);
                    self.handle(Input::Stored(ticket, result));
                }
                Output::Done(call, result) if call >= 10 => self.flushed.push((call, result.is_ok())),
                Output::Done(_, Ok(Answer::Producer(id, epoch))) => self.producer = Some((id, epoch)),
                _ => {}
            }
        }
    }

    /// Sends a record of which the power may still take what was acknowledged.
    fn send(&mut self, call: u64) {
        let frames = FrameWriter::default().frame(0, 0, None, Some(b"value")).0;
        let (topic, acks, compression) = ("chat".to_string(), Acks::Leader, Compression::None);
        let send = Call::Send { topic, frames, acks, create: true, compression };
        self.handle(Input::Calls(vec![(call, send)]));
    }

    fn flush(&mut self, call: u64) {
        self.handle(Input::Calls(vec![(call, Call::Flush)]));
    }

    /// The transaction that makes the oldest flush true ends.
    fn end_sync(&mut self, fails: bool) {
        let (ticket, op) = self.syncs.pop_front().expect("a flush makes itself true");
        let full = Error::new(Code::StorageFailed, "nothing was written");
        let result = if fails { Err(full) } else { self.table.run(&op) };
        self.handle(Input::Stored(ticket, result));
    }
}

#[test]
fn a_flush_after_one_that_failed_is_not_answered_for_nothing() {
    let mut page = Page::new();
    page.flush(10);
    page.end_sync(true);
    assert_eq!(page.flushed, [(10, false)]);
    page.flush(11);
    assert_eq!(page.flushed, [(10, false)], "nothing has made it true yet");
    page.end_sync(false);
    assert_eq!(page.flushed, [(10, false), (11, true)]);
}

#[test]
fn a_flush_beside_another_waits_for_what_makes_it_true() {
    let mut page = Page::new();
    page.flush(10);
    page.flush(11);
    assert_eq!(page.flushed, []);
    page.end_sync(true);
    assert_eq!(page.flushed, [(10, false)]);
    page.end_sync(false);
    assert_eq!(page.flushed, [(10, false), (11, true)]);
}

#[test]
fn a_flush_covers_what_was_acknowledged_while_another_was_under_way() {
    let mut page = Page::new();
    page.flush(10);
    page.send(2);
    page.end_sync(false);
    page.flush(11);
    assert_eq!(page.flushed, [(10, true)]);
    page.end_sync(false);
    assert_eq!(page.flushed, [(10, true), (11, true)]);
}

#[test]
fn a_flush_covers_a_transaction_that_is_relaxed() {
    let mut page = Page::new();
    page.flush(10);
    page.end_sync(false);
    page.handle(Input::Calls(vec![(2, Call::InitTransactions("id".into()))]));
    let (producer_id, epoch) = page.producer.expect("it was initialised");
    let frames = FrameWriter::default().frame(0, 0, None, Some(b"value")).0;
    let transaction = Transaction {
        transactional_id: "id".into(),
        producer_id,
        epoch,
        create: true,
        durability: Durability::Relaxed,
        sends: vec![("chat".into(), frames)],
        offsets: Vec::new(),
    };
    page.handle(Input::Calls(vec![(3, Call::CommitTransaction(Box::new(transaction)))]));
    page.flush(11);
    page.end_sync(false);
    assert_eq!(page.flushed, [(10, true), (11, true)]);
}

#[test]
fn a_flush_of_what_was_flushed_costs_no_transaction() {
    let mut page = Page::new();
    page.flush(10);
    page.end_sync(false);
    page.flush(11);
    assert_eq!((page.flushed.as_slice(), page.syncs.len()), ([(10, true), (11, true)].as_slice(), 0));
}
