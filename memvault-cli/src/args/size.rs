//! Sizes in bytes as people write them: `256mb`.

use memvault_net::memory_limit::memory_limit;

/// Reads a number of bytes: digits, then `b`, `kb`, `mb`, `gb` or nothing, in any case; steps of 1024, as in Redis,
/// with or without the `i` of `mib`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    if digits.is_empty() {
        return Err(format!("expected digits and a unit, {EXAMPLES}"));
    }
    let factor = factor(unit.trim_start())
        .ok_or_else(|| format!("unknown unit {unit:?}: expected b, kb, mb or gb, {EXAMPLES}"))?;
    let number: Option<usize> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "more bytes than this machine can address".to_owned())
}

/// Like [`size`], but 0 is refused: nothing would fit.
pub(crate) fn positive_size(text: &str) -> Result<usize, String> {
    match size(text)? {
        0 => Err(format!("must be more than 0, {EXAMPLES}")),
        bytes => Ok(bytes),
    }
}

/// Like [`positive_size`], or a share of the memory that this process may have: `60%`.
pub(crate) fn memory_share(text: &str) -> Result<usize, String> {
    share_of(memory_limit, text)
}

fn share_of(limit: impl FnOnce() -> Option<u64>, text: &str) -> Result<usize, String> {
    let Some(percent) = text.trim().strip_suffix('%') else {
        return positive_size(text).map_err(|error| format!("{error}, or a share such as 60%"));
    };
    let percent = percent.trim_end().parse().ok();
    let percent: u64 = percent
        .filter(|percent| (1..=100).contains(percent))
        .ok_or("expected 1% to 100% of the memory that this process may have, such as 60%")?;
    let limit = limit().ok_or(
        "the system tells neither a container's limit nor the machine's memory: give a size, such as 256mb",
    )?;
    let share = u128::from(limit) * u128::from(percent) / 100;
    usize::try_from(share).map_err(|_| "more bytes than this machine can address".to_owned())
}

fn factor(unit: &str) -> Option<usize> {
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    Some(1 << shift)
}

/// Writes a number of bytes with the unit that suits it: `1.5 MiB`; steps of 1024.
pub(crate) fn human(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in units {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

const EXAMPLES: &str = "such as 256mb, 1gb or 4096";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_units_in_any_case() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("10b", 10),
            ("2k", 2048),
            ("256mb", 256 << 20),
            ("256 MB", 256 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_explained() {
        for (text, part) in [
            ("", "expected digits"),
            ("mb", "expected digits"),
            ("-1", "expected digits"),
            ("1.5gb", "unknown unit"),
            ("10 parsecs", "expected b, kb, mb or gb"),
            ("99999999999999999999", "more bytes"),
            ("99999999999gb", "more bytes"),
        ] {
            let error = size(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(positive_size("0").is_err());
    }

    #[test]
    fn a_share_is_taken_of_what_this_process_may_have() {
        let of = |limit, text| share_of(|| limit, text);
        assert_eq!(of(Some(1000), "60%"), Ok(600));
        assert_eq!(of(Some(u64::MAX), " 100 %"), Ok(usize::MAX));
        assert_eq!(of(None, "64mb"), Ok(64 << 20));
        for (limit, text, part) in [
            (Some(1000), "0%", "1% to 100%"),
            (Some(1000), "101%", "1% to 100%"),
            (Some(1000), "1.5%", "1% to 100%"),
            (None, "60%", "give a size"),
            (None, "much", "or a share such as 60%"),
        ] {
            let error = of(limit, text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_are_written_with_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1000, "1000 B"),
            (1536, "1.5 KiB"),
            (256 << 20, "256 MiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
