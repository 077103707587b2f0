//! Grouping keys as bytes whose order is the order of N6, so that equality, hashing and sorting
//! of keys are those of byte strings.
//!
//! Each part of a key begins with a tag: null, false, true, number, string, in that order.
//! Strings are ended by a zero byte (a zero inside becomes `00 FF`), as in FoundationDB's tuple
//! layer. Numbers are sign, exponent and digits; a negative number has all of them inverted.

use super::number::Parts;
use std::borrow::Cow;

const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NUMBER: u8 = 4;
const TEXT: u8 = 5;
/// All keys beyond a limit, after all others.
const OTHER: u8 = 6;

const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;

const END: u8 = 0x00;
const ESCAPE: u8 = 0xFF;
/// Added to exponents so that they are positive; they lie within about ±10^9.
const EXPONENT_BIAS: i64 = 1 << 31;

/// Digits of whole numbers that are taken as they stand.
const MOST_DIGITS: usize = 20;

/// Numbers print without an exponent if that takes at most this many zeros.
const MOST_ZEROS: i64 = 40;

/// Appends the key part null.
pub fn push_null(key: &mut Vec<u8>) {
    key.push(NULL);
}

/// Whether a key of one part is null.
#[inline]
pub fn is_null(key: &[u8]) -> bool {
    key == [NULL]
}

/// The key of all keys beyond a limit, of so many parts, which read as null.
pub fn other(parts: usize) -> Vec<u8> {
    vec![OTHER; parts]
}

/// Whether a key is that of all beyond a limit.
#[inline]
pub fn is_other(key: &[u8]) -> bool {
    key.first() == Some(&OTHER)
}

/// Appends a boolean key part.
pub fn push_bool(key: &mut Vec<u8>, value: bool) {
    key.push(if value { TRUE } else { FALSE });
}

/// Appends a string key part, given unescaped.
#[inline]
pub fn push_text(key: &mut Vec<u8>, text: &[u8]) {
    key.push(TEXT);
    if text.contains(&END) {
        for byte in text {
            key.push(*byte);
            if *byte == END {
                key.push(ESCAPE);
            }
        }
    } else {
        key.extend_from_slice(text);
    }
    key.push(END);
}

/// Bytes of a text key part beside the text.
pub const AROUND_TEXT: usize = 2;

/// The key whose only part is a text of so many bytes, the first of `window`, as [`push_text`] writes it, in the
/// order of memory and with zeros behind. `None` if it is too long, has a zero byte, or a byte beyond ASCII where
/// it `may_be_no_utf8`.
#[inline]
pub fn short_text(window: &[u8; 16], length: usize, may_be_no_utf8: bool) -> Option<u128> {
    if length + AROUND_TEXT > window.len() {
        return None;
    }
    const ONES: u128 = u128::from_le_bytes([0x01; 16]);
    let beyond = u128::MAX << (8 * length);
    let text = u128::from_le_bytes(*window);
    // A byte borrows from its highest bit only if it is zero, or if one below it is.
    let filled = text | beyond;
    let mut odd = filled.wrapping_sub(ONES) & !filled;
    if may_be_no_utf8 {
        odd |= text & !beyond;
    }
    if odd & (ONES << 7) != 0 {
        return None;
    }
    Some((text & !beyond) << 8 | u128::from(TEXT))
}

/// Appends a number key part from its literal. `false`, and nothing appended, if it is no number
/// or too long to be one (N6).
pub fn push_number(key: &mut Vec<u8>, literal: &[u8]) -> bool {
    // Most are like this, and need not be taken apart.
    if let [b'1'..=b'9', rest @ ..] = literal
        && rest.len() < MOST_DIGITS
        && rest.iter().all(u8::is_ascii_digit)
    {
        let zeros = rest.iter().rev().take_while(|digit| **digit == b'0').count();
        key.push(NUMBER);
        push_digits(key, literal.len() as i64, &literal[..literal.len() - zeros]);
        return true;
    }
    let Some(parts) = Parts::parse(literal) else {
        return false;
    };
    key.push(NUMBER);
    if parts.digits.is_empty() {
        key.push(ZERO);
        return true;
    }
    let body = key.len() + 1;
    push_digits(key, parts.exponent + parts.digits.len() as i64, &parts.digits);
    if parts.negative {
        key[body - 1] = NEGATIVE;
        key[body..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    true
}

/// Appends the positive number `0.digits * 10^magnitude`, without its tag: a larger magnitude is a larger number.
fn push_digits(key: &mut Vec<u8>, magnitude: i64, digits: &[u8]) {
    key.push(POSITIVE);
    key.extend_from_slice(&((magnitude + EXPONENT_BIAS) as u32).to_be_bytes());
    key.extend_from_slice(digits);
    key.push(END);
}

/// One part of a key, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart<'a> {
    /// Missing, null or an empty cell (N4).
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number in its canonical spelling, a JSON number.
    Number(String),
    /// A string.
    Text(Cow<'a, str>),
}

/// Reads the parts of a key made by the functions above, in order.
pub fn parts(mut key: &[u8]) -> impl Iterator<Item = KeyPart<'_>> {
    std::iter::from_fn(move || {
        let (tag, rest) = key.split_first()?;
        let (part, rest) = match *tag {
            NULL | OTHER => (KeyPart::Null, rest),
            FALSE | TRUE => (KeyPart::Bool(*tag == TRUE), rest),
            NUMBER => number_part(rest),
            _ => text_part(rest),
        };
        key = rest;
        Some(part)
    })
}

/// Whether the functions above can have made this.
pub fn is_whole(mut key: &[u8]) -> bool {
    while let Some((tag, rest)) = key.split_first() {
        let rest = match *tag {
            NULL | FALSE | TRUE | OTHER => Some(rest),
            NUMBER => behind_number(rest),
            TEXT => behind_text(rest),
            _ => None,
        };
        match rest {
            Some(rest) => key = rest,
            None => return false,
        }
    }
    true
}

fn behind_number(bytes: &[u8]) -> Option<&[u8]> {
    let (sign, rest) = bytes.split_first()?;
    let flip = match *sign {
        ZERO => return Some(rest),
        NEGATIVE => 0xFF,
        POSITIVE => 0,
        _ => return None,
    };
    let (_, rest) = rest.split_first_chunk::<4>()?;
    let length = rest.iter().position(|byte| byte ^ flip == END)?;
    let is_number = length > 0 && rest[..length].iter().all(|byte| (byte ^ flip).is_ascii_digit());
    is_number.then(|| &rest[length + 1..])
}

fn behind_text(bytes: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(END, &bytes[from..])?;
        match bytes.get(at + 1) {
            Some(&ESCAPE) => from = at + 2,
            _ => return Some(&bytes[at + 1..]),
        }
    }
}

fn text_part(bytes: &[u8]) -> (KeyPart<'_>, &[u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memchr(END, &bytes[from..]).map(|at| from + at) {
        if bytes.get(at + 1) != Some(&ESCAPE) {
            let text = &bytes[..at];
            let text = if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(unescape(text)) };
            return (KeyPart::Text(to_str(text)), &bytes[at + 1..]);
        }
        from = at + 2;
    }
    (KeyPart::Text(to_str(Cow::Borrowed(bytes))), &[])
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(*byte);
        if *byte == END {
            bytes.next();
        }
    }
    out
}

/// Decoders admit only UTF-8 into keys (N5).
fn to_str(text: Cow<'_, [u8]>) -> Cow<'_, str> {
    match text {
        // Which is quicker than to look for what is no UTF-8.
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
        }
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn number_part(bytes: &[u8]) -> (KeyPart<'_>, &[u8]) {
    let (sign, rest) = bytes.split_first().map_or((ZERO, bytes), |(sign, rest)| (*sign, rest));
    let (Some((magnitude, rest)), false) = (rest.split_first_chunk::<4>(), sign == ZERO) else {
        return (KeyPart::Number("0".into()), rest);
    };
    let negative = sign == NEGATIVE;
    let flip = if negative { 0xFF } else { 0 };
    let magnitude = i64::from(u32::from_be_bytes(magnitude.map(|b| b ^ flip))) - EXPONENT_BIAS;
    let length = rest.iter().position(|b| b ^ flip == END).unwrap_or(rest.len());
    let digits: String = rest[..length].iter().map(|b| char::from(b ^ flip)).collect();
    let rest = rest.get(length + 1..).unwrap_or_default();
    (KeyPart::Number(canonical(negative, &digits, magnitude)), rest)
}

/// `0.digits * 10^magnitude` without an exponent if that is short, else with one digit before the point.
fn canonical(negative: bool, digits: &str, magnitude: i64) -> String {
    let sign = if negative { "-" } else { "" };
    let count = digits.len() as i64;
    if magnitude >= count && magnitude - count <= MOST_ZEROS {
        let zeros = (magnitude - count) as usize;
        let mut number = String::with_capacity(sign.len() + digits.len() + zeros);
        number.extend([sign, digits]);
        number.extend(std::iter::repeat_n('0', zeros));
        number
    } else if (1..count).contains(&magnitude) {
        let (whole, after) = digits.split_at(magnitude as usize);
        format!("{sign}{whole}.{after}")
    } else if (-MOST_ZEROS..=0).contains(&magnitude) {
        format!("{sign}0.{}{digits}", "0".repeat((-magnitude) as usize))
    } else {
        let (first, after) = digits.split_at(1);
        let point = if after.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{after}e{}", magnitude - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(literal: &str) -> Vec<u8> {
        let mut key = Vec::new();
        assert!(push_number(&mut key, literal.as_bytes()), "{literal}");
        key
    }

    fn text(value: &str) -> Vec<u8> {
        let mut key = Vec::new();
        push_text(&mut key, value.as_bytes());
        key
    }

    #[test]
    fn n6_null_false_true_numbers_strings_in_that_order() {
        let tag = |push: fn(&mut Vec<u8>)| {
            let mut key = Vec::new();
            push(&mut key);
            key
        };
        let ascending = vec![
            tag(push_null),
            tag(|key| push_bool(key, false)),
            tag(|key| push_bool(key, true)),
            number("-1e30"),
            number("-11"),
            number("-10"),
            number("-1.5"),
            number("-1"),
            number("-0.5"),
            number("-1e-30"),
            number("0"),
            number("1e-30"),
            number("0.5"),
            number("0.55"),
            number("1"),
            number("1.000000000000000000000000000001"),
            number("9"),
            number("10"),
            number("1e30"),
            text(""),
            text("\0"),
            text("\0a"),
            text("1"),
            text("a"),
            text("a\0"),
            text("a\0b"),
            text("ab"),
            text("é"),
        ];
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]));
        // Composite keys are compared part by part, whatever the parts' lengths.
        for first in ascending.windows(2) {
            let (a, b) = ([first[0].clone(), text("z")].concat(), [first[1].clone(), text("a")].concat());
            assert!(a < b);
        }
    }

    #[test]
    fn n6_numbers_are_equal_by_value_and_print_canonically() {
        for (literals, canonical) in [
            (vec!["1", "1.0", "1e0", "10e-1", "0.1e1"], "1"),
            (vec!["0", "-0", "0.00", "0e5"], "0"),
            (vec!["-12.50", "-1.25e1"], "-12.5"),
            (vec!["100", "1e2", "+100", "0100"], "100"),
            (vec!["10203000", "10203000.0", "10203e3"], "10203000"),
            (vec!["99999999999999999999", "99999999999999999999.0", "099999999999999999999"], "99999999999999999999"),
            (vec!["100000000000000000000", "1e20", "100000000000000000000.0"], "100000000000000000000"),
            (vec!["0.001", "1e-3"], "0.001"),
            (vec!["1e400", "10e399"], "1e400"),
            (vec!["-1.5e-400"], "-1.5e-400"),
            (vec!["123456789012345678901234567890"], "123456789012345678901234567890"),
        ] {
            let key = number(literals[0]);
            assert!(literals.iter().all(|literal| number(literal) == key), "{literals:?}");
            assert_eq!(parts(&key).collect::<Vec<_>>(), [KeyPart::Number(canonical.into())]);
        }
    }

    #[test]
    fn n6_a_number_of_more_than_4_kib_is_none() {
        assert!(!push_number(&mut Vec::new(), "1".repeat(4097).as_bytes()));
    }

    #[test]
    fn keys_read_back_as_written() {
        let mut key = Vec::new();
        push_text(&mut key, b"a\0b");
        push_null(&mut key);
        push_number(&mut key, b"-7.25");
        push_bool(&mut key, true);
        push_text(&mut key, b"");
        let expected = [
            KeyPart::Text("a\0b".into()),
            KeyPart::Null,
            KeyPart::Number("-7.25".into()),
            KeyPart::Bool(true),
            KeyPart::Text("".into()),
        ];
        assert_eq!(parts(&key).collect::<Vec<_>>(), expected);
        assert!(is_whole(&key) && is_whole(&[]) && is_whole(&other(2)));
        // What is cut off inside a part is no key (but a text may look as if it ended before a zero in it), and nothing
        // panics where a byte has changed.
        let ends = [3, 6, 7, 17, 18];
        for length in 1..key.len() {
            assert_eq!(is_whole(&key[..length]), ends.contains(&length), "{length} of {key:?}");
        }
        for at in 0..key.len() {
            for byte in 0..=255 {
                let mut damaged = key.clone();
                damaged[at] = byte;
                if is_whole(&damaged) {
                    assert!(parts(&damaged).count() > 0);
                }
            }
        }
    }
}
