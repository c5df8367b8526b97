//! Which deferred commands a further one must not overtake.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::command::Data;

/// The keys of the commands under way, for engines that do not keep the order of their own accord.
///
/// Cost: O(keys of the command) for each step, however much is under way. Keys are compared by their hash, so that a
/// command may now and then wait needlessly, and never overtakes.
#[derive(Debug)]
pub(super) struct Order {
    hasher: RandomState,
    /// By the hash of a key: what is under way on it.
    keys: HashMap<u64, Uses, RandomState>,
    /// What is under way on all keys at once.
    everywhere: Option<Uses>,
    /// By their id.
    commands: HashMap<u64, UnderWay, RandomState>,
    /// By [`Kind`]: commands under way.
    counts: [usize; Kind::ALL],
}

/// A command under way.
#[derive(Debug)]
struct UnderWay {
    kind: Kind,
    /// The hashes of its keys; `None` stands for all keys.
    keys: Option<Box<[u64]>>,
}

/// What is under way on one key: all of one kind, as others wait.
#[derive(Debug)]
struct Uses {
    kind: Kind,
    count: usize,
}

/// Commands of the same kind may be under way at once on one key, unless they depend on what is there and
/// change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    /// The later of two has the higher version, in whatever order they end.
    BlindWrite,
    Update,
}

impl Kind {
    /// How many kinds there are.
    const ALL: usize = 3;

    fn of(command: &Data<'_>) -> Self {
        if command.is_read() {
            Self::Read
        } else if command.is_blind_write() {
            Self::BlindWrite
        } else {
            Self::Update
        }
    }

    fn may_join(self, other: Self) -> bool {
        self == other && self != Self::Update
    }
}

impl Uses {
    const fn one(kind: Kind) -> Self {
        Self { kind, count: 1 }
    }

    fn holds_back(&self, kind: Kind) -> bool {
        !kind.may_join(self.kind)
    }
}

impl Order {
    /// Nothing is under way. `seed` should be one that the client cannot know: it chooses the keys.
    pub(super) const fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x5bd1_e995);
        Self {
            keys: HashMap::with_hasher(RandomState::with_seeds(seed, 1, 2, 3)),
            commands: HashMap::with_hasher(RandomState::with_seeds(seed, 4, 5, 6)),
            hasher,
            everywhere: None,
            counts: [0; Kind::ALL],
        }
    }

    /// Whether the command has to wait.
    pub(super) fn holds_back(&self, command: &Data<'_>) -> bool {
        if self.commands.is_empty() {
            return false;
        }
        let kind = Kind::of(command);
        if is_on_all_keys(command) {
            let joined = match kind {
                Kind::Update => 0,
                kind => self.counts[kind as usize],
            };
            return joined < self.commands.len();
        }
        let is_held = |uses: &Uses| uses.holds_back(kind);
        self.everywhere.as_ref().is_some_and(is_held)
            || command.keys().any(|key| {
                self.keys
                    .get(&self.hasher.hash_one(key))
                    .is_some_and(is_held)
            })
    }

    /// A command is under way, which is not [held back](Self::holds_back).
    pub(super) fn begin(&mut self, id: u64, command: &Data<'_>) {
        let kind = Kind::of(command);
        self.counts[kind as usize] += 1;
        let keys = if is_on_all_keys(command) {
            let uses = self.everywhere.get_or_insert(Uses { kind, count: 0 });
            uses.count += 1;
            None
        } else {
            let hashes: Vec<u64> = command
                .keys()
                .map(|key| self.hasher.hash_one(key))
                .collect();
            self.keys.reserve(hashes.len());
            for hash in &hashes {
                self.keys
                    .entry(*hash)
                    .and_modify(|uses| uses.count += 1)
                    .or_insert(Uses::one(kind));
            }
            Some(hashes.into_boxed_slice())
        };
        self.commands.insert(id, UnderWay { kind, keys });
    }

    /// A command is done.
    pub(super) fn complete(&mut self, id: u64) {
        let Some(UnderWay { kind, keys }) = self.commands.remove(&id) else {
            return;
        };
        self.counts[kind as usize] -= 1;
        match keys {
            None => {
                if let Some(uses) = &mut self.everywhere {
                    uses.count -= 1;
                }
                self.everywhere.take_if(|uses| uses.count == 0);
            }
            Some(hashes) => hashes.iter().for_each(|hash| self.release(*hash)),
        }
        if self.commands.is_empty() {
            self.forget_large();
        }
    }

    fn release(&mut self, hash: u64) {
        if let Some(uses) = self.keys.get_mut(&hash) {
            uses.count -= 1;
            if uses.count == 0 {
                self.keys.remove(&hash);
            }
        }
    }

    /// Gives back what only much at once needed.
    fn forget_large(&mut self) {
        debug_assert!(self.keys.is_empty(), "no key of nobody's");
        if self.keys.capacity() > KEPT {
            self.keys.shrink_to(0);
        }
        if self.commands.capacity() > KEPT {
            self.commands.shrink_to(0);
        }
    }
}

/// Whether it is a command on whatever keys there are.
const fn is_on_all_keys(command: &Data<'_>) -> bool {
    matches!(command, Data::Count | Data::Flush)
}

/// Places of the tables that are kept while nothing is under way.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Context};
    use crate::resp::{CommandDecoder, Limits};
    use crate::time::Timestamp;

    fn with<R>(line: &str, then: impl FnOnce(&Data<'_>) -> R) -> R {
        let mut decoder = CommandDecoder::new(Limits::default());
        let decoded = decoder.decode(line.as_bytes()).unwrap().unwrap();
        let context = Context {
            now: Timestamp::from_millis(1),
            max_key_len: 100,
            max_value_len: 1000,
        };
        match Command::parse(&decoded.args, &context) {
            Ok(Command::Data(command)) => then(&command),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_key_is_free_when_the_last_command_on_it_is_done() {
        let mut order = Order::new(1);
        let (reads, write) = (["MGET a b a\r\n", "GET a\r\n"], "SET a x\r\n");
        for (id, line) in (0..).zip(reads) {
            assert!(!with(line, |command| order.holds_back(command)));
            with(line, |command| order.begin(id, command));
        }
        for id in [1, 0] {
            assert!(with(write, |command| order.holds_back(command)));
            order.complete(id);
            order.complete(id);
        }
        assert!(!with(write, |command| order.holds_back(command)));
        assert!(order.keys.is_empty() && order.counts == [0; Kind::ALL]);
    }

    #[test]
    fn what_is_on_all_keys_waits_for_each_and_each_for_it() {
        let mut order = Order::new(1);
        with("GET a\r\n", |command| order.begin(1, command));
        assert!(!with("DBSIZE\r\n", |command| order.holds_back(command)));
        assert!(with("FLUSHALL\r\n", |command| order.holds_back(command)));
        order.complete(1);
        with("FLUSHALL\r\n", |command| order.begin(2, command));
        for line in ["GET z\r\n", "DBSIZE\r\n", "FLUSHALL\r\n"] {
            assert!(with(line, |command| order.holds_back(command)), "{line}");
        }
        order.complete(2);
        assert!(!with("GET z\r\n", |command| order.holds_back(command)));
    }
}
