//! Replies as `redis-cli` prints them.

use core::fmt::{self, Formatter, Write};

use super::Reply;
use crate::resp::double::Double;

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        print(self, f, 0)
    }
}

/// Prints `reply`; lines after the first are indented by `indent` blanks.
fn print(reply: &Reply, f: &mut Formatter<'_>, indent: usize) -> fmt::Result {
    match reply {
        Reply::Simple(text) | Reply::Verbatim { text, .. } => lossy(text, f),
        Reply::Error(text) => {
            f.write_str("(error) ")?;
            lossy(text, f)
        }
        Reply::Integer(value) => write!(f, "(integer) {value}"),
        Reply::Bulk(bytes) => quoted(bytes, f),
        Reply::Null => f.write_str("(nil)"),
        Reply::Double(value) => write!(f, "(double) {}", Double(*value)),
        Reply::Boolean(value) => write!(f, "({value})"),
        Reply::BigNumber(digits) => lossy(digits, f),
        Reply::Array(elements) => list(elements, ("array", ')'), f, indent),
        Reply::Set(elements) => list(elements, ("set", '~'), f, indent),
        Reply::Push(elements) => list(elements, ("push", ')'), f, indent),
        Reply::Map(pairs) => map(pairs, ("hash", '#'), f, indent),
        Reply::Attributed { attributes, reply } => {
            map(attributes, ("attribute", '|'), f, indent)?;
            write!(f, "\n{:indent$}", "")?;
            print(reply, f, indent)
        }
    }
}

fn list(
    elements: &[Reply],
    (name, mark): (&str, char),
    f: &mut Formatter<'_>,
    indent: usize,
) -> fmt::Result {
    let width = width(elements.len());
    for (position, element) in elements.iter().enumerate() {
        number(position, mark, width, f, indent)?;
        print(element, f, indent + width + 2)?;
    }
    if elements.is_empty() {
        write!(f, "(empty {name})")?;
    }
    Ok(())
}

fn map(
    pairs: &[(Reply, Reply)],
    (name, mark): (&str, char),
    f: &mut Formatter<'_>,
    indent: usize,
) -> fmt::Result {
    let width = width(pairs.len());
    for (position, (key, value)) in pairs.iter().enumerate() {
        number(position, mark, width, f, indent)?;
        print(key, f, indent + width + 2)?;
        f.write_str(" => ")?;
        let within = indent + width + 2;
        if takes_lines(value) {
            write!(f, "\n{:within$}", "")?;
        }
        print(value, f, within)?;
    }
    if pairs.is_empty() {
        write!(f, "(empty {name})")?;
    }
    Ok(())
}

/// Whether an aggregate is printed on more than one line.
fn takes_lines(mut reply: &Reply) -> bool {
    loop {
        reply = match reply {
            Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => {
                match elements.as_slice() {
                    [] => return false,
                    [single] => single,
                    _ => return true,
                }
            }
            Reply::Map(pairs) => match pairs.as_slice() {
                [] => return false,
                [(_, single)] => single,
                _ => return true,
            },
            _ => return false,
        }
    }
}

/// Prints the number before an element; the first of a list stands where the list does.
fn number(
    position: usize,
    mark: char,
    width: usize,
    f: &mut Formatter<'_>,
    indent: usize,
) -> fmt::Result {
    if position > 0 {
        write!(f, "\n{:indent$}", "")?;
    }
    write!(f, "{:width$}{mark} ", position + 1)
}

/// Digits of the largest number before an element.
const fn width(len: usize) -> usize {
    match len {
        0 => 1,
        len => len.ilog10() as usize + 1,
    }
}

fn lossy(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            f.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

fn quoted(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            0x07 => f.write_str("\\a")?,
            0x08 => f.write_str("\\b")?,
            b' '..=b'~' => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_char('"')
}
