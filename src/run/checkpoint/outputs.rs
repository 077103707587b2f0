//! What a run writes, so that a later one can cut it back to what a checkpoint has.
//!
//! A regular file is cut back to the committed length: its rows come once, whatever happened. That holds for `--output`,
//! `--late` and `--bad` and for stdout if the shell has opened a file for it. What goes down a pipe is gone, and comes again.

use super::record::{FileId, OutputFile, OutputRecord, OutputRecords};
use super::target::{Regular, STDOUT, Target};
use crate::cli::Config;
use crate::error::Error;
use crate::host::Asked;
use crate::input::position::{Extract, TAIL_BYTES};
use crate::output::RowFormat;
use crate::output::side::Which;
use crate::run::open::{Writers, is_replaced, replaced};
use crate::state::Calls;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All that a run writes, opened and not yet touched.
pub struct Outputs {
    rows: Target,
    late: Option<Target>,
    bad: Option<Target>,
}

/// By what means they are written.
#[derive(Clone)]
pub struct Means {
    /// What stands before each call.
    pub calls: Arc<dyn Calls>,
    /// Whether the run is to stop.
    pub asked: Asked,
}

impl Means {
    /// Makes a call on a file.
    pub(super) fn call<T>(&self, what: &'static str, name: &str, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.calls.before(what, Path::new(name))?;
        act()
    }
}

/// How much has been written.
#[derive(Clone, Default)]
pub(super) struct Written(Arc<Mutex<Amount>>);

#[derive(Default)]
pub(super) struct Amount {
    pub(super) length: u64,
    pub(super) tail: Vec<u8>,
}

impl Written {
    pub(super) fn amount(&self) -> MutexGuard<'_, Amount> {
        // A panic elsewhere cannot have left it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that counts what is written to it.
pub(super) struct Counted {
    pub(super) means: Means,
    pub(super) name: String,
    pub(super) file: File,
    pub(super) written: Written,
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.means.call("write", &self.name, || (&self.file).write(buffer))?;
        let mut amount = self.written.amount();
        let new = &buffer[count.saturating_sub(TAIL_BYTES)..count];
        let old = amount.tail.len().min(TAIL_BYTES - new.len());
        let too_many = amount.tail.len() - old;
        amount.tail.drain(..too_many);
        amount.tail.extend_from_slice(new);
        amount.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What is written, while the run goes on.
pub struct Tracked {
    rows: TrackedOutput,
    late: Option<TrackedOutput>,
    bad: Option<TrackedOutput>,
    /// Whether rows follow those of an earlier run.
    pub rows_continue: bool,
    /// What is to be said of files that had something in them.
    pub notes: Vec<String>,
}

/// A file that is written from now on.
pub struct Reopened {
    /// What writes there.
    pub writer: Box<dyn Write + Send>,
    /// Whether there is nothing in it.
    pub is_empty: bool,
}

pub(super) struct TrackedOutput {
    pub(super) means: Means,
    pub(super) name: String,
    pub(super) regular: Option<TrackedFile>,
}

pub(super) struct TrackedFile {
    pub(super) file: File,
    /// Holds the lock.
    pub(super) _look: Option<File>,
    pub(super) id: FileId,
    /// Where the first byte of this run goes.
    pub(super) from: u64,
    pub(super) continues: bool,
    pub(super) written: Written,
}

/// A file that must be durable before a checkpoint says so.
pub struct ToSync {
    means: Means,
    name: String,
    file: File,
}

impl ToSync {
    /// Makes it so. An error is final: the kernel takes the lost pages for clean after it has told once.
    ///
    /// # Errors
    /// It could not be done.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = self.means.call("sync", &self.name, || self.file.sync_data());
        synced.map_err(|source| Error::File { name: self.name.clone(), source })
    }
}

impl Outputs {
    /// Opens what the configuration names and changes nothing. `stdout` is the file behind `writer`, if it is one.
    ///
    /// # Errors
    /// One cannot be opened, or others write to it.
    pub fn open(
        config: &Config,
        writer: Box<dyn Write + Send>,
        stdout: Option<File>,
        means: Means,
    ) -> Result<Outputs, Error> {
        let rows = match &config.output {
            // What is in it follows from the state, which also makes it whole.
            Some(path) if is_replaced(config.row_format, path) => {
                let writer = Box::new(replaced(path)?);
                Target::not_regular(path.display().to_string(), "--output", writer, &means)
            }
            Some(path) => Target::named("--output", path, &means)?,
            None => Target::stdout(writer, stdout, &means)?,
        };
        let late = config.late.as_ref().map(|path| Target::named("--late", path, &means)).transpose()?;
        let bad = config.bad.as_ref().map(|path| Target::named("--bad", path, &means)).transpose()?;
        if config.row_format == RowFormat::Table && rows.regular.is_some() {
            return Err(Error::Refused(
                "-o table cannot go on where another run ended; with --state write ndjson, csv or tsv into a file"
                    .into(),
            ));
        }
        Ok(Outputs { rows, late, bad })
    }

    /// Refuses outputs that a checkpoint does not go with. Nothing is changed.
    ///
    /// # Errors
    /// After a run that did not end well the outputs must be the same, and hold what it had committed.
    pub fn check(&mut self, before: &OutputRecords, is_clean: bool) -> Result<(), Error> {
        self.rows.check(Some(&before.rows), is_clean)?;
        for (now, before, flag) in [(&mut self.late, &before.late, "--late"), (&mut self.bad, &before.bad, "--bad")] {
            match (now, before) {
                (Some(now), before) => now.check(before.as_ref(), is_clean)?,
                (None, Some(before)) if !is_clean => {
                    let name = &before.name;
                    return Err(Error::Refused(format!(
                        "{flag} {name} is missing: the run before did not end by itself, and what it wrote there must be gone on with"
                    )));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Cuts files back to what a checkpoint has, and hands out what writes to them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn cut_back(self) -> Result<(Writers, Tracked), Error> {
        let Outputs { rows, late, bad } = self;
        let mut has_terminal = false;
        let mut notes = Vec::new();
        let rows_continue = rows.regular.as_ref().is_some_and(|regular| regular.continues);
        let mut begin = |target: Target| {
            has_terminal |= target.is_terminal && target.flag != STDOUT;
            target.begin(&mut notes)
        };
        let (rows, tracked_rows) = begin(rows)?;
        let (late, tracked_late) = late.map(&mut begin).transpose()?.unzip();
        let (bad, tracked_bad) = bad.map(&mut begin).transpose()?.unzip();
        let tracked = Tracked { rows: tracked_rows, late: tracked_late, bad: tracked_bad, rows_continue, notes };
        Ok((Writers { rows, late, bad, has_terminal, encoder: None }, tracked))
    }
}

impl Tracked {
    fn all(&self) -> impl Iterator<Item = &TrackedOutput> {
        std::iter::once(&self.rows).chain(&self.late).chain(&self.bad)
    }

    /// Whether rows go to a file, of which what no checkpoint has is cut off when a run goes on.
    pub fn rows_can_be_cut(&self) -> bool {
        self.rows.regular.is_some()
    }

    /// What a checkpoint is to say of the outputs, all that was to be written before it having been handed to the system.
    ///
    /// # Errors
    /// Somebody else has written to a file, so that nobody can say where our rows are.
    pub fn records(&self) -> Result<OutputRecords, Error> {
        let late = self.late.as_ref().map(TrackedOutput::record).transpose()?;
        let bad = self.bad.as_ref().map(TrackedOutput::record).transpose()?;
        Ok(OutputRecords { rows: self.rows.record()?, late, bad })
    }

    /// Writes to what the path names from now on. Nothing is given if it is the same file still.
    ///
    /// # Errors
    /// It cannot be opened, or others write to it. Then all is as it was.
    pub fn reopen(&mut self, which: Which, path: &Path) -> Result<Option<Reopened>, Error> {
        let (flag, tracked) = match which {
            Which::Rows => ("--output", Some(&mut self.rows)),
            Which::Late => ("--late", self.late.as_mut()),
            Which::Bad => ("--bad", self.bad.as_mut()),
        };
        let Some(tracked) = tracked else { return Ok(None) };
        let now = std::fs::metadata(path).ok().map(|file| FileId { device: file.dev(), inode: file.ino() });
        if now.is_some() && now == tracked.regular.as_ref().map(|file| file.id) {
            return Ok(None);
        }
        let target = Target::named(flag, path, &tracked.means)?.make()?;
        let is_empty = target.regular.as_ref().is_none_or(|file| file.size == 0);
        let Target { means, name, writer, regular, .. } = target;
        let regular = regular.map(|Regular { file, look, id, from, continues, written, .. }| {
            written.amount().length = from;
            TrackedFile { file, _look: look, id, from, continues, written }
        });
        *tracked = TrackedOutput { means, name, regular };
        Ok(Some(Reopened { writer, is_empty }))
    }

    /// What has to be durable before a checkpoint.
    ///
    /// # Errors
    /// The system gives no further handles.
    pub fn to_sync(&self) -> Result<Vec<ToSync>, Error> {
        let regular = self.all().filter_map(|output| Some((output, &output.regular.as_ref()?.file)));
        regular
            .map(|(TrackedOutput { means, name, .. }, file)| match file.try_clone() {
                Ok(file) => Ok(ToSync { means: means.clone(), name: name.clone(), file }),
                Err(source) => Err(Error::File { name: name.clone(), source }),
            })
            .collect()
    }
}

impl TrackedOutput {
    fn record(&self) -> Result<OutputRecord, Error> {
        let name = self.name.clone();
        let Some(regular) = &self.regular else { return Ok(OutputRecord { name, file: None }) };
        let amount = regular.written.amount();
        let (length, tail) = (amount.length, Extract::of(&amount.tail));
        let size = regular.file.metadata().map_err(|source| Error::File { name: name.clone(), source })?.len();
        if size != length {
            return Err(Error::Refused(format!(
                "{name} has {size} bytes where {length} were written: somebody else changes it, so no checkpoint can be made"
            )));
        }
        let has_begun = regular.continues || length > regular.from;
        Ok(OutputRecord { name, file: Some(OutputFile { id: regular.id, has_begun, length, tail }) })
    }
}
