//! `distinct`: how many different values, exactly. Values are told apart by type and value, as keys are (N6).

use super::{Accumulate, Argument, Function, Operand, Parameter, Sample, Value};
use crate::codec::{Damaged, Reader, put, put_bytes};
use hashbrown::HashSet;

/// The different values. What the hasher is seeded with shows in no result.
#[derive(Clone, Debug, Default)]
pub struct Distinct(Option<Box<HashSet<Box<[u8]>, foldhash::fast::RandomState>>>);

impl Accumulate for Distinct {
    const FUNCTIONS: &'static [Function<Self>] = &[Function {
        name: "distinct",
        operand: Operand::Value,
        parameter: Parameter::None,
        summary: "how many different values, exactly",
        result: |Distinct(values), _| Value::Count(values.as_ref().map_or(0, |values| values.len() as u64)),
    }];

    #[inline(never)]
    fn add(&mut self, sample: &Sample<'_>) {
        let Some(value) = sample.value() else { return };
        let values = self.0.get_or_insert_default();
        value.with_identity(|identity| {
            if !values.contains(identity) {
                values.insert(identity.into());
            }
        });
    }

    fn merge(&mut self, other: &Self) {
        let Some(others) = &other.0 else { return };
        match &mut self.0 {
            None => self.0 = Some(others.clone()),
            Some(values) => others.iter().for_each(|identity| {
                if !values.contains(identity) {
                    values.insert(identity.clone());
                }
            }),
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(out, self.0.as_ref().map_or(0, |values| values.len() as u64));
        self.0.iter().flat_map(|values| values.iter()).for_each(|identity| put_bytes(out, identity));
    }

    fn restore(_argument: &Argument, bytes: &mut Reader<'_>) -> Result<Self, Damaged> {
        let length = bytes.length()?;
        if length == 0 {
            return Ok(Distinct(None));
        }
        let values: Result<HashSet<_, _>, _> = (0..length).map(|_| Ok(bytes.bytes()?.into())).collect();
        match values? {
            values if values.len() == length => Ok(Distinct(Some(Box::new(values)))),
            _ => Err(Damaged("a value is there twice")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Argument;
    use super::super::tests::{answer, fed};
    use super::*;

    #[test]
    fn n6_values_differ_by_type_and_value() {
        for (text, expected) in [
            ("1 1.0 1e0 10e-1", 1),
            (r#"1 "1" true "true""#, 4),
            (r#""a" "\u0061" "b""#, 2),
            ("[1] [1] [1.0] {}", 3),
            ("_ _", 0),
        ] {
            let distinct: Distinct = fed(text);
            assert!(matches!(answer(&distinct, 0, Argument::None), Value::Count(count) if count == expected), "{text}");
        }
    }
}
