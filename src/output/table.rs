//! Rows as a table for people. It streams: widths come from the header and the rows of the first
//! window, which come together however the input pauses (T9). A cell that is wider later moves its row,
//! not the table.

use super::cells::{self, CellWriter};
use super::paint::{CORRECTION, HEADER, Paint};
use super::text::for_people;
use super::{Encoder, RowShape};
use crate::engine::pane::{Pane, Timing};
use crate::window::Window;
use anstyle::Style;

/// Rows that are looked at for widths, at the most.
const SAMPLE: usize = 100;
/// Widest column, in characters; a text of a megabyte in the first row does not blow up all others.
const WIDEST: usize = 100;
/// Between columns.
const GAP: &str = "  ";

/// Writes each pane as a line of aligned cells.
pub struct Table {
    shape: RowShape,
    paint: Paint,
    /// Rows that wait until the widths are settled, all of this window.
    waiting: Vec<Vec<Cell>>,
    first: Option<Window>,
    /// Widths in characters, once they are settled.
    widths: Option<Vec<usize>>,
}

struct Cell {
    text: String,
    is_number: bool,
    style: Style,
}

impl Cell {
    fn new(text: String, is_number: bool) -> Cell {
        Cell { text, is_number, style: Style::new() }
    }
}

impl Table {
    /// An encoder for rows of this shape; colour marks the header and late panes.
    pub fn new(shape: RowShape, paint: Paint) -> Table {
        Table { shape, paint, waiting: Vec::new(), first: None, widths: None }
    }

    /// Settles the widths and writes what waited.
    fn settle(&mut self, out: &mut Vec<u8>) {
        let names: Vec<String> = cells::header(&self.shape).into_iter().map(for_people).collect();
        let width = |column: usize| {
            let in_rows = self.waiting.iter().map(|row| row[column].text.chars().count());
            in_rows.chain([names[column].chars().count()]).max().unwrap_or(0).min(WIDEST)
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        // A name stands where the cells under it do.
        let header = names.into_iter().enumerate().map(|(column, text)| Cell {
            text,
            is_number: self.waiting.iter().any(|row| row[column].is_number),
            style: HEADER,
        });
        line(&header.collect::<Vec<_>>(), &widths, self.paint, out);
        for row in self.waiting.drain(..) {
            line(&row, &widths, self.paint, out);
        }
        self.widths = Some(widths);
    }
}

fn line(cells: &[Cell], widths: &[usize], paint: Paint, out: &mut Vec<u8>) {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        if !text.is_empty() {
            text += GAP;
        }
        let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        let shown = paint.mark(cell.style, &cell.text);
        text += &if cell.is_number { padding + &shown } else { shown + &padding };
    }
    out.extend_from_slice(text.trim_end().as_bytes());
    out.push(b'\n');
}

impl Encoder for Table {
    fn header(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) {
        let mut row = Row(Vec::new());
        cells::row(&self.shape, pane, &mut row);
        if pane.timing == Timing::Late {
            let column = cells::pane_column(&self.shape);
            row.0[column].style = CORRECTION;
        }
        let first = *self.first.get_or_insert(pane.window);
        if !self.waiting.is_empty() && (pane.window != first || pane.timing == Timing::Late) {
            self.settle(out);
        }
        match &self.widths {
            Some(widths) => line(&row.0, widths, self.paint, out),
            None => {
                self.waiting.push(row.0);
                if self.waiting.len() == SAMPLE {
                    self.settle(out);
                }
            }
        }
    }

    fn pause(&mut self, out: &mut Vec<u8>) {
        if !self.waiting.is_empty() {
            self.settle(out);
        }
    }
}

struct Row(Vec<Cell>);

impl CellWriter for Row {
    fn null(&mut self) {
        self.0.push(Cell::new(String::new(), false));
    }

    fn plain(&mut self, is_number: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let mut text = Vec::new();
        write(&mut text);
        self.0.push(Cell::new(String::from_utf8_lossy(&text).into_owned(), is_number));
    }

    fn text(&mut self, text: &[u8]) {
        let text = for_people(&String::from_utf8_lossy(text));
        self.0.push(Cell::new(text, false));
    }
}
