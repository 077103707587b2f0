//! `--replay`: when the events of a recorded input are due.

use crate::cli::Pace;
use crate::time::Timestamp;
use std::time::{Duration, Instant};

/// No machine is up for longer, and moments that far away still can be computed.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// The pace, and how far it has come.
pub struct Replay {
    pace: Pace,
    /// The newest event so far, and when it was due.
    newest: Option<(Timestamp, Instant)>,
}

impl Replay {
    /// Nothing has been fed yet.
    pub fn new(pace: Pace) -> Replay {
        Replay { pace, newest: None }
    }

    /// When an event is due; the first is so now. Those behind the newest are waited for no more than that one was.
    /// Moments are reckoned from one another and not from when somebody came to ask, so that delays do not add up.
    pub fn due(&mut self, time: Timestamp, now: Instant) -> Instant {
        let due = match self.newest {
            None => now,
            Some((newest, due)) if time <= newest => return due,
            Some((newest, due)) => due + self.wait(newest.0.abs_diff(time.0)),
        };
        self.newest = Some((time, due));
        due
    }

    fn wait(&self, gap: u64) -> Duration {
        let most = self.pace.max_gap.map_or(u64::MAX, |most| most.0.unsigned_abs());
        let nanoseconds = gap.min(most) as f64 / self.pace.factor;
        // Saturates, which is far beyond the longest.
        Duration::from_nanos(nanoseconds as u64).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    const SECOND: i64 = 1_000_000_000;

    /// The milliseconds after which events of these seconds are due, if asked for when each is.
    fn due(factor: f64, max_gap: Option<i64>, seconds: &[i64]) -> Vec<u128> {
        let start = Instant::now();
        let mut now = start;
        let mut replay = Replay::new(Pace { factor, max_gap: max_gap.map(|gap| Span(gap * SECOND)) });
        let mut due = |second: &i64| {
            now = now.max(replay.due(Timestamp(second.saturating_mul(SECOND)), now));
            now.duration_since(start).as_millis()
        };
        seconds.iter().map(&mut due).collect()
    }

    #[test]
    fn the_pace_is_that_of_event_time() {
        let minute = &[60, 61, 63, 63, 62, 64, 3664][..];
        for (factor, max_gap, seconds, expected) in [
            (1.0, None, minute, &[0, 1_000, 3_000, 3_000, 3_000, 4_000, 3_604_000][..]),
            (10.0, None, minute, &[0, 100, 300, 300, 300, 400, 360_400]),
            (0.5, None, minute, &[0, 2_000, 6_000, 6_000, 6_000, 8_000, 7_208_000]),
            // The longest gap is one of event time; the factor goes for it as well.
            (1.0, Some(2), minute, &[0, 1_000, 3_000, 3_000, 3_000, 4_000, 6_000]),
            (2.0, Some(2), minute, &[0, 500, 1_500, 1_500, 1_500, 2_000, 3_000]),
            (1.0, Some(0), minute, &[0; 7]),
            // An event far behind sets nothing back.
            (1.0, None, &[100, 0, 101], &[0, 0, 1_000]),
            (1.0, None, &[-10, -5, 0], &[0, 5_000, 10_000]),
            (1e-9, None, &[i64::MIN, i64::MAX], &[0, LONGEST.as_millis()]),
        ] {
            assert_eq!(due(factor, max_gap, seconds), expected, "{factor} {max_gap:?} {seconds:?}");
        }
    }

    #[test]
    fn delays_do_not_add_up() {
        let start = Instant::now();
        let mut replay = Replay::new(Pace { factor: 1.0, max_gap: None });
        let late = start + Duration::from_secs(30);
        for (second, now, expected) in [(0, start, 0), (10, late, 10), (40, late, 40)] {
            let due = replay.due(Timestamp(second * SECOND), now);
            assert_eq!(due, start + Duration::from_secs(expected));
        }
    }
}
