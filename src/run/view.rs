//! What a person sees of a run while it goes on: when the line is drawn, and what it says.

use super::engines::Engines;
use crate::cli::Config;
use crate::engine::Now;
use crate::host::Clock;
use crate::progress::{Progress, Standing, Width};
use crate::time::Span;
use crossbeam_channel::{Receiver, never};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Counting open windows may take a while where there are many: it is allowed this share of the time.
const COUNTING_SHARE: u32 = 100;

/// A length of time as the engine has it.
fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// The line, if there is one, and what it needs to know.
pub struct View {
    clock: Arc<dyn Clock>,
    began: Instant,
    progress: Option<Progress>,
    taken: u64,
    total: Option<u64>,
    open_windows: u64,
    /// When open windows may be counted again.
    count_due: Instant,
}

impl View {
    /// A view of a run that begins now, and what stands for stderr from now on. `total` is the size of the inputs,
    /// if it is known; `is_alone` tells that no file that is written is a terminal.
    pub fn new(
        config: &Config,
        clock: Arc<dyn Clock>,
        stderr: Box<dyn Write + Send>,
        width: Width,
        total: Option<u64>,
        is_alone: bool,
    ) -> (View, Box<dyn Write + Send>) {
        let began = clock.now();
        let (progress, stderr) = if config.has_progress && is_alone {
            let (progress, stderr) = Progress::new(stderr, width, began);
            (Some(progress), stderr)
        } else {
            (None, stderr)
        };
        (View { clock, began, progress, taken: 0, total, open_windows: 0, count_due: began }, stderr)
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.began)
    }

    /// The moment it is.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Speaks once, after so long.
    pub fn after(&self, wait: Duration) -> Receiver<Instant> {
        self.clock.after(wait)
    }

    /// A moment of the run, told by how long it had taken then.
    pub fn at(&self, elapsed: Span) -> Instant {
        self.began + Duration::from_nanos(elapsed.0.max(0).unsigned_abs())
    }

    /// How long the run had taken at a moment.
    pub fn since_began(&self, moment: Instant) -> Span {
        span(moment.saturating_duration_since(self.began))
    }

    /// Speaks at a moment.
    pub fn alarm_at(&self, moment: Instant) -> Receiver<Instant> {
        self.after(moment.saturating_duration_since(self.now()))
    }

    /// The moment at which the engine takes what comes next.
    pub fn moment(&self) -> Now {
        Now { wall: self.clock.wall(), elapsed: span(self.elapsed()) }
    }

    /// The engine has taken a batch; `taken` are the bytes of the inputs up to its end, as they are stored.
    pub fn moved(&mut self, engine: &mut Engines, taken: u64) {
        self.taken = taken;
        if let Some(progress) = &mut self.progress {
            progress.moved();
            self.show(engine);
        }
    }

    /// Draws the line if it is time.
    pub fn show(&mut self, engine: &mut Engines) {
        let Some(progress) = &mut self.progress else { return };
        let now = self.clock.now();
        if progress.wait(now) != Some(Duration::ZERO) {
            return;
        }
        if now >= self.count_due {
            let (open_windows, counting) = engine.recent_open_windows();
            self.open_windows = open_windows;
            let counted = self.clock.now();
            self.count_due = counted + counted.saturating_duration_since(now).max(counting) * COUNTING_SHARE;
        }
        let tally = engine.tally();
        let standing = Standing {
            taken: self.taken,
            total: self.total,
            events: tally.events,
            watermark: tally.watermark,
            open_windows: self.open_windows,
        };
        progress.draw(now, standing);
    }

    /// Speaks when a line that is behind may be drawn; never if it shows how things are.
    pub fn alarm(&self) -> Receiver<Instant> {
        let wait = self.progress.as_ref().and_then(|progress| progress.wait(self.clock.now()));
        wait.map_or_else(never, |wait| self.clock.after(wait))
    }

    /// Takes the line away, for good.
    pub fn end(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.end();
        }
    }
}
