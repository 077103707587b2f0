//! Text and numbers to [`Timestamp`] (T1). What cannot be read is refused, never guessed.

use super::pattern::Pattern;
use super::year::YearRule;
use super::zone::Zone;
use super::{
    DAY, SECOND, Timestamp,
    civil::{days_from_civil, days_in_month},
};
use crate::event::number::{Number, Parts, pow10};

/// In which form the event-time field is written (`--time-format`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 and its loose spellings, or a number whose unit its magnitude tells.
    Auto,
    /// RFC 3339 and nothing else.
    Rfc3339,
    /// A number of units of this many nanoseconds.
    Units(i64),
    /// A strftime pattern.
    Pattern(Pattern),
}

/// All that decides which moment a text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRules {
    /// How it is written.
    pub format: TimeFormat,
    /// The zone of times without an offset (`--timezone`).
    pub zone: Zone,
    /// Where the year comes from, if the format has none (`--year`).
    pub year: YearRule,
}

/// A moment that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment.
    pub time: Timestamp,
    /// Whether it was a local time that the clocks showed twice; `time` is the first occurrence.
    pub is_ambiguous: bool,
}

impl Moment {
    /// A moment about which there is no doubt.
    #[inline]
    pub(super) fn certain(time: Timestamp) -> Moment {
        Moment { time, is_ambiguous: false }
    }
}

/// Why a text is no time, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTime {
    /// Not in a form that the format admits.
    Unreadable,
    /// Well-formed, but outside 1677-09-21 to 2262-04-11 (`i64` nanoseconds).
    OutOfRange,
    /// A local time that the clocks skipped.
    Skipped,
    /// A day that its year does not have: 29 February.
    NoSuchDay,
}

impl BadTime {
    /// What is wrong, in a few words.
    pub fn reason(self) -> &'static str {
        match self {
            BadTime::Unreadable => "is not a time",
            BadTime::OutOfRange => "is outside the years 1677 to 2262",
            BadTime::Skipped => "was skipped when the clocks of --timezone were put forward",
            BadTime::NoSuchDay => "is a day that its year does not have (see --year)",
        }
    }
}

/// The date that was read last and its day number: logs repeat their date, and converting it is
/// the dearest part of reading a time.
#[derive(Clone, Copy, Debug)]
pub struct TimeCache {
    date: [u8; 10],
    day: i64,
    /// The same of the last `YYYY-MM-DDTHH:MM` that was followed by seconds and a `Z`, and its first nanosecond.
    minute: [u8; 16],
    begins: i64,
}

impl Default for TimeCache {
    fn default() -> Self {
        TimeCache { date: *b"1970-01-01", day: 0, minute: *b"1970-01-01T00:00", begins: 0 }
    }
}

impl TimeCache {
    /// Reads `YYYY-MM-DDTHH:MM:SS.fffZ` in the minute that was read last. `None` for anything else.
    #[inline]
    fn in_same_minute(&self, text: &[u8]) -> Option<i64> {
        let (minute, rest) = text.split_first_chunk::<16>()?;
        let rest: &[u8; 8] = rest.try_into().ok()?;
        if u128::from_le_bytes(*minute) != u128::from_le_bytes(self.minute) {
            return None;
        }
        // Each byte is what it lies above `:00.000Z`: 0, or the value of a digit.
        let above = u64::from_le_bytes(*rest) ^ u64::from_le_bytes(*b":00.000Z");
        let literal = above & u64::from_le_bytes([0xFF, 0, 0, 0xFF, 0, 0, 0, 0xFF]);
        // The highest bit of a byte shows that it is above 9, or above 5 for the tens of seconds.
        let beyond = above.wrapping_add(u64::from_le_bytes([0, 0x7A, 0x76, 0, 0x76, 0x76, 0x76, 0])) | above;
        if literal != 0 || beyond & 0x8080_8080_8080_8080 != 0 {
            return None;
        }
        let digit = |place: u32| (above >> (8 * place) & 0xF) as i64;
        let millis = digit(1) * 10_000 + digit(2) * 1_000 + digit(4) * 100 + digit(5) * 10 + digit(6);
        Some(self.begins + millis * 1_000_000)
    }

    /// Remembers the minute of a text that was read as so many nanoseconds of its day, unless it reaches
    /// beyond the range of time.
    fn note_minute(&mut self, text: &[u8], day: i64, nanos_of_day: i64) {
        const MINUTE: i64 = 60 * SECOND;
        let begins = day.checked_mul(DAY).and_then(|day| day.checked_add(nanos_of_day / MINUTE * MINUTE));
        if let (Some(minute), Some(begins)) = (text.first_chunk(), begins)
            && begins.checked_add(MINUTE).is_some()
        {
            (self.minute, self.begins) = (*minute, begins);
        }
    }
}

impl TimeRules {
    /// Reads a time from a text value (a JSON string or a CSV cell), blanks around it allowed.
    ///
    /// # Errors
    /// [`BadTime`] if this format does not admit the text, or the moment does not fit.
    #[inline]
    pub fn parse_text(&self, text: &[u8], cache: &mut TimeCache) -> Result<Moment, BadTime> {
        if let (TimeFormat::Auto | TimeFormat::Rfc3339, Some(nanos)) = (&self.format, cache.in_same_minute(text)) {
            return Ok(Moment::certain(Timestamp(nanos)));
        }
        let text = text.trim_ascii();
        match &self.format {
            TimeFormat::Auto => {
                // A date has its first '-' in fifth place, behind a digit; a number has no '-' there.
                if text.get(4) == Some(&b'-') && text[3].is_ascii_digit() {
                    self.parse_date_time(text, Strictness::Loose, cache)
                } else {
                    self.parse_number(text)
                }
            }
            TimeFormat::Rfc3339 => self.parse_date_time(text, Strictness::Strict, cache),
            TimeFormat::Units(_) => self.parse_number(text),
            TimeFormat::Pattern(pattern) => pattern.parse(text, self),
        }
    }

    /// Reads a time from a number literal.
    ///
    /// # Errors
    /// As [`TimeRules::parse_text`]; a number is unreadable where RFC 3339 is demanded.
    pub fn parse_number(&self, literal: &[u8]) -> Result<Moment, BadTime> {
        let unit = match &self.format {
            TimeFormat::Rfc3339 => return Err(BadTime::Unreadable),
            // A number may be a date all the same, such as 20260101 for %Y%m%d.
            TimeFormat::Pattern(pattern) => return pattern.parse(literal, self),
            TimeFormat::Auto => None,
            TimeFormat::Units(unit) => Some(*unit),
        };
        match Number::parse(literal).ok_or(BadTime::Unreadable)? {
            Number::Small { mantissa, scale: 0, .. } => {
                let unit = unit.unwrap_or_else(|| unit_by_magnitude(mantissa.unsigned_abs().into()));
                mantissa.checked_mul(unit).map(|nanos| Moment::certain(Timestamp(nanos))).ok_or(BadTime::OutOfRange)
            }
            Number::Float(_) => nanos_of_digits(literal, unit),
            number => {
                let (mantissa, scale) = number.exact().ok_or(BadTime::OutOfRange)?;
                let one = pow10(scale);
                let unit = unit.unwrap_or_else(|| unit_by_magnitude(mantissa.unsigned_abs() / one as u128));
                // Digits below a nanosecond are cut towards the past, as windows are.
                let nanos = mantissa.checked_mul(i128::from(unit)).ok_or(BadTime::OutOfRange)?.div_euclid(one);
                moment(nanos)
            }
        }
    }

    /// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`, or a loose spelling of it.
    fn parse_date_time(&self, text: &[u8], strictness: Strictness, cache: &mut TimeCache) -> Result<Moment, BadTime> {
        let (date, rest) = text.split_first_chunk::<10>().ok_or(BadTime::Unreadable)?;
        let loose = strictness == Strictness::Loose;
        let day = if *date == cache.date { cache.day } else { parse_date(date)? };
        (cache.date, cache.day) = (*date, day);
        if let Some(nanos) = parse_usual_clock(rest) {
            cache.note_minute(text, day, nanos);
            // The first day of the range begins before the range does: only the sum has to fit.
            return moment(i128::from(day) * i128::from(DAY) + i128::from(nanos));
        }
        let clock = match rest {
            [] if loose => Clock::default(),
            [b'T' | b't', time @ ..] => parse_clock(time, loose)?,
            [b' ', time @ ..] if loose => parse_clock(time.trim_ascii_start(), loose)?,
            _ => return Err(BadTime::Unreadable),
        };
        let local = i128::from(day) * i128::from(DAY) + i128::from(clock.nanos_of_day);
        let moment = match clock.offset {
            Some(offset) => moment(local - i128::from(offset * SECOND))?,
            None => self.zone.moment(local)?,
        };
        // A leap second is the last second of a UTC day; POSIX time counts it as the next day's first.
        if clock.is_leap_second && moment.time.0.rem_euclid(DAY) >= SECOND {
            return Err(BadTime::Unreadable);
        }
        Ok(moment)
    }
}

/// The moment of a time in UTC.
#[inline]
pub(super) fn moment(nanos: i128) -> Result<Moment, BadTime> {
    i64::try_from(nanos).map(|nanos| Moment::certain(Timestamp(nanos))).map_err(|_| BadTime::OutOfRange)
}

/// Reads a number of more digits than [`Number`] keeps exactly. Those below a nanosecond are cut towards the past.
#[cold]
fn nanos_of_digits(literal: &[u8], unit: Option<i64>) -> Result<Moment, BadTime> {
    let Parts { negative, digits, exponent, .. } = Parts::parse(literal).ok_or(BadTime::Unreadable)?;
    // The value is 0.d1d2d3... * 10^magnitude; i64 has 19 digits.
    let magnitude = exponent + digits.len() as i64;
    if magnitude > 19 {
        return Err(BadTime::OutOfRange);
    }
    let digit = |place: i64| usize::try_from(place).ok().and_then(|place| digits.get(place)).map_or(0, |d| d - b'0');
    let billionths = (0..magnitude + 9).fold(0, |value, place| value * 10 + i128::from(digit(place)));
    let is_cut = digits.len() as i64 > (magnitude + 9).max(0);
    let billionths = if negative { -billionths - i128::from(is_cut) } else { billionths };
    let one = pow10(9);
    let unit = unit.unwrap_or_else(|| unit_by_magnitude(billionths.unsigned_abs() / one as u128));
    moment((billionths * i128::from(unit)).div_euclid(one))
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

/// A time of day as written.
#[derive(Default)]
struct Clock {
    nanos_of_day: i64,
    /// Seconds ahead of UTC; `None` if it is not written.
    offset: Option<i64>,
    is_leap_second: bool,
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
    Ok(Clock { nanos_of_day: second_of_day * SECOND + nanos, offset, is_leap_second: second == 60 })
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

/// `Z`, `±HH:MM`, loosely also `±HHMM`, `±HH` and nothing (`None`); in seconds.
fn parse_offset(text: &[u8], loose: bool) -> Result<Option<i64>, BadTime> {
    let (sign, digits) = match text {
        [b'Z' | b'z'] => return Ok(Some(0)),
        [] if loose => return Ok(None),
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
    Ok(Some(sign * i64::from(hour * 3600 + minute * 60)))
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
        let rules = TimeRules { format, zone: Zone::utc(), year: YearRule::Written };
        rules.parse_text(text.as_bytes(), &mut TimeCache::default()).map(|moment| moment.time.0)
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
            ("123e-5", 1_230_000),
            ("1.2E-3", 1_200_000),
            ("1767225600.12345678901234567890", 1_767_225_600_123_456_789),
            ("-1767225600.12345678900000000001", -1_767_225_600_123_456_790),
            ("1767225600000.99999999999999999999", 1_767_225_600_000_999_999),
            ("1e-300", 0),
            ("-1e-300", -1),
            ("0.00000000100000000000000000001", 1),
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
    fn the_cached_day_never_leaks_into_another_date() {
        let mut cache = TimeCache::default();
        let rules = TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written };
        let mut read = |text: &str| rules.parse_text(text.as_bytes(), &mut cache).map(|moment| moment.time.0);
        assert_eq!(read("1970-01-02T00:00:00Z"), Ok(DAY));
        assert_eq!(read("1970-01-0xT00:00:00Z"), Err(BadTime::Unreadable));
        assert_eq!(read("1970-01-02T00:00:01Z"), Ok(DAY + SECOND));
        assert_eq!(read("1970-01-03"), Ok(2 * DAY));
    }

    #[test]
    fn the_cached_minute_says_what_reading_it_anew_says() {
        let rules = TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written };
        let usual = b"2026-07-04T12:34:56.789Z";
        for at in 0..usual.len() {
            for byte in 0..=255u8 {
                let mut text = *usual;
                text[at] = byte;
                let anew = rules.parse_text(&text, &mut TimeCache::default());
                let mut cache = TimeCache::default();
                assert!(rules.parse_text(usual, &mut cache).is_ok());
                assert_eq!(rules.parse_text(&text, &mut cache), anew, "{}", String::from_utf8_lossy(&text));
            }
        }
        // The minutes in which the range of time begins and ends are not wholly in it.
        for (text, expected) in [
            ("1677-09-21T00:12:43.145Z", Err(BadTime::OutOfRange)),
            ("1677-09-21T00:12:43.146Z", Ok(-9_223_372_036_854_000_000)),
            ("2262-04-11T23:47:16.854Z", Ok(9_223_372_036_854_000_000)),
            ("2262-04-11T23:47:16.855Z", Err(BadTime::OutOfRange)),
        ] {
            let mut cache = TimeCache::default();
            for _ in 0..2 {
                let read = rules.parse_text(text.as_bytes(), &mut cache).map(|moment| moment.time.0);
                assert_eq!(read, expected, "{text}");
            }
        }
    }
}
