//! The sum of any numbers: exact for exact ones, whatever their order (N1).
//!
//! Exact numbers are added as integers at the largest scale seen. Where 128 bits do not hold the
//! sum, what has been added so far moves into a big integer and the addition starts afresh; it is
//! never turned into a float. `f64` values are added beside, with Neumaier's compensation
//! (A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974).

use super::Value;
use super::saved::{self, MOST_SCALE};
use crate::codec::{Damaged, Reader, put, put_float, put_wide};
use crate::event::number::{Number, pow10, ratio_big, ratio_of};
use num_bigint::BigInt;

/// The sum and count of numbers.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// The exact part that is not in `rare`, times `10^scale`.
    mantissa: i128,
    /// Most inputs have none of this.
    rare: Option<Box<Rare>>,
    count: u64,
    scale: u8,
    /// Whether any input was written with a point or an exponent.
    pointed: bool,
}

#[derive(Clone, Debug, Default)]
struct Rare {
    /// What outgrew 128 bits, times `10^overflow_scale`.
    overflow: BigInt,
    overflow_scale: u8,
    floats: Option<Compensated>,
}

/// A sum of floats with its running error.
#[derive(Clone, Copy, Debug, Default)]
struct Compensated {
    sum: f64,
    error: f64,
}

impl Compensated {
    fn add(&mut self, value: f64) {
        let total = self.sum + value;
        self.error +=
            if self.sum.abs() >= value.abs() { (self.sum - total) + value } else { (value - total) + self.sum };
        self.sum = total;
    }

    fn total(self) -> f64 {
        self.sum + self.error
    }
}

impl Sum {
    /// Appends what is kept.
    pub fn save(&self, out: &mut Vec<u8>) {
        let floats = self.rare.as_ref().and_then(|rare| rare.floats);
        out.push(u8::from(self.pointed) | u8::from(self.rare.is_some()) << 1 | u8::from(floats.is_some()) << 2);
        out.push(self.scale);
        put(out, self.count);
        put_wide(out, self.mantissa);
        if let Some(rare) = &self.rare {
            out.push(rare.overflow_scale);
            saved::put_big(out, &rare.overflow);
        }
        if let Some(Compensated { sum, error }) = floats {
            put_float(out, sum);
            put_float(out, error);
        }
    }

    /// What was saved.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Sum, Damaged> {
        let flags = bytes.byte()?;
        let scale = saved::scale(bytes, MOST_SCALE)?;
        let (count, mantissa) = (bytes.count()?, bytes.wide()?);
        let rare = match flags >> 1 {
            0 => None,
            1 | 3 => {
                let overflow_scale = saved::scale(bytes, MOST_SCALE)?;
                let overflow = saved::big(bytes)?;
                // Sums of floats may have left their range.
                let floats = match flags >> 2 {
                    0 => None,
                    _ => Some(Compensated { sum: bytes.float()?, error: bytes.float()? }),
                };
                Some(Box::new(Rare { overflow, overflow_scale, floats }))
            }
            _ => return Err(Damaged("a sum is of no known kind")),
        };
        Ok(Sum { mantissa, rare, count, scale, pointed: flags & 1 == 1 })
    }

    /// The sum of so many exact numbers.
    pub fn of(mantissa: i128, scale: u8, count: u64, pointed: bool) -> Sum {
        Sum { mantissa, rare: None, count, scale, pointed }
    }

    /// Adds a number.
    pub fn add(&mut self, number: &Number) {
        self.count += 1;
        self.pointed |= number.is_pointed();
        match number {
            Number::Small { mantissa, scale, .. } => self.add_exact(i128::from(*mantissa), *scale),
            Number::Wide(wide) => self.add_exact(wide.mantissa, wide.scale),
            Number::Float(value) => self.add_float(*value),
        }
    }

    /// Adds the numbers of `other`, the later piece.
    pub fn merge(&mut self, other: &Sum) {
        self.count += other.count;
        self.pointed |= other.pointed;
        self.add_exact(other.mantissa, other.scale);
        if let Some(rare) = &other.rare {
            self.spill(&rare.overflow, rare.overflow_scale);
            if let Some(floats) = rare.floats {
                self.add_float(floats.sum);
                self.add_float(floats.error);
            }
        }
    }

    fn add_exact(&mut self, mantissa: i128, scale: u8) {
        let aligned = if scale == self.scale {
            self.mantissa.checked_add(mantissa)
        } else {
            let wider = scale.max(self.scale);
            let sum = || {
                let mine = self.mantissa.checked_mul(pow10(wider - self.scale))?;
                mine.checked_add(mantissa.checked_mul(pow10(wider - scale))?)
            };
            let sum = sum();
            if sum.is_some() {
                self.scale = wider;
            }
            sum
        };
        match aligned {
            Some(sum) => self.mantissa = sum,
            None => {
                self.spill(&BigInt::from(self.mantissa), self.scale);
                (self.mantissa, self.scale) = (mantissa, scale);
            }
        }
    }

    fn spill(&mut self, mantissa: &BigInt, scale: u8) {
        let rare = self.rare.get_or_insert_default();
        let wider = scale.max(rare.overflow_scale);
        rare.overflow *= pow10(wider - rare.overflow_scale);
        rare.overflow += mantissa * pow10(wider - scale);
        rare.overflow_scale = wider;
    }

    fn add_float(&mut self, value: f64) {
        self.rare.get_or_insert_default().floats.get_or_insert_default().add(value);
    }

    fn floats(&self) -> Option<f64> {
        Some(self.rare.as_ref()?.floats?.total())
    }

    /// The exact part, where 128 bits do not hold it.
    fn overflowed(&self) -> Option<(BigInt, u8)> {
        let rare = self.rare.as_ref().filter(|rare| rare.overflow != BigInt::ZERO)?;
        let wider = self.scale.max(rare.overflow_scale);
        let sum = &rare.overflow * pow10(wider - rare.overflow_scale)
            + BigInt::from(self.mantissa) * pow10(wider - self.scale);
        Some((sum, wider))
    }

    /// The exact part over `divisor`, rounded once.
    fn exact_over(&self, divisor: u64) -> f64 {
        match self.overflowed() {
            Some((mantissa, scale)) => ratio_big(&mantissa, &(BigInt::from(divisor) * pow10(scale))),
            None => ratio_of(self.mantissa, self.scale, divisor),
        }
    }

    /// Their sum.
    pub fn sum(&self) -> Value<'static> {
        let pointed = self.pointed;
        match (self.count, self.floats(), self.overflowed()) {
            (0, ..) => Value::Null,
            (_, Some(floats), _) => Value::float(self.exact_over(1) + floats),
            (_, None, Some((mantissa, scale))) => match i128::try_from(&mantissa) {
                Ok(mantissa) => Value::Exact { mantissa, scale, pointed },
                Err(_) => Value::ExactBig { mantissa, scale, pointed },
            },
            (_, None, None) => Value::Exact { mantissa: self.mantissa, scale: self.scale, pointed },
        }
    }

    /// Their mean.
    pub fn avg(&self) -> Value<'static> {
        match (self.count, self.floats()) {
            (0, _) => Value::Null,
            (count, Some(floats)) => Value::float((self.exact_over(1) + floats) / count as f64),
            (count, None) => Value::float(self.exact_over(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(text: &str) -> Sum {
        let mut sum = Sum::default();
        text.split(' ').filter_map(|word| Number::parse(word.as_bytes())).for_each(|number| sum.add(&number));
        sum
    }

    #[test]
    fn n1_sums_are_exact_and_never_overflow() {
        let max = i128::MAX;
        for (text, expected) in [
            ("0.1 0.2", "Exact { mantissa: 3, scale: 1, pointed: true }".to_owned()),
            ("1 2", "Exact { mantissa: 3, scale: 0, pointed: false }".to_owned()),
            (&format!("{max} {max} -{max}"), format!("Exact {{ mantissa: {max}, scale: 0, pointed: false }}")),
            ("_ _", "Null".to_owned()),
            ("1e300 1 -1e300", "Float(1.0)".to_owned()),
            ("1e308 1e308", "Null".to_owned()),
        ] {
            assert_eq!(format!("{:?}", sum_of(text).sum()), expected, "{text}");
        }
        assert!(matches!(sum_of(&format!("{max} {max}")).sum(), Value::ExactBig { .. }));
    }

    #[test]
    fn n1_avg_rounds_the_exact_quotient_once() {
        for (text, expected) in [("1 2", 1.5), ("0.1 0.2 0.3", 0.2), ("10 _", 10.0), ("1 1 2", 4.0 / 3.0)] {
            assert!(matches!(sum_of(text).avg(), Value::Float(avg) if avg == expected), "{text}");
        }
    }
}
