//! What will happen, and when: a heap of small entries, the events themselves beside it.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use slab::Slab;

use super::event::Event;
use crate::time::Instant;

/// Events in the order of their time; those of the same time in the order in which they were added.
#[derive(Default)]
pub(super) struct Agenda {
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    events: Slab<Event>,
    sequence: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        let slot = self.events.insert(event);
        self.order.push(Reverse((at, self.sequence, slot)));
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Event)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        Some((at, self.events.try_remove(slot)?))
    }
}
