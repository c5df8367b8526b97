//! Keys as popular as Zipf's law has them.

use fastrand::Rng;

/// Draws ranks from 0 (the most popular) to `n - 1`, rank `k` in proportion to `1 / (k + 1)^exponent`.
///
/// Rejection-inversion (Hörmann and Derflinger, ACM TOMACS 6, 1996): O(1) for each draw and nothing to
/// prepare, for any exponent from 0 on.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    n: f64,
    exponent: f64,
    /// Area of the hat up to half a step before rank 1, and up to half a step behind rank n.
    area: (f64, f64),
    /// A point this close to its rank is accepted without a look at the area.
    squeeze: f64,
}

impl Zipf {
    pub(super) fn new(n: usize, exponent: f64) -> Self {
        let mut zipf = Self {
            n: n as f64,
            exponent,
            area: (0.0, 0.0),
            squeeze: 0.0,
        };
        zipf.area = (zipf.integral(1.5) - 1.0, zipf.integral(zipf.n + 0.5));
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let (first, last) = self.area;
        loop {
            let area = last + rng.f64() * (first - last);
            let point = self.inverse(area);
            let rank = point.round().clamp(1.0, self.n);
            if rank - point <= self.squeeze || area >= self.integral(rank + 0.5) - self.hat(rank) {
                return rank as usize - 1;
            }
        }
    }

    /// The law, not normalised, between the ranks too.
    fn hat(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Area under the hat from 1 to `x`.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let t = (1.0 - self.exponent) * log;
        // (e^t - 1) / t goes to 1 with t: exponent 1 needs no case of its own.
        let factor = if t.abs() < 1e-8 {
            1.0 + t / 2.0
        } else {
            t.exp_m1() / t
        };
        factor * log
    }

    /// Where the area under the hat from 1 is `area`.
    fn inverse(&self, area: f64) -> f64 {
        let t = ((1.0 - self.exponent) * area).max(-1.0);
        let factor = if t.abs() < 1e-8 {
            1.0 - t / 2.0
        } else {
            t.ln_1p() / t
        };
        (factor * area).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_as_frequent_as_the_law_has_them() {
        const DRAWS: usize = 200_000;
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.5, 3.0] {
            let n = 20;
            let zipf = Zipf::new(n, exponent);
            let mut rng = Rng::with_seed(7);
            let mut found = vec![0_usize; n];
            for _ in 0..DRAWS {
                found[zipf.draw(&mut rng)] += 1;
            }
            let weight = |rank: usize| ((rank + 1) as f64).powf(-exponent);
            let total: f64 = (0..n).map(weight).sum();
            for (rank, &found) in found.iter().enumerate() {
                let expected = DRAWS as f64 * weight(rank) / total;
                let tolerance = 6.0 * expected.sqrt() + 3.0;
                assert!(
                    (found as f64 - expected).abs() < tolerance,
                    "exponent {exponent}, rank {rank}: {found} of {expected}"
                );
            }
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        let mut rng = Rng::with_seed(1);
        for (n, exponent) in [(1, 0.0), (1, 2.0), (2, 10.0), (1_000_000_000, 0.0)] {
            let zipf = Zipf::new(n, exponent);
            for _ in 0..1000 {
                assert!(zipf.draw(&mut rng) < n);
            }
        }
    }
}
