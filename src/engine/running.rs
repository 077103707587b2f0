//! Tumbling, sliding and cumulative windows that print before their end, or print differences (`--early`,
//! `--updates`). Each key has a cell in each of its windows: a row is read where it lies, and an event costs as many
//! additions as windows overlap. Windows that print once and as a whole share slices instead ([`super::slices`]).

use super::cell::Cell;
use super::fill::{Fill, Filler};
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
    /// Which rows there are of silent windows (`--fill`).
    pub fill: Option<Fill>,
}

impl Running {
    /// Whether panes are other than on time, late and whole.
    pub fn is_on(&self) -> bool {
        self.early.is_some() || self.updates != Updates::Accumulating || self.fill.is_some()
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
    pub(super) filler: Option<Filler>,
}

impl RunningStore {
    /// No events yet.
    pub fn new(assigner: Sliced, running: Running) -> RunningStore {
        let first = assigner.first_ending_after(Timestamp::MIN);
        let next_moment = running.first_moment();
        RunningStore {
            assigner,
            filler: running.fill.map(Filler::new),
            running,
            windows: BTreeMap::new(),
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
        if window < self.unfired
            && let Some(filler) = &mut self.filler
        {
            filler.note(window, id, cell.row(), cx.keys);
        }
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

    /// Prints a window on time for the keys with events in it and for those that are known and silent, in order of key.
    fn fire_filled(&mut self, window: WindowId, cx: &mut Context<'_>) {
        let Some(filler) = &mut self.filler else { return };
        let bounds = self.assigner.window(window);
        let cells = self.windows.entry(window).or_insert_with(|| self.changes.rows());
        let silent = filler.keys_of(window, cx.keys).into_iter().filter(|id| cells.find(*id).is_none());
        let mut rows: Vec<(KeyId, Option<usize>)> = silent.map(|id| (id, None)).collect();
        rows.extend(cells.iter().zip(0..).map(|((id, _), row)| (id, Some(row))));
        rows.sort_unstable_by(|(a, _), (b, _)| cx.keys.bytes(*a).cmp(cx.keys.bytes(*b)));
        let (updates, keeps_fired) = (self.running.updates, cx.trigger.keeps_fired());
        let mut has_changed = false;
        for (id, row) in rows {
            if let Some(row) = row {
                let (cell, is_first) = cells.change(row);
                has_changed |= is_first;
                cell.print((bounds, None), id, Timing::OnTime, &[], cx);
                filler.note(window, id, cell.row(), cx.keys);
                continue;
            }
            let mut cell = Cell::new(cx.plan, updates);
            cell.print_filled(bounds, id, (filler.with(), filler.repeated(id)), cx);
            // What comes late goes on counting its panes.
            if keeps_fired {
                cx.keys.hold(id);
                cx.keys.size.grow(Cell::bytes(cx.plan, updates));
                let row = cells.row_of(id, || cell);
                has_changed |= cells.change(row).1;
            }
        }
        if has_changed {
            self.changes.touch(window);
        }
        if self.windows.get(&window).is_some_and(|cells| cells.len() == 0) {
            self.windows.remove(&window);
        }
    }

    /// The next window that fires once the watermark is there, now that it is `watermark`: with keys that are known, also
    /// one without events. At the end of input none does after the last one with events.
    fn next_to_fire(&self, watermark: Timestamp) -> Option<WindowId> {
        let with_events = self.next_with_events();
        let is_filled = self.filler.as_ref().is_some_and(Filler::has_keys);
        if !is_filled || with_events.is_none() && watermark == Timestamp::MAX {
            return with_events;
        }
        // Of local windows some have no length (T6).
        let mut next = self.unfired;
        let is_empty = |window: Window| window.start >= window.end && window.end < Timestamp::MAX;
        while is_empty(self.assigner.window(next)) {
            next.0 += 1;
        }
        Some(next)
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
        let window = self.assigner.window(self.next_to_fire(cx.watermark)?);
        (window.end <= cx.trigger.horizons(cx.watermark).fired).then_some(window)
    }

    fn fire_next(&mut self, cx: &mut Context<'_>) {
        if let Some(window) = self.next_to_fire(cx.watermark) {
            match &self.filler {
                Some(_) => self.fire_filled(window, cx),
                None => self.print(window, Timing::OnTime, cx),
            }
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
