//! The columns of a row as the names of expressions (`--having`, `--fail-if`), with typed values.

use super::text::json_string;
use super::{RowShape, cells};
use crate::aggregate::{Raw, Value as Outcome};
use crate::engine::pane::Pane;
use crate::event::key::{KeyPart, is_other, parts};
use crate::event::number::{Number, pow10, ratio_big, write_exact};
use crate::expr::{Lookup, Scope, Times, Type, Value, seconds, written};
use crate::time::Timestamp;
use std::borrow::Cow;

/// The names of a row's columns.
pub struct RowScope<'a> {
    shape: &'a RowShape,
}

impl<'a> RowScope<'a> {
    /// Those of rows of a shape.
    pub fn new(shape: &'a RowShape) -> RowScope<'a> {
        RowScope { shape }
    }
}

impl Scope for RowScope<'_> {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        let names = cells::header(self.shape);
        match names.iter().position(|known| *known == name) {
            Some(slot) => Ok((slot, self.shape.kind(slot))),
            None if name.starts_with("stats.") => {
                Err(format!("{name} is of the run as a whole, for --fail-if and --warn-if; rows have columns"))
            }
            None => {
                let near = crate::suggest::near(name, names.iter().copied());
                let known = if near.is_empty() { format!(" (rows have: {})", names.join(" ")) } else { String::new() };
                Err(format!("there is no column \"{name}\"{near}{known}"))
            }
        }
    }

    fn times(&self) -> Times {
        Times::usual(self.shape.zone.clone())
    }
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Window,
    Start,
    End,
    Key(usize),
    Aggregate(usize),
    Pane,
    Revision,
    Replaces,
    Seq,
    Partial,
    FirstTime,
    LastTime,
    Other,
    Filled,
}

impl RowShape {
    /// Names of the columns, by slot.
    pub fn names(&self) -> Vec<&str> {
        cells::header(self)
    }

    /// Whether a column says which of several panes a row is, rather than what it is about.
    pub fn is_about_pane(&self, slot: usize) -> bool {
        matches!(self.column(slot), Column::Pane | Column::Revision | Column::Replaces | Column::Seq | Column::Partial)
    }

    /// The columns of a table that rows make in the end: what says which row of a key and window it is has no place there. And
    /// whether each tells which row of the table it is.
    pub fn table_slots(&self) -> Vec<(usize, bool)> {
        let is_kept = |slot: &usize| !matches!(self.column(*slot), Column::Pane | Column::Revision | Column::Replaces);
        let tells = |column| {
            matches!(
                column,
                Column::Window | Column::Start | Column::End | Column::Key(_) | Column::Seq | Column::Other
            )
        };
        (0..self.names().len()).filter(is_kept).map(|slot| (slot, tells(self.column(slot)))).collect()
    }

    /// Whether a column depends on the order in which events of equal time arrive.
    pub fn heeds_arrival(&self, slot: usize) -> bool {
        matches!(self.column(slot), Column::Aggregate(place) if self.plan.heeds_arrival(&self.plan.columns[place]))
    }

    /// What stands in the column at a place of [`cells::header`].
    fn column(&self, slot: usize) -> Column {
        let mut rest = slot;
        let mut skip = |count: usize| {
            let place = rest;
            rest = rest.wrapping_sub(count);
            (place < count).then_some(place)
        };
        let is = |has: bool| usize::from(has);
        if skip(is(!self.windows.is_empty())).is_some() {
            return Column::Window;
        }
        if let Some(place) = skip(2 * is(self.has_bounds)) {
            return [Column::Start, Column::End][place];
        }
        if let Some(place) = skip(self.keys.len()) {
            return Column::Key(place);
        }
        if let Some(place) = skip(self.plan.columns.len()) {
            return Column::Aggregate(place);
        }
        if let Some(place) = skip(2) {
            return [Column::Pane, Column::Revision][place];
        }
        if skip(is(self.has_replaces)).is_some() {
            return Column::Replaces;
        }
        if let Some(place) = skip(4 * is(self.has_unbounded)) {
            return [Column::Seq, Column::Partial, Column::FirstTime, Column::LastTime][place];
        }
        if skip(is(self.has_other)).is_some() { Column::Other } else { Column::Filled }
    }

    fn kind(&self, slot: usize) -> Type {
        match self.column(slot) {
            Column::Window | Column::Pane => Type::Text,
            Column::Start | Column::End | Column::FirstTime | Column::LastTime if self.time_style.is_text() => {
                Type::Text
            }
            Column::Start | Column::End | Column::FirstTime | Column::LastTime => Type::Number,
            Column::Aggregate(place) if self.plan.is_number(&self.plan.columns[place]) => Type::Number,
            Column::Key(_) | Column::Aggregate(_) => Type::Any,
            Column::Revision | Column::Seq => Type::Number,
            Column::Replaces => Type::List,
            Column::Partial | Column::Other | Column::Filled => Type::Bool,
        }
    }
}

/// A row.
pub struct Row<'a> {
    /// Its columns.
    pub shape: &'a RowShape,
    /// What they say.
    pub pane: &'a Pane<'a>,
}

impl Row<'_> {
    fn time(&self, time: Timestamp) -> Value<'static> {
        let mut text = Vec::new();
        self.shape.time_style.write(&mut text, time);
        match self.shape.time_style.is_text() {
            true => Value::Text(Cow::Owned(String::from_utf8_lossy(&text).into_owned())),
            false => Number::parse(&text).map_or(Value::Null, Value::Number),
        }
    }

    fn replaces(&self) -> Value<'static> {
        if self.pane.replaces.is_empty() {
            return Value::Null;
        }
        let bounds = |window: &crate::window::Window| Value::List(vec![self.time(window.start), self.time(window.end)]);
        Value::List(self.pane.replaces.iter().map(bounds).collect())
    }
}

impl Lookup for Row<'_> {
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        let Row { shape, pane } = self;
        let has_bounds = pane.events.is_none();
        Ok(match shape.column(slot) {
            Column::Window => shape.windows.get(pane.spec).map_or(Value::Null, |window| Value::text(window)),
            Column::Start if has_bounds => self.time(pane.window.start),
            Column::End if has_bounds => self.time(pane.window.end),
            Column::FirstTime if !has_bounds => self.time(pane.window.start),
            Column::LastTime if !has_bounds => self.time(pane.window.end),
            Column::Start | Column::End | Column::FirstTime | Column::LastTime => Value::Null,
            Column::Key(place) => key_value(parts(pane.key).nth(place)),
            Column::Aggregate(place) => result_value(shape.value(&shape.plan.columns[place], pane)),
            Column::Pane => Value::text(pane.timing.as_str()),
            Column::Revision => Value::count(pane.revision.into()),
            Column::Replaces => self.replaces(),
            Column::Seq => pane.events.and_then(|events| events.seq).map_or(Value::Null, Value::count),
            Column::Partial => match pane.events {
                Some(events) if events.is_partial => Value::Bool(true),
                _ => Value::Null,
            },
            Column::Other if is_other(pane.key) => Value::Bool(true),
            Column::Filled if pane.filled.is_some() => Value::Bool(true),
            Column::Other | Column::Filled => Value::Null,
        })
    }
}

fn key_value(part: Option<KeyPart<'_>>) -> Value<'_> {
    match part {
        None | Some(KeyPart::Null) => Value::Null,
        Some(KeyPart::Bool(value)) => Value::Bool(value),
        Some(KeyPart::Number(number)) => Number::parse(number.as_bytes()).map_or(Value::Null, Value::Number),
        Some(KeyPart::Text(text)) => Value::Text(text),
    }
}

/// An aggregate's result.
fn result_value(result: Outcome<'_>) -> Value<'_> {
    match result {
        Outcome::Null => Value::Null,
        Outcome::Count(count) => Value::count(count),
        Outcome::Exact { mantissa, scale, pointed } => Value::Number(Number::of_exact(mantissa, scale, pointed)),
        Outcome::ExactBig { mantissa, scale, .. } => {
            Value::Number(Number::Float(ratio_big(&mantissa, &pow10(scale).into())))
        }
        Outcome::Float(float) => Value::Number(Number::Float(float)),
        Outcome::Raw(raw) => raw_value(raw),
        Outcome::List(values) => Value::List(values.into_iter().map(raw_value).collect()),
        Outcome::Tallies(tallies) => {
            let tally = |(raw, count)| {
                Value::Object(vec![("value".into(), raw_value(raw)), ("count".into(), Value::count(count))])
            };
            Value::List(tallies.into_iter().map(tally).collect())
        }
    }
}

fn raw_value(raw: Raw<'_>) -> Value<'_> {
    match raw {
        Raw::Json(json) => Value::of_json(json).unwrap_or(Value::Null),
        Raw::Text(text) => Value::Text(String::from_utf8_lossy(text)),
    }
}

/// Appends a value as JSON.
pub fn json_of(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Number(number) => match number.exact() {
            Some((mantissa, scale)) => write_exact(out, mantissa, scale, number.is_pointed()),
            // Writing to a Vec cannot fail.
            None => drop(serde_json::to_writer(out, &number.to_f64())),
        },
        Value::Time(time) => json_string(out, &written(*time)),
        Value::Duration(span) => json_of(out, &Value::Number(seconds(*span))),
        Value::Text(text) => json_string(out, text),
        Value::Cell(text) => json_string(out, text),
        Value::List(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_of(out, value);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_string(out, name);
                out.push(b':');
                json_of(out, value);
            }
            out.push(b'}');
        }
    }
}
