//! Text and numbers to [`Timestamp`] (T1). What cannot be read is refused, never guessed.

use super::{
    DAY, SECOND, Timestamp,
    civil::{days_from_civil, days_in_month},
};
use crate::event::number::{Number, pow10};
use jiff::civil::Time;
use jiff::tz::Offset;
use std::sync::Arc;

/// How the event-time field is read (`--time-format`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 and its loose spellings, or a number whose unit its magnitude tells.
    Auto,
    /// RFC 3339 and nothing else.
    Rfc3339,
    /// A number of units of this many nanoseconds.
    Units(i64),
    /// A strftime pattern.
    Pattern(Arc<str>),
}

/// Why a text is no time, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTime {
    /// Not in a form that the format admits.
    Unreadable,
    /// Well-formed, but outside 1677-09-21 to 2262-04-11 (`i64` nanoseconds).
    OutOfRange,
}

impl BadTime {
    /// What is wrong, in a few words.
    pub fn reason(self) -> &'static str {
        match self {
            BadTime::Unreadable => "is not a time",
            BadTime::OutOfRange => "is outside the years 1677 to 2262",
        }
    }
}

/// The date that was read last and its day number: logs repeat their date, and converting it is
/// the dearest part of reading a time.
#[derive(Clone, Copy, Debug)]
pub struct DateCache {
    date: [u8; 10],
    day: i64,
}

impl Default for DateCache {
    fn default() -> Self {
        DateCache { date: *b"1970-01-01", day: 0 }
    }
}

impl TimeFormat {
    /// Reads a time from a text value (a JSON string or a CSV cell), blanks around it allowed.
    ///
    /// # Errors
    /// [`BadTime`] if this format does not admit the text, or the moment does not fit.
    #[inline]
    pub fn parse_text(&self, text: &[u8], cache: &mut DateCache) -> Result<Timestamp, BadTime> {
        let text = text.trim_ascii();
        match self {
            TimeFormat::Auto => {
                // A date has its first '-' in fifth place; a number never does.
                if text.get(4) == Some(&b'-') {
                    parse_date_time(text, Strictness::Loose, cache)
                } else {
                    self.parse_number(text)
                }
            }
            TimeFormat::Rfc3339 => parse_date_time(text, Strictness::Strict, cache),
            TimeFormat::Units(_) => self.parse_number(text),
            TimeFormat::Pattern(pattern) => parse_pattern(pattern, text),
        }
    }

    /// Reads a time from a number literal.
    ///
    /// # Errors
    /// As [`TimeFormat::parse_text`]; a number is unreadable where RFC 3339 is demanded.
    pub fn parse_number(&self, literal: &[u8]) -> Result<Timestamp, BadTime> {
        let unit = match self {
            TimeFormat::Rfc3339 => return Err(BadTime::Unreadable),
            // A number may be a date all the same, such as 20260101 for %Y%m%d.
            TimeFormat::Pattern(pattern) => return parse_pattern(pattern, literal),
            TimeFormat::Auto => None,
            TimeFormat::Units(unit) => Some(*unit),
        };
        match Number::parse(literal).ok_or(BadTime::Unreadable)? {
            Number::Small { mantissa, scale: 0, .. } => {
                let unit = unit.unwrap_or_else(|| unit_by_magnitude(mantissa.unsigned_abs().into()));
                mantissa.checked_mul(unit).map(Timestamp).ok_or(BadTime::OutOfRange)
            }
            Number::Float(_) => Err(BadTime::OutOfRange),
            number => {
                let (mantissa, scale) = number.exact().ok_or(BadTime::OutOfRange)?;
                let one = pow10(scale);
                let unit = unit.unwrap_or_else(|| unit_by_magnitude(mantissa.unsigned_abs() / one as u128));
                // Digits below a nanosecond are cut towards the past, as windows are.
                let nanos = mantissa.checked_mul(i128::from(unit)).ok_or(BadTime::OutOfRange)?.div_euclid(one);
                i64::try_from(nanos).map(Timestamp).map_err(|_| BadTime::OutOfRange)
            }
        }
    }
}

/// Reads a time by a strftime pattern; without an offset it is UTC, without a time of day midnight.
fn parse_pattern(pattern: &str, text: &[u8]) -> Result<Timestamp, BadTime> {
    let parsed = jiff::fmt::strtime::parse(pattern, text).map_err(|_| BadTime::Unreadable)?;
    let nanos = if let Some(seconds) = parsed.timestamp() {
        seconds.as_nanosecond()
    } else {
        let date = parsed.to_date().map_err(|_| BadTime::Unreadable)?;
        let clock =
            if parsed.hour().is_some() { parsed.to_time().map_err(|_| BadTime::Unreadable)? } else { Time::midnight() };
        let offset = parsed.offset().unwrap_or(Offset::UTC);
        offset.to_timestamp(date.to_datetime(clock)).map_err(|_| BadTime::OutOfRange)?.as_nanosecond()
    };
    i64::try_from(nanos).map(Timestamp).map_err(|_| BadTime::OutOfRange)
}

/// Checks that a strftime pattern can be read and tells at least a date.
///
/// # Errors
/// A message for people.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    // A moment written with the pattern must be readable by it.
    let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let written = jiff::fmt::strtime::format(pattern, &sample).map_err(|error| format!("\"{pattern}\": {error}"))?;
    match parse_pattern(pattern, written.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("\"{pattern}\" does not tell a date with its year, or cannot be read back")),
    }
}

/// Below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
fn unit_by_magnitude(whole: u128) -> i64 {
    match whole {
        0..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Strictness {
    /// RFC 3339 as written: `T`, seconds and an offset are there.
    Strict,
    /// Also a blank for `T`, a comma before the fraction, no seconds, no offset (UTC), `+0100`, a date alone.
    Loose,
}

/// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`, or a loose spelling of it.
fn parse_date_time(text: &[u8], strictness: Strictness, cache: &mut DateCache) -> Result<Timestamp, BadTime> {
    let (date, rest) = text.split_first_chunk::<10>().ok_or(BadTime::Unreadable)?;
    let loose = strictness == Strictness::Loose;
    let day = if *date == cache.date { cache.day } else { parse_date(date)? };
    (cache.date, cache.day) = (*date, day);
    if let Some(nanos) = parse_usual_clock(rest) {
        // The first day of the range begins before the range does: only the sum has to fit.
        let total = i128::from(day) * i128::from(DAY) + i128::from(nanos);
        return i64::try_from(total).map(Timestamp).map_err(|_| BadTime::OutOfRange);
    }
    let clock = match rest {
        [] if loose => Clock::default(),
        [b'T' | b't', time @ ..] => parse_clock(time, loose)?,
        [b' ', time @ ..] if loose => parse_clock(time.trim_ascii_start(), loose)?,
        _ => return Err(BadTime::Unreadable),
    };
    let seconds = day * 86_400 + clock.second_of_day - clock.offset;
    // A leap second is the last second of a UTC day; POSIX time counts it as the next day's first.
    if clock.leap_second && seconds.rem_euclid(86_400) != 0 {
        return Err(BadTime::Unreadable);
    }
    let total = i128::from(seconds) * i128::from(SECOND) + i128::from(clock.nanos);
    i64::try_from(total).map(Timestamp).map_err(|_| BadTime::OutOfRange)
}

/// `THH:MM:SS[.fff]Z`, by far the commonest spelling, in nanoseconds of the day. `None` for any
/// other, and for what is wrong with this one.
#[inline]
fn parse_usual_clock(text: &[u8]) -> Option<i64> {
    let (clock, rest) = text.split_first_chunk::<9>()?;
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let pair = |tens: u8, ones: u8, below: i64| -> Option<i64> {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        let value = i64::from(tens) * 10 + i64::from(ones);
        (tens < 10 && ones < 10 && value < below).then_some(value)
    };
    let seconds = pair(h1, h2, 24)? * 3600 + pair(m1, m2, 60)? * 60 + pair(s1, s2, 60)?;
    let millis = match *rest {
        [b'Z'] => 0,
        [b'.', hundreds, tens, ones, b'Z'] => {
            i64::from(hundreds.wrapping_sub(b'0')).checked_mul(100).filter(|h| *h < 1000)? + pair(tens, ones, 100)?
        }
        _ => return None,
    };
    Some(seconds * SECOND + millis * 1_000_000)
}

/// A time of day as written, with its offset from UTC in seconds.
#[derive(Default)]
struct Clock {
    second_of_day: i64,
    nanos: i64,
    offset: i64,
    leap_second: bool,
}

fn parse_date(date: &[u8; 10]) -> Result<i64, BadTime> {
    let digits = |range: std::ops::Range<usize>| number(&date[range]);
    if date[4] != b'-' || date[7] != b'-' {
        return Err(BadTime::Unreadable);
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(i64::from(year), month) {
        return Err(BadTime::Unreadable);
    }
    Ok(days_from_civil(i64::from(year), month, day))
}

/// `HH:MM[:SS[.fraction]][offset]`.
fn parse_clock(text: &[u8], loose: bool) -> Result<Clock, BadTime> {
    let (hour, text) = two_digits(text)?;
    let (minute, mut text) = two_digits(text.strip_prefix(b":").ok_or(BadTime::Unreadable)?)?;
    let mut second = 0;
    let mut nanos = 0;
    match text.strip_prefix(b":") {
        Some(after) => {
            (second, text) = two_digits(after)?;
            if let [b'.', after @ ..] = text {
                (nanos, text) = fraction(after)?;
            } else if let ([b',', after @ ..], true) = (text, loose) {
                (nanos, text) = fraction(after)?;
            }
        }
        None if loose => {}
        None => return Err(BadTime::Unreadable),
    }
    if hour > 23 || minute > 59 || second > 60 {
        return Err(BadTime::Unreadable);
    }
    let text = if loose { text.trim_ascii_start() } else { text };
    let offset = parse_offset(text, loose)?;
    let second_of_day = i64::from(hour * 3600 + minute * 60 + second);
    Ok(Clock { second_of_day, nanos, offset, leap_second: second == 60 })
}

/// Any number of fraction digits; those below a nanosecond are cut off.
fn fraction(text: &[u8]) -> Result<(i64, &[u8]), BadTime> {
    let length = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    if length == 0 {
        return Err(BadTime::Unreadable);
    }
    let (digits, rest) = text.split_at(length);
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + digits.get(place).map_or(0, |d| i64::from(d - b'0'));
    }
    Ok((nanos, rest))
}

/// `Z`, `±HH:MM`, loosely also `±HHMM`, `±HH` and nothing (UTC); in seconds.
fn parse_offset(text: &[u8], loose: bool) -> Result<i64, BadTime> {
    let (sign, digits) = match text {
        [b'Z' | b'z'] => return Ok(0),
        [] if loose => return Ok(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(BadTime::Unreadable),
    };
    let (hour, rest) = two_digits(digits)?;
    let minute = match rest {
        [b':', rest @ ..] => number_of_two(rest)?,
        [] if loose => 0,
        rest if loose => number_of_two(rest)?,
        _ => return Err(BadTime::Unreadable),
    };
    if hour > 23 || minute > 59 {
        return Err(BadTime::Unreadable);
    }
    Ok(sign * i64::from(hour * 3600 + minute * 60))
}

fn number_of_two(text: &[u8]) -> Result<u32, BadTime> {
    match two_digits(text)? {
        (value, []) => Ok(value),
        _ => Err(BadTime::Unreadable),
    }
}

#[inline]
fn two_digits(text: &[u8]) -> Result<(u32, &[u8]), BadTime> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Ok((u32::from(tens - b'0') * 10 + u32::from(ones - b'0'), rest))
        }
        _ => Err(BadTime::Unreadable),
    }
}

fn number(digits: &[u8]) -> Result<u32, BadTime> {
    digits.iter().try_fold(0, |value, digit| {
        if digit.is_ascii_digit() { Ok(value * 10 + u32::from(digit - b'0')) } else { Err(BadTime::Unreadable) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: TimeFormat, text: &str) -> Result<i64, BadTime> {
        format.parse_text(text.as_bytes(), &mut DateCache::default()).map(|t| t.0)
    }

    #[test]
    fn t1_auto_reads_rfc3339_and_its_loose_spellings() {
        const NEW_YEAR: i64 = 1_767_225_600 * SECOND;
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", NEW_YEAR),
            ("2026-01-01t00:00:00z", NEW_YEAR),
            ("2026-01-01T01:00:00+01:00", NEW_YEAR),
            ("2025-12-31T18:30:00-05:30", NEW_YEAR),
            ("2026-01-01T00:00:00.5Z", NEW_YEAR + 500_000_000),
            ("2026-01-01T00:00:00.1234567899999Z", NEW_YEAR + 123_456_789),
            ("2026-01-01T00:00:00", NEW_YEAR),
            ("2026-01-01 00:00:00", NEW_YEAR),
            ("2026-01-01 00:00:00,250", NEW_YEAR + 250_000_000),
            ("2026-01-01 01:00:00 +0100", NEW_YEAR),
            ("2026-01-01 01:00+01", NEW_YEAR),
            ("2026-01-01", NEW_YEAR),
            ("  2026-01-01  ", NEW_YEAR),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
            ("2017-01-01T00:59:60.5+01:00", 1_483_228_800 * SECOND + 500_000_000),
            ("1677-09-21T00:12:43.145224192Z", i64::MIN),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
        ] {
            assert_eq!(read(TimeFormat::Auto, text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn t1_what_cannot_be_read_is_refused() {
        for text in [
            "",
            " ",
            "now",
            "2026-13-01T00:00:00Z",
            "2026-02-29",
            "2026-00-01",
            "2026-01-00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T12:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00Zx",
            "2026-01-01X00:00:00Z",
            "2026-1-1",
            "20260101T000000Z",
            "2026-01-01T00:00:00+1",
            "0x10",
            "NaN",
            "1,5",
        ] {
            assert_eq!(read(TimeFormat::Auto, text), Err(BadTime::Unreadable), "{text}");
        }
        for text in
            ["9999-12-31T23:59:59Z", "0001-01-01", "1e30", "99999999999999999999", "2262-04-11T23:47:16.854775808Z"]
        {
            assert_eq!(read(TimeFormat::Auto, text), Err(BadTime::OutOfRange), "{text}");
        }
    }

    #[test]
    fn t1_rfc3339_is_strict_when_asked_for() {
        assert!(read(TimeFormat::Rfc3339, "2026-01-01T00:00:00Z").is_ok());
        for text in [
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "2026-01-01",
            "1767225600",
            "2026-01-01T00:00:00,5Z",
        ] {
            assert_eq!(read(TimeFormat::Rfc3339, text), Err(BadTime::Unreadable), "{text}");
        }
    }

    #[test]
    fn t1_numbers_by_magnitude_or_as_told() {
        for (text, expected) in [
            ("0", 0),
            ("-1", -SECOND),
            ("1767225600", 1_767_225_600 * SECOND),
            ("1767225600.123456789", 1_767_225_600_123_456_789),
            ("1.7672256e9", 1_767_225_600 * SECOND),
            ("99999999999", -1),
            ("100000000000", 100_000_000_000 * 1_000_000),
            ("1767225600000", 1_767_225_600 * SECOND),
            ("1767225600000000", 1_767_225_600 * SECOND),
            ("1767225600000000001", 1_767_225_600_000_000_001),
            ("-1767225600000", -1_767_225_600 * SECOND),
            ("-0.0000000001", -1),
        ] {
            let expected = if text == "99999999999" { Err(BadTime::OutOfRange) } else { Ok(expected) };
            assert_eq!(read(TimeFormat::Auto, text), expected, "{text}");
        }
        assert_eq!(read(TimeFormat::Units(1_000_000), "1500"), Ok(1_500_000_000));
        assert_eq!(read(TimeFormat::Units(1), "1.9"), Ok(1));
        assert_eq!(read(TimeFormat::Units(SECOND), "10000000000"), Err(BadTime::OutOfRange));
        assert_eq!(read(TimeFormat::Units(SECOND), "2026-01-01"), Err(BadTime::Unreadable));
    }

    #[test]
    fn t1_patterns_read_dates_with_and_without_offset_and_clock() {
        const NEW_YEAR: i64 = 1_767_225_600 * SECOND;
        for (pattern, text, expected) in [
            ("%d/%b/%Y:%H:%M:%S %z", "01/Jan/2026:01:00:00 +0100", Ok(NEW_YEAR)),
            ("%y%m%d %H%M%S", "260101 000000", Ok(NEW_YEAR)),
            ("%Y-%m-%d %H:%M:%S%.f", "2026-01-01 00:00:00.25", Ok(NEW_YEAR + 250_000_000)),
            ("%Y%m%d", "20260101", Ok(NEW_YEAR)),
            ("%s", "1767225600", Ok(NEW_YEAR)),
            ("%d/%b/%Y:%H:%M:%S %z", "31/Feb/2026:01:00:00 +0100", Err(BadTime::Unreadable)),
            ("%Y-%m-%d", "2026-01-01x", Err(BadTime::Unreadable)),
            ("%Y-%m-%d", "9999-01-01", Err(BadTime::OutOfRange)),
        ] {
            assert_eq!(read(TimeFormat::Pattern(pattern.into()), text), expected, "{pattern} on {text}");
            assert!(check_pattern(pattern).is_ok(), "{pattern}");
        }
        for pattern in ["%H:%M:%S", "%Q", "%b %e %H:%M:%S", "nothing"] {
            assert!(check_pattern(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_cached_day_never_leaks_into_another_date() {
        let mut cache = DateCache::default();
        let mut read = |text: &str| TimeFormat::Auto.parse_text(text.as_bytes(), &mut cache).map(|t| t.0);
        assert_eq!(read("1970-01-02T00:00:00Z"), Ok(DAY));
        assert_eq!(read("1970-01-0xT00:00:00Z"), Err(BadTime::Unreadable));
        assert_eq!(read("1970-01-02T00:00:01Z"), Ok(DAY + SECOND));
        assert_eq!(read("1970-01-03"), Ok(2 * DAY));
    }
}
