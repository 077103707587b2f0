//! A line for people that says how far a run is. It knows neither clock nor terminal: the time and the stream are
//! handed in. indicatif draws it, and takes it away while anything else is written to the same stream.

mod rate;
mod screen;
mod words;

pub use screen::Width;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rate::Rate;
use screen::{Drawn, Screen};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::time::Timestamp;

/// Runs that take less show no line.
const FIRST: Duration = Duration::from_millis(500);
/// From one line to the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Bytes of the inputs that have been taken, as they are stored: packed ones, if they are packed.
    pub taken: u64,
    /// Bytes of all inputs, if they are known.
    pub total: Option<u64>,
    /// Events so far.
    pub events: u64,
    /// The watermark.
    pub watermark: Option<Timestamp>,
    /// Windows, per key, that hold events and have not been printed.
    pub open_windows: u64,
}

/// The line.
pub struct Progress {
    bar: ProgressBar,
    screen: Arc<Screen>,
    /// When it was drawn last, or the run began, and how far it was.
    last: (Instant, Standing),
    /// Not to be drawn before.
    due: Instant,
    /// Whether anything has come since it was drawn.
    is_behind: bool,
    bytes: Rate,
    events: Rate,
}

impl Progress {
    /// A line on a terminal of some width for a run that begins now. All else that goes to the
    /// terminal must go through the writer returned, in whole lines.
    pub fn new(terminal: Box<dyn Write + Send>, width: Width, now: Instant) -> (Progress, Box<dyn Write + Send>) {
        let screen = Arc::new(Screen::new(terminal, width));
        // It does not limit itself: we know better when to draw.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(Drawn(screen.clone()))));
        // A template that cannot be read would leave indicatif's own line.
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let above = Above { bar: bar.clone(), screen: screen.clone() };
        let last = (now, Standing::default());
        let (bytes, events) = (Rate::default(), Rate::default());
        let progress = Progress { bar, screen, last, due: now + FIRST, is_behind: false, bytes, events };
        (progress, Box::new(above))
    }

    /// The run has come further.
    pub fn moved(&mut self) {
        self.is_behind = true;
    }

    /// How long to wait before it is drawn again; `None` if nothing has come since.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.is_behind.then(|| self.due.saturating_duration_since(now))
    }

    /// Draws it.
    pub fn draw(&mut self, now: Instant, standing: Standing) {
        let (then, before) = self.last;
        let passed = now.saturating_duration_since(then);
        self.bytes.add(standing.taken.saturating_sub(before.taken), passed);
        self.events.add(standing.events.saturating_sub(before.events), passed);
        let line = words::line(&standing, self.bytes.get(), self.events.get(), self.screen.columns());
        self.bar.set_message(line);
        self.last = (now, standing);
        self.due = now + INTERVAL;
        self.is_behind = false;
    }

    /// Takes it away for good.
    pub fn end(&mut self) {
        self.is_behind = false;
        self.bar.finish_and_clear();
    }
}

/// Writes above the line.
struct Above {
    bar: ProgressBar,
    screen: Arc<Screen>,
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| self.screen.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(now: Instant) -> Progress {
        Progress::new(Box::new(io::sink()), Box::new(|| 80), now).0
    }

    #[test]
    fn it_waits_at_the_beginning_and_between_lines_and_for_something_new() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut progress = progress(began);
        assert_eq!(progress.wait(at(9999)), None, "nothing has come");
        progress.moved();
        for (millis, wait) in [(0, 500), (499, 1), (500, 0), (700, 0)] {
            assert_eq!(progress.wait(at(millis)), Some(Duration::from_millis(wait)), "at {millis} ms");
        }
        progress.draw(at(700), Standing::default());
        assert_eq!(progress.wait(at(9999)), None, "nothing has come since");
        progress.moved();
        for (millis, wait) in [(700, 100), (750, 50), (800, 0)] {
            assert_eq!(progress.wait(at(millis)), Some(Duration::from_millis(wait)), "at {millis} ms");
        }
        progress.end();
        assert_eq!(progress.wait(at(9999)), None, "it is gone");
    }

    #[test]
    fn the_time_left_is_what_the_rest_takes_at_this_rate() {
        let began = Instant::now();
        let mut progress = progress(began);
        for (seconds, taken, expected) in [(10, 1000, "1:30 left"), (20, 2000, "1:20 left"), (30, 10_000, "0:00 left")]
        {
            let standing = Standing { taken, total: Some(10_000), events: taken, ..Standing::default() };
            progress.draw(began + Duration::from_secs(seconds), standing);
            let line = progress.bar.message();
            assert!(line.ends_with(expected), "{line}");
            assert!(seconds == 30 || line.contains("  100 events/s  "), "{line}");
        }
    }
}
