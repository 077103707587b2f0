//! Rows as NDJSON.

use super::text::{integer, json_key_part, json_string, json_time, json_value};
use super::{Encoder, RowShape};
use crate::engine::pane::{Events, Pane};
use crate::event::key::{is_other, parts};
use crate::window::Window;

/// Writes each pane as a JSON object.
pub struct Ndjson {
    shape: RowShape,
    /// `,"name":` of each key and of each aggregate.
    key_names: Vec<Vec<u8>>,
    column_names: Vec<Vec<u8>>,
    /// The window written last and its text: rows that fire together share it.
    window: Option<(usize, Window, Vec<u8>)>,
}

impl Ndjson {
    /// An encoder for rows of this shape.
    pub fn new(shape: RowShape) -> Ndjson {
        let member = |name: &str| {
            let mut text = vec![b','];
            json_string(&mut text, name);
            text.push(b':');
            text
        };
        Ndjson {
            key_names: shape.keys.iter().map(|name| member(name)).collect(),
            column_names: shape.plan.columns.iter().map(|column| member(&column.name)).collect(),
            window: None,
            shape,
        }
    }

    fn window_text(&mut self, spec: usize, window: Window, has_bounds: bool) -> &[u8] {
        let (start, end) = match has_bounds {
            true => ("\"window_start\":", ",\"window_end\":"),
            false => ("\"first_time\":", ",\"last_time\":"),
        };
        if self.window.as_ref().is_none_or(|(of, last, _)| *last != window || *of != spec) {
            let mut text = vec![b'{'];
            if let Some(window) = self.shape.windows.get(spec) {
                text.extend_from_slice(b"\"window\":");
                json_string(&mut text, window);
                text.push(b',');
            }
            text.extend_from_slice(start.as_bytes());
            json_time(&mut text, &self.shape.time_style, window.start);
            text.extend_from_slice(end.as_bytes());
            json_time(&mut text, &self.shape.time_style, window.end);
            self.window = Some((spec, window, text));
        }
        self.window.as_ref().map_or(&[], |(.., text)| text)
    }
}

impl Encoder for Ndjson {
    fn header(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.window_text(pane.spec, pane.window, pane.events.is_none()));
        for (name, part) in self.key_names.iter().zip(parts(pane.key)) {
            out.extend_from_slice(name);
            json_key_part(out, &part);
        }
        for (name, column) in self.column_names.iter().zip(&self.shape.plan.columns) {
            out.extend_from_slice(name);
            json_value(out, &self.shape.value(column, pane));
        }
        out.extend_from_slice(b",\"pane\":\"");
        out.extend_from_slice(pane.timing.as_str().as_bytes());
        out.extend_from_slice(b"\",\"revision\":");
        integer(out, pane.revision.into());
        if !pane.replaces.is_empty() {
            out.extend_from_slice(b",\"replaces\":");
            replaces(out, &self.shape, pane.replaces);
        }
        if let Some(Events { seq, is_partial }) = pane.events {
            if let Some(seq) = seq {
                out.extend_from_slice(b",\"seq\":");
                integer(out, seq);
            }
            out.extend_from_slice(if is_partial { b",\"partial\":true" } else { b"" });
        }
        if is_other(pane.key) {
            out.extend_from_slice(b",\"other\":true");
        }
        if pane.filled.is_some() {
            out.extend_from_slice(b",\"filled\":true");
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Appends the bounds of replaced windows as JSON.
pub fn replaces(out: &mut Vec<u8>, shape: &RowShape, windows: &[Window]) {
    out.push(b'[');
    for (index, window) in windows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'[');
        json_time(out, &shape.time_style, window.start);
        out.push(b',');
        json_time(out, &shape.time_style, window.end);
        out.push(b']');
    }
    out.push(b']');
}
