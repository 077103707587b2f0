//! Numbers as written: exact decimals where N1 says so, `f64` elsewhere.

mod literal;
mod ratio;
mod written;

pub(crate) use literal::Parts;
use literal::{parse_general, parse_plain, parse_short};
pub use ratio::{ratio, ratio_big, ratio_of};
use std::cmp::Ordering;
pub use written::{write_exact, write_exact_big};

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

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

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
