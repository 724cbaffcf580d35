use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo_timers::callback::Timeout;

use super::progress::Progress;

/// Gives up the transactions of a connection that do not end. One timer watches all that are under way, and runs on
/// from one to the next: a timer each would be set and cleared with every append.
#[derive(Default)]
pub(super) struct Watchdog {
    watched: RefCell<Vec<Rc<Progress>>>,
    timer: Cell<Option<Timeout>>,
    runs: Cell<bool>,
}

/// How often the watchdog looks.
const LOOK_MS: u32 = 9_000;
/// A transaction that is seen so often is given up, after 18 to 27 s. A look may be due merely since the page was
/// frozen; what happened meanwhile is told before the next.
///
/// Storage that stalled four times is given up. That must take more than a minute: so long Chromium lets a renderer
/// that was stopped inside a transaction (a debugger) keep everybody else out.
const LOOKS_MAX: u32 = 3;

impl Watchdog {
    pub(super) fn watch(self: &Rc<Self>, progress: &Rc<Progress>) {
        self.watched.borrow_mut().push(Rc::clone(progress));
        if !self.runs.replace(true) {
            self.arm();
        }
    }

    /// The transaction has ended.
    pub(super) fn forget(&self, progress: &Rc<Progress>) {
        self.watched.borrow_mut().retain(|each| !Rc::ptr_eq(each, progress));
    }

    fn arm(self: &Rc<Self>) {
        let watchdog: Weak<Self> = Rc::downgrade(self);
        let look = move || {
            if let Some(watchdog) = watchdog.upgrade() {
                watchdog.look();
            }
        };
        self.timer.set(Some(Timeout::new(LOOK_MS, look)));
    }

    fn look(self: &Rc<Self>) {
        let watched = self.watched.borrow().clone();
        if watched.is_empty() {
            self.runs.set(false);
            return;
        }
        for progress in watched {
            progress.seen(LOOKS_MAX);
        }
        self.arm();
    }
}
