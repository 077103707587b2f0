//! Counters: plain numbers that add up. Who prints them is not their business.

use crate::time::Timestamp;

/// What happened so far.
///
/// Three sums hold at any moment: `records = blank + headers + bad + duplicates + punctuation + filtered + events`,
/// `events = added + late_drops + unwindowed + key_drops`, `panes = on_time + late + early + retract`.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Records taken: lines of NDJSON, rows of CSV.
    pub records: u64,
    /// Blank lines.
    pub blank: u64,
    /// CSV headers, the first of each file and repeated ones.
    pub headers: u64,
    /// Bad records (E1).
    pub bad: u64,
    /// Events whose id was seen before (`--dedup`), which are none.
    pub duplicates: u64,
    /// Records that do not pass `--where`.
    pub filtered: u64,
    /// Records that move the watermark and are no events (`--punctuate`).
    pub punctuation: u64,
    /// Records whose time, key and values were read.
    pub events: u64,
    /// Of them, those at a local time that the clocks showed twice.
    pub ambiguous_time: u64,
    /// Events added to at least one window.
    pub added: u64,
    /// Events all of whose windows were gone (T4).
    pub late_drops: u64,
    /// Events that belong to no window, because the slide is larger than the size (T6).
    pub unwindowed: u64,
    /// Events dropped because their key was one too many (`--key-limit`).
    pub key_drops: u64,
    /// Of the events added, those folded into the row of others for that.
    pub folded: u64,
    /// Pairs of an added event and one of its windows that was gone (T4).
    pub late_refused: u64,
    /// Rows printed.
    pub panes: u64,
    /// Of them, on time.
    pub on_time: u64,
    /// Of those, for windows without events (`--fill`).
    pub filled: u64,
    /// Of the rows, late.
    pub late: u64,
    /// Of them, early.
    pub early: u64,
    /// Of them, those that take back another.
    pub retract: u64,
    /// Bytes of the records taken.
    pub bytes: u64,
    /// The watermark; `None` before the first event.
    pub watermark: Option<Timestamp>,
    /// The largest event time.
    pub max_event_time: Option<Timestamp>,
    /// Windows, per key, that hold events and have not been printed.
    pub open_windows: u64,
    /// Size of the windows' state.
    pub state: StateSize,
    /// The largest single advance of the watermark (T11).
    pub runaway: Option<Advance>,
    /// With several `-w`, what each has counted for itself.
    pub windows: Vec<Counters>,
}

/// The largest single advance of `W` after its first value (T11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The input, in the order of the command line.
    pub source: u32,
    /// The line of the record that caused it.
    pub line: u64,
    /// `W` before.
    pub from: Timestamp,
    /// `W` after.
    pub to: Timestamp,
    /// Late drops since that would not have been any if `W` had stayed.
    pub later_drops: u64,
}

impl Counters {
    /// What is counted, in an order that never changes: new ones come last. The rest is made of it, or not counted here.
    pub fn counts(&mut self) -> [&mut u64; 22] {
        let Counters {
            records,
            blank,
            headers,
            bad,
            duplicates,
            punctuation,
            filtered,
            events,
            ambiguous_time,
            added,
            late_drops,
            unwindowed,
            key_drops,
            folded,
            late_refused,
            panes,
            on_time,
            filled,
            late,
            early,
            retract,
            bytes,
            watermark: _,
            max_event_time: _,
            open_windows: _,
            state: _,
            runaway: _,
            windows: _,
        } = self;
        [
            records,
            blank,
            headers,
            bad,
            duplicates,
            events,
            ambiguous_time,
            added,
            late_drops,
            unwindowed,
            key_drops,
            folded,
            late_refused,
            panes,
            on_time,
            late,
            early,
            retract,
            bytes,
            punctuation,
            filtered,
            filled,
        ]
    }

    /// Adds up what the windows have counted for themselves.
    pub fn add_windows(&mut self) {
        for window in &self.windows {
            self.added += window.added;
            self.late_drops += window.late_drops;
            self.unwindowed += window.unwindowed;
            self.late_refused += window.late_refused;
            self.key_drops += window.key_drops;
            self.folded += window.folded;
            self.panes += window.panes;
            self.on_time += window.on_time;
            self.filled += window.filled;
            self.late += window.late;
            self.early += window.early;
            self.retract += window.retract;
            self.state.bytes += window.state.bytes;
            self.state.peak += window.state.peak;
        }
    }
}

/// Bytes held for windows and keys, and the most there were at any moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateSize {
    /// Now.
    pub bytes: u64,
    /// At the most.
    pub peak: u64,
}

impl StateSize {
    /// More state.
    #[inline]
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.peak = self.peak.max(self.bytes);
    }

    /// Less state.
    pub fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }
}
