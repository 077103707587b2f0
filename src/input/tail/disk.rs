//! What a tail asks of a file system, and the one of the machine.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Which file it is, as long as it exists; afterwards another one may get the same number (R1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The device it is on.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Which file it is.
    pub id: FileId,
    /// Bytes.
    pub size: u64,
    /// When it was last written to: nanoseconds since the epoch, by the file system's clock.
    pub modified: i64,
    /// When it was made, where that is known; it tells one owner of an inode from the next.
    pub created: Option<i64>,
    /// How many names it has. None: it has been deleted.
    pub links: u64,
    /// Whether it is a regular file, which alone can be followed.
    pub is_regular: bool,
}

/// Files by name.
pub trait FileSystem: Send + Sync {
    /// Opens a file to be read. Links are followed.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>>;

    /// What the file of this name is now. Links are followed.
    ///
    /// # Errors
    /// If there is none, or it cannot be told.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// The names in a directory.
    ///
    /// # Errors
    /// If it cannot be read.
    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Where a name leads to in the end.
    ///
    /// # Errors
    /// If it leads nowhere.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
}

/// An open file.
pub trait OpenFile: Send + Sync {
    /// What it is now, whatever its name.
    ///
    /// # Errors
    /// If that cannot be told.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads from this place on, as one read does.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

/// The files of the machine.
pub struct Disk;

impl FileSystem for Disk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        // A FIFO would keep us waiting for its writer.
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        Ok(Arc::new(OpenOptions::new().read(true).custom_flags(flags).open(path)?))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|metadata| stat(&metadata))
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }
}

impl OpenFile for File {
    fn stat(&self) -> io::Result<Stat> {
        self.metadata().map(|metadata| stat(&metadata))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }
}

fn stat(metadata: &Metadata) -> Stat {
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    let created = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stat {
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        size: metadata.len(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        created: created.and_then(|since| i64::try_from(since.as_nanos()).ok()),
        links: metadata.nlink(),
        is_regular: metadata.is_file(),
    }
}
