//! Rows as CSV (RFC 4180, with a bare newline). Null is an empty cell, the empty text is `""`.

use super::{Encoder, RowShape, ndjson::replaces, text::json_value, text::number};
use crate::aggregate::{Raw, Value};
use crate::engine::pane::Pane;
use crate::event::key::{KeyPart, parts};
use std::io::Write;

/// Writes each pane as a row of cells.
pub struct Csv {
    shape: RowShape,
}

impl Csv {
    /// An encoder for rows of this shape.
    pub fn new(shape: RowShape) -> Csv {
        Csv { shape }
    }
}

impl Encoder for Csv {
    fn header(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"window_start,window_end");
        let keys = self.shape.keys.iter();
        for name in keys.chain(self.shape.plan.columns.iter().map(|column| &column.name)) {
            out.push(b',');
            cell(out, name.as_bytes());
        }
        out.extend_from_slice(b",pane,revision");
        if self.shape.has_replaces {
            out.extend_from_slice(b",replaces");
        }
        out.push(b'\n');
    }

    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        self.shape.time_style.write(out, pane.window.start);
        out.push(b',');
        self.shape.time_style.write(out, pane.window.end);
        for part in parts(pane.key) {
            out.push(b',');
            match part {
                KeyPart::Null => {}
                KeyPart::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
                KeyPart::Number(number) => out.extend_from_slice(number.as_bytes()),
                KeyPart::Text(text) => cell(out, text.as_bytes()),
            }
        }
        let plan = &self.shape.plan;
        for column in &plan.columns {
            out.push(b',');
            match plan.value(column, pane.row) {
                Value::Raw(Raw::Text(text)) => cell(out, text),
                Value::Raw(Raw::Json(json)) => json_cell(out, json),
                value @ (Value::List(_) | Value::Tallies(_)) => {
                    let mut list = Vec::new();
                    json_value(&mut list, &value);
                    cell(out, &list);
                }
                value => {
                    number(out, &value);
                }
            }
        }
        // Writing to a Vec cannot fail.
        let _ = write!(out, ",{},{}", pane.timing.as_str(), pane.revision);
        if self.shape.has_replaces {
            out.push(b',');
            if !pane.replaces.is_empty() {
                let mut list = Vec::new();
                replaces(&mut list, &self.shape, pane.replaces);
                cell(out, &list);
            }
        }
        out.push(b'\n');
    }
}

/// A JSON value in a cell: a string as its text, anything else as JSON.
fn json_cell(out: &mut Vec<u8>, json: &[u8]) {
    match serde_json::from_slice::<String>(json) {
        Ok(text) => cell(out, text.as_bytes()),
        Err(_) => cell(out, json),
    }
}

/// A text in a cell, in quotes where it needs them.
#[inline]
fn cell(out: &mut Vec<u8>, text: &[u8]) {
    let needs_quotes = text.is_empty() || text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
    if !needs_quotes {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
