//! What engines with a [share](super::shard) of the work have to say, and how it becomes one again: in the order in which an
//! engine alone would have said it.

use super::fired::Fired;
use super::pane::{Emit, LateDrop, Pane, RecordRef, Timing};
use crate::aggregate::Accumulator;
use crate::event::{BadRecord, EventBatch};
use crate::time::Timestamp;
use crate::window::Window;
use std::cmp::Ordering;
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
    /// Accumulators of whole windows.
    fired: usize,
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
    Pane {
        window: Window,
        timing: Timing,
        revision: u32,
        key: Range<usize>,
        cells: Range<usize>,
        replaces: Range<usize>,
    },
    /// All rows of a window, until they are told.
    Window(Option<Box<Fired>>, Window),
    LateDrop {
        watermark: Timestamp,
        line: u64,
    },
    Bad {
        bad: Box<BadRecord>,
        line: u64,
    },
}

/// A report of more accumulators, entries or bytes of keys is given away in pieces, so that memory stays bounded.
const FULL: usize = 1 << 14;
const FULL_OF_KEYS: usize = 1 << 20;

impl Report {
    fn is_full(&self) -> bool {
        self.cells.len() + self.fired >= FULL || self.entries.len() >= FULL || self.keys.len() >= FULL_OF_KEYS
    }

    /// Whether all of it has been told.
    fn is_told(&self) -> bool {
        self.next >= self.entries.len()
    }

    fn push(&mut self, at: Moment, what: What) {
        self.entries.push(Entry { at, what });
    }

    /// What decides when the next entry is told: one step of one event fires windows by end, start and key (T9). What else is
    /// said at one moment comes from one share.
    fn order(&self) -> Option<(Moment, Timestamp, Timestamp, &[u8])> {
        let Entry { at, what } = self.entries.get(self.next)?;
        let (window, key) = match what {
            What::Pane { window, key, .. } => (*window, &self.keys[key.clone()]),
            What::Window(_, window) => (*window, &[][..]),
            What::LateDrop { .. } | What::Bad { .. } => return Some((*at, Timestamp::MIN, Timestamp::MIN, &[])),
        };
        Some((*at, window.end, window.start, key))
    }

    /// Takes a whole window out if it is next.
    fn take_window(&mut self, at: Moment, bounds: Window) -> Option<Fired> {
        let Entry { at: moment, what: What::Window(fired, window) } = self.entries.get_mut(self.next)? else {
            return None;
        };
        if (*moment, *window) != (at, bounds) {
            return None;
        }
        self.next += 1;
        fired.take().map(|fired| *fired)
    }

    /// Tells the next entry, which is no whole window.
    fn tell(&mut self, batch: Option<&EventBatch>, emit: &mut dyn Emit) {
        let Some(Entry { at, what }) = self.entries.get(self.next) else { return };
        self.next += 1;
        match (what, batch) {
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
            (What::LateDrop { .. } | What::Bad { .. }, None) | (What::Window(..), _) => {}
        }
    }
}

/// Takes what a share has to say, and gives it away.
pub struct Reporter<'a> {
    now: Moment,
    report: Report,
    give: Option<&'a mut dyn FnMut(Report)>,
}

impl<'a> Reporter<'a> {
    /// Keeps all that is said until the end.
    pub fn new() -> Reporter<'a> {
        Reporter { now: Moment::END, report: Report::default(), give: None }
    }

    /// Gives away what is said in pieces.
    pub fn giving(give: &'a mut dyn FnMut(Report)) -> Reporter<'a> {
        Reporter { give: Some(give), ..Reporter::new() }
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
        let Report { cells, keys, replaces, .. } = &mut self.report;
        let from = (keys.len(), cells.len(), replaces.len());
        keys.extend_from_slice(pane.key);
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

    /// However few there are: what they are together with those of others is not known here.
    fn takes_windows(&self, _rows: usize) -> bool {
        true
    }

    fn window(&mut self, mut fired: Fired) {
        fired.sort();
        self.report.fired += fired.cells();
        let window = fired.window();
        self.push(What::Window(Some(Box::new(fired)), window));
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
    emit: &mut dyn Emit,
) -> Result<(), R::Error> {
    loop {
        for (share, head) in heads.iter_mut().enumerate() {
            while head.is_told() && !head.is_last {
                *head = more.next(share)?;
            }
        }
        let Some(first) = first(heads) else { return Ok(()) };
        let Entry { at, what } = &heads[first].entries[heads[first].next];
        let What::Window(_, window) = *what else {
            heads[first].tell(batch, emit);
            continue;
        };
        let at = *at;
        let parts = heads.iter_mut().filter_map(|head| head.take_window(at, window));
        let Some(mut fired) = parts.reduce(joined) else { continue };
        match emit.takes_windows(fired.rows()) {
            true => emit.window(fired),
            false => fired.each(|pane| emit.pane(pane)),
        }
    }
}

fn joined(mut fired: Fired, other: Fired) -> Fired {
    fired.join(other);
    fired
}

/// The one of several reports whose next entry comes first.
fn first(heads: &[Report]) -> Option<usize> {
    let mut orders = heads.iter().enumerate().filter_map(|(share, head)| Some((share, head.order()?)));
    let begin = orders.next()?;
    let first = orders.fold(begin, |first, other| if other.1.cmp(&first.1) == Ordering::Less { other } else { first });
    Some(first.0)
}
