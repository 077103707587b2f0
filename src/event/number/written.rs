//! Exact numbers as text.

use num_bigint::BigInt;

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
