//! Reading numbers: the short and the common ones quickly, all others rightly.

use super::{MAX_DIGITS, MAX_LITERAL, Number, pow10};

/// As [`Number::parse_short`], for the last bytes of the window.
#[inline(always)]
pub(super) fn parse_short(window: &[u8; 8], length: usize) -> Option<Number> {
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
pub(super) fn parse_plain(text: &[u8]) -> Option<Number> {
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

/// Any number, slowly.
#[cold]
pub(super) fn parse_general(text: &[u8]) -> Option<Number> {
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
