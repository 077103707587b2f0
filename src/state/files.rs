//! The system calls of this layer, each of which a test can make fail.

use super::medium::Fault;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Stands before every call. The program's own lets everything pass; a test counts, refuses, or
/// from some call on refuses everything, as if the process had been killed there.
pub trait Calls: Send + Sync {
    /// The call `what` is about to be made on `path`.
    ///
    /// # Errors
    /// The call is not made, and seems to have failed like this.
    fn before(&self, what: &'static str, path: &Path) -> io::Result<()>;
}

/// Lets everything pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unhindered;

impl Calls for Unhindered {
    fn before(&self, _what: &'static str, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// The calls, with the file named in what goes wrong.
#[derive(Clone)]
pub(super) struct Files {
    calls: Arc<dyn Calls>,
}

/// Owner only: the state holds keys and values of the data.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

impl Files {
    pub(super) fn new(calls: Arc<dyn Calls>) -> Files {
        Files { calls }
    }

    /// Makes a call.
    pub(super) fn call<T>(
        &self,
        what: &'static str,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, Fault> {
        let done = self.calls.before(what, path).and_then(|()| act());
        done.map_err(|source| {
            let name = path.file_name().map_or_else(String::new, |name| format!(" {}", name.to_string_lossy()));
            Fault::io(format!("{what}{name}"), source)
        })
    }

    pub(super) fn create_directory(&self, path: &Path) -> Result<(), Fault> {
        self.call("create", path, || std::fs::DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path))
    }

    /// Opens for reading and writing, creates the file if need be. A link is never followed.
    pub(super) fn open_or_create(&self, path: &Path) -> Result<File, Fault> {
        self.call("open", path, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE);
            options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path)
        })
    }

    /// The content; `None` if there is no such file. A link is never followed.
    pub(super) fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        let opened = self.call("open", path, || {
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        let Some(file) = opened else { return Ok(None) };
        self.call("read", path, || {
            let mut content = Vec::new();
            file.take(most).read_to_end(&mut content)?;
            Ok(Some(content))
        })
    }

    /// Replaces the file by one with this content: at every moment there is the old one or the new one.
    /// The directory is still to be synced.
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> Result<(), Fault> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(super::directory::UNFINISHED);
        let beside = PathBuf::from(beside);
        let file = self.open_or_create(&beside)?;
        self.call("write", &beside, || file.set_len(0).and_then(|()| file.write_all_at(content, 0)))?;
        self.sync(&file, &beside)?;
        self.rename(&beside, path)
    }

    /// Makes a copy under a new name, without using room where the file system can share it. `false` if it cannot and
    /// the file has more than `most` bytes.
    pub(super) fn copy(&self, from: &Path, to: &Path, most: u64) -> Result<bool, Fault> {
        self.call("copy", from, || {
            let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
            let mut source = OpenOptions::new().read(true).custom_flags(flags).open(from)?;
            let mut copy = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(to)?;
            if rustix::fs::ioctl_ficlone(&copy, &source).is_ok() {
                return Ok(true);
            }
            let small = source.metadata()?.len() <= most;
            if small {
                io::copy(&mut source, &mut copy)?;
            }
            Ok(small)
        })
    }

    /// Reads the whole file to see that it can be read.
    pub(super) fn read_through(&self, path: &Path) -> Result<(), Fault> {
        self.call("read", path, || {
            let mut file = File::open(path)?;
            let mut buffer = vec![0; 1 << 18];
            while file.read(&mut buffer)? > 0 {}
            Ok(())
        })
    }

    pub(super) fn write_at_start(&self, file: &File, path: &Path, content: &[u8]) -> Result<(), Fault> {
        self.call("write", path, || file.write_all_at(content, 0))
    }

    pub(super) fn sync(&self, file: &File, path: &Path) -> Result<(), Fault> {
        self.call("sync", path, || file.sync_all())
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &Path) -> Result<(), Fault> {
        self.call("sync", path, || File::open(path)?.sync_all())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Fault> {
        self.call("rename", from, || std::fs::rename(from, to))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove_file(&self, path: &Path) -> Result<(), Fault> {
        self.call("remove", path, || if_there(std::fs::remove_file(path)))
    }

    /// Removes an empty directory, if it is there.
    pub(super) fn remove_directory(&self, path: &Path) -> Result<(), Fault> {
        self.call("remove", path, || if_there(std::fs::remove_dir(path)))
    }

    pub(super) fn make_private(&self, file: &File, path: &Path) -> Result<(), Fault> {
        self.call("chmod", path, || file.set_permissions(std::fs::Permissions::from_mode(PRIVATE_FILE)))
    }

    /// The names in a directory, sorted; those that are not UTF-8 are none of ours and left out.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<String>, Fault> {
        self.call("read", path, || {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(path)? {
                names.extend(entry?.file_name().into_string());
            }
            names.sort();
            Ok(names)
        })
    }
}

fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
