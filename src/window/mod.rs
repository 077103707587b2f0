//! Windows: which ones an event time belongs to. Knows no keys, no values and no watermark.
//!
//! Every window here is a run of *slices*, the pieces that windows share: an event is added to one
//! slice, whatever the overlap. Slices and windows are numbered along the time line, so that which
//! windows a slice belongs to, and which slices a window, is arithmetic. Sessions have no slices:
//! [`session`].

pub mod cumulative;
pub mod every;
pub mod grid;
pub mod local;
pub mod session;
pub mod sliced;
pub mod spec;

use crate::codec::{Damaged, Reader, put, put_signed};
use crate::time::Timestamp;

/// `[start, end)` in event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first moment that belongs to it.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Window {
    /// Appends the bounds.
    pub fn save(&self, out: &mut Vec<u8>) {
        put_signed(out, self.start.0);
        put(out, self.end.0.wrapping_sub(self.start.0) as u64);
    }

    /// The bounds that were saved; the end is not before the start.
    ///
    /// # Errors
    /// They are damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Window, Damaged> {
        let (start, length) = (bytes.signed()?, bytes.number()?);
        let end = start.checked_add_unsigned(length).ok_or(Damaged("a window ends beyond the range of time"))?;
        Ok(Window { start: Timestamp(start), end: Timestamp(end) })
    }
}

/// Position of a slice on its assigner's time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceId(pub i64);

/// Position of a window on its assigner's time line: a later one starts and ends later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowId(pub i64);
