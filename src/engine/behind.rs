//! Rows to which events came when windows of theirs had fired: which windows have printed a key on time, and how many
//! late panes there have been. The revisions of panes follow from it, so that it is all that is saved of them.

use crate::codec::{Damaged, Reader, put};
use crate::window::WindowId;
use smallvec::SmallVec;
use std::ops::Range;

/// What happened to a row behind the watermark.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    /// Whether its first event came so, and no window that had fired then has printed it on time.
    is_born_late: bool,
    /// Events that printed late panes: the first window that had not fired when they came, and their number.
    events: SmallVec<[(WindowId, u64); 1]>,
}

impl Behind {
    /// An event came; `unfired` is the first window that had not fired.
    pub fn note(&mut self, unfired: WindowId, is_first_of_row: bool) {
        self.is_born_late |= is_first_of_row;
        match self.events.last_mut() {
            Some((last, count)) if *last == unfired => *count += 1,
            _ => self.events.push((unfired, 1)),
        }
    }

    /// The first window that has printed the row on time or will, if that is not the first of its slice.
    pub fn born(&self) -> Option<WindowId> {
        self.events.first().filter(|_| self.is_born_late).map(|(unfired, _)| *unfired)
    }

    /// Events that printed late panes of windows before one: of this row, in ascending order.
    pub fn events(&self) -> impl Iterator<Item = (WindowId, u64)> {
        self.events.iter().copied()
    }

    /// Appends what is there; `first` is the first window of the slice.
    pub fn save(&self, first: WindowId, out: &mut Vec<u8>) {
        put(out, (self.events.len() as u64) << 1 | u64::from(self.is_born_late));
        for (unfired, count) in &self.events {
            put(out, unfired.0.wrapping_sub(first.0) as u64);
            put(out, *count);
        }
    }

    /// What was saved; windows are counted from the first of the slice.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Option<Behind>, Damaged> {
        let head = bytes.number()?;
        if head == 0 {
            return Ok(None);
        }
        let mut behind = Behind { is_born_late: head & 1 == 1, events: SmallVec::new() };
        for _ in 0..head >> 1 {
            let unfired = i64::try_from(bytes.number()?).map_err(|_| Damaged("a window has an impossible number"))?;
            behind.events.push((WindowId(unfired), bytes.count()?));
        }
        let is_sorted = behind.events.is_sorted_by(|(a, _), (b, _)| a < b);
        if behind.events.is_empty() || !is_sorted {
            return Err(Damaged("late events are not in order"));
        }
        Ok(Some(behind))
    }

    /// Counts windows from the epoch again. `windows` are those of the slice.
    ///
    /// # Errors
    /// It is damaged.
    pub fn place(&mut self, windows: &Range<WindowId>) -> Result<(), Damaged> {
        for (unfired, _) in &mut self.events {
            let placed = windows.start.0.checked_add(unfired.0).filter(|placed| *placed <= windows.end.0);
            unfired.0 = placed.ok_or(Damaged("a late event is of another slice"))?;
        }
        Ok(())
    }
}

/// Windows that have printed a key on time.
#[derive(Debug)]
pub struct OnTime(Vec<Range<WindowId>>);

impl OnTime {
    /// Those of all its rows.
    pub fn of(rows: impl Iterator<Item = Range<WindowId>>) -> OnTime {
        let mut runs: Vec<_> = rows.filter(|run| !run.is_empty()).collect();
        runs.sort_unstable_by_key(|run| run.start);
        // Rows of neighbouring slices have nearly the same windows.
        runs.dedup_by(|next, run| {
            let is_joined = next.start <= run.end;
            if is_joined {
                run.end = run.end.max(next.end);
            }
            is_joined
        });
        OnTime(runs)
    }

    /// Whether a window is one of them.
    pub fn has(&self, window: WindowId) -> bool {
        let before = self.0.partition_point(|run| run.start <= window);
        before > 0 && window < self.0[before - 1].end
    }
}
