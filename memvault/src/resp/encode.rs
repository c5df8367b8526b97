//! Writers into a caller's buffer: each appends one piece of RESP and never fails.
//!
//! Place: every byte that a server or client of ours sends comes from here. Cost: linear in what is written.
//! Where the two versions of the protocol differ, the writer takes the [`Protocol`] of the connection.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::double::Double;
use super::protocol::Protocol;

/// Appends a simple string. A CR or LF in it becomes a blank: it would end the reply.
pub fn simple(out: &mut Vec<u8>, text: &[u8]) {
    line(out, b'+', text);
}

/// Appends the simple string `OK`, the reply of whatever just had to be done.
#[inline]
pub fn ok(out: &mut Vec<u8>) {
    out.extend_from_slice(b"+OK\r\n");
}

/// Appends an error: a code such as `ERR`, a blank, and a text. A CR or LF in it becomes a blank.
pub fn error(out: &mut Vec<u8>, text: &[u8]) {
    line(out, b'-', text);
}

/// Appends an error whose text is put together on the spot. A CR or LF in it becomes a blank.
///
/// # Examples
///
/// ```
/// use memvault::resp::encode;
///
/// let mut out = Vec::new();
/// encode::error_fmt(&mut out, format_args!("ERR unknown command '{}'", "GE\r\nT"));
/// assert_eq!(out, b"-ERR unknown command 'GE  T'\r\n");
/// ```
pub fn error_fmt(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.push(b'-');
    let start = out.len();
    write(out, text);
    blank_line_ends(out, start);
    out.extend_from_slice(CRLF);
}

/// Appends an integer.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    match value {
        0..=9 => out.extend_from_slice(&[b':', b'0' + value as u8, b'\r', b'\n']),
        _ => number(out, b':', itoa::Buffer::new().format(value)),
    }
}

/// Appends a bulk string.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + LONGEST_FRAME);
    header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(CRLF);
}

/// Appends what stands before a bulk string of `len` bytes; the bytes and [`CRLF`] follow.
pub(crate) fn bulk_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'$', len);
}

/// Appends the null that stands for a missing value.
pub fn null(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// Appends the null that stands for a missing array.
pub fn null_array(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"*-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// Appends the header of an array of `len` elements; the elements follow.
pub fn array(out: &mut Vec<u8>, len: usize) {
    header(out, b'*', len);
}

/// Appends the header of a map of `len` pairs; keys and values follow in turn. An array of both in RESP2.
pub fn map(out: &mut Vec<u8>, protocol: Protocol, len: usize) {
    match protocol {
        Protocol::Resp2 => header(out, b'*', len.saturating_mul(2)),
        Protocol::Resp3 => header(out, b'%', len),
    }
}

/// Appends the header of a set of `len` elements; the elements follow. An array in RESP2.
pub fn set(out: &mut Vec<u8>, protocol: Protocol, len: usize) {
    header(out, either(protocol, b'*', b'~'), len);
}

/// Appends the header of a push of `len` elements; the elements follow. An array in RESP2.
pub fn push(out: &mut Vec<u8>, protocol: Protocol, len: usize) {
    header(out, either(protocol, b'*', b'>'), len);
}

/// Appends a double. A bulk string in RESP2.
pub fn double(out: &mut Vec<u8>, protocol: Protocol, value: f64) {
    let mut text = Vec::new();
    write(&mut text, format_args!("{}", Double(value)));
    match protocol {
        Protocol::Resp2 => bulk(out, &text),
        Protocol::Resp3 => line(out, b',', &text),
    }
}

/// Appends a boolean. The integer 1 or 0 in RESP2.
pub fn boolean(out: &mut Vec<u8>, protocol: Protocol, value: bool) {
    out.extend_from_slice(match (protocol, value) {
        (Protocol::Resp2, false) => b":0\r\n",
        (Protocol::Resp2, true) => b":1\r\n",
        (Protocol::Resp3, false) => b"#f\r\n",
        (Protocol::Resp3, true) => b"#t\r\n",
    });
}

/// Appends a text with its format, such as `txt`. A bulk string of the text alone in RESP2.
pub fn verbatim(out: &mut Vec<u8>, protocol: Protocol, format: [u8; 3], text: &[u8]) {
    if protocol == Protocol::Resp2 {
        return bulk(out, text);
    }
    header(out, b'=', text.len() + format.len() + 1);
    out.extend_from_slice(&format);
    out.push(b':');
    out.extend_from_slice(text);
    out.extend_from_slice(CRLF);
}

/// Appends a command of a client: its name and the arguments behind it.
///
/// # Examples
///
/// ```
/// use memvault::resp::encode;
///
/// let mut out = Vec::new();
/// encode::command(&mut out, &[b"GET", b"k"]);
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
/// ```
pub fn command(out: &mut Vec<u8>, args: &[&[u8]]) {
    array(out, args.len());
    for arg in args {
        bulk(out, arg);
    }
}

pub(crate) const CRLF: &[u8] = b"\r\n";

/// Most bytes around a bulk string: `$`, 20 digits, and twice CR and LF.
const LONGEST_FRAME: usize = 25;

const fn either(protocol: Protocol, resp2: u8, resp3: u8) -> u8 {
    match protocol {
        Protocol::Resp2 => resp2,
        Protocol::Resp3 => resp3,
    }
}

fn header(out: &mut Vec<u8>, kind: u8, len: usize) {
    let digit = |place: usize| b'0' + (len / place % 10) as u8;
    match len {
        0..=9 => out.extend_from_slice(&[kind, digit(1), b'\r', b'\n']),
        10..=99 => out.extend_from_slice(&[kind, digit(10), digit(1), b'\r', b'\n']),
        _ => number(out, kind, itoa::Buffer::new().format(len)),
    }
}

fn number(out: &mut Vec<u8>, kind: u8, digits: &str) {
    out.push(kind);
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(CRLF);
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(text);
    blank_line_ends(out, start);
    out.extend_from_slice(CRLF);
}

fn blank_line_ends(out: &mut [u8], start: usize) {
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

fn write(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // A Vec takes everything; an error can only come from the Display of a caller, and then the text
    // is merely shorter.
    let _ = Text(out).write_fmt(text);
}

struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
