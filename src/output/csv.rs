//! Rows as CSV or TSV (RFC 4180, with a bare newline). Null is an empty cell, the empty text is `""`.

use super::cells::{self, CellWriter};
use super::{Encoder, RowShape};
use crate::engine::pane::Pane;

/// Writes each pane as a row of cells.
pub struct Csv {
    shape: RowShape,
    delimiter: u8,
}

impl Csv {
    /// An encoder for rows of this shape, with this between cells.
    pub fn new(shape: RowShape, delimiter: u8) -> Csv {
        Csv { shape, delimiter }
    }
}

impl Encoder for Csv {
    fn header(&mut self, out: &mut Vec<u8>) {
        let mut row = Row { out, delimiter: self.delimiter, is_first: true };
        for name in cells::header(&self.shape) {
            row.text(name.as_bytes());
        }
        out.push(b'\n');
    }

    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        cells::row(&self.shape, pane, &mut Row { out, delimiter: self.delimiter, is_first: true });
        out.push(b'\n');
    }
}

struct Row<'a> {
    out: &'a mut Vec<u8>,
    delimiter: u8,
    is_first: bool,
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
        let needs_quotes = |byte: &u8| *byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if !text.is_empty() && !text.iter().any(needs_quotes) {
            self.out.extend_from_slice(text);
            return;
        }
        self.out.push(b'"');
        for byte in text {
            if *byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(*byte);
        }
        self.out.push(b'"');
    }
}
