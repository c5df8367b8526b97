//! A replica (`offer`, `forget`, floors, recent versions) against the accept rule as the specification words it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::replication::{
    Bytes, Config, Entry, Member, NodeState, Now, OfferKind, OfferReply, Prepare, ReadReply,
    Refusal, Replica, Role,
};
use crate::store::{self, Entries};
use crate::time::{Duration, Timestamp};
use crate::version::{Hlc, Version};

/// Runs `program`, three bytes per operation, on a replica and on the naive one, and compares every answer.
/// Then runs it once more on a replica that holds two entries at most, and checks what evictions must not
/// change.
///
/// # Panics
///
/// Panics where the two differ or a promise is broken.
pub fn run(program: &[u8]) {
    let operations: Vec<_> = program.chunks_exact(3).map(Operation::new).collect();
    compare_with_naive(&operations);
    check_promises_under_eviction(&operations);
}

fn compare_with_naive(operations: &[Operation]) {
    let (mut replica, mut naive) = (replica(None), Naive::default());
    for operation in operations {
        let (mine, its) = (naive.apply(operation), operation.apply(&mut replica));
        assert_eq!(mine, its, "{operation:?}");
        for key in KEYS {
            assert_eq!(naive.read(key), replica.read(NOW, key, None));
        }
    }
}

/// With evictions it is open which entries are there, but not what follows from the answers given.
fn check_promises_under_eviction(operations: &[Operation]) {
    let mut replica = replica(Some(2));
    let (mut acknowledged, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut known = KEYS.map(|_| Version::ZERO);
    for operation in operations {
        let answer = operation.apply(&mut replica);
        if let Operation::Offer { version, kind, .. } = *operation {
            match answer {
                Some(Answer::Offered(OfferReply::Ack { counted: true })) => {
                    assert!(
                        !refused.contains(&version),
                        "a refusal is for ever: {operation:?}"
                    );
                    acknowledged.insert(version);
                }
                Some(Answer::Offered(OfferReply::Nack {
                    counted: true,
                    refusal: Refusal::Stale | Refusal::Promised,
                    ..
                })) => {
                    assert!(
                        !acknowledged.contains(&version),
                        "an acknowledgement sticks: {operation:?}"
                    );
                    if matches!(kind, OfferKind::Write | OfferKind::Fill | OfferKind::Fence) {
                        refused.insert(version);
                    }
                }
                _ => {}
            }
        }
        assert!(replica.entries.len() <= 2);
        for (key, known) in KEYS.iter().zip(&mut known) {
            let ReadReply::Holds { entry, floor, .. } = replica.read(NOW, key, None) else {
                continue;
            };
            let version = entry.map_or(floor, |entry| entry.version.max(floor));
            assert!(version >= *known, "what is known of a key never goes down");
            *known = version;
        }
    }
}

const KEYS: [&[u8]; 4] = [b"{0}a", b"{0}b", b"{1}c", b"{1}d"];
const WALL_MS: u64 = 1_000_000;
const NOW: Now = Now {
    instant: crate::time::Instant::ZERO,
    wall: Timestamp::from_millis(WALL_MS),
};
/// Slots of the keys.
const SLOTS: usize = 2;

fn replica(max_entries: Option<usize>) -> Replica {
    let mut config = Config::new([Member::new("a")].into(), Role::Member("a".into()));
    // Nothing is old enough to be forgotten for its age.
    config.op_deadline = Duration::from_secs(100_000);
    config.tombstone_grace = Duration::from_secs(100_000);
    let entries = store::Config {
        max_entries,
        ..store::Config::default()
    };
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    Replica::new(&config, Entries::new(entries, hasher))
}

/// What an operation answers.
#[derive(Debug, PartialEq)]
enum Answer {
    Offered(OfferReply),
    Held(ReadReply),
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Offer {
        key: &'static [u8],
        version: Version,
        kind: OfferKind,
    },
    /// A read that asks for a promise.
    Promise(&'static [u8], Prepare),
    Forget(&'static [u8]),
    /// What a warm-up does with an entry; nothing any more once the replica serves.
    Mark(&'static [u8], bool),
    Flush(Version),
    /// The warm-up is over; there is no way back.
    Serve,
}

impl Operation {
    fn new(bytes: &[u8]) -> Self {
        let number = bytes[1] % 4;
        let key = KEYS[usize::from(number)];
        let version = version(number, bytes[2] % 16);
        match bytes[0] % 16 {
            0 => Self::Forget(key),
            1 => Self::Mark(key, bytes[2].is_multiple_of(2)),
            2 if bytes[2].is_multiple_of(4) => Self::Flush(version),
            3 => Self::Serve,
            4 => Self::Promise(key, Prepare::Update(version)),
            5 => Self::Promise(key, Prepare::Fill(version)),
            6 => Self::Offer {
                key,
                version,
                kind: OfferKind::Fill,
            },
            code => Self::Offer {
                key,
                version,
                kind: match code % 4 {
                    0 => OfferKind::Fence,
                    1 | 2 => OfferKind::Repair,
                    _ => OfferKind::Write,
                },
            },
        }
    }

    fn apply(&self, replica: &mut Replica) -> Option<Answer> {
        match *self {
            Self::Offer { key, version, kind } => {
                let reply = replica.offer(NOW, key, &entry(version), kind);
                return Some(Answer::Offered(reply));
            }
            Self::Promise(key, prepare) => {
                return Some(Answer::Held(replica.read(NOW, key, Some(prepare))));
            }
            Self::Forget(key) => replica.forget(NOW, key),
            Self::Mark(key, unconfirmed) => {
                if replica.state == NodeState::Warming {
                    replica.mark(key, unconfirmed);
                }
            }
            Self::Flush(version) => replica.flush(NOW, version),
            Self::Serve => replica.state = NodeState::Serving,
        }
        None
    }
}

/// Version number `step` of the key with this number: no two keys share one. The last is from too far in the
/// future.
fn version(number: u8, step: u8) -> Version {
    let ahead = if step == 15 { Hlc::MAX_SKEW_MS + 1 } else { 0 };
    Version::new(
        (WALL_MS - 8 + u64::from(step % 8) + ahead) << 16 | u64::from(step),
        u32::from(number),
    )
}

/// A version stands for one entry: some are deletions, some are past their time, some are about to be.
fn entry(version: Version) -> Entry {
    let expire_at = match version.hlc() % 5 {
        1 => Some(WALL_MS),
        2 => Some(WALL_MS + 1),
        _ => None,
    };
    Entry {
        version,
        value: (!version.hlc().is_multiple_of(4)).then(|| Bytes::from(version.to_bytes())),
        expire_at: expire_at.map(Timestamp::from_millis),
    }
}

/// The rule in its own words; everything is remembered for ever.
#[derive(Default)]
struct Naive {
    serves: bool,
    held: BTreeMap<&'static [u8], (Entry, bool)>,
    floors: [Version; SLOTS],
    accepted: BTreeSet<Version>,
    refused: BTreeSet<Version>,
    promised: BTreeMap<&'static [u8], Version>,
    leased: BTreeMap<&'static [u8], Version>,
}

impl Naive {
    fn floor(&mut self, key: &[u8]) -> &mut Version {
        &mut self.floors[usize::from(key.starts_with(b"{1}"))]
    }

    fn apply(&mut self, operation: &Operation) -> Option<Answer> {
        match *operation {
            Operation::Offer { key, version, kind } => {
                return Some(Answer::Offered(self.offer(key, version, kind)));
            }
            Operation::Promise(key, prepare) => {
                return Some(Answer::Held(self.promise(key, prepare)));
            }
            Operation::Forget(key) => self.forget(key),
            Operation::Mark(key, unconfirmed) => {
                if let Some((_, doubt)) = self.held.get_mut(key).filter(|_| !self.serves) {
                    *doubt = unconfirmed;
                }
            }
            Operation::Flush(version) => {
                let keys = self
                    .held
                    .iter()
                    .filter(|(_, (entry, _))| entry.version <= version);
                let keys: Vec<_> = keys.map(|(key, _)| *key).collect();
                keys.into_iter().for_each(|key| self.forget(key));
                self.floors = self.floors.map(|floor| floor.max(version));
            }
            Operation::Serve => self.serves = true,
        }
        None
    }

    fn forget(&mut self, key: &'static [u8]) {
        if let Some((entry, unconfirmed)) = self.held.remove(key) {
            let floor = self.floor(key);
            *floor = entry.version.max(*floor);
            if !unconfirmed {
                self.accepted.insert(entry.version);
            }
        }
    }

    fn purge(&mut self, key: &'static [u8]) {
        let is_over = |entry: &Entry| entry.expire_at.is_some_and(|at| at <= NOW.wall);
        if self.held.get(key).is_some_and(|(entry, _)| is_over(entry)) {
            self.forget(key);
        }
    }

    fn read(&mut self, key: &'static [u8]) -> ReadReply {
        if !self.serves {
            return ReadReply::Loading;
        }
        self.purge(key);
        let held = self.held.get(key).cloned();
        ReadReply::Holds {
            unconfirmed: held.as_ref().is_some_and(|(_, unconfirmed)| *unconfirmed),
            entry: held.map(|(entry, _)| entry),
            floor: *self.floor(key),
            behind: false,
        }
    }

    /// Nothing older than a promise is stored, and no promise is given that is broken already.
    fn promise(&mut self, key: &'static [u8], prepare: Prepare) -> ReadReply {
        let version = prepare.version();
        if !self.serves {
            return ReadReply::Loading;
        }
        self.purge(key);
        let floor = *self.floor(key);
        let current = match self.held.get(key) {
            Some((entry, false)) => entry.version,
            Some((entry, true)) => entry.version.max(floor),
            None => floor,
        };
        let is_fill = matches!(prepare, Prepare::Fill(_));
        let promised = self.promised(key, is_fill);
        if version <= current || version < promised {
            let current = current.max(promised);
            return ReadReply::Overtaken { current };
        }
        if version.hlc() >> 16 <= WALL_MS + Hlc::MAX_SKEW_MS {
            let promises = if is_fill {
                &mut self.leased
            } else {
                &mut self.promised
            };
            let known = promises.entry(key).or_insert(version);
            *known = version.max(*known);
        }
        self.read(key)
    }

    /// The lowest version that may be stored: a fill does not care for those of other fills.
    fn promised(&self, key: &[u8], is_fill: bool) -> Version {
        let at = |promises: &BTreeMap<&[u8], Version>| {
            promises.get(key).copied().unwrap_or(Version::ZERO)
        };
        if is_fill {
            at(&self.promised)
        } else {
            at(&self.promised).max(at(&self.leased))
        }
    }

    fn offer(&mut self, key: &'static [u8], version: Version, kind: OfferKind) -> OfferReply {
        let counted = self.serves;
        if version.hlc() >> 16 > WALL_MS + Hlc::MAX_SKEW_MS {
            return OfferReply::Nack {
                current: Version::ZERO,
                held: false,
                counted,
                refusal: Refusal::Skew,
            };
        }
        if kind == OfferKind::Fence && !self.serves {
            return OfferReply::Silent;
        }
        self.purge(key);
        let floor = *self.floor(key);
        let here = self
            .held
            .get(key)
            .map(|(entry, doubt)| (entry.version, *doubt));
        let (current, held) = match here {
            Some((version, false)) => (version, true),
            Some((version, true)) => (version.max(floor), false),
            None => (floor, false),
        };
        let nack = OfferReply::Nack {
            current,
            held,
            counted,
            refusal: Refusal::Stale,
        };
        if here == Some((version, false)) || self.accepted.contains(&version) {
            return OfferReply::Ack { counted };
        }
        if kind == OfferKind::Fence || self.refused.contains(&version) {
            self.refused.insert(version);
            return nack;
        }
        let promised = self.promised(key, kind == OfferKind::Fill);
        if version < promised {
            self.refuse_for_a_promise(key, (version, kind), current);
            return OfferReply::Nack {
                current: promised.max(current),
                held: false,
                counted,
                refusal: Refusal::Promised,
            };
        }
        let confirms = here == Some((version, true)) && version > floor;
        if version > current || confirms {
            if let Some((version, false)) = here {
                self.accepted.insert(version);
            }
            self.store(key, version, false);
            return OfferReply::Ack { counted };
        }
        if here.is_some_and(|(held, doubt)| doubt && held < version) {
            self.store(key, version, true);
        }
        self.refuse(version, kind);
        nack
    }

    /// What is past its time goes with what comes.
    fn store(&mut self, key: &'static [u8], version: Version, unconfirmed: bool) {
        self.held.insert(key, (entry(version), unconfirmed));
        KEYS.into_iter().for_each(|key| self.purge(key));
    }

    /// A deletion that only a lease is in the way of takes away what is older.
    fn refuse_for_a_promise(
        &mut self,
        key: &'static [u8],
        (version, kind): (Version, OfferKind),
        current: Version,
    ) {
        self.refuse(version, kind);
        let is_deletion = entry(version).value.is_none();
        if is_deletion && version >= self.promised(key, true) && version > current {
            self.forget(key);
            let floor = self.floor(key);
            *floor = version.max(*floor);
        }
    }

    fn refuse(&mut self, version: Version, kind: OfferKind) {
        if matches!(kind, OfferKind::Write | OfferKind::Fill) {
            self.refused.insert(version);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use crate::rng::Rng;

    quickcheck! {
        fn a_replica_follows_the_accept_rule(program: Vec<u8>) -> bool {
            super::run(&program);
            true
        }
    }

    #[test]
    fn a_replica_follows_the_accept_rule_for_long() {
        let mut rng = Rng::new(11);
        for _ in 0..300 {
            let program: Vec<u8> = (0..900).map(|_| rng.next_u64() as u8).collect();
            super::run(&program);
        }
    }
}
