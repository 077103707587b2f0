//! `min`, `max` and `range` of numbers.

use super::{Accumulate, Function, Operand, Parameter, Sample, Value};
use crate::event::number::Number;
use std::cmp::Ordering;

/// The smallest and the largest number.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    bounds: Option<Bounds>,
    /// Whether any input was written with a point or an exponent.
    pointed: bool,
}

#[derive(Clone, Debug)]
struct Bounds {
    min: Number,
    max: Number,
}

/// Takes `candidate` for `kept` if it lies beyond it on the side of `beyond`. Of equal numbers the
/// integer spelling wins (N1).
#[inline]
fn extend(kept: &mut Number, candidate: &Number, beyond: Ordering) {
    let order = candidate.compare(kept);
    if order == beyond {
        *kept = candidate.clone();
    } else if order == Ordering::Equal && !candidate.is_pointed() {
        kept.set_integral();
    }
}

impl Extent {
    #[inline]
    fn include(&mut self, low: &Number, high: &Number) {
        match &mut self.bounds {
            None => self.bounds = Some(Bounds { min: low.clone(), max: high.clone() }),
            Some(Bounds { min, max }) => {
                extend(min, low, Ordering::Less);
                extend(max, high, Ordering::Greater);
            }
        }
    }

    fn range(&self) -> Value<'_> {
        let Some(Bounds { min, max }) = &self.bounds else { return Value::Null };
        Value::difference(max, min, self.pointed)
    }
}

impl Accumulate for Extent {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "min",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the smallest",
            result: |extent, _| extent.bounds.as_ref().map_or(Value::Null, |bounds| Value::of_number(&bounds.min)),
        },
        Function {
            name: "max",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the largest",
            result: |extent, _| extent.bounds.as_ref().map_or(Value::Null, |bounds| Value::of_number(&bounds.max)),
        },
        Function {
            name: "range",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "largest minus smallest",
            result: |extent, _| extent.range(),
        },
    ];

    #[inline]
    fn add(&mut self, sample: &Sample<'_>) {
        let Some(number) = sample.number() else { return };
        self.pointed |= number.is_pointed();
        self.include(number, number);
    }

    fn merge(&mut self, other: &Self) {
        self.pointed |= other.pointed;
        if let Some(Bounds { min, max }) = &other.bounds {
            self.include(min, max);
        }
    }
}
