//! What befalls pages, machines, copies of the profile and the broker.

use headwater::base::TopicPartition;
use headwater::log::ops::Trim;
use headwater::log::{Durability, Store, partition_key};
use headwater::node::{GroupMessage, Message, PageEvent, Signal};

use super::app::FORWARDED;
use super::broker::Place;
use super::consume::Reader;
use super::disk::Disk;
use super::page::{Life, PageId, Told};
use super::plan::Fault;
use super::world::{Origin, What, World};

const HOUR_MS: u64 = 3_600_000;

impl World {
    pub fn fault(&mut self) {
        if !self.faulty {
            return;
        }
        let faults = &self.plan.faults;
        if !faults.is_empty() {
            let fault = faults[self.random.below(faults.len() as u64) as usize];
            self.note(&[8, fault as u64]);
            self.cause(fault);
        }
        let after = 1 + self.random.below(2 * self.plan.fault_ms);
        self.push(after, What::Fault);
    }

    fn cause(&mut self, fault: Fault) {
        let Some(page) = self.any_page() else { return self.people(0) };
        let origin = self.pages[page].origin;
        self.say(|| format!("fault {} (page {page})", fault.word()));
        match fault {
            Fault::Crash => {
                let late = 20 + self.random.below(60);
                self.kill(page, late);
                self.people(origin);
            }
            Fault::Close => {
                self.close(page);
                self.people(origin);
            }
            Fault::Reload => {
                let fixed = self.pages[page].app.readers.iter().find_map(|reader| reader.instance.clone());
                self.close(page);
                self.open_page(origin, fixed);
            }
            Fault::Open if self.pages.len() < 2 * self.plan.pages + 10 => {
                self.open_page(origin, None);
            }
            Fault::Freeze => self.freeze(page, true),
            Fault::Stop => self.freeze(page, false),
            Fault::Hide => self.hide_or_show(page),
            Fault::Stall if self.random.chance(1, 3) => self.stall_coordinator(origin),
            Fault::Cache => self.cache(page),
            Fault::Jump => {
                self.pages[page].skew += self.random.below(4 * HOUR_MS) as i64 - 2 * HOUR_MS as i64
            }
            Fault::Sleep => self.sleep(0, 40),
            Fault::Night if self.random.chance(1, 8) => self.night(),
            Fault::Steal => {
                let pick = self.random.below(1 << 16) as usize;
                if let Some((name, (holder, lock))) = self.origins[origin].locks.steal_for_waiter(pick) {
                    let after = self.random.below(1_000);
                    self.push(after, What::Tell(holder, Told::LockLost(lock)));
                    self.pass_on(origin, Some(name), 0);
                }
            }
            Fault::Quota => self.origins[origin].full_until = self.time + self.random.below(5_000),
            Fault::Away => self.away(origin, page),
            Fault::Corrupt => self.corrupt(origin),
            Fault::StealMember => self.steal_member(origin, page),
            Fault::GiveUp => self.give_up(origin),
            Fault::Power => self.power(origin),
            Fault::Wipe => self.wipe(origin),
            Fault::Copy => self.copy(),
            Fault::Restore => self.restore(),
            Fault::Offline => self.offline_until = self.time + self.random.below(20_000),
            Fault::Grow => self.broker.partitions = (self.broker.partitions + 1).min(4),
            Fault::Restart => self.broker.restart(),
            Fault::Unclean => {
                let keep = self.random.below(self.broker.log.len() as u64 + 1) as usize;
                let wall = self.wall();
                self.broker.lose(wall, keep);
            }
            Fault::Recreate => {
                let wall = self.wall();
                self.broker.lose(wall, 0);
            }
            // These happen to whatever is under way.
            _ => {}
        }
    }

    /// The storage goes away; a page tries to open it again, three times, before a transaction fails.
    fn away(&mut self, origin: usize, page: PageId) {
        let until = self.time + 1 + self.random.below(20_000);
        if self.random.chance(1, 2) {
            self.pages[page].away_until = until;
        } else {
            self.origins[origin].away_until = until;
        }
    }

    /// Somebody steals the lock of a member, perhaps of several: their coordinator takes them for dead.
    fn steal_member(&mut self, origin: usize, page: PageId) {
        let Some((name, (holder, lock))) = self.origins[origin].locks.steal_from(page, "member/") else {
            return;
        };
        self.say(|| format!("{name} is stolen from page {holder}"));
        self.pages[holder].app.readers.iter_mut().for_each(Reader::disturb);
        let after = self.random.below(1_000);
        self.push(after, What::Tell(holder, Told::LockLost(lock)));
        self.pass_on(origin, Some(name), 0);
    }

    fn any_page(&mut self) -> Option<PageId> {
        let alive: Vec<PageId> = (0..self.pages.len()).filter(|page| self.pages[*page].alive()).collect();
        let at = self.random.below(alive.len() as u64) as usize;
        alive.get(at).copied()
    }

    /// A copy of the profile that is used has a page.
    fn people(&mut self, origin: usize) {
        let alive = |world: &Self| world.pages.iter().any(|page| page.origin == origin && page.alive());
        if self.origins[origin].used && !alive(self) {
            self.open_page(origin, None);
        }
    }

    /// A page is gone; what it held is freed a while later.
    pub fn kill(&mut self, page: PageId, late: u64) {
        let origin = self.pages[page].origin;
        self.pages[page].life = Life::Dead;
        self.pages[page].inbox.clear();
        self.say(|| format!("page {page} is gone"));
        self.origins[origin].database.abandon(page);
        self.start_transactions(origin);
        for name in self.origins[origin].locks.abandon(page) {
            self.pass_on(origin, Some(name), late);
        }
    }

    /// A page is told that it goes, and does what it still can.
    fn close(&mut self, page: PageId) {
        self.pages[page].app.readers.iter_mut().for_each(Reader::disturb);
        if self.pages[page].runs() {
            self.tell_page(page, PageEvent::Closing);
        }
        self.kill(page, 1);
    }

    fn tell_page(&mut self, page: PageId, event: PageEvent) {
        self.say(|| format!("page {page} {event:?}"));
        self.handle(page, headwater::node::Input::Page(event));
    }

    fn suspend(&mut self, page: PageId) {
        // It gives up what it has at once.
        self.pages[page].app.readers.iter_mut().for_each(Reader::disturb);
        self.tell_page(page, PageEvent::Suspended);
        self.pages[page].suspended = true;
    }

    fn freeze(&mut self, page: PageId, told: bool) {
        if !self.pages[page].runs() {
            return;
        }
        if told {
            self.hide(page);
            self.suspend(page);
        }
        let most = if self.random.chance(1, 4) { 120_000 } else { 15_000 };
        let after = 100 + self.random.below(most);
        self.stop(page, after);
    }

    /// No code of the page runs for so long.
    pub fn stop(&mut self, page: PageId, after: u64) {
        if !self.pages[page].runs() {
            return;
        }
        self.pages[page].app.readers.iter_mut().for_each(Reader::disturb);
        self.say(|| format!("page {page} is frozen"));
        self.pages[page].life = Life::Frozen;
        self.push(after, What::Wake(page));
    }

    /// A coordinator has asked whether members live: it may stop before it hears them, for longer than it waits for
    /// them, and mostly for less than it takes the others to depose it.
    pub fn stall_who_asks(&mut self, page: PageId, message: &Message) {
        let Message::Group(bytes) = message else { return };
        let Some(GroupMessage::Signal(Signal::Ping, ..)) = GroupMessage::decode(bytes) else { return };
        if self.happens(Fault::Stall, 2) {
            let stalled_ms = 5_100 + self.random.below(8_000);
            self.push(0, What::Stall(page, stalled_ms));
        }
    }

    /// A coordinator stops for as long as sessions last, where nobody is seen who would depose it sooner: it asks them all
    /// when it runs again, and may stop once more.
    fn stall_coordinator(&mut self, origin: usize) {
        let name = format!("coordinator/{}", super::consume::GROUPS[0]);
        let Some(page) = self.origins[origin].locks.holder(&name) else { return };
        for other in (0..self.pages.len()).filter(|other| *other != page) {
            if self.pages[other].origin == origin && self.pages[other].runs() {
                self.hide(other);
            }
        }
        let stalled_ms = 15_000 + self.random.below(30_000);
        self.stop(page, stalled_ms);
    }

    /// A forwarder has marked a batch: it may stop before it sends, for long enough to lose the partition.
    pub fn stop_who_marks(&mut self, page: PageId) {
        if self.happens(Fault::Stop, 12) && page < self.pages.len() {
            let stopped_ms = 20_000 + self.random.below(80_000);
            self.push(1, What::Stall(page, stopped_ms));
        }
    }

    /// A forwarder has marked a batch: its member may be taken for dead while that waits for more.
    pub fn oust_who_marks(&mut self, page: PageId) {
        if page >= self.pages.len() || !self.happens(Fault::Oust, 3) {
            return;
        }
        let origin = self.pages[page].origin;
        if let Some((name, (holder, lock))) =
            self.origins[origin].locks.steal_from(page, "member/__forwarder/")
        {
            self.say(|| format!("page {page} loses {name}"));
            let after = 1_000 + self.random.below(5_000);
            self.push(after, What::Tell(holder, Told::LockLost(lock)));
            self.pass_on(origin, Some(name), 0);
        }
    }

    /// Navigated away: the page waits in the back/forward cache, and comes back or is evicted.
    fn cache(&mut self, page: PageId) {
        if !self.pages[page].runs() {
            return;
        }
        self.hide(page);
        self.suspend(page);
        self.pages[page].life = Life::Cached;
        let after = 100 + self.random.below(30_000);
        self.push(after, What::Wake(page));
    }

    fn hide(&mut self, page: PageId) {
        if self.pages[page].hidden_since.is_none() {
            self.pages[page].hidden_since = Some(self.time);
            self.tell_page(page, PageEvent::Hidden);
        }
    }

    fn show(&mut self, page: PageId) {
        if self.pages[page].hidden_since.take().is_some() {
            self.pages[page].timer = None;
            self.tell_page(page, PageEvent::Visible);
        }
    }

    fn hide_or_show(&mut self, page: PageId) {
        if self.pages[page].runs() {
            if self.pages[page].hidden_since.is_some() { self.show(page) } else { self.hide(page) }
        }
    }

    /// A page that could not run can: what waited for it is told, its timers first or last.
    pub fn wake(&mut self, page: PageId) {
        if self.pages[page].runs() || !self.pages[page].alive() {
            return;
        }
        if self.pages[page].life == Life::Cached && self.faulty && self.random.chance(1, 3) {
            let origin = self.pages[page].origin;
            self.kill(page, 10);
            return self.people(origin);
        }
        self.say(|| format!("page {page} runs again"));
        self.pages[page].life = Life::Runs;
        let timer_first = self.random.chance(1, 2);
        if timer_first {
            self.fire_overdue(page);
        }
        if core::mem::take(&mut self.pages[page].suspended) {
            self.tell_page(page, PageEvent::Resumed);
        }
        let inbox = core::mem::take(&mut self.pages[page].inbox);
        self.pages[page].busy_until = self.time + inbox.len() as u64 / 4 + 1;
        for (after, told) in (0..).zip(inbox) {
            self.push(after / 4, What::Late(page, told));
        }
        if !timer_first {
            self.fire_overdue(page);
        }
        if self.random.chance(2, 3) {
            self.show(page);
        }
        let origin = self.pages[page].origin;
        for transaction in self.origins[origin].database.running(page) {
            self.push(1, What::Read(origin, transaction));
        }
    }

    fn fire_overdue(&mut self, page: PageId) {
        if core::mem::take(&mut self.pages[page].overdue) {
            self.handle(page, headwater::node::Input::Tick);
        }
    }

    pub fn night(&mut self) {
        if self.faulty {
            self.sleep(8, 11);
        }
    }

    /// Everybody sleeps. The clocks go on meanwhile, except, on some machines, the monotonic one.
    fn sleep(&mut self, least_hours: u64, most_hours: u64) {
        let asleep = least_hours * HOUR_MS + self.random.below((most_hours - least_hours) * HOUR_MS);
        self.time += asleep;
        self.faulty_until += asleep;
        for page in 0..self.pages.len() {
            if self.random.chance(1, 2) {
                self.pages[page].lag += asleep;
            }
        }
    }

    /// There is no room: records go that were not delivered.
    fn give_up(&mut self, origin: usize) {
        let Some(row) = self.topic(origin, FORWARDED) else { return };
        let partition = self.random.below(row.partitions as u64) as i32;
        let tp = TopicPartition { topic: row.id, partition };
        let Some(part) = self.origins[origin].shadow.partitions.get(&tp) else { return };
        let before = part.start + self.random.below((part.end - part.start) as u64 + 1) as i64;
        let names: Vec<String> = part.between(part.start, before).map(|(_, name)| name.clone()).collect();
        self.say(|| format!("{names:?} are given up"));
        self.broker.given_up.extend(names);
        let trim = Trim { topic: FORWARDED.into(), tp, before: Some(before), undelivered: true };
        let disk = &mut self.origins[origin].database.disk;
        // What is damaged there is for a page to set aside.
        let Ok((_, writes)) = disk.transact(&trim, Durability::Strict) else { return };
        self.wrote(origin, usize::MAX, &writes);
    }

    /// Every page is gone, and what was not flushed may be.
    fn power(&mut self, origin: usize) {
        self.kill_all(origin);
        let mut random = self.random.clone();
        self.origins[origin].database.disk.fail(&mut random);
        self.random = random;
        let lost = self.look_again(origin);
        self.say(|| format!("the power fails: {lost:?} are lost"));
        self.check_power(&lost);
        self.people(origin);
    }

    fn kill_all(&mut self, origin: usize) {
        for page in 0..self.pages.len() {
            if self.pages[page].origin == origin && self.pages[page].alive() {
                self.kill(page, 0);
            }
        }
        // Nothing is left that could run.
        self.origins[origin].database.abort_all();
    }

    /// Somebody clears the site's data under the pages.
    fn wipe(&mut self, origin: usize) {
        let gone = self.origins[origin].database.abort_all();
        for transaction in gone {
            let error = headwater::base::Error::new(
                headwater::base::Code::StorageUnknownOutcome,
                "the database was deleted",
            );
            self.tell_soon(transaction.page, Told::Stored(transaction.ticket, Err(error)));
        }
        self.origins[origin].database.disk = Disk::default();
        self.look_again(origin);
        for page in 0..self.pages.len() {
            if self.pages[page].origin == origin && self.pages[page].alive() {
                self.tell_soon(page, Told::Reopened);
            }
        }
    }

    /// A copy of the profile as it was flushed.
    fn back_up(&mut self) -> bool {
        if self.origins.len() > 1 {
            return false;
        }
        self.origins[0].database.disk.flush();
        let (disk, whole) = (self.origins[0].database.disk.clone(), self.origins[0].database.whole);
        // Where a partition has no identity yet each copy begins one by itself, and only `hw-id` tells its doubles apart.
        let nameless = |place: &Place| disk.get(Store::Deliveries, &partition_key(place.tp)).is_none();
        let places = self.broker.places.iter().filter(|(_, place)| place.profile == 0 && nameless(place));
        let doubled: Vec<String> = places.map(|(name, _)| name.clone()).collect();
        self.broker.excused.extend(doubled);
        self.origins.push(Origin { used: false, ..Origin::new(disk, whole) });
        self.look_again(1);
        let copied = self
            .handled
            .iter()
            .map(|((_, group, name), times)| ((1, group.clone(), name.clone()), times.clone()));
        let copied: Vec<_> = copied.collect();
        self.handled.extend(copied);
        self.copy_moved();
        true
    }

    /// Both copies go on from here.
    fn copy(&mut self) {
        if self.back_up() {
            self.origins[1].used = true;
            self.people(1);
        }
    }

    /// A backup is made, and at another time takes the place of the profile.
    fn restore(&mut self) {
        if !self.back_up() && !self.origins[1].used {
            self.kill_all(0);
            self.origins[0].used = false;
            self.origins[1].used = true;
            self.people(1);
        }
    }

    /// No more faults: whoever can run does, and is looked at.
    pub fn calm(&mut self) {
        self.faulty = false;
        self.say(|| "no more faults".into());
        for page in 0..self.pages.len() {
            if self.pages[page].alive() {
                self.wake(page);
                self.show(page);
            }
        }
        for origin in 0..self.origins.len() {
            self.people(origin);
        }
    }
}
