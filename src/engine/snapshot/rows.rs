//! Things by key, such as the cells of a window: in the order in which the keys came, which is their row among pieces.

use super::{Damaged, Marks};
use crate::engine::keys::KeyId;
use crate::engine::table::IdMap;

/// Things by key. None goes before all do.
#[derive(Debug)]
pub struct Rows<T> {
    ids: Vec<KeyId>,
    items: Vec<T>,
    places: IdMap<u32>,
    /// What has changed, if that is noted.
    marks: Option<Box<Marks>>,
    /// The row of each while they are restored, in any order.
    order: Vec<u32>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Rows { ids: Vec::new(), items: Vec::new(), places: IdMap::default(), marks: None, order: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// Notes from now on what changes.
    pub fn track(&mut self) {
        self.marks = Some(Box::default());
    }

    /// The row of a key, new if it has none.
    #[inline]
    pub fn row_of(&mut self, id: KeyId, make: impl FnOnce() -> T) -> usize {
        let row = *self.places.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.items.push(make());
            self.ids.len() as u32 - 1
        });
        row as usize
    }

    /// The row of a key.
    pub fn find(&self, id: KeyId) -> Option<usize> {
        self.places.get(&id).map(|row| *row as usize)
    }

    /// What is in a row, to be changed; and whether nothing else has since the last save.
    #[inline]
    pub fn change(&mut self, row: usize) -> (&mut T, bool) {
        let is_first = self.marks.as_mut().is_some_and(|marks| marks.set(row));
        (&mut self.items[row], is_first)
    }

    /// Keys and what is theirs, in the order of rows.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, &T)> {
        self.ids.iter().copied().zip(&self.items)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The group that the rows are saved in, if changes are noted; 0 before the first save.
    pub fn group(&self) -> Option<u64> {
        self.marks.as_ref().map(|marks| marks.group)
    }

    /// As [`Rows::group`], to be changed, of rows that are tracked from now on.
    pub fn group_mut(&mut self) -> &mut u64 {
        &mut self.marks.get_or_insert_default().group
    }

    /// Hands out what has changed.
    pub fn drain(&mut self, mut each: impl FnMut(usize, KeyId, &T)) {
        if let Some(marks) = &mut self.marks {
            marks.drain(|row| each(row, self.ids[row], &self.items[row]));
        }
    }

    /// Takes a row that is restored, of those that the key holds.
    pub fn restore(&mut self, row: u64, id: KeyId, item: T) -> Result<(), Damaged> {
        self.order.push(u32::try_from(row).map_err(|_| Damaged("a row has an impossible number"))?);
        self.ids.push(id);
        self.items.push(item);
        Ok(())
    }

    /// All rows have come.
    pub fn assemble(&mut self) -> Result<(), Damaged> {
        let order = std::mem::take(&mut self.order);
        arrange(order, |a, b| {
            self.ids.swap(a, b);
            self.items.swap(a, b);
        })?;
        self.places = places(&self.ids)?;
        Ok(())
    }
}

/// Where the rows of keys are.
pub fn places(ids: &[KeyId]) -> Result<IdMap<u32>, Damaged> {
    let places: IdMap<u32> = ids.iter().copied().zip(0..).collect();
    if places.len() == ids.len() { Ok(places) } else { Err(Damaged("a key has two rows in one table")) }
}

/// Puts rows into order. `order` tells which one lies in each place; together they must be all from 0 on.
pub fn arrange(mut order: Vec<u32>, mut swap: impl FnMut(usize, usize)) -> Result<(), Damaged> {
    let mut is_there = vec![false; order.len()];
    for row in &order {
        match is_there.get_mut(*row as usize) {
            Some(is_there) if !*is_there => *is_there = true,
            _ => return Err(Damaged("rows of a table are missing")),
        }
    }
    for place in 0..order.len() {
        while order[place] as usize != place {
            let row = order[place] as usize;
            swap(place, row);
            order.swap(place, row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_any_order_and_none_may_be_missing() {
        for (order, is_whole) in [
            (vec![], true),
            (vec![0, 1, 2], true),
            (vec![2, 0, 1, 4, 3], true),
            (vec![3, 2, 1, 0], true),
            (vec![0, 2], false),
            (vec![0, 0], false),
            (vec![u32::MAX], false),
        ] {
            let mut rows = order.clone();
            let arranged = arrange(order.clone(), |a, b| rows.swap(a, b));
            assert_eq!(arranged.is_ok(), is_whole, "{order:?}");
            assert!(!is_whole || rows.is_sorted(), "{order:?} became {rows:?}");
        }
    }
}
