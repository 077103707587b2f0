//! All rows of a window that nothing will come to any more: they leave the engine as a whole, so that somebody else can
//! put them in order and write them while it goes on. Where keys are shared out, those of each share are a part.

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
    /// Each key has its row in one of them.
    parts: Vec<Part>,
}

/// Some of the rows of a window.
#[derive(Debug)]
pub struct Part {
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

impl Part {
    /// Rows of so many accumulators each, whose keys are [pushed](Part::push) in their order.
    pub fn new(width: usize, cells: Vec<Accumulator>) -> Part {
        let rows = cells.len().checked_div(width).unwrap_or(0);
        Part { width, cells, keys: Vec::with_capacity(rows), long: Vec::new(), order: Vec::new() }
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

    fn sort(&mut self) {
        if self.order.is_empty() {
            let mut order: Vec<_> = (0..self.keys.len() as u32).map(|row| (0, row)).collect();
            sort_by_key(&mut order, |row| &self.keys[row as usize].head, |row| self.key(row));
            self.order = order;
        }
    }

    /// Looks at rows that come next. In the order of keys they lie anywhere in memory; looked at side by side they are waited
    /// for once.
    #[inline]
    fn look_at(&self, rows: &[Sorted<u32>]) {
        for (_, row) in rows {
            let cells = self.row(*row);
            let last = cells.last().map(discriminant);
            black_box((cells.first().map(discriminant), last, self.keys[*row as usize].place));
        }
    }
}

/// How far the rows of a part have been handed out.
struct Reading<'a> {
    part: &'a Part,
    /// The place of the next row in their order.
    next: usize,
    /// What its key begins with, as a number that orders as the bytes do.
    head: u128,
}

impl Reading<'_> {
    /// Looks at the next row; false if there is none.
    #[inline]
    fn begin_row(&mut self) -> bool {
        let Some(rows) = self.part.order.get(self.next..).filter(|rows| !rows.is_empty()) else { return false };
        if self.next.is_multiple_of(AHEAD) {
            self.part.look_at(&rows[..rows.len().min(AHEAD)]);
        }
        self.head = u128::from_be_bytes(self.part.keys[rows[0].1 as usize].head);
        true
    }

    fn row(&self) -> u32 {
        self.part.order[self.next].1
    }

    /// Whether its next row comes before another's.
    #[inline]
    fn is_before(&self, other: &Reading<'_>) -> bool {
        let by_head = self.head.cmp(&other.head);
        by_head.then_with(|| self.part.key(self.row()).cmp(other.part.key(other.row()))).is_lt()
    }
}

impl Fired {
    /// The rows of a window, all in one part.
    pub fn new(spec: usize, window: Window, part: Part) -> Fired {
        Fired { spec, window, parts: vec![part] }
    }

    /// The window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.keys.len()).sum()
    }

    /// Accumulators in all rows.
    pub fn cells(&self) -> usize {
        self.parts.iter().map(|part| part.cells.len()).sum()
    }

    /// Adds rows of the same window and of other keys.
    pub fn join(&mut self, other: Fired) {
        self.parts.extend(other.parts);
    }

    /// Puts the rows in order, which whoever prints them need not do then.
    pub fn sort(&mut self) {
        self.parts.iter_mut().for_each(Part::sort);
    }

    /// Hands out the panes in the order in which they are printed.
    pub fn each(&mut self, mut take: impl FnMut(&Pane<'_>)) {
        self.sort();
        if let [part] = self.parts.as_slice() {
            for group in part.order.chunks(AHEAD) {
                part.look_at(group);
                group.iter().for_each(|(_, row)| take(&self.pane(part, *row)));
            }
            return;
        }
        let mut readings: Vec<_> = self.parts.iter().map(|part| Reading { part, next: 0, head: 0 }).collect();
        readings.retain_mut(Reading::begin_row);
        while !readings.is_empty() {
            let first = (1..readings.len())
                .fold(0, |first, other| if readings[other].is_before(&readings[first]) { other } else { first });
            let reading = &mut readings[first];
            take(&self.pane(reading.part, reading.row()));
            reading.next += 1;
            if !reading.begin_row() {
                readings.swap_remove(first);
            }
        }
    }

    #[inline]
    fn pane<'a>(&'a self, part: &'a Part, row: u32) -> Pane<'a> {
        Pane {
            spec: self.spec,
            window: self.window,
            events: None,
            key: part.key(row),
            timing: Timing::OnTime,
            revision: 0,
            row: part.row(row),
            replaces: &[],
            filled: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::column::head;
    use crate::event::key::push_text;
    use crate::time::Timestamp;

    #[test]
    fn n6_the_rows_of_all_parts_come_in_one_order() {
        let mut state = 5u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..300 {
            let (count, common) = (1 + random(5), random(20));
            let mut parts: Vec<_> = (0..count).map(|_| Part::new(0, Vec::new())).collect();
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for number in 0..random(200) {
                let mut key = Vec::new();
                push_text(&mut key, format!("{}{}", "x".repeat(common), number * 7919 % 1009).as_bytes());
                let part = &mut parts[random(count)];
                match key.len() > HEAD {
                    true => part.push_long(&head(&key), key.as_slice().into()),
                    false => part.push(&head(&key), key.len() as u8),
                }
                keys.push(key);
            }
            let window = Window { start: Timestamp(0), end: Timestamp(10) };
            let mut fired = parts.into_iter().map(|part| Fired::new(0, window, part));
            let mut whole = fired.next().expect("at least one");
            fired.for_each(|other| whole.join(other));
            assert_eq!(whole.rows(), keys.len());
            let mut printed = Vec::new();
            whole.each(|pane| printed.push(pane.key.to_vec()));
            keys.sort();
            assert_eq!(printed, keys, "round {round}");
        }
    }
}
