//! Commands on keys of several shards: split into one part per shard, and the replies put together again.
//!
//! Place: for a server that splits the key space over several stores, one per thread. Each part is a
//! command of its own, with the same name; carried out, it gives a reply that [`Gather`] takes.
//! Limits: the parts take effect one by one, not at once.

use alloc::vec;
use alloc::vec::Vec;

use super::data::Data;
use super::owned::OwnedArgs;
use crate::resp::{Args, encode};

/// Which shards have to do with a command.
///
/// Complete: a server with shards must act on each of them.
#[derive(Debug)]
pub enum Placement {
    /// One alone: it takes the command as it is.
    One(usize),
    /// Several: each takes its part.
    Several(Vec<Part>, Gather),
}

/// The part of a command that one shard carries out.
#[derive(Clone, Debug)]
pub struct Part {
    /// The shard.
    pub shard: usize,
    /// The command.
    pub args: OwnedArgs,
}

/// The replies of the parts, as far as they are known.
#[derive(Debug)]
pub struct Gather {
    kind: Kind,
    /// By part: where its keys stand in the whole command, and its reply.
    parts: Vec<(Vec<u32>, Option<Vec<u8>>)>,
    left: usize,
}

/// How the replies make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All are OK.
    Done,
    /// Numbers, which add up.
    Sum,
    /// Arrays, whose elements go where the keys were.
    Values,
}

/// Finds the shards, out of `shards`, that have to do with a command; `shard_of` places a key.
///
/// A command without keys that is not on all of them belongs to shard 0. Linear in the arguments.
///
/// # Examples
/// ```
/// use memvault::command::{Command, Context, Placement, place};
/// use memvault::resp::{CommandDecoder, Limits};
/// use memvault::time::Timestamp;
///
/// let mut decoder = CommandDecoder::new(Limits::default());
/// let decoded = decoder.decode(b"MGET a1 b0 c1\r\n")?.expect("a whole line");
/// let context = Context { now: Timestamp::from_millis(0), max_key_len: 1024, max_value_len: 4096 };
/// let Ok(Command::Data(command)) = Command::parse(&decoded.args, &context) else { panic!() };
///
/// let by_last_digit = |key: &[u8]| usize::from(key[key.len() - 1] - b'0');
/// let Placement::Several(parts, mut gather) = place(&decoded.args, &command, 2, by_last_digit) else { panic!() };
/// assert_eq!(parts[1].args.as_args().iter().collect::<Vec<_>>(), [b"MGET".as_slice(), b"a1", b"c1"]);
/// gather.add(0, b"*1\r\n$1\r\nB\r\n");
/// gather.add(1, b"*2\r\n$1\r\nA\r\n$-1\r\n");
/// let mut reply = Vec::new();
/// assert!(gather.is_complete());
/// gather.encode(&mut reply);
/// assert_eq!(reply, b"*3\r\n$1\r\nA\r\n$1\r\nB\r\n$-1\r\n");
/// # Ok::<(), memvault::resp::DecodeError>(())
/// ```
pub fn place(
    args: &Args<'_>,
    command: &Data<'_>,
    shards: usize,
    shard_of: impl Fn(&[u8]) -> usize,
) -> Placement {
    let (kind, step) = match command {
        Data::GetMany(_) => (Kind::Values, 1),
        Data::Delete(_) | Data::Exists(_) => (Kind::Sum, 1),
        Data::SetMany(_) => (Kind::Done, 2),
        Data::Count | Data::Flush if shards > 1 => return everywhere(args, command, shards),
        _ => return Placement::One(command.keys().next().map_or(0, shard_of)),
    };
    let mut placed = command.keys().map(&shard_of);
    let first = placed.next().unwrap_or(0);
    if placed.all(|shard| shard == first) {
        return Placement::One(first);
    }
    let mut split = Split::new(args, shards);
    for (number, key) in (0u32..).zip(command.keys()) {
        let start = 1 + number as usize * step;
        split.add(
            shard_of(key),
            number,
            (start..start + step).filter_map(|at| args.get(at)),
        );
    }
    split.finish(kind)
}

fn everywhere(args: &Args<'_>, command: &Data<'_>, shards: usize) -> Placement {
    let kind = if matches!(command, Data::Count) {
        Kind::Sum
    } else {
        Kind::Done
    };
    let parts = (0..shards).map(|shard| Part {
        shard,
        args: OwnedArgs::from(args),
    });
    Placement::Several(
        parts.collect(),
        Gather {
            kind,
            parts: vec![(Vec::new(), None); shards],
            left: shards,
        },
    )
}

/// The parts, as far as they are collected.
struct Split<'a> {
    name: &'a [u8],
    /// By shard: its place among the parts.
    places: Vec<Option<usize>>,
    parts: Vec<Part>,
    positions: Vec<Vec<u32>>,
}

impl<'a> Split<'a> {
    fn new(args: &Args<'a>, shards: usize) -> Self {
        Self {
            name: args.get(0).unwrap_or(&[]),
            places: vec![None; shards],
            parts: Vec::new(),
            positions: Vec::new(),
        }
    }

    fn add(&mut self, shard: usize, number: u32, arguments: impl Iterator<Item = &'a [u8]>) {
        if self.places.len() <= shard {
            self.places.resize(shard + 1, None);
        }
        let place = *self.places[shard].get_or_insert_with(|| {
            let mut args = OwnedArgs::default();
            args.push(self.name);
            self.parts.push(Part { shard, args });
            self.positions.push(Vec::new());
            self.parts.len() - 1
        });
        for argument in arguments {
            self.parts[place].args.push(argument);
        }
        self.positions[place].push(number);
    }

    fn finish(mut self, kind: Kind) -> Placement {
        // By shard, so that the order of the parts depends on nothing else.
        let mut order: Vec<_> = self
            .parts
            .into_iter()
            .zip(self.positions.drain(..))
            .collect();
        order.sort_by_key(|(part, _)| part.shard);
        let left = order.len();
        let (parts, positions): (Vec<_>, Vec<_>) = order.into_iter().unzip();
        let parts_left = positions.into_iter().map(|positions| (positions, None));
        let gather = Gather {
            kind,
            parts: parts_left.collect(),
            left,
        };
        Placement::Several(parts, gather)
    }
}

impl Gather {
    /// Takes the reply of the part at `position` among the parts. A second one counts for nothing.
    pub fn add(&mut self, position: usize, reply: &[u8]) {
        if let Some((_, known @ None)) = self.parts.get_mut(position) {
            *known = Some(reply.to_vec());
            self.left -= 1;
        }
    }

    /// Whether the replies of all parts are there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Appends the reply of the whole command: the first error, if a part failed.
    ///
    /// A part whose reply is missing, or is none, counts as one that found nothing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let replies = || self.parts.iter().filter_map(|(_, reply)| reply.as_deref());
        if let Some(error) = replies().find(|reply| reply.starts_with(b"-")) {
            return out.extend_from_slice(error);
        }
        match self.kind {
            Kind::Done => encode::ok(out),
            Kind::Sum => {
                let sum: i64 = replies().filter_map(number).sum();
                encode::integer(out, sum);
            }
            Kind::Values => self.values(out),
        }
    }

    fn values(&self, out: &mut Vec<u8>) {
        let count = self.parts.iter().map(|(keys, _)| keys.len()).sum();
        let mut elements: Vec<&[u8]> = vec![b"$-1\r\n"; count];
        for (positions, reply) in &self.parts {
            let mut rest = reply.as_deref().unwrap_or(&[]);
            if let Some((_, tail)) = line(rest) {
                rest = tail;
            }
            for position in positions {
                let Some((element, tail)) = element(rest) else {
                    break;
                };
                elements[*position as usize] = element;
                rest = tail;
            }
        }
        encode::array(out, count);
        out.reserve(elements.iter().map(|element| element.len()).sum());
        for element in elements {
            out.extend_from_slice(element);
        }
    }
}

/// Splits off the first line, with its end.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some(bytes.split_at(end + 1))
}

/// The number in a line such as `:12`.
pub(crate) fn number(reply: &[u8]) -> Option<i64> {
    let digits = reply.get(1..)?.strip_suffix(b"\r\n")?;
    super::number::integer(digits)
}

/// Splits off the first element of an array: a bulk string, or null.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, _) = line(bytes)?;
    let len = match header {
        [b'$', b'-', ..] | [b'_', ..] => header.len(),
        _ => header.len() + usize::try_from(number(header)?).ok()? + 2,
    };
    bytes.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Context};
    use crate::resp::{CommandDecoder, Limits, Protocol};
    use crate::store::{Config, Store};
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_millis(1_000);
    const SHARDS: usize = 3;

    fn store() -> Store {
        Store::new(
            Config::default(),
            ahash::RandomState::with_seeds(1, 2, 3, 4),
        )
    }

    fn with_command<R>(line: &str, then: impl FnOnce(&Args<'_>, &Data<'_>) -> R) -> R {
        let mut decoder = CommandDecoder::new(Limits::default());
        let decoded = decoder.decode(line.as_bytes()).unwrap().unwrap();
        let context = Context {
            now: NOW,
            max_key_len: 100,
            max_value_len: 1000,
        };
        match Command::parse(&decoded.args, &context) {
            Ok(Command::Data(command)) => then(&decoded.args, &command),
            other => panic!("{line}: {other:?}"),
        }
    }

    fn run(store: &mut Store, args: &Args<'_>) -> Vec<u8> {
        let context = Context {
            now: NOW,
            max_key_len: 100,
            max_value_len: 1000,
        };
        let mut reply = Vec::new();
        if let Ok(Command::Data(command)) = Command::parse(args, &context) {
            store.execute(NOW, Protocol::Resp2, &command, &mut reply);
        }
        reply
    }

    fn run_on_shards(shards: &mut [Store], line: &str) -> Vec<u8> {
        let shard_of = |key: &[u8]| usize::from(key[0]) % SHARDS;
        with_command(line, |args, command| {
            match place(args, command, SHARDS, shard_of) {
                Placement::One(shard) => run(&mut shards[shard], args),
                Placement::Several(parts, mut gather) => {
                    // The last part first: the order does not matter.
                    for (position, part) in parts.iter().enumerate().rev() {
                        assert!(!gather.is_complete());
                        gather.add(
                            position,
                            &run(&mut shards[part.shard], &part.args.as_args()),
                        );
                    }
                    assert!(gather.is_complete());
                    let mut reply = Vec::new();
                    gather.encode(&mut reply);
                    reply
                }
            }
        })
    }

    #[test]
    fn shards_together_answer_as_one_store_does() {
        let mut one = store();
        let mut shards = [store(), store(), store()];
        for line in [
            "MSET a 1 b 22 c 333 d 4444 a 5\r\n",
            "MGET a b c d e a\r\n",
            "DBSIZE\r\n",
            "DEL a a x b\r\n",
            "EXISTS c c a d\r\n",
            "MGET a d\r\n",
            "SET b 'x\ry' EX 10\r\n",
            "TTL b\r\n",
            "UNLINK c d\r\n",
            "MGET b c a\r\n",
            "FLUSHALL\r\n",
            "DBSIZE\r\n",
        ] {
            let expected = with_command(line, |args, _| run(&mut one, args));
            let replied = run_on_shards(&mut shards, line);
            assert_eq!(
                replied.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{line}"
            );
        }
    }

    #[test]
    fn one_part_that_fails_makes_the_whole_fail() {
        with_command("MSET a 1 b 2\r\n", |args, command| {
            let Placement::Several(parts, mut gather) =
                place(args, command, SHARDS, |key| usize::from(key[0]) % SHARDS)
            else {
                panic!("two shards")
            };
            assert_eq!(parts.len(), 2);
            gather.add(0, b"+OK\r\n");
            gather.add(1, b"-OOM\r\n");
            gather.add(1, b"+OK\r\n");
            let mut reply = Vec::new();
            gather.encode(&mut reply);
            assert_eq!(reply, b"-OOM\r\n");
        });
    }

    use std::string::ToString;
}
