//! Numbers in arguments: as strict as Redis.

/// Reads a whole decimal number: an optional `-`, then digits without needless zeros, and nothing else.
#[must_use]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        _ => (false, text),
    };
    let [b'1'..=b'9', ..] = digits else {
        return None;
    };
    let mut magnitude: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = u64::from(digit - b'0');
        magnitude = magnitude.checked_mul(10)?.checked_add(digit)?;
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Reads an amount of memory in bytes: a number without sign, and a unit such as `kb` (1024) or `k` (1000).
#[must_use]
pub(crate) fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    u64::try_from(integer(number)?).ok()?.checked_mul(factor)
}

/// Reads a share such as `60%` of what there is `all` of: 1 to 100 percent. `None` if it is none, or that is not known.
#[must_use]
pub(crate) fn memory_share(text: &[u8], all: impl FnOnce() -> Option<u64>) -> Option<u64> {
    let percent = integer(text.strip_suffix(b"%")?)?;
    let percent = u64::try_from(percent).ok()?;
    let share = u128::from(all()?) * u128::from(percent) / 100;
    u64::try_from(share)
        .ok()
        .filter(|_| (1..=100).contains(&percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_redis_reads_them() {
        for number in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    use std::string::ToString;

    #[test]
    fn a_share_is_taken_of_what_is_known() {
        let of = |all, text: &[u8]| memory_share(text, || all);
        assert_eq!(of(Some(1000), b"60%"), Some(600));
        assert_eq!(of(Some(u64::MAX), b"100%"), Some(u64::MAX));
        for text in [&b"0%"[..], b"101%", b"-1%", b"%", b"60", b"6 %"] {
            assert_eq!(of(Some(1000), text), None);
        }
        assert_eq!(of(None, b"60%"), None);
    }
}
