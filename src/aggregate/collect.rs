//! `collect`: the first so many values, by event time and arrival.

use super::{Accumulate, Argument, Function, Operand, OwnedRaw, Parameter, Sample, Value};
use crate::time::Timestamp;

/// The first values.
#[derive(Clone, Debug, Default)]
pub struct Collect {
    /// In order of event time and arrival; at most `limit`.
    kept: Vec<Kept>,
    limit: u32,
}

#[derive(Clone, Debug)]
struct Kept {
    time: Timestamp,
    arrival: u64,
    value: OwnedRaw,
}

impl Collect {
    /// Where an event's value goes, unless it is none of the first.
    fn place(&self, time: Timestamp, arrival: u64) -> Option<usize> {
        let key = |kept: &Kept| (kept.time, kept.arrival);
        let at = match self.kept.last() {
            // Most events come in order.
            Some(last) if key(last) > (time, arrival) => self.kept.partition_point(|kept| key(kept) < (time, arrival)),
            _ => self.kept.len(),
        };
        (at < self.limit as usize).then_some(at)
    }

    fn insert(&mut self, at: usize, kept: Kept) {
        self.kept.truncate(self.limit as usize - 1);
        self.kept.insert(at, kept);
    }
}

impl Accumulate for Collect {
    const FUNCTIONS: &'static [Function<Self>] = &[Function {
        name: "collect",
        operand: Operand::Value,
        parameter: Parameter::Count("N"),
        summary: "the first N values in event time, as a list",
        result: |collect, _| match collect.kept.as_slice() {
            [] => Value::Null,
            kept => Value::List(kept.iter().map(|kept| kept.value.raw()).collect()),
        },
    }];
    const IS_SHAPED: bool = true;

    fn new(argument: &Argument) -> Collect {
        Collect { kept: Vec::new(), limit: argument.count() as u32 }
    }

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let (time, arrival) = (sample.time(), sample.arrival);
        if let Some(at) = self.place(time, arrival)
            && let Some(value) = sample.value()
        {
            self.insert(at, Kept { time, arrival, value: value.into() });
        }
    }

    fn merge(&mut self, other: &Self) {
        for kept in &other.kept {
            match self.place(kept.time, kept.arrival) {
                Some(at) => self.insert(at, kept.clone()),
                None => break,
            }
        }
    }
}
