//! Rows of accumulators by key: the state of one slice, or of a node above several.

use super::AHEAD;
use super::behind::Behind;
use super::fired::Fired;
use super::keys::{KeyId, Keys};
use super::snapshot::Marks;
use crate::aggregate::{Accumulator, plan::AggregatePlan};
use crate::window::{Window, WindowId};
use hashbrown::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::mem::discriminant;

/// Key ids are small integers given out in order: one multiplication spreads them well enough.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    #[inline]
    fn write_u32(&mut self, id: u32) {
        // Fibonacci hashing: 2^64 over the golden ratio (Knuth, TAOCP 3, section 6.4).
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// A map from key ids.
pub type IdMap<V> = HashMap<KeyId, V, BuildHasherDefault<IdHasher>>;

/// Rows by key, in the order in which the keys came.
#[derive(Debug, Default)]
pub struct Table {
    /// The key of each row.
    pub ids: Vec<KeyId>,
    /// The slice that it is of, if it is of one: then keys remember where their rows are.
    slice: Option<i64>,
    /// The rows of keys that do not.
    pub(super) rows: IdMap<u32>,
    pub(super) cells: Vec<Accumulator>,
    /// What came behind the watermark, by row.
    pub(super) behind: Option<Box<HashMap<u32, Behind>>>,
    /// Which rows have changed since the last save, if that is noted.
    pub(super) marks: Option<Box<Marks>>,
}

/// What a row costs beside its accumulators: its id, and its place in the map if it has one.
const ROW_BYTES: usize = size_of::<KeyId>() + size_of::<(KeyId, u32)>() + 1;

pub(super) fn row_bytes(plan: &AggregatePlan) -> usize {
    plan.width() * size_of::<Accumulator>() + ROW_BYTES
}

impl Table {
    /// No rows yet; about so many will come, of so many accumulators.
    pub fn of_slice(slice: i64, rows: usize, width: usize, is_tracked: bool) -> Table {
        Table {
            ids: Vec::with_capacity(rows),
            slice: Some(slice),
            rows: IdMap::default(),
            cells: Vec::with_capacity(rows * width),
            behind: None,
            marks: is_tracked.then(Box::default),
        }
    }

    /// Accumulators of a row.
    pub fn width(&self) -> usize {
        self.cells.len().checked_div(self.ids.len()).unwrap_or(0)
    }

    /// The row of a key in a table that is of no slice, new if it has none.
    #[inline]
    pub fn row_of(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> &mut [Accumulator] {
        let row = match self.rows.get(&id) {
            Some(row) => *row as usize,
            None => {
                self.rows.insert(id, self.ids.len() as u32);
                self.push(id, plan, keys)
            }
        };
        self.row_mut(row, plan)
    }

    /// The number of the row of a key that does not remember it, new if it has none. It remembers it from then on; what it
    /// remembered instead is returned, for [`Table::remember`] of that slice.
    #[cold]
    pub fn place_in_slice(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> (usize, Option<(i64, u32)>) {
        let row = self.rows.get(&id).map(|row| *row as usize).unwrap_or_else(|| self.push(id, plan, keys));
        (row, self.slice.and_then(|slice| keys.note_row(id, slice, row as u32)))
    }

    /// Remembers a row whose key does no more.
    pub fn remember(&mut self, id: KeyId, row: u32) {
        self.rows.insert(id, row);
    }

    /// Notes of which slice it is, once it is restored.
    pub fn set_slice(&mut self, slice: i64) {
        self.slice = Some(slice);
    }

    /// Notes that a row has changed. True if nothing else has since the last save.
    #[inline]
    pub fn mark(&mut self, row: usize) -> bool {
        self.marks.as_mut().is_some_and(|marks| marks.set(row))
    }

    /// The group of pieces that its rows were saved in, if they were.
    pub fn saved_group(&self) -> Option<u64> {
        self.marks.as_ref().map(|marks| marks.group).filter(|group| *group > 0)
    }

    /// Notes an event behind the watermark: the first one of its row, or not.
    pub fn note_behind(&mut self, row: usize, unfired: WindowId, is_first_of_row: bool) {
        self.behind.get_or_insert_default().entry(row as u32).or_default().note(unfired, is_first_of_row);
    }

    /// What came to a row behind the watermark.
    pub fn behind(&self, row: usize) -> Option<&Behind> {
        self.behind.as_ref()?.get(&(row as u32))
    }

    #[inline]
    fn push(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> usize {
        keys.hold(id);
        keys.size.grow(row_bytes(plan));
        self.ids.push(id);
        plan.push_row(&mut self.cells);
        self.ids.len() - 1
    }

    /// The number of a key's row.
    pub fn find(&self, id: KeyId, keys: &Keys) -> Option<usize> {
        let noted = self.slice.and_then(|slice| keys.noted_row(id, slice));
        noted.or_else(|| self.rows.get(&id).copied()).map(|row| row as usize)
    }

    /// The accumulators of a row.
    #[inline]
    pub fn row(&self, row: usize, plan: &AggregatePlan) -> &[Accumulator] {
        &self.cells[row * plan.width()..(row + 1) * plan.width()]
    }

    /// Looks at a row, so that it is near when it is needed.
    #[inline]
    pub fn look_at(&self, row: u32, plan: &AggregatePlan) {
        let row = self.row(row as usize, plan);
        black_box((row.first().map(discriminant), row.last().map(discriminant)));
    }

    #[inline]
    pub fn row_mut(&mut self, row: usize, plan: &AggregatePlan) -> &mut [Accumulator] {
        &mut self.cells[row * plan.width()..(row + 1) * plan.width()]
    }

    /// Ends the table: its rows leave as those of a window, and its uses of keys end.
    pub fn hand_over(self, spec: usize, window: Window, plan: &AggregatePlan, keys: &mut Keys) -> Fired {
        keys.size.shrink(self.ids.len() * row_bytes(plan));
        let mut fired = Fired::new(spec, window, plan.width(), self.cells);
        for group in self.ids.chunks(AHEAD) {
            // They lie anywhere in memory. Looked at side by side they are waited for once.
            for id in group {
                black_box(keys.look_at(*id));
            }
            group.iter().for_each(|id| keys.hand_over(*id, &mut fired));
        }
        fired
    }

    /// Ends the table and its uses of keys.
    pub fn release(self, plan: &AggregatePlan, keys: &mut Keys) {
        keys.size.shrink(self.ids.len() * row_bytes(plan));
        for group in self.ids.chunks(AHEAD) {
            for id in group {
                black_box(keys.look_at(*id));
            }
            group.iter().for_each(|id| keys.release(*id));
        }
    }
}
