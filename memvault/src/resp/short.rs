//! Commands as nearly all of them are: few arguments, short ones, complete.
//!
//! Place: tried first by [`CommandDecoder`](super::CommandDecoder), for speed only. What it does not take is
//! left to the general way, from the argument on where it stopped; it never refuses anything.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::args::Span;

/// Where the arguments of a short command lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Short {
    spans: [Span; MOST_ARGUMENTS],
}

/// How far [`Short::decode`] came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress<'a> {
    /// Arguments of the command.
    pub(super) count: usize,
    /// Arguments that are still to come; 0 if the command is complete.
    pub(super) missing: usize,
    /// What follows the arguments so far.
    pub(super) rest: &'a [u8],
}

/// Most arguments of a short command: what one digit can say.
pub(super) const MOST_ARGUMENTS: usize = 9;

/// Most bytes of a short argument: what three digits can say.
pub(super) const MOST_BYTES: usize = 999;

/// Most bytes of a short command.
pub(super) const MOST_COMMAND: usize = 4 + MOST_ARGUMENTS * (6 + MOST_BYTES + 2);

impl Short {
    pub(super) const fn new() -> Self {
        Self {
            spans: [Span { start: 0, len: 0 }; MOST_ARGUMENTS],
        }
    }

    /// Where the first `count` arguments lie.
    pub(super) fn spans(&self, count: usize) -> &[Span] {
        self.spans.get(..count).unwrap_or(&[])
    }

    /// Decodes the command at the beginning of `input` as far as it is short and complete.
    #[inline(always)]
    pub(super) fn decode<'a>(&mut self, input: &'a [u8]) -> Option<Progress<'a>> {
        let (header, mut rest) = input.split_first_chunk()?;
        let count = digit(*header, *b"*0\r\n").filter(|&count| count > 0)?;
        let mut spans = self.spans.get_mut(..count)?.iter_mut();
        while spans.len() > 0 {
            let Some(Bulk { header, len }) = bulk(rest) else {
                break;
            };
            let end = header.wrapping_add(len);
            let Some((crlf, tail)) = rest.get(end..).and_then(<[u8]>::split_first_chunk) else {
                break;
            };
            if u16::from_le_bytes(*crlf) != u16::from_le_bytes(*b"\r\n") {
                break;
            }
            if let Some(span) = spans.next() {
                let start = input.len().wrapping_sub(rest.len()).wrapping_add(header);
                *span = Span {
                    start: start as u32,
                    len: len as u32,
                };
            }
            rest = tail;
        }
        Some(Progress {
            count,
            missing: spans.len(),
            rest,
        })
    }
}

/// A short bulk string: bytes of its header, bytes behind it.
struct Bulk {
    header: usize,
    len: usize,
}

/// Reads the header of the short bulk string at the beginning of `bytes`.
///
/// The bytes are compared all at once, as the number that they form: this is the most frequent step of all.
#[inline(always)]
fn bulk(bytes: &[u8]) -> Option<Bulk> {
    if let Some(len) = digit(*bytes.first_chunk()?, *b"$0\r\n") {
        return Some(Bulk { header: 4, len });
    }
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    if let Some([tens, ones, _]) = digits(word, *b"$00\r\n\0\0\0", 0xFF_FFFF_FFFF, 0xFF_FF00) {
        let len = tens.wrapping_mul(10).wrapping_add(ones);
        return (len >= 10).then_some(Bulk { header: 5, len });
    }
    if let Some([hundreds, tens, ones]) =
        digits(word, *b"$000\r\n\0\0", 0xFFFF_FFFF_FFFF, 0xFFFF_FF00)
    {
        let len = hundreds
            .wrapping_mul(100)
            .wrapping_add(tens.wrapping_mul(10))
            .wrapping_add(ones);
        return (len >= 100).then_some(Bulk { header: 6, len });
    }
    None
}

/// The digits of `word`, which begin in its second byte, if it looks `like` this but for them. `header` has all
/// bits of the bytes to compare, `places` those of the digits among them.
#[inline(always)]
fn digits(word: u64, like: [u8; 8], header: u64, places: u64) -> Option<[usize; 3]> {
    // The upper half of a digit is 0, and stays so when 6 is added.
    let upper = header & (!places | 0xF0F0_F0F0_F0F0_F0F0);
    let difference = word ^ u64::from_le_bytes(like);
    let beyond = difference.wrapping_add(places & 0x0606_0606_0606_0606);
    let digit = |shift: u32| (difference >> shift & 0xFF) as usize;
    ((difference | beyond) & upper == 0).then(|| [digit(8), digit(16), digit(24)])
}

/// The digit in the second byte of `header`, which else has to be `like`.
#[inline(always)]
fn digit(header: [u8; 4], like: [u8; 4]) -> Option<usize> {
    let difference = u32::from_le_bytes(header) ^ u32::from_le_bytes(like);
    let digit = difference.rotate_right(8);
    (digit < 10).then_some(digit as usize)
}
