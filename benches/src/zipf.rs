//! Seeded keys with a Zipf distribution: key of rank r in proportion to 1 / r^s.

use fastrand::Rng;

/// `count` keys below `universe`, with exponent `s`; the same for the same `seed`.
///
/// Ranks are scattered over the keys, so that neighbours in number are not neighbours in popularity. The
/// distribution is exact: by its cumulative sums, 8 bytes for each key of the universe while it runs.
#[must_use]
pub fn keys(count: usize, universe: usize, s: f64, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=universe)
        .map(|rank| {
            sum += (rank as f64).powf(-s);
            sum
        })
        .collect();
    let mut rng = Rng::with_seed(seed);
    let mut scattered: Vec<u64> = (0..universe as u64).collect();
    rng.shuffle(&mut scattered);
    let draw = |_| {
        let point = rng.f64() * sum;
        scattered[cumulative
            .partition_point(|&upto| upto <= point)
            .min(universe - 1)]
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ranks_come_as_often_as_they_should() {
        let keys = keys(200_000, 1_000, 1.0, 1);
        let mut counts = vec![0_u32; 1_000];
        for key in keys {
            counts[key as usize] += 1;
        }
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // 200 000 / (1 + 1/2 + ... + 1/1000) = 26 719 for the first rank.
        assert!((25_000..28_500).contains(&counts[0]), "{}", counts[0]);
        assert!((12_500..14_300).contains(&counts[1]), "{}", counts[1]);
    }
}
