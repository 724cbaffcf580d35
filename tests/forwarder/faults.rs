//! What may happen, beyond what always may: each world has some of these.

use headwater::base::Random;

use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Requests and answers get lost.
    Drop,
    /// Nothing gets through for a while, either way.
    Offline,
    /// Requests arrive twice.
    Repeat,
    /// Requests and answers take seconds, or a day and a half.
    Delay,
    /// Collectors are busy, or away.
    Busy,
    /// Notices of appended records get lost.
    Notice,
    /// Transactions fail, with or without having written.
    Storage,
    /// The page's wall clock is wrong by hours.
    Skew,
    /// A record is refused for ever.
    Poison,
    /// The page dies.
    Crash,
    /// Another page takes over, the old one believes that it still owns.
    Zombie,
    /// The page stops for a while.
    Freeze,
    /// The power fails.
    Power,
    /// The page is hidden, or comes back.
    Hidden,
    /// Everybody sleeps for hours or days.
    Sleep,
    /// Everybody sleeps for a night, which is less than half of what a broker remembers.
    Night,
    /// The sink gets more partitions.
    Grow,
    /// The broker restarts.
    Restart,
    /// An unclean election: the end of the broker's log is gone.
    Unclean,
    /// The broker's topic is made anew.
    Recreate,
    /// Undelivered records are given up.
    Quota,
    /// The whole profile is copied, and both copies go on.
    Copy,
    /// A backup takes the place of the profile.
    Restore,
}

/// The kinds of faults of one world.
#[derive(Clone, Debug)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Each of `kinds` with even chances.
    pub fn some(kinds: &[Fault], random: &mut Random) -> Self {
        Self(kinds.iter().copied().filter(|_| random.chance(1, 2)).collect())
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    pub fn any(&self, random: &mut Random) -> Option<Fault> {
        self.0.get(random.below(self.0.len() as u64) as usize).copied()
    }
}

impl World {
    pub fn cause(&mut self, fault: Fault) {
        let profile = self.any_profile();
        let Some(holder) = self.holders[profile] else { return };
        match fault {
            Fault::Crash => {
                self.kill(holder);
                self.take_over(profile);
            }
            Fault::Zombie => self.take_over(profile),
            Fault::Offline => self.offline_until = self.time + self.random.below(20_000),
            Fault::Freeze => self.owners[holder].frozen_until = self.time + self.random.below(60_000),
            Fault::Power => self.power(profile),
            Fault::Hidden => {
                let now = self.now(holder);
                let hides = self.random.chance(2, 3);
                let Some(forwarder) = &mut self.owners[holder].forwarder else { return };
                if hides {
                    forwarder.hidden(now)
                } else {
                    forwarder.visible()
                }
                self.drain(holder);
            }
            Fault::Sleep => self.sleep(0, 40),
            Fault::Night => self.sleep(8, 11),
            Fault::Grow => self.broker.partitions = (self.broker.partitions + 1).min(4),
            Fault::Restart => self.broker.restart(),
            Fault::Unclean => {
                let keep = self.random.below(self.broker.log.len() as u64 + 1) as usize;
                let now = self.wall();
                self.broker.lose(now, keep);
            }
            Fault::Recreate => {
                let now = self.wall();
                self.broker.lose(now, 0);
            }
            Fault::Quota => self.quota(profile),
            Fault::Copy => self.copy(),
            Fault::Restore => self.restore(),
            Fault::Drop
            | Fault::Repeat
            | Fault::Delay
            | Fault::Busy
            | Fault::Notice
            | Fault::Storage
            | Fault::Skew
            | Fault::Poison => {}
        }
    }

    /// Every page of the profile is gone, and what was not flushed may be.
    fn power(&mut self, profile: usize) {
        for page in 0..self.owners.len() {
            if self.owners[page].profile == profile {
                self.kill(page);
            }
        }
        self.profiles[profile].disk.fail(&mut self.random);
        self.profiles[profile].new_writer(&mut self.random);
        self.take_over(profile);
    }

    /// The clocks go on meanwhile, except, on some machines, the monotonic one.
    fn sleep(&mut self, least_hours: u64, most_hours: u64) {
        const HOUR: u64 = 3_600_000;
        let asleep = least_hours * HOUR + self.random.below((most_hours - least_hours) * HOUR);
        self.time += asleep;
        self.faulty_until += asleep;
        for owner in &mut self.owners {
            if self.random.chance(1, 2) {
                owner.lag += asleep;
            }
        }
    }

    fn quota(&mut self, profile: usize) {
        let partition = self.random.below(self.profiles[profile].topic.partitions as u64) as i32;
        let (start, end) = (self.profiles[profile].start(partition), self.profiles[profile].end(partition));
        let start = start + self.random.below((end - start) as u64 + 1) as i64;
        let gone = self.profiles[profile].give_up(partition, start);
        self.broker.given_up.extend(gone);
    }

    /// Both copies go on from here.
    fn copy(&mut self) {
        if self.back_up() {
            self.take_over(1);
        }
    }

    /// One copy is enough.
    fn back_up(&mut self) -> bool {
        if self.profiles.len() > 1 {
            return false;
        }
        // A copy is made of what was flushed.
        self.profiles[0].disk.flush();
        let mut copy = self.profiles[0].clone();
        copy.new_writer(&mut self.random);
        self.profiles.push(copy);
        self.holders.push(None);
        true
    }

    /// A backup is made, and at another time takes the place of the profile.
    fn restore(&mut self) {
        if !self.back_up() && self.holders[1].is_none() {
            for page in 0..self.owners.len() {
                self.kill(page);
            }
            self.holders[0] = None;
            self.take_over(1);
        }
    }
}
