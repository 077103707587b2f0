//! From `-a` to accumulators: which are needed, and which output column asks which of them.

use super::{Accumulator, Argument, FAMILIES, Listed, Operand, Parameter, Sample, Value, functions};
use crate::codec::{Damaged, Reader};
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
    by: Option<Field>,
    argument: Argument,
}

impl AggregateSpec {
    /// Reads `[NAME=]FUNC[:FIELD[:ARG]]`.
    ///
    /// # Errors
    /// A message for people.
    pub fn parse(text: &str) -> Result<AggregateSpec, String> {
        let (name, call) = match text.split_once('=') {
            Some((name, call)) if !name.contains(':') => (Some(name), call),
            _ => (None, text),
        };
        if let Some((word, field)) = call.strip_suffix(')').and_then(|call| call.split_once('('))
            && !word.contains(':')
        {
            let field = if field == "*" || field.is_empty() { String::new() } else { format!(":{field}") };
            return Err(format!(
                "\"{text}\": a function and its field stand on either side of a colon, as in {word}{field}"
            ));
        }
        let (word, rest) = match call.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (call, None),
        };
        let (family, function, listed) = find(word)?;
        let Listed { operand, parameter, .. } = *listed;
        let (field, given) = match rest.map(|rest| rest.split_once(':').unwrap_or((rest, ""))) {
            Some((field, given)) => (Some(field), Some(given).filter(|_| rest.is_some_and(|rest| rest.contains(':')))),
            None => (None, None),
        };
        if field.is_none() && operand != Operand::EventOrValue {
            let example = parameter.example().map(|example| format!(":{example}")).unwrap_or_default();
            return Err(format!("\"{text}\" needs a field, as in {word}:latency_ms{example}"));
        }
        let wrong = |fault: String| format!("\"{text}\": {fault}");
        let (mut argument, mut by) = (Argument::None, None);
        match (parameter.example(), given) {
            (None, Some(_)) => {
                return Err(format!("\"{text}\" has a \":\" too many: {word} takes a field, whose name has none"));
            }
            (None, None) => argument = parameter.parse(word.trim_start_matches('p')).map_err(wrong)?,
            (Some(example), None | Some("")) => {
                let needed = if parameter == Parameter::Field { "a second field" } else { "a number after the field" };
                return Err(format!("\"{text}\" needs {needed}, as in {word}:{}:{example}", field.unwrap_or_default()));
            }
            (Some(_), Some(given)) if given.contains(':') => {
                return Err(format!("\"{text}\" has a \":\" too many: it is {}", listed.usage()));
            }
            (Some(_), Some(given)) if parameter == Parameter::Field => by = Some(Field::parse(given)?),
            (Some(_), Some(given)) => argument = parameter.parse(given).map_err(wrong)?,
        }
        let field = field.map(Field::parse).transpose()?;
        let name = match name {
            Some("") => return Err(format!("\"{text}\" has an empty name before =")),
            Some(name) => name.to_owned(),
            None => default_name(call),
        };
        Ok(AggregateSpec { name, family, function, operand, field, by, argument })
    }
}

/// What functions are called elsewhere.
const OTHER_NAMES: [(&str, &[&str]); 7] = [
    ("avg", &["mean", "average"]),
    ("stddev", &["std", "stdev", "sd"]),
    ("var", &["variance"]),
    ("sum", &["total"]),
    ("distinct", &["count_distinct", "unique", "uniq", "nunique", "cardinality"]),
    ("quantile", &["percentile", "perc", "pct"]),
    ("collect", &["list", "array_agg"]),
];

/// The function of this name; the percentiles have one name each.
fn find(word: &str) -> Result<(usize, usize, &'static Listed), String> {
    let is_percentile = word.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let found = functions()
        .find(|(.., listed)| listed.name == word || is_percentile && listed.parameter == Parameter::Percentage);
    found.ok_or_else(|| {
        let near = match OTHER_NAMES.iter().find(|(_, others)| others.contains(&word)) {
            Some((name, _)) => format!("; did you mean \"{name}\"?"),
            None => crate::suggest::near(word, functions().map(|(.., listed)| listed.name)),
        };
        let known: Vec<_> = functions().map(|(.., listed)| listed.name).collect();
        format!("unknown aggregate \"{word}\"{near} (known: {})", known.join(" "))
    })
}

/// `FUNC_FIELD_ARG`, with every character outside `[A-Za-z0-9_]` as `_`.
fn default_name(call: &str) -> String {
    call.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// An accumulator that every key and window has.
#[derive(Clone, Debug)]
struct Slot {
    family: usize,
    field: Option<usize>,
    by: Option<usize>,
    /// That of its first function.
    argument: Argument,
}

/// An output column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    slot: usize,
    function: usize,
    argument: Argument,
}

/// The accumulators of a row, and the columns made of them. `sum` and `max` of one field share an accumulator.
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
        let mut index_of = |field: &Field, is_number: bool| {
            let index = fields.iter().position(|known| known.field == *field).unwrap_or_else(|| {
                fields.push(ValueField { field: field.clone(), as_number: false, as_value: false });
                fields.len() - 1
            });
            fields[index].as_number |= is_number;
            fields[index].as_value |= !is_number;
            index
        };
        for spec in specs {
            let field = spec.field.as_ref().map(|field| index_of(field, spec.operand == Operand::Number));
            let by = spec.by.as_ref().map(|by| index_of(by, true));
            let slot = plan.slots.iter().position(|slot| {
                let is_same = (slot.family, slot.field, slot.by) == (spec.family, field, by);
                is_same && (!FAMILIES[spec.family].is_shaped || slot.argument == spec.argument)
            });
            let slot = slot.unwrap_or_else(|| {
                plan.slots.push(Slot { family: spec.family, field, by, argument: spec.argument });
                plan.slots.len() - 1
            });
            let column = Column { name: spec.name.clone(), slot, function: spec.function, argument: spec.argument };
            plan.columns.push(column);
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
        self.slots.iter().for_each(|slot| (FAMILIES[slot.family].push)(&slot.argument, rows));
    }

    /// Appends a row of accumulators that were saved one after the other.
    ///
    /// # Errors
    /// Nobody can have saved them; nothing is appended then.
    pub fn restore_row(&self, bytes: &mut Reader<'_>, rows: &mut Vec<Accumulator>) -> Result<(), Damaged> {
        let before = rows.len();
        for slot in &self.slots {
            match (FAMILIES[slot.family].restore)(&slot.argument, bytes) {
                Ok(accumulator) => rows.push(accumulator),
                Err(damaged) => {
                    rows.truncate(before);
                    return Err(damaged);
                }
            }
        }
        Ok(())
    }

    /// Adds one event to a row.
    #[inline]
    pub fn add(&self, row: &mut [Accumulator], batch: &EventBatch, index: usize, arrival: u64) {
        for (slot, accumulator) in self.slots.iter().zip(row) {
            accumulator.add(&Sample { batch, index, field: slot.field, by: slot.by, arrival });
        }
    }

    /// Whether a column of this plan holds numbers, or null.
    pub fn is_number(&self, column: &Column) -> bool {
        let function = &FAMILIES[self.slots[column.slot].family].functions[column.function];
        function.operand != Operand::Value
    }

    /// Whether a column depends on the order in which events of equal time arrive.
    pub fn heeds_arrival(&self, column: &Column) -> bool {
        FAMILIES[self.slots[column.slot].family].heeds_arrival
    }

    /// The value of a column of this plan in a row.
    pub fn value<'a>(&self, column: &Column, row: &'a [Accumulator]) -> Value<'a> {
        row[column.slot].result(column.function, &column.argument)
    }
}

/// Appends what the accumulators of a row keep.
#[inline]
pub fn save_row(row: &[Accumulator], out: &mut Vec<u8>) {
    row.iter().for_each(|accumulator| accumulator.save(out));
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
            ("p99.9:ms", "p99_9_ms"),
            ("quantile:ms:0.95", "quantile_ms_0_95"),
            ("top:path:3", "top_path_3"),
            ("argmin:host:ms", "argmin_host_ms"),
            ("var_pop:http.ms", "var_pop_http_ms"),
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
            ("sum:a:b", "too many"),
            ("count:a:b", "too many"),
            ("mean:v", "did you mean \"avg\""),
            ("percentile:v:99", "did you mean \"quantile\""),
            ("sum(v)", "as in sum:v"),
            ("n=count(*)", "as in count"),
            ("mediam:v", "did you mean \"median\""),
            ("pNN:v", "a percentile goes from p0 to p100"),
            ("p101:v", "a percentile goes from p0 to p100"),
            ("p5x:v", "a percentile goes from p0 to p100"),
            ("p:v", "unknown aggregate \"p\""),
            ("p99", "as in p99:latency_ms"),
            ("quantile", "as in quantile:latency_ms:0.95"),
            ("quantile:v", "as in quantile:v:0.95"),
            ("quantile:v:95", "from 0 to 1"),
            ("top:v", "as in top:v:3"),
            ("top:v:", "as in top:v:3"),
            ("top::3", "field name is missing"),
            ("top:v:0", "from 1 to"),
            ("top:v:3:4", "it is top:FIELD:K"),
            ("argmax:v", "needs a second field, as in argmax:v:bytes"),
            ("argmax:v:", "needs a second field"),
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
        assert_eq!(plan.width(), 4);
        assert_eq!(fields.len(), 2);
        assert_eq!(plan.columns.len(), specs.len());
    }

    #[test]
    fn arguments_part_accumulators_only_where_they_shape_them() {
        for (calls, width) in [
            (&["median:v", "p99:v", "p99.9:v", "quantile:v:0.5"][..], 1),
            (&["var:v", "stddev:v", "var_pop:v", "stddev_pop:v"], 1),
            (&["mode:v", "top:v:3", "top:v:5"], 1),
            (&["min_text:v", "max_text:v"], 1),
            (&["delta:v", "rate:v"], 1),
            (&["collect:v:3", "a=collect:v:3", "collect:v:4"], 2),
            (&["argmin:v:a", "x=argmin:v:a", "argmin:v:b", "argmax:v:a"], 3),
        ] {
            let specs: Vec<_> = calls.iter().map(|text| AggregateSpec::parse(text).expect(text)).collect();
            assert_eq!(AggregatePlan::new(&specs).0.width(), width, "{calls:?}");
        }
    }

    #[test]
    fn fields_are_read_as_they_are_needed() {
        let spec = AggregateSpec::parse("argmin:host:ms").expect("an aggregate");
        let (_, fields) = AggregatePlan::new(&[spec]);
        let needs: Vec<_> = fields.iter().map(|f| (f.field.name.as_str(), f.as_number, f.as_value)).collect();
        assert_eq!(needs, [("host", false, true), ("ms", true, false)]);
    }
}
