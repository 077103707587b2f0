//! Where the cells of a whole block of CSV end, found in one pass that looks at no byte alone.
//!
//! It is for blocks as most are: quotes stand only where cells begin and end, and no newline stands inside of them. Of
//! any other it says so, and its rows are then taken apart one by one.

use super::marks::{Told, each_chunk, write_bits};

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

/// What one chunk leaves for the next.
#[derive(Clone, Copy)]
struct Before {
    /// Whether a cell is open: as all bits.
    is_open: u64,
    /// Whether the last byte may stand before a quote that opens a cell, was a quote that closes one, or a carriage return
    /// after that: as the lowest bit.
    may_open: u64,
    has_closed: u64,
    has_returned: u64,
}

impl Grid {
    /// Finds them. False if the block is not as most are: then nothing is known of it.
    pub fn find(&mut self, bytes: &[u8], delimiter: u8) -> bool {
        self.count = 0;
        self.rows.clear();
        let wanted = [QUOTE, delimiter, b'\n', b'\r'];
        let mut before = Before { is_open: 0, may_open: 1, has_closed: 0, has_returned: 0 };
        let mut is_plain = true;
        each_chunk(bytes, wanted, |told| {
            is_plain = self.chunk(told, WIDTH, &mut before);
            is_plain
        });
        let rest = bytes.len() % WIDTH;
        if is_plain && rest > 0 {
            let mut last = [0; WIDTH];
            last[..rest].copy_from_slice(&bytes[bytes.len() - rest..]);
            each_chunk(&last, wanted, |told| {
                is_plain = self.chunk(Told { begun: bytes.len() - rest, ..told }, rest, &mut before);
                is_plain
            });
        }
        is_plain && before.is_open == 0
    }

    /// Takes the first `length` bytes of a chunk; false if it is not as most are. (As [`super::cut`] goes over rows.)
    #[inline(always)]
    fn chunk(&mut self, told: Told<4>, length: usize, before: &mut Before) -> bool {
        let Told { begun, wanted: [quotes, delimiters, newlines, returns], odd } = told;
        // From a quote that opens to the byte before the one that closes. Of two quotes in a cell the first closes it and
        // the second opens it again.
        let open = odd ^ before.is_open;
        let (opening, closing) = (quotes & open, quotes & !open);
        let before_opening = delimiters | newlines | closing;
        let after_closing = closing << 1 | before.has_closed;
        let after_return = (after_closing & returns) << 1 | before.has_returned;
        let misplaced = opening & !(before_opening << 1 | before.may_open);
        let unfinished = after_closing & !(quotes | delimiters | newlines | returns) | after_return & !newlines;
        let taken = u64::MAX >> (WIDTH - length);
        if (misplaced | unfinished | newlines & open) & taken != 0 {
            return false;
        }
        let row_ends = newlines & !open;
        let cell_ends = row_ends | delimiters & !open;
        if self.ends.len() < self.count + WIDTH {
            self.ends.resize((2 * self.ends.len()).max(16 * WIDTH), 0);
        }
        let mut left = row_ends;
        while left != 0 {
            let up_to = left ^ (left - 1);
            self.rows.push(self.count + (cell_ends & up_to).count_ones() as usize);
            left &= left - 1;
        }
        self.count += write_bits(&mut self.ends[self.count..], cell_ends, begun as u32);
        *before = Before {
            is_open: (open as i64 >> 63) as u64,
            may_open: before_opening >> 63,
            has_closed: closing >> 63,
            has_returned: (after_closing & returns) >> 63,
        };
        true
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
