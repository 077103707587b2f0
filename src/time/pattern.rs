//! strftime patterns (`--time-format '%d/%b/%Y:%H:%M:%S %z'`), by the crate jiff.

use super::parse::{BadTime, Moment, TimeFormat, TimeRules, moment};
use super::year::{YearRule, Yearless};
use super::zone::Zone;
use super::{DAY, SECOND};
use crate::time::civil::days_from_civil;
use jiff::civil::{Date, Time};
use jiff::fmt::strtime::{self, BrokenDownTime};
use std::sync::Arc;

/// A pattern that can be read and tells a date, though maybe not its year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<str>,
    has_year: bool,
    fraction: Option<Fraction>,
}

/// A fraction of so many digits: `%3f`. `29:60` is then a mistake, not 600 ms: whoever leaves zeros out in front means 60.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fraction {
    /// What the pattern has before it.
    before: Arc<str>,
    digits: usize,
}

impl Fraction {
    /// The first in a pattern.
    fn of(pattern: &str) -> Option<Fraction> {
        let mut at = 0;
        while let Some(percent) = pattern[at..].find('%').map(|found| at + found) {
            if let [_, digits @ b'1'..=b'9', b'f', ..] = pattern.as_bytes()[percent..] {
                return Some(Fraction { before: pattern[..percent].into(), digits: usize::from(digits - b'0') });
            }
            // What follows is its letter, or a second per cent sign.
            at = percent + 1 + pattern[percent + 1..].chars().next().map_or(0, char::len_utf8);
        }
        None
    }

    /// Whether a text that follows the pattern has all its digits.
    fn is_whole(&self, text: &[u8]) -> bool {
        BrokenDownTime::parse_prefix(&*self.before, text).is_ok_and(|(_, start)| {
            text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count() >= self.digits
        })
    }
}

impl Pattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// A message for people, unless a moment written with the pattern can be read back.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
        let written = strtime::format(text, &sample).map_err(|error| format!("\"{text}\": {error}"))?;
        let unreadable = || format!("\"{text}\" does not tell a date, or cannot be read back");
        let read = strtime::parse(text, written.as_bytes()).map_err(|_| unreadable())?;
        let has_year = read.timestamp().is_some() || read.to_date().is_ok();
        if !has_year && (read.month().is_none() || read.day().is_none()) {
            return Err(unreadable());
        }
        if !has_year && (read.offset().is_some() || read.iana_time_zone().is_some()) {
            return Err(format!("\"{text}\" tells an offset or a zone, but no year"));
        }
        Ok(Pattern { text: text.into(), has_year, fraction: Fraction::of(text) })
    }

    /// As given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the year is written.
    pub fn has_year(&self) -> bool {
        self.has_year
    }

    /// Whether a text follows the pattern and, if the pattern has a year, tells a moment.
    pub fn admits(&self, text: &[u8]) -> bool {
        let rules = TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written };
        match self.has_year {
            true => self.parse(text, &rules).is_ok(),
            false => strtime::parse(&*self.text, text).is_ok(),
        }
    }

    /// Reads a time. Without a time of day it is midnight; without an offset it is local.
    ///
    /// # Errors
    /// [`BadTime`] if the text does not follow the pattern, or there is no such moment.
    pub(super) fn parse(&self, text: &[u8], rules: &TimeRules) -> Result<Moment, BadTime> {
        let read = strtime::parse(&*self.text, text).map_err(|_| BadTime::Unreadable)?;
        if self.fraction.as_ref().is_some_and(|fraction| !fraction.is_whole(text)) {
            return Err(BadTime::Unreadable);
        }
        if let Some(seconds) = read.timestamp() {
            return moment(seconds.as_nanosecond());
        }
        let of_day = time_of_day(&read)?;
        if self.has_year {
            let date = read.to_date().map_err(|_| BadTime::Unreadable)?;
            let local = wall_clock(date) + i128::from(of_day);
            return match (read.offset(), read.iana_time_zone()) {
                (Some(offset), _) => moment(local - i128::from(i64::from(offset.seconds()) * SECOND)),
                (None, Some(name)) => Zone::parse(name).map_err(|_| BadTime::Unreadable)?.moment(local),
                (None, None) => rules.zone.moment(local),
            };
        }
        let (month, day) = (part(read.month())?, part(read.day())?);
        // A leap year has all the days there are.
        Date::new(1972, month, day).map_err(|_| BadTime::Unreadable)?;
        Yearless { month: month.unsigned_abs().into(), day: day.unsigned_abs().into(), of_day }.moment(rules)
    }
}

fn part(value: Option<i8>) -> Result<i8, BadTime> {
    value.ok_or(BadTime::Unreadable)
}

fn time_of_day(read: &BrokenDownTime) -> Result<i64, BadTime> {
    if read.hour().is_none() {
        return Ok(0);
    }
    let time = read.to_time().map_err(|_| BadTime::Unreadable)?;
    Ok(time.duration_since(Time::midnight()).as_nanos() as i64)
}

/// Midnight of a date on the local clock, in nanoseconds since 1970.
fn wall_clock(date: Date) -> i128 {
    let day = days_from_civil(date.year().into(), date.month().unsigned_abs().into(), date.day().unsigned_abs().into());
    i128::from(day) * i128::from(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, text: &str) -> Result<i64, BadTime> {
        let pattern = Pattern::new(pattern).expect(pattern);
        let format = TimeFormat::Pattern(pattern.clone());
        let rules = TimeRules { format, zone: Zone::utc(), year: YearRule::Written };
        pattern.parse(text.as_bytes(), &rules).map(|moment| moment.time.0)
    }

    #[test]
    fn t1_patterns_read_dates_with_and_without_offset_and_clock() {
        const NEW_YEAR: i64 = 1_767_225_600 * SECOND;
        for (pattern, text, expected) in [
            ("%d/%b/%Y:%H:%M:%S %z", "01/Jan/2026:01:00:00 +0100", Ok(NEW_YEAR)),
            ("%y%m%d %H%M%S", "260101 000000", Ok(NEW_YEAR)),
            ("%Y-%m-%d %H:%M:%S%.f", "2026-01-01 00:00:00.25", Ok(NEW_YEAR + 250_000_000)),
            ("%Y%m%d", "20260101", Ok(NEW_YEAR)),
            ("%Y%m%d-%H:%M:%S:%f", "20260101-00:00:00:25", Ok(NEW_YEAR + 250_000_000)),
            ("%Y%m%d-%H:%M:%S:%3f", "20260101-00:00:00:025", Ok(NEW_YEAR + 25_000_000)),
            ("%Y%m%d-%H:%M:%S:%3f", "20260101-00:00:00:25", Err(BadTime::Unreadable)),
            ("%3f %%3f %Y%m%d", "025 %3f 20260101", Ok(NEW_YEAR)),
            ("%%3f %Y%m%d", "%3f 20260101", Ok(NEW_YEAR)),
            ("%s", "1767225600", Ok(NEW_YEAR)),
            ("%Y-%m-%dT%H:%M[%Q]", "2026-01-01T01:00[Europe/Berlin]", Ok(NEW_YEAR)),
            ("%d/%b/%Y:%H:%M:%S %z", "31/Feb/2026:01:00:00 +0100", Err(BadTime::Unreadable)),
            ("%Y-%m-%d", "2026-01-01x", Err(BadTime::Unreadable)),
            ("%Y-%m-%d", "9999-01-01", Err(BadTime::OutOfRange)),
        ] {
            assert_eq!(read(pattern, text), expected, "{pattern} on {text}");
        }
        for pattern in ["%H:%M:%S", "%Q", "%b %H:%M:%S", "%b %e %H:%M:%S %z", "nothing"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
