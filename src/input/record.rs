//! From the fields found in a record to an event in a batch; the same for every format.

use super::{filter, json};
use crate::event::number::Number;
use crate::event::projection::Projection;
use crate::event::{Aside, EventBatch, Punctuation, RawValue, Reason, RecordSpan, TextSpan, key};
use crate::time::advice::advice;
use crate::time::parse::{BadTime, Moment, TimeCache};

/// What a record has for a field. Spans are those of [`EventBatch::text`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// The record does not have the field.
    #[default]
    Missing,
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool, TextSpan),
    /// A JSON number.
    Number(TextSpan),
    /// A JSON string without escapes, between its quotes.
    Text(TextSpan),
    /// A JSON string with escapes, between its quotes.
    Escaped(TextSpan),
    /// A JSON object or array.
    Container(TextSpan),
    /// The text of a cell.
    Cell(TextSpan),
}

/// Why a record is bad.
pub type Refusal = (Reason, String);

/// Adds an event whose fields are given in the order of [`Projection::fields`].
///
/// # Errors
/// Why the record is bad; the batch is then as it was before.
#[inline]
pub fn push_event(
    batch: &mut EventBatch,
    projection: &Projection,
    fields: &[Found],
    record: RecordSpan,
    dates: &mut TimeCache,
) -> Result<(), Refusal> {
    if projection.lets.is_empty() {
        return push_found(batch, projection, fields, record, dates);
    }
    let fields = filter::computed(batch, projection, fields)?;
    push_found(batch, projection, &fields, record, dates)
}

#[inline]
fn push_found(
    batch: &mut EventBatch,
    projection: &Projection,
    fields: &[Found],
    record: RecordSpan,
    dates: &mut TimeCache,
) -> Result<(), Refusal> {
    if batch.has_unseen {
        note_seen(batch, fields);
    }
    let keys_from = usize::from(!projection.time_is_arrival);
    let values_from = keys_from + projection.keys.len();
    let marks_from = values_from + projection.values.len();
    let marks = match projection.filter.is_some() || !projection.lets.is_empty() {
        false => &fields[marks_from..],
        true => &fields[marks_from..marks_from + projection.marks()],
    };
    if projection.punctuate.is_some()
        && let Some(punctuation) = read_punctuation(batch, projection, marks, record, dates)?
    {
        batch.push_aside(Aside::Punctuation(Box::new(punctuation)), u64::from(record.text.start + record.text.len));
        return Ok(());
    }
    let filter = projection.filter.as_ref();
    if let Some(filter) = filter.filter(|filter| filter.is_first)
        && !filter::passes(filter, batch, projection, fields)?
    {
        batch.push_aside(Aside::Filtered(1), u64::from(record.text.start + record.text.len));
        return Ok(());
    }
    let Moment { time, is_ambiguous } = match projection.time_is_arrival {
        true => Moment { time: batch.arrival, is_ambiguous: false },
        false => read_time(batch, projection, fields[0], dates)?,
    };
    let passes = match filter {
        Some(filter) if !filter.is_first => filter::passes(filter, batch, projection, fields)?,
        _ => true,
    };
    let pushed = match passes {
        true => push_key(batch, projection, &fields[keys_from..values_from])
            .and_then(|()| push_values(batch, projection, &fields[values_from..]))
            .and_then(|()| push_marks(batch, projection, marks)),
        false => {
            filter::push_nothing(batch, projection);
            push_partition(batch, projection, marks)
        }
    };
    if let Err(refusal) = pushed {
        let events = batch.times.len();
        batch.keys.truncate(events);
        batch.ids.truncate(events);
        batch.partitions.truncate(events);
        batch.numbers.iter_mut().for_each(|column| column.truncate(events));
        batch.values.iter_mut().for_each(|column| column.truncate(events));
        return Err(refusal);
    }
    if is_ambiguous {
        batch.push_aside(Aside::AmbiguousTime, u64::from(record.text.start));
    }
    batch.times.push(time);
    batch.records.push(record);
    if filter.is_some() {
        batch.filtered.push(!passes);
    }
    Ok(())
}

#[inline]
fn push_key(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    // One short text, as most keys are.
    if let [Found::Text(span) | Found::Cell(span)] = *fields
        && let Some(window) = batch.bytes.get(span.start as usize..).and_then(|rest| rest.first_chunk())
        && projection.nulls.is_empty()
    {
        let is_cell = matches!(fields, [Found::Cell(_)]);
        let is_null = is_cell && span.len == 0;
        if !is_null && batch.keys.push_short_text(window, span.len as usize, is_cell) {
            return Ok(());
        }
    }
    push_key_parts(batch, projection, fields)
}

fn push_key_parts(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    for (found, field) in fields.iter().zip(&projection.keys) {
        let found = nulled(batch, projection, *found);
        let EventBatch { keys, bytes, unescaped, .. } = batch;
        push_key_part(keys.pending(), bytes, unescaped, found, Part { what: "key", name: &field.name })?;
    }
    batch.keys.commit();
    Ok(())
}

#[inline]
fn push_values(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    for (index, found) in fields[..projection.values.len()].iter().enumerate() {
        let found = nulled(batch, projection, *found);
        push_value(batch, projection, index, found)?;
    }
    Ok(())
}

/// What comes after the values: the id, then the partition.
#[inline]
fn push_marks(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    if fields.is_empty() { Ok(()) } else { push_asked_marks(batch, projection, fields) }
}

fn push_asked_marks(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    let mut fields = fields.iter();
    if let Some(field) = &projection.dedup
        && let Some(found) = fields.next()
    {
        let found = nulled(batch, projection, *found);
        let EventBatch { ids, bytes, unescaped, .. } = &mut *batch;
        push_key_part(ids.pending(), bytes, unescaped, found, Part { what: "id", name: &field.name })?;
        batch.ids.commit();
    }
    push_partition(batch, projection, fields.as_slice())
}

/// The partition; `fields` are what comes after the values, or only what comes after the id.
fn push_partition(batch: &mut EventBatch, projection: &Projection, fields: &[Found]) -> Result<(), Refusal> {
    let place = usize::from(projection.partition.is_some()) + usize::from(projection.punctuate.is_some());
    if let Some(field) = &projection.partition
        && let Some(found) = fields.get(fields.len().wrapping_sub(place))
    {
        let found = nulled(batch, projection, *found);
        let EventBatch { partitions, bytes, unescaped, .. } = &mut *batch;
        push_key_part(partitions.pending(), bytes, unescaped, found, Part { what: "partition", name: &field.name })?;
        batch.partitions.commit();
    }
    Ok(())
}

#[cold]
fn note_seen(batch: &mut EventBatch, fields: &[Found]) {
    for (seen, found) in batch.seen.iter_mut().zip(fields) {
        *seen |= *found != Found::Missing;
    }
    batch.has_unseen = batch.seen.contains(&false);
}

/// What was found, or null if it is one of the texts that mean null (N2).
#[inline]
pub(super) fn nulled(batch: &EventBatch, projection: &Projection, found: Found) -> Found {
    if projection.nulls.is_empty() { found } else { nulled_by(batch, projection, found) }
}

fn nulled_by(batch: &EventBatch, projection: &Projection, found: Found) -> Found {
    let is_null = |text: &[u8]| projection.nulls.iter().any(|null| null.as_bytes() == text);
    let null = match found {
        Found::Text(span) | Found::Cell(span) => is_null(batch.text(span)),
        Found::Escaped(span) => json::unescape(batch.text(span)).is_some_and(|text| is_null(text.as_bytes())),
        _ => false,
    };
    if null { Found::Null } else { found }
}

/// What a record says as punctuation, if it does; `fields` are what comes after the values.
///
/// # Errors
/// A time that cannot be read, or a partition that is no value.
fn read_punctuation(
    batch: &EventBatch,
    projection: &Projection,
    fields: &[Found],
    span: RecordSpan,
    dates: &mut TimeCache,
) -> Result<Option<Punctuation>, Refusal> {
    let (Some(field), Some(found)) = (&projection.punctuate, fields.last()) else { return Ok(None) };
    match nulled(batch, projection, *found) {
        Found::Missing | Found::Null => return Ok(None),
        Found::Cell(cell) if cell.len == 0 => return Ok(None),
        _ => {}
    }
    let read = parse_time(batch, projection, *found, dates);
    let time = read
        .map_err(|bad| (Reason::Time, format!("watermark {}", describe(batch, &field.name, *found, bad.reason()))))?;
    let mut partition = Vec::new();
    if let Some(field) = &projection.partition {
        let found = nulled(batch, projection, fields[usize::from(projection.dedup.is_some())]);
        let part = Part { what: "partition", name: &field.name };
        push_key_part(&mut partition, &batch.bytes, &batch.unescaped, found, part)?;
    }
    Ok(Some(Punctuation { span, time: time.time, partition: partition.into() }))
}

#[inline]
fn parse_time(
    batch: &EventBatch,
    projection: &Projection,
    found: Found,
    dates: &mut TimeCache,
) -> Result<Moment, BadTime> {
    let rules = &projection.time_rules;
    match found {
        Found::Text(span) | Found::Cell(span) => rules.parse_text(batch.text(span), dates),
        Found::Number(span) => rules.parse_number(batch.text(span)),
        Found::Escaped(span) => match json::unescape(batch.text(span)) {
            Some(text) => rules.parse_text(text.as_bytes(), dates),
            None => Err(BadTime::Unreadable),
        },
        Found::Missing | Found::Null | Found::Bool(..) | Found::Container(_) => Err(BadTime::Unreadable),
    }
}

#[inline]
fn read_time(
    batch: &EventBatch,
    projection: &Projection,
    found: Found,
    dates: &mut TimeCache,
) -> Result<Moment, Refusal> {
    parse_time(batch, projection, found, dates).map_err(|bad| {
        let advice = match found {
            Found::Text(span) | Found::Cell(span) | Found::Number(span) => {
                advice(batch.text(span), &projection.time_rules)
            }
            _ => None,
        };
        let fault = advice.map_or_else(|| bad.reason().to_owned(), |advice| format!("{} ({advice})", bad.reason()));
        (Reason::Time, format!("event time {}", describe(batch, &projection.time.name, found, &fault)))
    })
}

/// What a part of a key is called in messages.
struct Part<'a> {
    what: &'static str,
    name: &'a str,
}

#[inline]
fn push_key_part(
    key: &mut Vec<u8>,
    bytes: &[u8],
    unescaped: &[u8],
    found: Found,
    Part { what, name }: Part<'_>,
) -> Result<(), Refusal> {
    match found {
        Found::Missing | Found::Null => key::push_null(key),
        Found::Bool(value, _) => key::push_bool(key, value),
        // JSON text has been checked to be UTF-8.
        Found::Text(span) => key::push_text(key, slice(bytes, unescaped, span)),
        Found::Cell(span) => match slice(bytes, unescaped, span) {
            [] => key::push_null(key),
            text if std::str::from_utf8(text).is_ok() => key::push_text(key, text),
            _ => return Err((Reason::Utf8, format!("{what} \"{name}\" is not UTF-8"))),
        },
        Found::Number(span) => {
            if !key::push_number(key, slice(bytes, unescaped, span)) {
                return Err((Reason::Key, format!("{what} \"{name}\" is a number too long to compare")));
            }
        }
        Found::Escaped(span) => match json::unescape(slice(bytes, unescaped, span)) {
            Some(text) => key::push_text(key, text.as_bytes()),
            None => {
                return Err((
                    Reason::Key,
                    format!("{what} \"{name}\" has half a surrogate pair, which is no character"),
                ));
            }
        },
        Found::Container(_) => {
            return Err((Reason::Key, format!("{what} \"{name}\" is an object or an array")));
        }
    }
    Ok(())
}

/// As [`EventBatch::text`], where only the buffers are at hand.
#[inline]
fn slice<'a>(bytes: &'a [u8], unescaped: &'a [u8], span: TextSpan) -> &'a [u8] {
    let (start, len) = (span.start as usize, span.len as usize);
    if start < bytes.len() || len == 0 {
        &bytes[start.min(bytes.len())..][..len]
    } else {
        &unescaped[start - bytes.len()..][..len]
    }
}

#[inline]
fn push_value(batch: &mut EventBatch, projection: &Projection, index: usize, found: Found) -> Result<(), Refusal> {
    let wanted = &projection.values[index];
    // As most values are: a short number, of which nothing but that is wanted.
    if let Found::Number(span) | Found::Cell(span) = found
        && wanted.as_number
        && !wanted.as_value
        && let Some(number) = Number::parse_short(&batch.bytes, span.start as usize, span.len as usize)
    {
        batch.numbers[index].push(Some(number));
        return Ok(());
    }
    let is_null = match found {
        Found::Missing | Found::Null => true,
        Found::Cell(span) => span.len == 0,
        _ => false,
    };
    if wanted.as_number {
        let number = if is_null { None } else { Some(read_number(batch, found, &wanted.field.name)?) };
        batch.numbers[index].push(number);
    }
    if wanted.as_value {
        let value = if is_null { RawValue::Null } else { raw_value(batch, found, &wanted.field.name)? };
        batch.values[index].push(value);
    }
    Ok(())
}

#[inline]
fn read_number(batch: &EventBatch, found: Found, name: &str) -> Result<Number, Refusal> {
    let number = match found {
        Found::Number(span) | Found::Text(span) | Found::Cell(span) => Number::parse(batch.text(span)),
        Found::Escaped(span) => json::unescape(batch.text(span)).and_then(|text| Number::parse(text.as_bytes())),
        Found::Missing | Found::Null | Found::Bool(..) | Found::Container(_) => None,
    };
    number.ok_or_else(|| (Reason::Value, describe(batch, name, found, "is not a finite number")))
}

fn raw_value(batch: &EventBatch, found: Found, name: &str) -> Result<RawValue, Refusal> {
    Ok(match found {
        Found::Missing | Found::Null => RawValue::Null,
        Found::Bool(_, span) | Found::Number(span) | Found::Container(span) => RawValue::Json(span),
        // With the quotes around it.
        Found::Text(span) | Found::Escaped(span) => {
            RawValue::Json(TextSpan { start: span.start - 1, len: span.len + 2 })
        }
        Found::Cell(span) => {
            let cell = batch.text(span);
            if json::is_number(cell) {
                RawValue::Json(span)
            } else if std::str::from_utf8(cell).is_ok() {
                RawValue::Text(span)
            } else {
                return Err((Reason::Utf8, format!("\"{name}\" is not UTF-8")));
            }
        }
    })
}

/// `"ts" = "yesterday" is not a time`, and the like.
#[cold]
fn describe(batch: &EventBatch, name: &str, found: Found, fault: &str) -> String {
    let text = |span| excerpt(batch.text(span));
    match found {
        Found::Missing => format!("\"{name}\" is missing"),
        Found::Null => format!("\"{name}\" is null"),
        Found::Cell(span) if span.len == 0 => format!("\"{name}\" is empty"),
        Found::Bool(value, _) => format!("\"{name}\" = {value} {fault}"),
        Found::Container(_) => format!("\"{name}\" is an object or an array"),
        Found::Number(span) => format!("\"{name}\" = {} {fault}", text(span)),
        Found::Text(span) | Found::Escaped(span) | Found::Cell(span) => {
            format!("\"{name}\" = \"{}\" {fault}", text(span))
        }
    }
}

/// The beginning of a text, for messages.
pub fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST)]);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}
