//! [`List`] in an [`Arena`] against a plain list.

use alloc::collections::VecDeque;

use crate::arena::Arena;
use crate::list::{List, Node};

/// Runs `program` against [`List`] and a plain list, and compares them after each step.
///
/// Each byte chooses an operation, and a node by its rank in the order of use.
///
/// # Panics
/// If the two differ, or a link is broken.
pub fn run(program: &[u8]) {
    let (mut nodes, mut order) = (Arena::<Node<usize>>::new(), List::new());
    // Numbers of the nodes, newest first.
    let mut naive: VecDeque<usize> = VecDeque::new();
    for (step, &byte) in program.iter().enumerate() {
        let rank = usize::from(byte / 4) % naive.len().max(1);
        let chosen = naive.get(rank).copied();
        let index = nodes
            .iter()
            .find(|(_, node)| Some(node.entry) == chosen)
            .map(|(index, _)| index);
        match index.filter(|_| byte % 4 != 0) {
            None => {
                let index = nodes.push(Node::new(step));
                order.push_newest(&mut nodes, index);
                naive.push_front(step);
            }
            Some(index) if byte % 4 == 1 => {
                let is_last = nodes.last() == Some(index);
                order.unlink(&mut nodes, index);
                assert_eq!(Some(nodes.swap_remove(index).entry), naive.remove(rank));
                if !is_last {
                    order.follow(&mut nodes, index);
                }
            }
            Some(index) => {
                order.promote(&mut nodes, index);
                let promoted = naive.remove(rank);
                naive.extend(promoted);
                naive.rotate_right(1);
            }
        }
        compare(&nodes, &order, &naive);
    }
}

fn compare(nodes: &Arena<Node<usize>>, order: &List, naive: &VecDeque<usize>) {
    assert_eq!(nodes.len(), naive.len());
    let (mut newer, mut next) = (None, order.newest());
    for &number in naive {
        let index = next.unwrap_or_else(|| panic!("the list ends before {number}"));
        assert_eq!(nodes[index].entry, number);
        assert_eq!(nodes[index].newer(), newer, "links lead to and fro");
        (newer, next) = (next, nodes[index].older());
    }
    assert_eq!((order.oldest(), next), (newer, None));
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
