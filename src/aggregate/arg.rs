//! `argmin` and `argmax`: the value of one field where another, a number, is smallest or largest.

use super::{Accumulate, Argument, Function, Operand, OwnedRaw, Parameter, Sample, Value, saved};
use crate::codec::{Damaged, Reader};
use crate::event::number::Number;
use crate::time::Timestamp;
use std::cmp::Ordering;

/// The value at the smallest number.
pub type ArgMin = Arg<false>;
/// The value at the largest number.
pub type ArgMax = Arg<true>;

/// The value at one end of the numbers.
#[derive(Clone, Debug, Default)]
pub struct Arg<const LARGEST: bool>(Option<Box<Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    by: Number,
    time: Timestamp,
    arrival: u64,
    value: OwnedRaw,
}

impl<const LARGEST: bool> Arg<LARGEST> {
    /// Of equal numbers the first in event time, then in arrival, counts.
    fn is_beyond(&self, by: &Number, time: Timestamp, arrival: u64) -> bool {
        let Some(kept) = &self.0 else { return true };
        match by.compare(&kept.by) {
            Ordering::Equal => (time, arrival) < (kept.time, kept.arrival),
            order => (order == Ordering::Greater) == LARGEST,
        }
    }

    fn value(&self, _argument: &Argument) -> Value<'_> {
        self.0.as_ref().map_or(Value::Null, |kept| Value::Raw(kept.value.raw()))
    }
}

impl<const LARGEST: bool> Accumulate for Arg<LARGEST> {
    const FUNCTIONS: &'static [Function<Self>] = &[if LARGEST {
        Function {
            name: "argmax",
            operand: Operand::Value,
            parameter: Parameter::Field,
            summary: "the value where the number BY is largest, the first if several",
            result: Self::value,
        }
    } else {
        Function {
            name: "argmin",
            operand: Operand::Value,
            parameter: Parameter::Field,
            summary: "the value where the number BY is smallest, the first if several",
            result: Self::value,
        }
    }];
    const HEEDS_ARRIVAL: bool = true;

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let (time, arrival) = (sample.time(), sample.arrival);
        if let Some(by) = sample.by_number()
            && self.is_beyond(by, time, arrival)
            && let Some(value) = sample.value()
        {
            self.0 = Some(Box::new(Kept { by: by.clone(), time, arrival, value: value.into() }));
        }
    }

    fn merge(&mut self, other: &Self) {
        if let Some(kept) = &other.0
            && self.is_beyond(&kept.by, kept.time, kept.arrival)
        {
            self.0 = Some(kept.clone());
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0.is_some()));
        if let Some(Kept { by, time, arrival, value }) = self.0.as_deref() {
            saved::put_number(out, by);
            saved::put_rank(out, *time, *arrival);
            saved::put_raw(out, value);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let kept = saved::optional(bytes, |bytes| {
            let by = saved::number(bytes)?;
            let (time, arrival) = saved::rank(bytes)?;
            Ok(Box::new(Kept { by, time, arrival, value: saved::raw(bytes)? }))
        })?;
        Ok(Arg(kept))
    }
}
