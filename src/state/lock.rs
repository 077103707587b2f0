//! The lock of an open file: it ends with whoever has it, however that ends.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// How long a lock that this process has just given up may linger: ours in a child that is about to become another
/// program, sled's in one of its threads.
pub(super) const LINGERING: Duration = Duration::from_secs(2);
/// How long a lock may be held by nobody that the system knows of.
const GIVEN_UP: Duration = Duration::from_millis(200);
/// Between two looks at a lock.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Whose a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Ours.
    Ours,
    /// That of this process, if the system tells.
    Others(Option<u32>),
}

/// Takes the lock of a file, unless another process has it. One that is about to be given up is waited for.
///
/// # Errors
/// The file cannot be locked.
pub fn take_lock(file: &File) -> io::Result<Lock> {
    let since = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Lock::Ours),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let process = holder(file);
        let patience = match process {
            Some(id) if id == std::process::id() => LINGERING,
            // It may have been given up just now.
            None => GIVEN_UP,
            Some(_) => Duration::ZERO,
        };
        if since.elapsed() >= patience {
            return Ok(Lock::Others(process));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The process that holds the lock of a file, where the system tells. Lines of /proc/locks read
/// `1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF`, with the number of the process and that of the file.
fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, place, ..] = words[..] else { return None };
        if place.rsplit(':').next() == Some(&inode) { process.parse().ok() } else { None }
    })
}
