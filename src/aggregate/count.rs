//! `count`: events, or the non-null values of a field.

use super::{Accumulate, Accumulator, Argument, Function, Operand, Parameter, Sample, Value};
use crate::codec::{Damaged, Reader, put};

/// How many.
#[derive(Clone, Debug, Default)]
pub struct Count(u64);

impl Accumulate for Count {
    const FUNCTIONS: &'static [Function<Self>] = &[Function {
        name: "count",
        operand: Operand::EventOrValue,
        parameter: Parameter::None,
        summary: "events; with a field, its values that are not null",
        result: |count, _| Value::Count(count.0),
    }];

    const FRESH: Option<Accumulator> = Some(Accumulator::Count(Count(0)));

    #[inline]
    fn add(&mut self, sample: &Sample<'_>) {
        self.0 += u64::from(sample.is_present());
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.0);
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Count(bytes.count()?))
    }
}
