//! A pipe whose reader may take nothing any more: a run that is asked to stop must not wait for it.

use crate::host::Asked;
use crate::output::sink::Untaken;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// A pipe that says it can be written to takes this much at once.
const PIPE_BUF: usize = 4096;

/// Between two looks at whether the run is to stop.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How long a reader may take nothing when the run is to stop.
const GRACE: Duration = Duration::from_millis(400);

/// How long it may take over all there is. What is left of the two seconds is for the last checkpoint.
const LONGEST: Duration = Duration::from_millis(900);

/// Writes to a pipe, socket or terminal, and gives up if the run is to stop and nobody takes anything.
pub struct Patient {
    file: File,
    asked: Asked,
    /// Since when the run is to stop, as far as it is known here.
    asked_since: Option<Instant>,
    /// Since when nobody has taken anything, as far as it matters.
    since: Option<Instant>,
}

impl Patient {
    /// Nobody else should write there: what then has no room would be waited for.
    pub fn new(file: File, asked: Asked) -> Patient {
        Patient { file, asked, asked_since: None, since: None }
    }

    /// Whether the reader, who takes something now or does not, is not waited for any more.
    fn gives_up(&mut self, takes: bool) -> bool {
        if !self.asked.to_stop() {
            return false;
        }
        if takes {
            self.since = None;
        }
        let is_long = self.asked_since.get_or_insert_with(Instant::now).elapsed() >= LONGEST;
        is_long || (!takes && self.since.get_or_insert_with(Instant::now).elapsed() >= GRACE)
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
                return self.file.write(&buffer[..buffer.len().min(PIPE_BUF)]);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
