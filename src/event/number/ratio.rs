//! Quotients of exact numbers, rounded once.

use super::pow10;
use num_bigint::BigInt;

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
