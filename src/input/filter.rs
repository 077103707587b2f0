//! Which records are events at all (`--where`): judged by the decoders, in parallel, where fields are still bytes.

use super::json;
use super::record::{Found, Refusal, nulled};
use crate::event::number::Number;
use crate::event::projection::{Filter, Projection};
use crate::event::{EventBatch, Reason, key};
use crate::expr::{Lookup, Value};
use std::borrow::Cow;

/// The fields of a record as values of expressions.
struct Record<'a> {
    batch: &'a EventBatch,
    projection: &'a Projection,
    filter: &'a Filter,
    fields: &'a [Found],
}

impl Lookup for Record<'_> {
    #[inline]
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        let found = nulled(self.batch, self.projection, self.fields[self.filter.places[slot]]);
        let text = |span| std::str::from_utf8(self.batch.text(span)).map_err(|_| "the field is not UTF-8".to_owned());
        Ok(match found {
            Found::Missing | Found::Null => Value::Null,
            Found::Bool(value, _) => Value::Bool(value),
            Found::Number(span) => {
                let short = Number::parse_short(&self.batch.bytes, span.start as usize, span.len as usize);
                let number = short.or_else(|| Number::parse(self.batch.text(span)));
                Value::Number(number.ok_or("the field is a number too large")?)
            }
            Found::Text(span) => Value::text(text(span)?),
            Found::Escaped(span) => match json::unescape(self.batch.text(span)) {
                Some(text) => Value::Text(Cow::Owned(text)),
                None => return Err("the field has half a surrogate pair, which is no character".into()),
            },
            Found::Container(span) => Value::of_json(self.batch.text(span)).unwrap_or(Value::Null),
            Found::Cell(span) if span.len == 0 => Value::Null,
            Found::Cell(span) => Value::Cell(text(span)?),
        })
    }
}

/// Whether a record passes.
///
/// # Errors
/// The condition could not be evaluated: a bad record.
#[inline(never)]
pub fn passes(filter: &Filter, batch: &EventBatch, projection: &Projection, fields: &[Found]) -> Result<bool, Refusal> {
    let record = Record { batch, projection, filter, fields };
    let judged = filter.program.is_true(&record);
    judged.map_err(|fault| (Reason::Expression, format!("--where {}", filter.program.explain(&fault))))
}

/// What a record that does not pass leaves in the columns, but for its time and place: nothing of it is looked at, but
/// all columns stay of one length.
pub fn push_nothing(batch: &mut EventBatch, projection: &Projection) {
    batch.keys.commit();
    for (index, wanted) in projection.values.iter().enumerate() {
        if wanted.as_number {
            batch.numbers[index].push(None);
        }
        if wanted.as_value {
            batch.values[index].push(crate::event::RawValue::Null);
        }
    }
    if projection.dedup.is_some() {
        key::push_null(batch.ids.pending());
        batch.ids.commit();
    }
}
