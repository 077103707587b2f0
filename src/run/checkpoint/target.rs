//! One thing that is written, opened and not yet touched: what it is, and whether rows may follow what is in it.

use super::outputs::{Counted, Means, TrackedFile, TrackedOutput, Written};
use super::record::{FileId, OutputFile, OutputRecord};
use crate::error::Error;
use crate::input::position::{Extract, TAIL_BYTES};
use crate::output::sink::Sink;
use crate::run::patient::Patient;
use crate::state::{Lock, take_lock};
use rustix::fs::{OFlags, fcntl_getfl};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Something that is to be written.
pub(super) struct Target {
    pub(super) means: Means,
    /// As named to people.
    pub(super) name: String,
    /// The flag that names it, or what does.
    pub(super) flag: &'static str,
    pub(super) writer: Box<dyn Write + Send>,
    pub(super) is_terminal: bool,
    pub(super) regular: Option<Regular>,
    /// A file that is not there yet.
    pub(super) absent: Option<PathBuf>,
}

/// A regular file.
pub(super) struct Regular {
    pub(super) file: File,
    /// The same opened for reading, if that is allowed. It holds the lock.
    pub(super) look: Option<File>,
    pub(super) id: FileId,
    /// Whether each write goes to the end of the file, wherever that is.
    pub(super) appends: bool,
    /// Where the next byte goes.
    pub(super) from: u64,
    pub(super) size: u64,
    /// Whether what is there already is an earlier run's.
    pub(super) continues: bool,
    /// Whether what comes after `from` is to be cut off.
    pub(super) is_cut: bool,
    pub(super) written: Written,
}

/// As stdout is named to people.
pub(super) const STDOUT: &str = "stdout";

impl Target {
    /// stdout; `file` is what is behind `writer`, if that is one.
    ///
    /// # Errors
    /// It cannot be looked at, or others write to it.
    pub(super) fn stdout(writer: Box<dyn Write + Send>, file: Option<File>, means: &Means) -> Result<Target, Error> {
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

    /// What a path names, opened; what is not there yet is not made.
    ///
    /// # Errors
    /// It cannot be opened, or others write to it.
    pub(super) fn named(flag: &'static str, path: &Path, means: &Means) -> Result<Target, Error> {
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

    /// A pipe, a device, or what is written otherwise.
    pub(super) fn not_regular(
        name: String,
        flag: &'static str,
        writer: Box<dyn Write + Send>,
        means: &Means,
    ) -> Target {
        Target { means: means.clone(), name, flag, writer, is_terminal: false, regular: None, absent: None }
    }

    /// Makes the file that was not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn make(self) -> Result<Target, Error> {
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

    /// Refuses what an earlier run's record of it does not go with, and finds out where rows go on.
    ///
    /// # Errors
    /// After a run that did not end well it must be the same, and hold what was committed.
    pub(super) fn check(&mut self, before: Option<&OutputRecord>, is_clean: bool) -> Result<(), Error> {
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

    /// Cuts it back, and hands out what writes to it.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn begin(self, notes: &mut Vec<String>) -> Result<(Sink, TrackedOutput), Error> {
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
