//! What a seed stands for: a scenario, some of its faults, and how much happens.

use headwater::base::Random;

use super::mutant::Mutant;

macro_rules! named {
    ($(#[$enum_doc:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.word() == word)
            }
        }
    };
}
pub(super) use named;

named! {
    /// What may go wrong; each can be switched off by itself.
    Fault {
        /// Messages between nodes get lost.
        MessageLost = "message-lost",
        /// Messages take seconds, and overtake each other.
        MessageLate = "message-late",
        /// Messages arrive twice.
        MessageTwice = "message-twice",
        /// Transactions abort: nothing is written.
        Abort = "abort",
        /// Transactions end with an unknown outcome.
        Unknown = "unknown",
        /// A connection is lost: the transaction runs again on a new one.
        Reopen = "reopen",
        /// Transactions take seconds, and block what comes behind.
        Slow = "slow",
        /// The origin's quota is used up for a while.
        Quota = "quota",
        /// A tab dies.
        Crash = "crash",
        /// A tab is closed.
        Close = "close",
        /// A tab is reloaded.
        Reload = "reload",
        /// A tab is opened.
        Open = "open",
        /// A tab is frozen, and told so.
        Freeze = "freeze",
        /// A tab stops without a word, as in a debugger or a suspended process.
        Stop = "stop",
        /// A coordinator's tab stops before it hears the members that it has just asked whether they live.
        Stall = "stall",
        /// A tab is hidden: its timers run once a second, later once a minute.
        Hide = "hide",
        /// A tab is navigated away and back, or away for good.
        Cache = "cache",
        /// Wall clocks are wrong by hours.
        Skew = "skew",
        /// A wall clock jumps.
        Jump = "jump",
        /// The machine sleeps for hours or days.
        Sleep = "sleep",
        /// The machine sleeps for a night: less than half of what a broker remembers.
        Night = "night",
        /// A lock is stolen: its holder believes that it holds it still.
        Steal = "steal",
        /// The lock of a forwarder's member is stolen while a batch that it has marked waits for more: another one takes
        /// over, and it hears of that too late.
        Oust = "oust",
        /// The power fails.
        Power = "power",
        /// The origin's storage is wiped.
        Wipe = "wipe",
        /// The profile is copied, and both copies go on.
        Copy = "copy",
        /// A backup takes the place of the profile.
        Restore = "restore",
        /// Requests and answers get lost.
        Drop = "drop",
        /// Requests arrive twice.
        Repeat = "repeat",
        /// Requests and answers take seconds, or a day and a half.
        Delay = "delay",
        /// Nothing gets through for a while, either way.
        Offline = "offline",
        /// Collectors are busy, or away.
        Busy = "busy",
        /// A record is refused for ever.
        Poison = "poison",
        /// The sink gets more partitions.
        Grow = "grow",
        /// The broker restarts: it knows the last batch of each producer.
        Restart = "restart",
        /// An unclean election: the end of the broker's log is gone.
        Unclean = "unclean",
        /// The broker's topic is made anew.
        Recreate = "recreate",
        /// Records that were not delivered are given up, since there is no room.
        GiveUp = "give-up",
        /// Applications delete topics and records.
        Admin = "admin",
        /// Applications commit transactions, and take each other's ids.
        Transact = "transact",
        /// The server of the storage is gone for a while, for one page or for all: no transaction of theirs begins.
        Away = "away",
        /// A member's lock is stolen: its coordinator takes it for dead.
        StealMember = "steal-member",
        /// A byte of a stored batch changes.
        Corrupt = "corrupt",
        /// Applications transform what they read, in transactions with the offsets that they have consumed.
        Consume = "consume",
    }
}

named! {
    /// Which faults go together, and what may be expected all the same.
    Scenario {
        /// Everything that can befall the tabs of an origin; the broker keeps what it has.
        Tabs = "tabs",
        /// Delivery, with a network and a broker that are at their worst.
        Delivery = "delivery",
        /// Delivery, where nothing takes from a broker what it has: no record is uncertain.
        Benign = "benign",
        /// A profile is copied, or restored from a backup.
        Copies = "copies",
        /// Groups over minutes: sessions run out, coordinators are deposed.
        Groups = "groups",
        /// Many tabs.
        Crowd = "crowd",
        /// All of it, but copies.
        Everything = "everything",
    }
}

/// Nothing of these takes from a broker what it has, or from a sender what it needs.
const BENIGN: &[Fault] = &[
    Fault::MessageLost,
    Fault::MessageLate,
    Fault::MessageTwice,
    Fault::Abort,
    Fault::Unknown,
    Fault::Reopen,
    Fault::Slow,
    Fault::Quota,
    Fault::Crash,
    Fault::Close,
    Fault::Reload,
    Fault::Open,
    Fault::Freeze,
    Fault::Stop,
    Fault::Stall,
    Fault::Hide,
    Fault::Cache,
    Fault::Skew,
    Fault::Jump,
    Fault::Steal,
    Fault::Power,
    Fault::Drop,
    Fault::Repeat,
    Fault::Delay,
    Fault::Offline,
    Fault::Busy,
    Fault::Poison,
    Fault::Grow,
    Fault::Restart,
    Fault::Oust,
];
const TABS: &[Fault] = &[
    Fault::MessageLost,
    Fault::MessageLate,
    Fault::MessageTwice,
    Fault::Abort,
    Fault::Unknown,
    Fault::Reopen,
    Fault::Slow,
    Fault::Quota,
    Fault::Crash,
    Fault::Close,
    Fault::Reload,
    Fault::Open,
    Fault::Freeze,
    Fault::Stop,
    Fault::Stall,
    Fault::Hide,
    Fault::Cache,
    Fault::Skew,
    Fault::Jump,
    Fault::Steal,
    Fault::Power,
    Fault::Wipe,
    Fault::Admin,
    Fault::Drop,
    Fault::Oust,
];
/// What makes a broker lose or forget.
const HARMFUL: &[Fault] =
    &[Fault::Sleep, Fault::Night, Fault::Unclean, Fault::Recreate, Fault::Wipe, Fault::Admin, Fault::GiveUp];
/// These may be in any world; what a seed chose before there were any is as it was.
const LATER: &[Fault] = &[Fault::Consume, Fault::Away, Fault::StealMember, Fault::Corrupt];
/// A copy that sends what the other one delivered before the broker forgot it, and one that begins an epoch by
/// itself, can double: these bounds are documented, so none of it happens here.
const COPIES: &[Fault] = &[
    Fault::MessageLost,
    Fault::Drop,
    Fault::Offline,
    Fault::Repeat,
    Fault::Busy,
    Fault::Crash,
    Fault::Restart,
    Fault::Power,
    Fault::Copy,
    Fault::Restore,
];

impl Scenario {
    pub fn faults(self) -> Vec<Fault> {
        match self {
            Self::Tabs | Self::Groups | Self::Crowd => TABS.to_vec(),
            Self::Benign => BENIGN.to_vec(),
            Self::Copies => COPIES.to_vec(),
            Self::Delivery | Self::Everything => [BENIGN, HARMFUL].concat(),
        }
    }

    /// True if a record may come twice, marked.
    pub fn may_be_uncertain(self) -> bool {
        matches!(self, Self::Copies | Self::Delivery | Self::Everything)
    }
}

/// What is asked for; whatever is left open follows from the seed.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub scenario: Option<Scenario>,
    /// These faults and no others.
    pub only: Option<Vec<Fault>>,
    /// All but these.
    pub without: Vec<Fault>,
    pub mutant: Option<Mutant>,
    /// Tell what happens.
    pub trace: bool,
}

/// One world.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub scenario: Scenario,
    pub faults: Vec<Fault>,
    pub mutant: Option<Mutant>,
    pub trace: bool,
    /// How many pages there are at first, and at most.
    pub pages: usize,
    pub partitions: i32,
    /// There are Web Locks.
    pub locks: bool,
    /// For how long faults happen, in milliseconds.
    pub faulty_ms: u64,
    /// About how long between two acts of an application, and between two faults.
    pub act_ms: u64,
    pub fault_ms: u64,
    /// How long a wire batch waits for more.
    pub linger_ms: u64,
}

impl Plan {
    pub fn of(seed: u64, wish: &Wish) -> Self {
        let mut random = Random::new(!seed);
        let scenario = match Scenario::ALL[random.below(Scenario::ALL.len() as u64) as usize] {
            // A world of a hundred tabs takes as long as thirty of a few.
            Scenario::Crowd if !random.chance(1, 5) => Scenario::Everything,
            any => any,
        };
        let scenario = wish.scenario.unwrap_or(scenario);
        let all = scenario.faults();
        // A world with all faults at once has few of each: most worlds have some.
        let share = 1 + random.below(4);
        let some: Vec<Fault> = all.iter().copied().filter(|_| random.chance(share, 4)).collect();
        let mut faults = wish.only.clone().unwrap_or(some);
        faults.retain(|fault| !wish.without.contains(fault));
        let locks = !random.chance(1, 8);
        let mut between = |least: u64, most: u64| least + random.below(most - least + 1);
        let (pages, partitions, faulty_ms, act_ms, fault_ms) = match scenario {
            Scenario::Crowd => (between(20, 100), between(1, 12), 10_000, 3_000, between(200, 3_000)),
            Scenario::Groups => {
                (between(2, 6), between(1, 6), between(60_000, 240_000), 3_000, between(2_000, 10_000))
            }
            _ => (
                between(1, 6),
                between(1, 3),
                between(15_000, 45_000),
                between(300, 1_500),
                between(200, 3_000),
            ),
        };
        // Who is to lose a batch while it waits has to let it wait.
        let lingers =
            if faults.contains(&Fault::Oust) { [50, 3_000, 3_000, 3_000] } else { [50, 50, 500, 3_000] };
        let linger_ms = lingers[between(0, 3) as usize];
        if between(0, 1) == 0 && wish.only.is_none() && !wish.without.contains(&Fault::Transact) {
            faults.push(Fault::Transact);
        }
        for fault in LATER {
            // Which of two copies has what the other one lost, nobody can say.
            let fits = *fault != Fault::Corrupt || scenario != Scenario::Copies;
            if between(0, 2) == 0 && fits && wish.only.is_none() && !wish.without.contains(fault) {
                faults.push(*fault);
            }
        }
        let partitions = partitions as i32;
        let (pages, mutant, trace) = (pages as usize, wish.mutant, wish.trace);
        Self {
            seed,
            scenario,
            faults,
            mutant,
            trace,
            pages,
            partitions,
            locks,
            faulty_ms,
            act_ms,
            fault_ms,
            linger_ms,
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// What makes this world again.
    pub fn replay(&self, wish: &Wish) -> String {
        let mut command = format!("cargo run --release --example sim -- --start {} --seeds 1", self.seed);
        if let Some(scenario) = wish.scenario {
            command += &format!(" --scenario {}", scenario.word());
        }
        let words = |faults: &[Fault]| faults.iter().map(|fault| fault.word()).collect::<Vec<_>>().join(",");
        if let Some(only) = &wish.only {
            command += &format!(" --only {}", words(only));
        }
        if !wish.without.is_empty() {
            command += &format!(" --without {}", words(&wish.without));
        }
        if let Some(mutant) = wish.mutant {
            command += &format!(" --mutant {}", mutant.word());
        }
        command + " --trace"
    }
}
