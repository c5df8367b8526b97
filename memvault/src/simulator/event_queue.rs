//! What will happen, and when: a heap of small entries, the events themselves beside it.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use slab::Slab;

use crate::time::Instant;

/// Events in the order of their time; those of the same time in the order in which they were added.
pub(super) struct EventQueue<E> {
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    events: Slab<E>,
    sequence: u64,
}

impl<E> EventQueue<E> {
    pub(super) fn add(&mut self, at: Instant, event: E) {
        self.sequence += 1;
        let slot = self.events.insert(event);
        self.order.push(Reverse((at, self.sequence, slot)));
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        Some((at, self.events.try_remove(slot)?))
    }

    /// The next event, if it comes before `end`.
    pub(super) fn pop_until(&mut self, end: Instant) -> Option<(Instant, E)> {
        let Reverse((at, ..)) = self.order.peek()?;
        (*at < end).then(|| self.pop()).flatten()
    }
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        Self {
            order: BinaryHeap::new(),
            events: Slab::new(),
            sequence: 0,
        }
    }
}
