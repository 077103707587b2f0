//! From `-a` to accumulators: which are needed, and which output column asks which of them.

use super::{Accumulator, FAMILIES, Operand, Sample, Value, functions};
use crate::event::EventBatch;
use crate::event::projection::{Field, ValueField};

/// One `-a` as read.
#[derive(Clone, Debug)]
pub struct AggregateSpec {
    /// The output column.
    pub name: String,
    family: usize,
    function: usize,
    operand: Operand,
    field: Option<Field>,
}

impl AggregateSpec {
    /// Reads `[NAME=]FUNC[:FIELD]`.
    ///
    /// # Errors
    /// A message for people.
    pub fn parse(text: &str) -> Result<AggregateSpec, String> {
        let (name, call) = match text.split_once('=') {
            Some((name, call)) if !name.contains(':') => (Some(name), call),
            _ => (None, text),
        };
        let (function_name, field) = match call.split_once(':') {
            Some((function, field)) => (function, Some(field)),
            None => (call, None),
        };
        let found = functions().find(|(_, _, name, ..)| *name == function_name);
        let Some((family, function, _, operand, _)) = found else {
            let near = crate::suggest::near(function_name, functions().map(|(_, _, name, ..)| name));
            let known: Vec<_> = functions().map(|(_, _, name, ..)| name).collect();
            return Err(format!("unknown aggregate \"{function_name}\"{near} (known: {})", known.join(" ")));
        };
        if field.is_none() && operand != Operand::EventOrValue {
            return Err(format!("\"{text}\" needs a field, as in {function_name}:latency_ms"));
        }
        let field = field.map(Field::parse).transpose()?;
        let name = match name {
            Some("") => return Err(format!("\"{text}\" has an empty name before =")),
            Some(name) => name.to_owned(),
            None => default_name(function_name, field.as_ref()),
        };
        Ok(AggregateSpec { name, family, function, operand, field })
    }
}

/// `FUNC_FIELD`, with every character outside `[A-Za-z0-9_]` as `_`.
fn default_name(function: &str, field: Option<&Field>) -> String {
    let name = match field {
        Some(field) => format!("{function}_{}", field.name),
        None => function.to_owned(),
    };
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// An accumulator that every key and window has.
#[derive(Clone, Debug)]
struct Slot {
    family: usize,
    field: Option<usize>,
}

/// An output column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    slot: usize,
    function: usize,
}

/// The accumulators of a row, and the columns made of them. `sum` and `avg` of one field share an accumulator.
#[derive(Clone, Debug, Default)]
pub struct AggregatePlan {
    slots: Vec<Slot>,
    /// The output columns, in the order of `-a`.
    pub columns: Vec<Column>,
}

impl AggregatePlan {
    /// Plans the given aggregates; also says which fields they need, each once.
    pub fn new(specs: &[AggregateSpec]) -> (AggregatePlan, Vec<ValueField>) {
        let mut plan = AggregatePlan::default();
        let mut fields: Vec<ValueField> = Vec::new();
        for spec in specs {
            let field = spec.field.as_ref().map(|field| {
                let index = fields.iter().position(|known| known.field == *field).unwrap_or_else(|| {
                    fields.push(ValueField { field: field.clone(), as_number: false, as_value: false });
                    fields.len() - 1
                });
                fields[index].as_number |= spec.operand == Operand::Number;
                fields[index].as_value |= spec.operand != Operand::Number;
                index
            });
            let slot = plan.slots.iter().position(|slot| slot.family == spec.family && slot.field == field);
            let slot = slot.unwrap_or_else(|| {
                plan.slots.push(Slot { family: spec.family, field });
                plan.slots.len() - 1
            });
            plan.columns.push(Column { name: spec.name.clone(), slot, function: spec.function });
        }
        (plan, fields)
    }

    /// How many accumulators a row has.
    #[inline]
    pub fn width(&self) -> usize {
        self.slots.len()
    }

    /// Appends a row of accumulators that have seen nothing.
    pub fn push_row(&self, rows: &mut Vec<Accumulator>) {
        rows.extend(self.slots.iter().map(|slot| (FAMILIES[slot.family].new)()));
    }

    /// Adds one event to a row.
    #[inline]
    pub fn add(&self, row: &mut [Accumulator], batch: &EventBatch, index: usize, arrival: u64) {
        for (slot, accumulator) in self.slots.iter().zip(row) {
            accumulator.add(&Sample { batch, index, field: slot.field, arrival });
        }
    }

    /// The value of a column of this plan in a row.
    pub fn value<'a>(&self, column: &Column, row: &'a [Accumulator]) -> Value<'a> {
        row[column.slot].result(column.function)
    }
}

/// Merges a row into another, the earlier piece.
pub fn merge_rows(row: &mut [Accumulator], later: &[Accumulator]) {
    for (accumulator, other) in row.iter_mut().zip(later) {
        accumulator.merge(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names_are_function_and_field() {
        for (text, name) in [
            ("count", "count"),
            ("sum:latency_ms", "sum_latency_ms"),
            ("max:http.status", "max_http_status"),
            ("first:/a/0", "first__a_0"),
            ("total=sum:v", "total"),
            ("sum:a=b", "sum_a_b"),
        ] {
            assert_eq!(AggregateSpec::parse(text).expect(text).name, name);
        }
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        for (text, hint) in [
            ("cuont", "did you mean \"count\""),
            ("sum", "needs a field"),
            ("=count", "empty name"),
            ("sum:", "field name is missing"),
        ] {
            let message = AggregateSpec::parse(text).expect_err(text);
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn functions_of_one_family_and_field_share_an_accumulator() {
        let specs: Vec<_> = ["count", "sum:v", "avg:v", "min:v", "max:v", "range:v", "sum:w", "count:v"]
            .iter()
            .map(|text| AggregateSpec::parse(text).expect(text))
            .collect();
        let (plan, fields) = AggregatePlan::new(&specs);
        assert_eq!(plan.width(), 5);
        assert_eq!(fields.len(), 2);
        assert_eq!(plan.columns.len(), specs.len());
    }
}
