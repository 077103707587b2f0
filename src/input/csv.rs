//! CSV as RFC 4180 has it: a header, cells in quotes with doubled quotes and newlines inside.

mod whole;

use super::cut::{CsvRows, Cutter};
use super::marks::Wanted;
use super::record::{Found, push_event};
use super::{Decode, FirstRecord, Format, Layout, Reading, Tools, columns, push_bad, too_long};
use crate::error::{Error, counted};
use crate::event::projection::Projection;
use crate::event::{Aside, EventBatch, Reason, RecordSpan, TextSpan};
use crate::time::parse::TimeCache;
use std::ops::Range;
use std::sync::Arc;

const QUOTE: u8 = b'"';

/// The format: a delimiter, and where the names of columns come from.
#[derive(Clone, Debug)]
pub struct Separated {
    /// Between cells.
    pub delimiter: u8,
    /// What columns are called.
    pub columns: Columns,
}

/// What columns are called.
#[derive(Clone, Debug)]
pub enum Columns {
    /// As the first row says.
    FromHeader,
    /// 1, 2, 3, …: there is no header.
    Numbered,
    /// So: there is no header.
    Named(Vec<String>),
}

impl Format for Separated {
    fn cutter(&self, max_line: usize) -> Box<dyn Cutter> {
        Box::new(CsvRows::new(self.delimiter, max_line))
    }

    fn first_record(&self, bytes: &[u8], layout: &Layout, max_line: usize) -> Option<FirstRecord> {
        let start = find_row(bytes, layout, max_line)?;
        let (names, is_header) = match &self.columns {
            Columns::FromHeader => (read_header(&bytes[start..], self.delimiter), true),
            Columns::Named(names) => (names.clone(), false),
            Columns::Numbered => {
                let count = read_header(&bytes[start..], self.delimiter).len();
                ((1..=count).map(|number| number.to_string()).collect(), false)
            }
        };
        Some(FirstRecord { start, names, is_header })
    }

    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error> {
        Ok(Arc::new(Csv::new(input, self)?))
    }

    fn name(&self) -> String {
        match self.delimiter {
            b',' => "csv".into(),
            b'\t' => "tsv".into(),
            other => format!("csv with '{}' between cells", char::from(other)),
        }
    }

    fn fields_vary(&self) -> bool {
        false
    }
}

/// Where the first row begins that is not blank, not too long, and whose quoting is well-formed.
fn find_row(bytes: &[u8], layout: &Layout, max_line: usize) -> Option<usize> {
    let mut start = 0;
    let mut malformed = layout.malformed.iter().peekable();
    while start < bytes.len() {
        if let Some(bad) = malformed.next_if(|bad| bad.start <= start) {
            start = bad.end;
            continue;
        }
        let line = bytes[start..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.len() <= max_line && line.iter().any(|byte| !matches!(byte, b' ' | b'\r')) {
            return Some(start);
        }
        start += line.len() + 1;
    }
    None
}

/// Decodes blocks of whole rows of one input.
struct Csv {
    projection: Arc<Projection>,
    delimiter: u8,
    header: Vec<String>,
    /// Whether a row equal to the header is one.
    skips_header: bool,
    /// Per field, its column.
    columns: Vec<usize>,
    /// Whether the header could be taken for an event: its time column is named like a time.
    reads_as_event: bool,
    max_line: usize,
}

/// A cell of the row at hand.
#[derive(Clone, Copy)]
struct Cell {
    /// Without its quotes.
    span: TextSpan,
    /// Whether it had quotes.
    is_quoted: bool,
    /// Whether it has doubled quotes.
    is_doubled: bool,
}

/// The row at hand.
#[derive(Default)]
struct Row {
    cells: Vec<Cell>,
    /// Newlines in its cells.
    inner_lines: u32,
}

/// Reads the header row that the bytes begin with.
fn read_header(bytes: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        // A lone CR is text, as it is in the rows.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    if !matches!(reader.read_byte_record(&mut record), Ok(true)) {
        return Vec::new();
    }
    let mut names: Vec<_> = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    if let Some(last) = names.last_mut()
        && last.ends_with('\r')
    {
        last.pop();
    }
    names
}

impl Csv {
    /// A decoder for rows with these columns, or the field that they lack, with the near miss (T10).
    fn new(input: Reading<'_>, format: &Separated) -> Result<Csv, Error> {
        let columns = columns(&input)?;
        let Reading { projection, names, max_line, .. } = input;
        let header = names.to_vec();
        let time_name = columns.first().and_then(|column| header.get(*column)).map_or("", String::as_str);
        let reads_as_event = projection.time_is_arrival
            || projection.time_rules.parse_text(time_name.as_bytes(), &mut TimeCache::default()).is_ok();
        let skips_header = !header.is_empty() && !matches!(format.columns, Columns::Numbered);
        Ok(Csv { projection, delimiter: format.delimiter, header, skips_header, columns, reads_as_event, max_line })
    }

    /// Finds the cells of the row at `start`; says where the next one begins. `None` for quoting
    /// that RFC 4180 does not know, which the cutter keeps out of blocks.
    #[inline]
    fn split(&self, bytes: &[u8], start: usize, row: &mut Row) -> Option<usize> {
        let Row { cells, inner_lines } = row;
        cells.clear();
        *inner_lines = 0;
        let mut at = start;
        loop {
            let (cell, end) = if bytes.get(at) == Some(&QUOTE) && at - start <= self.max_line {
                let (length, is_doubled) = quoted_length(&bytes[at + 1..])?;
                *inner_lines += memchr::memchr_iter(b'\n', &bytes[at + 1..][..length]).count() as u32;
                (Cell { span: span(at + 1, length), is_quoted: true, is_doubled }, at + length + 2)
            } else {
                let rest = &bytes[at..];
                let length = memchr::memchr2(self.delimiter, b'\n', rest).unwrap_or(rest.len());
                let is_last = rest.get(length) != Some(&self.delimiter);
                let is_cr = is_last && rest[..length].last() == Some(&b'\r');
                (Cell { span: span(at, length - usize::from(is_cr)), is_quoted: false, is_doubled: false }, at + length)
            };
            cells.push(cell);
            match &bytes[end..] {
                [byte, ..] if *byte == self.delimiter => at = end + 1,
                [b'\n', ..] => return Some(end + 1),
                [b'\r', b'\n', ..] => return Some(end + 2),
                [] | [b'\r'] => return Some(bytes.len()),
                _ => return None,
            }
        }
    }

    /// As [`Csv::split`], for a row that ends in a newline, with the delimiters, newlines and quotes of the block
    /// at hand. `next_mark` is the first that does not lie before the row, and is moved behind it. `None` where
    /// that does not tell, and for a row that is too long.
    #[inline]
    fn split_marked(
        &self,
        bytes: &[u8],
        marks: &[u32],
        next_mark: &mut usize,
        start: usize,
        row: &mut Row,
    ) -> Option<usize> {
        row.cells.clear();
        row.inner_lines = 0;
        let mut at = start;
        let mut marks = marks.get(*next_mark..)?.iter();
        let mut mark = || marks.next().map(|mark| *mark as usize);
        let mut taken = 0;
        loop {
            let mut place = mark()?;
            taken += 1;
            let mut cell = Cell { span: span(at, place - at), is_quoted: false, is_doubled: false };
            if bytes[place] == QUOTE {
                if place == at {
                    let mut is_doubled = false;
                    loop {
                        place = mark()?;
                        taken += 1;
                        if bytes[place] == b'\n' {
                            row.inner_lines += 1;
                        } else if bytes[place] == QUOTE {
                            if bytes.get(place + 1) != Some(&QUOTE) {
                                break;
                            }
                            is_doubled = true;
                            mark()?;
                            taken += 1;
                        }
                    }
                    cell = Cell { span: span(at + 1, place - at - 1), is_quoted: true, is_doubled };
                    let after = mark()?;
                    taken += 1;
                    let is_next = after == place + 1 || bytes[place + 1] == b'\r' && after == place + 2;
                    if !is_next || bytes[after] == QUOTE || after == place + 2 && bytes[after] != b'\n' {
                        return None;
                    }
                    place = after;
                } else {
                    // Quotes in the middle of a cell are text.
                    while bytes[place] == QUOTE {
                        place = mark()?;
                        taken += 1;
                    }
                    cell.span = span(at, place - at);
                }
            }
            at = place + 1;
            if bytes[place] == b'\n' {
                if !cell.is_quoted && bytes[..place].last() == Some(&b'\r') && cell.span.len > 0 {
                    cell.span.len -= 1;
                }
                row.cells.push(cell);
                *next_mark += taken;
                return (at - start <= self.max_line).then_some(at);
            }
            row.cells.push(cell);
        }
    }

    fn is_header(&self, batch: &EventBatch, cells: &[Cell]) -> bool {
        let same = |(cell, name): (&Cell, &String)| match (cell.is_doubled, batch.text(cell.span)) {
            (false, text) => text == name.as_bytes(),
            (true, text) => undouble(text).eq(name.bytes()),
        };
        self.skips_header && cells.len() == self.header.len() && cells.iter().zip(&self.header).all(same)
    }

    /// Looks up the fields in the cells; doubled quotes are undone in the batch's side buffer.
    #[inline]
    fn look_up(&self, batch: &mut EventBatch, cells: &[Cell], fields: &mut [Found]) {
        for (field, column) in fields.iter_mut().zip(&self.columns) {
            *field = Found::Cell(cells[*column].text(batch));
        }
    }
}

impl Cell {
    /// Its text, with doubled quotes undone.
    #[inline]
    fn text(&self, batch: &mut EventBatch) -> TextSpan {
        let Cell { span: text, is_doubled, .. } = *self;
        if !is_doubled {
            return text;
        }
        let start = batch.bytes.len() + batch.unescaped.len();
        batch.unescaped.extend(undouble(&batch.bytes[text.start as usize..][..text.len as usize]));
        span(start, batch.bytes.len() + batch.unescaped.len() - start)
    }
}

fn span(start: usize, len: usize) -> TextSpan {
    TextSpan { start: start as u32, len: len as u32 }
}

/// Length of a quoted cell up to its closing quote, and whether quotes are doubled in it.
#[inline]
fn quoted_length(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    loop {
        at += memchr::memchr(QUOTE, &bytes[at..])?;
        if bytes.get(at + 1) != Some(&QUOTE) {
            return Some((at, at > 0 && memchr::memchr(QUOTE, &bytes[..at]).is_some()));
        }
        at += 2;
    }
}

/// The bytes of a quoted cell with each doubled quote once.
fn undouble(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut skip = false;
    bytes.iter().copied().filter(move |byte| {
        skip = *byte == QUOTE && !skip;
        *byte != QUOTE || skip
    })
}

impl Decode for Csv {
    fn decode(&self, layout: &Layout, batch: &mut EventBatch, tools: &mut Tools) {
        if self.find_all(layout, &batch.bytes, &mut tools.grid) {
            return self.decode_all(layout, batch, &tools.grid);
        }
        tools.marks.find(&batch.bytes, Wanted::AnyOf([self.delimiter, b'\n', QUOTE]));
        let marks = tools.marks.places();
        let mut mark = 0;
        let mut row = Row { cells: Vec::with_capacity(self.header.len()), inner_lines: 0 };
        let mut fields = vec![Found::Missing; self.columns.len()];
        let mut times = TimeCache::default();
        let mut malformed = layout.malformed.iter().peekable();
        let mut start = 0;
        while start < batch.bytes.len() {
            if let Some(bad) = malformed.next_if(|bad| bad.start <= start) {
                self.malformed(batch, start..bad.end);
                start = bad.end;
                mark = marks.partition_point(|mark| (*mark as usize) < start);
                continue;
            }
            let next = match self.split_marked(&batch.bytes, marks, &mut mark, start, &mut row) {
                Some(next) => next,
                None => {
                    let next = self.split(&batch.bytes, start, &mut row).unwrap_or(batch.bytes.len());
                    mark = marks.partition_point(|mark| (*mark as usize) < next);
                    next
                }
            };
            self.take(layout, batch, &row, start..next, &mut fields, &mut times);
            start = next;
        }
    }
}

/// Bytes of a row without its final newline, as `--max-line` counts them.
fn line_length(row: &[u8]) -> usize {
    row.strip_suffix(b"\n").unwrap_or(row).len()
}

impl Csv {
    fn malformed(&self, batch: &mut EventBatch, line: Range<usize>) {
        let record = self.record(batch, line.start, line.end);
        batch.lines += 1;
        let refusal = match line_length(&batch.bytes[line.clone()]) {
            length if length > self.max_line => (Reason::TooLong, too_long(length as u64, self.max_line)),
            _ => (Reason::Quote, "a quoted cell does not end as RFC 4180 has it".to_owned()),
        };
        push_bad(batch, record, refusal, line.end as u64);
    }

    /// Takes a row whose cells have been found.
    #[inline]
    fn take(
        &self,
        layout: &Layout,
        batch: &mut EventBatch,
        row: &Row,
        place: Range<usize>,
        fields: &mut [Found],
        times: &mut TimeCache,
    ) {
        let Range { start, end: next } = place;
        let record = self.record(batch, start, next);
        batch.lines += 1 + row.inner_lines;
        let length = line_length(&batch.bytes[start..next]);
        if length > self.max_line {
            push_bad(batch, record, (Reason::TooLong, too_long(length as u64, self.max_line)), next as u64);
        } else if batch.text(record.text).iter().all(|byte| *byte == b' ') {
            batch.push_aside(Aside::Blank(1), next as u64);
        } else if layout.header == Some(start) || self.reads_as_event && self.is_header(batch, &row.cells) {
            batch.push_aside(Aside::Header, next as u64);
        } else {
            self.row(batch, record, &row.cells, fields, next, times);
        }
    }

    #[inline]
    fn record(&self, batch: &EventBatch, start: usize, next: usize) -> RecordSpan {
        let row = &batch.bytes[start..next];
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        RecordSpan { text: span(start, row.len()), line: batch.lines }
    }

    #[inline]
    fn row(
        &self,
        batch: &mut EventBatch,
        record: RecordSpan,
        cells: &[Cell],
        fields: &mut [Found],
        next: usize,
        dates: &mut TimeCache,
    ) {
        let refusal = if cells.len() == self.header.len() {
            self.look_up(batch, cells, fields);
            match push_event(batch, &self.projection, fields, record, dates) {
                Ok(()) => return,
                Err(refusal) => refusal,
            }
        } else {
            let (cells, columns) = (cells.len(), self.header.len());
            (Reason::Ragged, format!("{}, and the header has {columns}", counted(cells as u64, "cell")))
        };
        // A header is no event but where it reads as one, so it is looked for among the rows that were refused.
        if self.is_header(batch, cells) {
            batch.push_aside(Aside::Header, next as u64);
        } else {
            push_bad(batch, record, refusal, next as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::projection::Field;
    use crate::input::marks::Marks;

    fn decoder(max_line: usize) -> Csv {
        let projection = Projection::of_times(Field::parse("1").expect("a name"));
        let input = Reading { projection: projection.into(), names: &["1".to_owned()], source: "-", max_line };
        Csv::new(input, &Separated { delimiter: b',', columns: Columns::Numbered }).expect("the column is there")
    }

    #[test]
    fn rows_have_the_same_cells_with_marks_and_without() {
        let mut state = 11u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let cells: [&[u8]; 12] = [
            b"",
            b"a",
            b"some words",
            b"\"in quotes\"",
            b"\"\"",
            b"\"a,b\"",
            b"\"a \"\"b\"\"\"",
            b"\"two\nlines\r\n,three\"",
            b"a\"b\"",
            b"a\"",
            b"\r",
            b"a\rb",
        ];
        let mut told = 0;
        for round in 0..20_000 {
            let mut block = Vec::new();
            for _ in 0..random(5) {
                let row: Vec<&[u8]> = (0..1 + random(6)).map(|_| cells[random(cells.len())]).collect();
                block.extend(row.join(&b','));
                block.extend_from_slice([&b"\n"[..], b"\r\n"][random(2)]);
            }
            block.truncate(block.len() - random(3).min(block.len()));
            if random(4) == 0 && !block.is_empty() {
                // What the cutter would keep out: any answer is right that is the same.
                let place = random(block.len());
                block[place] = b",\"\n\ra"[random(5)];
            }
            let csv = decoder([8, 1000][random(2)]);
            let mut marks = Marks::default();
            marks.find(&block, Wanted::AnyOf(*b",\n\""));
            let (mut row, mut plain) = (Row::default(), Row::default());
            let (mut start, mut mark) = (0, 0);
            while start < block.len() {
                let expected = csv.split(&block, start, &mut plain);
                if let Some(next) = csv.split_marked(&block, marks.places(), &mut mark, start, &mut row) {
                    let shown = String::from_utf8_lossy(&block[start..]);
                    assert_eq!(Some(next), expected, "round {round}: {shown:?}");
                    let cells = |row: &Row| -> Vec<_> {
                        row.cells.iter().map(|cell| (cell.span, cell.is_quoted, cell.is_doubled)).collect()
                    };
                    assert_eq!(cells(&row), cells(&plain), "round {round}: {shown:?}");
                    assert_eq!(row.inner_lines, plain.inner_lines, "round {round}: {shown:?}");
                    told += 1;
                }
                start = expected.unwrap_or(block.len());
                mark = marks.places().partition_point(|mark| (*mark as usize) < start);
            }
        }
        assert!(told > 20_000, "{told}");
    }
}
