//! Commands out of the bytes of a program.

use alloc::vec;
use alloc::vec::Vec;

use crate::command::lookup;

/// The rest of a program; zeros when it is used up.
pub(super) struct Source<'a>(pub(super) &'a [u8]);

impl Source<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// A command: sometimes one that does not exist, or with too many or too few arguments.
    pub(super) fn command(&mut self) -> Vec<Vec<u8>> {
        let name = self.byte();
        let mut words: Vec<Vec<u8>> = match NAMES.get(usize::from(name) % (NAMES.len() + 1)) {
            Some(name) => vec![name.as_bytes().to_vec()],
            None => vec![self.raw()],
        };
        if usize::from(name) % (NAMES.len() + 1) == NAMES.len() {
            // Whatever it is, it is no name of the table.
            words[0].push(b'?');
        }
        let arity = lookup(&words[0]).map_or(2, |spec| spec.arity);
        let kind = self.byte();
        let least = usize::from(arity.unsigned_abs());
        let spare = if arity < 0 && words[0].as_slice() != b"ping" {
            usize::from(kind / 16 % 5)
        } else {
            0
        };
        let wanted = if kind.is_multiple_of(16) {
            usize::from(kind / 16)
        } else {
            least + spare
        };
        while words.len() < wanted {
            let word = self.word(words.len());
            words.push(word);
        }
        if words[0] == b"setrange"
            && let Some(offset) = words.get_mut(2)
        {
            // Longer values would only make it slow.
            offset.truncate(3);
        }
        words
    }

    /// An argument that makes sense at this position more often than not.
    fn word(&mut self, position: usize) -> Vec<u8> {
        const KEYS: [&str; 5] = ["a", "b", "c", "", "key"];
        const NUMBERS: [&str; 15] = [
            "1",
            "2",
            "1000",
            "1001",
            "59999",
            "100000",
            "1001500",
            "0",
            "-1",
            "9223372036854775807",
            "9223372036854775",
            "-9223372036854775808",
            "-3",
            "abc",
            "01",
        ];
        const OPTIONS: [&str; 13] = [
            "NX", "xx", "GET", "KEEPTTL", "EX", "px", "EXAT", "PXAT", "gt", "LT", "ASYNC", "sync",
            "persist",
        ];
        let byte = self.byte();
        let of = |list: &[&str]| list[usize::from(byte / 4) % list.len()].as_bytes().to_vec();
        match (byte % 4, position) {
            (0, _) if byte > 250 => self.raw(),
            (0 | 1, 1) | (0, 3) => of(&KEYS),
            (0 | 1, 2) | (0, _) => of(&NUMBERS),
            (1, _) => of(&OPTIONS),
            (2, 3..) => of(&OPTIONS),
            (2, _) => of(&KEYS),
            _ => of(&NUMBERS),
        }
    }

    fn raw(&mut self) -> Vec<u8> {
        (0..self.byte() % 20).map(|_| self.byte()).collect()
    }
}

const NAMES: [&str; 38] = [
    "get",
    "SET",
    "Set",
    "sEt",
    "set",
    "mget",
    "mset",
    "getdel",
    "del",
    "unlink",
    "exists",
    "ttl",
    "pttl",
    "expiretime",
    "pexpiretime",
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "persist",
    "type",
    "strlen",
    "dbsize",
    "flushall",
    "setnx",
    "setex",
    "psetex",
    "getset",
    "ping",
    "append",
    "decr",
    "decrby",
    "getex",
    "getrange",
    "incr",
    "incrby",
    "setrange",
    "substr",
];
