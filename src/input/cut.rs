//! Where blocks may be cut: at record ends. A cheap pass, done in order, so that the rest can be
//! done in parallel. What is found does not depend on how the bytes came in (T9).

use super::marks::{Told, each_chunk};
use std::ops::Range;

/// What a cutter says of the bytes read so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Up to here there are whole records.
    pub end: usize,
    /// Lines before `end` that begin a record with malformed quoting; each costs itself only.
    pub malformed: Vec<Range<usize>>,
}

/// Finds record ends in a growing buffer that begins with a record.
pub trait Cutter: Send {
    /// Looks at the buffer, which begins as at the last call but for what has been
    /// [taken](Cutter::take) and may have grown. At the end of the input everything is whole.
    fn cut(&mut self, buffer: &[u8], is_end: bool) -> Cut;

    /// The first `count` bytes have gone.
    fn take(&mut self, count: usize);

    /// Everything has gone, and what comes next begins a record.
    fn reset(&mut self);

    /// Whether the next newline ends the record at the buffer's end.
    fn ends_with_line(&self) -> bool;
}

/// Records are lines.
#[derive(Debug, Default)]
pub struct Lines {
    seen: usize,
}

impl Cutter for Lines {
    fn cut(&mut self, buffer: &[u8], is_end: bool) -> Cut {
        let end = if is_end {
            buffer.len()
        } else {
            memchr::memrchr(b'\n', &buffer[self.seen..]).map_or(0, |at| self.seen + at + 1)
        };
        self.seen = buffer.len();
        Cut { end, malformed: Vec::new() }
    }

    fn take(&mut self, count: usize) {
        self.seen -= count;
    }

    fn reset(&mut self) {
        self.seen = 0;
    }

    fn ends_with_line(&self) -> bool {
        true
    }
}

/// Records are CSV rows: a newline inside quotes ends none.
///
/// It goes from quote to quote. A quote opens a cell where a cell begins, and is text elsewhere. A
/// quoted cell that is followed by anything but a delimiter or the row's end, or that does not end
/// within `max_line` bytes of its row, makes the first line of that row a malformed one, and reading
/// goes on at the next line. A row that is longer than that outside of quotes ends with its line.
///
/// No byte is looked at again and again for that: a row that is in quotes at a line end stands there
/// as the malformed row before it did, and so goes on as that one did.
#[derive(Debug)]
pub struct CsvRows {
    delimiter: u8,
    max_line: usize,
    state: State,
    /// Everything before this has been looked at.
    at: usize,
    /// Up to where row ends outside of quotes have been looked for.
    plain_from: usize,
    /// Where the row at hand begins, as far as quoted cells have told.
    row: usize,
    /// Up to here malformed rows have been followed. A row that is in quotes at a line end before takes the same way.
    looked_to: usize,
    malformed: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    Quoted,
    /// In the first line of a malformed row.
    Malformed,
}

/// Bytes that are worth going over quickly.
const ENOUGH: usize = 1 << 10;

impl CsvRows {
    /// A cutter for rows of cells between these delimiters.
    pub fn new(delimiter: u8, max_line: usize) -> CsvRows {
        let state = State::Plain;
        CsvRows { delimiter, max_line, state, at: 0, plain_from: 0, row: 0, looked_to: 0, malformed: Vec::new() }
    }

    /// Goes to the last row that begins in the buffer, 64 bytes at a time, or as far as quotes stand only where
    /// cells begin and end: the common case, and quick. What it goes over is well-formed.
    fn skip_plain_rows(&mut self, buffer: &[u8]) {
        let (known, new) = (self.at - self.row, buffer.len() - self.at);
        // Where no row can be too long, where it is worth it, and never over the same bytes again and again.
        let is_simple = self.state != State::Malformed && self.looked_to <= self.row && buffer.len() <= self.max_line;
        if !is_simple || new < ENOUGH || new < known {
            return;
        }
        // Whether a cell is open: as all bits. Whether the byte before may stand before a quote that opens a
        // cell, was a quote that closes one, or a carriage return after that: as the lowest bit.
        let (mut is_open, mut may_open, mut has_closed, mut has_returned) = (0u64, 1u64, 0u64, 0u64);
        let mut row = 0;
        let wanted = [b'"', self.delimiter, b'\n', b'\r'];
        each_chunk(
            &buffer[self.row..],
            wanted,
            |Told { begun, wanted: [quotes, delimiters, newlines, returns], odd }| {
                // From a quote that opens to the byte before the one that closes. Of two quotes in a cell the
                // first closes it and the second opens it again.
                let open = odd ^ is_open;
                let (opening, closing) = (quotes & open, quotes & !open);
                let before_opening = delimiters | newlines | closing;
                let after_closing = closing << 1 | has_closed;
                let after_return = (after_closing & returns) << 1 | has_returned;
                let misplaced = opening & !(before_opening << 1 | may_open);
                let unfinished = after_closing & !(quotes | delimiters | newlines | returns) | after_return & !newlines;
                if misplaced | unfinished != 0 {
                    return false;
                }
                let ends = newlines & !open;
                if ends != 0 {
                    row = begun + (u64::BITS - ends.leading_zeros()) as usize;
                }
                is_open = (open as i64 >> 63) as u64;
                may_open = before_opening >> 63;
                has_closed = closing >> 63;
                has_returned = (after_closing & returns) >> 63;
                true
            },
        );
        if row > 0 {
            self.row += row;
            (self.at, self.plain_from, self.state) = (self.row, self.row, State::Plain);
        }
    }

    /// Goes to the next quote outside of quotes. False when the buffer has no more of them.
    fn plain(&mut self, buffer: &[u8]) -> bool {
        let Some(quote) = memchr::memchr(b'"', &buffer[self.at..]).map(|at| self.at + at) else {
            self.at = buffer.len();
            return false;
        };
        self.at = quote + 1;
        let opens = match quote.checked_sub(1) {
            None => true,
            Some(before) => buffer[before] == self.delimiter || buffer[before] == b'\n',
        };
        if opens {
            self.find_row(buffer, quote);
            // A row that is too long already ends with its line, whatever is quoted there.
            if quote - self.row <= self.max_line {
                self.state = State::Quoted;
            }
        }
        true
    }

    /// Notes where the row that holds `place` begins. Since `plain_from` there were no quoted cells.
    fn find_row(&mut self, buffer: &[u8], place: usize) {
        if let Some(newline) = memchr::memrchr(b'\n', &buffer[self.plain_from..place]) {
            self.row = self.plain_from + newline + 1;
        }
        self.plain_from = place;
    }

    /// Looks for the end of a quoted cell. False when more bytes are needed to tell.
    fn quoted(&mut self, buffer: &[u8], is_end: bool) -> bool {
        let mut quote = self.next_quote(buffer);
        if self.at < self.looked_to
            && buffer[self.at..quote.unwrap_or(buffer.len()).min(self.looked_to)].contains(&b'\n')
        {
            self.at = self.looked_to;
            quote = self.next_quote(buffer);
        }
        let Some(quote) = quote else {
            self.at = self.at.max(self.limit(buffer));
            let goes_on = is_end || self.at - self.row > self.max_line;
            if goes_on {
                self.give_up();
            }
            return goes_on;
        };
        self.at = quote;
        match &buffer[quote + 1..] {
            [] | [b'\r'] if !is_end => return false,
            [b'"', ..] => {
                self.at = quote + 2;
                return true;
            }
            [] | [b'\r'] | [b'\n', ..] | [b'\r', b'\n', ..] => {}
            [byte, ..] if *byte == self.delimiter => {}
            _ => {
                self.give_up();
                return true;
            }
        }
        self.state = State::Plain;
        self.at = quote + 1;
        self.plain_from = self.at;
        true
    }

    /// The next quote in the row at hand, as far as `max_line` allows it one.
    fn next_quote(&self, buffer: &[u8]) -> Option<usize> {
        let quotes = buffer.get(self.at..self.limit(buffer))?;
        memchr::memchr(b'"', quotes).map(|at| self.at + at)
    }

    /// The first byte that the row at hand may not have, or the buffer's end.
    fn limit(&self, buffer: &[u8]) -> usize {
        (self.row + self.max_line + 1).min(buffer.len())
    }

    /// The row at hand is malformed, as what has been looked at shows.
    fn give_up(&mut self) {
        self.state = State::Malformed;
        self.looked_to = self.looked_to.max(self.at);
        self.at = self.row;
    }

    /// Looks for the end of a malformed row's first line. False when more bytes are needed.
    fn malformed(&mut self, buffer: &[u8], is_end: bool) -> bool {
        let end = match memchr::memchr(b'\n', &buffer[self.at..]) {
            Some(at) => self.at + at + 1,
            None if is_end => buffer.len(),
            None => {
                self.at = buffer.len();
                return false;
            }
        };
        self.malformed.push(self.row..end);
        (self.at, self.plain_from, self.row) = (end, end, end);
        self.state = State::Plain;
        end < buffer.len()
    }
}

impl Cutter for CsvRows {
    fn cut(&mut self, buffer: &[u8], is_end: bool) -> Cut {
        self.skip_plain_rows(buffer);
        loop {
            let goes_on = match self.state {
                State::Plain => self.plain(buffer),
                State::Quoted => self.quoted(buffer, is_end),
                State::Malformed => self.malformed(buffer, is_end),
            };
            if !goes_on {
                break;
            }
        }
        if self.state == State::Plain {
            self.find_row(buffer, buffer.len());
        }
        let end = if is_end { buffer.len() } else { self.row };
        Cut { end, malformed: std::mem::take(&mut self.malformed) }
    }

    fn take(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
        self.row = self.row.saturating_sub(count);
        self.plain_from = self.plain_from.saturating_sub(count);
        self.looked_to = self.looked_to.saturating_sub(count);
    }

    fn reset(&mut self) {
        *self = CsvRows::new(self.delimiter, self.max_line);
    }

    fn ends_with_line(&self) -> bool {
        self.state != State::Quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces and returns where records were cut and which lines are malformed.
    fn feed(cutter: &mut dyn Cutter, text: &[u8], piece: usize) -> (Vec<usize>, Vec<Range<usize>>) {
        let (mut taken, mut filled) = (0, 0);
        let (mut cuts, mut malformed) = (Vec::new(), Vec::new());
        loop {
            filled = (filled + piece).min(text.len());
            let is_end = filled == text.len();
            let cut = cutter.cut(&text[taken..filled], is_end);
            malformed.extend(cut.malformed.iter().map(|line| taken + line.start..taken + line.end));
            if cut.end > 0 {
                cutter.take(cut.end);
                taken += cut.end;
                cuts.push(taken);
            }
            if is_end {
                return (cuts, malformed);
            }
        }
    }

    const TEXTS: &[(&str, &[&str])] = &[
        ("a,b\n1,2\n", &[]),
        ("a,\"b\nc\",d\n1,\"x\"\"\ny\",3\n", &[]),
        ("1,\"open\n2,b\n3,c\n", &["1,\"open\n"]),
        ("1,\"a\"b,c\n2,d\n", &["1,\"a\"b,c\n"]),
        ("1,a\"b,c\"d\n2,d\n", &[]),
        ("x\n1,\"a,2\n3,\"b\",4\n5,\"c\"\n", &["1,\"a,2\n"]),
        ("\"a\"\r\n\"b\"\r\n", &[]),
        ("1,\"a\nb\",\"c\n2,d\n", &["1,\"a\n", "b\",\"c\n"]),
        ("\"", &["\""]),
        ("a,\"\"", &[]),
        ("a,\"\"\"", &["a,\"\"\""]),
        ("p,q\n\"a long cell\nover lines that goes on and on\",z\nr,s\n", &["\"a long cell\n"]),
    ];

    #[test]
    fn a_quote_that_never_closes_costs_its_first_line_only() {
        for (text, expected) in TEXTS {
            for piece in 1..=text.len() {
                let (cuts, malformed) = feed(&mut CsvRows::new(b',', 30), text.as_bytes(), piece);
                let lines: Vec<_> = malformed.iter().map(|line| &text[line.clone()]).collect();
                assert_eq!(&lines, expected, "{text:?} in pieces of {piece}");
                assert_eq!(cuts.last(), Some(&text.len()));
            }
        }
    }

    #[test]
    fn t9_rows_are_cut_where_no_quote_is_open_whatever_the_pieces() {
        for (text, _) in TEXTS {
            // Every row end there is, found a byte at a time; larger pieces cut at some of them.
            let (every, _) = feed(&mut CsvRows::new(b',', 30), text.as_bytes(), 1);
            for piece in 2..=text.len() {
                let (cuts, _) = feed(&mut CsvRows::new(b',', 30), text.as_bytes(), piece);
                assert!(
                    cuts.iter().all(|cut| every.contains(cut)),
                    "{text:?} in pieces of {piece}: {cuts:?} of {every:?}"
                );
            }
        }
    }

    /// A few bytes that quoting turns on, in any order.
    fn scribble(seed: &mut u64) -> Vec<u8> {
        let mut next = |below: u64| {
            *seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            (*seed >> 33) % below
        };
        let length = next(60);
        (0..length).map(|_| b"\"\"\"\",,\n\nxx\r"[next(11) as usize]).collect()
    }

    /// What the cutter's comment says, read literally: the malformed lines of a text.
    fn malformed_lines(text: &[u8], max_line: usize) -> Vec<Range<usize>> {
        let line_end =
            |from: usize| text[from..].iter().position(|b| *b == b'\n').map_or(text.len(), |at| from + at + 1);
        let (mut malformed, mut row) = (Vec::new(), 0);
        'rows: while row < text.len() {
            let mut at = row;
            loop {
                // At the beginning of a cell.
                if text.get(at) == Some(&b'"') && at - row <= max_line {
                    at += 1;
                    let end = loop {
                        match text[at..].iter().position(|b| *b == b'"').map(|quote| at + quote) {
                            Some(quote) if quote - row > max_line => break None,
                            Some(quote) if text.get(quote + 1) == Some(&b'"') => at = quote + 2,
                            found => break found,
                        }
                    };
                    let ends = |end: usize| match &text[end + 1..] {
                        [] | [b'\r'] | [b',' | b'\n', ..] | [b'\r', b'\n', ..] => Some(end + 1),
                        _ => None,
                    };
                    match end.and_then(ends) {
                        Some(end) => at = end,
                        None => {
                            malformed.push(row..line_end(row));
                            row = line_end(row);
                            continue 'rows;
                        }
                    }
                }
                match text[at..].iter().position(|b| matches!(b, b',' | b'\n')).map(|found| at + found) {
                    Some(found) if text[found] == b',' => at = found + 1,
                    Some(found) => {
                        row = found + 1;
                        continue 'rows;
                    }
                    None => break 'rows,
                }
            }
        }
        malformed
    }

    #[test]
    fn malformed_lines_are_those_of_a_literal_reading() {
        let mut seed = 7;
        for round in 0..20_000 {
            let text = scribble(&mut seed);
            let max_line = [3, 8, 20, 100][round % 4];
            let expected = malformed_lines(&text, max_line);
            for piece in [1, 2, 5, text.len().max(1)] {
                let (_, malformed) = feed(&mut CsvRows::new(b',', max_line), &text, piece);
                let what = format!("{} in pieces of {piece}, max_line {max_line}", text.escape_ascii());
                assert_eq!(malformed, expected, "{what}");
            }
        }
    }

    #[test]
    fn rows_that_are_gone_over_quickly_are_cut_as_a_literal_reading_says() {
        let mut seed = 21;
        let mut quick = 0;
        for round in 0..3_000 {
            let rows: [&[u8]; 6] =
                [b"1,2\n", b"1,\"a,\nb\",3\r\n", b"\"a\"\"b\"\n", b"\"\",\"\"\r\n", b"words,\"more\"\n", b"\"\"\"\"\n"];
            // Only some have an odd part at all, at any place.
            let mut text = Vec::new();
            for _ in 0..200 + round % 300 {
                seed = u64::wrapping_mul(seed, 0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                text.extend_from_slice(rows[(seed >> 33) as usize % rows.len()]);
            }
            if round % 3 > 0 {
                let place = (seed >> 20) as usize % text.len();
                text.splice(place..place, scribble(&mut seed).into_iter().take(1 + round % 4));
            }
            let max_line = [20, 4000, 1 << 20][round % 3];
            let expected = malformed_lines(&text, max_line);
            for piece in [700, 1024, 3000, text.len()] {
                let (cuts, malformed) = feed(&mut CsvRows::new(b',', max_line), &text, piece);
                let what = format!("{} in pieces of {piece}, max_line {max_line}", text.escape_ascii());
                assert_eq!(malformed, expected, "{what}");
                assert_eq!(cuts.last(), Some(&text.len()), "{what}");
            }
            // The row that is cut off last begins where it does without going quickly: a byte less than enough at a time.
            let mut cutter = CsvRows::new(b',', max_line);
            let whole = cutter.cut(&text, false).end;
            quick += usize::from(cutter.row > 0);
            let mut slow = CsvRows::new(b',', max_line);
            let slowly =
                (0..=text.len()).step_by(ENOUGH - 1).chain([text.len()]).map(|end| slow.cut(&text[..end], false).end);
            assert_eq!(Some(whole), slowly.last(), "{}", text.escape_ascii());
        }
        assert!(quick > 1_000, "{quick}");
    }

    #[test]
    fn quotes_that_swallow_every_next_line_cost_no_more_than_others() {
        // Each line but the last leaves a quote open, whether it begins in quotes or not. Alone, and with lines between that
        // only begin in quotes without being malformed.
        for lines in ["x\",\"\n", "x\",\"\n\",z\"z,\"\n", "x\",\"\n\"\"\"\"\n"] {
            let text = lines.repeat(400_000).into_bytes();
            let mut cutter = CsvRows::new(b',', 1 << 20);
            let cut = cutter.cut(&text, true);
            assert_eq!(cut.end, text.len());
            assert!(cut.malformed.len() > 100_000, "{}", cut.malformed.len());
        }
    }

    #[test]
    fn lines_are_cut_at_the_last_newline() {
        let mut lines = Lines::default();
        assert_eq!(lines.cut(b"ab", false).end, 0);
        assert_eq!(lines.cut(b"ab\nc\nd", false).end, 5);
        lines.take(5);
        assert_eq!(lines.cut(b"de", false).end, 0);
        assert_eq!(lines.cut(b"de", true).end, 2);
    }
}
