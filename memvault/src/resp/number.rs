//! The numbers in headers: strict, and safe against overflow.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// The bytes are not a number with CR and LF behind it, whatever may follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotANumber;

/// Reads a number and its CR and LF from the beginning of `bytes`; gives it and what follows.
///
/// Accepts what Redis does: an optional `-`, then digits without needless zeros. `None` means that `bytes`
/// end too early to tell. Looks at 22 bytes at most: where a longer one has no end, it is none.
#[inline]
pub(super) fn number(bytes: &[u8]) -> Result<Option<(i64, &[u8])>, NotANumber> {
    // Nearly all numbers have one digit or two.
    match bytes {
        [digit @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => {
            Ok(Some((i64::from(digit.wrapping_sub(b'0')), rest)))
        }
        [
            ten @ b'1'..=b'9',
            one @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => {
            let (ten, one) = (ten.wrapping_sub(b'0'), one.wrapping_sub(b'0'));
            Ok(Some((
                i64::from(ten.wrapping_mul(10).wrapping_add(one)),
                rest,
            )))
        }
        _ => longer(bytes),
    }
}

fn longer(bytes: &[u8]) -> Result<Option<(i64, &[u8])>, NotANumber> {
    let (negative, mut rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let mut magnitude: Option<u64> = None;
    loop {
        match (rest, magnitude) {
            ([], _) | ([b'\r'], Some(_)) => return Ok(None),
            ([b'\r', b'\n', rest @ ..], Some(magnitude)) => {
                let value = signed(negative, magnitude).ok_or(NotANumber)?;
                return Ok(Some((value, rest)));
            }
            ([b'0', ..], None) if negative => return Err(NotANumber),
            ([b'0'..=b'9', ..], Some(0)) => return Err(NotANumber),
            ([digit @ b'0'..=b'9', tail @ ..], _) => {
                magnitude = Some(appended(magnitude.unwrap_or(0), *digit).ok_or(NotANumber)?);
                rest = tail;
            }
            _ => return Err(NotANumber),
        }
    }
}

fn appended(magnitude: u64, digit: u8) -> Option<u64> {
    magnitude
        .checked_mul(10)?
        .checked_add(u64::from(digit.wrapping_sub(b'0')))
}

fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Option<i64>, NotANumber> {
        number(text.as_bytes()).map(|found| found.map(|(value, _)| value))
    }

    #[test]
    fn numbers_are_read_as_redis_reads_them() {
        assert_eq!(value("0\r\n"), Ok(Some(0)));
        assert_eq!(value("-1\r\n"), Ok(Some(-1)));
        assert_eq!(value("9223372036854775807\r\n"), Ok(Some(i64::MAX)));
        assert_eq!(value("-9223372036854775808\r\n"), Ok(Some(i64::MIN)));
        assert_eq!(number(b"12\r\nrest"), Ok(Some((12, b"rest".as_slice()))));
    }

    #[test]
    fn everything_else_is_refused_at_its_first_wrong_byte() {
        for text in [
            "\r\n",
            "-\r",
            "+1",
            "00",
            "01",
            "-0",
            " 1",
            "1 ",
            "1\n",
            "1\rx",
            "0x",
            "--",
            "a",
            "9223372036854775808\r\n",
            "-9223372036854775809\r\n",
            "18446744073709551616",
            "99999999999999999999999999",
            "\0",
            "1\0",
            "１",
        ] {
            assert_eq!(value(text), Err(NotANumber), "{text:?}");
        }
    }

    #[test]
    fn a_number_without_its_end_is_not_judged_yet() {
        for text in ["", "-", "1", "-12", "1\r", "0", "18446744073709551615"] {
            assert_eq!(value(text), Ok(None), "{text:?}");
        }
    }
}
