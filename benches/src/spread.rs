//! What a handful of measurements says: the median, and how far the middle half lies apart.

/// Median and quartiles of some numbers.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the numbers is smaller.
    pub low: f64,
    /// Half of the numbers are smaller.
    pub median: f64,
    /// Three quarters of the numbers are smaller.
    pub high: f64,
}

impl Spread {
    /// The spread of `numbers`; all zero if there are none.
    #[must_use]
    pub fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let at = |quarter: usize| {
            numbers
                .get(numbers.len() * quarter / 4)
                .copied()
                .unwrap_or(0.0)
        };
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}
