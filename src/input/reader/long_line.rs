//! A record that is longer than may be kept: it is read to its end in constant memory, and is a bad one.

use super::{End, Reader, SourceReader, has_content};
use crate::input::EXCERPT;
use crate::input::pool::Content;
use crate::input::position::TAIL_BYTES;

impl SourceReader {
    /// If what is left is the beginning of a record that is too long, reads to its end in constant memory.
    pub(super) fn skip_long_line(&mut self, reader: &mut Reader) -> Result<(), End> {
        let max_line = reader.options.max_line;
        let mut ends_with_line = false;
        self.cutter(|cutter| ends_with_line = cutter.ends_with_line());
        if self.batch.bytes.len() <= max_line || !ends_with_line {
            return Ok(());
        }
        // Newlines in quoted cells of the row, and the one that ends it.
        let lines = memchr::memchr_iter(b'\n', &self.batch.bytes).count() as u32 + 1;
        let mut length = self.batch.bytes.len() as u64;
        self.has_content |= has_content(&self.batch.bytes);
        let shown = self.batch.bytes.len().min(EXCERPT);
        let keep_ending = |ending: &mut Vec<u8>, bytes: &[u8]| {
            ending.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
            ending.drain(..ending.len().saturating_sub(TAIL_BYTES));
        };
        let mut ending = Vec::new();
        keep_ending(&mut ending, &self.batch.bytes);
        let mut line = self.next_batch(reader, shown)?;
        line.ending = ending;
        let mut end_of_line = None;
        while !self.is_end && self.broken.is_none() && end_of_line.is_none() {
            self.batch.bytes.clear();
            self.fill(reader)?;
            end_of_line = memchr::memchr(b'\n', &self.batch.bytes);
            let more = &self.batch.bytes[..end_of_line.unwrap_or(self.batch.bytes.len())];
            length += more.len() as u64;
            self.has_content |= has_content(more);
            line.bytes.extend(more.iter().take(EXCERPT - line.bytes.len()));
            keep_ending(&mut line.ending, &self.batch.bytes[..end_of_line.map_or(more.len(), |at| at + 1)]);
        }
        if self.is_end && self.mark.is_none() && end_of_line.is_none() && self.leaves_open_line(reader) {
            return self.tell_open_line(reader);
        }
        if length as usize == line.bytes.len() && line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
        self.puzzle(reader, &line.bytes)?;
        let rest = end_of_line.map_or(self.batch.bytes.len(), |at| at + 1);
        self.batch.bytes.drain(..rest);
        self.shown = 0;
        let consumed = length + u64::from(end_of_line.is_some());
        self.cutter(|cutter| cutter.reset());
        self.deal(reader, line, consumed, Content::LongLine { length, lines, max_line })?;
        // What came after the line may hold whole records already, or end here.
        self.cut(reader)
    }
}
