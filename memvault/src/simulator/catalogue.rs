//! The scenarios that have a name: for tests, for the command `memvault sim`, for anyone who repeats a run.

use super::faults::Faults;
use super::scenario::Scenario;
use super::under_load;
use crate::replication::{Level, OnAmbiguous};
use crate::time::Duration;

/// A scenario by its name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// What users call it.
    pub name: &'static str,
    /// What goes wrong in it, in a few words.
    pub about: &'static str,
    /// Makes the scenario for a seed.
    pub scenario: fn(u64) -> Scenario,
}

/// All scenarios with a name.
pub const CATALOGUE: [Named; 34] = [
    Named {
        name: "calm",
        about: "no faults",
        scenario: Scenario::calm,
    },
    Named {
        name: "stormy",
        about: "every fault, at most one member down",
        scenario: Scenario::stormy,
    },
    Named {
        name: "lasting",
        about: "stormy without deletions: nothing may be lost",
        scenario: lasting,
    },
    Named {
        name: "evicting",
        about: "stormy, three entries per member",
        scenario: evicting,
    },
    Named {
        name: "reckless",
        about: "stormy, members crash while others are down",
        scenario: reckless,
    },
    Named {
        name: "varied",
        about: "stormy, cluster, workload and memory drawn from the seed",
        scenario: Scenario::varied,
    },
    Named {
        name: "hasty",
        about: "three members that come back all the time; nothing may be lost",
        scenario: Scenario::hasty,
    },
    Named {
        name: "lonely",
        about: "hasty, members crash while others are down and do not wait for their peers",
        scenario: lonely,
    },
    Named {
        name: "ambush",
        about: "leaders crash right after they acknowledged a write; nothing may be lost",
        scenario: ambush,
    },
    Named {
        name: "abandoned",
        about: "ambush, members crash while others are down and do not wait for their peers",
        scenario: abandoned,
    },
    Named {
        name: "graves",
        about: "members cut off from deletions that the others soon forget, and crashes",
        scenario: graves,
    },
    Named {
        name: "stragglers",
        about: "late messages meet deletions that are forgotten at once",
        scenario: stragglers,
    },
    Named {
        name: "late",
        about: "messages arrive when nobody waits for them any more, also from the dead",
        scenario: late,
    },
    Named {
        name: "changing",
        about: "stormy, and members join and leave; nothing may be lost",
        scenario: Scenario::changing,
    },
    Named {
        name: "handover",
        about: "leaders crash while members join and leave; nothing may be lost",
        scenario: handover,
    },
    Named {
        name: "quarrel",
        about: "operators add and remove members all the time; nothing may be lost",
        scenario: quarrel,
    },
    Named {
        name: "kills",
        about: "crashes alone, default levels: nothing may fail or be lost",
        scenario: kills,
    },
    Named {
        name: "kills-quorum",
        about: "crashes alone, level QUORUM: nothing may fail or be lost",
        scenario: kills_quorum,
    },
    Named {
        name: "counting",
        about: "every fault, counters and locks: no increment lost or counted twice, no lock taken twice",
        scenario: counting,
    },
    Named {
        name: "counting-kills",
        about: "crashes alone, default levels, counters and locks: exact, and nothing may fail",
        scenario: counting_kills,
    },
    Named {
        name: "default",
        about: "stormy at the default levels: stale reads are counted",
        scenario: default,
    },
    Named {
        name: "fleeting",
        about: "stormy; values expire, deletions are forgotten, members evict and coordinate",
        scenario: fleeting,
    },
    Named {
        name: "loading",
        about: "every fault; rows of a database are loaded and filled in: nothing stale is left behind",
        scenario: loading,
    },
    Named {
        name: "all-one",
        about: "stormy, writes at ALL and reads at ONE: no read is stale",
        scenario: all_one,
    },
    Named {
        name: "sluggish",
        about: "members send slowly, are taken for silent, lose their links one by one; nothing may be lost",
        scenario: sluggish,
    },
    Named {
        name: "clocks",
        about: "stormy, two to five members, wall clocks jump by up to an hour",
        scenario: clocks,
    },
    Named {
        name: "wild",
        about: "varied, every kind of fault, each with a strength drawn from the seed",
        scenario: Scenario::wild,
    },
    Named {
        name: "cold",
        about: "no faults; members start one after the other while clients ask: nothing may be lost",
        scenario: cold,
    },
    Named {
        name: "wide",
        about: "requests of 500 and 2000 keys: none fails, nobody is ejected, bystanders wait for 250 ms at most",
        scenario: under_load::wide,
    },
    Named {
        name: "large",
        about: "values of up to 4 MiB: no request fails, nobody is ejected, bystanders wait for 80 ms at most",
        scenario: under_load::large,
    },
    Named {
        name: "overload",
        about: "twice what the cluster can carry, then half: goodput stays, nobody is ejected, soon all is as before",
        scenario: under_load::overload,
    },
    Named {
        name: "slow",
        about: "one member is four times slower than the others: no request fails, nobody is ejected",
        scenario: under_load::slow,
    },
    Named {
        name: "overload-kills",
        about: "overload, and members crash: no bystander fails",
        scenario: under_load::overload_kills,
    },
    Named {
        name: "overload-stops",
        about: "overload, and processes stand still",
        scenario: under_load::overload_stops,
    },
];

/// So many come first that know no load.
const USUAL: usize = 28;
/// One seed in so many has a load: such a run takes longer.
const LOADED_EVERY: u64 = 40;

impl Named {
    /// The scenario with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|named| named.name == name)
    }

    /// All scenarios in turn, one for each seed; those with a load more seldom.
    #[must_use]
    pub fn of_seed(seed: u64) -> &'static Self {
        let (usual, loaded) = CATALOGUE.split_at(USUAL);
        if seed.is_multiple_of(LOADED_EVERY) {
            return &loaded[(seed / LOADED_EVERY % loaded.len() as u64) as usize];
        }
        &usual[(seed % USUAL as u64) as usize]
    }
}

const fn lasting(seed: u64) -> Scenario {
    Scenario {
        deletes: 0,
        // After a cold start the members take everything up to their floors for forgotten, and with clocks
        // that differ those lie up to 0.4 s in the future of the others.
        first_request: Duration::from_millis(1700),
        ..Scenario::stormy(seed)
    }
}

const fn evicting(seed: u64) -> Scenario {
    Scenario {
        max_entries: Some(3),
        hash_tags: 2,
        ..Scenario::stormy(seed)
    }
}

const fn reckless(seed: u64) -> Scenario {
    let mut faults = Faults::all();
    faults.crash_beyond_budget = true;
    faults.crash_every = Some(Duration::from_millis(700));
    Scenario {
        faults,
        ..Scenario::stormy(seed)
    }
}

const fn lonely(seed: u64) -> Scenario {
    let mut faults = Scenario::hasty(seed).faults;
    faults.crash_beyond_budget = true;
    Scenario {
        warm_max: Duration::from_millis(600),
        faults,
        ..Scenario::hasty(seed)
    }
}

/// Keys that are seldom touched stay on the replicas that the write reached, until the member comes back.
const fn ambush(seed: u64) -> Scenario {
    let mut faults = Scenario::hasty(seed).faults;
    faults.loss = 100;
    faults.crash_every = None;
    faults.crash_after_write = 20;
    faults.partition_every = Some(Duration::from_secs(3));
    Scenario {
        clients: 6,
        keys: 30,
        think: Duration::from_millis(30),
        duration: Duration::from_secs(40),
        faults,
        ..Scenario::hasty(seed)
    }
}

const fn abandoned(seed: u64) -> Scenario {
    let mut faults = ambush(seed).faults;
    faults.crash_beyond_budget = true;
    Scenario {
        warm_max: Duration::from_millis(600),
        faults,
        ..ambush(seed)
    }
}

/// A key is written so seldom that its old value outlives the crashes of two members.
const fn graves(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.loss = 20;
    faults.crash_every = Some(Duration::from_millis(300));
    faults.partition_every = Some(Duration::from_millis(1500));
    faults.partition_max = Duration::from_millis(1500);
    Scenario {
        nodes: 3,
        clients: 5,
        keys: 40,
        think: Duration::from_millis(40),
        writes: 100,
        deletes: 500,
        tombstone_grace: Duration::from_millis(50),
        hash_tags: 256,
        duration: Duration::from_secs(40),
        faults,
        ..Scenario::calm(seed)
    }
}

const fn stragglers(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.loss = 100;
    faults.straggle = 250;
    Scenario {
        nodes: 3,
        clients: 8,
        keys: 3,
        think: Duration::from_millis(4),
        deletes: 400,
        tombstone_grace: Duration::from_millis(10),
        hash_tags: 64,
        duration: Duration::from_secs(10),
        faults,
        ..Scenario::calm(seed)
    }
}

/// Keys that are seldom touched: there a late write is not overtaken.
const fn late(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.loss = 100;
    faults.straggle = 250;
    faults.straggle_max = Duration::from_secs(2);
    faults.crash_every = Some(Duration::from_secs(2));
    faults.silent_crash = 500;
    Scenario {
        clients: 8,
        keys: 100,
        think: Duration::from_millis(30),
        faults,
        ..Scenario::calm(seed)
    }
}

/// Leaders crash in the midst of changes, with writes that only some of the others have heard of.
const fn handover(seed: u64) -> Scenario {
    let mut faults = Faults::none();
    faults.straggle = 500;
    faults.crash_after_write = 100;
    faults.change_every = Some(Duration::from_millis(600));
    Scenario {
        nodes: 5,
        spares: 1,
        clients: 6,
        keys: 60,
        think: Duration::from_millis(15),
        writes: 300,
        faults,
        ..Scenario::hasty(seed)
    }
}

/// As a change takes longer than that, several are begun at a time.
const fn quarrel(seed: u64) -> Scenario {
    let mut faults = ambush(seed).faults;
    faults.change_every = Some(Duration::from_millis(40));
    Scenario {
        nodes: 6,
        spares: 2,
        duration: Duration::from_secs(15),
        faults,
        ..ambush(seed)
    }
}

const fn default(seed: u64) -> Scenario {
    Scenario {
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        through_members: 300,
        ..Scenario::stormy(seed)
    }
}

const fn fleeting(seed: u64) -> Scenario {
    Scenario {
        expiring: 500,
        tombstone_grace: Duration::from_millis(100),
        through_members: 300,
        max_entries: Some(6),
        ..Scenario::stormy(seed)
    }
}

/// Who starts first serves first, and is alone with what it acknowledges.
const fn cold(seed: u64) -> Scenario {
    Scenario {
        nodes: 3 + 2 * (seed % 2) as usize,
        keys: 200,
        starts_within: Duration::from_millis(600),
        first_request: Duration::from_millis(1000),
        duration: Duration::from_secs(4),
        think: Duration::from_millis(5),
        deletes: 0,
        write_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        ..Scenario::calm(seed)
    }
}

/// Deletions are soon forgotten, and members evict: what protects from late fills then are the floors.
const fn loading(seed: u64) -> Scenario {
    Scenario {
        loads: 1000,
        tombstone_grace: Duration::from_millis(100),
        max_entries: Some(3),
        ..Scenario::stormy(seed)
    }
}

const fn all_one(seed: u64) -> Scenario {
    Scenario {
        write_level: Level::All,
        read_level: Level::One,
        ..Scenario::stormy(seed)
    }
}

const fn sluggish(seed: u64) -> Scenario {
    let mut faults = Faults::all();
    faults.slow_every = Some(Duration::from_secs(3));
    faults.suspect_every = Some(Duration::from_millis(200));
    faults.swizzle_every = Some(Duration::from_secs(4));
    Scenario {
        faults,
        ..lasting(seed)
    }
}

/// Of two or three members, a crash leaves one alone with a clock that is wrong.
const fn clocks(seed: u64) -> Scenario {
    let mut faults = Faults::all();
    faults.jump_every = Some(Duration::from_secs(4));
    Scenario {
        nodes: 2 + (seed % 4) as usize,
        through_members: if (seed / 4).is_multiple_of(2) { 0 } else { 300 },
        faults,
        ..Scenario::stormy(seed)
    }
}

const fn kills(seed: u64) -> Scenario {
    let mut faults = Scenario::calm(seed).faults;
    faults.crash_every = Some(Duration::from_millis(2500));
    Scenario {
        write_level: Level::Auto,
        read_level: Level::Auto,
        on_ambiguous: OnAmbiguous::Rewrite,
        deletes: 0,
        faults,
        ..Scenario::calm(seed)
    }
}

/// Members stay away for up to 4 s, by when attempts to reach them are as rare as they get: still everybody has to
/// notice the return of one before the next one crashes.
const fn kills_quorum(seed: u64) -> Scenario {
    let mut faults = kills(seed).faults;
    faults.restart_max = Duration::from_secs(4);
    Scenario {
        write_level: Level::Quorum,
        read_level: Level::Quorum,
        faults,
        ..kills(seed)
    }
}

const fn counting(seed: u64) -> Scenario {
    Scenario {
        updates: 700,
        ..lasting(seed)
    }
}

const fn counting_kills(seed: u64) -> Scenario {
    Scenario {
        updates: 700,
        ..kills(seed)
    }
}
