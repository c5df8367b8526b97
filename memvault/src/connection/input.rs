//! The bytes of a client that are not executed yet.

use alloc::vec::Vec;

use super::Buffers;

/// A buffer that is filled at its end and consumed at its beginning.
///
/// Cost: amortised O(1) per byte. What is left is moved to the front only if it is the smaller part of the
/// buffer; otherwise the buffer doubles.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Invariant: `start <= end <= buffer.len()`; the bytes from `end` on mean nothing.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Forgets the first `n` bytes.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room for at least `least` more bytes.
    pub(super) fn space(&mut self, least: usize) -> &mut [u8] {
        if self.buffer.len() - self.end < least {
            self.make_space(least);
        }
        &mut self.buffer[self.end..]
    }

    /// Takes over the first `n` bytes of [`space`](Self::space).
    pub(super) fn commit(&mut self, n: usize) {
        self.end = (self.end + n).min(self.buffer.len());
    }

    fn make_space(&mut self, least: usize) {
        let len = self.end - self.start;
        let capacity = self.buffer.len();
        if len > capacity / 2 || capacity - len < least {
            let wanted = (capacity * 2).max(len + least);
            self.buffer.resize(wanted, 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, len);
    }

    /// Goes on in `buffer`, if that has more room than the present one.
    pub(super) fn borrow(&mut self, buffer: &mut Vec<u8>) {
        if buffer.len() / 2 <= self.buffer.len() {
            return;
        }
        let len = self.end - self.start;
        buffer[..len].copy_from_slice(self.bytes());
        self.buffer = core::mem::take(buffer);
        (self.start, self.end) = (0, len);
    }

    /// Gives the buffer back; what is left stays in a buffer of its own.
    pub(super) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        let len = self.end - self.start;
        // Where most of the buffer is in use, a large argument is on its way: it will need the room.
        if len > self.buffer.len() / 4 {
            return;
        }
        let own = self.bytes().to_vec();
        let given = core::mem::replace(&mut self.buffer, own);
        (self.start, self.end) = (0, len);
        if buffer.is_empty() && given.len() <= Buffers::LARGEST {
            *buffer = given;
        }
    }
}
