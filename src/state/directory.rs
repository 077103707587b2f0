//! The directory itself: who may use it, and one at a time.
//!
//! ```text
//! st/               0700
//!   lock            flocked while in use; empty
//!   format          "streamw state 1": read before sled is touched
//!   epoch           the number of the newest checkpoint, apart from sled
//!   reserve         room that is given up when the disk is full and sled must write to be opened
//!   sled-1/         0700: sled's db, conf, snap.*; the next number whenever it is copied or written anew
//! ```

use super::error::{StateError, shown};
use super::files::{Calls, Files};
use super::head::FORMAT;
use super::lock::{Lock, take_lock};
use super::medium::Fault;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names of what is not whole yet end so. Such a thing is removed by whoever finds it.
pub(super) const UNFINISHED: &str = ".new";
/// Directories of sled are called so, with a number.
pub(super) const SLED: &str = "sled-";
pub(super) const MARK: &str = "epoch";
pub(super) const RESERVE: &str = "reserve";
const LOCK: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_TEXT: &str = "streamw state ";

/// A directory that is ours and locked.
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// As named to people.
    pub(super) name: String,
    pub(super) files: Files,
    /// Holds the lock until it is closed.
    _lock: File,
}

/// Whether a directory is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Create,
    Refuse,
}

impl Directory {
    /// Takes the directory into use.
    ///
    /// # Errors
    /// It is another's, in use, of a newer format, or the system refuses.
    pub(super) fn open(path: &Path, absent: Absent, calls: Arc<dyn Calls>) -> Result<Directory, StateError> {
        let name = shown(path);
        let files = Files::new(calls);
        let told = |fault| StateError::told(&name, fault);
        if !exists(path, &name)? {
            if absent == Absent::Refuse {
                return Err(StateError::Missing { dir: name });
            }
            match files.create_directory(path) {
                // By another run that has just begun: the lock decides.
                Err(Fault::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                created => created.map_err(told)?,
            }
            files.sync_directory(parent(path)).map_err(told)?;
        }
        check_owner(path, &name)?;
        let names = files.list(path).map_err(told)?;
        if !names.iter().any(|name| is_state(name)) {
            if absent == Absent::Refuse {
                return Err(StateError::Missing { dir: name });
            }
            if let Some(foreign) = names.iter().find(|name| !is_ours(name)) {
                let why =
                    format!("it holds no state but other files ({foreign}); name a directory that is new or empty");
                return Err(StateError::Unfit { dir: name, why });
            }
        }
        let lock = lock(&files, &path.join(LOCK), &name)?;
        let directory = Directory { path: path.to_owned(), name, files, _lock: lock };
        directory.check_format()?;
        Ok(directory)
    }

    /// What went wrong here, told to people.
    pub(super) fn told(&self, fault: Fault) -> StateError {
        StateError::told(&self.name, fault)
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Before sled sees anything: a later version may use something else.
    fn check_format(&self) -> Result<(), StateError> {
        let content = self.files.read(&self.join(FORMAT_FILE), 100).map_err(|fault| self.told(fault))?;
        let Some(content) = content else { return Ok(()) };
        let text =
            std::str::from_utf8(&content).ok().and_then(|text| text.strip_prefix(FORMAT_TEXT)?.strip_suffix('\n'));
        match text.and_then(|number| number.parse().ok()) {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => Err(StateError::Newer { dir: self.name.clone(), found, known: FORMAT }),
            _ => Err(self.told(Fault::Damaged("the file format is illegible".to_owned()))),
        }
    }

    /// Removes everything that is ours. The directory itself stays: it may have been made by somebody who could
    /// give it to us, where we could not make it again.
    pub(super) fn reset(self) -> Result<(), StateError> {
        let remove = || {
            for name in self.files.list(&self.path)? {
                if name.starts_with(SLED) && is_ours(&name) {
                    remove_sled(&self.files, &self.join(&name))?;
                }
            }
            // The lock last: until then nobody else begins.
            let beside = format!("{FORMAT_FILE}{UNFINISHED}");
            for name in [FORMAT_FILE, &beside, MARK, RESERVE, LOCK] {
                self.files.remove_file(&self.join(name))?;
            }
            self.files.sync_directory(&self.path)
        };
        remove().map_err(|fault: Fault| self.told(fault))
    }
}

/// Writes the file that says which format this is, if it is not there.
pub(super) fn write_format(files: &Files, directory: &Path) -> Result<(), Fault> {
    let path = directory.join(FORMAT_FILE);
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    files.replace(&path, format!("{FORMAT_TEXT}{FORMAT}\n").as_bytes())?;
    files.sync_directory(directory)
}

/// Removes one of sled's directories, if it is there, but in it only what sled makes.
pub(super) fn remove_sled(files: &Files, path: &Path) -> Result<(), Fault> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let blobs = path.join("blobs");
    if blobs.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        for name in files.list(&blobs)? {
            files.remove_file(&blobs.join(name))?;
        }
        files.remove_directory(&blobs)?;
    }
    for name in files.list(path)? {
        if name == "db" || name == "conf" || name.starts_with("snap.") {
            files.remove_file(&path.join(name))?;
        }
    }
    files.remove_directory(path)
}

/// The number of one of sled's directories, if the name is that of a finished one.
pub(super) fn sled_number(name: &str) -> Option<u64> {
    name.strip_prefix(SLED)?.parse().ok()
}

/// Whether a file of this name shows that there is a state.
fn is_state(name: &str) -> bool {
    name == FORMAT_FILE || name == MARK || sled_number(name).is_some()
}

fn is_ours(name: &str) -> bool {
    let finished = name.strip_suffix(UNFINISHED).unwrap_or(name);
    [LOCK, FORMAT_FILE, MARK, RESERVE].contains(&finished) || sled_number(finished).is_some()
}

/// Whether there is something at the path that could be a directory of ours.
fn exists(path: &Path, name: &str) -> Result<bool, StateError> {
    let unfit = |why: &str| Err(StateError::Unfit { dir: name.to_owned(), why: why.to_owned() });
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => {
            unfit("it is a symbolic link; name its target, or write it with a slash at the end")
        }
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => unfit("it is not a directory"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StateError::Io { dir: name.to_owned(), doing: "open".to_owned(), source }),
    }
}

/// Refuses what others could have prepared or can change.
fn check_owner(path: &Path, name: &str) -> Result<(), StateError> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    // A slash at the end asks for what is behind a link.
    let flags = if ends_with_slash(path) { flags } else { flags | OFlags::NOFOLLOW };
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(io::Error::from);
    let found = opened.and_then(|directory| directory.metadata());
    let found = found.map_err(|source| StateError::Io { dir: name.to_owned(), doing: "open".to_owned(), source })?;
    let unfit = |why: String| Err(StateError::Unfit { dir: name.to_owned(), why });
    if found.uid() != rustix::process::geteuid().as_raw() {
        return unfit("it belongs to another user".to_owned());
    }
    if found.mode() & 0o022 != 0 {
        return unfit(format!("others may write to it (chmod go-w {name})"));
    }
    Ok(())
}

fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes the lock. It belongs to the open file and so ends with the process, however that ends. Nothing is written:
/// the system knows who has it.
fn lock(files: &Files, path: &Path, name: &str) -> Result<File, StateError> {
    let told = |fault| StateError::told(name, fault);
    loop {
        let file = files.open_or_create(path).map_err(told)?;
        match files.call("lock", path, || take_lock(&file)).map_err(told)? {
            Lock::Others(process) => return Err(StateError::InUse { dir: name.to_owned(), process }),
            Lock::Ours => {}
        }
        // A reset may have removed the file between the two calls; then this is the lock of nothing.
        let (held, named) = (file.metadata(), path.symlink_metadata());
        if matches!((&held, &named), (Ok(held), Ok(named)) if held.ino() == named.ino()) {
            return Ok(file);
        }
    }
}
