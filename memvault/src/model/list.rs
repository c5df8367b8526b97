//! [`List`] in an [`Arena`] against a plain list.

use alloc::collections::VecDeque;

use crate::arena::{Arena, Index};
use crate::list::{List, Node};

/// Runs `program` against [`List`] and a plain list, and compares them after each step.
///
/// Each byte chooses an operation, and a node by its rank in the order of use.
///
/// # Panics
/// If the two differ, or a link is broken.
pub fn run(program: &[u8]) {
    let (mut nodes, mut order) = (Arena::new(), List::new());
    let mut naive: VecDeque<Index> = VecDeque::new();
    for (step, &byte) in program.iter().enumerate() {
        let (operation, rank) = (byte % 4, usize::from(byte / 4));
        match (operation, naive.len()) {
            (0, _) | (_, 0) => {
                let index = nodes.insert(Node::new(step));
                order.push_newest(&mut nodes, index);
                naive.push_front(index);
            }
            (1, len) => {
                let index = naive.remove(rank % len).unwrap_or_else(|| unreachable!());
                let tenant = nodes[index].entry;
                order.unlink(&mut nodes, index);
                assert_eq!(nodes.remove(index).entry, tenant);
            }
            (_, len) => {
                let index = naive.remove(rank % len).unwrap_or_else(|| unreachable!());
                order.promote(&mut nodes, index);
                naive.push_front(index);
            }
        }
        compare(&nodes, &order, &naive);
    }
}

fn compare(nodes: &Arena<Node<usize>>, order: &List, naive: &VecDeque<Index>) {
    assert_eq!(nodes.len(), naive.len());
    assert_eq!(order.newest(), naive.front().copied());
    assert_eq!(order.oldest(), naive.back().copied());
    for (rank, &index) in naive.iter().enumerate() {
        assert_eq!(nodes[index].older(), naive.get(rank + 1).copied());
        let newer = rank.checked_sub(1).and_then(|rank| naive.get(rank));
        assert_eq!(nodes[index].newer(), newer.copied());
    }
    assert!(nodes.iter().all(|(index, _)| naive.contains(&index)));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn links_follow_a_list() {
        fn property(program: Vec<u8>) {
            run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(300, 3))
            .tests(300)
            .quickcheck(property as fn(Vec<u8>));
    }
}
