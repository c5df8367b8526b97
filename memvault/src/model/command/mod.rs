//! Commands as bytes through [`Connection`] and [`Store`], against a plain map with a clock; and the parser
//! against a writer of its own.

mod naive;
mod source;
mod written;

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::connection::{Buffers, Config, Connection, Progress};
use crate::resp::encode;
use crate::store::{self, Store};
use crate::time::Timestamp;
use naive::Naive;
use source::Source;

/// Makes commands of `program`, many of them wrong, and executes them in batches on a store, once with each
/// batch in one piece and once in pieces, while time goes on between batches.
///
/// Five bytes or more choose a command: a name, how many arguments, and each argument out of a few.
///
/// # Panics
/// If replies differ from those of a plain map, or if a parsed command that is written out again is parsed
/// as another one.
pub fn run(program: &[u8]) {
    let mut source = Source(program);
    let (mut whole, mut pieces) = (Client::new(), Client::new());
    let mut naive = Naive::default();
    let mut now = 1_000_000;
    while !source.0.is_empty() {
        now += [0, 1, 500, 1_000, 60_000][usize::from(source.byte() % 5)];
        let commands: Vec<_> = (0..=source.byte() % 8).map(|_| source.command()).collect();
        let mut expected = Vec::new();
        let mut bytes = Vec::new();
        for command in &commands {
            let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            encode::command(&mut bytes, &args);
            naive.answer(Timestamp::from_millis(now), command, &mut expected);
        }
        let whole = whole.send(now, &bytes, |len| len);
        let pieces = pieces.send(now, &bytes, |len| 1 + usize::from(source.byte()) % len);
        for replied in [whole, pieces] {
            assert_eq!(
                replied.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{commands:?} at {now}"
            );
        }
    }
}

/// A connection to a store of its own.
struct Client {
    connection: Connection,
    store: Store,
    buffers: Buffers,
}

impl Client {
    fn new() -> Self {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        Self {
            connection: Connection::new(1, "model", Config::default()),
            store: Store::new(store::Config::default(), hasher),
            buffers: Buffers::default(),
        }
    }

    /// Sends `bytes` in pieces; `piece` says how long the next is, of so many bytes that are left.
    fn send(
        &mut self,
        now: u64,
        mut bytes: &[u8],
        mut piece: impl FnMut(usize) -> usize,
    ) -> Vec<u8> {
        let mut replies = Vec::new();
        let connection = &mut self.connection;
        // What expires between commands goes with these: time passes before them alone.
        self.store
            .purge_expired(Timestamp::from_millis(now), usize::MAX);
        while !bytes.is_empty() {
            let (first, rest) = bytes.split_at(piece(bytes.len()).min(1024));
            bytes = rest;
            connection.borrow_buffers(&mut self.buffers);
            connection.input_space()[..first.len()].copy_from_slice(first);
            connection.commit(first.len());
            let progress = connection.process(Timestamp::from_millis(now), &mut self.store);
            assert_eq!(progress, Progress::NeedInput);
            replies.extend_from_slice(connection.output());
            connection.consume_output(connection.output().len());
            connection.return_buffers(&mut self.buffers);
        }
        self.store.entries().check_invariants();
        assert_eq!(self.connection.input(), b"");
        replies
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn commands_as_bytes_behave_as_a_map_with_a_clock_however_the_bytes_are_split() {
        fn property(program: Vec<u8>) {
            run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(3_000, 1))
            .tests(300)
            .quickcheck(property as fn(Vec<u8>));
    }
}
