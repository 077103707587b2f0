//! Session windows: an event opens `[t, t + gap)`, and windows of a key that overlap or touch
//! are one (T7). Which sessions exist depends on the events, so they are kept by the engine.

use super::Window;
use crate::time::{Span, Timestamp};

/// Assigns an event time to the window it opens.
#[derive(Clone, Copy, Debug)]
pub struct Sessions {
    gap: Span,
}

impl Sessions {
    /// Sessions that end after more than `gap` of silence. The gap is positive.
    pub fn new(gap: Span) -> Sessions {
        assert!(gap > Span::ZERO, "gaps are checked when the specification is read");
        Sessions { gap }
    }

    /// The window an event opens; `None` if it ends beyond the range of time (T1).
    #[inline]
    pub fn window(&self, time: Timestamp) -> Option<Window> {
        Some(Window { start: time, end: time.checked_add(self.gap)? })
    }
}

impl Window {
    /// Whether two session windows are one: they overlap or touch, so that a silence of exactly
    /// the gap still merges (T7; Flink's `TimeWindow.intersects`).
    #[inline]
    pub fn touches(&self, other: &Window) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The smallest window that covers both.
    #[inline]
    pub fn cover(&self, other: &Window) -> Window {
        Window { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
