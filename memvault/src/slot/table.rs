//! Which nodes hold each slot.

use alloc::vec;
use alloc::vec::Vec;

use super::{SLOTS, Slot};
use crate::ring::{NodeIndex, Ring, Share};

/// The preference list of every slot, as a [`Ring`] says. 32 KiB for each replica.
///
/// ```
/// use memvault::{ring::Ring, slot::{SlotTable, slot_of}};
/// let mut ring = Ring::new();
/// for id in ["a:7001", "b:7001", "c:7001", "d:7001"] {
///     ring.add(id, 1)?;
/// }
/// let table = SlotTable::new(&ring, 3);
/// let list = table.replicas(slot_of(b"user:17"));
/// assert_eq!(list.len(), 3);
/// assert_eq!(table.leader(slot_of(b"user:17")), Some(list[0]));
/// # Ok::<(), memvault::ring::RingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTable {
    /// Invariant: one list after the other, `replicas` of each.
    nodes: Vec<NodeIndex>,
    replicas: usize,
}

impl SlotTable {
    /// The table of a ring with `r` replicas of each slot, or as many as there are nodes.
    ///
    /// O(slots + segments log v), where only segments with a slot in them count, at most 16 384.
    #[must_use]
    pub fn new(ring: &Ring, r: usize) -> Self {
        let replicas = r.min(ring.len());
        let mut nodes = vec![NodeIndex::default(); replicas * usize::from(SLOTS)];
        let mut lists = nodes.chunks_exact_mut(replicas.max(1));
        let mut slots = Slot::all();
        while let (Some(slot), Some(list)) = (slots.next(), lists.next()) {
            // The slots of one segment of the ring have one list.
            let (end, replicas) = ring.segment(slot.token(), r);
            list.iter_mut()
                .zip(replicas)
                .for_each(|(place, node)| *place = node);
            let others = usize::from(Slot::at(end).number() - slot.number());
            for other in lists.by_ref().take(others) {
                other.copy_from_slice(list);
            }
            slots.by_ref().take(others).for_each(drop);
        }
        Self { nodes, replicas }
    }

    /// Brings the table up to date with a ring that `node` has joined. O(slots that it holds, and its virtual nodes,
    /// each with a look-up).
    pub(crate) fn add(&mut self, ring: &Ring, node: NodeIndex) {
        for token in ring.tokens_of(node) {
            let mut slot = Slot::at(token);
            // Backwards for as long as the node is met: one that does not meet it stands before all who do not.
            while !self.replicas(slot).contains(&node) {
                self.ask(ring, slot);
                if !self.replicas(slot).contains(&node) {
                    break;
                }
                slot = slot.before();
            }
        }
    }

    /// Brings the table up to date with a ring that `node` has left. O(slots, and a look-up for each that it held).
    pub(crate) fn remove(&mut self, ring: &Ring, node: NodeIndex) {
        for slot in Slot::all() {
            if self.replicas(slot).contains(&node) {
                self.ask(ring, slot);
            }
        }
    }

    /// Whether it is a table of so many nodes with `r` replicas.
    pub(crate) fn has_replicas(&self, r: usize, nodes: usize) -> bool {
        self.replicas == r.min(nodes)
    }

    fn ask(&mut self, ring: &Ring, slot: Slot) {
        let start = slot.as_usize() * self.replicas;
        let list = self.nodes.iter_mut().skip(start).take(self.replicas);
        let nodes = ring.replicas_of_token(slot.token(), self.replicas);
        list.zip(nodes).for_each(|(place, node)| *place = node);
    }

    /// The nodes that hold a slot, its leader first; none on an empty ring.
    #[must_use]
    pub fn replicas(&self, slot: Slot) -> &[NodeIndex] {
        let start = slot.as_usize() * self.replicas;
        self.nodes
            .get(start..start + self.replicas)
            .unwrap_or_default()
    }

    /// The node that leads a slot; `None` on an empty ring.
    #[must_use]
    pub fn leader(&self, slot: Slot) -> Option<NodeIndex> {
        self.replicas(slot).first().copied()
    }

    /// Computes what each node of the ring holds, in the order of their indices. O(slots · r); allocates.
    #[must_use]
    pub fn shares(&self, ring: &Ring) -> Vec<Share> {
        let last = ring.nodes().last().map_or(0, |node| node.as_usize() + 1);
        let mut held = vec![(0_u32, 0_u32); last];
        for slot in Slot::all() {
            for (place, node) in self.replicas(slot).iter().enumerate() {
                if let Some((leads, holds)) = held.get_mut(node.as_usize()) {
                    *leads += u32::from(place == 0);
                    *holds += 1;
                }
            }
        }
        let fraction = |slots: u32| f64::from(slots) / f64::from(SLOTS);
        let share = |node: NodeIndex| {
            let (leads, holds) = held.get(node.as_usize()).copied().unwrap_or_default();
            Share {
                node,
                leader: fraction(leads),
                replica: fraction(holds),
            }
        };
        ring.nodes().map(share).collect()
    }
}
