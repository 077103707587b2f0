//! Numbers as written: exact decimals where N1 says so, `f64` elsewhere.

use num_bigint::BigInt;
use std::cmp::Ordering;

/// Longest number that is read, in bytes (N6); a longer one is a bad value.
pub const MAX_LITERAL: usize = 4096;
/// Most significant digits, and largest scale either way, of a decimal that is kept exact (N1).
const MAX_DIGITS: usize = 19;

/// A finite number. 16 bytes, because columns and extents are full of them.
#[derive(Clone, Debug)]
pub enum Number {
    /// `mantissa / 10^scale`, without trailing zeros after the point.
    Small {
        /// The digits as an integer.
        mantissa: i64,
        /// Digits after the point, at most 19.
        scale: u8,
        /// Whether it was written with a point or an exponent.
        pointed: bool,
    },
    /// An exact number whose mantissa needs more than 64 bits.
    Wide(Box<Wide>),
    /// Anything else; never NaN or infinite, never -0.
    Float(f64),
}

/// The parts of [`Number::Small`] with a wider mantissa.
#[derive(Clone, Debug)]
pub struct Wide {
    /// The digits as an integer.
    pub mantissa: i128,
    /// Digits after the point, at most 19.
    pub scale: u8,
    /// Whether it was written with a point or an exponent.
    pub pointed: bool,
}

/// `10^exponent`, for exponents up to 38.
#[inline]
pub fn pow10(exponent: u8) -> i128 {
    const POWERS: [i128; 39] = {
        let mut powers = [1; 39];
        let mut i = 1;
        while i < 39 {
            powers[i] = powers[i - 1] * 10;
            i += 1;
        }
        powers
    };
    POWERS[exponent as usize]
}

impl Number {
    /// Reads a number: optional blanks around, optional sign, digits with an optional point
    /// (`.5`, `5.`, leading zeros), optional exponent, nothing else (N3). Every JSON number is one.
    ///
    /// `None` for anything else, for what is not finite as `f64` and for more than
    /// [`MAX_LITERAL`] bytes.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Number> {
        parse_plain(text).or_else(|| parse_general(text))
    }

    /// As [`Number::parse`] for the commonest shape, without a loop: `-?digits[.digits]` of at most 8 bytes at a
    /// place in some text. `None` for any other, which may be a number all the same.
    #[inline(always)]
    pub fn parse_short(text: &[u8], start: usize, length: usize) -> Option<Number> {
        let before = (start + length).checked_sub(8)?;
        parse_short(text.get(before..)?.first_chunk()?, length)
    }

    /// `mantissa / 10^scale`, trailing zeros or not.
    pub fn small(mut mantissa: i64, mut scale: u8, pointed: bool) -> Number {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Number::Small { mantissa, scale, pointed }
    }

    /// `mantissa / 10^scale`, trailing zeros or not and a scale of at most 38: exact if a number may be so (N1), else the
    /// nearest `f64`.
    pub fn of_exact(mut mantissa: i128, mut scale: u8, pointed: bool) -> Number {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        match usize::from(scale) <= MAX_DIGITS {
            true => Number::exact_of(mantissa, scale, pointed),
            false => Number::Float(ratio(mantissa, pow10(scale))),
        }
    }

    fn exact_of(mantissa: i128, scale: u8, pointed: bool) -> Number {
        match i64::try_from(mantissa) {
            Ok(mantissa) => Number::Small { mantissa, scale, pointed },
            Err(_) => Number::Wide(Box::new(Wide { mantissa, scale, pointed })),
        }
    }

    /// Mantissa and scale of an exact number.
    #[inline]
    pub fn exact(&self) -> Option<(i128, u8)> {
        match self {
            Number::Small { mantissa, scale, .. } => Some((i128::from(*mantissa), *scale)),
            Number::Wide(wide) => Some((wide.mantissa, wide.scale)),
            Number::Float(_) => None,
        }
    }

    /// Whether the number was written with a point or an exponent.
    pub fn is_pointed(&self) -> bool {
        match self {
            Number::Small { pointed, .. } => *pointed,
            Number::Wide(wide) => wide.pointed,
            Number::Float(_) => true,
        }
    }

    /// Says that an equal number was written as an integer, so that it prints as one (N1).
    pub fn set_integral(&mut self) {
        match self {
            Number::Small { pointed, .. } => *pointed = false,
            Number::Wide(wide) => wide.pointed = false,
            Number::Float(_) => {}
        }
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        match self {
            Number::Small { mantissa, scale, .. } => ratio(i128::from(*mantissa), pow10(*scale)),
            Number::Wide(wide) => ratio(wide.mantissa, pow10(wide.scale)),
            Number::Float(float) => *float,
        }
    }

    /// A total order by value. An exact number and an `f64` are compared as `f64`; where they are
    /// equal as such the exact one comes first, so that extents depend on no order of arrival.
    #[inline]
    pub fn compare(&self, other: &Number) -> Ordering {
        if let (Number::Small { mantissa: a, scale: s, .. }, Number::Small { mantissa: b, scale: t, .. }) =
            (self, other)
        {
            if s == t {
                return a.cmp(b);
            }
            // 64 bits times 10^19 are less than 127 bits.
            let scale = s.max(t);
            return (i128::from(*a) * pow10(scale - s)).cmp(&(i128::from(*b) * pow10(scale - t)));
        }
        match (self.exact(), other.exact()) {
            (Some((a, s)), Some((b, t))) => compare_scaled(a, s, b, t),
            (exact, other_exact) => {
                self.to_f64().total_cmp(&other.to_f64()).then_with(|| other_exact.is_some().cmp(&exact.is_some()))
            }
        }
    }
}

/// `a / 10^s` against `b / 10^t`.
fn compare_scaled(a: i128, s: u8, b: i128, t: u8) -> Ordering {
    let (whole_a, whole_b) = (a.div_euclid(pow10(s)), b.div_euclid(pow10(t)));
    // The rests are below 10^19 each; brought to one scale they stay below 10^38, which fits.
    whole_a.cmp(&whole_b).then_with(|| {
        let (rest_a, rest_b) = (a.rem_euclid(pow10(s)), b.rem_euclid(pow10(t)));
        let scale = s.max(t);
        (rest_a * pow10(scale - s)).cmp(&(rest_b * pow10(scale - t)))
    })
}

/// As [`Number::parse_short`], for the last bytes of the window.
#[inline(always)]
fn parse_short(window: &[u8; 8], length: usize) -> Option<Number> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST_BITS: u64 = ONES << 7;
    const POINT: u64 = (b'.' ^ b'0') as u64;
    if length == 0 || length > 8 {
        return None;
    }
    let negative = window[8 - length] == b'-';
    let length = length - usize::from(negative);
    if length == 0 {
        return None;
    }
    // Each byte is the value of its digit, the first one lowest, and what comes before the number is zero.
    let values = (u64::from_le_bytes(*window) ^ (ONES * u64::from(b'0'))) & (u64::MAX << (8 * (8 - length)));
    let others = (((values & !HIGHEST_BITS) + ONES * 0x76) | values) & HIGHEST_BITS;
    let (mut digits, mut scale) = (values, 0);
    if others != 0 {
        let point = others.trailing_zeros() / 8;
        if others & (others - 1) != 0 || values >> (8 * point) & 0xFF != POINT || length == 1 {
            return None;
        }
        // What stands before the point moves up over it.
        let after = values >> (8 * point) >> 8 << 8 << (8 * point);
        let before = values & !(u64::MAX << (8 * point));
        digits = after | before << 8;
        scale = 7 - point;
        // And all of it over the zeros at the end.
        let zeros = (digits.leading_zeros() / 8).min(scale);
        scale -= zeros;
        digits <<= 8 * zeros;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to eight.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    let all = (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF;
    let mantissa = if negative { -(all as i64) } else { all as i64 };
    Some(Number::Small { mantissa, scale: scale as u8, pointed: others != 0 })
}

/// The common shape on its own: `-?digits[.digits]` of at most 18 digits.
#[inline]
fn parse_plain(text: &[u8]) -> Option<Number> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut mantissa = 0i64;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
        } else if *byte == b'.' && point.is_none() {
            point = Some(place);
        } else {
            return None;
        }
    }
    let (mut scale, pointed) = match point {
        None if digits.len() <= 18 => (0, false),
        Some(point) if digits.len() > 1 => ((digits.len() - 1 - point) as u8, true),
        _ => return None,
    };
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Some(Number::Small { mantissa: if negative { -mantissa } else { mantissa }, scale, pointed })
}

/// A number taken apart: its significant digits and where the point stands.
pub(crate) struct Parts {
    pub negative: bool,
    /// Digits without leading and trailing zeros; none for zero.
    pub digits: Vec<u8>,
    /// The value is `digits * 10^exponent`.
    pub exponent: i64,
    /// Written with a point or an exponent.
    pub pointed: bool,
}

impl Parts {
    /// Takes a number literal apart; `None` if it is none (the grammar of [`Number::parse`]), is
    /// too long, or has an exponent of more than nine digits.
    pub(crate) fn parse(text: &[u8]) -> Option<Parts> {
        let text = text.trim_ascii();
        if text.len() > MAX_LITERAL {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (decimal, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&unsigned[..at], Some(parse_exponent(&unsigned[at + 1..])?)),
            None => (unsigned, None),
        };
        let point = decimal.iter().position(|b| *b == b'.');
        let (whole, after) = match point {
            Some(at) => (&decimal[..at], &decimal[at + 1..]),
            None => (decimal, &[][..]),
        };
        if whole.is_empty() && after.is_empty() || !whole.iter().chain(after).all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits: Vec<u8> = whole.iter().chain(after).copied().skip_while(|d| *d == b'0').collect();
        let mut exponent_of_last = exponent.unwrap_or(0) - after.len() as i64;
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent_of_last += 1;
        }
        let pointed = point.is_some() || exponent.is_some();
        Some(Parts { negative: negative && !digits.is_empty(), digits, exponent: exponent_of_last, pointed })
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let significant = &digits[digits.iter().position(|d| *d != b'0').unwrap_or(digits.len())..];
    if significant.len() > 9 {
        return None;
    }
    let value = significant.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Some(if negative { -value } else { value })
}

#[cold]
fn parse_general(text: &[u8]) -> Option<Number> {
    let parts = Parts::parse(text)?;
    if parts.digits.is_empty() {
        return Some(Number::Small { mantissa: 0, scale: 0, pointed: parts.pointed });
    }
    let integer = || -> Option<Number> {
        // An integer literal is exact as far as i128 reaches; its trailing zeros come back here.
        let zeros = u32::try_from(parts.exponent).ok().filter(|zeros| *zeros <= 38)?;
        let mantissa = to_i128(&parts.digits, parts.negative)?.checked_mul(pow10(zeros as u8))?;
        Some(Number::exact_of(mantissa, 0, false))
    };
    let decimal = || -> Option<Number> {
        if parts.digits.len() > MAX_DIGITS || !(-19..=19).contains(&parts.exponent) {
            return None;
        }
        let mantissa = to_i128(&parts.digits, parts.negative)?;
        // At most 19 digits and 19 zeros: 38 digits, which fit.
        Some(match u8::try_from(-parts.exponent) {
            Ok(scale) => Number::exact_of(mantissa, scale, true),
            Err(_) => Number::exact_of(mantissa * pow10(parts.exponent as u8), 0, true),
        })
    };
    let exact = if parts.pointed { decimal() } else { integer() };
    exact.or_else(|| {
        let float: f64 = std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()?;
        // Adding 0 makes -0 (a tiny negative number) 0.
        float.is_finite().then_some(Number::Float(float + 0.0))
    })
}

fn to_i128(digits: &[u8], negative: bool) -> Option<i128> {
    // Counted downwards, so that i128::MIN is reached too.
    let value =
        digits.iter().try_fold(0i128, |value, digit| value.checked_mul(10)?.checked_sub(i128::from(digit - b'0')))?;
    if negative { Some(value) } else { value.checked_neg() }
}

/// `numerator / denominator`, rounded once to the nearest `f64`, ties to even. The denominator is positive.
pub fn ratio(numerator: i128, denominator: i128) -> f64 {
    const EXACT: u128 = 1 << f64::MANTISSA_DIGITS;
    if numerator.unsigned_abs() <= EXACT && denominator.unsigned_abs() <= EXACT {
        // Both are exact as f64, and one division rounds once.
        return numerator as f64 / denominator as f64;
    }
    ratio_big(&BigInt::from(numerator), &BigInt::from(denominator))
}

/// `mantissa / 10^scale / divisor`, rounded once.
pub fn ratio_of(mantissa: i128, scale: u8, divisor: u64) -> f64 {
    match pow10(scale).checked_mul(i128::from(divisor)) {
        Some(denominator) => ratio(mantissa, denominator),
        None => ratio_big(&mantissa.into(), &(BigInt::from(divisor) * pow10(scale))),
    }
}

/// As [`ratio`], for integers of any size.
pub fn ratio_big(numerator: &BigInt, denominator: &BigInt) -> f64 {
    let (magnitude, divisor) = (numerator.magnitude(), denominator.magnitude());
    if magnitude.bits() == 0 {
        return 0.0;
    }
    // Scale by a power of two so that the quotient has 64 or 65 bits; what is cut off below them
    // only matters as "something is there", the sticky bit. Sums are far from subnormal: their
    // exponents lie within a few hundred.
    let shift = 64 - (magnitude.bits() as i64 - divisor.bits() as i64);
    let (scaled, scaled_divisor) = if shift >= 0 {
        (magnitude << shift as u64, divisor.clone())
    } else {
        (magnitude.clone(), divisor << (-shift) as u64)
    };
    let quotient = &scaled / &scaled_divisor;
    let rest = &scaled - &quotient * &scaled_divisor;
    let mut bits =
        quotient.iter_u64_digits().enumerate().fold(0u128, |value, (i, digit)| value | u128::from(digit) << (64 * i));
    if rest.bits() != 0 {
        bits |= 1;
    }
    // A u128 with its sticky bit far below the 53rd converts with one correct rounding.
    // In two steps: a power of two that is out of range by itself may still lead to a number that is not.
    let half = (-shift / 2) as i32;
    let value = bits as f64 * 2f64.powi(half) * 2f64.powi(-shift as i32 - half);
    if numerator.sign() == num_bigint::Sign::Minus { -value } else { value }
}

/// Appends an exact number: all its digits, no trailing zeros; `.0` if it is whole and `pointed`.
pub fn write_exact(out: &mut Vec<u8>, mantissa: i128, scale: u8, pointed: bool) {
    let mut buffer = itoa::Buffer::new();
    let magnitude = mantissa.unsigned_abs();
    // Most are narrow, which is quicker.
    let digits = match u64::try_from(magnitude) {
        Ok(narrow) => buffer.format(narrow),
        Err(_) => buffer.format(magnitude),
    };
    let whole = write_digits(out, mantissa < 0, digits.as_bytes(), scale);
    finish_exact(out, whole, pointed);
}

/// As [`write_exact`], for a mantissa of any size.
pub fn write_exact_big(out: &mut Vec<u8>, mantissa: &BigInt, scale: u8, pointed: bool) {
    let digits = mantissa.magnitude().to_string();
    let whole = write_digits(out, mantissa.sign() == num_bigint::Sign::Minus, digits.as_bytes(), scale);
    finish_exact(out, whole, pointed);
}

fn finish_exact(out: &mut Vec<u8>, whole: bool, pointed: bool) {
    if whole && pointed {
        out.extend_from_slice(b".0");
    }
}

/// Appends `digits / 10^scale` without trailing zeros after the point; says whether nothing is left there.
fn write_digits(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: u8) -> bool {
    let scale = usize::from(scale);
    if negative {
        out.push(b'-');
    }
    if digits.len() > scale {
        out.extend_from_slice(&digits[..digits.len() - scale]);
    } else {
        out.push(b'0');
    }
    let zeros = scale.saturating_sub(digits.len());
    let after = &digits[digits.len().saturating_sub(scale)..];
    let kept = after.len() - after.iter().rev().take_while(|d| **d == b'0').count();
    if kept > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', zeros));
        out.extend_from_slice(&after[..kept]);
    }
    kept == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        match Number::parse(text.as_bytes()) {
            None => "bad".into(),
            Some(Number::Float(f)) => format!("f64 {f:e}"),
            Some(number) => {
                let (mantissa, scale) = number.exact().expect("exact");
                format!("{mantissa}e-{scale}{}", if number.is_pointed() { " pointed" } else { "" })
            }
        }
    }

    #[test]
    fn n1_exact_as_far_as_19_digits_and_integers_to_i128() {
        for (text, expected) in [
            ("0", "0e-0"),
            ("-0", "0e-0"),
            ("-0.0", "0e-0 pointed"),
            ("12.50", "125e-1 pointed"),
            ("100", "100e-0"),
            ("100.0", "100e-0 pointed"),
            ("1e2", "100e-0 pointed"),
            ("1E-3", "1e-3 pointed"),
            ("9223372036854775807", "9223372036854775807e-0"),
            ("9223372036854775808", "9223372036854775808e-0"),
            ("-9223372036854775808", "-9223372036854775808e-0"),
            ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727e-0"),
            ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728e-0"),
            ("170141183460469231731687303715884105728", "f64 1.7014118346046923e38"),
            ("0.1234567890123456789", "1234567890123456789e-19 pointed"),
            ("0.12345678901234567891", "f64 1.2345678901234568e-1"),
            ("1234567890.123456789", "1234567890123456789e-9 pointed"),
            ("12345678901.123456789", "f64 1.2345678901123457e10"),
            ("1e19", "10000000000000000000e-0 pointed"),
            ("1e20", "f64 1e20"),
            ("1e-19", "1e-19 pointed"),
            ("1e-20", "f64 1e-20"),
            ("1e-400", "f64 0e0"),
            ("-1e-400", "f64 0e0"),
            ("0e999999999", "0e-0 pointed"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn n3_loose_spellings_and_what_is_no_number() {
        for (text, expected) in [
            (" 5 ", "5e-0"),
            ("+5", "5e-0"),
            ("007", "7e-0"),
            (".5", "5e-1 pointed"),
            ("5.", "5e-0 pointed"),
            ("-.5e1", "-5e-0 pointed"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
        let long = "1".repeat(MAX_LITERAL + 1);
        for text in [
            "",
            " ",
            "-",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1,234",
            "0x10",
            "NaN",
            "Infinity",
            "inf",
            "1 2",
            "--1",
            "1.2.3",
            "1e400",
            "-1e400",
            "1e9999999999",
            &long,
        ] {
            assert_eq!(shape(text), "bad", "{text:.20}");
        }
    }

    #[test]
    fn n3_the_short_way_to_a_number_says_what_the_long_way_says() {
        let alphabet = *b"00123459.-+e :/\xB0\xFF";
        let mut state = 5u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let mut short = 0;
        for round in 0..400_000 {
            // Most have the digits and one point at most; some have anything.
            let kinds = if round % 3 == 0 { alphabet.len() } else { 8 };
            let mut text: Vec<u8> = (0..8 + random() % 12).map(|_| alphabet[random() % kinds]).collect();
            let end = text.len();
            let start = end - random() % 10.min(end + 1);
            if round % 2 == 0 && start < end {
                text[start + random() % (end - start)] = b'.';
            }
            if round % 5 == 0 && start < end {
                text[start] = b'-';
            }
            let Some(found) = Number::parse_short(&text, start, end - start) else { continue };
            let expected = Number::parse(&text[start..end]);
            let shown = String::from_utf8_lossy(&text[start..end]);
            assert_eq!(Some(format!("{found:?}")), expected.map(|number| format!("{number:?}")), "{shown:?}");
            short += 1;
        }
        assert!(short > 100_000, "{short}");
    }

    #[test]
    fn n1_the_order_of_numbers_is_by_value() {
        let ascending = [
            "-1e300",
            "-170141183460469231731687303715884105727",
            "-1.5",
            "-1.25",
            "-0.1",
            "0",
            "1e-19",
            "0.1",
            "0.10000000000000000001",
            "1",
            "1.5",
            "10",
            "9223372036854775808",
            "1e30",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let order = Number::parse(a.as_bytes()).expect(a).compare(&Number::parse(b.as_bytes()).expect(b));
                assert_eq!(order, i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn n1_exact_numbers_print_all_digits_and_no_zeros() {
        for (mantissa, scale, pointed, expected) in [
            (0, 0, false, "0"),
            (0, 3, true, "0.0"),
            (3, 1, true, "0.3"),
            (-3, 1, true, "-0.3"),
            (1500, 3, true, "1.5"),
            (2000, 3, true, "2.0"),
            (2000, 3, false, "2"),
            (5, 19, true, "0.0000000000000000005"),
            (i128::MAX, 0, false, "170141183460469231731687303715884105727"),
        ] {
            let (mut small, mut big) = (Vec::new(), Vec::new());
            write_exact(&mut small, mantissa, scale, pointed);
            write_exact_big(&mut big, &BigInt::from(mantissa), scale, pointed);
            // A scale with trailing zeros prints without them in both forms.
            assert_eq!(
                (String::from_utf8_lossy(&small).as_ref(), String::from_utf8_lossy(&big).as_ref()),
                (expected, expected)
            );
        }
    }

    #[test]
    fn n1_a_ratio_is_rounded_once() {
        for (text, numerator, scale) in [
            ("0.3", 3i128, 1),
            ("9007199254740993", 9_007_199_254_740_993, 0),
            ("9007199254740995", 9_007_199_254_740_995, 0),
            ("-123456789012345678901234567.8901234567", -1_234_567_890_123_456_789_012_345_678_901_234_567, 10),
            ("0.0000000001234567890123456789", 1_234_567_890_123_456_789_000_000_000, 37),
            ("170141183460469231731687303715884105727", i128::MAX, 0),
        ] {
            let expected: f64 = text.parse().expect(text);
            assert_eq!(ratio(numerator, pow10(scale)), expected, "{text}");
            assert_eq!(ratio_big(&BigInt::from(numerator), &BigInt::from(pow10(scale))), expected, "{text}");
        }
    }
}
