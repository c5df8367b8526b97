//! The bytes of a client that are not executed yet.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use super::Buffers;

/// A buffer that is filled at its end and consumed at its beginning.
///
/// Cost: amortised O(1) per byte, and no step of more than some MiB: a large buffer is filled with zeroes bit by bit, as
/// it is used, and moves to a larger one [in portions](Self::prepare).
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Invariant: `start <= end <= buffer.len()`; the bytes from `end` on mean nothing.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// A larger buffer that the bytes are moving to, and those that are there already. Without room if none is needed.
    next: Vec<u8>,
}

impl Input {
    #[inline]
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

    /// Room for at least `least` more bytes, and for [`MOST_READ`] at most.
    pub(super) fn space(&mut self, least: usize) -> &mut [u8] {
        if self.buffer.len() - self.end < least {
            self.make_space(least);
        }
        let end = self.buffer.len().min(self.end + MOST_READ);
        &mut self.buffer[self.end..end]
    }

    /// Takes over the first `n` bytes of [`space`](Self::space).
    pub(super) fn commit(&mut self, n: usize) {
        self.end = (self.end + n).min(self.buffer.len());
    }

    /// Makes sure that [`space`](Self::space) takes no time. Returns whether it does; if not, a portion of the work is
    /// done, and it is to be called again before anything else happens here.
    #[inline]
    pub(super) fn prepare(&mut self, least: usize) -> bool {
        self.end - self.start <= PORTION || self.move_portion(least)
    }

    #[cold]
    fn move_portion(&mut self, least: usize) -> bool {
        if self.next.capacity() == 0 {
            if self.buffer.capacity() - self.end >= least {
                return true;
            }
            self.next = with_room(self.end - self.start, least);
        }
        let rest = &self.buffer[self.start + self.next.len()..self.end];
        let portion = &rest[..rest.len().min(PORTION)];
        let is_last = portion.len() == rest.len();
        self.next.extend_from_slice(portion);
        if is_last {
            self.end = self.next.len();
            self.start = 0;
            self.buffer = mem::take(&mut self.next);
        }
        is_last
    }

    fn make_space(&mut self, least: usize) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; least.max(Buffers::LEN)];
            return;
        }
        let len = self.end - self.start;
        if len <= self.buffer.len() / 2 && self.buffer.len() - len >= least {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, len);
            return;
        }
        while self.buffer.capacity() - self.end < least && !self.move_portion(least) {}
        // Zeroes cost time and memory, so that there are not many more of them than bytes.
        let step = (len / 2).clamp(least, MOST_READ);
        let room = self.buffer.capacity() - self.end;
        self.buffer.resize(self.end + step.min(room), 0);
    }

    /// Bytes of memory in use, whether something stands there already or not.
    pub(super) fn memory(&self) -> usize {
        self.buffer.len() + self.next.len()
    }

    /// Goes on in `buffer`, if that has more room than the present one.
    pub(super) fn borrow(&mut self, buffer: &mut Vec<u8>) {
        if buffer.len() / 2 <= self.buffer.len() {
            return;
        }
        let len = self.end - self.start;
        buffer[..len].copy_from_slice(self.bytes());
        self.buffer = mem::take(buffer);
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
        let given = mem::replace(&mut self.buffer, own);
        (self.start, self.end) = (0, len);
        if buffer.is_empty() && given.len() <= Buffers::LARGEST {
            *buffer = given;
        }
    }
}

/// An empty buffer for `len` bytes and several times as many to come: room that is not used is no memory yet.
fn with_room(len: usize, least: usize) -> Vec<u8> {
    let mut buffer = Vec::new();
    let needed = len + least.max(Buffers::LEN);
    if buffer
        .try_reserve_exact(needed.max(len.saturating_mul(4)))
        .is_err()
    {
        buffer.reserve_exact(needed);
    }
    buffer
}

/// Most bytes that are read at a time.
const MOST_READ: usize = 1 << 20;
/// Most bytes that are moved at a time.
const PORTION: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: usize = 16 << 10;

    /// Adds bytes that count up from the number of those before.
    fn read(input: &mut Input, total: &mut usize, n: usize) {
        let space = input.space(LEAST);
        let n = n.min(space.len());
        for (place, number) in space[..n].iter_mut().zip(*total..) {
            *place = (number % 251) as u8;
        }
        input.commit(n);
        *total += n;
    }

    #[test]
    fn a_large_command_grows_in_steps_and_is_never_moved_or_zeroed_as_a_whole() {
        let (mut input, mut total, mut moves) = (Input::default(), 0, 0);
        while total < 100 << 20 {
            let before = (input.buffer.len(), input.next.len());
            if input.prepare(LEAST) {
                read(&mut input, &mut total, 1 << 20);
            } else {
                moves += 1;
            }
            assert!(input.buffer.len() <= before.0.max(input.end) + MOST_READ);
            assert!(input.next.len() <= before.1 + PORTION);
            assert!(input.memory() <= 2 * input.bytes().len() + Buffers::LEN);
        }
        assert!(moves > 0 && moves < 20, "{moves} portions");
        let expected = |at: usize| (at % 251) as u8;
        assert!(
            input
                .bytes()
                .iter()
                .zip(0..)
                .all(|(byte, at)| *byte == expected(at))
        );
        assert_eq!(input.bytes().len(), total);
        input.consume(total - 3);
        let mut shared = Vec::new();
        input.give_back(&mut shared);
        assert_eq!(
            (input.bytes().len(), input.memory(), shared.len()),
            (3, 3, 0)
        );
    }

    #[test]
    fn whoever_does_not_prepare_gets_room_all_the_same() {
        let (mut input, mut total) = (Input::default(), 0);
        while total < 20 << 20 {
            read(&mut input, &mut total, 777_777);
        }
        assert_eq!(input.bytes().len(), total);
    }
}
