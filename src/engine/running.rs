//! Tumbling, sliding and cumulative windows that print before their end, or print differences (`--early`,
//! `--updates`). Each key has a cell in each of its windows: a row is read where it lies, and an event costs as many
//! additions as windows overlap. Windows that print once and as a whole share slices instead ([`super::slices`]).

use super::cell::Cell;
use super::keys::KeyId;
use super::pane::Timing;
use super::snapshot::{Rows, WindowChanges};
use super::{Context, Event, Placement, WindowStore};
use crate::time::Timestamp;
use crate::window::every::Every;
use crate::window::sliced::Sliced;
use crate::window::{Window, WindowId};
use std::collections::BTreeMap;

/// What a pane says of its window (`--updates`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Updates {
    /// All of it.
    #[default]
    Accumulating,
    /// What came since the pane before.
    Discarding,
    /// All of it, after a `retract` pane with what was said before.
    Retracting,
}

/// How rows are printed while their window is open.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// When (`--early`).
    pub early: Option<Every>,
    /// What (`--updates`).
    pub updates: Updates,
}

impl Running {
    /// Whether panes are other than on time, late and whole.
    pub fn is_on(&self) -> bool {
        self.early.is_some() || self.updates != Updates::Accumulating
    }

    /// Whether so many events since the last pane are enough for the next.
    pub fn is_enough(&self, events: u64) -> bool {
        matches!(self.early, Some(Every::Events(count)) if events >= count)
    }

    /// The watermark at which moments begin to count; the end of time if there are none.
    pub fn first_moment(&self) -> Timestamp {
        match self.early {
            Some(Every::Moments(_)) => Timestamp::MIN,
            Some(Every::Events(_)) | None => Timestamp::MAX,
        }
    }

    /// Whether a moment has passed at this watermark; `next` becomes the one after it. The first watermark passes none.
    pub fn passes(&self, watermark: Timestamp, next: &mut Timestamp) -> bool {
        let Some(Every::Moments(moments)) = &self.early else { return false };
        if watermark < *next {
            return false;
        }
        let is_first = *next == Timestamp::MIN;
        *next = moments.next_after(watermark);
        !is_first
    }
}

/// The windows and their cells.
#[derive(Debug)]
pub struct RunningStore {
    pub(super) assigner: Sliced,
    pub(super) running: Running,
    pub(super) windows: BTreeMap<WindowId, Rows<Cell>>,
    /// The first window that has not fired.
    unfired: WindowId,
    /// The first window that is not gone.
    kept: WindowId,
    pub(super) next_moment: Timestamp,
    next_advance: Timestamp,
    pub(super) changes: WindowChanges,
}

impl RunningStore {
    /// No events yet.
    pub fn new(assigner: Sliced, running: Running) -> RunningStore {
        let first = assigner.first_ending_after(Timestamp::MIN);
        let next_moment = running.first_moment();
        let windows = BTreeMap::new();
        RunningStore {
            assigner,
            running,
            windows,
            unfired: first,
            kept: first,
            next_moment,
            next_advance: Timestamp::MIN,
            changes: WindowChanges::default(),
        }
    }

    fn add_to(&mut self, window: WindowId, id: KeyId, event: &Event<'_>, cx: &mut Context<'_>) {
        let updates = self.running.updates;
        let cells = self.windows.entry(window).or_insert_with(|| self.changes.rows());
        let row = cells.row_of(id, || {
            cx.keys.hold(id);
            cx.keys.size.grow(Cell::bytes(cx.plan, updates));
            Cell::new(cx.plan, updates)
        });
        let (cell, is_first) = cells.change(row);
        if is_first {
            self.changes.touch(window);
        }
        cell.add(event, cx.plan);
        let timing = match window < self.unfired {
            true => Timing::Late,
            false if self.running.is_enough(cell.since) => Timing::Early,
            false => return,
        };
        cell.print((self.assigner.window(window), None), id, timing, &[], cx);
    }

    /// Prints cells of a window in order of key.
    fn print(&mut self, window: WindowId, timing: Timing, cx: &mut Context<'_>) {
        let bounds = self.assigner.window(window);
        let Some(cells) = self.windows.get_mut(&window) else { return };
        let has_row = |cell: &Cell| timing == Timing::OnTime || cell.since > 0;
        let with_rows = cells.iter().zip(0..).filter(|((_, cell), _)| has_row(cell));
        let mut rows: Vec<(KeyId, usize)> = with_rows.map(|((id, _), row)| (id, row)).collect();
        rows.sort_unstable_by(|(a, _), (b, _)| cx.keys.bytes(*a).cmp(cx.keys.bytes(*b)));
        for (id, row) in rows {
            let (cell, is_first) = cells.change(row);
            if is_first {
                self.changes.touch(window);
            }
            cell.print((bounds, None), id, timing, &[], cx);
        }
    }

    fn next_with_events(&self) -> Option<WindowId> {
        self.windows.range(self.unfired..).next().map(|(window, _)| *window)
    }
}

impl WindowStore for RunningStore {
    fn add(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Option<Placement> {
        let windows = self.assigner.windows(self.assigner.slice(event.time)?.id);
        if windows.is_empty() {
            return Some(Placement::Unwindowed);
        }
        let live = windows.start.max(self.kept)..windows.end;
        if cx.trigger.refuses(event.time, cx.watermark) || live.is_empty() {
            return Some(Placement::LateDrop);
        }
        cx.counters.late_refused += (live.start.0 - windows.start.0) as u64;
        let (key, hash) = event.key();
        let id = cx.keys.intern(key, hash, event.guess);
        for window in live.start.0..live.end.0 {
            self.add_to(WindowId(window), id, event, cx);
        }
        Some(Placement::Added)
    }

    fn fits(&self, time: Timestamp) -> bool {
        self.assigner.slice(time).is_some()
    }

    fn last_end(&self, time: Timestamp) -> Option<Timestamp> {
        let windows = self.assigner.windows(self.assigner.slice(time)?.id);
        (!windows.is_empty()).then(|| self.assigner.window(WindowId(windows.end.0 - 1)).end)
    }

    fn prepare(&mut self, _cx: &mut Context<'_>) {}

    fn next_due(&self, cx: &Context<'_>) -> Option<Window> {
        let window = self.assigner.window(self.next_with_events()?);
        (window.end <= cx.trigger.horizons(cx.watermark).fired).then_some(window)
    }

    fn fire_next(&mut self, cx: &mut Context<'_>) {
        if let Some(window) = self.next_with_events() {
            self.print(window, Timing::OnTime, cx);
            self.unfired = WindowId(window.0 + 1);
        }
    }

    fn foretell(&mut self, cx: &mut Context<'_>) {
        if self.running.passes(cx.watermark, &mut self.next_moment) {
            let open: Vec<WindowId> = self.windows.range(self.unfired..).map(|(window, _)| *window).collect();
            for window in open {
                self.print(window, Timing::Early, cx);
            }
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        let horizons = cx.trigger.horizons(cx.watermark);
        self.unfired = self.unfired.max(self.assigner.first_ending_after(horizons.fired));
        self.kept = self.kept.max(self.assigner.first_ending_after(horizons.gone));
        while let Some(entry) = self.windows.first_entry()
            && *entry.key() < self.kept
        {
            let cells = entry.remove();
            cx.keys.size.shrink(cells.len() * Cell::bytes(cx.plan, self.running.updates));
            self.changes.remove(&cells);
            for (id, _) in cells.iter() {
                cx.keys.release(id);
            }
        }
        let next_fired = self.assigner.window(self.unfired).end;
        let next_gone = cx.trigger.gone_at(self.assigner.window(self.kept).end);
        self.next_advance = next_fired.min(next_gone);
    }

    fn next_advance(&self) -> Timestamp {
        self.next_advance.min(self.next_moment)
    }

    fn open_windows(&self) -> u64 {
        self.windows.range(self.unfired..).map(|(_, cells)| cells.len() as u64).sum()
    }

    fn last_open_end(&self) -> Option<Timestamp> {
        self.windows.range(self.unfired..).next_back().map(|(window, _)| self.assigner.window(*window).end)
    }
}
