//! All rows of a window that nothing will come to any more: they leave the engine as a whole, so that somebody else can
//! put them in order and write them while it goes on.

use super::AHEAD;
use super::pane::{Pane, Timing};
use crate::aggregate::Accumulator;
use crate::event::column::{HEAD, head};
use crate::window::Window;
use std::hint::black_box;
use std::mem::discriminant;

/// The rows that a window prints on time, one for each key.
#[derive(Debug)]
pub struct Fired {
    spec: usize,
    window: Window,
    /// Accumulators of a row.
    width: usize,
    /// Row by row.
    cells: Vec<Accumulator>,
    /// The key of each row.
    keys: Vec<Key>,
    /// Keys that are longer than their heads, by row, in ascending order.
    long: Vec<(u32, Box<[u8]>)>,
}

/// A key whose first bytes are at hand.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// See [`head`].
    head: [u8; HEAD],
    length: u32,
}

impl Fired {
    /// Rows of a window, of so many accumulators each, whose keys are [pushed](Fired::push) in their order.
    pub fn new(spec: usize, window: Window, width: usize, cells: Vec<Accumulator>) -> Fired {
        let rows = cells.len().checked_div(width).unwrap_or(0);
        Fired { spec, window, width, cells, keys: Vec::with_capacity(rows), long: Vec::new() }
    }

    /// Adds the key of the next row.
    #[inline]
    pub fn push(&mut self, key: &[u8]) {
        if key.len() > HEAD {
            self.long.push((self.keys.len() as u32, key.into()));
        }
        self.keys.push(Key { head: head(key), length: key.len() as u32 });
    }

    /// Adds the key of the next row, which is so long and no longer than its head.
    #[inline]
    pub fn push_head(&mut self, head: &[u8; HEAD], length: u8) {
        self.keys.push(Key { head: *head, length: length.into() });
    }

    fn key(&self, row: u32) -> &[u8] {
        let Key { head, length } = &self.keys[row as usize];
        if *length as usize <= HEAD {
            return &head[..*length as usize];
        }
        self.long.binary_search_by_key(&row, |(row, _)| *row).map_or(&[], |found| &self.long[found].1)
    }

    fn row(&self, row: u32) -> &[Accumulator] {
        &self.cells[row as usize * self.width..][..self.width]
    }

    /// The rows in order of key (N6).
    fn order(&self) -> Vec<(u64, u32)> {
        // Most keys begin alike; of what follows, 8 bytes tell nearly all of them apart. As numbers, heads order like bytes: a
        // shorter key has zeros behind, and no longer one comes before that.
        let number = |key: &Key| u128::from_be_bytes(key.head);
        let first = self.keys.first().map_or(0, number);
        let differing = self.keys.iter().fold(0, |bits, key| bits | (number(key) ^ first));
        let alike = differing.leading_zeros().min(u64::BITS);
        let rows = self.keys.iter().zip(0..);
        let mut order: Vec<_> = rows.map(|(key, row)| ((number(key) << alike >> u64::BITS) as u64, row)).collect();
        order.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| self.key(*x).cmp(self.key(*y))));
        order
    }

    /// Hands out the panes in the order in which they are printed.
    pub fn each(&self, mut take: impl FnMut(&Pane<'_>)) {
        for group in self.order().chunks(AHEAD) {
            // In the order of keys they lie anywhere in memory. Looked at side by side they are waited for once.
            for (_, row) in group {
                let cells = self.row(*row);
                let last = cells.last().map(discriminant);
                black_box((cells.first().map(discriminant), last, self.keys[*row as usize].length));
            }
            for (_, row) in group {
                take(&Pane {
                    spec: self.spec,
                    window: self.window,
                    events: None,
                    key: self.key(*row),
                    timing: Timing::OnTime,
                    revision: 0,
                    row: self.row(*row),
                    replaces: &[],
                    filled: None,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::key::push_text;
    use crate::time::Timestamp;

    #[test]
    fn t9_rows_come_in_order_of_key_whatever_the_keys_have_in_common() {
        let tails = ["", "a", "b", "aa", "a\0", "\0", "é", "zzzzzzzz", "zzzzzzzzz", "zzzzzzzy", "zzzzzzzz\0"];
        for common in ["", "x", "xxxxxxx", "xxxxxxxx", "a long beginning", "a beginning longer than any head has bytes"]
        {
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for tail in tails.iter().chain(&["and more bytes than a head has"]) {
                let mut key = Vec::new();
                push_text(&mut key, format!("{common}{tail}").as_bytes());
                keys.push(key);
            }
            keys.push(vec![1]);
            let window = Window { start: Timestamp(0), end: Timestamp(1) };
            let mut fired = Fired::new(0, window, 0, Vec::new());
            keys.iter().for_each(|key| fired.push(key));
            let mut printed = Vec::new();
            fired.each(|pane| printed.push(pane.key.to_vec()));
            keys.sort();
            assert_eq!(printed, keys, "{common}");
        }
    }
}
