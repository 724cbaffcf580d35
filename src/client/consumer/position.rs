use crate::base::Offset;
use crate::group::FoundPosition;
use crate::log::batch::BatchHeader;
use crate::log::ops::{Bounds, Fetched};

/// Where to begin in a partition in which the group has committed nothing, or whose position is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// At the log start offset.
    Earliest,
    /// At the end.
    Latest,
}

/// Where one consumer stands in one partition.
pub(super) struct Position {
    reset: Reset,
    /// The end that the application has sought, until it is found.
    sought: Option<Reset>,
    /// The next offset to fetch; `None` until it is known.
    pub(super) next: Option<Offset>,
    /// The end as last heard of; `None` where it must be looked up.
    end: Option<Offset>,
    paused: bool,
    /// The application knows of the assignment.
    known: bool,
    /// The application is about to give the partition up.
    stopped: bool,
    /// Counts what makes a fetch under way stale.
    pub(super) seeks: u64,
    batch_bytes: usize,
}

impl Position {
    /// A first guess at the size of a batch; afterwards it is measured.
    const BATCH_BYTES_GUESS: usize = 64 << 10;
    const BATCHES_MAX: usize = 512;

    /// A position whose count begins at `seeks`, which no earlier one of the partition has reached.
    pub(super) fn new(reset: Reset, seeks: u64) -> Self {
        Self {
            reset,
            sought: None,
            next: None,
            end: None,
            paused: false,
            known: false,
            stopped: false,
            seeks,
            batch_bytes: Self::BATCH_BYTES_GUESS,
        }
    }

    /// The group goes on here, unless the application has sought another place meanwhile. It may have been set to an end,
    /// wherever that is by now.
    pub(super) fn begin_at(&mut self, found: &FoundPosition) {
        if self.next.is_some() || self.sought.is_some() {
            return;
        }
        match found.committed.as_ref().map(|committed| committed.offset) {
            Some(offset @ 0..) => self.next = Some(offset),
            Some(-2) => self.sought = Some(Reset::Earliest),
            Some(_) => self.sought = Some(Reset::Latest),
            None => {}
        }
        if let Some(bounds) = &found.bounds {
            self.reset_to(*bounds);
            self.end = self.within(bounds);
        }
    }

    /// Without a committed offset, the policy decides.
    pub(super) fn reset_to(&mut self, bounds: Bounds) {
        if self.next.is_none() {
            let reset = self.sought.take().unwrap_or(self.reset);
            self.next = Some(if reset == Reset::Earliest { bounds.start } else { bounds.end });
            self.end = Some(bounds.end);
        }
    }

    /// True if what is read of it is wanted.
    pub(super) fn active(&self) -> bool {
        self.known && !self.stopped && !self.paused
    }

    pub(super) fn activate(&mut self) {
        self.known = true;
    }

    /// What is under way is stale from now on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.seeks += 1;
    }

    /// The offset to fetch, if there is or may be something there.
    pub(super) fn wants(&self) -> Option<Offset> {
        let next = self.next.filter(|_| self.active())?;
        self.end.is_none_or(|end| next < end).then_some(next)
    }

    /// True if it is read to its end as far as is known: there may be more.
    pub(super) fn wants_end(&self) -> bool {
        self.next.is_some() && self.active() && self.wants().is_none()
    }

    pub(super) fn batches_for(&self, bytes: usize) -> usize {
        (bytes / self.batch_bytes.max(1)).clamp(1, Self::BATCHES_MAX)
    }

    /// What a fetch says: the offset to go on from where it brought records. Batches that exceed the limit, together with
    /// what is held already, are left for the next one, but for the first.
    pub(super) fn took(
        &mut self,
        offset: Offset,
        fetched: &mut Fetched,
        (held, limit): (usize, usize),
    ) -> Option<Offset> {
        self.end = Some(fetched.end);
        if offset < fetched.start || offset > fetched.end {
            self.next = Some(if self.reset == Reset::Earliest { fetched.start } else { fetched.end });
            return None;
        }
        let mut all = held;
        let mut fitting = 0;
        for batch in &fetched.batches {
            all += batch.len();
            fitting += usize::from(all <= limit || all == batch.len());
        }
        self.batch_bytes = (all - held).div_ceil(fetched.batches.len().max(1));
        fetched.batches.truncate(fitting);
        let last = fetched.batches.last()?;
        BatchHeader::read(last).ok().map(|header| header.next_offset())
    }

    pub(super) fn fetched_to(&mut self, next: Offset) {
        self.next = Some(next);
    }

    pub(super) fn appended(&mut self, end: Offset) {
        self.end = self.end.map(|known| known.max(end));
    }

    /// The end was looked up once more. Where that failed, or the position lies outside of the log, the next fetch tells.
    pub(super) fn end_found(&mut self, bounds: Option<&Bounds>) {
        let found = bounds.and_then(|bounds| self.within(bounds));
        self.end = self.end.and_then(|known| Some(known.max(found?)));
    }

    /// The end, where the position lies inside of the log.
    fn within(&self, bounds: &Bounds) -> Option<Offset> {
        self.next.filter(|next| (bounds.start..=bounds.end).contains(next)).map(|_| bounds.end)
    }

    /// Goes on at `offset`; -1 is the end, and any other that is no offset the beginning, which are to be found first.
    pub(super) fn seek(&mut self, offset: Offset) {
        self.seeks += 1;
        self.end = None;
        self.next = (offset >= 0).then_some(offset);
        self.sought = match offset {
            0.. => None,
            -1 => Some(Reset::Latest),
            _ => Some(Reset::Earliest),
        };
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.seeks += u64::from(paused);
    }
}
