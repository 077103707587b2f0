//! Cumulative windows (Flink's `CUMULATE`): all windows of a cycle begin with it, and one ends at each step.
//!
//! Slices are steps, and a window is the run of steps from the beginning of its cycle. Windows are
//! numbered by the step that they end with.

use super::sliced::Slice;
use super::{SliceId, Window, WindowId, grid::Grid};
use crate::time::Timestamp;
use std::ops::Range;

/// Assigns an event time to its step, and steps to windows.
#[derive(Clone, Debug)]
pub struct Cumulative {
    cycles: Scale,
    steps: Scale,
    steps_per_cycle: i64,
}

/// Stretches of equal length, in units of a grid.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Where they begin.
    pub grid: Grid,
    /// How many units one has.
    pub length: i64,
}

impl Scale {
    fn position(&self, time: Timestamp) -> i64 {
        let position = self.grid.unit(time).div_euclid(self.length.into());
        position.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    fn start(&self, position: i64) -> Option<Timestamp> {
        self.grid.start(i128::from(position) * i128::from(self.length))
    }
}

impl Cumulative {
    /// Windows that grow by a step until a cycle ends. Cycles begin where steps do; one has at most so many.
    pub fn new(cycles: Scale, steps: Scale, steps_per_cycle: i64) -> Cumulative {
        Cumulative { cycles, steps, steps_per_cycle }
    }

    /// How many slices a window has at the most.
    pub fn slices_per_window(&self) -> i64 {
        self.steps_per_cycle
    }

    /// The slice that holds `time`; `None` if a bound of one of its windows is beyond the range of time (T1).
    pub fn slice(&self, time: Timestamp) -> Option<Slice> {
        let step = self.steps.position(time);
        let cycle = self.cycles.position(time);
        self.cycles.start(cycle)?;
        self.cycles.start(cycle.checked_add(1)?)?;
        let bounds = Window { start: self.steps.start(step)?, end: self.steps.start(step.checked_add(1)?)? };
        Some(Slice { id: SliceId(step), bounds })
    }

    /// The windows that a slice belongs to: those of its cycle that end with it or later.
    pub fn windows(&self, slice: SliceId) -> Range<WindowId> {
        let end = self.cycles.start(self.cycle(slice.0).saturating_add(1));
        let after = end.map_or(slice.0.saturating_add(1), |end| self.steps.position(end));
        WindowId(slice.0)..WindowId(after)
    }

    /// The slices that make up a window.
    pub fn slices(&self, window: WindowId) -> Range<i64> {
        let first = self.cycles.start(self.cycle(window.0)).map_or(window.0, |start| self.steps.position(start));
        first..window.0.saturating_add(1)
    }

    /// The bounds of a window, cut off at the ends of the range of time.
    pub fn window(&self, window: WindowId) -> Window {
        Window {
            start: self.cycles.start(self.cycle(window.0)).unwrap_or(Timestamp::MIN),
            end: self.steps.start(window.0.saturating_add(1)).unwrap_or(Timestamp::MAX),
        }
    }

    /// The first window that ends after `time`.
    pub fn first_ending_after(&self, time: Timestamp) -> WindowId {
        WindowId(self.steps.position(time))
    }

    /// The cycle that a step lies in.
    fn cycle(&self, step: i64) -> i64 {
        self.cycles.position(self.steps.start(step).unwrap_or(if step < 0 { Timestamp::MIN } else { Timestamp::MAX }))
    }
}
