//! Arithmetic on numbers: exact where both are exact and the result can be (N1), else in `f64`.

use super::Operator;
use crate::event::number::{Number, pow10, ratio};

/// What is done to two numbers.
///
/// # Errors
/// A division by zero, or a result that is not finite.
pub fn calculate(operator: Operator, a: &Number, b: &Number) -> Result<Number, String> {
    let is_division = matches!(operator, Operator::Divide | Operator::Remainder);
    if is_division && b.to_f64() == 0.0 {
        return Err("a division by zero".into());
    }
    let exact = match (a.exact(), b.exact()) {
        (Some(a_parts), Some(b_parts)) => {
            calculate_exactly(operator, a_parts, b_parts, a.is_pointed() || b.is_pointed())
        }
        _ => None,
    };
    let (x, y) = (a.to_f64(), b.to_f64());
    let float = || match operator {
        Operator::Add => x + y,
        Operator::Subtract => x - y,
        Operator::Multiply => x * y,
        Operator::Divide => x / y,
        Operator::Remainder => x % y,
    };
    exact.map_or_else(|| finite(float()), Ok)
}

/// `None` where the result does not fit.
fn calculate_exactly(operator: Operator, (a, s): (i128, u8), (b, t): (i128, u8), pointed: bool) -> Option<Number> {
    let scale = s.max(t);
    let aligned = || Some((a.checked_mul(pow10(scale - s))?, b.checked_mul(pow10(scale - t))?));
    Some(match operator {
        Operator::Add => aligned().and_then(|(a, b)| Some(Number::of_exact(a.checked_add(b)?, scale, pointed)))?,
        Operator::Subtract => aligned().and_then(|(a, b)| Some(Number::of_exact(a.checked_sub(b)?, scale, pointed)))?,
        // Both scales are at most 19.
        Operator::Multiply => Number::of_exact(a.checked_mul(b)?, s + t, pointed),
        Operator::Remainder => {
            aligned().and_then(|(a, b)| Some(Number::of_exact(a.checked_rem(b)?, scale, pointed)))?
        }
        Operator::Divide => {
            let (a, b) = aligned()?;
            match a.checked_rem(b)? {
                0 => Number::of_exact(a / b, 0, pointed),
                _ => Number::Float(ratio(a, b)),
            }
        }
    })
}

/// The number of the other sign.
pub fn negated(number: &Number) -> Number {
    match number.exact() {
        Some((mantissa, scale)) if mantissa != i128::MIN => Number::of_exact(-mantissa, scale, number.is_pointed()),
        // Adding 0 makes -0 0.
        _ => Number::Float(-number.to_f64() + 0.0),
    }
}

/// A number, if it is one.
///
/// # Errors
/// It is too large to be one.
pub fn finite(float: f64) -> Result<Number, String> {
    if float.is_finite() { Ok(Number::Float(float + 0.0)) } else { Err("a result is too large".into()) }
}
