//! The replies of one client, in the order of its commands, whenever each becomes known.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Buffers;
use super::calls::{Completed, ErrorCode};
use crate::command::Name;

/// What is to be written, and behind it what waits for replies that are not known yet.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Replies that can be written. Invariant: the first `written` bytes are.
    ready: Vec<u8>,
    written: usize,
    /// Invariant: the first one has no reply yet.
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
    following: Vec<u8>,
}

impl Replies {
    /// Where the reply of the next command goes.
    #[inline]
    pub(super) fn target(&mut self) -> &mut Vec<u8> {
        match self.deferred.back_mut() {
            None => &mut self.ready,
            Some(last) => &mut last.following,
        }
    }

    /// The reply of the next command comes later.
    pub(super) fn defer(&mut self, id: u64, name: Name) {
        self.held = self.held();
        self.deferred.push_back(Deferred {
            id,
            name,
            reply: None,
            following: Vec::new(),
        });
    }

    /// Supplies a deferred reply. Returns what it is; `None` if none was waited for under this id.
    pub(super) fn complete(
        &mut self,
        id: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Completed> {
        let waiting = |deferred: &Deferred| deferred.id == id && deferred.reply.is_none();
        let position = self.deferred.iter().position(waiting)?;
        let name = self.deferred[position].name;
        if position > 0 {
            let mut reply = Vec::new();
            write(&mut reply);
            self.held += reply.len();
            let error = ErrorCode::of_reply(&reply);
            self.deferred[position].reply = Some(reply);
            return Some(Completed { name, error });
        }
        let start = self.ready.len();
        write(&mut self.ready);
        let error = self.ready.get(start..).and_then(ErrorCode::of_reply);
        self.pop_front();
        while let Some(reply) = self
            .deferred
            .front_mut()
            .and_then(|first| first.reply.take())
        {
            self.held -= reply.len();
            self.ready.extend_from_slice(&reply);
            self.pop_front();
        }
        Some(Completed { name, error })
    }

    fn pop_front(&mut self) {
        if let Some(first) = self.deferred.pop_front() {
            self.ready.extend_from_slice(&first.following);
            if self.deferred.is_empty() {
                // What followed the last one was never counted.
                self.deferred = VecDeque::new();
                debug_assert_eq!(self.held, 0, "nothing is held for nobody");
            } else {
                self.held -= first.following.len();
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

    pub(super) fn ready(&self) -> &[u8] {
        &self.ready[self.written..]
    }

    /// The first `n` bytes of [`ready`](Self::ready) are written.
    pub(super) fn consume(&mut self, n: usize) {
        self.written = (self.written + n).min(self.ready.len());
        if self.written == self.ready.len() {
            self.ready.clear();
            self.written = 0;
        } else if self.written > self.ready.len() / 2 {
            self.ready.drain(..self.written);
            self.written = 0;
        }
    }

    /// Goes on in `buffer`, if there is none at present.
    pub(super) fn borrow(&mut self, buffer: &mut Vec<u8>) {
        if self.ready.capacity() == 0 {
            core::mem::swap(&mut self.ready, buffer);
        }
    }

    /// Gives the buffer back if nothing is in it.
    pub(super) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        if self.ready.is_empty() {
            let given = core::mem::take(&mut self.ready);
            if buffer.capacity() == 0 && given.capacity() <= Buffers::LARGEST {
                *buffer = given;
            }
        }
    }
}
