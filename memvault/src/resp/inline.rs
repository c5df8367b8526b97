//! Inline commands: a line of words, for people with `nc` or `telnet`.
//!
//! ```text
//! SET greeting "hello\r\n" EX 10        a quoted string: \n \r \t \b \a \xHH, and \ before anything else
//! SET greeting 'it\'s raw: \n'          the same without escapes but \'
//! SET user {"name": "Ada", "n": [1]}    a bare JSON object or array, up to its matching bracket
//! SET user{1} plain                     a bracket within a word is a byte like any other
//! ```
//!
//! Quotes are those of Redis: they may also open within a word, and a blank or the end must follow where they
//! close. So are blanks: between words a vertical tab and a form feed are some, within a word they are bytes of it. After the bracket that ends a JSON value, the word goes on: `{user}.name` is one word.
//! Cost: linear in the line, which [`max_inline_len`](super::Limits::max_inline_len) bounds.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

use super::args::Span;
use super::error::DecodeError;

/// The words of the last line, without quotes and escapes, one behind the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) bytes: Vec<u8>,
    /// Brackets that are open, each as the byte that closes it.
    brackets: Vec<u8>,
}

impl Words {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            brackets: Vec::new(),
        }
    }

    /// Gives back memory that only an uncommonly long line needed.
    pub(super) fn forget_large(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            *self = Self::new();
        }
    }

    /// Splits `line` (without its end) into words and appends where they lie to `spans`.
    pub(super) fn split(&mut self, line: &[u8], spans: &mut Vec<Span>) -> Result<(), DecodeError> {
        self.bytes.clear();
        let mut rest = trim_start(line);
        while !rest.is_empty() {
            let start = self.bytes.len();
            rest = trim_start(self.word(rest)?);
            spans.push(Span {
                start: start as u32,
                len: self.bytes.len().wrapping_sub(start) as u32,
            });
        }
        Ok(())
    }

    /// Appends one word to [`bytes`](Self::bytes) and gives what follows it.
    fn word<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let mut rest = match line {
            [b'{' | b'[', ..] => self.json(line)?,
            _ => line,
        };
        loop {
            rest = match rest {
                [b'"', tail @ ..] => return self.double_quoted(tail),
                [b'\'', tail @ ..] => return self.single_quoted(tail),
                [byte, tail @ ..] if !ends_word(*byte) => {
                    self.bytes.push(*byte);
                    tail
                }
                _ => return Ok(rest),
            }
        }
    }

    fn double_quoted<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        loop {
            let (byte, tail) = match rest {
                [b'"', tail @ ..] => return closed(tail),
                [b'\\', b'x', high, low, tail @ ..]
                    if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    (hex(*high) << 4 | hex(*low), tail)
                }
                [b'\\', byte, tail @ ..] => (unescaped(*byte), tail),
                [byte, tail @ ..] => (*byte, tail),
                [] => return Err(DecodeError::UnbalancedQuotes),
            };
            self.bytes.push(byte);
            rest = tail;
        }
    }

    fn single_quoted<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        loop {
            let (byte, tail) = match rest {
                [b'\'', tail @ ..] => return closed(tail),
                [b'\\', b'\'', tail @ ..] => (b'\'', tail),
                [byte, tail @ ..] => (*byte, tail),
                [] => return Err(DecodeError::UnbalancedQuotes),
            };
            self.bytes.push(byte);
            rest = tail;
        }
    }

    /// Appends a JSON object or array as it stands.
    fn json<'a>(&mut self, line: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        self.brackets.clear();
        let mut in_string = false;
        let mut rest = line;
        while let [byte, tail @ ..] = rest {
            rest = tail;
            self.bytes.push(*byte);
            match (*byte, in_string) {
                (b'"', _) => in_string = !in_string,
                (b'\\', true) => {
                    let [escaped, tail @ ..] = rest else { break };
                    self.bytes.push(*escaped);
                    rest = tail;
                }
                (b'{', false) => self.brackets.push(b'}'),
                (b'[', false) => self.brackets.push(b']'),
                (b'}' | b']', false) => {
                    if self.brackets.pop() != Some(*byte) {
                        break;
                    }
                    if self.brackets.is_empty() {
                        return Ok(rest);
                    }
                }
                _ => {}
            }
        }
        Err(DecodeError::UnbalancedQuotes)
    }
}

/// Bytes of words that a connection keeps from one line to the next.
const KEPT_BYTES: usize = 1024;

/// What follows a closing quote, if that may follow it.
fn closed(rest: &[u8]) -> Result<&[u8], DecodeError> {
    match rest {
        [byte, ..] if !is_blank(*byte) => Err(DecodeError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&byte| !is_blank(byte));
    start.and_then(|start| line.get(start..)).unwrap_or(&[])
}

/// As `isspace` of C has it, which Redis asks between words.
const fn is_blank(byte: u8) -> bool {
    ends_word(byte) || matches!(byte, 0x0b | 0x0c)
}

/// What ends a word without quotes in Redis.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

const fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit.wrapping_sub(b'0'),
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}
