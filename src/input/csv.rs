//! CSV as RFC 4180 has it: a header, cells in quotes with doubled quotes and newlines inside.

use super::cut::{CsvRows, Cutter};
use super::record::{Found, push_event};
use super::{Decode, FirstRecord, Format, Layout, Reading, columns, push_bad, too_long};
use crate::error::Error;
use crate::event::projection::Projection;
use crate::event::{Aside, EventBatch, Reason, RecordSpan, TextSpan};
use crate::time::parse::TimeCache;
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
        let reads_as_event = projection.time_rules.parse_text(time_name.as_bytes(), &mut TimeCache::default()).is_ok();
        let skips_header = !header.is_empty() && !matches!(format.columns, Columns::Numbered);
        Ok(Csv { projection, delimiter: format.delimiter, header, skips_header, columns, reads_as_event, max_line })
    }

    /// Finds the cells of the row at `start`; says where the next one begins. `None` for quoting
    /// that RFC 4180 does not know, which the cutter keeps out of blocks.
    #[inline]
    fn split(&self, bytes: &[u8], start: usize, cells: &mut Vec<Cell>) -> Option<usize> {
        cells.clear();
        let mut at = start;
        loop {
            let (cell, end) = if bytes.get(at) == Some(&QUOTE) && at - start <= self.max_line {
                let (length, is_doubled) = quoted_length(&bytes[at + 1..])?;
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
            let Cell { span: text, is_doubled, .. } = cells[*column];
            let text = if is_doubled {
                let start = batch.bytes.len() + batch.unescaped.len();
                batch.unescaped.extend(undouble(&batch.bytes[text.start as usize..][..text.len as usize]));
                span(start, batch.bytes.len() + batch.unescaped.len() - start)
            } else {
                text
            };
            *field = Found::Cell(text);
        }
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
    fn decode(&self, layout: &Layout, batch: &mut EventBatch) {
        let mut cells = Vec::with_capacity(self.header.len());
        let mut fields = vec![Found::Missing; self.columns.len()];
        let mut dates = TimeCache::default();
        let mut malformed = layout.malformed.iter().peekable();
        let mut start = 0;
        while start < batch.bytes.len() {
            if let Some(bad) = malformed.next_if(|bad| bad.start <= start) {
                let record = self.record(batch, start, bad.end);
                batch.lines += 1;
                let refusal = match line_length(&batch.bytes[start..bad.end]) {
                    length if length > self.max_line => (Reason::TooLong, too_long(length as u64, self.max_line)),
                    _ => (Reason::Quote, "a quoted cell does not end as RFC 4180 has it".to_owned()),
                };
                push_bad(batch, record, refusal, bad.end as u64);
                start = bad.end;
                continue;
            }
            let next = match self.split(&batch.bytes, start, &mut cells) {
                Some(next) => next,
                None => batch.bytes.len(),
            };
            let record = self.record(batch, start, next);
            let text = batch.text(record.text);
            let (length, is_blank) = (line_length(&batch.bytes[start..next]), text.iter().all(|b| *b == b' '));
            // Newlines stand in quoted cells only.
            let is_one_line = !cells.iter().any(|cell| cell.is_quoted);
            batch.lines += 1 + if is_one_line { 0 } else { memchr::memchr_iter(b'\n', text).count() as u32 };
            if length > self.max_line {
                push_bad(batch, record, (Reason::TooLong, too_long(length as u64, self.max_line)), next as u64);
            } else if is_blank {
                batch.push_aside(Aside::Blank(1), next as u64);
            } else if layout.header == Some(start) || self.reads_as_event && self.is_header(batch, &cells) {
                batch.push_aside(Aside::Header, next as u64);
            } else {
                self.row(batch, record, &cells, &mut fields, next, &mut dates);
            }
            start = next;
        }
    }
}

/// Bytes of a row without its final newline, as `--max-line` counts them.
fn line_length(row: &[u8]) -> usize {
    row.strip_suffix(b"\n").unwrap_or(row).len()
}

impl Csv {
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
            (Reason::Ragged, format!("{cells} cells, and the header has {columns}"))
        };
        // A header is no event but where it reads as one, so it is looked for among the rows that were refused.
        if self.is_header(batch, cells) {
            batch.push_aside(Aside::Header, next as u64);
        } else {
            push_bad(batch, record, refusal, next as u64);
        }
    }
}
