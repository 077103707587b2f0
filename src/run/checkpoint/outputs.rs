//! What a run writes, so that a later one can cut it back to what a checkpoint has.
//!
//! A regular file is cut back to the committed length: its rows come once, whatever happened. That holds for `--output`,
//! `--late` and `--bad` and for stdout if the shell has opened a file for it. What goes down a pipe is gone, and comes again.

use super::record::{FileId, OutputFile, OutputRecord, OutputRecords};
use crate::cli::Config;
use crate::error::Error;
use crate::host::Asked;
use crate::input::position::{Extract, TAIL_BYTES};
use crate::output::RowFormat;
use crate::output::side::Which;
use crate::output::sink::Sink;
use crate::run::open::{Writers, is_replaced, replaced};
use crate::run::patient::Patient;
use crate::state::{Calls, Lock, take_lock};
use rustix::fs::{OFlags, fcntl_getfl};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
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
    fn call<T>(&self, what: &'static str, name: &str, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.calls.before(what, Path::new(name))?;
        act()
    }
}

/// One of them.
struct Target {
    means: Means,
    /// As named to people.
    name: String,
    /// The flag that names it, or what does.
    flag: &'static str,
    writer: Box<dyn Write + Send>,
    is_terminal: bool,
    regular: Option<Regular>,
    /// A file that is not there yet.
    absent: Option<PathBuf>,
}

/// A regular file.
struct Regular {
    file: File,
    /// The same opened for reading, if that is allowed. It holds the lock.
    look: Option<File>,
    id: FileId,
    /// Whether each write goes to the end of the file, wherever that is.
    appends: bool,
    /// Where the next byte goes.
    from: u64,
    size: u64,
    /// Whether what is there already is an earlier run's.
    continues: bool,
    /// Whether what comes after `from` is to be cut off.
    is_cut: bool,
    written: Written,
}

/// How much has been written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Amount>>);

#[derive(Default)]
struct Amount {
    length: u64,
    tail: Vec<u8>,
}

impl Written {
    fn amount(&self) -> MutexGuard<'_, Amount> {
        // A panic elsewhere cannot have left it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that counts what is written to it.
struct Counted {
    means: Means,
    name: String,
    file: File,
    written: Written,
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

struct TrackedOutput {
    means: Means,
    name: String,
    regular: Option<TrackedFile>,
}

struct TrackedFile {
    file: File,
    /// Holds the lock.
    _look: Option<File>,
    id: FileId,
    /// Where the first byte of this run goes.
    from: u64,
    continues: bool,
    written: Written,
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

const STDOUT: &str = "stdout";

impl Target {
    fn stdout(writer: Box<dyn Write + Send>, file: Option<File>, means: &Means) -> Result<Target, Error> {
        let failed = |source| Error::File { name: STDOUT.to_owned(), source };
        let is_regular = |file: &File| file.metadata().is_ok_and(|found| found.is_file());
        let file = match file {
            Some(file) if is_regular(&file) => file,
            other => {
                let writer = other.map_or(writer, |file| Box::new(Patient::new(file, means.asked.clone())));
                return Ok(Target::not_regular(STDOUT.to_owned(), STDOUT, writer, means));
            }
        };
        // Opened once more: our own, it takes the lock with it when we end, whatever the shell does with its own.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name = std::fs::read_link(&path).map_or_else(|_| STDOUT.to_owned(), |path| path.display().to_string());
        let look = File::open(&path).ok();
        let appends = fcntl_getfl(&file).map_err(|error| failed(error.into()))?.contains(OFlags::APPEND);
        let at = (&file).stream_position().map_err(failed)?;
        Target::regular(name, STDOUT, file, look, (appends, at), means)
    }

    fn named(flag: &'static str, path: &Path, means: &Means) -> Result<Target, Error> {
        let name = path.display().to_string();
        let failed = |source| Error::File { name: name.clone(), source };
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {
                let open = || OpenOptions::new().append(true).open(path);
                let file = means.call("open", &name, open).map_err(failed)?;
                Target::regular(name.clone(), flag, file, File::open(path).ok(), (true, 0), means)
            }
            Ok(_) => {
                let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
                let is_terminal = file.is_terminal();
                let writer = Box::new(Patient::new(file, means.asked.clone()));
                Ok(Target { is_terminal, ..Target::not_regular(name, flag, writer, means) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let absent = Some(path.to_owned());
                Ok(Target { absent, ..Target::not_regular(name, flag, Box::new(io::sink()), means) })
            }
            Err(source) => Err(failed(source)),
        }
    }

    fn not_regular(name: String, flag: &'static str, writer: Box<dyn Write + Send>, means: &Means) -> Target {
        Target { means: means.clone(), name, flag, writer, is_terminal: false, regular: None, absent: None }
    }

    /// Makes the file that was not there.
    fn make(self) -> Result<Target, Error> {
        let Some(path) = &self.absent else { return Ok(self) };
        let failed = |source| Error::File { name: self.name.clone(), source };
        let open = || OpenOptions::new().append(true).create(true).open(path);
        let file = self.means.call("create", &self.name, open).map_err(failed)?;
        // Its name must outlast a power cut as well: the state will speak of it.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.means.call("sync", &parent.to_string_lossy(), || sync_names(parent)).map_err(failed)?;
        Target::regular(self.name.clone(), self.flag, file, File::open(path).ok(), (true, 0), &self.means)
    }

    fn regular(
        name: String,
        flag: &'static str,
        file: File,
        look: Option<File>,
        (appends, at): (bool, u64),
        means: &Means,
    ) -> Result<Target, Error> {
        let failed = |source| Error::File { name: name.clone(), source };
        let found = file.metadata().map_err(failed)?;
        let lock = || take_lock(look.as_ref().unwrap_or(&file));
        // A file system without locks has nobody who could be kept away.
        let locked = means.call("lock", &name, || Ok(lock().unwrap_or(Lock::Ours))).map_err(failed)?;
        if locked != Lock::Ours {
            return Err(Error::Refused(format!("{name} is being written by another run with --state")));
        }
        let id = FileId { device: found.dev(), inode: found.ino() };
        let (size, written) = (found.len(), Written::default());
        let from = if appends { size } else { at };
        let copy = file.try_clone().map_err(failed)?;
        let writer =
            Box::new(Counted { means: means.clone(), name: name.clone(), file: copy, written: written.clone() });
        let regular = Regular { file, look, id, appends, from, size, continues: false, is_cut: false, written };
        Ok(Target { regular: Some(regular), ..Target::not_regular(name, flag, writer, means) })
    }

    fn check(&mut self, before: Option<&OutputRecord>, is_clean: bool) -> Result<(), Error> {
        let Target { name, flag, regular, absent, .. } = self;
        let refused = |why: &str| {
            Err(Error::Refused(format!(
                "{flag}: {why}; the run before did not end by itself, and its output must be gone on with (or use another \
                 --state, or streamw state reset)"
            )))
        };
        let (now, file, before) = match (regular, before) {
            (None, None) => return Ok(()),
            (Some(_), None) if is_clean => return Ok(()),
            (Some(_), None) => return refused(&format!("{name} was not written")),
            (now, Some(before)) => match (now, before.file) {
                (Some(now), Some(file)) => (now, file, before),
                (_, _) if is_clean => return Ok(()),
                (None, Some(_)) if absent.is_some() => {
                    return refused(&format!("it was the file {}, and {name} does not exist", before.name));
                }
                (None, Some(_)) => return refused(&format!("it was the file {}, now it is none", before.name)),
                (None, None) if absent.is_some() && !is_clean => {
                    return refused(&format!("it was no file, now it is {name}"));
                }
                (None, None) => return Ok(()),
                (Some(_), None) => return refused(&format!("it was no file, now it is {name}")),
            },
        };
        if is_clean {
            // Whatever has become of it meanwhile, rows come after what is there.
            now.continues = now.id == file.id && now.size >= file.length && file.has_begun;
            return Ok(());
        }
        if now.id != file.id {
            return refused(&format!("it was {}, now it is {name}, which is another file", before.name));
        }
        if now.size < file.length && now.size == 0 && !now.appends {
            return refused(&format!(
                "{name} was emptied before streamw began, with {} bytes of rows in it; the shell does that for >, write >> \
                 {name} or --output {name}",
                file.length
            ));
        }
        let (length, size) = (file.length, now.size);
        if size < length {
            return refused(&format!("{name} has {size} bytes, and {length} were committed"));
        }
        match &now.look {
            Some(look) if !has_tail(look, &file).unwrap_or(false) => {
                return refused(&format!("{name} does not hold what was written to it"));
            }
            _ => {}
        }
        (now.from, now.is_cut, now.continues) = (length, true, file.has_begun);
        now.written.amount().tail = tail(now.look.as_ref(), &file);
        Ok(())
    }

    fn begin(self, notes: &mut Vec<String>) -> Result<(Sink, TrackedOutput), Error> {
        let Target { means, name, flag, writer, regular, .. } = self.make()?;
        let failed = |source| Error::File { name: name.clone(), source };
        let tracked = match regular {
            None => None,
            Some(Regular { mut file, look, id, appends, from, size, continues, is_cut, written }) => {
                written.amount().length = from;
                if is_cut && from < size {
                    means.call("cut", &name, || file.set_len(from)).map_err(failed)?;
                }
                if !appends {
                    // Else what follows would be written where the shell had left off, behind a hole.
                    means.call("seek", &name, || file.seek(SeekFrom::Start(from))).map_err(failed)?;
                }
                if !continues && from > 0 {
                    let what = if flag == "--late" || flag == "--bad" { "reports" } else { "rows" };
                    notes.push(format!("{name} has {from} bytes already; {what} come after them"));
                }
                Some(TrackedFile { file, _look: look, id, from, continues, written })
            }
        };
        let sink = Sink::new(if flag == STDOUT { STDOUT.to_owned() } else { name.clone() }, writer);
        Ok((sink, TrackedOutput { means, name, regular: tracked }))
    }
}

/// Makes the names in a directory durable, where the file system knows how.
fn sync_names(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        // A directory in which files may be made need not be readable.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

fn read_tail(look: &File, file: &OutputFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.tail.length.min(TAIL_BYTES as u64) as usize];
    look.read_exact_at(&mut bytes, file.length.saturating_sub(file.tail.length))?;
    Ok(bytes)
}

fn has_tail(look: &File, file: &OutputFile) -> io::Result<bool> {
    Ok(Extract::of(&read_tail(look, file)?) == file.tail)
}

fn tail(look: Option<&File>, file: &OutputFile) -> Vec<u8> {
    look.and_then(|look| read_tail(look, file).ok()).unwrap_or_default()
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
