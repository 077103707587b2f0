//! Which records are events at all (`--where`), and fields that are computed (`--let`): by the decoders, in parallel, where
//! fields are still bytes.

use super::json;
use super::record::{Found, Refusal, nulled};
use crate::event::number::{Number, write_exact};
use crate::event::projection::{Filter, Projection};
use crate::event::{EventBatch, Reason, TextSpan, key};
use crate::expr::{Lookup, Value, seconds, written};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The fields of a record as values of expressions.
struct Record<'a> {
    batch: &'a EventBatch,
    projection: &'a Projection,
    places: &'a [usize],
    fields: &'a [Found],
}

impl Lookup for Record<'_> {
    #[inline]
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        let found = nulled(self.batch, self.projection, self.fields[self.places[slot]]);
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
    let record = Record { batch, projection, places: &filter.places, fields };
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

/// The fields of a record with the computed ones written over what was found in their places.
///
/// # Errors
/// One cannot be computed: a bad record.
pub fn computed(
    batch: &mut EventBatch,
    projection: &Projection,
    fields: &[Found],
) -> Result<SmallVec<[Found; 16]>, Refusal> {
    let mut fields: SmallVec<[Found; 16]> = fields.iter().copied().collect();
    for computed in &projection.lets {
        let mut text = Vec::new();
        let kind = {
            let record = Record { batch, projection, places: &computed.places, fields: &fields };
            let value = computed.program.value(&record).map_err(|fault| {
                (Reason::Expression, format!("--let {} {}", computed.name, computed.program.explain(&fault)))
            })?;
            write(&mut text, &value)
        };
        let start = (batch.bytes.len() + batch.unescaped.len()) as u32;
        let whole = TextSpan { start, len: text.len() as u32 };
        // Between its quotes.
        let inside = TextSpan { start: start + 1, len: whole.len.saturating_sub(2) };
        let found = match kind {
            Kind::Null => Found::Null,
            Kind::Bool(value) => Found::Bool(value, whole),
            Kind::Number => Found::Number(whole),
            Kind::Text if text.contains(&b'\\') => Found::Escaped(inside),
            Kind::Text => Found::Text(inside),
            Kind::Container => Found::Container(whole),
        };
        batch.unescaped.extend_from_slice(&text);
        for target in &computed.targets {
            fields[*target] = found;
        }
    }
    Ok(fields)
}

/// What a value is, as JSON knows it.
enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    Container,
}

/// Appends a value as JSON.
fn write(out: &mut Vec<u8>, value: &Value<'_>) -> Kind {
    let text = |out: &mut Vec<u8>, text: &str| {
        // Writing to a Vec cannot fail.
        let _ = serde_json::to_writer(out, text);
        Kind::Text
    };
    match value {
        Value::Null => {
            out.extend_from_slice(b"null");
            Kind::Null
        }
        Value::Bool(value) => {
            out.extend_from_slice(if *value { b"true" } else { b"false" });
            Kind::Bool(*value)
        }
        Value::Number(number) => {
            match number.exact() {
                Some((mantissa, scale)) => write_exact(out, mantissa, scale, number.is_pointed()),
                None => drop(serde_json::to_writer(out, &number.to_f64())),
            }
            Kind::Number
        }
        Value::Time(time) => text(out, &written(*time)),
        Value::Duration(span) => write(out, &Value::Number(seconds(*span))),
        Value::Text(value) => text(out, value),
        Value::Cell(value) => text(out, value),
        Value::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                write(out, value);
            }
            out.push(b']');
            Kind::Container
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                text(out, name);
                out.push(b':');
                write(out, value);
            }
            out.push(b'}');
            Kind::Container
        }
    }
}
