//! Which rows are printed (`--having`), so that a table made of them is right.
//!
//! A row is left out if the condition is false. But if an earlier row of the same key and window was printed, a table
//! still has it: then the row comes out as `retract`, which takes it back. So it must be known which rows were printed,
//! as long as another may follow.

use super::RowShape;
use super::row::Row;
use crate::engine::pane::{Pane, Timing};
use crate::expr::{Fault, Program};
use crate::time::{Span, Timestamp};
use crate::window::Window;
use std::collections::{BTreeMap, HashSet};

/// A condition on rows, and what it has let through.
#[derive(Debug)]
pub struct Having {
    program: Program,
    printed: Option<Printed>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is printed.
    Print,
    /// It is left out.
    Hide,
    /// It takes back the row before it.
    TakeBack,
}

/// The rows printed whose windows are not gone.
#[derive(Debug)]
pub(super) struct Printed {
    lateness: Span,
    /// By the ends of their windows.
    pub(super) rows: BTreeMap<Timestamp, HashSet<Identity>>,
}

/// A row but for its revision: which of the windows asked for, the window's start, the key.
type Identity = (usize, Timestamp, Box<[u8]>);

impl Having {
    /// A condition on rows of a shape. `lateness` is that of the windows if a further row of a key and window tells
    /// the whole and takes the place of the one before.
    pub fn new(program: Program, shape: &RowShape, lateness: Option<Span>) -> Having {
        // Whoever asks which of the panes it is wants some panes and not some rows of a table.
        let is_of_panes = program.slots().iter().any(|slot| shape.is_about_pane(*slot));
        let printed = lateness.filter(|_| !is_of_panes).map(|lateness| Printed { lateness, rows: BTreeMap::new() });
        Having { program, printed }
    }

    /// What it has let through, where that matters.
    pub(super) fn printed(&self) -> Option<&Printed> {
        self.printed.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn printed_mut(&mut self) -> Option<&mut Printed> {
        self.printed.as_mut()
    }

    /// As it was written.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Judges the next row.
    ///
    /// # Errors
    /// The condition could not be evaluated.
    pub fn judge(&mut self, shape: &RowShape, pane: &Pane<'_>) -> Result<Verdict, Fault> {
        let holds = self.program.is_true(&Row { shape, pane })?;
        let Some(printed) = &mut self.printed else {
            return Ok(if holds { Verdict::Print } else { Verdict::Hide });
        };
        Ok(printed.judge(pane, holds))
    }
}

impl Printed {
    fn judge(&mut self, pane: &Pane<'_>, holds: bool) -> Verdict {
        if pane.timing == Timing::OnTime && pane.events.is_none() {
            self.forget(pane.window.end);
        }
        let mut had_any = false;
        for replaced in pane.replaces {
            had_any |= self.remove(pane, *replaced);
        }
        let window = shown_window(pane);
        had_any |= self.remove(pane, window);
        match holds {
            true => {
                if pane.timing != Timing::Retract && pane.events.is_none_or(|events| events.seq.is_none()) {
                    let identity = (pane.spec, window.start, pane.key.into());
                    self.rows.entry(window.end).or_default().insert(identity);
                }
                Verdict::Print
            }
            false if had_any => Verdict::TakeBack,
            false => Verdict::Hide,
        }
    }

    fn remove(&mut self, pane: &Pane<'_>, window: Window) -> bool {
        let Some(rows) = self.rows.get_mut(&window.end) else { return false };
        let found = rows.remove(&(pane.spec, window.start, pane.key.into()));
        if rows.is_empty() {
            self.rows.remove(&window.end);
        }
        found
    }

    /// What ends at `end` fires: the watermark is there, and earlier windows are gone.
    fn forget(&mut self, end: Timestamp) {
        while let Some((first, _)) = self.rows.first_key_value()
            && first.saturating_add(self.lateness) < end
        {
            self.rows.pop_first();
        }
    }
}

/// The bounds that a row is known by; a global window has none.
fn shown_window(pane: &Pane<'_>) -> Window {
    match pane.events {
        None => pane.window,
        Some(_) => Window { start: Timestamp::MIN, end: Timestamp::MAX },
    }
}
