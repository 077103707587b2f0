//! `first` and `last`: the value of the event that is earliest or latest in event time, ties by
//! arrival; `delta` and `rate`: how far a number went from the first to the last.

use super::{Accumulate, Argument, Function, Operand, OwnedRaw, Parameter, Sample, Value, saved};
use crate::codec::{Damaged, Reader};
use crate::event::number::{Number, pow10, ratio, ratio_big};
use crate::time::Timestamp;
use num_bigint::BigInt;

/// The earliest value.
pub type First = Edge<false>;
/// The latest value.
pub type Last = Edge<true>;

/// The value at one end of the window's events.
#[derive(Clone, Debug)]
pub struct Edge<const LATEST: bool> {
    kept: Option<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    time: Timestamp,
    arrival: u64,
    /// Apart, so that accumulators are small that keep numbers side by side.
    value: Box<OwnedRaw>,
}

impl<const LATEST: bool> Default for Edge<LATEST> {
    fn default() -> Self {
        Edge { kept: None }
    }
}

impl<const LATEST: bool> Edge<LATEST> {
    fn is_beyond(&self, time: Timestamp, arrival: u64) -> bool {
        match &self.kept {
            None => true,
            Some(kept) if LATEST => (time, arrival) > (kept.time, kept.arrival),
            Some(kept) => (time, arrival) < (kept.time, kept.arrival),
        }
    }

    fn value(&self, _argument: &Argument) -> Value<'_> {
        self.kept.as_ref().map_or(Value::Null, |kept| Value::Raw(kept.value.raw()))
    }
}

impl<const LATEST: bool> Accumulate for Edge<LATEST> {
    const FUNCTIONS: &'static [Function<Self>] = &[if LATEST {
        Function {
            name: "last",
            operand: Operand::Value,
            parameter: Parameter::None,
            summary: "the value latest in event time",
            result: Self::value,
        }
    } else {
        Function {
            name: "first",
            operand: Operand::Value,
            parameter: Parameter::None,
            summary: "the value earliest in event time",
            result: Self::value,
        }
    }];
    const HEEDS_ARRIVAL: bool = true;

    fn add(&mut self, sample: &Sample<'_>) {
        let time = sample.time();
        if self.is_beyond(time, sample.arrival)
            && let Some(value) = sample.value()
        {
            let (arrival, value) = (sample.arrival, value.into());
            match &mut self.kept {
                Some(kept) => {
                    (kept.time, kept.arrival) = (time, arrival);
                    *kept.value = value;
                }
                None => self.kept = Some(Kept { time, arrival, value: Box::new(value) }),
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        if let Some(kept) = &other.kept
            && self.is_beyond(kept.time, kept.arrival)
        {
            self.kept = Some(kept.clone());
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.kept.is_some()));
        if let Some(Kept { time, arrival, value }) = &self.kept {
            saved::put_rank(out, *time, *arrival);
            saved::put_raw(out, value);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let kept = saved::optional(bytes, |bytes| {
            let (time, arrival) = saved::rank(bytes)?;
            Ok(Kept { time, arrival, value: Box::new(saved::raw(bytes)?) })
        })?;
        Ok(Edge { kept })
    }
}

/// The first and the last number.
#[derive(Clone, Debug, Default)]
pub struct Course(Option<Box<Ends>>);

#[derive(Clone, Debug)]
struct Ends {
    first: End,
    last: End,
    /// Whether any input was written with a point or an exponent.
    pointed: bool,
}

#[derive(Clone, Debug)]
struct End {
    time: Timestamp,
    arrival: u64,
    number: Number,
}

impl End {
    fn rank(&self) -> (Timestamp, u64) {
        (self.time, self.arrival)
    }

    fn save(&self, out: &mut Vec<u8>) {
        saved::put_rank(out, self.time, self.arrival);
        saved::put_number(out, &self.number);
    }

    fn restore(bytes: &mut Reader<'_>) -> Result<End, Damaged> {
        let (time, arrival) = saved::rank(bytes)?;
        Ok(End { time, arrival, number: saved::number(bytes)? })
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl Course {
    fn delta(&self, _argument: &Argument) -> Value<'_> {
        let Some(Ends { first, last, pointed }) = self.0.as_deref() else { return Value::Null };
        Value::difference(&last.number, &first.number, *pointed)
    }

    /// The exact quotient, rounded once.
    fn rate(&self, argument: &Argument) -> Value<'_> {
        let Some(Ends { first, last, .. }) = self.0.as_deref() else { return Value::Null };
        let nanos = i128::from(last.time.0) - i128::from(first.time.0);
        if nanos == 0 {
            return Value::Null;
        }
        match self.delta(argument) {
            Value::Exact { mantissa, scale, .. } => {
                let narrow = || {
                    let numerator = mantissa.checked_mul(NANOS_PER_SECOND)?;
                    Some(ratio(numerator, nanos.checked_mul(pow10(scale))?))
                };
                Value::float(narrow().unwrap_or_else(|| big_rate(&mantissa.into(), scale, nanos)))
            }
            Value::ExactBig { mantissa, scale, .. } => Value::float(big_rate(&mantissa, scale, nanos)),
            Value::Float(delta) => Value::float(delta / (nanos as f64 / NANOS_PER_SECOND as f64)),
            _ => Value::Null,
        }
    }
}

fn big_rate(mantissa: &BigInt, scale: u8, nanos: i128) -> f64 {
    ratio_big(&(mantissa * NANOS_PER_SECOND), &(BigInt::from(pow10(scale)) * nanos))
}

impl Accumulate for Course {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "delta",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "the last number minus the first",
            result: Self::delta,
        },
        Function {
            name: "rate",
            operand: Operand::Number,
            parameter: Parameter::None,
            summary: "delta per second between their times; null if there is none",
            result: Self::rate,
        },
    ];
    const HEEDS_ARRIVAL: bool = true;

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let Some(number) = sample.number() else { return };
        let rank = (sample.time(), sample.arrival);
        let end = || End { time: rank.0, arrival: rank.1, number: number.clone() };
        match &mut self.0 {
            None => self.0 = Some(Box::new(Ends { first: end(), last: end(), pointed: number.is_pointed() })),
            Some(ends) => {
                ends.pointed |= number.is_pointed();
                if rank > ends.last.rank() {
                    ends.last = end();
                } else if rank < ends.first.rank() {
                    ends.first = end();
                }
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let Some(others) = &other.0 else { return };
        match &mut self.0 {
            None => self.0 = Some(others.clone()),
            Some(ends) => {
                ends.pointed |= others.pointed;
                if others.first.rank() < ends.first.rank() {
                    ends.first = others.first.clone();
                }
                if others.last.rank() > ends.last.rank() {
                    ends.last = others.last.clone();
                }
            }
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0.is_some()));
        if let Some(Ends { first, last, pointed }) = self.0.as_deref() {
            out.push(u8::from(*pointed));
            first.save(out);
            last.save(out);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let ends = saved::optional(bytes, |bytes| {
            let pointed = bytes.flag()?;
            Ok(Box::new(Ends { first: End::restore(bytes)?, last: End::restore(bytes)?, pointed }))
        })?;
        Ok(Course(ends))
    }
}
