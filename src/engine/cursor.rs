//! Batches that are not taken at once: the records of other inputs come between theirs, or they are not due yet.

use crate::event::{Aside, EventBatch, PlacedAside};
use std::ops::Range;

/// How far a batch has been taken, where that is not done at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    asides: usize,
    pub(super) events: usize,
    /// Events that may be taken now, if not all.
    until: Option<usize>,
    /// Bytes of it that have been counted.
    counted: u64,
    /// Whether it is taken whoever's turn it is.
    pub(super) is_whole: bool,
    is_done: bool,
}

/// What of a batch comes next.
pub(super) enum Next<'a> {
    /// What stands between events; the cursor is behind it.
    Aside(&'a PlacedAside),
    /// At least one event, up to what stands between events or may not be taken yet; the cursor is before them.
    Events(Range<usize>),
    /// Others are to be taken first.
    Later,
    /// Nothing is left.
    Nothing,
}

impl Cursor {
    /// All of a batch is taken at once.
    pub fn whole() -> Cursor {
        Cursor { is_whole: true, ..Cursor::default() }
    }

    /// Whether all of the batch has been taken.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// The event that is next.
    pub fn next_event(&self) -> usize {
        self.events
    }

    /// Lets the events before this one be taken, and what stands before each of them; all that is left if there is none
    /// behind.
    pub fn stop_at(&mut self, event: usize) {
        self.until = Some(event);
    }

    /// Bytes of the batch up to the end of the line of the record taken last; up to the end of that record if it has
    /// stopped the run.
    pub fn bytes(&self) -> u64 {
        self.counted
    }

    /// What comes next, if it is the turn of this batch.
    pub(super) fn next<'a>(&mut self, batch: &'a EventBatch, is_its_turn: bool) -> Next<'a> {
        let placed = batch.asides.get(self.asides);
        let events_end = placed.map_or(batch.times.len(), |placed| placed.before_event as usize);
        match placed {
            None if self.events == events_end => Next::Nothing,
            _ if !is_its_turn || self.has_reached(batch) => Next::Later,
            Some(placed) if self.events == events_end => {
                self.asides += 1;
                self.events += usize::from(matches!(placed.aside, Aside::Unplaceable(_)));
                Next::Aside(placed)
            }
            _ => Next::Events(self.events..self.end(batch, events_end)),
        }
    }

    /// Whether no more may be taken now.
    fn has_reached(&self, batch: &EventBatch) -> bool {
        self.until.is_some_and(|until| until <= self.events && until < batch.times.len())
    }

    /// Where the events end that may be taken now, of those before `end`.
    fn end(&self, batch: &EventBatch, end: usize) -> usize {
        self.until.filter(|until| *until < batch.times.len()).map_or(end, |until| end.min(until))
    }

    /// Bytes that were counted when a part was taken, and are counted anew with the next.
    pub(super) fn take_counted(&mut self) -> u64 {
        std::mem::take(&mut self.counted)
    }

    /// The run has stopped behind so many bytes.
    pub(super) fn stopped(&mut self, bytes: u64) {
        self.counted = bytes;
    }

    /// Others are to be taken before the rest. Returns the bytes of what has been.
    pub(super) fn paused(&mut self, batch: &EventBatch) -> u64 {
        self.counted = self.end_of_line(batch);
        self.counted
    }

    /// There is nothing left.
    pub(super) fn finish(&mut self) {
        self.is_done = true;
    }

    /// Where the line of the record taken last ends: one that moved the watermark, an event or punctuation.
    fn end_of_line(&self, batch: &EventBatch) -> u64 {
        let event = self.events.checked_sub(1).map(|last| batch.records[last].text);
        let event = event.map_or(0, |text| (text.start + text.len) as usize);
        let aside = self.asides.checked_sub(1).map_or(0, |last| batch.asides[last].end as usize);
        let end = event.max(aside);
        let (before, rest) = batch.bytes.split_at(end.min(batch.bytes.len()));
        // Blank lines and headers end with their line ends.
        if before.last().is_none_or(|last| *last == b'\n') {
            return end as u64;
        }
        (end + memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1)) as u64
    }
}
