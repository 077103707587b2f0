//! A pipe whose reader may take nothing any more: a run that is asked to stop must not wait for it.

use crate::host::Asked;
use crate::output::sink::Untaken;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::time::{Duration, Instant};

/// A pipe that says it can be written to takes this much at once.
const PIPE_BUF: usize = 4096;

/// Between two looks at whether the run is to stop.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How long a reader is waited for when the run is to stop.
struct Patience {
    /// If it takes nothing.
    grace: Duration,
    /// Over all there is.
    longest: Duration,
}

/// What is left of the two seconds is for the last checkpoint, which has the rows that nobody took.
const WITH_STATE: Patience = Patience { grace: Duration::from_millis(400), longest: Duration::from_millis(900) };

/// Without a state they are lost, and all that is left is to say so.
const WITHOUT: Patience = Patience { grace: Duration::from_millis(1200), longest: Duration::from_millis(1200) };

/// Writes to a pipe, socket or terminal, and gives up if the run is to stop and nobody takes anything.
pub struct Patient {
    file: File,
    /// How much is written at once.
    most: usize,
    patience: Patience,
    asked: Asked,
    /// Since when the run is to stop, as far as it is known here.
    asked_since: Option<Instant>,
    /// Since when nobody has taken anything, as far as it matters.
    since: Option<Instant>,
}

impl Patient {
    /// With a state. Nobody else should write there: what then has no room would be waited for.
    pub fn new(file: File, asked: Asked) -> Patient {
        Patient { file, most: PIPE_BUF, patience: WITH_STATE, asked, asked_since: None, since: None }
    }

    /// Without a state, where rows go down in large pieces. The pipe or terminal is opened once more, as those who share it
    /// want to wait; `None` if that cannot be done, or it is something else.
    pub fn reopened(file: &File, asked: Asked) -> Option<Patient> {
        let is_pipe = file.metadata().is_ok_and(|found| found.file_type().is_fifo());
        if !is_pipe && !file.is_terminal() {
            return None;
        }
        let mut options = File::options();
        options.write(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        let file = options.open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
        Some(Patient { file, most: usize::MAX, patience: WITHOUT, asked, asked_since: None, since: None })
    }

    /// Whether the reader, who takes something now or does not, is not waited for any more.
    fn gives_up(&mut self, takes: bool) -> bool {
        if !self.asked.to_stop() {
            return false;
        }
        if takes {
            self.since = None;
        }
        let is_long = self.asked_since.get_or_insert_with(Instant::now).elapsed() >= self.patience.longest;
        is_long || (!takes && self.since.get_or_insert_with(Instant::now).elapsed() >= self.patience.grace)
    }
}

impl Write for Patient {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            // Also when the reader has gone away: the write says so.
            let takes = match poll(&mut fds, Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => false,
                Ok(_) => true,
                Err(error) => return Err(error.into()),
            };
            if self.gives_up(takes) {
                return Err(io::Error::other(Untaken));
            }
            if takes {
                match self.file.write(&buffer[..buffer.len().min(self.most)]) {
                    // Somebody else's was first.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
