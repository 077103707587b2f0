//! What formats of a record a line share: lines that are blank, too long or not UTF-8.

use super::marks::Marks;
use super::record::{Found, Refusal, push_event};
use super::trail::{Ends, Marked};
use super::{Decode, FirstRecord, Layout, Tools, push_bad, too_long};
use crate::event::projection::Projection;
use crate::event::{Aside, EventBatch, Reason, RecordSpan, TextSpan};
use crate::time::parse::TimeCache;
use std::sync::Arc;

/// Finds the fields of one line.
pub trait FindFields: Send + Sync {
    /// Memory that is used again for each line of a block.
    type Scratch: Default;

    /// Notes in `fields`, in the order of [`Projection::fields`], what the line has. `line` begins
    /// `base` bytes into the block; text that has to be unescaped is appended to `unescaped`,
    /// whose spans begin at `unescaped_base`.
    ///
    /// # Errors
    /// Why the record is bad.
    fn find(
        &self,
        line: &[u8],
        base: usize,
        fields: &mut [Found],
        side: &mut Side<'_>,
        scratch: &mut Self::Scratch,
    ) -> Result<(), Refusal>;

    /// A block of lines begins: marks what [`FindFields::follow`] needs to know of it. False if a line must be UTF-8 as
    /// a whole, not only in the fields used (N5), and one is not: then each is looked at.
    fn begin(&self, _bytes: &[u8], _marks: &mut Marks) -> bool {
        true
    }

    /// As [`FindFields::find`] for the record at `start` of a block, whose end it tells, if the record is like
    /// those before it. `None`, and nothing said of it, if not.
    fn follow(
        &self,
        _block: Marked<'_>,
        _start: usize,
        _fields: &mut [Found],
        _scratch: &mut Self::Scratch,
    ) -> Option<Ends> {
        None
    }

    /// A record that could not be followed, and is well-formed.
    fn learn(&self, _line: &[u8], _scratch: &mut Self::Scratch) {}
}

/// The side buffer of a batch, where text is unescaped.
pub struct Side<'a> {
    buffer: &'a mut Vec<u8>,
    /// The span of the buffer's first byte.
    base: usize,
}

impl Side<'_> {
    /// Appends text; says its span.
    pub fn push(&mut self, text: impl IntoIterator<Item = u8>) -> TextSpan {
        let start = self.buffer.len();
        self.buffer.extend(text);
        TextSpan { start: (self.base + start) as u32, len: (self.buffer.len() - start) as u32 }
    }
}

/// Decodes blocks of whole lines.
pub struct LineDecoder<F> {
    find: F,
    projection: Arc<Projection>,
    max_line: usize,
}

impl<F: FindFields> LineDecoder<F> {
    /// A decoder for lines whose fields are found so.
    pub fn new(find: F, projection: Arc<Projection>, max_line: usize) -> LineDecoder<F> {
        LineDecoder { find, projection, max_line }
    }
}

impl<F: FindFields> Decode for LineDecoder<F> {
    fn decode(&self, _layout: &Layout, batch: &mut EventBatch, tools: &mut Tools) {
        let marks = &mut tools.marks;
        let mut fields = vec![Found::Missing; self.projection.fields().count()];
        let mut scratch = F::Scratch::default();
        let mut dates = TimeCache::default();
        let is_utf8 = self.find.begin(&batch.bytes, marks);
        let mut start = 0;
        while start < batch.bytes.len() {
            if is_utf8
                && let block = (Marked { bytes: &batch.bytes, marks: marks.places() })
                && let Some(ends) = self.find.follow(block, start, &mut fields, &mut scratch)
                && ends.next - start <= self.max_line
            {
                let text = TextSpan { start: start as u32, len: (ends.text - start) as u32 };
                let record = RecordSpan { text, line: batch.lines };
                batch.lines += 1;
                start = ends.next;
                if let Err(refusal) = push_event(batch, &self.projection, &fields, record, &mut dates) {
                    push_bad(batch, record, refusal, start as u64);
                }
                continue;
            }
            let rest = &batch.bytes[start..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let next = start + (length + 1).min(rest.len());
            let line = &rest[..length];
            let text = TextSpan { start: start as u32, len: line.strip_suffix(b"\r").unwrap_or(line).len() as u32 };
            let record = RecordSpan { text, line: batch.lines };
            batch.lines += 1;
            if length > self.max_line {
                let detail = too_long(length as u64, self.max_line);
                push_bad(batch, record, (Reason::TooLong, detail), next as u64);
            } else if line.trim_ascii().is_empty() {
                batch.push_aside(Aside::Blank(1), next as u64);
            } else {
                let line = &line[..text.len as usize];
                let mut unescaped = std::mem::take(&mut batch.unescaped);
                let mut side = Side { base: batch.bytes.len(), buffer: &mut unescaped };
                let found = match std::str::from_utf8(if is_utf8 { b"" } else { line }) {
                    Ok(_) => self.find.find(line, start, &mut fields, &mut side, &mut scratch),
                    Err(error) => {
                        Err((Reason::Utf8, format!("not UTF-8 at byte {} of the line", error.valid_up_to() + 1)))
                    }
                };
                if found.is_ok() {
                    self.find.learn(line, &mut scratch);
                }
                batch.unescaped = unescaped;
                let pushed = found.and_then(|()| push_event(batch, &self.projection, &fields, record, &mut dates));
                if let Err(refusal) = pushed {
                    push_bad(batch, record, refusal, next as u64);
                }
            }
            start = next;
        }
    }
}

/// The first record, for a format whose fields are always the same.
pub fn first_line(bytes: &[u8], max_line: usize, names: &[String]) -> Option<FirstRecord> {
    let (start, _) = candidates(bytes, max_line).next()?;
    Some(FirstRecord { start, names: names.to_vec(), is_header: false })
}

/// The lines of a block that could be records, and where each begins.
pub fn candidates(bytes: &[u8], max_line: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
        let begins = start;
        start += line.len();
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let is_candidate = text.len() <= max_line && !text.trim_ascii().is_empty();
        is_candidate.then(|| (begins, text.strip_suffix(b"\r").unwrap_or(text)))
    })
}
