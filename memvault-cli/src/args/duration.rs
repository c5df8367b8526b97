//! Durations as people write them: `500ms`.

use std::time::Duration;

/// Reads a duration: digits, with decimals if need be, and one of `ms`, `s`, `m`, `h`, `d`.
///
/// A bare number is refused: it is seconds to some and milliseconds to others.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("expected digits and a unit, {EXAMPLES}"));
    }
    let millis = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" => return Err(format!("a unit is missing: {digits}s or {digits}ms?")),
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "unknown unit {unit:?}: expected ms, s, m, h or d, {EXAMPLES}"
            ));
        }
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let number: Option<u64> = whole.parse().ok();
    let whole = number.and_then(|number| number.checked_mul(millis));
    let whole = whole.ok_or_else(|| "longer than 10000 years".to_owned())?;
    match whole.saturating_add(fraction(decimals, millis)?) {
        millis if millis > LONGEST_MS => Err("longer than 10000 years".to_owned()),
        millis => Ok(Duration::from_millis(millis)),
    }
}

/// Milliseconds of the decimals of a unit.
fn fraction(decimals: &str, millis: u64) -> Result<u64, String> {
    let (mut sum, mut step) = (0, millis);
    for digit in decimals.chars() {
        let exact = step % 10 == 0;
        step /= 10;
        match digit.to_digit(10) {
            Some(0) => {}
            Some(digit) if exact => sum += u64::from(digit) * step,
            Some(_) => return Err("finer than a millisecond".to_owned()),
            None => return Err(format!("expected digits and a unit, {EXAMPLES}")),
        }
    }
    Ok(sum)
}

/// Like [`duration`], but 0 is refused.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("must be more than 0, {EXAMPLES}")),
        duration => Ok(duration),
    }
}

/// Writes a duration with three digits: `1.25 s`, `340 ms`, `87 us`.
pub(crate) fn human(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..999.5 => format!("{micros:.0} us"),
        ..9_995.0 => format!("{:.2} ms", micros / 1e3),
        ..99_950.0 => format!("{:.1} ms", micros / 1e3),
        ..999_500.0 => format!("{:.0} ms", micros / 1e3),
        ..9_995_000.0 => format!("{:.2} s", micros / 1e6),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

const EXAMPLES: &str = "such as 500ms, 10s or 5m";
const LONGEST_MS: u64 = 10_000 * 366 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_units() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("10 S", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("2.5s", 2_500),
            ("0.25s", 250),
            ("1.50m", 90_000),
            ("1.0ms", 1),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_explained() {
        for (text, part) in [
            ("", "expected digits"),
            ("s", "expected digits"),
            ("10", "10s or 10ms?"),
            ("1.0005s", "finer than a millisecond"),
            ("1.5ms", "finer than a millisecond"),
            (".5s", "such as 500ms"),
            ("1.2.3s", "expected digits"),
            ("3 weeks", "expected ms, s, m, h or d"),
            ("18446744073709551615d", "longer than"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(positive_duration("0ms").is_err());
    }

    #[test]
    fn durations_are_written_with_three_digits() {
        for (micros, text) in [
            (87, "87 us"),
            (1_250, "1.25 ms"),
            (34_000, "34.0 ms"),
            (340_000, "340 ms"),
            (1_250_000, "1.25 s"),
            (61_000_000, "61.0 s"),
        ] {
            assert_eq!(human(Duration::from_micros(micros)), text);
        }
    }
}
