//! Blocks whose cells were all found in one pass ([`Grid`]): of a row only the cells that are wanted are looked at.

use super::{Cell, Csv, QUOTE, Row, span};
use crate::event::EventBatch;
use crate::input::Layout;
use crate::input::grid::Grid;
use crate::input::record::{Found, push_event};
use crate::time::parse::TimeCache;

impl Csv {
    /// Finds the cells of a block; false if its rows are to be taken apart one by one.
    pub(super) fn find_all(&self, layout: &Layout, bytes: &[u8], grid: &mut Grid) -> bool {
        // No row is too long, none of as many cells as the header is blank, and none that could be an event is a header.
        let is_simple = layout.malformed.is_empty()
            && bytes.len() <= self.max_line
            && self.header.len() > 1
            && !self.reads_as_event
            && !matches!(self.delimiter, b' ' | b'\r');
        is_simple && grid.find(bytes, self.delimiter)
    }

    /// Decodes a block whose cells have been found.
    pub(super) fn decode_all(&self, layout: &Layout, batch: &mut EventBatch, grid: &Grid) {
        let mut row = Row { cells: Vec::with_capacity(self.header.len()), inner_lines: 0 };
        let mut fields = vec![Found::Missing; self.columns.len()];
        let mut times = TimeCache::default();
        let mut start = 0;
        for index in 0..grid.rows() {
            let ends = grid.cells(index);
            let next = ends.last().map_or(start, |end| *end as usize + 1);
            let is_whole = ends.len() == self.header.len() && layout.header != Some(start);
            if !is_whole || !self.take_wanted(batch, ends, start, &mut fields, &mut times) {
                self.split(&batch.bytes, start, &mut row);
                self.take(layout, batch, &row, start..next, &mut fields, &mut times);
            }
            start = next;
        }
        if start < batch.bytes.len() {
            let end = batch.bytes.len();
            self.split(&batch.bytes, start, &mut row);
            self.take(layout, batch, &row, start..end, &mut fields, &mut times);
        }
    }

    /// Takes a row of as many cells as the header has, which end there. False, and nothing done, if it is no event.
    #[inline]
    fn take_wanted(
        &self,
        batch: &mut EventBatch,
        ends: &[u32],
        start: usize,
        fields: &mut [Found],
        times: &mut TimeCache,
    ) -> bool {
        for (field, column) in fields.iter_mut().zip(&self.columns) {
            let from = column.checked_sub(1).map_or(start, |before| ends[before] as usize + 1);
            let cell = cell(&batch.bytes, from, ends[*column] as usize, *column + 1 == ends.len());
            *field = Found::Cell(cell.text(batch));
        }
        let record = self.record(batch, start, ends[ends.len() - 1] as usize + 1);
        let is_taken = push_event(batch, &self.projection, fields, record, times).is_ok();
        batch.lines += u32::from(is_taken);
        is_taken
    }
}

/// The cell between two places; the last one of its row may be followed by a carriage return.
#[inline]
fn cell(bytes: &[u8], from: usize, to: usize, is_last: bool) -> Cell {
    let to = to - usize::from(is_last && from < to && bytes[to - 1] == b'\r');
    if from < to && bytes[from] == QUOTE {
        let text = &bytes[from + 1..to - 1];
        let is_doubled = memchr::memchr(QUOTE, text).is_some();
        return Cell { span: span(from + 1, text.len()), is_quoted: true, is_doubled };
    }
    Cell { span: span(from, to - from), is_quoted: false, is_doubled: false }
}

#[cfg(test)]
mod tests {
    use crate::event::projection::{Field, Projection, ValueField};
    use crate::event::{EventBatch, RawValue};
    use crate::input::csv::{Columns, Separated};
    use crate::input::{Decode, Format, Layout, Reading, Tools};
    use std::ops::Range;
    use std::sync::Arc;

    /// Fields of rows with a time, a key, some value and another column.
    fn decoder() -> Arc<dyn Decode> {
        let field = |name| Field::parse(name).expect("a name");
        let projection = Projection {
            keys: vec![field("k")],
            values: vec![ValueField { field: field("v"), as_number: false, as_value: true }],
            ..Projection::of_times(field("t"))
        };
        let names = ["t", "v", "x", "k"].map(str::to_owned);
        let format = Separated { delimiter: b',', columns: Columns::FromHeader };
        let reading = Reading { projection: projection.into(), names: &names, source: "-", max_line: 1 << 20 };
        format.decoder(reading).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn blocks_are_decoded_the_same_at_once_and_row_by_row() {
        let mut state = 7u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let cells: [&str; 16] = [
            "",
            "a",
            "1.5",
            "17",
            "\"in quotes\"",
            "\"\"",
            "\"a,b\"",
            "\"a \"\"b\"\"\"",
            "\"\"\"\"",
            "\"two\nlines\"",
            "a\"b",
            "\r",
            "a\rb",
            "é",
            "a cell that is longer than any number of bytes that are looked at together, so that it is in two of them",
            "\"the same, in quotes, and with a comma, so that it is longer than 64 bytes and stands in two of them\"",
        ];
        let decoder = decoder();
        let mut told = 0;
        for round in 0..20_000 {
            let mut block = String::new();
            let has_header = random(8) == 0;
            if has_header {
                block += "t,v,x,k\n";
            }
            for _ in 0..random(12) {
                let mut row = vec![["100", "\"2026-01-01T00:00:00Z\"", "x"][random(3)]];
                let more = if random(20) == 0 { random(5) } else { 3 };
                for _ in 0..more {
                    let kinds = if random(6) == 0 { cells.len() } else { 9 };
                    row.push(cells[random(kinds)]);
                }
                block += &row.join(",");
                let kinds = if random(5) == 0 { 6 } else { 2 };
                block += ["\n", "\n", "\r\n", "\n\n", "\n  \n", "\nt,v,x,k\n"][random(kinds)];
            }
            let block = &block.as_bytes()[..block.len() - random(3).min(block.len())];
            let decoded = |malformed: Option<Range<usize>>, tools: &mut Tools| {
                let malformed = malformed.into_iter().collect();
                let layout = Layout { header: has_header.then_some(0), malformed };
                let mut batch = EventBatch::new(1, 3);
                batch.bytes = block.to_vec();
                decoder.decode(&layout, &mut batch, tools);
                let keys = (0..batch.times.len()).map(|index| batch.keys.get(index).0.to_vec()).collect::<Vec<_>>();
                let values = batch.values[0].iter().map(|value| match value {
                    RawValue::Null => b"nothing".to_vec(),
                    RawValue::Json(span) | RawValue::Text(span) => batch.text(*span).to_vec(),
                });
                let values: Vec<_> = values.collect();
                (keys, values, format!("{:?}", batch.asides), batch.times, batch.records, batch.lines)
            };
            let mut tools = Tools::default();
            let at_once = decoded(None, &mut tools);
            told += usize::from(tools.grid.rows() > 0);
            // As where quoting is malformed behind the block's end.
            let one_by_one = decoded(Some(block.len() + 1..block.len() + 2), &mut Tools::default());
            assert_eq!(at_once, one_by_one, "round {round}: {:?}", String::from_utf8_lossy(block));
        }
        assert!(told > 5_000, "{told}");
    }
}
