//! Slots side by side, named by 32-bit [`Index`].
//!
//! ```text
//! first: [ .......... ]   rest: [ .......... ] [ .......... ] [ ....     ]      a piece: up to 2 MiB
//! ```
//! Place: under the recency [`List`](crate::list::List) and the [`Lru`](crate::lru::Lru) heart.
//! Cost: all operations O(1). Growth happens only when it is asked for, and copies one piece at most: in one go a large
//! arena would stand still for as long as a thousand requests take, and have its old copy beside the new one. A slot
//! takes what its tenant takes, nothing more.
//! Limits: at most [`MAX_SLOTS`] slots. A removal moves the last tenant into the gap, so that indices are
//! good until the next removal only.
//!
//! Why not `slab`: it keeps gaps, so each slot is an enum, and to write a neighbour's link is to read its
//! tag first. The processor then waits for a line that it could have written blindly: look-ups in a large
//! cache took twice the time. Without gaps there is no tag. The first piece stands apart, so that a small arena is
//! as fast as a `Vec`.

use alloc::vec::Vec;
use core::{mem, ops};

/// Position of a slot in an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    pub(crate) const fn new(position: u32) -> Self {
        Self(position)
    }

    pub(crate) const fn position(self) -> u32 {
        self.0
    }
}

/// Most slots of an arena: the highest position is left for links that lead nowhere.
pub(crate) const MAX_SLOTS: usize = u32::MAX as usize;

/// Bytes of a piece at most.
#[cfg(not(any(test, fuzzing)))]
const PIECE_BYTES: usize = 2 << 20;
/// So small that the tests' arenas have many.
#[cfg(any(test, fuzzing))]
const PIECE_BYTES: usize = 1 << 10;

#[derive(Debug)]
pub(crate) struct Arena<T> {
    /// Invariant: at most a whole piece.
    first: Vec<T>,
    /// Invariant: all but the last have memory for a whole piece, and tenants fill one after the other.
    rest: Vec<Vec<T>>,
    /// Invariant: the tenants of all pieces.
    len: usize,
    /// Invariant: the slots of all pieces that there is memory for.
    capacity: usize,
}

impl<T> Arena<T> {
    /// Slots of a whole piece: a power of two.
    pub(crate) const PIECE: usize = {
        let slot = if size_of::<T>() == 0 {
            1
        } else {
            size_of::<T>()
        };
        let slots = PIECE_BYTES / slot;
        1 << (if slots < FEWEST_IN_PIECE {
            FEWEST_IN_PIECE
        } else {
            slots
        })
        .ilog2()
    };

    /// No slots; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            first: Vec::new(),
            rest: Vec::new(),
            len: 0,
            capacity: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Slots that there is memory for, occupied or not.
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes allocated.
    pub(crate) const fn bytes(&self) -> usize {
        self.capacity * size_of::<T>()
    }

    /// Makes memory for exactly `slots` more than there are tenants.
    pub(crate) fn reserve_exact(&mut self, slots: usize) {
        let wanted = self.len + slots;
        while self.capacity < wanted {
            let number = self.capacity / Self::PIECE;
            let start = number * Self::PIECE;
            let slots = (wanted - start).min(Self::PIECE);
            let piece = match number.checked_sub(1) {
                None => &mut self.first,
                Some(at) => {
                    if at == self.rest.len() {
                        self.rest.push(Vec::new());
                    }
                    &mut self.rest[at]
                }
            };
            piece.reserve_exact(slots - piece.len());
            self.capacity = start + slots;
        }
    }

    /// Gives memory back, but for so many slots, or as many as there are tenants. Copies one piece at most.
    pub(crate) fn shrink_to(&mut self, slots: usize) {
        let slots = slots.max(self.len);
        if slots >= self.capacity {
            return;
        }
        let whole = slots / Self::PIECE;
        self.rest
            .truncate(slots.div_ceil(Self::PIECE).saturating_sub(1));
        match whole.checked_sub(1) {
            None => self.first.shrink_to(slots),
            Some(at) => {
                if let Some(piece) = self.rest.get_mut(at) {
                    piece.shrink_to(slots % Self::PIECE);
                }
            }
        }
        self.capacity = slots;
    }

    /// Gives back whole pieces, if there are more than half of one besides. Returns whether it did.
    ///
    /// One tenant who comes and goes does not make a piece come and go.
    #[inline]
    pub(crate) fn trim(&mut self) -> bool {
        let is_sparse = self.capacity - self.len >= Self::PIECE + Self::PIECE / 2;
        if is_sparse {
            self.shrink_to((self.len + Self::PIECE / 2).next_multiple_of(Self::PIECE));
        }
        is_sparse
    }

    /// Fills the slot after the last.
    ///
    /// # Panics
    /// If there are [`MAX_SLOTS`] already.
    pub(crate) fn push(&mut self, tenant: T) -> Index {
        let position = self.len;
        assert!(
            position < MAX_SLOTS,
            "more slots than 32-bit links can name"
        );
        if position == self.capacity {
            self.reserve_exact(position.clamp(1, Self::PIECE));
        }
        match (position / Self::PIECE).checked_sub(1) {
            None => self.first.push(tenant),
            Some(at) => self.rest[at].push(tenant),
        }
        self.len += 1;
        Index(position as u32)
    }

    /// Takes out the last tenant; its slot stays the arena's.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        match (self.len / Self::PIECE).checked_sub(1) {
            None => self.first.pop(),
            Some(at) => self.rest[at].pop(),
        }
    }

    /// Removes a tenant; the last one moves into its slot.
    ///
    /// # Panics
    /// If there is no such slot.
    pub(crate) fn swap_remove(&mut self, index: Index) -> T {
        let is_last = index.0 as usize + 1 == self.len;
        match self.pop() {
            Some(last) if is_last => last,
            Some(last) => mem::replace(&mut self[index], last),
            None => panic!("there is no tenant"),
        }
    }

    /// The slot whose tenant the next removal moves.
    pub(crate) fn last(&self) -> Option<Index> {
        self.len
            .checked_sub(1)
            .map(|position| Index(position as u32))
    }

    /// The tenant at a position, which may lead nowhere.
    #[inline]
    pub(crate) fn get(&self, position: u32) -> Option<&T> {
        let position = position as usize;
        match self.first.get(position) {
            Some(tenant) => Some(tenant),
            None => {
                let piece = (position / Self::PIECE).wrapping_sub(1);
                self.rest.get(piece)?.get(position % Self::PIECE)
            }
        }
    }

    /// As [`get`](Self::get), to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, position: u32) -> Option<&mut T> {
        let position = position as usize;
        match self.first.get_mut(position) {
            Some(tenant) => Some(tenant),
            None => {
                let piece = (position / Self::PIECE).wrapping_sub(1);
                self.rest.get_mut(piece)?.get_mut(position % Self::PIECE)
            }
        }
    }

    /// Up to `count` tenants from `first` on, side by side.
    ///
    /// Both are to be such that no piece ends between: multiples of a power of two that is no more than a piece.
    #[inline]
    pub(crate) fn group(&self, first: usize, count: usize) -> &[T] {
        let piece = match (first / Self::PIECE).checked_sub(1) {
            None => Some(&self.first),
            Some(at) => self.rest.get(at),
        };
        let tenants = piece.and_then(|piece| piece.get(first % Self::PIECE..));
        let tenants = tenants.unwrap_or_default();
        &tenants[..tenants.len().min(count)]
    }

    /// All tenants in the order of their positions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Index, &T)> {
        let rest = self.rest.iter().flatten();
        (0..).map(Index).zip(self.first.iter().chain(rest))
    }
}

impl<T: Copy> Arena<T> {
    /// Makes it so many slots, all with tenants; new ones are copies of `tenant`.
    pub(crate) fn resize(&mut self, slots: usize, tenant: T) {
        self.reserve_exact(slots.saturating_sub(self.len));
        (self.len..slots).for_each(|_| _ = self.push(tenant));
        (slots..self.len).for_each(|_| _ = self.pop());
        self.shrink_to(slots);
    }
}

/// A copy has memory for its tenants, no more.
impl<T: Clone> Clone for Arena<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.reserve_exact(self.len);
        for (_, tenant) in self.iter() {
            copy.push(tenant.clone());
        }
        copy
    }
}

impl<T> ops::Index<Index> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: Index) -> &T {
        self.get(index.0).unwrap_or_else(|| no_such_slot(index))
    }
}

impl<T> ops::IndexMut<Index> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, index: Index) -> &mut T {
        self.get_mut(index.0).unwrap_or_else(|| no_such_slot(index))
    }
}

#[cold]
#[inline(never)]
fn no_such_slot(index: Index) -> ! {
    panic!("there is no slot {}", index.0)
}

/// Slots of a piece at least, however large they are.
const FEWEST_IN_PIECE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = Arena::<u64>::PIECE;

    fn filled(len: usize) -> Arena<u64> {
        let mut arena = Arena::new();
        (0..len).for_each(|number| _ = arena.push(number as u64));
        arena
    }

    #[test]
    fn growth_moves_no_more_than_one_piece() {
        let mut arena = filled(3 * PIECE);
        let before = [0, PIECE, 2 * PIECE].map(|at| &raw const arena[Index(at as u32)]);
        arena.reserve_exact(PIECE + 1);
        assert_eq!(arena.capacity(), 4 * PIECE + 1);
        (0..PIECE).for_each(|number| _ = arena.push(number as u64));
        let after = [0, PIECE, 2 * PIECE].map(|at| &raw const arena[Index(at as u32)]);
        assert_eq!(before, after);
    }

    #[test]
    fn tenants_are_found_where_they_were_put() {
        for len in [1, 2, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, 4 * PIECE + 7] {
            let mut arena = filled(len);
            let numbers = |arena: &Arena<u64>| -> Vec<u64> {
                arena.iter().map(|(index, _)| arena[index]).collect()
            };
            assert_eq!(numbers(&arena), (0..len as u64).collect::<Vec<_>>());
            assert!(arena.get(len as u32).is_none() && arena.get(u32::MAX).is_none());
            let copy = arena.clone();
            assert_eq!((numbers(&copy), copy.capacity()), (numbers(&arena), len));
            assert_eq!(arena.swap_remove(Index(0)), 0);
            let moved = arena.get(0).copied();
            assert_eq!(moved, (len > 1).then_some(len as u64 - 1));
            while arena.pop().is_some() {}
            assert_eq!((arena.len(), arena.iter().count()), (0, 0));
        }
    }

    #[test]
    fn memory_goes_back_by_whole_pieces() {
        let mut arena = filled(4 * PIECE);
        let mut trims = 0;
        while arena.pop().is_some() {
            trims += usize::from(arena.trim());
            assert!(arena.capacity() - arena.len() < 2 * PIECE);
        }
        assert_eq!((trims, arena.capacity()), (3, PIECE));
        arena.shrink_to(3);
        assert_eq!((arena.capacity(), arena.first.capacity()), (3, 3));
        let mut arena = filled(2 * PIECE);
        arena.reserve_exact(2 * PIECE);
        arena.shrink_to(0);
        assert_eq!((arena.capacity(), arena.rest.len()), (2 * PIECE, 1));
        arena.pop();
        arena.shrink_to(0);
        assert_eq!(arena.capacity(), 2 * PIECE - 1);
        assert_eq!(arena.rest[0].capacity(), PIECE - 1);
    }
}
