//! Tumbling and sliding windows, which share one arithmetic: a tumbling window slides by its size.
//!
//! Slices are those of paired windows (Krishnamurthy, Wu and Franklin, "On-the-fly sharing for
//! streamed aggregation", SIGMOD 2006): the time line is cut where any window starts or ends. If
//! the slide divides the size, a slide is one slice; else it is two, cut at the remainder. A slide
//! larger than the size leaves every second slice a hole that no window covers (T6).

use super::cumulative::Cumulative;
use super::every::Moments;
use super::{SliceId, Window, WindowId, grid::Grid};
use crate::time::Timestamp;
use std::ops::Range;

/// Assigns an event time to its slice, and slices to windows.
#[derive(Clone, Debug)]
pub enum Sliced {
    /// Tumbling and sliding windows, all of one size.
    Even(Even),
    /// Windows that grow.
    Cumulative(Cumulative),
}

/// Windows of one size.
#[derive(Clone, Debug)]
pub struct Even {
    grid: Grid,
    /// Window length in units of the grid.
    size: i128,
    /// Distance between window starts in units of the grid.
    slide: i128,
    /// Where a slide is cut in two; 0 if it is not.
    cut: i128,
    /// Slices of one slide: 1 or 2.
    per_slide: i64,
    /// Slices of one window.
    per_window: i64,
}

/// A slice and the times it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its position.
    pub id: SliceId,
    /// Its first moment, and the first one after it, cut off at the ends of the range of time.
    pub bounds: Window,
}

impl Sliced {
    /// Windows of `size` units that start every `slide` units. Both are positive.
    pub fn new(grid: Grid, size: i64, slide: i64) -> Sliced {
        Sliced::Even(Even::new(grid, size, slide))
    }

    /// How many slices a window has, at the most.
    pub fn slices_per_window(&self) -> i64 {
        match self {
            Sliced::Even(even) => even.per_window,
            Sliced::Cumulative(cumulative) => cumulative.slices_per_window(),
        }
    }

    /// The slice that holds `time`; `None` if a bound of one of its windows is beyond the range of
    /// time (T1).
    pub fn slice(&self, time: Timestamp) -> Option<Slice> {
        match self {
            Sliced::Even(even) => even.slice(time),
            Sliced::Cumulative(cumulative) => cumulative.slice(time),
        }
    }

    /// The windows that a slice belongs to; none for a hole. The slice is one that
    /// [`Sliced::slice`] has given.
    pub fn windows(&self, slice: SliceId) -> Range<WindowId> {
        match self {
            Sliced::Even(even) => even.windows(slice),
            Sliced::Cumulative(cumulative) => cumulative.windows(slice),
        }
    }

    /// The slices that make up a window.
    pub fn slices(&self, window: WindowId) -> Range<i64> {
        match self {
            Sliced::Even(even) => even.slices(window),
            Sliced::Cumulative(cumulative) => cumulative.slices(window),
        }
    }

    /// The bounds of a window, cut off at the ends of the range of time: a window that holds an
    /// event lies within it.
    pub fn window(&self, window: WindowId) -> Window {
        match self {
            Sliced::Even(even) => even.window(window),
            Sliced::Cumulative(cumulative) => cumulative.window(window),
        }
    }

    /// The first window that ends after `time`.
    pub fn first_ending_after(&self, time: Timestamp) -> WindowId {
        match self {
            Sliced::Even(even) => even.first_ending_after(time),
            Sliced::Cumulative(cumulative) => cumulative.first_ending_after(time),
        }
    }
}

impl Even {
    /// The moments at which windows start.
    pub fn starts(self) -> Moments {
        // A slide was an i64 when it was given.
        Moments { grid: self.grid, length: self.slide as i64 }
    }

    /// Windows of `size` units that start every `slide` units. Both are positive.
    fn new(grid: Grid, size: i64, slide: i64) -> Even {
        assert!(size > 0 && slide > 0, "window sizes are checked when the specification is read");
        let cut = i128::from(size % slide);
        let per_slide = if cut == 0 { 1 } else { 2 };
        let per_window = size / slide * per_slide + i64::from(cut > 0);
        Even { grid, size: size.into(), slide: slide.into(), cut, per_slide, per_window }
    }

    fn slice(&self, time: Timestamp) -> Option<Slice> {
        let unit = self.grid.unit(time);
        let turn = unit.div_euclid(self.slide);
        let begins = turn * self.slide;
        let second = self.cut > 0 && unit - begins >= self.cut;
        let position = i64::try_from(turn).ok()?.checked_mul(self.per_slide)? + i64::from(second);
        let id = SliceId(position);
        let windows = self.checked_windows(id)?;
        if !windows.is_empty() {
            self.checked_window(windows.start)?;
            self.checked_window(WindowId(windows.end.0 - 1))?;
        }
        let from = if second { begins + self.cut } else { begins };
        let to = if second || self.cut == 0 { begins + self.slide } else { begins + self.cut };
        let start = self.grid.start(from).unwrap_or(Timestamp::MIN);
        let end = self.grid.start(to).unwrap_or(Timestamp::MAX);
        Some(Slice { id, bounds: Window { start, end } })
    }

    #[inline]
    fn windows(&self, slice: SliceId) -> Range<WindowId> {
        let turn = slice.0.div_euclid(self.per_slide);
        WindowId(turn - self.reach(slice))..WindowId(turn + 1)
    }

    fn checked_windows(&self, slice: SliceId) -> Option<Range<WindowId>> {
        let turn = slice.0.div_euclid(self.per_slide);
        Some(WindowId(turn.checked_sub(self.reach(slice))?)..WindowId(turn.checked_add(1)?))
    }

    /// How many windows before the one that starts in its slide still cover a slice; -1 for a hole.
    #[inline]
    fn reach(&self, slice: SliceId) -> i64 {
        // Window k has the slices from k * per_slide on, per_window of them.
        let place = slice.0.rem_euclid(self.per_slide);
        (self.per_window - 1 - place).div_euclid(self.per_slide)
    }

    #[inline]
    fn slices(&self, window: WindowId) -> Range<i64> {
        let first = window.0.saturating_mul(self.per_slide);
        first..first.saturating_add(self.per_window)
    }

    fn checked_window(&self, window: WindowId) -> Option<Window> {
        let begins = i128::from(window.0) * self.slide;
        Some(Window { start: self.grid.start(begins)?, end: self.grid.start(begins + self.size)? })
    }

    fn window(&self, window: WindowId) -> Window {
        let begins = i128::from(window.0) * self.slide;
        Window {
            start: self.grid.start(begins).unwrap_or(Timestamp::MIN),
            end: self.grid.start(begins + self.size).unwrap_or(Timestamp::MAX),
        }
    }

    fn first_ending_after(&self, time: Timestamp) -> WindowId {
        // A bound lies after `time` when its unit comes after the one that holds `time`.
        let first = (self.grid.unit(time) - self.size).div_euclid(self.slide) + 1;
        WindowId(first.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    /// Sizes and slides that divide and do not, with and without holes.
    const SHAPES: [(i64, i64); 9] = [(1, 1), (10, 10), (10, 2), (10, 3), (10, 7), (7, 10), (1, 10), (5, 4), (12, 5)];

    fn assigners() -> impl Iterator<Item = (Sliced, i64, i64, i64)> {
        SHAPES.into_iter().flat_map(|(size, slide)| {
            [0, 1, -1].map(|offset| (Sliced::new(Grid::Nanos(Span(offset)), size, slide), size, slide, offset))
        })
    }

    #[test]
    fn t6_the_windows_of_a_slice_are_those_that_hold_its_times() {
        for (assigner, size, slide, offset) in assigners() {
            for time in -60..60 {
                let slice = assigner.slice(Timestamp(time)).expect("in range");
                assert!(slice.bounds.start.0 <= time && time < slice.bounds.end.0);
                let windows = assigner.windows(slice.id);
                let got: Vec<_> =
                    (windows.start.0..windows.end.0).map(|k| assigner.window(WindowId(k)).start.0).collect();
                let expected: Vec<_> = (-100..100)
                    .filter(|start| (start - offset).rem_euclid(slide) == 0 && *start <= time && time < start + size)
                    .collect();
                assert_eq!(got, expected, "size {size} slide {slide} offset {offset} time {time}");
            }
        }
    }

    #[test]
    fn a_window_is_exactly_its_slices() {
        for (assigner, size, _, _) in assigners() {
            for k in -8..8 {
                let window = assigner.window(WindowId(k));
                assert_eq!(window.end.0 - window.start.0, size);
                let of_times: std::collections::BTreeSet<_> = (window.start.0..window.end.0)
                    .map(|t| assigner.slice(Timestamp(t)).expect("in range").id.0)
                    .collect();
                assert_eq!(of_times.into_iter().collect::<Vec<_>>(), assigner.slices(WindowId(k)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_first_window_after_a_time_ends_after_it_and_the_one_before_does_not() {
        for (assigner, ..) in assigners() {
            for time in -60..60 {
                let first = assigner.first_ending_after(Timestamp(time));
                assert!(assigner.window(first).end.0 > time);
                assert!(assigner.window(WindowId(first.0 - 1)).end.0 <= time);
            }
        }
    }

    #[test]
    fn t1_a_window_bound_beyond_i64_is_refused() {
        let assigner = Sliced::new(Grid::Nanos(Span(0)), 10, 10);
        assert!(assigner.slice(Timestamp::MAX).is_none());
        assert!(assigner.slice(Timestamp::MIN).is_none());
        assert!(assigner.slice(Timestamp(i64::MAX - 10)).is_some());
        assert!(assigner.slice(Timestamp(i64::MIN + 10)).is_some());
    }

    #[test]
    fn t6_months_slide_by_the_calendar() {
        let quarters = Sliced::new(Grid::Months(Span(0)), 3, 1);
        let leap_day = crate::time::civil::days_from_civil(2024, 2, 29) * crate::time::DAY;
        let slice = quarters.slice(Timestamp(leap_day)).expect("in range");
        let starts: Vec<_> = (quarters.windows(slice.id).start.0..quarters.windows(slice.id).end.0)
            .map(|k| crate::time::civil::civil_from_days(quarters.window(WindowId(k)).start.0 / crate::time::DAY))
            .collect();
        assert_eq!(starts, [(2023, 12, 1), (2024, 1, 1), (2024, 2, 1)]);
    }
}
