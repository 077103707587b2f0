//! A file that is replaced as a whole, so that nobody who reads it ever sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is written up to a flush takes the place of the file, at once.
pub struct ReplacedFile {
    path: PathBuf,
    /// Beside it, on the same file system.
    temporary: Temporary,
    file: Option<File>,
}

/// The name of a file that is removed unless it has been renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}

/// Names that are tried; others may have been left behind by programs that were killed.
const ATTEMPTS: u32 = 100;

impl ReplacedFile {
    /// Sees that a file can be made beside `path`, which itself is left as it is until the first flush.
    ///
    /// # Errors
    /// Why none can be made.
    pub fn new(path: &Path) -> io::Result<ReplacedFile> {
        // A link stays, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() {
            return Err(io::Error::other("is a directory"));
        }
        let name = path.file_name().ok_or_else(|| io::Error::other("is no name of a file"))?;
        for attempt in 0..ATTEMPTS {
            let mut beside = std::ffi::OsString::from(".");
            beside.push(name);
            // No reader of `*.prom` takes it for one.
            beside.push(format!(".{}-{attempt}.tmp", std::process::id()));
            let temporary = path.with_file_name(beside);
            match create_new(&temporary) {
                Ok(file) => return Ok(ReplacedFile { path, temporary: Temporary(temporary), file: Some(file) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("its directory is full of temporary files"))
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl Write for ReplacedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(create_new(&self.temporary.0)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(_) => fs::rename(&self.temporary.0, &self.path),
            None => Ok(()),
        }
    }
}
