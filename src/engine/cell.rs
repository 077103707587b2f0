//! The state of one key and window where rows are printed before its end, or not as a whole (`--early`,
//! `--updates`): what it holds, and what of it has been said.

use super::fill::Filling;
use super::keys::KeyId;
use super::pane::{Events, Pane, Timing};
use super::running::Updates;
use super::{Context, Event};
use crate::aggregate::Accumulator;
use crate::aggregate::plan::{AggregatePlan, merge_rows, save_row};
use crate::codec::{Damaged, Reader, put};
use crate::window::Window;

/// The accumulators of a key and window, and what its panes have said.
#[derive(Debug, Default)]
pub struct Cell {
    row: Vec<Accumulator>,
    /// What more is kept unless each pane says all and takes nothing back.
    said: Option<Box<Said>>,
    /// Number of events since the last pane.
    pub since: u64,
    /// Panes so far.
    pub revision: u32,
    /// What the last pane said if there were no events (`--fill`).
    filled: Option<Filling>,
}

#[derive(Debug)]
enum Said {
    /// Events since the last pane, for those that want only them.
    News(Vec<Accumulator>),
    /// What stands in the output, for those that want it taken back: under these bounds, and under others that
    /// its session has left.
    Rows { printed: Option<Vec<Accumulator>>, left: Vec<Left> },
}

/// A row under bounds that its session has left.
#[derive(Debug)]
struct Left {
    window: Window,
    revision: u32,
    row: Vec<Accumulator>,
}

fn fresh(plan: &AggregatePlan) -> Vec<Accumulator> {
    let mut row = Vec::with_capacity(plan.width());
    plan.push_row(&mut row);
    row
}

impl Cell {
    /// No events yet.
    pub fn new(plan: &AggregatePlan, updates: Updates) -> Cell {
        let said = match updates {
            Updates::Accumulating => None,
            Updates::Discarding => Some(Box::new(Said::News(fresh(plan)))),
            Updates::Retracting => Some(Box::new(Said::Rows { printed: None, left: Vec::new() })),
        };
        Cell { row: fresh(plan), said, since: 0, revision: 0, filled: None }
    }

    /// Bytes that a cell takes at the most, but for what its accumulators hold elsewhere.
    pub fn bytes(plan: &AggregatePlan, updates: Updates) -> usize {
        let row = plan.width() * size_of::<Accumulator>();
        let said = if updates == Updates::Accumulating { 0 } else { size_of::<Said>() + row };
        size_of::<Cell>() + row + said
    }

    /// Appends what it holds.
    pub fn save(&self, out: &mut Vec<u8>) {
        let Cell { row, said, since, revision, filled } = self;
        put(out, *since);
        put(out, u64::from(*revision));
        save_row(row, out);
        match said.as_deref() {
            None => {}
            Some(Said::News(news)) => save_row(news, out),
            Some(Said::Rows { printed, left }) => {
                // Of rows that nobody takes back it does not matter what they said.
                out.push(if printed.is_some() { 1 + filled.map_or(0, Filling::code) } else { 0 });
                printed.iter().for_each(|row| save_row(row, out));
                put(out, left.len() as u64);
                for Left { window, revision, row } in left {
                    window.save(out);
                    put(out, u64::from(*revision));
                    save_row(row, out);
                }
            }
        }
    }

    /// What was saved with the same plan and updates.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>, plan: &AggregatePlan, updates: Updates) -> Result<Cell, Damaged> {
        let row = |bytes: &mut Reader<'_>| {
            let mut row = Vec::with_capacity(plan.width());
            plan.restore_row(bytes, &mut row)?;
            Ok(row)
        };
        let (since, revision) = (bytes.count()?, bytes.revision()?);
        let cell = row(bytes)?;
        let mut filled = None;
        let said = match updates {
            Updates::Accumulating => None,
            Updates::Discarding => Some(Said::News(row(bytes)?)),
            Updates::Retracting => {
                let printed = match bytes.byte()? {
                    0 => None,
                    code => {
                        filled = Filling::of_code(code - 1)?;
                        Some(row(bytes)?)
                    }
                };
                let mut left = Vec::new();
                for _ in 0..bytes.length()? {
                    let window = Window::restore(bytes)?;
                    left.push(Left { window, revision: bytes.revision()?, row: row(bytes)? });
                }
                Some(Said::Rows { printed, left })
            }
        };
        Ok(Cell { row: cell, said: said.map(Box::new), since, revision, filled })
    }

    /// What it holds.
    pub fn row(&self) -> &[Accumulator] {
        &self.row
    }

    /// One event more.
    #[inline]
    pub fn add(&mut self, event: &Event<'_>, plan: &AggregatePlan) {
        event.add_to(&mut self.row, plan);
        if let Some(Said::News(news)) = self.said.as_deref_mut() {
            event.add_to(news, plan);
        }
        self.since += 1;
    }

    /// Takes over the events of the session that follows.
    pub fn absorb(&mut self, other: Cell) {
        merge_rows(&mut self.row, &other.row);
        match (self.said.as_deref_mut(), other.said.map(|said| *said)) {
            (Some(Said::News(news)), Some(Said::News(others))) => merge_rows(news, &others),
            (Some(Said::Rows { left, .. }), Some(Said::Rows { left: others, .. })) => left.extend(others),
            _ => {}
        }
        self.since += other.since;
    }

    /// Its session has other bounds from now on: nothing is printed under them yet, and what was under `window` is
    /// to be taken back.
    pub fn leave(&mut self, window: Window) {
        let revision = std::mem::take(&mut self.revision);
        if let Some(Said::Rows { printed, left }) = self.said.as_deref_mut() {
            left.extend(printed.take().map(|row| Left { window, revision, row }));
        }
    }

    /// All that it holds is news: its rows under other bounds are replaced.
    pub fn say_all(&mut self) {
        if let Some(Said::News(news)) = self.said.as_deref_mut() {
            news.clone_from(&self.row);
        }
    }

    /// Prints a pane: of a window with these bounds, or of one without.
    pub fn print(
        &mut self,
        (window, events): (Window, Option<Events>),
        id: KeyId,
        timing: Timing,
        replaces: &[Window],
        cx: &mut Context<'_>,
    ) {
        let mut pane = Pane {
            spec: cx.spec,
            window,
            events,
            key: cx.keys.bytes(id),
            timing,
            revision: 0,
            row: &self.row,
            replaces,
            filled: None,
        };
        match self.said.as_deref_mut() {
            None => {}
            Some(Said::News(news)) => pane.row = news,
            Some(Said::Rows { printed, left }) => {
                for Left { window, revision, row } in left.drain(..) {
                    cx.counters.count_pane(Timing::Retract);
                    let timing = Timing::Retract;
                    cx.emit.pane(&Pane { window, revision, timing, row: &row, replaces: &[], ..pane });
                }
                if let Some(row) = printed {
                    cx.counters.count_pane(Timing::Retract);
                    let timing = Timing::Retract;
                    let filled = self.filled.take();
                    cx.emit.pane(&Pane { revision: self.revision, timing, row, replaces: &[], filled, ..pane });
                    self.revision += 1;
                }
                *printed = Some(self.row.clone());
            }
        }
        pane.revision = self.revision;
        cx.counters.count_pane(timing);
        cx.emit.pane(&pane);
        self.revision += 1;
        self.since = 0;
        if let Some(Said::News(news)) = self.said.as_deref_mut() {
            *news = fresh(cx.plan);
        }
    }

    /// Prints a pane of a window that ended without events, with what `row` says, or else nothing.
    pub fn print_filled(
        &mut self,
        window: Window,
        id: KeyId,
        (filling, row): (Filling, Option<&[Accumulator]>),
        cx: &mut Context<'_>,
    ) {
        let row = row.unwrap_or(&self.row);
        cx.counters.count_pane(Timing::OnTime);
        cx.counters.filled += 1;
        cx.emit.pane(&Pane {
            spec: cx.spec,
            window,
            events: None,
            key: cx.keys.bytes(id),
            timing: Timing::OnTime,
            revision: self.revision,
            row,
            replaces: &[],
            filled: Some(filling),
        });
        if let Some(Said::Rows { printed, .. }) = self.said.as_deref_mut() {
            *printed = Some(row.to_vec());
        }
        self.filled = Some(filling);
        self.revision += 1;
    }
}
