//! `var` and `stddev`, of a sample and of a population (`_pop`).
//!
//! Count, sum and sum of squares are kept exactly, as integers; the one subtraction in which
//! nearly all digits can cancel is then exact too, and the result is rounded once. So the results
//! depend on no order and no cut, where the updating formulas of B. P. Welford (1962) and of T. F.
//! Chan, G. H. Golub and R. J. LeVeque ("Updating formulae and a pairwise algorithm for computing
//! sample variances", 1979) agree up to rounding only.
//!
//! As in `sum`, what outgrows 128 bits moves into big integers. An `f64` is an integer times a
//! power of two: those are added at the power of the smallest of them all.

use super::saved::{self, MOST_SCALE};
use super::{Accumulate, Argument, Function, Operand, Parameter, Sample, Value};
use crate::codec::{Damaged, Reader, put, put_wide};
use crate::event::number::{Number, pow10, ratio, ratio_big};
use num_bigint::{BigInt, Sign};

/// Count, sum and sum of squares.
#[derive(Clone, Debug, Default)]
pub struct Moments(Option<Box<Sums>>);

#[derive(Clone, Debug, Default)]
struct Sums {
    count: u64,
    /// What is not in `rare`: the sum times `10^scale`, the squares times `10^(2 * scale)`.
    narrow: Narrow,
    /// Most inputs have none of this.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Narrow {
    sum: i128,
    squares: i128,
    scale: u8,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    overflow: Wide,
    /// The sum of `f64` values times `2^1074`, and of their squares times `2^2148`.
    floats: Option<(BigInt, BigInt)>,
}

#[derive(Clone, Debug, Default)]
struct Wide {
    sum: BigInt,
    squares: BigInt,
    scale: u8,
}

/// What saved moments begin with.
const NOTHING: u8 = 0;
const NARROW: u8 = 1;

/// The smallest positive `f64` is `2^-1074`.
const FLOAT_BITS: u32 = 1074;

impl Narrow {
    fn of(mantissa: i128, scale: u8) -> Option<Narrow> {
        Some(Narrow { sum: mantissa, squares: mantissa.checked_mul(mantissa)?, scale })
    }

    fn at_scale(self, scale: u8) -> Option<Narrow> {
        let up = scale - self.scale;
        if up == 0 {
            return Some(self);
        }
        let (sum, squares) = (self.sum.checked_mul(pow10(up))?, self.squares.checked_mul(pow10(2 * up))?);
        Some(Narrow { sum, squares, scale })
    }

    fn plus(self, other: Narrow) -> Option<Narrow> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.at_scale(scale)?, other.at_scale(scale)?);
        Some(Narrow { sum: a.sum.checked_add(b.sum)?, squares: a.squares.checked_add(b.squares)?, scale })
    }

    fn widen(self) -> Wide {
        Wide { sum: self.sum.into(), squares: self.squares.into(), scale: self.scale }
    }
}

impl Wide {
    fn add(&mut self, other: &Wide) {
        let scale = self.scale.max(other.scale);
        let (up, other_up) = (scale - self.scale, scale - other.scale);
        if up > 0 {
            self.sum *= pow10(up);
            self.squares *= pow10(2 * up);
            self.scale = scale;
        }
        self.sum += &other.sum * pow10(other_up);
        self.squares += &other.squares * pow10(2 * other_up);
    }
}

impl Sums {
    fn add_exact(&mut self, mantissa: i128, scale: u8) {
        match Narrow::of(mantissa, scale) {
            Some(one) => self.add_narrow(one),
            None => {
                let sum = BigInt::from(mantissa);
                self.rare().overflow.add(&Wide { squares: &sum * &sum, sum, scale });
            }
        }
    }

    fn add_narrow(&mut self, more: Narrow) {
        match self.narrow.plus(more) {
            Some(sums) => self.narrow = sums,
            None => {
                let full = std::mem::replace(&mut self.narrow, more).widen();
                self.rare().overflow.add(&full);
            }
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn add_float(&mut self, value: f64) {
        let (mantissa, exponent) = decompose(value);
        let mantissa = BigInt::from(mantissa);
        let squares = (&mantissa * &mantissa) << (2 * (exponent + FLOAT_BITS as i32));
        self.add_floats(&(mantissa << (exponent + FLOAT_BITS as i32)), &squares);
    }

    fn add_floats(&mut self, sum: &BigInt, squares: &BigInt) {
        let floats = self.rare().floats.get_or_insert_default();
        floats.0 += sum;
        floats.1 += squares;
    }

    /// The sum of squared distances from the mean, over `divisor`, as a fraction; `None` if it does not fit.
    fn narrow_spread(&self, divisor: u64) -> Option<(i128, i128)> {
        if self.rare.is_some() {
            return None;
        }
        let Narrow { sum, squares, scale } = self.narrow;
        let count = i128::from(self.count);
        let numerator = count.checked_mul(squares)?.checked_sub(sum.checked_mul(sum)?)?;
        let denominator = count.checked_mul(i128::from(divisor))?.checked_mul(pow10(2 * scale))?;
        Some((numerator, denominator))
    }

    /// As [`Sums::narrow_spread`], at any size.
    fn wide_spread(&self, divisor: u64) -> (BigInt, BigInt) {
        let mut total = self.narrow.widen();
        let floats = self.rare.as_ref().and_then(|rare| {
            total.add(&rare.overflow);
            rare.floats.as_ref()
        });
        let Wide { mut sum, mut squares, scale } = total;
        let mut unit = BigInt::from(pow10(scale));
        if let Some((float_sum, float_squares)) = floats {
            sum = (sum << FLOAT_BITS) + float_sum * &unit;
            squares = (squares << (2 * FLOAT_BITS)) + float_squares * &unit * &unit;
            unit <<= FLOAT_BITS;
        }
        (squares * self.count - &sum * &sum, &unit * &unit * self.count * divisor)
    }
}

/// `value = mantissa * 2^exponent`, the exponent from -1074 on.
fn decompose(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let (field, fraction) = ((bits >> 52 & 0x7ff) as i32, (bits & ((1 << 52) - 1)) as i64);
    let (mantissa, exponent) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    (if value < 0.0 { -mantissa } else { mantissa }, exponent)
}

/// `value * 2^exponent`, where the factor alone might not fit.
fn shifted(value: f64, exponent: i64) -> f64 {
    let half = exponent / 2;
    value * 2f64.powi(half as i32) * 2f64.powi((exponent - half) as i32)
}

fn is_zero(number: &BigInt) -> bool {
    number.magnitude().bits() == 0
}

/// The quotient of two integers, not negative, rounded once.
fn quotient(numerator: BigInt, denominator: &BigInt) -> f64 {
    // Brought near 1, so that `ratio_big` stays in its range.
    let exponent = numerator.bits() as i64 - denominator.bits() as i64;
    let near_one = if exponent >= 0 {
        ratio_big(&numerator, &(denominator << exponent as u64))
    } else {
        ratio_big(&(numerator << exponent.unsigned_abs()), denominator)
    };
    shifted(near_one, exponent)
}

/// The square root of the quotient of two integers, not negative, rounded once.
fn root(numerator: &BigInt, denominator: &BigInt) -> f64 {
    if is_zero(numerator) {
        return 0.0;
    }
    // As in `ratio_big`: a quotient of some 130 bits has a root of 65, and what is cut off below counts as one more bit.
    let shift = (130 - (numerator.bits() as i64 - denominator.bits() as i64)) & !1;
    let (scaled, divisor) = if shift >= 0 {
        (numerator << shift as u64, denominator.clone())
    } else {
        (numerator.clone(), denominator << shift.unsigned_abs())
    };
    let quotient = &scaled / &divisor;
    let root = quotient.sqrt();
    let is_exact = &root * &root == quotient && &quotient * &divisor == scaled;
    let bits = u128::try_from(root).unwrap_or(u128::MAX) | u128::from(!is_exact);
    shifted(bits as f64, -shift / 2)
}

impl Moments {
    fn variance<const SAMPLE: bool>(&self, _argument: &Argument) -> Value<'_> {
        let Some((sums, divisor)) = self.divisor::<SAMPLE>() else { return Value::Null };
        Value::float(match sums.narrow_spread(divisor) {
            Some((numerator, denominator)) => ratio(numerator, denominator),
            None => {
                let (numerator, denominator) = sums.wide_spread(divisor);
                quotient(numerator, &denominator)
            }
        })
    }

    fn deviation<const SAMPLE: bool>(&self, _argument: &Argument) -> Value<'_> {
        let Some((sums, divisor)) = self.divisor::<SAMPLE>() else { return Value::Null };
        let (numerator, denominator) = match sums.narrow_spread(divisor) {
            Some((numerator, denominator)) => (numerator.into(), denominator.into()),
            None => sums.wide_spread(divisor),
        };
        Value::float(root(&numerator, &denominator))
    }

    /// The sums and what the spread is divided by, if that is defined.
    fn divisor<const SAMPLE: bool>(&self) -> Option<(&Sums, u64)> {
        let sums = self.0.as_deref()?;
        let divisor = sums.count - u64::from(SAMPLE);
        (divisor > 0).then_some((sums, divisor))
    }
}

impl Accumulate for Moments {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "var",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "sample variance; null below two values",
            result: Self::variance::<true>,
        },
        Function {
            name: "stddev",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "sample standard deviation",
            result: Self::deviation::<true>,
        },
        Function {
            name: "var_pop",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "population variance",
            result: Self::variance::<false>,
        },
        Function {
            name: "stddev_pop",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "population standard deviation",
            result: Self::deviation::<false>,
        },
    ];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let Some(number) = sample.number() else { return };
        let sums = self.0.get_or_insert_default();
        sums.count += 1;
        match number {
            Number::Small { mantissa, scale, .. } => sums.add_exact(i128::from(*mantissa), *scale),
            Number::Wide(wide) => sums.add_exact(wide.mantissa, wide.scale),
            Number::Float(value) => sums.add_float(*value),
        }
    }

    fn merge(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        let sums = self.0.get_or_insert_default();
        sums.count += other.count;
        sums.add_narrow(other.narrow);
        if let Some(rare) = &other.rare {
            sums.rare().overflow.add(&rare.overflow);
            if let Some((sum, squares)) = &rare.floats {
                sums.add_floats(sum, squares);
            }
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        let Some(Sums { count, narrow, rare }) = self.0.as_deref() else {
            return out.push(NOTHING);
        };
        let floats = rare.as_ref().and_then(|rare| rare.floats.as_ref());
        out.push(NARROW | u8::from(rare.is_some()) << 1 | u8::from(floats.is_some()) << 2);
        put(out, *count);
        out.push(narrow.scale);
        put_wide(out, narrow.sum);
        put_wide(out, narrow.squares);
        if let Some(Wide { sum, squares, scale }) = rare.as_ref().map(|rare| &rare.overflow) {
            out.push(*scale);
            saved::put_big(out, sum);
            saved::put_big(out, squares);
        }
        if let Some((sum, squares)) = floats {
            saved::put_big(out, sum);
            saved::put_big(out, squares);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let kind = bytes.byte()?;
        if kind == NOTHING {
            return Ok(Moments(None));
        }
        let count = bytes.count()?;
        let scale = saved::scale(bytes, MOST_SCALE)?;
        let narrow = Narrow { sum: bytes.wide()?, squares: bytes.wide()?, scale };
        let rare = match kind ^ NARROW {
            0 => None,
            flags @ (2 | 6) => {
                let scale = saved::scale(bytes, MOST_SCALE)?;
                let overflow = Wide { sum: saved::big(bytes)?, squares: saved::big(bytes)?, scale };
                let floats = if flags == 6 { Some((saved::big(bytes)?, saved::big(bytes)?)) } else { None };
                Some(Box::new(Rare { overflow, floats }))
            }
            _ => return Err(Damaged("moments are of no known kind")),
        };
        let sums = Sums { count, narrow, rare };
        // No numbers have squares that are less than their sum demands.
        let is_possible = match sums.narrow_spread(1) {
            Some((spread, _)) => spread >= 0,
            None => sums.wide_spread(1).0.sign() != Sign::Minus,
        };
        if is_possible { Ok(Moments(Some(Box::new(sums)))) } else { Err(Damaged("squares do not fit their sum")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer, fed};
    use super::*;

    #[track_caller]
    fn check(text: &str, function: usize, expected: Option<f64>) {
        let moments: Moments = fed(text);
        let got = match answer(&moments, function, Argument::None) {
            Value::Float(value) => Some(value),
            Value::Null => None,
            other => panic!("{other:?}"),
        };
        match (got, expected) {
            (Some(got), Some(expected)) => {
                assert!((got - expected).abs() <= 1e-12 * expected.abs(), "{text:.60}: {got} and not {expected}");
            }
            _ => assert_eq!(got, expected, "{text:.60}"),
        }
    }

    #[test]
    fn sample_and_population() {
        let text = "2 4 4 4 5 5 7 9";
        for (function, expected) in [(0, 32.0 / 7.0), (1, (32.0f64 / 7.0).sqrt()), (2, 4.0), (3, 2.0)] {
            check(text, function, Some(expected));
        }
        for (text, expected) in [("_", [None; 4]), ("7 _", [None, None, Some(0.0), Some(0.0)])] {
            expected.iter().enumerate().for_each(|(function, expected)| check(text, function, *expected));
        }
    }

    #[test]
    fn a_small_spread_far_from_zero_loses_no_digits() {
        for (text, expected) in [
            ("1000000000.1 1000000000.2 1000000000.3", 0.01),
            // Those of 20 digits and more are floats; as such they are 2^-23 apart and more.
            ("1000000000.5000000000000 1000000000.25000000000000000000 1000000000", 0.0625),
            ("1e300 1e300 1e300", 0.0),
            ("1e30 1e30 1", 1e60 / 3.0),
            ("1e-150 3e-150", 2e-300),
            ("1e-19 3e-19", 2e-38),
            ("9223372036854775807 9223372036854775805", 2.0),
            ("170141183460469231731687303715884105727 170141183460469231731687303715884105725", 2.0),
        ] {
            check(text, 0, Some(expected));
            check(text, 1, Some(expected.sqrt()));
        }
    }

    #[test]
    fn a_deviation_may_fit_where_its_variance_does_not() {
        check("1e200 3e200", 2, None);
        check("1e200 3e200", 3, Some(1e200));
        check("1e-200 3e-200", 3, Some(1e-200));
    }
}
