//! Times and lengths of time in expressions: `timestamp(...)`, `duration(...)`, and what can be asked of them.

use super::value::{Value, digits};
use crate::event::number::{Number, pow10, write_exact};
use crate::time::civil::{civil_from_days, days_from_civil};
use crate::time::format::TimeStyle;
use crate::time::parse::{TimeCache, TimeFormat, TimeRules};
use crate::time::pattern::Pattern;
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use crate::time::{DAY, SECOND, Span, Timestamp};

/// How the times of an expression are read: as the event time is, or as anybody would write them.
#[derive(Clone, Debug)]
pub struct Times {
    own: Option<TimeRules>,
    usual: TimeRules,
}

impl Times {
    /// As the event time is read (`--time-format`), if the format tells the year, or as RFC 3339 and numbers are.
    pub fn new(rules: &TimeRules) -> Times {
        let has_year = |pattern: &Pattern| pattern.has_year();
        let tells_all = match &rules.format {
            TimeFormat::Auto | TimeFormat::Rfc3339 => false,
            TimeFormat::Units(_) => true,
            TimeFormat::Pattern(pattern) => has_year(pattern),
        };
        Times { own: tells_all.then(|| rules.clone()), ..Times::usual(rules.zone.clone()) }
    }

    /// As RFC 3339 and numbers are read; without an offset, in a zone.
    pub fn usual(zone: Zone) -> Times {
        Times { own: None, usual: TimeRules { format: TimeFormat::Auto, zone, year: YearRule::Written } }
    }

    /// Reads a time.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(&self, value: &Value<'_>) -> Result<Timestamp, String> {
        let read = |rules: &TimeRules| match value {
            Value::Number(number) => rules.parse_number(digits(number).as_bytes()),
            value => rules.parse_text(value.as_text().unwrap_or_default().as_bytes(), &mut TimeCache::default()),
        };
        match value {
            Value::Time(time) => return Ok(*time),
            Value::Number(_) | Value::Text(_) | Value::Cell(_) => {}
            other => return Err(format!("{other} is no time")),
        }
        let own = self.own.as_ref().and_then(|rules| read(rules).ok());
        let moment = own.map_or_else(|| read(&self.usual), Ok);
        moment.map(|moment| moment.time).map_err(|bad| format!("{value} {}", bad.reason()))
    }
}

/// What one letter or more after a number mean, in nanoseconds.
const UNITS: [(&str, i64); 9] = [
    ("h", 3600 * SECOND),
    ("ms", 1_000_000),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("d", DAY),
    ("w", 7 * DAY),
];

/// Reads a length of time: `1h30m`, `1.5h`, `-250ms`, `2d`. Blanks may stand between.
///
/// # Errors
/// Why it is none.
pub fn duration(value: &Value<'_>) -> Result<Span, String> {
    let text = match value {
        Value::Duration(span) => return Ok(*span),
        value => value.as_text().ok_or_else(|| format!("{value} is no duration, such as \"1h30m\""))?,
    };
    let wrong = || format!("{value} is no duration, such as \"1h30m\"");
    let (is_negative, mut rest) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.trim()),
    };
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut nanos = 0i128;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number = Number::parse(&rest.as_bytes()[..number_ends]).and_then(|number| number.exact());
        let (mantissa, scale) = number.ok_or_else(wrong)?;
        rest = rest[number_ends..].trim_start();
        let unit_ends = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..unit_ends]).ok_or_else(wrong)?;
        rest = rest[unit_ends..].trim_start();
        let more = mantissa.checked_mul(i128::from(*unit)).ok_or_else(wrong)? / pow10(scale);
        nanos = nanos.checked_add(more).ok_or_else(wrong)?;
    }
    let nanos = if is_negative { -nanos } else { nanos };
    i64::try_from(nanos).map(Span).map_err(|_| format!("{value} is too long"))
}

/// A time as RFC 3339, in UTC.
pub fn written(time: Timestamp) -> String {
    let mut text = Vec::new();
    TimeStyle::Rfc3339(Zone::utc()).write(&mut text, time);
    String::from_utf8_lossy(&text).into_owned()
}

/// A length of time in seconds, exact.
pub fn seconds(span: Span) -> Number {
    Number::of_exact(span.0.into(), 9, false)
}

/// A length of time as CEL writes it: `5400s`.
pub fn written_duration(span: Span) -> String {
    let mut text = Vec::new();
    if let Some((mantissa, scale)) = seconds(span).exact() {
        write_exact(&mut text, mantissa, scale, false);
    }
    text.push(b's');
    String::from_utf8_lossy(&text).into_owned()
}

/// A local clock.
#[derive(Clone, Debug)]
pub enum LocalClock {
    /// That of a zone.
    Zone(Zone),
    /// So many nanoseconds ahead of UTC.
    Ahead(i64),
}

impl LocalClock {
    /// Reads `Europe/Berlin`, `UTC` or `+01:00`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<LocalClock, String> {
        let sign = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Zone::parse(text).map(LocalClock::Zone),
        };
        let ahead = text[1..].split_once(':').and_then(|(hours, minutes)| {
            let number =
                |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2 && !text.starts_with(['+', '-']));
            Some((number(hours).filter(|hours| *hours < 24)?, number(minutes).filter(|minutes| *minutes < 60)?))
        });
        let (hours, minutes) = ahead.ok_or_else(|| format!("\"{text}\" is no offset, such as +01:00"))?;
        Ok(LocalClock::Ahead(sign * (hours * 3600 + minutes * 60) * SECOND))
    }

    fn local(&self, time: Timestamp) -> i128 {
        let ahead = match self {
            LocalClock::Zone(zone) => zone.offset_at(time),
            LocalClock::Ahead(ahead) => *ahead,
        };
        i128::from(time.0) + i128::from(ahead)
    }
}

/// A part of a time, or of a length of time, as CEL counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// The names of parts.
pub const PARTS: [(&str, Part); 10] = [
    ("getFullYear", Part::FullYear),
    ("getMonth", Part::Month),
    ("getDate", Part::Date),
    ("getDayOfMonth", Part::DayOfMonth),
    ("getDayOfWeek", Part::DayOfWeek),
    ("getDayOfYear", Part::DayOfYear),
    ("getHours", Part::Hours),
    ("getMinutes", Part::Minutes),
    ("getSeconds", Part::Seconds),
    ("getMilliseconds", Part::Milliseconds),
];

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const MILLI: i64 = 1_000_000;

impl Part {
    /// This part of a time or a length of time: months, days of the month and of the year from 0, `getDate` from 1, Sunday is 0.
    ///
    /// # Errors
    /// The value has none.
    pub fn of(self, value: &Value<'_>, clock: &LocalClock) -> Result<i64, String> {
        match value {
            Value::Time(time) => Ok(self.of_local(clock.local(*time))),
            Value::Duration(span) => self.of_span(*span).ok_or_else(|| format!("{value} has no day, month or year")),
            text if text.as_text().is_some() => Err(format!("{value} is no time; timestamp(...) makes one of it")),
            other => Err(format!("{other} is no time")),
        }
    }

    fn of_local(self, local: i128) -> i64 {
        // Both fit: the range of time is some hundred thousand days.
        let (days, rest) = (local.div_euclid(DAY.into()) as i64, local.rem_euclid(DAY.into()) as i64);
        let (year, month, day) = civil_from_days(days);
        match self {
            Part::FullYear => year,
            Part::Month => i64::from(month) - 1,
            Part::Date => day.into(),
            Part::DayOfMonth => i64::from(day) - 1,
            // The epoch was a Thursday.
            Part::DayOfWeek => (days + 4).rem_euclid(7),
            Part::DayOfYear => days - days_from_civil(year, 1, 1),
            Part::Hours => rest / HOUR,
            Part::Minutes => rest % HOUR / MINUTE,
            Part::Seconds => rest % MINUTE / SECOND,
            Part::Milliseconds => rest % SECOND / MILLI,
        }
    }

    /// The whole in hours, minutes or seconds; of milliseconds those beyond the last second.
    fn of_span(self, span: Span) -> Option<i64> {
        match self {
            Part::Hours => Some(span.0 / HOUR),
            Part::Minutes => Some(span.0 / MINUTE),
            Part::Seconds => Some(span.0 / SECOND),
            Part::Milliseconds => Some(span.0 % SECOND / MILLI),
            _ => None,
        }
    }
}
