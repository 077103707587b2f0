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
use std::collections::BTreeMap;
use std::ops::Range;

/// Tables by level and position.
#[derive(Debug)]
pub struct SliceTree {
    levels: Vec<BTreeMap<i64, Table>>,
}

/// A place in the tree.
#[derive(Clone, Copy, Debug)]
struct Node {
    level: usize,
    position: i64,
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
        SliceTree { levels: (0..levels).map(|_| BTreeMap::new()).collect() }
    }

    /// The table of a slice, new if it has none.
    pub fn slice_mut(&mut self, slice: i64) -> &mut Table {
        self.levels[0].entry(slice).or_default()
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

    /// Drops the slices before `first`, and the nodes that begin before it: no window that is kept
    /// needs them.
    pub fn purge_before(&mut self, first: i64, plan: &AggregatePlan, keys: &mut Keys) {
        for (level, tables) in self.levels.iter_mut().enumerate() {
            while let Some(entry) = tables.first_entry()
                && *entry.key() << level < first
            {
                entry.remove().release(plan, keys);
            }
        }
    }

    /// The tables that make up a run of slices that have all ended, from left to right; their
    /// rows, merged in this order, are the run's.
    pub fn tables(&mut self, run: Range<i64>, plan: &AggregatePlan, keys: &mut Keys) -> impl Iterator<Item = &Table> {
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
                    && let Some(row) = part.find(id)
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
