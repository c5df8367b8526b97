//! What mimalloc spends on an allocation, as a pure function of its length.
//!
//! The memory limit of the server counts allocations with it, so that the account matches the allocator that
//! this binary uses without asking it.

/// Bytes of the block that mimalloc 3 takes for `len` bytes; at least `len`.
///
/// Up to 64 bytes blocks are multiples of 8 (of 16 above 8: alignment); above, there are four sizes for each
/// power of two. Beyond [`LARGEST_CLASS`] an allocation has pages of its own, counted in steps of 64 KiB.
pub(crate) const fn size_class(len: usize) -> usize {
    match len {
        0..=8 => 8,
        9..=64 => round_up(len, 16),
        65..=LARGEST_CLASS => {
            // Four steps between a power of two and the next.
            let power = (len - 1).ilog2();
            round_up(len, 1 << (power - 2))
        }
        _ => round_up(len, OWN_PAGES),
    }
}

const fn round_up(len: usize, step: usize) -> usize {
    len.div_ceil(step).saturating_mul(step)
}

/// Longest allocation that shares a page with others.
const LARGEST_CLASS: usize = 512 << 10;
/// Step of longer ones: mimalloc's arena slice.
const OWN_PAGES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_mimallocs() {
        for (len, class) in [
            (0, 8),
            (8, 8),
            (9, 16),
            (24, 32),
            (64, 64),
            (65, 80),
            (80, 80),
            (81, 96),
            (113, 128),
            (128, 128),
            (129, 160),
            (1000, 1024),
            (1025, 1280),
            (LARGEST_CLASS, LARGEST_CLASS),
            (LARGEST_CLASS + 1, LARGEST_CLASS + OWN_PAGES),
        ] {
            assert_eq!(size_class(len), class, "{len}");
        }
    }

    #[test]
    fn a_class_is_never_less_than_asked_nor_smaller_than_that_of_less() {
        let mut before = 0;
        for len in (0..2_000_000).chain([usize::MAX - 1, usize::MAX]) {
            let class = size_class(len);
            assert!(class >= len && class >= before, "{len}");
            before = class;
        }
    }
}
