//! The table that the rows of a run make in the end, as far as it must be the same for any order of arrival
//! (`--check-order`).

use super::RowShape;
use super::final_table::{FinalTable, Tolerance};
use crate::engine::pane::{Emit, LateDrop, Pane, RecordRef};
use crate::event::BadRecord;
use crate::window::spec::WindowSpec;

/// The rows, without those of windows by count and the columns that depend on arrival.
#[derive(Debug)]
pub struct WholeTable {
    table: FinalTable,
    /// Which of the windows asked for are taken.
    takes: Vec<bool>,
}

/// How far results that are not exact may be apart.
const NEAR: Tolerance = Tolerance::OfFloats(1e-9);

impl WholeTable {
    /// No rows yet.
    pub fn new(shape: &RowShape, windows: &[WindowSpec]) -> WholeTable {
        let takes = windows.iter().map(WholeTable::can_take).collect();
        WholeTable { table: FinalTable::of_any_order(shape.clone()), takes }
    }

    /// Whether windows of a kind have rows that do not depend on the order of arrival.
    pub fn can_take(window: &WindowSpec) -> bool {
        !matches!(window, WindowSpec::Count(_))
    }

    /// Takes the next row.
    pub fn take(&mut self, pane: &Pane<'_>) {
        if self.takes[pane.spec] {
            self.table.take(pane);
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.table.count() as u64
    }

    /// What differs from another, for people; the first so many differences, and how many there are.
    pub fn differences_from(&self, other: &WholeTable) -> (Vec<String>, usize) {
        self.table.differences_from(&other.table, NEAR)
    }
}

impl Emit for WholeTable {
    fn pane(&mut self, pane: &Pane<'_>) {
        self.take(pane);
    }

    /// It was said where the record stands.
    fn late_drop(&mut self, _drop: &LateDrop<'_>) {}

    /// The same.
    fn bad_record(&mut self, _record: RecordRef<'_>, _bad: &BadRecord) {}
}
