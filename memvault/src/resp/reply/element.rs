//! One element of a reply: a value, or the header of several.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::resp::error::DecodeError;
use crate::resp::limits::Limits;
use crate::resp::number::number;

/// An element, borrowed from the bytes that it was decoded from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element<'a> {
    Simple(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    Bulk(&'a [u8]),
    Null,
    Double(f64),
    Boolean(bool),
    BigNumber(&'a [u8]),
    Verbatim([u8; 3], &'a [u8]),
    /// Elements that belong to this one follow.
    Aggregate(Aggregate, usize),
}

/// What several elements together are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Array,
    Set,
    Push,
    /// Of keys and values in turn.
    Map,
    /// Of keys and values in turn, and the reply that they belong to.
    Attributes,
}

/// Reads the element at the beginning of `bytes`; gives it and what follows. `None`: it is not complete.
///
/// `searched` is how much of a line has been looked at in vain: 0 for a new element. `room` is how many bytes
/// the reply may still take.
pub(super) fn element<'a>(
    bytes: &'a [u8],
    searched: &mut usize,
    room: usize,
    limits: &Limits,
) -> Result<Option<(Element<'a>, &'a [u8])>, DecodeError> {
    let [kind, rest @ ..] = bytes else {
        return Ok(None);
    };
    match kind {
        b'$' | b'!' | b'=' => bulk(*kind, rest, room, limits),
        b'*' | b'~' | b'>' | b'%' | b'|' => aggregate(*kind, rest),
        b':' => match number(rest) {
            Ok(found) => Ok(found.map(|(value, rest)| (Element::Integer(value), rest))),
            Err(_) => Err(DecodeError::InvalidReply { kind: *kind }),
        },
        b'+' | b'-' | b'_' | b'#' | b',' | b'(' => {
            let Some((text, rest)) = line(rest, searched, limits.max_inline_len)? else {
                return Ok(None);
            };
            *searched = 0;
            let element = of_line(*kind, text).ok_or(DecodeError::InvalidReply { kind: *kind })?;
            Ok(Some((element, rest)))
        }
        _ => Err(DecodeError::UnknownReply { got: *kind }),
    }
}

/// A line, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// Reads a line of at most `most` bytes; gives it and what follows its CR and LF.
fn line<'a>(
    bytes: &'a [u8],
    searched: &mut usize,
    most: usize,
) -> Result<Option<Split<'a>>, DecodeError> {
    let window = bytes.get(..=most).unwrap_or(bytes);
    let unseen = window.get(*searched..).unwrap_or(&[]);
    let Some(found) = memchr::memchr2(b'\r', b'\n', unseen) else {
        *searched = window.len();
        return if window.len() > most {
            Err(DecodeError::ReplyTooLarge {
                limit: "max_inline_len",
                value: most,
            })
        } else {
            Ok(None)
        };
    };
    *searched = searched.saturating_add(found);
    match bytes.split_at_checked(*searched) {
        Some((text, [b'\r', b'\n', rest @ ..])) => Ok(Some((text, rest))),
        Some((_, [b'\r'])) => Ok(None),
        _ => Err(DecodeError::ExpectedCrlf),
    }
}

fn of_line(kind: u8, text: &[u8]) -> Option<Element<'_>> {
    match (kind, text) {
        (b'+', _) => Some(Element::Simple(text)),
        (b'-', _) => Some(Element::Error(text)),
        (b'_', b"") => Some(Element::Null),
        (b'#', b"t") => Some(Element::Boolean(true)),
        (b'#', b"f") => Some(Element::Boolean(false)),
        (b',', _) => core::str::from_utf8(text)
            .ok()?
            .parse()
            .ok()
            .map(Element::Double),
        (b'(', _) => {
            let digits = text.strip_prefix(b"-").unwrap_or(text);
            let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            valid.then_some(Element::BigNumber(text))
        }
        _ => None,
    }
}

fn bulk<'a>(
    kind: u8,
    bytes: &'a [u8],
    room: usize,
    limits: &Limits,
) -> Result<Option<(Element<'a>, &'a [u8])>, DecodeError> {
    let Some((len, rest)) = number(bytes).map_err(|_| DecodeError::InvalidBulkLength)? else {
        return Ok(None);
    };
    if len == -1 && kind == b'$' {
        return Ok(Some((Element::Null, rest)));
    }
    let claimed = u64::try_from(len).map_err(|_| DecodeError::InvalidBulkLength)?;
    let len = usize::try_from(claimed).unwrap_or(usize::MAX);
    if len > limits.max_bulk_len {
        return Err(DecodeError::ReplyTooLarge {
            limit: "max_bulk_len",
            value: limits.max_bulk_len,
        });
    }
    let digits = bytes.len().saturating_sub(rest.len());
    if len.saturating_add(digits).saturating_add(3) > room {
        return Err(DecodeError::ReplyTooLarge {
            limit: "max_command_len",
            value: limits.command_len(),
        });
    }
    match rest.split_at_checked(len) {
        Some((text, [b'\r', b'\n', rest @ ..])) => of_bulk(kind, text)
            .map(|element| Some((element, rest)))
            .ok_or(DecodeError::InvalidReply { kind }),
        None | Some((_, [] | [b'\r'])) => Ok(None),
        Some(_) => Err(DecodeError::ExpectedCrlf),
    }
}

fn of_bulk(kind: u8, text: &[u8]) -> Option<Element<'_>> {
    match (kind, text) {
        (b'$', _) => Some(Element::Bulk(text)),
        (b'!', _) => Some(Element::Error(text)),
        (_, [a, b, c, b':', text @ ..]) => Some(Element::Verbatim([*a, *b, *c], text)),
        _ => None,
    }
}

fn aggregate(kind: u8, bytes: &[u8]) -> Result<Option<(Element<'_>, &[u8])>, DecodeError> {
    let Some((count, rest)) = number(bytes).map_err(|_| DecodeError::InvalidMultibulkLength)?
    else {
        return Ok(None);
    };
    if count == -1 && kind == b'*' {
        return Ok(Some((Element::Null, rest)));
    }
    let claimed = u64::try_from(count).map_err(|_| DecodeError::InvalidMultibulkLength)?;
    let count = usize::try_from(claimed).unwrap_or(usize::MAX);
    let (aggregate, elements) = match kind {
        b'*' => (Aggregate::Array, count),
        b'~' => (Aggregate::Set, count),
        b'>' => (Aggregate::Push, count),
        b'%' => (Aggregate::Map, count.saturating_mul(2)),
        _ => (
            Aggregate::Attributes,
            count.saturating_mul(2).saturating_add(1),
        ),
    };
    Ok(Some((Element::Aggregate(aggregate, elements), rest)))
}
