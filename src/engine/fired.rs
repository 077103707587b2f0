//! All rows of a window that nothing will come to any more: they leave the engine as a whole, so that somebody else can
//! put them in order and write them while it goes on.

use super::AHEAD;
use super::pane::{Pane, Timing};
use super::sorting::{Sorted, sort_by_key};
use crate::aggregate::Accumulator;
use crate::event::column::HEAD;
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
    /// Keys that are longer than their heads.
    long: Vec<Box<[u8]>>,
    /// The rows in order of key (N6), once they are sorted.
    order: Vec<Sorted<u32>>,
}

/// A key whose first bytes are at hand.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// See [`head`](crate::event::column::head).
    head: [u8; HEAD],
    /// Its length, or if its head is not all of it more than that by its number among those.
    place: u32,
}

/// The place of the first key that is longer than its head.
const LONG: u32 = HEAD as u32 + 1;

impl Fired {
    /// Rows of a window, of so many accumulators each, whose keys are [pushed](Fired::push) in their order.
    pub fn new(spec: usize, window: Window, width: usize, cells: Vec<Accumulator>) -> Fired {
        let rows = cells.len().checked_div(width).unwrap_or(0);
        Fired { spec, window, width, cells, keys: Vec::with_capacity(rows), long: Vec::new(), order: Vec::new() }
    }

    /// Adds the key of the next row, which is so long and no longer than its head.
    #[inline]
    pub fn push(&mut self, head: &[u8; HEAD], length: u8) {
        self.keys.push(Key { head: *head, place: length.into() });
    }

    /// Adds the key of the next row, which is longer than its head.
    pub fn push_long(&mut self, head: &[u8; HEAD], key: Box<[u8]>) {
        self.keys.push(Key { head: *head, place: LONG + self.long.len() as u32 });
        self.long.push(key);
    }

    fn key(&self, row: u32) -> &[u8] {
        let Key { head, place } = &self.keys[row as usize];
        match place.checked_sub(LONG) {
            None => &head[..*place as usize],
            Some(long) => &self.long[long as usize],
        }
    }

    fn row(&self, row: u32) -> &[Accumulator] {
        &self.cells[row as usize * self.width..][..self.width]
    }

    /// Puts the rows in order, which whoever prints them need not do then.
    pub fn sort(&mut self) {
        let mut order: Vec<_> = (0..self.keys.len() as u32).map(|row| (0, row)).collect();
        sort_by_key(&mut order, |row| &self.keys[row as usize].head, |row| self.key(row));
        self.order = order;
    }

    /// Hands out the panes in the order in which they are printed.
    pub fn each(&mut self, mut take: impl FnMut(&Pane<'_>)) {
        if self.order.is_empty() {
            self.sort();
        }
        for group in self.order.chunks(AHEAD) {
            // In the order of keys they lie anywhere in memory. Looked at side by side they are waited for once.
            for (_, row) in group {
                let cells = self.row(*row);
                let last = cells.last().map(discriminant);
                black_box((cells.first().map(discriminant), last, self.keys[*row as usize].place));
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
