//! Where the records of a group's rows are. Most groups number their rows on and on from 0: those are found without a
//! search and take eight bytes each.

use hashbrown::HashMap;

/// Where the record of a live piece begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its chunk; the low half of the number tells the chunks of one log apart.
    pub chunk: u32,
    /// Bytes of the record; 0 stands for none.
    pub length: u32,
}

/// The places of a group's rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those of the first rows.
    first: Vec<Place>,
    /// Those of rows that were far beyond the others when they came.
    others: HashMap<u64, Place, foldhash::fast::FixedState>,
    count: u64,
}

/// Rows up to this one are among the first, and from there on those up to twice the number of rows: few places stay empty.
const FIRST: u64 = 16;

impl Rows {
    /// The place of a row.
    pub(super) fn get(&self, row: u64) -> Option<Place> {
        match self.first.get(row as usize) {
            Some(place) if place.length > 0 => Some(*place),
            _ if self.others.is_empty() => None,
            _ => self.others.get(&row).copied(),
        }
    }

    /// The row is there from now on. Where it was before, if it was.
    pub(super) fn insert(&mut self, row: u64, place: Place) -> Option<Place> {
        if let Some(known) = self.slot(row) {
            return Some(std::mem::replace(known, place));
        }
        self.count += 1;
        if row <= FIRST.max(2 * self.count) {
            let row = row as usize;
            if self.first.len() <= row {
                self.first.resize(row + 1, Place::default());
            }
            self.first[row] = place;
        } else {
            self.others.insert(row, place);
        }
        None
    }

    /// The row is gone. Where it was, if it was there.
    pub(super) fn remove(&mut self, row: u64) -> Option<Place> {
        let place = std::mem::take(self.slot(row)?);
        self.others.remove(&row);
        self.count -= 1;
        Some(place)
    }

    /// The place of a row that is there.
    fn slot(&mut self, row: u64) -> Option<&mut Place> {
        match self.first.get_mut(row as usize) {
            Some(place) if place.length > 0 => Some(place),
            _ if self.others.is_empty() => None,
            _ => self.others.get_mut(&row),
        }
    }

    /// Whether no row is there.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All places, in any order.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.first.iter().filter(|place| place.length > 0).chain(self.others.values()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn rows_are_where_a_map_has_them() {
        let mut random = 7u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (random >> 33) % limit
        };
        for limit in [5, 40, 1_000, u64::MAX >> 34] {
            let (mut rows, mut map) = (Rows::default(), BTreeMap::new());
            for round in 1..4_000u32 {
                let row = below(limit);
                match below(3) {
                    0 => assert_eq!(rows.remove(row), map.remove(&row)),
                    _ => {
                        let place = Place { chunk: round, length: round };
                        assert_eq!(rows.insert(row, place), map.insert(row, place));
                    }
                }
                let row = below(limit);
                assert_eq!(rows.get(row), map.get(&row).copied());
                assert_eq!(rows.is_empty(), map.is_empty());
            }
            let mut places: Vec<u32> = rows.places().map(|place| place.chunk).collect();
            let mut expected: Vec<u32> = map.values().map(|place| place.chunk).collect();
            places.sort_unstable();
            expected.sort_unstable();
            assert_eq!(places, expected, "{limit}");
            assert!(rows.first.len() < 10_000);
        }
    }

    #[test]
    fn rows_from_0_on_take_no_search() {
        let mut rows = Rows::default();
        for row in 0..10_000 {
            rows.insert(row, Place { chunk: 1, length: 1 });
        }
        assert!(rows.others.is_empty() && rows.first.len() == 10_000);
    }
}
