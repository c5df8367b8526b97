//! How the limits of a store are split over the threads.

/// The limits of all stores together; `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) max_bytes: Option<usize>,
    pub(super) max_entries: Option<usize>,
}

impl Limits {
    /// The share of one of `threads` threads: an even one, and the rest for the first.
    pub(super) fn share(self, thread: usize, threads: usize) -> Self {
        let share = |total: usize| {
            let rest = if thread == 0 { total % threads } else { 0 };
            // A store that may hold nothing would refuse its keys for ever.
            (total / threads + rest).max(usize::from(total > 0))
        };
        Self {
            max_bytes: self.max_bytes.map(share),
            max_entries: self.max_entries.map(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_and_each_is_something() {
        let limits = |total| Limits {
            max_bytes: None,
            max_entries: Some(total),
        };
        for threads in 2..9 {
            for total in threads..100 {
                let shares = (0..threads).map(|thread| limits(total).share(thread, threads));
                let shares: Vec<usize> = shares.filter_map(|share| share.max_entries).collect();
                assert_eq!(shares.iter().sum::<usize>(), total);
                assert!(shares.iter().all(|share| *share >= total / threads));
            }
            let share = limits(1).share(threads - 1, threads);
            assert_eq!(share, limits(1));
            assert_eq!(limits(0).share(0, threads), limits(0));
            assert_eq!(Limits::default().share(0, threads), Limits::default());
        }
    }
}
