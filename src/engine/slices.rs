//! Tumbling and sliding windows: an event goes into one slice, a window is read off its slices.

use super::behind::{Behind, OnTime};
use super::keys::{KeyId, Keys};
use super::pane::{Pane, Timing};
use super::snapshot::SliceChanges;
use super::sorting::Sorted;
use super::table::IdMap;
use super::tree::SliceTree;
use super::{AHEAD, Context, Event, Placement, WindowStore};
use crate::aggregate::Accumulator;
use crate::aggregate::plan::{AggregatePlan, merge_rows};
use crate::time::Timestamp;
use crate::window::sliced::{Slice, Sliced};
use crate::window::{SliceId, Window, WindowId};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::mem::discriminant;
use std::ops::Range;

/// The windows of a [`Sliced`] assigner and their state.
#[derive(Debug)]
pub struct SliceStore {
    pub(super) assigner: Sliced,
    pub(super) tree: SliceTree,
    /// Slices where events fell of late, the last one first: most events fall where others just did.
    recent: Vec<Place>,
    /// The first window that has not fired.
    pub(super) unfired: WindowId,
    /// The first window that is not gone.
    pub(super) kept: WindowId,
    /// Per window that has fired and is kept, how many panes each key has had that has had late ones.
    pub(super) revisions: BTreeMap<WindowId, IdMap<u32>>,
    /// The watermark at which the next window fires or goes.
    next_advance: Timestamp,
    scratch: Scratch,
    pub(super) changes: SliceChanges,
}

/// A slice and the windows it belongs to.
#[derive(Clone, Debug)]
struct Place {
    slice: Slice,
    windows: Range<WindowId>,
}

/// Slices that are remembered. Disorder spreads events over a few.
const MOST_RECENT: usize = 8;

/// Rows of a window from which on it is worth while to have another thread print them.
const MANY: usize = 4096;

/// Rows of a slice that are near the processor, however few are looked at.
const NEAR: usize = 16_384;

/// Memory that is used again for each firing.
#[derive(Debug, Default)]
struct Scratch {
    /// For each key id its row in `cells`, plus 1; 0 for none.
    row_of: Vec<u32>,
    ids: Vec<KeyId>,
    cells: Vec<Accumulator>,
    order: Vec<(u32, KeyId)>,
    sorting: Vec<Sorted<(u32, KeyId)>>,
}

impl WindowStore for SliceStore {
    #[inline]
    fn add(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Option<Placement> {
        let (slice, windows) = self.place(event.time)?;
        if windows.is_empty() {
            return Some(Placement::Unwindowed);
        }
        if cx.trigger.refuses(event.time, cx.watermark) {
            return Some(Placement::LateDrop);
        }
        if windows.start < self.unfired {
            return Some(self.add_behind(event, slice, windows, cx));
        }
        self.add_to_slice(event, slice, cx);
        Some(Placement::Added)
    }

    #[inline]
    fn look_at(&self, rows: &[Option<(i64, u32)>; AHEAD], plan: &AggregatePlan) {
        // Most events fall where the last one did.
        let Some(slice) = self.recent.first().map(|place| place.slice.id.0) else { return };
        if let Some(table) = self.tree.slice(slice).filter(|table| table.ids.len() > NEAR) {
            rows.iter().flatten().filter(|row| row.0 == slice).for_each(|row| table.look_at(row.1, plan));
        }
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
            if !self.hand_over(window, cx) {
                self.fire(window, cx);
            }
            self.unfired = WindowId(window.0 + 1);
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        let horizons = cx.trigger.horizons(cx.watermark);
        self.unfired = self.unfired.max(self.assigner.first_ending_after(horizons.fired));
        self.kept = self.kept.max(self.assigner.first_ending_after(horizons.gone));
        let first = self.assigner.slices(self.kept).start;
        self.tree.purge_before(first, cx.plan, cx.keys, &mut self.changes.gone);
        while let Some(entry) = self.revisions.first_entry()
            && *entry.key() < self.kept
        {
            entry.remove();
        }
        let next_fired = cx.trigger.fires_at(self.assigner.window(self.unfired).end);
        self.next_advance = next_fired.min(cx.trigger.gone_at(self.assigner.window(self.kept).end));
    }

    #[inline]
    fn next_advance(&self) -> Timestamp {
        self.next_advance
    }

    fn open_windows(&self) -> u64 {
        // Per key, the windows of its slices are runs in ascending order; count their union.
        let mut counted_to: IdMap<WindowId> = IdMap::default();
        let mut counted_end = self.unfired;
        // Long windows that slide by a nanosecond are more than can be counted.
        let mut open = 0u64;
        let mut slices = self.tree.slices_from(self.assigner.slices(self.unfired).start).peekable();
        while let Some((slice, table)) = slices.next() {
            let windows = self.assigner.windows(SliceId(slice));
            let meets_next =
                slices.peek().is_some_and(|(next, _)| self.assigner.windows(SliceId(*next)).start < windows.end);
            if windows.start >= counted_end && !meets_next {
                // No key has counted these windows, and none will again.
                let windows = (windows.end.0 - windows.start.0) as u64;
                open = open.saturating_add(windows.saturating_mul(table.ids.len() as u64));
                continue;
            }
            counted_end = counted_end.max(windows.end);
            for id in &table.ids {
                let from = counted_to.get(id).copied().unwrap_or(windows.start).max(windows.start).max(self.unfired);
                open = open.saturating_add((windows.end.0 - from.0).max(0) as u64);
                counted_to.insert(*id, windows.end);
            }
        }
        open
    }

    fn last_open_end(&self) -> Option<Timestamp> {
        let (last, _) = self.tree.slices_from(self.assigner.slices(self.unfired).start).next_back()?;
        Some(self.assigner.window(WindowId(self.assigner.windows(SliceId(last)).end.0 - 1)).end)
    }
}

impl SliceStore {
    /// A store without events, before the first watermark.
    pub fn new(assigner: Sliced) -> SliceStore {
        let first = assigner.first_ending_after(Timestamp::MIN);
        SliceStore {
            tree: SliceTree::new(assigner.slices_per_window()),
            assigner,
            recent: Vec::new(),
            unfired: first,
            kept: first,
            revisions: BTreeMap::new(),
            next_advance: Timestamp::MIN,
            scratch: Scratch::default(),
            changes: SliceChanges::default(),
        }
    }

    /// The slice that holds `time`, and its windows; `None` as in [`Sliced::slice`].
    #[inline]
    fn place(&mut self, time: Timestamp) -> Option<(SliceId, Range<WindowId>)> {
        let holds = |place: &Place| place.slice.bounds.start <= time && time < place.slice.bounds.end;
        match self.recent.iter().position(holds) {
            Some(0) => {}
            Some(found) => self.recent.swap(0, found),
            None => self.remember(time)?,
        }
        let Place { slice, windows } = &self.recent[0];
        Some((slice.id, windows.clone()))
    }

    #[cold]
    fn remember(&mut self, time: Timestamp) -> Option<()> {
        let slice = self.assigner.slice(time)?;
        let windows = self.assigner.windows(slice.id);
        self.recent.truncate(MOST_RECENT - 1);
        self.recent.insert(0, Place { slice, windows });
        Some(())
    }

    #[inline]
    fn add_to_slice(&mut self, event: &Event<'_>, slice: SliceId, cx: &mut Context<'_>) -> (KeyId, usize) {
        let (key, hash) = event.key();
        let id = cx.keys.intern(key, hash, event.guess);
        let row = match cx.keys.noted_row(id, slice.0) {
            Some(row) => row as usize,
            None => self.place_in(slice, id, cx),
        };
        let table = self.tree.slice_mut(slice.0);
        event.add_to(table.row_mut(row, cx.plan), cx.plan);
        if table.mark(row) {
            self.changes.touch(slice, event.time);
        }
        (id, row)
    }

    /// The row in a slice of a key whose last event was in another.
    fn place_in(&mut self, slice: SliceId, id: KeyId, cx: &mut Context<'_>) -> usize {
        let (row, displaced) = self.tree.slice_mut(slice.0).place_in_slice(id, cx.plan, cx.keys);
        if let Some((other, row)) = displaced
            && let Some(table) = self.tree.slice_of(other)
        {
            table.remember(id, row);
        }
        row
    }

    /// Adds an event to a slice of which a window has fired: the windows that are gone refuse it,
    /// those that have fired print it at once (T4).
    #[cold]
    fn add_behind(
        &mut self,
        event: &Event<'_>,
        slice: SliceId,
        windows: Range<WindowId>,
        cx: &mut Context<'_>,
    ) -> Placement {
        let live = windows.start.max(self.kept)..windows.end;
        if live.is_empty() {
            return Placement::LateDrop;
        }
        let refused = (live.start.0 - windows.start.0) as u64;
        cx.counters.late_refused = cx.counters.late_refused.saturating_add(refused);
        let rows = self.tree.slice(slice.0).map_or(0, |table| table.ids.len());
        let (id, row) = self.add_to_slice(event, slice, cx);
        self.tree.refresh_above(slice.0, id, cx.plan, cx.keys);
        let fired = live.start..live.end.min(self.unfired);
        if !fired.is_empty() {
            self.tree.slice_mut(slice.0).note_behind(row, fired.end, row == rows);
            self.print_late(fired, id, cx);
        }
        Placement::Added
    }

    /// Whether windows have printed a key on time, as they did if they had a row of it when they fired.
    pub(super) fn printed_on_time(&self, windows: &Range<WindowId>, id: KeyId, keys: &Keys) -> OnTime {
        let slices = self.assigner.slices(windows.start).start..self.assigner.slices(WindowId(windows.end.0 - 1)).end;
        let rows = self.tree.slices_from(slices.start).take_while(|(slice, _)| *slice < slices.end);
        OnTime::of(rows.filter_map(|(slice, table)| {
            let row = table.find(id, keys)?;
            let Range { start, end } = self.assigner.windows(SliceId(slice));
            let born = table.behind(row).and_then(Behind::born);
            Some(born.map_or(start, |born| born.max(start))..end)
        }))
    }

    fn print_late(&mut self, windows: Range<WindowId>, id: KeyId, cx: &mut Context<'_>) {
        let mut on_time = None;
        for window in (windows.start.0..windows.end.0).map(WindowId) {
            let known = self.revisions.get(&window).and_then(|revisions| revisions.get(&id).copied());
            let revision = known.unwrap_or_else(|| {
                let on_time = on_time.get_or_insert_with(|| self.printed_on_time(&windows, id, cx.keys));
                u32::from(on_time.has(window))
            });
            self.revisions.entry(window).or_default().insert(id, revision + 1);
            self.print_update(window, id, revision, cx);
        }
    }

    fn print_update(&mut self, window: WindowId, id: KeyId, revision: u32, cx: &mut Context<'_>) {
        let cells = &mut self.scratch.cells;
        cells.clear();
        cx.plan.push_row(cells);
        for table in self.tree.tables(self.assigner.slices(window), cx.plan, cx.keys) {
            if let Some(row) = table.find(id, cx.keys) {
                merge_rows(cells, table.row(row, cx.plan));
            }
        }
        cx.counters.count_pane(Timing::Late);
        cx.emit.pane(&Pane {
            spec: cx.spec,
            window: self.assigner.window(window),
            events: None,
            key: cx.keys.bytes(id),
            timing: Timing::Late,
            revision,
            row: &self.scratch.cells,
            replaces: &[],
            filled: None,
        });
    }

    /// The first window that has events and has not fired.
    fn next_with_events(&self) -> Option<WindowId> {
        let slice = self.tree.first_from(self.assigner.slices(self.unfired).start)?;
        Some(self.assigner.windows(SliceId(slice)).start.max(self.unfired))
    }

    /// Prints a window by handing its rows over as they are, if nothing else needs them and they are many.
    fn hand_over(&mut self, window: WindowId, cx: &mut Context<'_>) -> bool {
        let bounds = self.assigner.window(window);
        let is_last = self.assigner.slices_per_window() == 1 && bounds.end <= cx.trigger.horizons(cx.watermark).gone;
        let slice = self.assigner.slices(window).start;
        if !is_last || !cx.emit.takes_windows() || self.tree.slice(slice).is_none_or(|table| table.ids.len() < MANY) {
            return false;
        }
        let Some(table) = self.tree.take(slice, &mut self.changes.gone) else { return false };
        cx.counters.count_panes(Timing::OnTime, table.ids.len() as u64);
        cx.emit.window(table.hand_over(cx.spec, bounds, cx.plan, cx.keys));
        true
    }

    /// Prints a window for each of its keys, in order of key (T3, T9).
    fn fire(&mut self, window: WindowId, cx: &mut Context<'_>) {
        let slices = self.assigner.slices(window);
        if self.assigner.slices_per_window() > 1 {
            self.gather(slices.clone(), cx);
        }
        let scratch = &mut self.scratch;
        // A window of one slice is read where it lies.
        let whole = if self.assigner.slices_per_window() > 1 { None } else { self.tree.slice(slices.start) };
        let ids = whole.map_or(&scratch.ids, |table| &table.ids);
        scratch.order.clear();
        scratch.order.extend(ids.iter().enumerate().map(|(row, id)| (row as u32, *id)));
        cx.keys.sort_by_key(&mut scratch.order, &mut scratch.sorting, |(_, id)| id);
        let bounds = self.assigner.window(window);
        let width = cx.plan.width();
        let row_of = |row: u32| {
            whole.map_or_else(
                || &scratch.cells[row as usize * width..][..width],
                |table| table.row(row as usize, cx.plan),
            )
        };
        for group in scratch.order.chunks(AHEAD) {
            // In the order of keys they lie anywhere in memory. Looked at side by side they are waited for once.
            for (row, id) in group {
                let row = row_of(*row);
                black_box((row.first().map(discriminant), row.last().map(discriminant), cx.keys.bytes(*id).first()));
            }
            for (row, id) in group {
                cx.counters.count_pane(Timing::OnTime);
                cx.emit.pane(&Pane {
                    spec: cx.spec,
                    window: bounds,
                    events: None,
                    key: cx.keys.bytes(*id),
                    timing: Timing::OnTime,
                    revision: 0,
                    row: row_of(*row),
                    replaces: &[],
                    filled: None,
                });
            }
        }
    }

    /// Merges a run of slices into the scratch rows.
    fn gather(&mut self, slices: Range<i64>, cx: &mut Context<'_>) {
        let Scratch { row_of, ids, cells, .. } = &mut self.scratch;
        for id in ids.drain(..) {
            row_of[id.0 as usize] = 0;
        }
        cells.clear();
        let width = cx.plan.width();
        let limit = cx.keys.limit();
        row_of.resize(limit.max(row_of.len()), 0);
        for table in self.tree.tables(slices, cx.plan, cx.keys) {
            for (row, id) in table.ids.iter().enumerate() {
                let from = table.row(row, cx.plan);
                match row_of[id.0 as usize] {
                    0 => {
                        ids.push(*id);
                        row_of[id.0 as usize] = ids.len() as u32;
                        cells.extend_from_slice(from);
                    }
                    known => merge_rows(&mut cells[(known as usize - 1) * width..][..width], from),
                }
            }
        }
    }
}
