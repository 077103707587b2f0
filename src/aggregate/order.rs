//! `first` and `last`: the value of the event that is earliest or latest in event time, ties by arrival.

use super::{Accumulate, Function, Operand, Raw, Sample, Value};
use crate::time::Timestamp;

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
    value: Box<[u8]>,
    is_json: bool,
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

    fn result(&self) -> Value<'_> {
        match &self.kept {
            None => Value::Null,
            Some(kept) if kept.is_json => Value::Raw(Raw::Json(&kept.value)),
            Some(kept) => Value::Raw(Raw::Text(&kept.value)),
        }
    }
}

impl<const LATEST: bool> Accumulate for Edge<LATEST> {
    const FUNCTIONS: &'static [Function<Self>] = &[if LATEST {
        Function {
            name: "last",
            operand: Operand::Value,
            summary: "the value latest in event time",
            result: Self::result,
        }
    } else {
        Function {
            name: "first",
            operand: Operand::Value,
            summary: "the value earliest in event time",
            result: Self::result,
        }
    }];

    fn add(&mut self, sample: &Sample<'_>) {
        let time = sample.time();
        if self.is_beyond(time, sample.arrival)
            && let Some(value) = sample.value()
        {
            let (Raw::Json(bytes) | Raw::Text(bytes)) = value;
            let is_json = matches!(value, Raw::Json(_));
            self.kept = Some(Kept { time, arrival: sample.arrival, value: bytes.into(), is_json });
        }
    }

    fn merge(&mut self, other: &Self) {
        if let Some(kept) = &other.kept
            && self.is_beyond(kept.time, kept.arrival)
        {
            self.kept = Some(kept.clone());
        }
    }
}
