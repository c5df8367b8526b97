//! What a thread of the load generator asks for.

use std::io::Write;

use fastrand::Rng;
use memvault::resp::encode;

use super::zipf::Zipf;
use crate::args::bench::Data;

/// Which of the two commands a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Set,
}

/// Makes one request after the other, the same ones for the same seed.
pub(super) struct Workload {
    rng: Rng,
    zipf: Zipf,
    gets: u32,
    all: u32,
    value: Vec<u8>,
    key: Vec<u8>,
}

impl Workload {
    /// The requests of the thread with number `thread`.
    pub(super) fn new(data: &Data, thread: usize) -> Self {
        let seed = data.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thread as u64;
        let mut rng = Rng::with_seed(seed);
        let value = (0..data.value_size)
            .map(|_| rng.alphanumeric() as u8)
            .collect();
        Self {
            rng,
            zipf: Zipf::new(data.keys, data.zipf),
            gets: data.ratio.gets,
            all: data.ratio.gets + data.ratio.sets,
            value,
            key: Vec::new(),
        }
    }

    /// Appends a request for a key by chance.
    pub(super) fn next(&mut self, output: &mut Vec<u8>) -> Kind {
        let number = self.zipf.draw(&mut self.rng);
        if self.rng.u32(..self.all) >= self.gets {
            return self.fill(number, output);
        }
        self.name(number);
        encode::command(output, &[b"GET", &self.key]);
        Kind::Get
    }

    /// Appends a request that sets the key with this number.
    pub(super) fn fill(&mut self, number: usize, output: &mut Vec<u8>) -> Kind {
        self.name(number);
        encode::command(output, &[b"SET", &self.key, &self.value]);
        Kind::Set
    }

    fn name(&mut self, number: usize) {
        self.key.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(self.key, "key:{number:012}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::bench::Ratio;

    #[test]
    fn requests_repeat_with_the_seed_and_keep_to_the_ratio() {
        let data = Data {
            keys: 100,
            zipf: 0.99,
            ratio: Ratio { gets: 3, sets: 1 },
            value_size: 10,
            fill: false,
            seed: 5,
        };
        let run = |thread| {
            let mut workload = Workload::new(&data, thread);
            let mut output = Vec::new();
            let kinds = (0..4000).map(|_| workload.next(&mut output));
            let gets = kinds.filter(|&kind| kind == Kind::Get).count();
            (gets, output)
        };
        let (gets, output) = run(0);
        assert!((2850..3150).contains(&gets), "{gets}");
        assert_eq!(run(0).1, output);
        assert_ne!(run(1).1, output);
    }
}
