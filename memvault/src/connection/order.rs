//! Which deferred commands a further one must not overtake.

use alloc::collections::VecDeque;

use crate::command::Data;
use crate::hash::{Token, token};

/// The keys of the commands under way, for engines that do not keep the order of their own accord.
///
/// Cost: linear in the commands under way; keys are compared by their hash, so that a command may now and
/// then wait needlessly, and never overtakes.
#[derive(Debug, Default)]
pub(super) struct Order(VecDeque<Use>);

/// One key of a command under way.
#[derive(Debug)]
struct Use {
    id: u64,
    /// `None` stands for all keys.
    key: Option<Token>,
    kind: Kind,
}

/// Commands of the same kind may be under way at once on one key, unless they depend on what is there and
/// change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    /// The later of two has the higher version, whoever is done first.
    BlindWrite,
    Update,
}

impl Kind {
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

impl Order {
    /// Whether the command has to wait.
    pub(super) fn holds_back(&self, command: &Data<'_>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let kind = Kind::of(command);
        let conflicts = |key: Option<Token>| {
            self.0.iter().any(|under_way| {
                let same = key.is_none() || under_way.key.is_none() || under_way.key == key;
                same && !kind.may_join(under_way.kind)
            })
        };
        match command {
            Data::Count | Data::Flush => conflicts(None),
            _ => command.keys().any(|key| conflicts(Some(token(key)))),
        }
    }

    /// A command is under way.
    pub(super) fn begin(&mut self, id: u64, command: &Data<'_>) {
        let kind = Kind::of(command);
        if matches!(command, Data::Count | Data::Flush) {
            return self.0.push_back(Use {
                id,
                key: None,
                kind,
            });
        }
        for key in command.keys() {
            let key = Some(token(key));
            self.0.push_back(Use { id, key, kind });
        }
    }

    /// A command is done.
    pub(super) fn complete(&mut self, id: u64) {
        while self.0.front().is_some_and(|first| first.id == id) {
            self.0.pop_front();
        }
        if self.0.iter().any(|under_way| under_way.id == id) {
            self.0.retain(|under_way| under_way.id != id);
        }
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }
}
