//! Where the cells of a whole block of CSV end, found in one pass that looks at no byte alone.
//!
//! It is for blocks as most are: quotes stand only where cells begin and end, and no newline stands inside of them. Of
//! any other it says so, and its rows are then taken apart one by one.

use super::marks::{Told, Visit, each_chunk, write_bits};

const WIDTH: usize = u64::BITS as usize;
const QUOTE: u8 = b'"';

/// Cells and rows of a block.
#[derive(Debug, Default)]
pub struct Grid {
    /// The delimiters and newlines that end cells. Longer than there are, so that many can be written at once.
    ends: Vec<u32>,
    count: usize,
    /// Of each row, how many cells have ended up to its end.
    rows: Vec<usize>,
}

/// Finds them, one chunk after the other.
struct Finder<'a> {
    grid: &'a mut Grid,
    /// Where the chunk begins, if not where it seems to, and how many bytes it has.
    last: Option<(usize, usize)>,
    is_plain: bool,
    /// Whether a cell is open: as all bits.
    is_open: u64,
    /// Whether the byte before may stand before a quote that opens a cell, was a quote that closes one, or a carriage return
    /// after that: as the lowest bit.
    may_open: u64,
    has_closed: u64,
    has_returned: u64,
}

impl Visit<4> for &mut Finder<'_> {
    /// (As [`super::cut`] goes over rows.)
    #[inline(always)]
    fn visit(&mut self, told: Told<4>) -> bool {
        let Told { begun, wanted: [quotes, delimiters, newlines, returns], odd } = told;
        let (begun, length) = self.last.unwrap_or((begun, WIDTH));
        // From a quote that opens to the byte before the one that closes. Of two quotes in a cell the first closes it and
        // the second opens it again.
        let open = odd ^ self.is_open;
        let (opening, closing) = (quotes & open, quotes & !open);
        let before_opening = delimiters | newlines | closing;
        let after_closing = closing << 1 | self.has_closed;
        let after_return = (after_closing & returns) << 1 | self.has_returned;
        let misplaced = opening & !(before_opening << 1 | self.may_open);
        let unfinished = after_closing & !(quotes | delimiters | newlines | returns) | after_return & !newlines;
        let taken = u64::MAX >> (WIDTH - length);
        self.is_plain = (misplaced | unfinished | newlines & open) & taken == 0;
        if !self.is_plain {
            return false;
        }
        let Grid { ends, count, rows } = &mut *self.grid;
        let row_ends = newlines & !open;
        let cell_ends = row_ends | delimiters & !open;
        if ends.len() < *count + WIDTH {
            ends.resize((2 * ends.len()).max(16 * WIDTH), 0);
        }
        let mut left = row_ends;
        while left != 0 {
            let up_to = left ^ (left - 1);
            rows.push(*count + (cell_ends & up_to).count_ones() as usize);
            left &= left - 1;
        }
        *count += write_bits(&mut ends[*count..], cell_ends, begun as u32);
        self.is_open = (open as i64 >> 63) as u64;
        self.may_open = before_opening >> 63;
        self.has_closed = closing >> 63;
        self.has_returned = (after_closing & returns) >> 63;
        true
    }
}

impl Grid {
    /// Finds them. False if the block is not as most are: then nothing is known of it.
    pub fn find(&mut self, bytes: &[u8], delimiter: u8) -> bool {
        self.count = 0;
        self.rows.clear();
        let wanted = [QUOTE, delimiter, b'\n', b'\r'];
        let mut finder =
            Finder { grid: self, last: None, is_plain: true, is_open: 0, may_open: 1, has_closed: 0, has_returned: 0 };
        each_chunk(bytes, wanted, &mut finder);
        let rest = bytes.len() % WIDTH;
        if finder.is_plain && rest > 0 {
            let mut last = [0; WIDTH];
            last[..rest].copy_from_slice(&bytes[bytes.len() - rest..]);
            finder.last = Some((bytes.len() - rest, rest));
            each_chunk(&last, wanted, &mut finder);
        }
        finder.is_plain && finder.is_open == 0
    }

    /// Rows that end in a newline.
    #[inline]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Where the cells of a row end, in a row that ends in a newline.
    #[inline]
    pub fn cells(&self, row: usize) -> &[u32] {
        let from = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        &self.ends[from..self.rows[row]]
    }
}
