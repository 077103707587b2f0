//! Guards against times that are too far ahead (T11): `--max-jump` and `--max-future`.

use crate::codec::{Damaged, Reader, put, put_signed};
use crate::event::Reason;
use crate::time::format::TimeStyle;
use crate::time::zone::Zone;
use crate::time::{Span, Timestamp};

/// How far ahead an event may be.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardConfig {
    /// Of the newest accepted event of its source.
    pub max_jump: Option<Span>,
    /// Of the wall clock.
    pub max_future: Option<Span>,
}

impl GuardConfig {
    /// Whether there is anything to guard against.
    pub fn is_on(&self) -> bool {
        self.max_jump.is_some() || self.max_future.is_some()
    }
}

/// Events refused in a row before one is taken for a real gap.
const REFUSED_AT_MOST: u32 = 2;

/// The guards of one source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guard {
    /// The newest accepted event.
    newest: Option<Timestamp>,
    /// The event refused last, and how many were in a row, each within the limit of the one before.
    refused: Option<(Timestamp, u32)>,
}

impl Guard {
    /// Appends what is known.
    pub fn save(&self, out: &mut Vec<u8>) {
        let Guard { newest, refused } = *self;
        out.push(u8::from(newest.is_some()) | u8::from(refused.is_some()) << 1);
        newest.iter().for_each(|time| put_signed(out, time.0));
        if let Some((time, count)) = refused {
            put_signed(out, time.0);
            put(out, u64::from(count));
        }
    }

    /// What was saved.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore(bytes: &mut Reader<'_>) -> Result<Guard, Damaged> {
        let flags = bytes.byte()?;
        let newest = if flags & 1 != 0 { Some(Timestamp(bytes.signed()?)) } else { None };
        let refused = if flags & 2 != 0 { Some((Timestamp(bytes.signed()?), bytes.revision()?)) } else { None };
        if flags > 3 { Err(Damaged("a guard is of no known kind")) } else { Ok(Guard { newest, refused }) }
    }

    /// Judges an event against the wall clock and then against its source.
    ///
    /// # Errors
    /// Why it makes a bad record.
    pub fn judge(&mut self, time: Timestamp, now: Timestamp, config: &GuardConfig) -> Result<(), (Reason, String)> {
        if let Some(most) = config.max_future
            && time > now.saturating_add(most)
        {
            let detail = format!("event time {} is ahead of the clock by more than --max-future", shown(time));
            return Err((Reason::Future, detail));
        }
        if let (Some(most), Some(newest)) = (config.max_jump, self.newest)
            && time > newest.saturating_add(most)
        {
            let in_a_row = match self.refused {
                Some((last, count)) if time.0.abs_diff(last.0) <= most.0.unsigned_abs() => count + 1,
                _ => 1,
            };
            if in_a_row <= REFUSED_AT_MOST {
                self.refused = Some((time, in_a_row));
                let (time, newest) = (shown(time), shown(newest));
                let detail =
                    format!("event time {time} is ahead of the newest so far, {newest}, by more than --max-jump");
                return Err((Reason::Jump, detail));
            }
        }
        self.refused = None;
        self.newest = self.newest.max(Some(time));
        Ok(())
    }
}

fn shown(time: Timestamp) -> String {
    let mut text = Vec::new();
    TimeStyle::Rfc3339(Zone::utc()).write(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The indices of accepted events with a limit of 10.
    fn accepted(times: &[i64]) -> Vec<usize> {
        let config = GuardConfig { max_jump: Some(Span(10)), max_future: None };
        let mut guard = Guard::default();
        let is_accepted = |time: &i64| guard.judge(Timestamp(*time), Timestamp(0), &config).is_ok();
        times.iter().map(is_accepted).enumerate().filter(|(_, is)| *is).map(|(index, _)| index).collect()
    }

    #[test]
    fn t11_two_jumps_in_a_row_are_refused_and_the_third_is_a_real_gap() {
        for (times, expected) in [
            (&[100, 110, 111][..], &[0, 1, 2][..]),
            (&[0, 10, 21, 15, 25], &[0, 1, 3, 4]),
            (&[0, 100, 101, 102, 103], &[0, 3, 4]),
            (&[0, 100, 101, 5, 100, 101, 102], &[0, 3, 6]),
            // Each within the limit of the one before it, or the count begins anew.
            (&[0, 100, 200, 201, 202], &[0, 4]),
            (&[0, 100, 90, 80], &[0, 3]),
            (&[0, 100, 89, 100, 90, 95], &[0, 5]),
            (&[i64::MAX - 1, i64::MAX], &[0, 1]),
        ] {
            assert_eq!(accepted(times), expected, "{times:?}");
        }
    }

    #[test]
    fn t11_the_future_has_no_exception() {
        let config = GuardConfig { max_jump: None, max_future: Some(Span(5)) };
        let mut guard = Guard::default();
        let mut reason = |time| guard.judge(Timestamp(time), Timestamp(100), &config).err().map(|(reason, _)| reason);
        assert_eq!(
            [105, 106, 107, 108, 0].map(&mut reason),
            [None, Some(Reason::Future), Some(Reason::Future), Some(Reason::Future), None]
        );
    }
}
