//! What engines with a [share](super::shard) of the work have to say, and how it becomes one again: in the order in which an
//! engine alone would have said it.

use super::pane::{Emit, LateDrop, Pane, RecordRef, Timing};
use crate::aggregate::Accumulator;
use crate::event::column::head;
use crate::event::{BadRecord, EventBatch};
use crate::time::Timestamp;
use crate::window::Window;
use std::ops::Range;

/// When in a batch something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    event: u32,
    step: Step,
}

/// What is done about an event, in order (T2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// What stands before it is counted.
    Before,
    /// It is judged and added.
    Add,
    /// The watermark advances, and windows fire.
    Fire,
}

impl Moment {
    /// When the input has ended.
    pub const END: Moment = Moment { event: u32::MAX, step: Step::Fire };

    /// Before an event of the batch, or behind all of them.
    pub fn before(event: usize) -> Moment {
        Moment { event: event as u32, step: Step::Before }
    }

    /// While an event is judged.
    #[inline]
    pub fn of(event: usize) -> Moment {
        Moment { event: event as u32, step: Step::Add }
    }

    /// When the watermark has heard of it.
    pub fn after(event: usize) -> Moment {
        Moment { event: event as u32, step: Step::Fire }
    }
}

/// Some of what a share of a batch has to say, in order.
#[derive(Debug, Default)]
pub struct Report {
    entries: Vec<Entry>,
    /// The accumulators of panes.
    cells: Vec<Accumulator>,
    /// The keys of panes.
    keys: Vec<u8>,
    /// What panes replace.
    replaces: Vec<Window>,
    /// Rows that are written already.
    text: Vec<u8>,
    /// The entry that is next to be told.
    next: usize,
    /// Whether nothing more is said of the batch.
    pub is_last: bool,
}

#[derive(Debug)]
struct Entry {
    at: Moment,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A pane that is written already.
    Row {
        window: Window,
        key: Range<usize>,
        text: Range<usize>,
    },
    Pane {
        window: Window,
        timing: Timing,
        revision: u32,
        key: Range<usize>,
        cells: Range<usize>,
        replaces: Range<usize>,
    },
    LateDrop {
        watermark: Timestamp,
        line: u64,
    },
    Bad {
        bad: Box<BadRecord>,
        line: u64,
    },
}

/// A report of more is given away in pieces, so that memory stays bounded: of so many accumulators or entries, or bytes of
/// keys and text.
const FULL: usize = 1 << 12;
const FULL_OF_BYTES: usize = 1 << 18;

impl Report {
    fn is_full(&self) -> bool {
        self.cells.len().max(self.entries.len()) >= FULL || self.keys.len() + self.text.len() >= FULL_OF_BYTES
    }

    /// Whether all of it has been told.
    fn is_told(&self) -> bool {
        self.next >= self.entries.len()
    }

    fn push(&mut self, at: Moment, what: What) {
        self.entries.push(Entry { at, what });
    }

    /// What decides when the next entry is told, if there is one.
    #[inline]
    fn front(&self, share: usize) -> Option<Front> {
        let Entry { at, what } = self.entries.get(self.next)?;
        let (window, key) = match what {
            What::Row { window, key, .. } | What::Pane { window, key, .. } => (*window, &self.keys[key.clone()]),
            What::LateDrop { .. } | What::Bad { .. } => {
                (Window { start: Timestamp::MIN, end: Timestamp::MIN }, &[][..])
            }
        };
        let head = u128::from_be_bytes(head(key));
        Some(Front { order: (*at, window.end, window.start, head), share })
    }

    /// The key of the next entry, if it has one.
    #[cold]
    fn key(&self) -> &[u8] {
        match self.entries.get(self.next).map(|entry| &entry.what) {
            Some(What::Row { key, .. } | What::Pane { key, .. }) => &self.keys[key.clone()],
            _ => &[],
        }
    }

    /// Tells the next entry.
    fn tell(&mut self, batch: Option<&EventBatch>, emit: &mut dyn TakeRows) {
        let Some(Entry { at, what }) = self.entries.get(self.next) else { return };
        self.next += 1;
        match (what, batch) {
            (What::Row { text, .. }, _) => emit.rows(&self.text[text.clone()]),
            (What::Pane { window, timing, revision, key, cells, replaces }, _) => emit.pane(&Pane {
                spec: 0,
                window: *window,
                events: None,
                key: &self.keys[key.clone()],
                timing: *timing,
                revision: *revision,
                row: &self.cells[cells.clone()],
                replaces: &self.replaces[replaces.clone()],
                filled: None,
            }),
            (What::LateDrop { watermark, line }, Some(batch)) => {
                let event = at.event as usize;
                let record = RecordRef { batch, span: batch.records[event], line: *line };
                let (time, key) = (batch.times[event], batch.keys.get(event).0);
                emit.late_drop(&LateDrop { spec: 0, record, time, key, watermark: *watermark });
            }
            (What::Bad { bad, line }, Some(batch)) => {
                emit.bad_record(RecordRef { batch, span: bad.span, line: *line }, bad);
            }
            // Without a batch there are no records.
            (What::LateDrop { .. } | What::Bad { .. }, None) => {}
        }
    }
}

/// Writes rows as they will come out, each by itself.
pub trait WriteRow: Send {
    /// Appends a row.
    fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>);
}

/// Takes what engines say, also rows that they have written themselves.
pub trait TakeRows: Emit {
    /// Rows that [`WriteRow::row`] has written.
    fn rows(&mut self, text: &[u8]);
}

/// Takes what a share has to say, and gives it away.
pub struct Reporter<'a> {
    now: Moment,
    report: Report,
    give: Option<&'a mut dyn FnMut(Report)>,
    writer: Option<&'a mut dyn WriteRow>,
}

impl<'a> Reporter<'a> {
    /// Keeps all that is said until the end.
    pub fn new() -> Reporter<'a> {
        Reporter { now: Moment::END, report: Report::default(), give: None, writer: None }
    }

    /// Gives away what is said in pieces, and rows as text if there is somebody to write them.
    pub fn giving(give: &'a mut dyn FnMut(Report), writer: Option<&'a mut dyn WriteRow>) -> Reporter<'a> {
        Reporter { give: Some(give), writer, ..Reporter::new() }
    }

    /// What is said from here on is said at this moment.
    #[inline]
    pub fn now(&mut self, now: Moment) {
        self.now = now;
    }

    /// The last of what was said.
    pub fn finish(mut self) -> Report {
        self.report.is_last = true;
        self.report
    }

    fn push(&mut self, what: What) {
        self.report.push(self.now, what);
        if let Some(give) = self.give.as_mut().filter(|_| self.report.is_full()) {
            give(std::mem::take(&mut self.report));
        }
    }
}

impl Default for Reporter<'_> {
    fn default() -> Self {
        Reporter::new()
    }
}

impl Emit for Reporter<'_> {
    fn pane(&mut self, pane: &Pane<'_>) {
        let Report { cells, keys, replaces, text, .. } = &mut self.report;
        let from = (keys.len(), cells.len(), replaces.len());
        keys.extend_from_slice(pane.key);
        if let Some(writer) = &mut self.writer {
            let (key, begin) = (from.0..keys.len(), text.len());
            writer.row(pane, text);
            let text = begin..text.len();
            return self.push(What::Row { window: pane.window, key, text });
        }
        cells.extend_from_slice(pane.row);
        replaces.extend_from_slice(pane.replaces);
        let to = (keys.len(), cells.len(), replaces.len());
        self.push(What::Pane {
            window: pane.window,
            timing: pane.timing,
            revision: pane.revision,
            key: from.0..to.0,
            cells: from.1..to.1,
            replaces: from.2..to.2,
        });
    }

    fn late_drop(&mut self, drop: &LateDrop<'_>) {
        self.push(What::LateDrop { watermark: drop.watermark, line: drop.record.line });
    }

    fn bad_record(&mut self, record: RecordRef<'_>, bad: &BadRecord) {
        self.push(What::Bad { bad: Box::new(bad.clone()), line: record.line });
    }
}

/// Where reports come from in pieces.
pub trait Reports {
    /// Why there are no more, though more was to come.
    type Error;

    /// The next piece of what a share has to say of the batch.
    ///
    /// # Errors
    /// It never comes.
    fn next(&mut self, share: usize) -> Result<Report, Self::Error>;
}

/// Tells what all shares of a batch have to say, in one order. `heads` are the first pieces of each; there is no batch when
/// the input has ended.
///
/// # Errors
/// Those of `more`.
pub fn tell<R: Reports>(
    batch: Option<&EventBatch>,
    heads: &mut [Report],
    more: &mut R,
    emit: &mut dyn TakeRows,
) -> Result<(), R::Error> {
    let mut fronts = Vec::with_capacity(heads.len());
    for share in 0..heads.len() {
        fronts.extend(front(heads, share, more)?);
    }
    while let Some(first) = first(&fronts, heads) {
        let share = fronts[first].share;
        heads[share].tell(batch, emit);
        match front(heads, share, more)? {
            Some(front) => fronts[first] = front,
            None => drop(fronts.swap_remove(first)),
        }
    }
    Ok(())
}

/// What is next of one of the reports, and when it is told: one step of one event fires windows by end, start and key (T9),
/// of which the beginning is at hand. What else is said at one moment comes from one share.
#[derive(Clone, Copy)]
struct Front {
    order: (Moment, Timestamp, Timestamp, u128),
    share: usize,
}

/// What a share has to say next, if it has more to say.
fn front<R: Reports>(heads: &mut [Report], share: usize, more: &mut R) -> Result<Option<Front>, R::Error> {
    let head = &mut heads[share];
    while head.is_told() && !head.is_last {
        *head = more.next(share)?;
    }
    Ok(head.front(share))
}

/// Which comes first.
#[inline]
fn first(fronts: &[Front], heads: &[Report]) -> Option<usize> {
    let is_before = |a: &Front, b: &Front| {
        let by_order = a.order.cmp(&b.order);
        by_order.then_with(|| heads[a.share].key().cmp(heads[b.share].key())).is_lt()
    };
    (0..fronts.len()).reduce(|first, other| if is_before(&fronts[other], &fronts[first]) { other } else { first })
}
