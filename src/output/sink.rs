//! A file, a pipe or a terminal that takes whole lines.

use crate::error::Error;
use std::io::{self, Write};

/// Lines on their way out. Errors are kept until somebody asks: the engine does no I/O.
pub struct Sink {
    /// As named to people.
    name: String,
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    /// Whether lines wait until they are released.
    is_held: bool,
    /// Whether no other run will write what nobody takes.
    is_forgetful: bool,
    state: State,
}

enum State {
    Open,
    /// The reader has gone away.
    Closed,
    /// The reader takes nothing and is not waited for: what has been gathered is for another run to write, or lost.
    Stuck,
    Failed(io::Error),
}

/// What a writer says that has given up waiting for its reader, who may have got the beginning of what was written.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody takes it")]
pub struct Untaken;

/// Bytes that are gathered before they are written.
const ENOUGH: usize = 64 << 10;

impl Sink {
    /// A sink that writes there.
    pub fn new(name: impl Into<String>, writer: Box<dyn Write + Send>) -> Sink {
        let name = name.into();
        Sink { name, writer, buffer: Vec::new(), is_held: false, is_forgetful: false, state: State::Open }
    }

    /// What nobody takes is lost.
    pub fn forgetful(mut self) -> Sink {
        self.is_forgetful = true;
        self
    }

    /// Appends lines with `write`.
    #[inline]
    pub fn lines(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        if self.buffer.len() >= ENOUGH && !self.is_held {
            self.flush();
        }
    }

    /// Appends lines that are written at once, even where others wait.
    pub fn at_once(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_held {
            let mut lines = Vec::new();
            write(&mut lines);
            self.release(&lines);
        } else {
            self.lines(write);
        }
    }

    /// Writes out what has been gathered.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() || self.is_held {
            return;
        }
        self.write_out();
    }

    /// Writes out what has been gathered, and goes on writing there.
    pub fn reopen(&mut self, writer: Box<dyn Write + Send>) {
        self.flush();
        self.writer = writer;
    }

    /// From now on lines wait until they are taken and released.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// Whether lines wait until they are released.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Bytes of lines that wait.
    pub fn held_bytes(&self) -> usize {
        if self.is_held || self.is_stuck() { self.buffer.len() } else { 0 }
    }

    /// Takes the lines that wait.
    pub fn take_held(&mut self) -> Vec<u8> {
        if self.is_held || self.is_stuck() { std::mem::take(&mut self.buffer) } else { Vec::new() }
    }

    /// Writes out lines that have waited.
    pub fn release(&mut self, lines: &[u8]) {
        let later = std::mem::replace(&mut self.buffer, lines.to_vec());
        self.write_out();
        // Of what nobody takes nothing is lost.
        self.buffer.extend_from_slice(&later);
    }

    /// Writes out something whole, also if it is empty.
    pub fn write_whole(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.write_out();
    }

    fn write_out(&mut self) {
        match self.state {
            State::Open => {
                let written = self.writer.write_all(&self.buffer).and_then(|()| self.writer.flush());
                match written {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.state = State::Closed,
                    Err(error) if error.get_ref().is_some_and(|error| error.is::<Untaken>()) => {
                        // Which of these lines have come out whole is not known; they come again together.
                        self.state = State::Stuck;
                    }
                    Err(error) => self.state = State::Failed(error),
                }
            }
            State::Stuck | State::Closed | State::Failed(_) => {}
        }
        if !self.is_stuck() || self.is_forgetful {
            self.buffer.clear();
        }
    }

    /// Whether the reader has gone away.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the reader takes nothing and is not waited for; then lines wait as if they were held.
    pub fn is_stuck(&self) -> bool {
        matches!(self.state, State::Stuck)
    }

    /// Whether nothing more will be written by any run, for whatever reason.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed(_))
    }

    /// What went wrong, if anything did.
    ///
    /// # Errors
    /// The first failure to write. A reader that has gone away is none.
    pub fn check(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Failed(source) => Err(Error::File { name: self.name.clone(), source }),
            state => {
                self.state = state;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Takes so many bytes.
    struct Reader {
        room: usize,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.taken.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::Error::other(Untaken)) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_takes_waits_in_order() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut sink = Sink::new("a pipe", Box::new(Reader { room: 5, taken: taken.clone() }));
        let mut line = |text: &str, flush: bool| {
            sink.lines(|out| out.extend_from_slice(text.as_bytes()));
            if flush {
                sink.flush();
            }
            (sink.is_stuck(), sink.held_bytes())
        };
        assert_eq!(line("one\n", true), (false, 0));
        // Its first byte is taken; it comes again as a whole.
        assert_eq!(line("two\n", true), (true, 4));
        assert_eq!(line("three\n", true), (true, 10));
        let held = sink.take_held();
        assert_eq!((held.as_slice(), sink.held_bytes()), (&b"two\nthree\n"[..], 0));
        sink.lines(|out| out.extend_from_slice(b"four\n"));
        sink.release(&held);
        assert_eq!(sink.take_held(), b"two\nthree\nfour\n");
        assert!(!sink.is_done() && sink.check().is_ok());
        assert_eq!(taken.lock().map(|taken| taken.clone()).unwrap_or_default(), b"one\nt");
    }
}
