//! When rows are printed before their window ends: after so many events, or at moments (`every:100`, `every:15m`).

use super::grid::Grid;
use crate::time::Timestamp;

/// `every:N` or `every:DUR`.
#[derive(Clone, Debug)]
pub enum Every {
    /// After so many events of a key and window.
    Events(u64),
    /// When the watermark reaches or passes such a moment.
    Moments(Moments),
}

/// The moments on a grid, so many of its units apart.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Where they lie.
    pub grid: Grid,
    /// Units from one to the next.
    pub length: i64,
}

impl Moments {
    /// The first moment after `time`; the end of time if there is none.
    pub fn next_after(&self, time: Timestamp) -> Timestamp {
        let length = i128::from(self.length);
        let next = (self.grid.unit(time).div_euclid(length) + 1) * length;
        self.grid.start(next).unwrap_or(Timestamp::MAX)
    }
}
