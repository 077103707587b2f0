//! Slices and the nodes above them: how overlapping windows share their work.
//!
//! Level 0 holds one table per slice that has events. A node of level `n` at position `i` merges
//! the slices `[i * 2^n, (i + 1) * 2^n)`. A window of any length is a run of slices, and a run is
//! at most `2 * log2(length)` nodes, always the same ones: what a row is merged from is fixed by
//! position and never by history (T9). Nodes are built when a window first needs them, so all their
//! slices have ended; a late event then brings the nodes above its slice up to date.

use super::keys::{KeyId, Keys};
use super::table::Table;
use crate::aggregate::plan::{AggregatePlan, merge_rows};
use crate::codec::Damaged;
use std::collections::BTreeMap;
use std::ops::Range;

/// Tables by level and position.
#[derive(Debug)]
pub struct SliceTree {
    levels: Vec<BTreeMap<i64, Table>>,
    /// Whether changes of slices are noted.
    is_tracked: bool,
    /// Whether there are other nodes above slices than at the last save.
    has_other_nodes: bool,
    /// Rows of the slice that left last, of so many accumulators: the next ones will have about as many.
    last_rows: usize,
    width: usize,
}

/// A place in the tree.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// How many doublings of a slice it is.
    pub level: usize,
    /// Which one of its level.
    pub position: i64,
}

impl Node {
    fn slices(self) -> Range<i64> {
        self.position << self.level..(self.position + 1) << self.level
    }

    fn children(self) -> [Node; 2] {
        [0, 1].map(|side| Node { level: self.level - 1, position: self.position * 2 + side })
    }
}

/// The nodes that make up a run of slices, from left to right.
fn cover(run: Range<i64>, levels: usize) -> impl Iterator<Item = Node> {
    let mut from = run.start;
    std::iter::from_fn(move || {
        let left = run.end - from;
        if left <= 0 {
            return None;
        }
        let level = (from.trailing_zeros()).min(left.ilog2()).min(levels as u32 - 1) as usize;
        let node = Node { level, position: from >> level };
        from += 1 << level;
        Some(node)
    })
}

impl SliceTree {
    /// A tree for windows of so many slices.
    pub fn new(slices_per_window: i64) -> SliceTree {
        let levels = slices_per_window.ilog2() as usize + 1;
        let levels = (0..levels).map(|_| BTreeMap::new()).collect();
        SliceTree { levels, is_tracked: false, has_other_nodes: false, last_rows: 0, width: 0 }
    }

    /// Notes from now on what changes.
    pub fn track(&mut self) {
        self.is_tracked = true;
    }

    /// The table of a slice, new if it has none.
    pub fn slice_mut(&mut self, slice: i64) -> &mut Table {
        let (is_tracked, rows) = (self.is_tracked, self.last_rows);
        self.levels[0].entry(slice).or_insert_with(|| Table::of_slice(slice, rows + rows / 8, self.width, is_tracked))
    }

    /// The table of a slice, to be changed.
    pub fn slice_of(&mut self, slice: i64) -> Option<&mut Table> {
        self.levels[0].get_mut(&slice)
    }

    /// The table of a slice.
    pub fn slice(&self, slice: i64) -> Option<&Table> {
        self.levels[0].get(&slice)
    }

    /// The first slice from `from` on that has events.
    pub fn first_from(&self, from: i64) -> Option<i64> {
        self.levels[0].range(from..).next().map(|(slice, _)| *slice)
    }

    /// The slices from `from` on that have events, with their tables.
    pub fn slices_from(&self, from: i64) -> impl DoubleEndedIterator<Item = (i64, &Table)> {
        self.levels[0].range(from..).map(|(slice, table)| (*slice, table))
    }

    /// Takes the table of a slice out. `gone` gets the group that its rows were saved in.
    pub fn take(&mut self, slice: i64, gone: &mut Vec<u64>) -> Option<Table> {
        let table = self.levels[0].remove(&slice)?;
        (self.last_rows, self.width) = (table.ids.len(), table.width());
        gone.extend(table.saved_group());
        Some(table)
    }

    /// Drops the slices before `first`, and the nodes that begin before it: no window that is kept
    /// needs them. `gone` gets the groups that their rows were saved in.
    pub fn purge_before(&mut self, first: i64, plan: &AggregatePlan, keys: &mut Keys, gone: &mut Vec<u64>) {
        for (level, tables) in self.levels.iter_mut().enumerate() {
            while let Some(entry) = tables.first_entry()
                && *entry.key() << level < first
            {
                let table = entry.remove();
                if level == 0 {
                    (self.last_rows, self.width) = (table.ids.len(), table.width());
                }
                gone.extend(table.saved_group());
                self.has_other_nodes |= level > 0;
                table.release(plan, keys);
            }
        }
    }

    /// The nodes above slices, if there are others than at the last save.
    pub fn other_nodes(&mut self) -> Option<Vec<Node>> {
        if !std::mem::take(&mut self.has_other_nodes) {
            return None;
        }
        let levels = self.levels.iter().enumerate().skip(1);
        Some(levels.flat_map(|(level, tables)| tables.keys().map(move |&position| Node { level, position })).collect())
    }

    /// Adds the table of a slice that is restored.
    ///
    /// # Errors
    /// It is there.
    pub fn insert(&mut self, slice: i64, mut table: Table) -> Result<(), Damaged> {
        table.set_slice(slice);
        match self.levels[0].insert(slice, table) {
            None => Ok(()),
            Some(_) => Err(Damaged("a slice is there twice")),
        }
    }

    /// Builds the nodes anew that were there, when all slices are.
    ///
    /// # Errors
    /// They cannot have been.
    pub fn restore_nodes(&mut self, nodes: &[Node], plan: &AggregatePlan, keys: &mut Keys) -> Result<(), Damaged> {
        let first_and_last = || Some((*self.levels[0].first_key_value()?.0, *self.levels[0].last_key_value()?.0));
        let Some((first, last)) = first_and_last() else {
            return if nodes.is_empty() { Ok(()) } else { Err(Damaged("a node has no slices")) };
        };
        for node in nodes {
            let is_level = (1..self.levels.len()).contains(&node.level);
            if !is_level || !(first >> node.level..=last >> node.level).contains(&node.position) {
                return Err(Damaged("a node has no slices"));
            }
            self.ensure(*node, plan, keys);
        }
        self.has_other_nodes = false;
        Ok(())
    }

    /// The tables that make up a run of slices that have all ended, from left to right; their
    /// rows, merged in this order, are the run's.
    pub fn tables<'a>(
        &'a mut self,
        run: Range<i64>,
        plan: &AggregatePlan,
        keys: &mut Keys,
    ) -> impl Iterator<Item = &'a Table> + use<'a> {
        let levels = self.levels.len();
        for node in cover(run.clone(), levels) {
            self.ensure(node, plan, keys);
        }
        cover(run, levels).filter_map(|node| self.levels[node.level].get(&node.position))
    }

    /// Builds a node that is missing, unless its slices are empty.
    fn ensure(&mut self, node: Node, plan: &AggregatePlan, keys: &mut Keys) {
        if node.level == 0 || self.levels[node.level].contains_key(&node.position) {
            return;
        }
        if self.levels[0].range(node.slices()).next().is_none() {
            return;
        }
        let mut table = Table::default();
        for child in node.children() {
            self.ensure(child, plan, keys);
            if let Some(part) = self.levels[child.level].get(&child.position) {
                for (row, id) in part.ids.iter().enumerate() {
                    merge_rows(table.row_of(*id, plan, keys), part.row(row, plan));
                }
            }
        }
        self.levels[node.level].insert(node.position, table);
        self.has_other_nodes = true;
    }

    /// Brings the nodes above a slice up to date with the row of one key that has changed there.
    pub fn refresh_above(&mut self, slice: i64, id: KeyId, plan: &AggregatePlan, keys: &mut Keys) {
        for level in 1..self.levels.len() {
            let node = Node { level, position: slice >> level };
            if !self.levels[level].contains_key(&node.position) {
                continue;
            }
            let mut fresh = Vec::with_capacity(plan.width());
            plan.push_row(&mut fresh);
            for child in node.children() {
                // The child may have been empty when the node was built.
                self.ensure(child, plan, keys);
                if let Some(part) = self.levels[child.level].get(&child.position)
                    && let Some(row) = part.find(id, keys)
                {
                    merge_rows(&mut fresh, part.row(row, plan));
                }
            }
            if let Some(table) = self.levels[level].get_mut(&node.position) {
                table.row_of(id, plan, keys).clone_from_slice(&fresh);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_covered_once_in_order_by_few_aligned_nodes() {
        for start in -70..70 {
            for length in 1..70 {
                let nodes: Vec<_> = cover(start..start + length, length.ilog2() as usize + 1).collect();
                let slices: Vec<_> = nodes.iter().flat_map(|node| node.slices()).collect();
                assert_eq!(slices, (start..start + length).collect::<Vec<_>>());
                assert!(nodes.len() <= 2 * (length.ilog2() as usize + 1));
            }
        }
    }
}
