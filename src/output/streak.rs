//! Whether a check has failed in so many consecutive windows of a key (`--for`).

use crate::engine::pane::{Pane, Timing};
use crate::time::{Span, Timestamp};
use crate::window::spec::WindowSpec;
use std::collections::{HashMap, VecDeque};

/// The latest windows of each key in which a check failed.
#[derive(Debug)]
pub struct Streaks {
    /// How many make a violation.
    pub(super) wanted: usize,
    windows: Vec<WindowSpec>,
    lateness: Span,
    pub(super) keys: HashMap<(usize, Box<[u8]>), Streak>,
    /// How many keys may be kept before those that are over are looked for.
    roomy: usize,
}

/// Numbers and ends of the failed windows, in order, at most as many as are wanted.
#[derive(Debug, Default)]
pub(super) struct Streak {
    pub(super) failed: VecDeque<(i64, Timestamp)>,
    /// Rows so far, which number windows that have no place on a grid.
    pub(super) rows: i64,
}

/// Keys that are kept anyway.
const FEW: usize = 1024;

impl Streaks {
    /// Nothing has failed yet. `windows` are those asked for.
    pub fn new(wanted: usize, windows: Vec<WindowSpec>, lateness: Span) -> Streaks {
        Streaks { wanted, windows, lateness, keys: HashMap::new(), roomy: FEW }
    }

    /// Notes whether the check fails in a row; whether that makes so many consecutive windows.
    pub fn note(&mut self, pane: &Pane<'_>, fails: bool) -> bool {
        let number = self.number(pane);
        if number.is_some() && pane.timing == Timing::OnTime && self.keys.len() > self.roomy {
            self.forget(pane, number);
        }
        let key = (pane.spec, Box::from(pane.key));
        // A row that passes says nothing of a key that has nothing to lose; but a window without a number is one of a row.
        if !fails && number.is_some() && !self.keys.contains_key(&key) {
            return false;
        }
        let wanted = self.wanted;
        let streak = self.keys.entry(key).or_default();
        streak.rows += 1;
        let place = (number.unwrap_or(streak.rows), pane.window.end);
        let is_violation = streak.note(place, fails, wanted);
        if streak.failed.is_empty() && number.is_some() {
            self.keys.remove(&(pane.spec, Box::from(pane.key)));
        }
        is_violation
    }

    /// A window's place among those of its kind; the next window has the next number.
    fn number(&self, pane: &Pane<'_>) -> Option<i64> {
        match (self.windows.get(pane.spec), pane.events.and_then(|events| events.seq)) {
            (_, Some(seq)) => i64::try_from(seq).ok(),
            (Some(WindowSpec::Sliced(sliced)), None) => {
                Some(sliced.first_ending_after(Timestamp(pane.window.end.0.saturating_sub(1))).0)
            }
            _ => None,
        }
    }

    /// Drops keys whose streak is over: the window after their last one has fired or is firing.
    fn forget(&mut self, pane: &Pane<'_>, number: Option<i64>) {
        let (spec, lateness, now) = (pane.spec, self.lateness, pane.window.end);
        self.keys.retain(|(of, _), streak| {
            let Some((last, end)) = streak.failed.back() else { return *of != spec };
            *of != spec || Some(last + 1) >= number || end.saturating_add(lateness) > now
        });
        self.roomy = FEW.max(2 * self.keys.len());
    }
}

impl Streak {
    fn note(&mut self, place: (i64, Timestamp), fails: bool, wanted: usize) -> bool {
        let at = self.failed.partition_point(|known| known.0 < place.0);
        let is_known = self.failed.get(at).is_some_and(|known| known.0 == place.0);
        match (fails, is_known) {
            (true, true) => {}
            (true, false) => self.failed.insert(at, place),
            (false, true) => drop(self.failed.remove(at)),
            (false, false) => {}
        }
        if self.failed.len() > wanted {
            self.failed.pop_front();
        }
        let is_full = self.failed.len() == wanted;
        let is_run = self.failed.iter().zip(self.failed.iter().skip(1)).all(|(a, b)| b.0 - a.0 == 1);
        fails && is_full && is_run && self.failed.iter().any(|known| known.0 == place.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_that_follow_one_another() {
        for (wanted, notes, expected) in [
            (1, &[(5, true), (6, false), (9, true)][..], &[true, false, true][..]),
            (3, &[(1, true), (2, true), (3, true), (4, true)], &[false, false, true, true]),
            (2, &[(1, true), (2, false), (3, true), (4, true)], &[false, false, false, true]),
            // A hole, and a late row that fills it.
            (3, &[(1, true), (3, true), (4, true)], &[false, false, false]),
            (3, &[(1, true), (3, true), (2, true)], &[false, false, true]),
            // A correction takes one back, or brings one.
            (2, &[(1, true), (1, false), (2, true)], &[false, false, false]),
            (2, &[(1, false), (2, true), (1, true)], &[false, false, true]),
            // What is older than all that are kept makes no run.
            (2, &[(5, true), (6, true), (1, true)], &[false, true, false]),
        ] {
            let mut streak = Streak::default();
            let said: Vec<bool> =
                notes.iter().map(|(number, fails)| streak.note((*number, Timestamp(0)), *fails, wanted)).collect();
            assert_eq!(said, expected, "{wanted} {notes:?}");
        }
    }
}
