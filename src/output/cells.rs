//! Rows as cells: what formats with columns share.

use super::RowShape;
use super::ndjson::replaces;
use super::text::{integer, json_value, number};
use crate::aggregate::{Raw, Value};
use crate::engine::pane::{Events, Pane};
use crate::event::key::{KeyPart, is_other, parts};
use crate::time::Timestamp;

/// Takes the cells of a row, one after the other.
pub trait CellWriter {
    /// Nothing.
    fn null(&mut self);

    /// A number, a moment or a word that needs no care; `write` appends it.
    fn plain(&mut self, is_number: bool, write: impl FnOnce(&mut Vec<u8>));

    /// Any text.
    fn text(&mut self, text: &[u8]);
}

/// The names of the columns, which follow from the flags alone.
pub fn header(shape: &RowShape) -> Vec<&str> {
    let mut names = if shape.windows.is_empty() { vec![] } else { vec!["window"] };
    if shape.has_bounds {
        names.extend(["window_start", "window_end"]);
    }
    names.extend(shape.keys.iter().map(String::as_str));
    names.extend(shape.plan.columns.iter().map(|column| column.name.as_str()));
    names.extend(["pane", "revision"]);
    if shape.has_replaces {
        names.push("replaces");
    }
    if shape.has_unbounded {
        names.extend(["seq", "partial", "first_time", "last_time"]);
    }
    if shape.has_other {
        names.push("other");
    }
    if shape.has_filled {
        names.push("filled");
    }
    names
}

/// The place of `pane` among the columns.
pub fn pane_column(shape: &RowShape) -> usize {
    2 + shape.keys.len() + shape.plan.columns.len()
}

/// Writes the cells of a pane, as many as the header has names.
pub fn row(shape: &RowShape, pane: &Pane<'_>, cells: &mut impl CellWriter) {
    window(shape, pane, cells);
    of_key(shape, pane, cells);
}

/// Writes those of its window, which come first.
pub fn window(shape: &RowShape, pane: &Pane<'_>, cells: &mut impl CellWriter) {
    if let Some(window) = shape.windows.get(pane.spec) {
        cells.text(window.as_bytes());
    }
    if shape.has_bounds {
        times(shape, pane.events.is_none().then_some(bounds(pane)), cells);
    }
}

fn bounds(pane: &Pane<'_>) -> [Timestamp; 2] {
    [pane.window.start, pane.window.end]
}

/// Writes all the others.
#[inline]
pub fn of_key(shape: &RowShape, pane: &Pane<'_>, cells: &mut impl CellWriter) {
    for part in parts(pane.key) {
        match part {
            KeyPart::Null => cells.null(),
            KeyPart::Bool(value) => {
                cells.plain(false, |out| out.extend_from_slice(if value { b"true" } else { b"false" }))
            }
            KeyPart::Number(number) => cells.plain(true, |out| out.extend_from_slice(number.as_bytes())),
            KeyPart::Text(text) => cells.text(text.as_bytes()),
        }
    }
    for column in &shape.plan.columns {
        value(&shape.value(column, pane), cells);
    }
    cells.plain(false, |out| out.extend_from_slice(pane.timing.as_str().as_bytes()));
    cells.plain(true, |out| integer(out, pane.revision.into()));
    if shape.has_replaces {
        if pane.replaces.is_empty() {
            cells.null();
        } else {
            let mut list = Vec::new();
            replaces(&mut list, shape, pane.replaces);
            cells.text(&list);
        }
    }
    if shape.has_unbounded {
        match pane.events.and_then(|events| events.seq) {
            Some(seq) => cells.plain(true, |out| integer(out, seq)),
            None => cells.null(),
        }
        match pane.events {
            Some(Events { is_partial: true, .. }) => cells.plain(false, |out| out.extend_from_slice(b"true")),
            _ => cells.null(),
        }
        times(shape, pane.events.map(|_| bounds(pane)), cells);
    }
    let marks = [(shape.has_other, is_other(pane.key)), (shape.has_filled, pane.filled.is_some())];
    for (_, is_marked) in marks.into_iter().filter(|(has_column, _)| *has_column) {
        match is_marked {
            true => cells.plain(false, |out| out.extend_from_slice(b"true")),
            false => cells.null(),
        }
    }
}

fn times(shape: &RowShape, times: Option<[Timestamp; 2]>, cells: &mut impl CellWriter) {
    let is_number = !shape.time_style.is_text();
    match times {
        Some(times) => times.map(|time| cells.plain(is_number, |out| shape.time_style.write(out, time))),
        None => [(); 2].map(|()| cells.null()),
    };
}

/// An aggregate's result: a JSON string as its text, lists and objects as compact JSON.
#[inline]
fn value(value: &Value<'_>, cells: &mut impl CellWriter) {
    match value {
        Value::Null => cells.null(),
        Value::Raw(Raw::Text(text)) => cells.text(text),
        Value::Raw(Raw::Json(json)) => match serde_json::from_slice::<String>(json) {
            Ok(text) => cells.text(text.as_bytes()),
            Err(_) if crate::event::number::Number::parse(json).is_some() => {
                cells.plain(true, |out| out.extend_from_slice(json));
            }
            Err(_) => cells.text(json),
        },
        Value::List(_) | Value::Tallies(_) => {
            let mut list = Vec::new();
            json_value(&mut list, value);
            cells.text(&list);
        }
        value => cells.plain(true, |out| {
            number(out, value);
        }),
    }
}
