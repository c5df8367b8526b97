//! The budget of repeated work: what no dead or silent member explains is at most a tenth of the rest.
//!
//! A request that is late for want of capacity makes everybody later if it is asked once more: the more is late, the
//! more is asked, and it stays so when the load is gone (Bronson et al., Metastable Failures in Distributed Systems,
//! HotOS 2021). With a budget, repeating adds a tenth to the load and no more.

/// Bytes that may be sent again. First attempts earn a tenth of what they send.
#[derive(Debug)]
pub(super) struct Budget {
    /// In tenths of bytes, so that nothing is lost to rounding.
    tenths: u64,
}

/// What one message counts for beside its key and value, in bytes: to handle it takes as long as to copy some KiB.
pub(super) const MESSAGE_BYTES: usize = 2048;
/// Most bytes that can be saved up, and what there is at the start: a hundred small messages. Every node that asks has
/// so many, and together they must not be what a member does in a second, or it is late with nothing else.
const MOST: u64 = 256 << 10;
/// The divisor of the share.
const SHARE: u64 = 10;

impl Budget {
    pub(super) const fn new() -> Self {
        Self {
            tenths: MOST * SHARE,
        }
    }

    /// So many bytes were sent for the first time.
    pub(super) fn earn(&mut self, bytes: usize) {
        let tenths = self.tenths.saturating_add(bytes as u64);
        self.tenths = tenths.min(MOST * SHARE);
    }

    /// Takes what it costs to send so many bytes again. Returns whether there is enough; if not, nothing is taken.
    pub(super) const fn spend(&mut self, bytes: usize) -> bool {
        let cost = (bytes as u64).saturating_mul(SHARE);
        if cost > self.tenths {
            return false;
        }
        self.tenths -= cost;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_long_run_a_tenth_is_repeated() {
        let mut budget = Budget::new();
        while budget.spend(100) {}
        let mut repeated = 0;
        for _ in 0..1000 {
            budget.earn(100);
            repeated += u32::from(budget.spend(100));
        }
        assert!((99..=100).contains(&repeated), "{repeated}");
    }

    #[test]
    fn what_was_saved_up_is_bounded_and_what_costs_more_is_never_repeated() {
        let mut budget = Budget::new();
        budget.earn(1 << 40);
        assert!(!budget.spend(MOST as usize + 1));
        assert!(budget.spend(MOST as usize));
        assert!(!budget.spend(1));
    }
}
