//! Rows of accumulators by key: the state of one slice, or of a node above several.

use super::keys::{KeyId, Keys};
use crate::aggregate::{Accumulator, plan::AggregatePlan};
use hashbrown::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

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
    rows: IdMap<u32>,
    cells: Vec<Accumulator>,
}

/// What a row costs beside its accumulators: its id, and its place in the map.
const ROW_BYTES: usize = size_of::<KeyId>() + size_of::<(KeyId, u32)>() + 1;

fn row_bytes(plan: &AggregatePlan) -> usize {
    plan.width() * size_of::<Accumulator>() + ROW_BYTES
}

impl Table {
    /// The row of a key, new if it has none.
    #[inline]
    pub fn row_of(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> &mut [Accumulator] {
        let row = self.place_of(id, plan, keys);
        self.row_mut(row, plan)
    }

    /// As [`Table::row_of`], for the table of this slice, where keys remember their places.
    #[inline]
    pub fn row_in_slice(&mut self, slice: i64, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> &mut [Accumulator] {
        let row = match keys.noted_row(id, slice) {
            Some(row) => row as usize,
            None => {
                let row = self.place_of(id, plan, keys);
                keys.note_row(id, slice, row as u32);
                row
            }
        };
        self.row_mut(row, plan)
    }

    #[inline]
    fn place_of(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> usize {
        match self.rows.get(&id) {
            Some(row) => *row as usize,
            None => self.push(id, plan, keys),
        }
    }

    #[cold]
    fn push(&mut self, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) -> usize {
        keys.hold(id);
        keys.size.grow(row_bytes(plan));
        self.rows.insert(id, self.ids.len() as u32);
        self.ids.push(id);
        plan.push_row(&mut self.cells);
        self.ids.len() - 1
    }

    /// The number of a key's row.
    pub fn find(&self, id: KeyId) -> Option<usize> {
        self.rows.get(&id).map(|row| *row as usize)
    }

    /// The accumulators of a row.
    #[inline]
    pub fn row(&self, row: usize, plan: &AggregatePlan) -> &[Accumulator] {
        &self.cells[row * plan.width()..(row + 1) * plan.width()]
    }

    #[inline]
    fn row_mut(&mut self, row: usize, plan: &AggregatePlan) -> &mut [Accumulator] {
        &mut self.cells[row * plan.width()..(row + 1) * plan.width()]
    }

    /// Ends the table and its uses of keys.
    pub fn release(self, plan: &AggregatePlan, keys: &mut Keys) {
        keys.size.shrink(self.ids.len() * row_bytes(plan));
        for id in self.ids {
            keys.release(id);
        }
    }
}
