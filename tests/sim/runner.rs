//! Runs seeds, on all cores, and adds up what was seen.

use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::plan::{Plan, Wish};
use super::world::{Counts, World};

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub hash: u64,
    pub counts: Counts,
    pub violations: Vec<String>,
    pub replay: String,
}

/// What became of many.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    pub counts: Counts,
    /// The seeds that failed: what makes each of them again, and why.
    pub failed: Vec<(String, Vec<String>)>,
}

thread_local! {
    static CURRENT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs one seed. If it panics, what makes it again is printed.
pub fn run(seed: u64, wish: &Wish) -> Outcome {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            CURRENT.with_borrow(|replay| eprintln!("replay: {replay}"));
            before(info);
        }));
    });
    let plan = Plan::of(seed, wish);
    let replay = plan.replay(wish);
    CURRENT.with_borrow_mut(|current| current.clone_from(&replay));
    let mut world = World::new(plan);
    world.run();
    Outcome { hash: world.hash, counts: world.counts, violations: world.violations, replay }
}

/// Runs the seeds from `start` on, until there were `seeds` of them or `go_on` says no.
pub fn run_all(start: u64, seeds: u64, wish: &Wish, go_on: &(dyn Fn() -> bool + Sync)) -> Summary {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, stop) = (AtomicU64::new(start), AtomicBool::new(false));
    let one_core = || {
        let mut summary = Summary::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - start >= seeds || !go_on() {
                break;
            }
            summary.add(run(seed, wish));
            if summary.failed.len() >= Summary::FAILED_MAX {
                stop.store(true, Ordering::Relaxed);
            }
        }
        summary
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..cores).map(|_| scope.spawn(one_core)).collect();
        let mut all = Summary::default();
        for core in running {
            all.merge(core.join().expect("a core runs its seeds"));
        }
        all
    })
}

impl Summary {
    /// After so many failures on a core there is enough to look at.
    const FAILED_MAX: usize = 20;

    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.counts.add(&outcome.counts);
        if !outcome.violations.is_empty() {
            self.failed.push((outcome.replay, outcome.violations));
        }
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.counts.add(&other.counts);
        self.failed.extend(other.failed);
    }

    /// One line of counts.
    pub fn line(&self) -> String {
        let Counts {
            events,
            pages,
            acknowledged,
            consumed,
            delivered,
            uncertain,
            dead_lettered,
            lost_relaxed,
        } = self.counts;
        format!(
            "{} seeds, {} failed: {events} events, {pages} pages, {acknowledged} records acknowledged, {consumed} \
             handled, {delivered} delivered ({uncertain} marked uncertain, {dead_lettered} set aside), \
             {lost_relaxed} relaxed ones lost to the power",
            self.seeds,
            self.failed.len()
        )
    }

    /// Every failure with the command that makes it again.
    pub fn failures(&self) -> String {
        let each = self.failed.iter().map(|(replay, why)| {
            let first = &why[..why.len().min(3)];
            format!("{} of {}:\n  {}\n", replay, why.len(), first.join("\n  "))
        });
        each.collect()
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.pages += other.pages;
        self.acknowledged += other.acknowledged;
        self.consumed += other.consumed;
        self.delivered += other.delivered;
        self.uncertain += other.uncertain;
        self.dead_lettered += other.dead_lettered;
        self.lost_relaxed += other.lost_relaxed;
    }
}
