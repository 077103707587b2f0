//! `sum`, `avg`, `min`, `max` and `range`: what most questions about numbers come down to, kept together.
//!
//! As long as all numbers are decimals that fit 64 bits at the largest scale seen, as most are, their sum
//! and extent lie side by side at that scale. Where one is not, both are kept as [`Sum`] and
//! [`Extent`] have it from then on; what has come so far is exact and loses nothing by that.

use super::extent::Extent;
use super::sum::Sum;
use super::{Accumulate, Accumulator, Argument, Function, Operand, Parameter, Sample, Value, saved};
use crate::codec::{Damaged, Reader, put, put_signed, put_wide};
use crate::event::number::{Number, ratio_of};

/// Sum, count and extent of numbers.
#[derive(Clone, Debug)]
pub enum Numbers {
    /// Decimals of 64 bits.
    Narrow(Narrow),
    /// Any numbers.
    Any(Box<(Sum, Extent)>),
}

/// Integers to be divided by `10^scale`.
#[derive(Clone, Copy, Debug)]
pub struct Narrow {
    sum: i64,
    min: i64,
    max: i64,
    count: u32,
    scale: u8,
    /// Whether any number was written with a point or an exponent, and whether all that equal the extremes were.
    pointed: bool,
    min_pointed: bool,
    max_pointed: bool,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers::Narrow(Narrow::EMPTY)
    }
}

/// What saved numbers begin with that are not narrow; narrow ones begin with their flags, which are even.
const ANY: u8 = 1;

/// Digits after the point of narrow numbers, at the most.
const MOST_SCALE: u8 = 18;

/// `10^exponent`, where 64 bits hold it.
#[inline]
fn pow10(exponent: u8) -> Option<i64> {
    const POWERS: [i64; 19] = {
        let mut powers = [1; 19];
        let mut i = 1;
        while i < 19 {
            powers[i] = powers[i - 1] * 10;
            i += 1;
        }
        powers
    };
    POWERS.get(usize::from(exponent)).copied()
}

impl Narrow {
    /// No number.
    const EMPTY: Narrow =
        Narrow { sum: 0, min: 0, max: 0, count: 0, scale: 0, pointed: false, min_pointed: false, max_pointed: false };

    /// Adds a number; `None`, and nothing done, if it or what is there does not fit.
    #[inline]
    fn add(&mut self, mantissa: i64, scale: u8, pointed: bool) -> Option<()> {
        if scale > self.scale {
            self.widen(scale)?;
        }
        let value = mantissa.checked_mul(pow10(self.scale - scale)?)?;
        let (sum, count) = (self.sum.checked_add(value)?, self.count.checked_add(1)?);
        self.include_min(value, pointed);
        self.include_max(value, pointed);
        (self.sum, self.count) = (sum, count);
        self.pointed |= pointed;
        Some(())
    }

    /// Of equal numbers the integer spelling wins (N1).
    #[inline]
    fn include_min(&mut self, value: i64, pointed: bool) {
        if value < self.min || self.count == 0 {
            (self.min, self.min_pointed) = (value, pointed);
        } else if value == self.min {
            self.min_pointed &= pointed;
        }
    }

    #[inline]
    fn include_max(&mut self, value: i64, pointed: bool) {
        if value > self.max || self.count == 0 {
            (self.max, self.max_pointed) = (value, pointed);
        } else if value == self.max {
            self.max_pointed &= pointed;
        }
    }

    #[cold]
    fn widen(&mut self, scale: u8) -> Option<()> {
        let factor = pow10(scale - self.scale)?;
        let [sum, min, max] = [self.sum, self.min, self.max].map(|value| value.checked_mul(factor));
        *self = Narrow { sum: sum?, min: min?, max: max?, scale, ..*self };
        Some(())
    }

    /// As [`Narrow::add`], for all numbers of the later piece.
    fn merge(&mut self, other: &Narrow) -> Option<()> {
        if other.count == 0 {
            return Some(());
        }
        let (mut mine, mut other) = (*self, *other);
        let scale = mine.scale.max(other.scale);
        mine.widen(scale)?;
        other.widen(scale)?;
        let (sum, count) = (mine.sum.checked_add(other.sum)?, mine.count.checked_add(other.count)?);
        mine.include_min(other.min, other.min_pointed);
        mine.include_max(other.max, other.max_pointed);
        *self = Narrow { sum, count, pointed: mine.pointed | other.pointed, ..mine };
        Some(())
    }

    fn save(&self, out: &mut Vec<u8>) {
        let pointed = [self.pointed, self.min_pointed, self.max_pointed];
        out.push(pointed.iter().rev().fold(0, |flags, is| flags << 1 | u8::from(*is)) << 1);
        out.push(self.scale);
        put(out, u64::from(self.count));
        put_wide(out, self.sum.into());
        put_signed(out, self.min);
        put_signed(out, self.max);
    }

    fn restore(flags: u8, bytes: &mut Reader<'_>) -> Result<Numbers, Damaged> {
        let [pointed, min_pointed, max_pointed] = [2, 4, 8].map(|bit| flags & bit != 0);
        let scale = saved::scale(bytes, MOST_SCALE)?;
        let count = u32::try_from(bytes.number()?).map_err(|_| Damaged("a count is too large"))?;
        let (sum, min, max) = (bytes.wide()?, bytes.signed()?, bytes.signed()?);
        // So that no sum overflows where the extremes do not.
        let is_between = |sum: i128| {
            let count = i128::from(count);
            (i128::from(min) * count..=i128::from(max) * count).contains(&sum)
        };
        if !is_between(sum) || flags >= 16 {
            return Err(Damaged("a sum does not fit its extremes"));
        }
        let narrow = Narrow { sum: 0, min, max, count, scale, pointed, min_pointed, max_pointed };
        Ok(match i64::try_from(sum) {
            Ok(sum) => Numbers::Narrow(Narrow { sum, ..narrow }),
            // Once sums had more bits.
            Err(_) => {
                let sum = Sum::of(sum, scale, count.into(), pointed);
                Numbers::Any(Box::new((sum, Extent::of(narrow.min(), narrow.max(), pointed))))
            }
        })
    }

    fn min(&self) -> Number {
        Number::small(self.min, self.scale, self.min_pointed)
    }

    fn max(&self) -> Number {
        Number::small(self.max, self.scale, self.max_pointed)
    }

    fn to_any(self) -> (Sum, Extent) {
        if self.count == 0 {
            return Default::default();
        }
        let sum = Sum::of(self.sum.into(), self.scale, self.count.into(), self.pointed);
        (sum, Extent::of(self.min(), self.max(), self.pointed))
    }
}

impl Numbers {
    #[inline]
    fn include(&mut self, number: &Number) {
        if let (Numbers::Narrow(narrow), Number::Small { mantissa, scale, pointed }) = (&mut *self, number)
            && narrow.add(*mantissa, *scale, *pointed).is_some()
        {
            return;
        }
        self.include_any(number);
    }

    #[cold]
    fn include_any(&mut self, number: &Number) {
        let (sum, extent) = self.any();
        sum.add(number);
        extent.add(number);
    }

    fn any(&mut self) -> &mut (Sum, Extent) {
        if let Numbers::Narrow(narrow) = self {
            *self = Numbers::Any(Box::new(narrow.to_any()));
        }
        match self {
            Numbers::Any(any) => any,
            Numbers::Narrow(_) => unreachable!("it has just been widened"),
        }
    }

    fn sum(&self) -> Value<'_> {
        match self {
            Numbers::Narrow(Narrow { count: 0, .. }) => Value::Null,
            Numbers::Narrow(Narrow { sum: mantissa, scale, pointed, .. }) => {
                Value::Exact { mantissa: (*mantissa).into(), scale: *scale, pointed: *pointed }
            }
            Numbers::Any(any) => any.0.sum(),
        }
    }

    fn avg(&self) -> Value<'_> {
        match self {
            Numbers::Narrow(Narrow { count: 0, .. }) => Value::Null,
            Numbers::Narrow(Narrow { sum, scale, count, .. }) => {
                Value::float(ratio_of((*sum).into(), *scale, u64::from(*count)))
            }
            Numbers::Any(any) => any.0.avg(),
        }
    }

    fn min(&self) -> Value<'_> {
        match self {
            Numbers::Narrow(Narrow { count: 0, .. }) => Value::Null,
            Numbers::Narrow(narrow) => Value::of_number(&narrow.min()),
            Numbers::Any(any) => any.1.min(),
        }
    }

    fn max(&self) -> Value<'_> {
        match self {
            Numbers::Narrow(Narrow { count: 0, .. }) => Value::Null,
            Numbers::Narrow(narrow) => Value::of_number(&narrow.max()),
            Numbers::Any(any) => any.1.max(),
        }
    }

    fn range(&self) -> Value<'_> {
        match self {
            Numbers::Narrow(narrow) => narrow.to_any().1.range(),
            Numbers::Any(any) => any.1.range(),
        }
    }
}

impl Accumulate for Numbers {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "sum",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "their sum, exact for decimals",
            result: |numbers, _| numbers.sum(),
        },
        Function {
            name: "avg",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "their mean",
            result: |numbers, _| numbers.avg(),
        },
        Function {
            name: "min",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the smallest",
            result: |numbers, _| numbers.min(),
        },
        Function {
            name: "max",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the largest",
            result: |numbers, _| numbers.max(),
        },
        Function {
            name: "range",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "largest minus smallest",
            result: |numbers, _| numbers.range(),
        },
    ];

    const FRESH: Option<Accumulator> = Some(Accumulator::Numbers(Numbers::Narrow(Narrow::EMPTY)));

    #[inline]
    fn add(&mut self, sample: &Sample<'_>) {
        if let Some(number) = sample.number() {
            self.include(number);
        }
    }

    fn merge(&mut self, other: &Self) {
        if let (Numbers::Narrow(mine), Numbers::Narrow(other)) = (&mut *self, other)
            && mine.merge(other).is_some()
        {
            return;
        }
        let (sum, extent) = self.any();
        match other {
            Numbers::Narrow(other) => {
                let (other_sum, other_extent) = other.to_any();
                sum.merge(&other_sum);
                extent.merge(&other_extent);
            }
            Numbers::Any(other) => {
                sum.merge(&other.0);
                extent.merge(&other.1);
            }
        }
    }

    #[inline]
    fn save(&self, out: &mut Vec<u8>) {
        match self {
            Numbers::Narrow(narrow) => narrow.save(out),
            Numbers::Any(any) => {
                out.push(ANY);
                any.0.save(out);
                any.1.save(out);
            }
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        match bytes.byte()? {
            ANY => Ok(Numbers::Any(Box::new((Sum::restore(bytes)?, Extent::restore(bytes)?)))),
            flags if flags & 1 == 0 => Narrow::restore(flags, bytes),
            _ => Err(Damaged("numbers are of no known kind")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::super::tests::{answer, fed};
    use super::*;

    fn answers(numbers: &Numbers) -> Vec<String> {
        (0..Numbers::FUNCTIONS.len()).map(|index| format!("{:?}", answer(numbers, index, Argument::None))).collect()
    }

    #[test]
    fn n1_narrow_numbers_answer_as_any_do() {
        let max = i64::MAX;
        for text in [
            "_ _",
            "1",
            "0.1 0.2 -0.30 5 5.0 1e2",
            "5.0 5 -1 -1.0 5.0",
            "-0.0 0",
            "7.0 7.0",
            &format!("{max} 1 {max}"),
            &format!("{max} 0.1 -{max}"),
            &format!("0.001 {max} 3"),
            "0.0000000000000000001 1 9",
            "1 0.0000000000000000001 9",
            "1 2.5 170141183460469231731687303715884105727 0.5",
            "1 2.5 1e300 0.5 -1e25",
            &format!("{max} {max} -1"),
            &format!("{max} -{max} 0.5 {max}"),
            "5000000000000000000 5000000000000000000 0.5",
        ] {
            let numbers: Numbers = fed(text);
            let mut any = Numbers::default();
            any.any();
            for number in text.split(' ').filter_map(|word| Number::parse(word.as_bytes())) {
                any.include(&number);
            }
            assert!(matches!(any, Numbers::Any(_)));
            assert_eq!(answers(&numbers), answers(&any), "{text}");
        }
    }

    #[test]
    fn a_sum_of_more_than_64_bits_is_restored_from_where_it_was_narrow() {
        let mut saved = vec![0, 0];
        put(&mut saved, 2);
        put_wide(&mut saved, 2 * i128::from(i64::MAX));
        [i64::MAX; 2].iter().for_each(|bound| put_signed(&mut saved, *bound));
        let restored = Numbers::restore(&Argument::None, &mut Reader::new(&saved)).expect("it was saved");
        assert_eq!(answers(&restored), answers(&fed(&format!("{0} {0}", i64::MAX))));
    }

    #[test]
    fn common_numbers_stay_narrow_and_others_do_not() {
        assert!(matches!(fed("1.25 3 -7.5e1"), Numbers::Narrow(_)));
        assert!(matches!(fed("1.25 1e300"), Numbers::Any(_)));
        assert!(matches!(fed(&format!("0.1 {}", i64::MAX)), Numbers::Any(_)));
        assert!(matches!(fed(&format!("{} 0.1", i64::MAX)), Numbers::Any(_)));
    }
}
