//! What leaves the engine: panes, late drops, bad records.

use super::fill::Filling;
use super::fired::Fired;
use crate::aggregate::Accumulator;
use crate::event::{BadRecord, EventBatch, RecordSpan};
use crate::time::Timestamp;
use crate::window::Window;

/// When a pane is printed in the life of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// When the watermark reaches the window's end.
    OnTime,
    /// After that, for an event within the allowed lateness.
    Late,
    /// Before that.
    Early,
    /// What the pane before said is taken back; another follows at once.
    Retract,
}

impl Timing {
    /// The word in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Timing::OnTime => "on_time",
            Timing::Late => "late",
            Timing::Early => "early",
            Timing::Retract => "retract",
        }
    }
}

/// One row to print.
#[derive(Clone, Copy, Debug)]
pub struct Pane<'a> {
    /// Which of the windows asked for, in the order of the command line.
    pub spec: usize,
    /// The window; without bounds, the times of its first and its last event.
    pub window: Window,
    /// What a window without bounds has instead (T8).
    pub events: Option<Events>,
    /// The key, encoded as in [`crate::event::key`].
    pub key: &'a [u8],
    /// When it is printed.
    pub timing: Timing,
    /// 0 for the first pane of this window and key, then 1, 2, …
    pub revision: u32,
    /// The accumulators of the row.
    pub row: &'a [Accumulator],
    /// Bounds of printed sessions that this one has absorbed or extended, in order (T7).
    pub replaces: &'a [Window],
    /// Of a silent window: what its row says instead (`--fill`).
    pub filled: Option<Filling>,
}

/// What a row of a window without bounds tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// Counts the panes of a key from 0 (`count:N`).
    pub seq: Option<u64>,
    /// Whether it was cut short by the end of input.
    pub is_partial: bool,
}

/// A record that is reported, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Its batch.
    pub batch: &'a EventBatch,
    /// Where it stands in it.
    pub span: RecordSpan,
    /// Its first line, from 1.
    pub line: u64,
}

impl RecordRef<'_> {
    /// Where it begins in its input, in bytes.
    pub fn offset(&self) -> u64 {
        self.batch.offset + u64::from(self.span.text.start)
    }
}

/// An event all of whose windows are gone (T4).
#[derive(Clone, Copy, Debug)]
pub struct LateDrop<'a> {
    /// For which of the windows asked for.
    pub spec: usize,
    /// The record.
    pub record: RecordRef<'a>,
    /// Its event time.
    pub time: Timestamp,
    /// Its key, encoded.
    pub key: &'a [u8],
    /// The watermark it was judged against.
    pub watermark: Timestamp,
}

/// Takes what the engine says, in order. Writing and its errors are the implementor's.
pub trait Emit {
    /// A row.
    fn pane(&mut self, pane: &Pane<'_>);

    /// Whether [`Emit::window`] is better than as many panes.
    fn takes_windows(&self) -> bool {
        false
    }

    /// All rows of a window at once.
    fn window(&mut self, mut fired: Fired) {
        fired.each(|pane| self.pane(pane));
    }

    /// A late drop.
    fn late_drop(&mut self, drop: &LateDrop<'_>);
    /// A bad record.
    fn bad_record(&mut self, record: RecordRef<'_>, bad: &BadRecord);
}
