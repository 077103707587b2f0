//! Where bytes come from, and whether more are waiting.

use super::tail::{Mark, Tail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A stream of bytes.
pub trait Feed: Read + Send {
    /// Appends to the buffer at most so many bytes of what one read gives; says how many. None is the end.
    fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let filled = buffer.len();
        buffer.resize(filled + most, 0);
        let read = self.read(&mut buffer[filled..]);
        buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Whether a read would return at once. If not, what has been read is processed first.
    fn is_ready(&self) -> bool;

    /// Whether it may pause: a pipe, a terminal, a socket, but no regular file.
    fn is_live(&self) -> bool;

    /// Bytes that are there to be read, if they can be known beforehand.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Whether it is what a path names from time to time. A read then also gives none where a file ends.
    fn is_followed(&self) -> bool {
        false
    }

    /// Who follows the path, so that it can be said where to begin.
    fn tail(&mut self) -> Option<&mut Tail> {
        None
    }

    /// What stands where a read gave none; `None` at the end.
    fn take_mark(&mut self) -> Option<Mark> {
        None
    }

    /// The file, if it is a regular one: then reading can begin anywhere.
    fn regular(&self) -> Option<&File> {
        None
    }

    /// Device and inode, if it is a regular file, which an output might be as well.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }
}

/// An opened file, pipe or terminal.
pub struct FileFeed {
    file: File,
    is_live: bool,
    is_fifo: bool,
}

impl FileFeed {
    /// Reads from an open file. A pipe is made to hold more, so that its writer and we take turns
    /// less often; where that is refused it stays as it is.
    pub fn new(file: File) -> io::Result<FileFeed> {
        FileFeed::of(file, false)
    }

    /// Opens a file. A FIFO is opened at once, also if nobody writes to it yet: a writer may wait for another FIFO to be opened
    /// first, and who waits in an open cannot be stopped by a signal.
    ///
    /// # Errors
    /// If it cannot be opened or is a directory.
    pub fn open(path: &Path) -> io::Result<FileFeed> {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_dir() {
            return Err(io::Error::other("is a directory"));
        }
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        FileFeed::of(file, kind.is_fifo())
    }

    /// Waits for the first writer of a FIFO: until there is one, a read would take it for ended.
    fn wait_for_writer(&self) -> io::Result<()> {
        if self.is_fifo {
            poll(&mut [PollFd::new(&self.file, PollFlags::IN)], None)?;
        }
        Ok(())
    }

    fn of(file: File, is_fifo: bool) -> io::Result<FileFeed> {
        let is_live = !file.metadata()?.is_file();
        if is_live {
            const PIPE_BYTES: usize = 256 << 10;
            let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_BYTES);
        }
        Ok(FileFeed { file, is_live, is_fifo })
    }
}

impl Read for FileFeed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait_for_writer()?;
        self.file.read(buffer)
    }
}

impl Feed for FileFeed {
    fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.wait_for_writer()?;
        // Straight into what the buffer has reserved, with nothing to be zeroed first. It may have
        // reserved more than was asked for, which does no harm.
        buffer.reserve(most);
        Ok(rustix::io::read(&self.file, rustix::buffer::spare_capacity(buffer))?)
    }

    fn is_ready(&self) -> bool {
        if !self.is_live {
            return true;
        }
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }

    fn is_live(&self) -> bool {
        self.is_live
    }

    fn regular(&self) -> Option<&File> {
        Some(&self.file).filter(|_| !self.is_live)
    }

    fn size(&self) -> Option<u64> {
        let file = self.file.metadata().ok().filter(Metadata::is_file)?;
        // Whoever opened it may have read from it.
        let read = (&self.file).stream_position().ok()?;
        Some(file.len().saturating_sub(read))
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.file.metadata().ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()))
    }
}

/// Bytes from anywhere, each read taken as all there is for the moment.
pub struct Piped<R>(pub R);

impl<R: Read> Read for Piped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + Send> Feed for Piped<R> {
    fn is_ready(&self) -> bool {
        false
    }

    fn is_live(&self) -> bool {
        true
    }
}
