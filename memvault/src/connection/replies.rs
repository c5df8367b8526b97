//! The replies of one client, in the order of its commands, whenever each becomes known.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Buffers;
use super::calls::{Completed, ErrorCode};
use super::pieces::Pieces;
use crate::command::Name;

/// What is to be written, and behind it what waits for replies that are not known yet.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Replies that can be written.
    ready: Pieces,
    /// Invariant: the first one has no reply yet; ids rise.
    deferred: VecDeque<Deferred>,
    /// Invariant: the bytes in `deferred`, but for what follows its last.
    held: usize,
}

/// A reply that is not known yet, and those that are known but come after it.
#[derive(Debug)]
struct Deferred {
    id: u64,
    /// Which command it answers.
    name: Name,
    reply: Option<Vec<u8>>,
    following: Pieces,
}

impl Replies {
    /// Where the reply of the next command goes.
    #[inline]
    pub(super) fn target(&mut self) -> &mut Vec<u8> {
        match self.deferred.back_mut() {
            None => self.ready.target(),
            Some(last) => last.following.target(),
        }
    }

    /// A further part of the reply of the next command. Long pieces are not copied.
    pub(super) fn append(&mut self, pieces: Pieces) {
        match self.deferred.back_mut() {
            None => self.ready.append_all(pieces),
            Some(last) => last.following.append_all(pieces),
        }
    }

    /// The reply of the next command comes later. Its id is higher than all before.
    pub(super) fn defer(&mut self, id: u64, name: Name) {
        self.held = self.held();
        debug_assert!(self.deferred.back().is_none_or(|last| last.id < id));
        self.deferred.push_back(Deferred {
            id,
            name,
            reply: None,
            following: Pieces::default(),
        });
    }

    /// Supplies a deferred reply. Returns what it is; `None` if none was waited for under this id.
    ///
    /// O(log of the replies that are waited for), and amortised O(1) for each that can be written then.
    pub(super) fn complete(
        &mut self,
        id: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Completed> {
        let position = self
            .deferred
            .binary_search_by_key(&id, |deferred| deferred.id);
        let position = position.ok()?;
        let waiting = self.deferred.get_mut(position)?;
        if waiting.reply.is_some() {
            return None;
        }
        let name = waiting.name;
        if position > 0 {
            let mut reply = Vec::new();
            write(&mut reply);
            self.held += reply.len();
            let error = ErrorCode::of_reply(&reply);
            waiting.reply = Some(reply);
            return Some(Completed { name, error });
        }
        let ready = self.ready.target();
        let start = ready.len();
        write(ready);
        let error = ready.get(start..).and_then(ErrorCode::of_reply);
        self.pop_front();
        while let Some(reply) = self
            .deferred
            .front_mut()
            .and_then(|first| first.reply.take())
        {
            self.held -= reply.len();
            self.ready.append(reply);
            self.pop_front();
        }
        Some(Completed { name, error })
    }

    fn pop_front(&mut self) {
        if let Some(first) = self.deferred.pop_front() {
            let following = first.following.len();
            self.ready.append_all(first.following);
            if self.deferred.is_empty() {
                // What followed the last one was never counted.
                self.deferred = VecDeque::new();
                debug_assert_eq!(self.held, 0, "nothing is held for nobody");
            } else {
                self.held -= following;
            }
        }
    }

    /// Replies that are waited for.
    pub(super) fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// Bytes of replies that are known but cannot be written yet.
    pub(super) fn held(&self) -> usize {
        self.held + self.deferred.back().map_or(0, |last| last.following.len())
    }

    /// Bytes that can be written.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// Bytes of replies, whether they can be written or not.
    #[inline]
    pub(super) fn owed(&self) -> usize {
        if self.deferred.is_empty() {
            self.waiting()
        } else {
            self.waiting() + self.held()
        }
    }

    /// The first of the bytes that can be written: none only if there are none.
    pub(super) fn ready(&self) -> &[u8] {
        self.ready.first()
    }

    /// So many bytes are written.
    pub(super) fn consume(&mut self, n: usize) {
        self.ready.consume(n);
    }

    /// Goes on in `buffer`, if there is none at present.
    pub(super) fn borrow(&mut self, buffer: &mut Vec<u8>) {
        self.ready.borrow(buffer);
    }

    /// Gives the buffer back if nothing is in it.
    pub(super) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        let given = self.ready.give_back();
        if buffer.capacity() == 0 && given.capacity() <= Buffers::LARGEST {
            *buffer = given;
        }
    }
}
