//! What looks at rows on their way out: which of them are printed, and the checks on those that are.

use super::RowShape;
use super::checks::Checks;
use super::finally::Finally;
use super::having::{Having, Verdict};
use super::whole_table::WholeTable;
use crate::engine::pane::{Pane, Timing};
use crate::metrics::Counters;

/// Looks at each row.
pub struct Gate {
    shape: RowShape,
    pub(super) having: Option<Having>,
    /// The checks.
    pub checks: Checks,
    looks_at_rows: bool,
    /// Checks of all rows together.
    pub finally: Option<Finally>,
    /// What the rows make in the end, whether they are printed or not (`--check-order`).
    pub table: Option<WholeTable>,
    /// For each of the windows asked for, the rows left out, by [`place`], and those that took back another instead.
    pub(super) left_out: Vec<[u64; 4]>,
    pub(super) taken_back: Vec<[u64; 4]>,
}

/// A place for each kind of row.
fn place(timing: Timing) -> usize {
    match timing {
        Timing::OnTime => 0,
        Timing::Late => 1,
        Timing::Early => 2,
        Timing::Retract => 3,
    }
}

impl Gate {
    /// Looks at rows of a shape, of so many windows asked for.
    pub fn new(
        shape: RowShape,
        having: Option<Having>,
        checks: Checks,
        finally: Option<Finally>,
        table: Option<WholeTable>,
    ) -> Gate {
        let windows = shape.windows.len().max(1);
        let looks_at_rows = checks.are_of_rows();
        Gate {
            shape,
            having,
            checks,
            looks_at_rows,
            finally,
            table,
            left_out: vec![[0; 4]; windows],
            taken_back: vec![[0; 4]; windows],
        }
    }

    /// Passes a row on, and what is said of it, or not.
    ///
    /// # Errors
    /// An expression that could not be evaluated, for people.
    pub fn pane(
        &mut self,
        pane: &Pane<'_>,
        print: impl FnOnce(&Pane<'_>),
        say: impl FnOnce(&[u8]),
    ) -> Result<(), String> {
        if let Some(table) = &mut self.table {
            table.take(pane);
        }
        let verdict = match &mut self.having {
            None => Verdict::Print,
            Some(having) => {
                let judged = having.judge(&self.shape, pane);
                let told = |fault| format!("--having {}", having.program().explain(&fault));
                judged.map_err(told).map_err(|message| with_row(message, &self.checks.text(pane)))?
            }
        };
        match verdict {
            Verdict::Print => {
                print(pane);
                if let Some(finally) = &mut self.finally {
                    finally.take(pane);
                }
                if self.looks_at_rows {
                    let mut lines = Vec::new();
                    let checked = self.checks.row(pane, &mut lines);
                    if !lines.is_empty() {
                        say(&lines);
                    }
                    checked.map_err(|message| with_row(message, &self.checks.text(pane)))?;
                }
            }
            Verdict::Hide => self.left_out[pane.spec][place(pane.timing)] += 1,
            Verdict::TakeBack => {
                self.taken_back[pane.spec][place(pane.timing)] += 1;
                let retract = Pane { timing: Timing::Retract, ..*pane };
                print(&retract);
                if let Some(finally) = &mut self.finally {
                    finally.take(&retract);
                }
            }
        }
        Ok(())
    }

    /// Makes counts of rows those of the rows printed.
    pub fn correct(&self, counters: &mut Counters) {
        let mut all = [[0; 4]; 2];
        for (index, (left_out, taken_back)) in self.left_out.iter().zip(&self.taken_back).enumerate() {
            if let Some(window) = counters.windows.get_mut(index) {
                correct(window, left_out, taken_back);
            }
            for place in 0..4 {
                all[0][place] += left_out[place];
                all[1][place] += taken_back[place];
            }
        }
        correct(counters, &all[0], &all[1]);
    }
}

fn with_row(message: String, row: &str) -> String {
    format!("{message}; in the row {row}")
}

fn correct(counters: &mut Counters, left_out: &[u64; 4], taken_back: &[u64; 4]) {
    let kinds = [&mut counters.on_time, &mut counters.late, &mut counters.early, &mut counters.retract];
    for (place, count) in kinds.into_iter().enumerate() {
        *count = count.saturating_sub(left_out[place] + taken_back[place]);
    }
    counters.panes = counters.panes.saturating_sub(left_out.iter().sum());
    counters.retract += taken_back.iter().sum::<u64>();
}
