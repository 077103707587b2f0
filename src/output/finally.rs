//! Checks that need all rows: what the table should be, what should be there, and the report.

use super::RowShape;
use super::final_table::{Expected, FinalTable, TableFormat, Tolerance};
use super::junit::Outcome;
use super::presence::Presence;
use crate::engine::pane::Pane;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// What is asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The table that rows should make (`--expect`).
    pub table: Option<PathBuf>,
    /// How far its numbers may be off.
    pub tolerance: Tolerance,
    /// Whether that file is written instead.
    pub updates: bool,
    /// A file of keys that should be there (`--expect-keys`).
    pub keys: Option<PathBuf>,
    /// `--expect-windows`, as typed.
    pub windows: Option<String>,
    /// Where the report goes (`--report`).
    pub report: Option<PathBuf>,
}

/// Gathers the rows, and judges them at the end.
#[derive(Debug)]
pub struct Finally {
    wanted: Wanted,
    table: Option<FinalTable>,
    expected: Expected,
    presence: Option<Presence>,
}

/// What is to be said of all rows together.
#[derive(Debug)]
pub struct Judgement {
    /// What came of each check.
    pub outcomes: Vec<Outcome>,
    /// Differences, for people.
    pub told: Vec<String>,
    /// Violations as JSON lines.
    pub lines: Vec<u8>,
}

/// Violations that a report shows.
const MOST_SHOWN: usize = 10;

impl Finally {
    /// Gathers rows of a shape. `presence` is what takes note of keys and windows, if any are expected.
    pub fn new(wanted: Wanted, shape: &RowShape, presence: Option<Presence>) -> Finally {
        let table = wanted.table.is_some().then(|| FinalTable::new(shape.clone()));
        Finally { wanted, table, expected: Expected::default(), presence }
    }

    /// Reads the files that say what is expected.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn load(&mut self) -> Result<(), Error> {
        if let Some(path) = self.wanted.table.as_ref().filter(|_| !self.wanted.updates) {
            let bytes = match read(path) {
                Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    let message =
                        format!("--expect {}: No such file or directory; --update-expect writes it", path.display());
                    return Err(Error::Expression(message));
                }
                read => read?,
            };
            let failed = |message| Error::Expression(format!("--expect {}: {message}", path.display()));
            self.expected = Expected::read(&bytes, TableFormat::of(path)).map_err(failed)?;
        }
        if let (Some(path), Some(presence)) = (&self.wanted.keys, &mut self.presence) {
            presence.expect_keys(&String::from_utf8_lossy(&read(path)?));
        }
        Ok(())
    }

    /// Takes a row that was printed.
    pub fn take(&mut self, pane: &Pane<'_>) {
        if let Some(table) = &mut self.table {
            table.take(pane);
        }
        if let Some(presence) = &mut self.presence {
            presence.take(pane);
        }
    }

    /// Judges all rows.
    ///
    /// # Errors
    /// The file of the table cannot be written.
    pub fn judge(&self) -> Result<Judgement, Error> {
        let (mut outcomes, mut lines) = (Vec::new(), Vec::new());
        if let Some(presence) = &self.presence {
            let outcome =
                |name: String| Outcome { name, count: 0, first: Vec::new(), is_warning: false, of: "missing" };
            let mut keys = outcome(
                self.wanted.keys.as_ref().map_or_else(String::new, |path| format!("--expect-keys {}", path.display())),
            );
            let mut windows = outcome(
                self.wanted.windows.as_ref().map_or_else(String::new, |range| format!("--expect-windows {range}")),
            );
            presence.judge(|check, line| {
                let outcome = if check == "--expect-keys" { &mut keys } else { &mut windows };
                outcome.count += 1;
                if outcome.first.len() < MOST_SHOWN {
                    outcome.first.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                }
                lines.extend_from_slice(&line);
            });
            outcomes.extend([keys, windows].into_iter().filter(|outcome| !outcome.name.is_empty()));
        }
        let mut told = Vec::new();
        if let (Some(table), Some(path)) = (&self.table, &self.wanted.table) {
            let format = TableFormat::of(path);
            if self.wanted.updates {
                let bytes = table.write(format).map_err(|message| Error::Expression(format!("--expect: {message}")))?;
                write(path, &bytes)?;
            } else {
                let name = format!("--expect {}", path.display());
                let (differences, count) = table.differences(&self.expected, self.wanted.tolerance);
                told = differences.iter().map(|difference| format!("{name}: {difference}")).collect();
                if count > differences.len() {
                    told.push(format!("{name}: and {} more", count - differences.len()));
                }
                let first = differences.into_iter().take(MOST_SHOWN).collect();
                outcomes.push(Outcome { name, count: count as u64, first, is_warning: false, of: "differences" });
            }
        }
        Ok(Judgement { outcomes, told, lines })
    }

    /// Where the report goes.
    pub fn report(&self) -> Option<&Path> {
        self.wanted.report.as_deref()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { name: path.display().to_string(), source })
}

/// Writes a whole file.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|source| Error::File { name: path.display().to_string(), source })
}
