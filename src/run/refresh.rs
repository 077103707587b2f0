//! When a picture of the newest rows (`-o prometheus`) is written to its file anew.

use std::time::{Duration, Instant};

/// It is not written more often.
const EVERY: Duration = Duration::from_secs(1);

/// When it was written last.
#[derive(Default)]
pub struct Refresh {
    last: Option<Instant>,
}

impl Refresh {
    /// How long to wait before it may be written.
    pub fn wait(&self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| (last + EVERY).saturating_duration_since(now))
    }

    /// It has been written.
    pub fn done(&mut self, now: Instant) {
        self.last = Some(now);
    }
}
