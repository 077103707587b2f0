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
    state: State,
}

enum State {
    Open,
    /// The reader has gone away.
    Closed,
    Failed(io::Error),
}

/// Bytes that are gathered before they are written.
const ENOUGH: usize = 64 << 10;

impl Sink {
    /// A sink that writes there.
    pub fn new(name: impl Into<String>, writer: Box<dyn Write + Send>) -> Sink {
        Sink { name: name.into(), writer, buffer: Vec::new(), is_held: false, state: State::Open }
    }

    /// Appends lines with `write`.
    #[inline]
    pub fn lines(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        if self.buffer.len() >= ENOUGH && !self.is_held {
            self.flush();
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

    /// Bytes of lines that wait to be released.
    pub fn held_bytes(&self) -> usize {
        if self.is_held { self.buffer.len() } else { 0 }
    }

    /// Takes the lines that wait.
    pub fn take_held(&mut self) -> Vec<u8> {
        if self.is_held { std::mem::take(&mut self.buffer) } else { Vec::new() }
    }

    /// Writes out lines that have waited.
    pub fn release(&mut self, lines: &[u8]) {
        let later = std::mem::replace(&mut self.buffer, lines.to_vec());
        self.write_out();
        self.buffer = later;
    }

    /// Writes out something whole, also if it is empty.
    pub fn write_whole(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.write_out();
    }

    fn write_out(&mut self) {
        if let State::Open = self.state {
            let written = self.writer.write_all(&self.buffer).and_then(|()| self.writer.flush());
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.state = State::Closed,
                Err(error) => self.state = State::Failed(error),
            }
        }
        self.buffer.clear();
    }

    /// Whether the reader has gone away.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether nothing more will be written, for whatever reason.
    pub fn is_done(&self) -> bool {
        !matches!(self.state, State::Open)
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
