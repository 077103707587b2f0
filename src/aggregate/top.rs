//! `mode` and `top`: the values that come most often. Values are equal as keys are (N6); of as
//! frequent ones the smaller comes first. Of the spellings of a value (`1`, `1.0`) the shortest is shown.

use super::{Accumulate, Argument, Function, Operand, OwnedRaw, Parameter, Raw, Sample, Value, saved};
use crate::codec::{Damaged, Reader, put, put_bytes};
use hashbrown::HashMap;
use std::cmp::Reverse;

/// Each value and how often it came.
#[derive(Clone, Debug, Default)]
pub struct Tallies(Option<Box<ByIdentity>>);

/// What the hasher is seeded with shows in no result.
type ByIdentity = HashMap<Box<[u8]>, Tally, foldhash::fast::RandomState>;

#[derive(Clone, Debug)]
struct Tally {
    count: u64,
    spelling: OwnedRaw,
}

impl Tallies {
    fn note(&mut self, identity: &[u8], raw: Raw<'_>, count: u64) {
        let tallies = self.0.get_or_insert_default();
        match tallies.get_mut(identity) {
            Some(tally) => {
                tally.count += count;
                if raw.is_plainer_than(tally.spelling.raw()) {
                    tally.spelling = raw.into();
                }
            }
            None => {
                tallies.insert(identity.into(), Tally { count, spelling: raw.into() });
            }
        }
    }

    /// The `most` most frequent values, in order.
    fn top(&self, most: usize) -> Vec<(Raw<'_>, u64)> {
        let tallies = self.0.iter().flat_map(|tallies| tallies.iter());
        let mut ranked: Vec<(Reverse<u64>, &[u8], Raw<'_>)> =
            tallies.map(|(identity, tally)| (Reverse(tally.count), &**identity, tally.spelling.raw())).collect();
        let order =
            |a: &(Reverse<u64>, &[u8], Raw<'_>), b: &(Reverse<u64>, &[u8], Raw<'_>)| (a.0, a.1).cmp(&(b.0, b.1));
        if most < ranked.len() {
            ranked.select_nth_unstable_by(most, order);
            ranked.truncate(most);
        }
        ranked.sort_unstable_by(order);
        ranked.into_iter().map(|(Reverse(count), _, value)| (value, count)).collect()
    }
}

impl Accumulate for Tallies {
    const FUNCTIONS: &'static [Function<Self>] = &[
        Function {
            name: "mode",
            operand: Operand::Value,
            parameter: Parameter::None,
            summary: "the most frequent value; of several the smallest",
            result: |tallies, _| tallies.top(1).first().map_or(Value::Null, |(value, _)| Value::Raw(*value)),
        },
        Function {
            name: "top",
            operand: Operand::Value,
            parameter: Parameter::Count("K"),
            summary: "the K most frequent, as [{\"value\":...,\"count\":...}]",
            result: |tallies, argument| match tallies.0 {
                None => Value::Null,
                Some(_) => Value::Tallies(tallies.top(argument.count())),
            },
        },
    ];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        if let Some(value) = sample.value() {
            value.with_identity(|identity| self.note(identity, value, 1));
        }
    }

    fn merge(&mut self, other: &Self) {
        let Some(others) = &other.0 else { return };
        match &mut self.0 {
            None => self.0 = Some(others.clone()),
            Some(_) => {
                others.iter().for_each(|(identity, tally)| self.note(identity, tally.spelling.raw(), tally.count));
            }
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.0.as_ref().map_or(0, |tallies| tallies.len() as u64));
        for (identity, Tally { count, spelling }) in self.0.iter().flat_map(|tallies| tallies.iter()) {
            put_bytes(out, identity);
            put(out, *count);
            saved::put_raw(out, spelling);
        }
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let length = bytes.length()?;
        if length == 0 {
            return Ok(Tallies(None));
        }
        let mut tally = || {
            let identity = bytes.bytes()?.into();
            Ok((identity, Tally { count: bytes.count()?, spelling: saved::raw(bytes)? }))
        };
        let tallies: Result<ByIdentity, Damaged> = (0..length).map(|_| tally()).collect();
        match tallies? {
            tallies if tallies.len() == length => Ok(Tallies(Some(Box::new(tallies)))),
            _ => Err(Damaged("a value is there twice")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::super::tests::{answer, fed};
    use super::*;

    fn shown(text: &str, most: u32) -> String {
        let tallies: Tallies = fed(text);
        match answer(&tallies, 1, Argument::Count(most)) {
            Value::Tallies(top) => {
                let text = |raw: &Raw<'_>| match raw {
                    Raw::Json(bytes) | Raw::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                };
                top.iter().map(|(raw, count)| format!("{}*{count}", text(raw))).collect::<Vec<_>>().join(" ")
            }
            value => format!("{value:?}"),
        }
    }

    #[test]
    fn the_most_frequent_first_and_of_those_the_smaller() {
        for (text, most, expected) in [
            (r#""b" "a" "c" "c""#, 3, r#""c"*2 "a"*1 "b"*1"#),
            (r#""b" "a" "c" "c""#, 2, r#""c"*2 "a"*1"#),
            (r#""1" 2 10 true false [0]"#, 9, r#"false*1 true*1 2*1 10*1 "1"*1 [0]*1"#),
            ("1.0 1 1.00 2 2", 9, "1*3 2*2"),
            ("_ 1", 1, "1*1"),
            ("_", 1, "Null"),
        ] {
            assert_eq!(shown(text, most), expected, "{text}");
        }
        let mode: Tallies = fed("3 2 2 3");
        assert!(matches!(answer(&mode, 0, Argument::None), Value::Raw(Raw::Json(b"2"))));
    }
}
