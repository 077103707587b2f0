//! Which record moved the watermark farthest, and what that cost (T11): one stamp from the far future makes all that
//! follow it late.

use crate::metrics::Advance;
use crate::time::Timestamp;

/// Keeps the largest advance. Of equal ones the first counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runaway {
    largest: Option<Advance>,
    /// Its length in nanoseconds.
    length: u64,
}

impl Runaway {
    /// Notes an advance; `place` tells the source and line if they are to be kept.
    #[inline]
    pub fn note(&mut self, from: Timestamp, to: Timestamp, place: impl FnOnce() -> (u32, u64)) {
        let length = to.0.wrapping_sub(from.0) as u64;
        if length > self.length && from > Timestamp::MIN {
            let (source, line) = place();
            self.length = length;
            self.largest = Some(Advance { source, line, from, to, later_drops: 0 });
        }
    }

    /// Notes a late drop; `is_accepted` tells whether it would have been taken at a watermark.
    pub fn note_drop(&mut self, is_accepted: impl FnOnce(Timestamp) -> bool) {
        if let Some(advance) = &mut self.largest {
            advance.later_drops += u64::from(is_accepted(advance.from));
        }
    }

    /// The largest advance so far.
    pub fn largest(&self) -> Option<Advance> {
        self.largest
    }
}
