//! Users that were changed in the database while the cache could not be told: their entries may be stale.
//!
//! Until the cache has been told, or the entries have expired, nobody here is answered from them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The users whose entries are not to be believed. All operations but [`all`](Self::all) are O(1).
pub(crate) struct Pending {
    users: Mutex<Users>,
    /// When an entry that may be stale has expired for certain.
    keep: Duration,
}

#[derive(Default)]
struct Users {
    marks: HashMap<i64, Mark>,
    last: u64,
    /// There was no room for all: until then, nobody's entry is to be believed.
    nobody_until: Option<Instant>,
}

/// One change that the cache has not been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) until: Instant,
    number: u64,
}

/// Users above which the cache is not believed at all for a while.
const MAX_PENDING: usize = 100_000;
/// What a load that began before the change may take, beyond the time that an entry lives.
const LONGEST_LOAD: Duration = Duration::from_secs(60);

impl Pending {
    /// Nobody; entries live for `ttl`.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            users: Mutex::default(),
            keep: ttl + LONGEST_LOAD,
        }
    }

    /// Notes that the cache does not know of a change.
    pub(crate) fn add(&self, id: i64) {
        let until = Instant::now() + self.keep;
        let mut users = self.lock();
        users.last += 1;
        let number = users.last;
        if users.marks.len() >= MAX_PENDING && !users.marks.contains_key(&id) {
            users.nobody_until = Some(until);
        } else {
            users.marks.insert(id, Mark { until, number });
        }
    }

    /// Whether the entry of this user may be stale.
    pub(crate) fn contains(&self, id: i64) -> bool {
        let users = self.lock();
        users.marks.contains_key(&id) || users.nobody_until.is_some_and(|at| at > Instant::now())
    }

    /// The cache has been told, or the entry has expired; a change that came after `mark` stays.
    pub(crate) fn remove(&self, id: i64, mark: Mark) {
        let mut users = self.lock();
        if users.marks.get(&id) == Some(&mark) {
            users.marks.remove(&id);
        }
    }

    /// Everyone of whom the cache has to be told. O(n).
    pub(crate) fn all(&self) -> Vec<(i64, Mark)> {
        let users = self.lock();
        users.marks.iter().map(|(id, mark)| (*id, *mark)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().marks.len()
    }

    fn lock(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_comes_while_the_cache_is_told_of_another_stays() {
        let pending = Pending::new(Duration::from_secs(1));
        pending.add(17);
        let told = pending.all();
        pending.add(17);
        for (id, mark) in told {
            pending.remove(id, mark);
        }
        assert!(pending.contains(17));
        for (id, mark) in pending.all() {
            pending.remove(id, mark);
        }
        assert!(!pending.contains(17));
    }

    #[test]
    fn where_there_is_no_room_nobody_is_believed() {
        let pending = Pending::new(Duration::from_secs(1));
        (0..MAX_PENDING as i64).for_each(|id| pending.add(id));
        assert!(!pending.contains(-1));
        pending.add(-2);
        assert!(pending.contains(-1));
        assert_eq!(pending.len(), MAX_PENDING);
    }
}
