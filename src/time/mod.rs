//! Event time: instants, spans and the arithmetic on them (T1).
//!
//! Nothing here looks at a clock; text is read in [`parse`] and written in [`format`](mod@format).

pub mod advice;
pub mod civil;
pub mod format;
pub mod parse;
pub mod pattern;
pub mod year;
pub mod zone;

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a day of 24 hours.
pub const DAY: i64 = 86_400 * SECOND;

/// A moment of event time: nanoseconds since 1970-01-01T00:00:00Z, negative before (T1).
///
/// [`Timestamp::MIN`] and [`Timestamp::MAX`] double as the watermark's two infinities: no window
/// ends at either of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// 1677-09-21T00:12:43.145224192Z, and "minus infinity" for a watermark.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// 2262-04-11T23:47:16.854775807Z, and "plus infinity" for a watermark.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// This moment moved by `span`, or `None` beyond the range of `i64`.
    pub fn checked_add(self, span: Span) -> Option<Timestamp> {
        self.0.checked_add(span.0).map(Timestamp)
    }

    /// This moment moved forward, stopping at [`Timestamp::MAX`].
    #[inline]
    pub fn saturating_add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// This moment moved back, stopping at [`Timestamp::MIN`].
    #[inline]
    pub fn saturating_sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

/// A length of event time in nanoseconds; negative where that has a meaning (`--offset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
}
