//! `collect`: the first so many values, by event time and arrival.

use super::{Accumulate, Argument, Function, Operand, OwnedRaw, Parameter, Sample, Value, saved};
use crate::codec::{Damaged, Reader, put};
use crate::time::Timestamp;

/// The first values.
#[derive(Clone, Debug, Default)]
pub struct Collect(Box<Values>);

#[derive(Clone, Debug, Default)]
struct Values {
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

impl Values {
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
        result: |collect, _| match collect.0.kept.as_slice() {
            [] => Value::Null,
            kept => Value::List(kept.iter().map(|kept| kept.value.raw()).collect()),
        },
    }];
    const IS_SHAPED: bool = true;
    const HEEDS_ARRIVAL: bool = true;

    fn new(argument: &Argument) -> Collect {
        Collect(Box::new(Values { kept: Vec::new(), limit: argument.count() as u32 }))
    }

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let (time, arrival) = (sample.time(), sample.arrival);
        if let Some(at) = self.0.place(time, arrival)
            && let Some(value) = sample.value()
        {
            self.0.insert(at, Kept { time, arrival, value: value.into() });
        }
    }

    fn merge(&mut self, other: &Self) {
        for kept in &other.0.kept {
            match self.0.place(kept.time, kept.arrival) {
                Some(at) => self.0.insert(at, kept.clone()),
                None => break,
            }
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.0.kept.len() as u64);
        for Kept { time, arrival, value } in &self.0.kept {
            saved::put_rank(out, *time, *arrival);
            saved::put_raw(out, value);
        }
    }

    fn restore(argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let mut collect = Collect::new(argument);
        for _ in 0..bytes.length()? {
            let (time, arrival) = saved::rank(bytes)?;
            collect.0.kept.push(Kept { time, arrival, value: saved::raw(bytes)? });
        }
        let is_sorted = collect.0.kept.is_sorted_by_key(|kept| (kept.time, kept.arrival));
        match is_sorted && collect.0.kept.len() <= collect.0.limit as usize {
            true => Ok(collect),
            false => Err(Damaged("collected values are too many or not in order")),
        }
    }
}
