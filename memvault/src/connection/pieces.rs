//! Bytes on their way out, in pieces: what is written is freed piece by piece, and nothing is moved.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

/// A queue of bytes that grows at its end and is consumed at its beginning.
///
/// Cost: O(1) per byte; no byte is moved once it is in a full piece. A piece has at least [`LEN`](Self::LEN) bytes, and
/// more only if one reply has.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    full: VecDeque<Vec<u8>>,
    /// Invariant: the sum of the lengths in `full`.
    full_len: usize,
    /// What is still added to.
    last: Vec<u8>,
    /// Bytes of the first piece that are consumed.
    consumed: usize,
}

impl Pieces {
    /// Bytes of a piece beyond which a further one is begun.
    pub(super) const LEN: usize = 64 << 10;

    /// Where to append what belongs together.
    #[inline]
    pub(super) fn target(&mut self) -> &mut Vec<u8> {
        if self.last.len() >= Self::LEN {
            self.begin_another();
        }
        &mut self.last
    }

    #[cold]
    fn begin_another(&mut self) {
        self.full_len += self.last.len();
        let piece = if self.last.capacity() / 2 > self.last.len() {
            // A buffer that was large once is worth keeping; a piece that waits should take no more than it has.
            let piece = self.last.as_slice().to_vec();
            self.last.clear();
            piece
        } else {
            let room = Self::LEN + Self::LEN / 8;
            mem::replace(&mut self.last, Vec::with_capacity(room))
        };
        self.full.push_back(piece);
    }

    /// Appends bytes. Long ones are taken as they are, not copied.
    pub(super) fn append(&mut self, bytes: Vec<u8>) {
        if bytes.len() < Self::LEN {
            return self.target().extend_from_slice(&bytes);
        }
        if !self.last.is_empty() {
            self.begin_another();
        }
        self.full_len += bytes.len();
        self.full.push_back(bytes);
    }

    /// Appends all of another queue, of which nothing was consumed.
    pub(super) fn append_all(&mut self, other: Self) {
        debug_assert_eq!(other.consumed, 0);
        other.full.into_iter().for_each(|piece| self.append(piece));
        self.append(other.last);
    }

    /// How many bytes there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.full_len + self.last.len() - self.consumed
    }

    /// The first bytes: none only if there are none.
    pub(super) fn first(&self) -> &[u8] {
        let piece = self.full.front().unwrap_or(&self.last);
        &piece[self.consumed..]
    }

    /// Forgets the first `n` bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.consumed += n.min(self.len());
        while let Some(first) = self.full.front() {
            if self.consumed < first.len() {
                return;
            }
            self.consumed -= first.len();
            self.full_len -= first.len();
            self.full.pop_front();
            if self.full.is_empty() {
                self.full = VecDeque::new();
            }
        }
        if self.consumed == self.last.len() {
            self.last.clear();
            self.consumed = 0;
        }
    }

    /// Goes on in `buffer`, if there is none at present.
    pub(super) fn borrow(&mut self, buffer: &mut Vec<u8>) {
        if self.last.capacity() == 0 {
            mem::swap(&mut self.last, buffer);
        }
    }

    /// The buffer, if nothing is in it; an empty one otherwise.
    pub(super) fn give_back(&mut self) -> Vec<u8> {
        if self.last.is_empty() {
            mem::take(&mut self.last)
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_however_they_are_cut() {
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let (mut pieces, mut other) = (Pieces::default(), Pieces::default());
        let (mut expected, mut got) = (VecDeque::new(), 0);
        for round in 0..2_000u32 {
            let bytes = alloc::vec![round as u8; random(3 * Pieces::LEN)];
            match round % 4 {
                0 => pieces.target().extend_from_slice(&bytes),
                1 => pieces.append(bytes.clone()),
                2 => {
                    other.append(bytes.clone());
                    other.target().push(7);
                    pieces.append_all(mem::take(&mut other));
                }
                _ => {}
            }
            if round % 4 < 3 {
                expected.extend(bytes);
            }
            if round % 4 == 2 {
                expected.push_back(7);
            }
            for _ in 0..random(6) {
                let n = random(pieces.first().len() + 1);
                assert!(pieces.first()[..n].iter().eq(expected.iter().take(n)));
                pieces.consume(n);
                expected.drain(..n);
                got += n;
            }
            assert_eq!(pieces.len(), expected.len());
            assert_eq!(pieces.first().is_empty(), expected.is_empty());
        }
        assert!(got > Pieces::LEN);
    }

    #[test]
    fn what_is_consumed_is_freed_and_what_waits_takes_what_it_has() {
        let mut pieces = Pieces::default();
        for _ in 0..100 {
            pieces.append(alloc::vec![1; Pieces::LEN]);
        }
        pieces.consume(99 * Pieces::LEN);
        assert_eq!((pieces.full.len(), pieces.len()), (1, Pieces::LEN));
        pieces.last.reserve(10 * Pieces::LEN);
        for _ in 0..3 {
            pieces.target().extend_from_slice(&[0; Pieces::LEN]);
        }
        let room: usize = pieces.full.iter().map(Vec::capacity).sum();
        assert!(room <= 2 * pieces.len());
    }
}
