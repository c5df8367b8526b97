//! [`LongDouble`]: numbers with a point as redis-server has them on x86-64, where C's `long double` has a mantissa of 64
//! bits: so both read, add and write the same.
//!
//! Cost: a few hundred nanoseconds for usual numbers; at most some 3 ms for those with thousands of digits.
//! Limits: no hexadecimal numbers.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A mantissa times a power of two, or infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LongDouble {
    is_negative: bool,
    /// Invariant: the highest bit is set, unless all are zero.
    mantissa: u64,
    exponent: i32,
}

/// The exponent of the largest numbers.
const LARGEST: i32 = 16_320;
const INFINITE: i32 = i32::MAX;
/// Longest text of a number, in bytes.
const LONGEST: usize = 5 * 1024 - 1;
/// Digits that are read; whether others follow counts, and no more.
const DIGITS: usize = 120;
/// Powers of ten of the largest number and, generously, of the smallest.
const POWERS: core::ops::Range<i64> = -4_970..4_934;
/// Digits behind the point that are written.
const DECIMALS: usize = 17;

impl LongDouble {
    const ZERO: Self = Self {
        is_negative: false,
        mantissa: 0,
        exponent: 0,
    };

    /// Reads a decimal number such as `-1.5e3`, or `inf`. `None` if it is none, or beyond all bounds.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let is = |word: &[u8]| text.eq_ignore_ascii_case(word);
        let unsigned = if is(b"inf") || is(b"infinity") {
            Self {
                exponent: INFINITE,
                ..Self::ZERO
            }
        } else {
            read_unsigned(text)?
        };
        Some(Self {
            is_negative,
            ..unsigned
        })
    }

    /// The sum, rounded to the nearest number; `None` if that is not finite.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        if self.exponent == INFINITE || other.exponent == INFINITE {
            return None;
        }
        if self.mantissa == 0 || other.mantissa == 0 {
            return Some(if self.mantissa == 0 { other } else { self });
        }
        let magnitude = |number: &Self| (number.exponent, number.mantissa);
        let (large, small) = if magnitude(&self) < magnitude(&other) {
            (other, self)
        } else {
            (self, other)
        };
        // Bits below the mantissa of the larger one, of which rounding needs two.
        const SPARE: u32 = 62;
        let wide = u128::from(large.mantissa) << SPARE;
        let distance = (large.exponent - small.exponent).unsigned_abs();
        let shifted = u128::from(small.mantissa) << SPARE;
        let aligned = shifted.checked_shr(distance).unwrap_or(0);
        let is_cut = aligned.checked_shl(distance) != Some(shifted);
        let sum = if large.is_negative == small.is_negative {
            wide + aligned
        } else {
            wide - aligned - u128::from(is_cut)
        };
        let is_negative = large.is_negative;
        let exponent = large.exponent - SPARE as i32;
        let sum = rounded(sum, exponent, is_cut)?;
        Some(Self { is_negative, ..sum })
    }

    /// The number with at most 17 digits behind the point and no exponent, as `INCRBYFLOAT` gives it. Finite ones only.
    pub(super) fn write(self) -> String {
        debug_assert!(self.exponent != INFINITE, "a sum is finite");
        let text = match u32::try_from(-self.exponent) {
            Ok(0) | Err(_) => whole(self.mantissa, self.exponent.unsigned_abs()),
            Ok(shift) => with_point(self.mantissa, shift),
        };
        match self.is_negative && text != "0" {
            true => format!("-{text}"),
            false => text,
        }
    }
}

/// The number with the nearest mantissa of 64 bits, an even one of two; `is_cut` if the true one is a little larger.
/// `None` if it is too large.
fn rounded(wide: u128, exponent: i32, is_cut: bool) -> Option<LongDouble> {
    if wide == 0 {
        return Some(LongDouble::ZERO);
    }
    let zeros = wide.leading_zeros();
    let full = wide << zeros;
    let (mut mantissa, rest) = ((full >> 64) as u64, full as u64);
    let mut exponent = exponent + 64 - zeros as i32;
    const HALF: u64 = 1 << 63;
    let is_even = mantissa.is_multiple_of(2);
    if rest > HALF || rest == HALF && (is_cut || !is_even) {
        mantissa = mantissa.wrapping_add(1);
        if mantissa == 0 {
            (mantissa, exponent) = (HALF, exponent + 1);
        }
    }
    (exponent <= LARGEST).then_some(LongDouble {
        is_negative: false,
        mantissa,
        exponent,
    })
}

fn read_unsigned(text: &[u8]) -> Option<LongDouble> {
    let (number, power) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], read_power(&text[at + 1..])?),
        None => (text, 0),
    };
    let point = number.iter().position(|byte| *byte == b'.');
    let (whole, behind) = match point {
        Some(at) => (&number[..at], &number[at + 1..]),
        None => (number, &[][..]),
    };
    let digits = || whole.iter().chain(behind);
    if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
        return None;
    }
    let significant: Vec<u8> = digits()
        .copied()
        .skip_while(|digit| *digit == b'0')
        .collect();
    if significant.is_empty() {
        return Some(LongDouble::ZERO);
    }
    // The power of ten of the first digit, then of the last one that is read.
    let first = power + significant.len() as i64 - behind.len() as i64 - 1;
    if !POWERS.contains(&first) {
        return None;
    }
    let (read, rest) = significant.split_at(significant.len().min(DIGITS));
    let last = first + 1 - read.len() as i64;
    let is_cut = rest.iter().any(|digit| *digit != b'0');
    nearest(Natural::of_digits(read), last as i32, is_cut)
}

/// An exponent; one beyond all bounds stays beyond them.
fn read_power(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    const BEYOND: i64 = 1 << 20;
    let power = digits.iter().fold(0, |power: i64, digit| {
        (power * 10 + i64::from(digit - b'0')).min(BEYOND)
    });
    Some(if is_negative { -power } else { power })
}

/// The number next to `natural` times a power of ten.
fn nearest(mut natural: Natural, power: i32, mut is_cut: bool) -> Option<LongDouble> {
    let mut exponent = 0;
    if power >= 0 {
        for factor in factors_of_power(power.unsigned_abs()) {
            natural.multiply(factor);
        }
    } else {
        // So far up that the quotient has more than 64 bits.
        let limbs = power.unsigned_abs() / 9 + 4;
        natural.0.splice(0..0, vec![0; limbs as usize]);
        exponent -= 32 * limbs as i32;
        for factor in factors_of_power(power.unsigned_abs()) {
            is_cut |= natural.divide(factor) != 0;
        }
    }
    // The four highest limbs; what is below them counts as cut off.
    let below = natural.0.len().saturating_sub(4);
    is_cut |= natural.0[..below].iter().any(|limb| *limb != 0);
    let highest = natural.0[below..].iter().rev();
    let wide = highest.fold(0, |wide: u128, limb| wide << 32 | u128::from(*limb));
    rounded(wide, exponent + 32 * below as i32, is_cut)
}

/// Factors that make a power of ten, each of one limb.
fn factors_of_power(power: u32) -> impl Iterator<Item = u32> {
    let nines = core::iter::repeat_n(BILLION, (power / 9) as usize);
    nines.chain(Some(10_u32.pow(power % 9)))
}

const BILLION: u32 = 1_000_000_000;

/// A natural number of any size, the lowest 32 bits first. Invariant: the highest are not all zero.
struct Natural(Vec<u32>);

impl Natural {
    fn of_digits(digits: &[u8]) -> Self {
        let mut natural = Self(Vec::new());
        for digit in digits {
            natural.multiply(10);
            natural.add(u32::from(digit - b'0'));
        }
        natural
    }

    fn add(&mut self, mut carry: u32) {
        for limb in &mut self.0 {
            let (sum, is_over) = limb.overflowing_add(carry);
            (*limb, carry) = (sum, u32::from(is_over));
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    fn multiply(&mut self, factor: u32) {
        let mut carry = 0;
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            (*limb, carry) = (product as u32, product >> 32);
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Divides, and returns what is left.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0;
        for limb in self.0.iter_mut().rev() {
            let part = rest << 32 | u64::from(*limb);
            (*limb, rest) = (
                (part / u64::from(divisor)) as u32,
                part % u64::from(divisor),
            );
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        rest as u32
    }
}

/// The digits of `mantissa` times two to the power of `exponent`.
fn whole(mantissa: u64, exponent: u32) -> String {
    let mut limbs = vec![0; exponent as usize / 32];
    let shifted = u128::from(mantissa) << (exponent % 32);
    limbs.extend([
        shifted as u32,
        (shifted >> 32) as u32,
        (shifted >> 64) as u32,
    ]);
    let (mut natural, mut parts) = (Natural(limbs), Vec::new());
    while !natural.0.is_empty() {
        parts.push(natural.divide(BILLION));
    }
    let mut parts = parts.iter().rev().skip_while(|part| **part == 0);
    let first = parts.next().map_or(0, |part| *part);
    parts.fold(format!("{first}"), |text, part| {
        text + &format!("{part:09}")
    })
}

/// The digits of `mantissa` divided by two to the power of `shift`, which is not 0.
fn with_point(mantissa: u64, shift: u32) -> String {
    const SCALE: u128 = 10_u128.pow(DECIMALS as u32);
    let scaled = u128::from(mantissa) * SCALE;
    let floor = scaled.checked_shr(shift).unwrap_or(0);
    let rest = scaled - floor.checked_shl(shift).unwrap_or(0);
    let half = 1_u128.checked_shl(shift - 1).unwrap_or(u128::MAX);
    let is_up = rest > half || rest == half && !floor.is_multiple_of(2);
    let nearest = floor + u128::from(is_up);
    let text = format!("{}.{:017}", nearest / SCALE, nearest % SCALE);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    String::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let number = |text: &str| LongDouble::read(text.as_bytes()).expect("a number");
        number(a).plus(number(b)).map(LongDouble::write)
    }

    #[test]
    fn sums_are_those_of_redis() {
        for (a, b, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "-3", "0"),
            ("0", "-0", "0"),
            ("-1e-30", "0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            (".5", "5.", "5.5"),
            ("17179869184", "1.5", "17179869185.5"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e20", "1", "100000000000000000000"),
            ("1.23456789012345678901", "0", "1.23456789012345679"),
            ("1e30", "0", "1000000000000000000024696061952"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
        assert_eq!(sum("1e4932", "1e4932"), None);
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(sum("1e4900", "0").map(|text| text.len()), Some(4901));
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        let long = "1".repeat(LONGEST + 1);
        for text in [
            "",
            "-",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            " 1",
            "1 ",
            "nan",
            "abc",
            "1x",
            "1e5000",
            "-1e5000",
            "1e-5000",
            "1e99999999999999999999",
            "--1",
            &long,
        ] {
            assert_eq!(LongDouble::read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::read(b"0e99999"), Some(LongDouble::ZERO));
    }

    #[test]
    fn whole_numbers_are_exact() {
        for exponent in 0..63 {
            let number = (1_u64 << exponent) + exponent;
            assert_eq!(sum(&format!("{number}"), "0"), Some(format!("{number}")));
        }
    }
}
