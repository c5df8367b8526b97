//! [`AvlTree`] against the standard library's ordered map.

use alloc::collections::BTreeMap;

use crate::avl::AvlTree;

/// Runs `program`, two bytes per operation, on both maps and compares every answer.
///
/// # Panics
///
/// Panics where the two differ or an invariant of the tree is broken.
pub fn run(program: &[u8]) {
    let mut tree = AvlTree::new();
    let mut naive = BTreeMap::new();
    for (step, operation) in program.chunks_exact(2).enumerate() {
        let key = operation[1];
        match operation[0] % 8 {
            0..=3 => assert_eq!(tree.insert(key, step), naive.insert(key, step)),
            4 | 5 => assert_eq!(tree.remove(&key), naive.remove(&key)),
            6 => assert_eq!(
                tree.get_mut(&key).map(|value| *value = step),
                naive.get_mut(&key).map(|value| *value = step)
            ),
            _ if operation[0] == 255 => {
                tree.clear();
                naive.clear();
            }
            _ => {}
        }
        tree.check_invariants();
        compare(&tree, &naive, key);
    }
    let in_tree = tree.iter();
    assert!(in_tree.eq(naive.iter()));
}

fn compare(tree: &AvlTree<u8, usize>, naive: &BTreeMap<u8, usize>, key: u8) {
    assert_eq!(tree.len(), naive.len());
    assert_eq!(tree.is_empty(), naive.is_empty());
    assert_eq!(tree.get(&key), naive.get(&key));
    assert_eq!(tree.first(), naive.first_key_value());
    assert_eq!(tree.last(), naive.last_key_value());
    assert_eq!(tree.ceiling(&key), naive.range(key..).next());
    let after = (core::ops::Bound::Excluded(key), core::ops::Bound::Unbounded);
    assert_eq!(tree.successor(&key), naive.range(after).next());
    assert!(tree.iter_from(&key).eq(naive.range(key..)));
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    quickcheck! {
        fn the_tree_equals_the_naive_map(program: Vec<u8>) -> bool {
            super::run(&program);
            true
        }
    }

    #[test]
    fn ascending_descending_and_zigzag_orders_stay_balanced() {
        let ascending = (0..=255).map(|key| [0, key]);
        let descending = (0..=255).rev().map(|key| [0, key]);
        let zigzag = (0..=255u8).map(|key| [0, if key % 2 == 0 { key } else { 255 - key }]);
        let removals: Vec<[u8; 2]> = (0..=255u8).map(|key| [4, key.wrapping_mul(37)]).collect();
        for inserts in [
            ascending.collect::<Vec<_>>(),
            descending.collect(),
            zigzag.collect(),
        ] {
            super::run(&[inserts, removals.clone()].concat().concat());
        }
    }
}
