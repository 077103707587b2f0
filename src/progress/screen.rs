//! The terminal that the line shares with all else that is written to it.

use indicatif::TermLike;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Says how many columns the terminal has now; 0 if it does not know.
pub type Width = Box<dyn Fn() -> u16 + Send + Sync>;

/// Where a terminal does not know its width.
const USUAL_WIDTH: u16 = 80;

/// A terminal. What draws the line is gathered and written at once.
pub(super) struct Screen {
    out: Mutex<Out>,
    width: Width,
}

struct Out {
    writer: Box<dyn Write + Send>,
    drawing: Vec<u8>,
}

impl Screen {
    pub fn new(writer: Box<dyn Write + Send>, width: Width) -> Screen {
        Screen { out: Mutex::new(Out { writer, drawing: Vec::new() }), width }
    }

    /// Columns for the line: the last one stays free, since some terminals go to the next line after it.
    pub fn columns(&self) -> u16 {
        let width = match (self.width)() {
            0 => USUAL_WIDTH,
            width => width,
        };
        (width - 1).max(1)
    }

    pub fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.out().writer.write_all(bytes)
    }

    pub fn flush(&self) -> io::Result<()> {
        self.out().writer.flush()
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        // A thread that broke down while it wrote has left bytes at the worst.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terminal as indicatif draws on it.
pub(super) struct Drawn(pub std::sync::Arc<Screen>);

impl Drawn {
    fn draw(&self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.0.out().drawing.write_fmt(text)
    }

    fn move_cursor(&self, n: usize, direction: char) -> io::Result<()> {
        if n > 0 { self.draw(format_args!("\x1b[{n}{direction}")) } else { Ok(()) }
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drawn")
    }
}

impl TermLike for Drawn {
    fn width(&self) -> u16 {
        self.0.columns()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(format_args!("\r\x1b[2K"))
    }

    fn flush(&self) -> io::Result<()> {
        let mut out = self.0.out();
        let Out { writer, drawing } = &mut *out;
        if drawing.is_empty() {
            return Ok(());
        }
        // Whoever else writes to the terminal, such as the shell after a kill, writes over the line and not behind it.
        drawing.push(b'\r');
        let written = writer.write_all(drawing).and_then(|()| writer.flush());
        drawing.clear();
        written
    }
}
