//! Checks of rows and of the summary (`--fail-if`, `--warn-if`): what violates them is said as a JSON line (E2).

use super::junit::Outcome;
use super::ndjson::Ndjson;
use super::row::{Row, RowScope, json_of};
use super::side::Line;
use super::streak::Streaks;
use super::summary::{Figures, SummaryScope};
use super::{Encoder, RowShape};
use crate::engine::pane::{Pane, Timing};
use crate::expr::{Fault, Lookup, Program, Scope, Times, Type, parse};
use crate::time::Span;
use crate::window::spec::WindowSpec;

/// A check as asked for.
#[derive(Clone, Debug)]
pub struct Check {
    /// The flag it was given by.
    pub flag: &'static str,
    /// Whether a violation only warns.
    pub is_warning: bool,
    /// Whether it is of the summary, and not of each row.
    pub of_summary: bool,
    /// The condition that nothing may fulfil.
    pub program: Program,
}

/// What a check has found.
#[derive(Debug)]
pub struct Checked {
    /// The check.
    pub check: Check,
    /// How often it was violated.
    pub violations: u64,
    /// The first violations, for a report.
    pub first: Vec<String>,
    pub(super) streaks: Option<Streaks>,
}

/// Violations of a check that a report shows.
const MOST_SHOWN: usize = 10;

/// All checks of a run.
pub struct Checks {
    shape: RowShape,
    rows: Ndjson,
    pub(super) all: Vec<Checked>,
}

/// Slots from here on are those of the summary.
const SUMMARY: usize = 1 << 32;

/// The names of columns, and after `stats.` those of the summary.
struct BothScopes<'a> {
    row: RowScope<'a>,
    summary: SummaryScope,
}

impl Scope for BothScopes<'_> {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        match name.strip_prefix("stats.") {
            Some(figure) => self.summary.resolve(figure).map(|(slot, kind)| (slot + SUMMARY, kind)),
            None if ["stat.", "summary.", "stats_"].iter().any(|start| name.starts_with(start))
                && self.row.resolve(name).is_err() =>
            {
                let figure =
                    name.trim_start_matches("stat.").trim_start_matches("summary.").trim_start_matches("stats_");
                Err(format!("there is no column \"{name}\"; did you mean \"stats.{figure}\"?"))
            }
            None if name == "stats" => Err("stats alone is nothing; name a figure, as in stats.late_drops".into()),
            None => self.row.resolve(name),
        }
    }

    fn times(&self) -> Times {
        self.row.times()
    }
}

/// Looks up figures of the summary by the slots of [`BothScopes`].
struct Summary<'a>(&'a Figures);

impl Lookup for Summary<'_> {
    fn value(&self, slot: usize) -> Result<crate::expr::Value<'_>, String> {
        self.0.value(slot - SUMMARY)
    }
}

impl Check {
    /// Reads the condition of a flag.
    ///
    /// # Errors
    /// The mistake, for people.
    pub fn new(flag: &'static str, is_warning: bool, source: &str, shape: &RowShape) -> Result<Check, String> {
        let told = |fault: Fault| format!("{flag} {}", fault.of(source));
        let mut scopes = BothScopes { row: RowScope::new(shape), summary: SummaryScope };
        let program = parse(source, &mut scopes).and_then(Program::condition).map_err(told)?;
        let of_summary = program.slots().iter().filter(|slot| **slot >= SUMMARY).count();
        if of_summary > 0 && of_summary < program.slots().len() {
            return Err(format!(
                "{flag} '{source}': stats. is of the run as a whole, and columns are of each row; make two checks of it"
            ));
        }
        Ok(Check { flag, is_warning, of_summary: of_summary > 0, program })
    }

    /// As it was typed, for people.
    pub fn name(&self) -> String {
        format!("{} '{}'", self.flag, self.program.source())
    }
}

impl Checks {
    /// Checks of rows of a shape. With `consecutive` a check of rows counts only when it is violated in so many consecutive windows
    /// of a key.
    pub fn new(
        checks: Vec<Check>,
        shape: &RowShape,
        consecutive: usize,
        windows: &[WindowSpec],
        lateness: Span,
    ) -> Checks {
        let checked = |check: Check| {
            let streaks =
                (consecutive > 1 && !check.of_summary).then(|| Streaks::new(consecutive, windows.to_vec(), lateness));
            Checked { check, violations: 0, first: Vec::new(), streaks }
        };
        Checks {
            all: checks.into_iter().map(checked).collect(),
            rows: Ndjson::new(shape.clone()),
            shape: shape.clone(),
        }
    }

    /// What they have found so far.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |checked: &Checked| Outcome {
            name: checked.check.name(),
            count: checked.violations,
            first: checked.first.clone(),
            is_warning: checked.check.is_warning,
            of: if checked.check.of_summary { "" } else { "true of rows" },
        };
        self.all.iter().map(outcome).collect()
    }

    /// Whether rows are looked at.
    pub fn are_of_rows(&self) -> bool {
        self.all.iter().any(|checked| !checked.check.of_summary)
    }

    /// A row as it is shown.
    pub fn text(&mut self, pane: &Pane<'_>) -> String {
        let mut text = Vec::new();
        self.rows.row(pane, &mut text);
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    /// Looks at a row that was printed and appends what violations there are.
    ///
    /// # Errors
    /// A condition could not be evaluated.
    pub fn row(&mut self, pane: &Pane<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        // What takes a row back has said it before.
        if pane.timing == Timing::Retract {
            return Ok(());
        }
        let row = Row { shape: &self.shape, pane };
        for checked in self.all.iter_mut().filter(|checked| !checked.check.of_summary) {
            let program = &checked.check.program;
            let told = |fault: Fault| format!("{} {}", checked.check.flag, program.explain(&fault));
            let fails = program.is_true(&row).map_err(told)?;
            let is_violation = match &mut checked.streaks {
                Some(streaks) => streaks.note(pane, fails),
                None => fails,
            };
            if is_violation {
                let mut text = Vec::new();
                self.rows.row(pane, &mut text);
                text.pop();
                let names = self.shape.names();
                let values: Vec<_> = program.slots().iter().map(|slot| (names[*slot].to_owned(), *slot)).collect();
                checked.violated(Some(&text), &values, &row, out);
            }
        }
        Ok(())
    }

    /// Looks at the summary and appends what violations there are.
    ///
    /// # Errors
    /// A condition could not be evaluated.
    pub fn summary(&mut self, figures: &Figures, out: &mut Vec<u8>) -> Result<(), String> {
        for checked in self.all.iter_mut().filter(|checked| checked.check.of_summary) {
            let program = &checked.check.program;
            let told = |fault: Fault| format!("{} {}", checked.check.flag, program.explain(&fault));
            if program.is_true(&Summary(figures)).map_err(told)? {
                let name = |slot: &usize| (format!("stats.{}", figures.name(*slot - SUMMARY)), *slot);
                let values: Vec<_> = program.slots().iter().map(name).collect();
                checked.violated(None, &values, &Summary(figures), out);
            }
        }
        Ok(())
    }
}

impl Checked {
    fn violated(&mut self, row: Option<&[u8]>, values: &[(String, usize)], lookup: &impl Lookup, out: &mut Vec<u8>) {
        self.violations += 1;
        let begin = out.len();
        let mut line = Line::begin(out, "violation");
        line.text("check", self.check.flag);
        line.text("expression", self.check.program.source());
        if let Some(row) = row {
            line.member("row", |out| out.extend_from_slice(row));
        }
        line.member("values", |out| {
            out.push(b'{');
            for (index, (name, slot)) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                super::text::json_string(out, name);
                out.push(b':');
                json_of(out, &lookup.value(*slot).unwrap_or(crate::expr::Value::Null));
            }
            out.push(b'}');
        });
        line.end();
        if self.first.len() < MOST_SHOWN {
            self.first.push(String::from_utf8_lossy(&out[begin..]).trim_end().to_owned());
        }
    }
}
