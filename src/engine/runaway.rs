//! Which record moved the watermark farthest, and what that cost (T11): one stamp from the far future makes all that
//! follow it late.

use crate::codec::{Damaged, Reader, put, put_signed};
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

    /// Whether an advance by so many nanoseconds would be kept.
    pub fn is_larger(&self, length: u64) -> bool {
        length > self.length
    }

    /// Notes a late drop; `is_accepted` tells whether it would have been taken at a watermark.
    pub fn note_drop(&mut self, is_accepted: impl FnOnce(Timestamp) -> bool) {
        if let Some(advance) = &mut self.largest {
            advance.later_drops += u64::from(is_accepted(advance.from));
        }
    }

    /// Appends what is known.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.largest.is_some()));
        if let Some(Advance { source, line, from, to, later_drops }) = self.largest {
            put(out, u64::from(source));
            put(out, line);
            put_signed(out, from.0);
            put_signed(out, to.0);
            put(out, later_drops);
        }
    }

    /// What was saved.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Runaway, Damaged> {
        if !bytes.flag()? {
            return Ok(Runaway::default());
        }
        let source = u32::try_from(bytes.number()?).map_err(|_| Damaged("a source has an impossible number"))?;
        let line = bytes.count()?;
        let (from, to) = (Timestamp(bytes.signed()?), Timestamp(bytes.signed()?));
        let largest = Some(Advance { source, line, from, to, later_drops: bytes.count()? });
        Ok(Runaway { largest, length: to.0.wrapping_sub(from.0) as u64 })
    }

    /// The largest advance so far.
    pub fn largest(&self) -> Option<Advance> {
        self.largest
    }
}
