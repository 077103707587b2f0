//! Rows as CSV or TSV (RFC 4180, with a bare newline). Null is an empty cell, the empty text is `""`.

use super::cells::{self, CellWriter};
use super::text::for_people;
use super::{Encoder, RowShape, TextCare};
use crate::engine::pane::Pane;
use crate::window::Window;
use std::borrow::Cow;

/// Writes each pane as a row of cells.
pub struct Csv {
    shape: RowShape,
    delimiter: u8,
    /// The window written last and its cells: rows that fire together share them.
    window: Option<(usize, Window, Vec<u8>)>,
}

impl Csv {
    /// An encoder for rows of this shape, with this between cells.
    pub fn new(shape: RowShape, delimiter: u8) -> Csv {
        Csv { shape, delimiter, window: None }
    }

    /// The cells of a pane's window.
    fn window_cells(&mut self, pane: &Pane<'_>) -> &[u8] {
        if self.window.as_ref().is_none_or(|(of, last, _)| *last != pane.window || *of != pane.spec) {
            let mut text = Vec::new();
            cells::window(&self.shape, pane, &mut self.begin(&mut text));
            self.window = Some((pane.spec, pane.window, text));
        }
        self.window.as_ref().map_or(&[], |(.., text)| text)
    }

    fn begin<'a>(&self, out: &'a mut Vec<u8>) -> Row<'a> {
        Row { out, delimiter: self.delimiter, care: self.shape.text_care, is_first: true }
    }
}

impl Encoder for Csv {
    fn header(&mut self, out: &mut Vec<u8>) {
        let mut row = self.begin(out);
        for name in cells::header(&self.shape) {
            row.text(name.as_bytes());
        }
        out.push(b'\n');
    }

    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        // Without bounds a window may have any cells.
        if pane.events.is_some() {
            cells::row(&self.shape, pane, &mut self.begin(out));
        } else {
            let before = self.window_cells(pane);
            out.extend_from_slice(before);
            let is_first = before.is_empty();
            cells::of_key(&self.shape, pane, &mut Row { is_first, ..self.begin(out) });
        }
        out.push(b'\n');
    }
}

struct Row<'a> {
    out: &'a mut Vec<u8>,
    delimiter: u8,
    care: TextCare,
    is_first: bool,
}

/// Whether a spreadsheet might take a text for a formula, now or once one apostrophe is taken away from it.
/// (OWASP, "CSV Injection"; CWE-1236.)
fn is_formula(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| **byte != b'\'');
    matches!(first, Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'))
}

/// As [`for_people`], for what need not be UTF-8.
#[cold]
fn harmless(text: &[u8]) -> Cow<'_, [u8]> {
    for_people(&String::from_utf8_lossy(text)).into_bytes().into()
}

impl CellWriter for Row<'_> {
    #[inline]
    fn null(&mut self) {
        if !self.is_first {
            self.out.push(self.delimiter);
        }
        self.is_first = false;
    }

    #[inline]
    fn plain(&mut self, _is_number: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.null();
        write(self.out);
    }

    /// In quotes where it needs them.
    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.null();
        let text = if self.care.for_terminal { harmless(text) } else { text.into() };
        let prefix: &[u8] = if self.care.for_spreadsheets && is_formula(&text) { b"'" } else { b"" };
        let needs_quotes = |byte: &u8| (*byte == self.delimiter) | matches!(byte, b'"' | b'\n' | b'\r');
        // All of it: as each byte is looked at in any case, many are at once.
        if !text.is_empty() && !text.iter().fold(false, |any, byte| any | needs_quotes(byte)) {
            self.out.extend_from_slice(prefix);
            self.out.extend_from_slice(&text);
            return;
        }
        self.out.push(b'"');
        self.out.extend_from_slice(prefix);
        for byte in text.iter() {
            if *byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(*byte);
        }
        self.out.push(b'"');
    }
}
