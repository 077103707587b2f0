//! Window specifications: `1m`, `sliding:10m/1m`, `session:30m` (`-w`), and durations as text.

use super::cumulative::{Cumulative, Scale};
use super::every::Every;
use super::grid::Grid;
use super::local::{LocalGrid, Marks};
use super::session::Sessions;
use super::sliced::Sliced;
use crate::time::zone::Zone;
use crate::time::{DAY, SECOND, Span};

/// A window as asked for.
#[derive(Clone, Debug)]
pub enum WindowSpec {
    /// Tumbling or sliding.
    Sliced(Sliced),
    /// Sessions by gap.
    Sessions(Sessions),
    /// So many events of a key (T8).
    Count(u64),
    /// All events of a key, printed by a trigger (T8).
    Global(Option<Every>),
}

/// A length on a grid: `90s`, or calendar units (T6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Nanos(i64),
    Weeks(i64),
    Months(i64),
}

/// The words that begin a specification.
const KINDS: [&str; 6] = ["tumbling", "sliding", "session", "cumulate", "global", "count"];

const WEEK: i64 = 7 * DAY;
/// 1970-01-05, the first Monday after the epoch, to which weeks are aligned.
const MONDAY: i64 = 4 * DAY;

impl WindowSpec {
    /// Reads a specification; `offset` shifts window starts and must be smaller than the slide. In a zone other
    /// than UTC windows follow its clock (T6).
    ///
    /// # Errors
    /// A message for people: what is wrong and what to write instead.
    pub fn parse(text: &str, offset: Span, zone: &Zone) -> Result<WindowSpec, String> {
        let (kind, body) = match text.split_once(':') {
            Some((kind, body)) => (kind.trim(), body.trim()),
            None if KINDS.contains(&text.trim()) => (text.trim(), ""),
            None if text.contains('/') => ("sliding", text.trim()),
            None => ("tumbling", text.trim()),
        };
        match kind {
            "tumbling" | "session" if body.is_empty() && !text.is_empty() => {
                let what = if kind == "session" { "a gap, as in session:30m" } else { "a size, as in tumbling:1m" };
                Err(format!("\"{text}\" needs {what}"))
            }
            "tumbling" => {
                let size = parse_length(body)?;
                sliced(size, size, offset, zone)
            }
            "sliding" => {
                let (size, slide) = body
                    .split_once('/')
                    .ok_or_else(|| format!("\"{text}\" needs a size and a slide, as in sliding:10m/1m"))?;
                sliced(parse_length(size)?, parse_length(slide)?, offset, zone)
            }
            "cumulate" => {
                let (size, step) = body
                    .split_once('/')
                    .ok_or_else(|| format!("\"{text}\" needs a size and a step, as in cumulate:1d/1h"))?;
                cumulative(parse_length(size)?, parse_length(step)?, offset, zone)
            }
            "global" | "count" if offset != Span::ZERO => {
                Err(format!("--offset has no meaning for {kind} windows: they begin with an event"))
            }
            "global" if body.is_empty() => Ok(WindowSpec::Global(None)),
            "global" => Err("global takes nothing after it; --trigger says when it prints".into()),
            "count" => match body.parse() {
                Ok(size) if size > 0 => Ok(WindowSpec::Count(size)),
                _ => Err(format!("\"{text}\" needs a number of events, as in count:100")),
            },
            "session" => {
                if offset != Span::ZERO {
                    return Err("--offset has no meaning for sessions: they begin with an event".into());
                }
                match parse_length(body)? {
                    Length::Nanos(gap) => Ok(WindowSpec::Sessions(Sessions::new(Span(gap)))),
                    Length::Weeks(_) | Length::Months(_) => {
                        Err(format!("\"{body}\" is a calendar unit; a session's gap is a length of time, such as 7d"))
                    }
                }
            }
            other => {
                let near = crate::suggest::near(other, KINDS);
                Err(format!(
                    "unknown window kind \"{other}\"{near}; use tumbling:1m (or 1m), sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100 or global"
                ))
            }
        }
    }
}

fn sliced(size: Length, slide: Length, offset: Span, zone: &Zone) -> Result<WindowSpec, String> {
    let shortest_slide = match slide {
        Length::Nanos(nanos) => nanos,
        Length::Weeks(weeks) => weeks.saturating_mul(WEEK),
        Length::Months(months) => months.saturating_mul(28 * DAY),
    };
    if offset.0.unsigned_abs() >= shortest_slide.unsigned_abs() {
        return Err("--offset must be smaller than the window's slide (its size, if it tumbles)".into());
    }
    let nanos = |length| match length {
        Length::Nanos(nanos) => Ok(nanos),
        Length::Weeks(weeks) => weeks.checked_mul(WEEK).ok_or("the window is too long"),
        Length::Months(_) => Err("months and years go with months and years only, as in 12mo/1mo"),
    };
    let (grid, size, slide) = match (size, slide) {
        (Length::Months(size), Length::Months(slide)) if zone.is_utc() => (Grid::Months(offset), size, slide),
        (Length::Months(size), Length::Months(slide)) => {
            (Grid::Local(LocalGrid::new(zone, Marks::Months, offset)), size, slide)
        }
        (size, slide) => {
            let aligned = if matches!(slide, Length::Weeks(_)) { MONDAY - WEEK } else { 0 };
            let offset = Span(offset.0 + aligned);
            let (size, slide) = (nanos(size)?, nanos(slide)?);
            let grid = match zone.is_utc() || !follows_the_clock(slide) {
                true => Grid::Nanos(offset),
                false => Grid::Local(LocalGrid::new(zone, Marks::Nanos(slide), offset)),
            };
            (grid, size, slide)
        }
    };
    Ok(WindowSpec::Sliced(Sliced::new(grid, size, slide)))
}

impl Every {
    /// Reads `every:N` or `every:DUR`; moments follow the clock of the zone as windows do.
    ///
    /// # Errors
    /// A message for people.
    pub fn parse(text: &str, zone: &Zone) -> Result<Every, String> {
        let body =
            text.strip_prefix("every:").ok_or_else(|| format!("\"{text}\" is neither every:100 nor every:15m"))?;
        match body.trim().parse() {
            Ok(0) => Err(format!("\"{text}\" has no events in it")),
            Ok(count) => Ok(Every::Events(count)),
            Err(_) => match sliced(parse_length(body)?, parse_length(body)?, Span::ZERO, zone)? {
                WindowSpec::Sliced(Sliced::Even(even)) => Ok(Every::Moments(even.starts())),
                _ => Err(format!("\"{text}\" has no moments")),
            },
        }
    }
}

fn cumulative(size: Length, step: Length, offset: Span, zone: &Zone) -> Result<WindowSpec, String> {
    let too_long = || "the window is too long".to_owned();
    let nanos = |length| match length {
        Length::Nanos(nanos) => Some(nanos),
        Length::Weeks(weeks) => weeks.checked_mul(WEEK),
        Length::Months(_) => None,
    };
    // A step is shorter than any cycle it divides, and offsets shift both: whatever fits the cycle will do.
    let shortest = match size {
        Length::Months(months) => months.saturating_mul(28 * DAY),
        size => nanos(size).ok_or_else(too_long)?,
    };
    if offset.0.unsigned_abs() >= shortest.unsigned_abs() {
        return Err("--offset must be smaller than the window's size".into());
    }
    let (divides, most) = match (size, step) {
        (Length::Months(size), Length::Months(step)) => (size % step == 0, size / step),
        (Length::Months(size), step) => {
            let step = nanos(step).ok_or_else(too_long)?;
            // A day may have 25 hours, and every month is one of days.
            (DAY % step == 0, (size.saturating_mul(31).saturating_add(1)).saturating_mul(DAY / step + 2))
        }
        (_, Length::Months(_)) => (false, 0),
        (size, step) => {
            let (size, step) = (nanos(size).ok_or_else(too_long)?, nanos(step).ok_or_else(too_long)?);
            (size % step == 0, (size / step).saturating_mul(2))
        }
    };
    if !divides {
        return Err("a cumulative window grows by steps that divide it, as in cumulate:1d/1h or cumulate:1mo/1d".into());
    }
    let aligned = Span(offset.0 + if matches!(size, Length::Weeks(_)) { MONDAY - WEEK } else { 0 });
    let follows_the_clock = match size {
        Length::Months(_) => true,
        size => nanos(size).is_some_and(follows_the_clock),
    };
    // Steps go by the clock if cycles do, so that cycles begin where steps do.
    let is_local = follows_the_clock && !zone.is_utc();
    let scale = |length: Length| match (length, nanos(length)) {
        (Length::Months(months), _) if is_local => {
            Scale { grid: Grid::Local(LocalGrid::new(zone, Marks::Months, aligned)), length: months }
        }
        (Length::Months(months), _) => Scale { grid: Grid::Months(aligned), length: months },
        (_, Some(nanos)) if is_local => {
            Scale { grid: Grid::Local(LocalGrid::new(zone, Marks::Nanos(nanos), aligned)), length: nanos }
        }
        (_, nanos) => Scale { grid: Grid::Nanos(aligned), length: nanos.unwrap_or(i64::MAX) },
    };
    Ok(WindowSpec::Sliced(Sliced::Cumulative(Cumulative::new(scale(size), scale(step), most))))
}

/// Whether windows with this slide begin by the local clock: days, and hours or minutes that divide a day (T6).
fn follows_the_clock(slide: i64) -> bool {
    slide % DAY == 0 || (slide % (60 * SECOND) == 0 && DAY % slide == 0)
}

/// A positive length: humantime's, or `w`, `mo`, `y` alone, which are calendar units.
fn parse_length(text: &str) -> Result<Length, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit_at);
    let calendar = match unit.trim() {
        "w" | "wk" | "wks" | "week" | "weeks" => Some((1, Length::Weeks as fn(i64) -> Length)),
        "mo" => Some((1, Length::Months as fn(i64) -> Length)),
        "y" | "yr" | "yrs" | "year" | "years" => Some((12, Length::Months as fn(i64) -> Length)),
        _ => None,
    };
    if let Some((factor, length)) = calendar
        && !count.is_empty()
    {
        // Ten thousand years are longer than time is.
        let count: i64 =
            count.parse().ok().filter(|n| *n < 120_000).ok_or_else(|| format!("\"{text}\" is too long"))?;
        if count == 0 {
            return Err(format!("\"{text}\" is empty: a window needs a length"));
        }
        return Ok(length(count * factor));
    }
    match parse_duration(text)? {
        Span(nanos) if nanos > 0 => Ok(Length::Nanos(nanos)),
        _ => Err(format!("\"{text}\" is empty: a window needs a length above zero")),
    }
}

/// Reads a length of time as humantime does (`90s`, `1h 30m`, `250ms`), with an optional sign.
///
/// # Errors
/// A message for people. Months and years are refused: they are no fixed length.
pub fn parse_duration(text: &str) -> Result<Span, String> {
    let (sign, nanos) = parse_signed(text)?;
    let nanos = i64::try_from(nanos).map_err(|_| format!("\"{text}\" is longer than 292 years"))?;
    Ok(Span(sign * nanos))
}

/// As [`parse_duration`], but what is longer than 292 years is cut down to them.
///
/// # Errors
/// As [`parse_duration`], but for that.
pub fn parse_saturating(text: &str) -> Result<Span, String> {
    let (sign, nanos) = parse_signed(text)?;
    Ok(Span(sign * i64::try_from(nanos).unwrap_or(i64::MAX)))
}

/// Sign and nanoseconds.
fn parse_signed(text: &str) -> Result<(i64, u128), String> {
    let (sign, magnitude) = match text.trim().strip_prefix(['-', '+']) {
        Some(rest) => (if text.trim().starts_with('-') { -1 } else { 1 }, rest),
        None => (1, text.trim()),
    };
    if magnitude == "0" {
        return Ok((1, 0));
    }
    for word in magnitude.split(|c: char| c.is_ascii_digit() || c.is_whitespace()) {
        match word {
            "M" => {
                return Err(format!(
                    "\"{text}\": M is ambiguous; use m for minutes, mo for calendar months (in -w only)"
                ));
            }
            "mo" | "month" | "months" | "y" | "yr" | "yrs" | "year" | "years" => {
                return Err(format!(
                    "\"{text}\": a {word} is no fixed length of time; use days (mo and y stand alone and in -w only)"
                ));
            }
            _ => {}
        }
    }
    if lacks_a_unit(magnitude) {
        return Err(format!("\"{text}\" is no duration (a unit is missing); examples: 90s, 1h 30m, 250ms"));
    }
    let duration = humantime::parse_duration(magnitude)
        .map_err(|error| format!("\"{text}\" is no duration ({error}); examples: 90s, 1h 30m, 250ms"))?;
    Ok((sign, duration.as_nanos()))
}

/// Whether blanks stand inside a number: humantime would take `1 5s` for 15 seconds.
fn lacks_a_unit(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut words = text.split_whitespace().peekable();
    std::iter::from_fn(|| Some((words.next()?, words.peek().copied())))
        .any(|(word, next)| word.ends_with(is_part) && next.is_some_and(|next| next.starts_with(is_part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn first_window(spec: &str, offset: i64, time: i64) -> (i64, i64) {
        match WindowSpec::parse(spec, Span(offset), &Zone::utc()).expect(spec) {
            WindowSpec::Sliced(sliced) => {
                let slice = sliced.slice(Timestamp(time)).expect("in range");
                let window = sliced.window(sliced.windows(slice.id).start);
                (window.start.0, window.end.0)
            }
            WindowSpec::Sessions(sessions) => {
                let window = sessions.window(Timestamp(time)).expect("in range");
                (window.start.0, window.end.0)
            }
            WindowSpec::Count(_) | WindowSpec::Global(_) => panic!("{spec} has no bounds"),
        }
    }

    #[test]
    fn t6_starts_are_multiples_by_floor_division_weeks_begin_on_monday() {
        for (spec, offset, time, expected) in [
            ("10s", 0, -1, (-10 * SECOND, 0)),
            ("tumbling:10s", 3 * SECOND, 0, (-7 * SECOND, 3 * SECOND)),
            ("1m 30s", 0, 0, (0, 90 * SECOND)),
            ("sliding:10s/4s", 0, 0, (-8 * SECOND, 2 * SECOND)),
            ("10s/4s", 0, 0, (-8 * SECOND, 2 * SECOND)),
            ("session:5s", 0, 7, (7, 7 + 5 * SECOND)),
            ("7d", 0, 0, (0, WEEK)),
            ("1w", 0, 0, (-3 * DAY, 4 * DAY)),
            ("2w", 0, 0, (-3 * DAY, 11 * DAY)),
            ("1w", DAY, 0, (-2 * DAY, 5 * DAY)),
            ("1 wk", 0, 0, (-3 * DAY, 4 * DAY)),
            ("1yr", 0, 400 * DAY, (365 * DAY, 730 * DAY)),
            ("1mo", 0, 31 * DAY, (31 * DAY, 59 * DAY)),
            ("1y", 0, 400 * DAY, (365 * DAY, 730 * DAY)),
        ] {
            assert_eq!(first_window(spec, offset, time), expected, "{spec}");
        }
    }

    #[test]
    fn specifications_that_make_no_sense_are_refused_with_a_hint() {
        for (spec, offset, hint) in [
            ("0s", 0, "above zero"),
            ("-5s", 0, "above zero"),
            ("1M", 0, "m for minutes"),
            ("1month", 0, "no fixed length"),
            ("1y 2d", 0, "no fixed length"),
            ("2yrs 1d", 0, "no fixed length"),
            ("1 5s", 0, "a unit is missing"),
            ("1h 1. 5s", 0, "a unit is missing"),
            ("sliding:10m", 0, "sliding:10m/1m"),
            ("10m/", 0, "no duration"),
            ("1mo/1d", 0, "months and years"),
            ("session:1mo", 0, "calendar unit"),
            ("tumblin:1m", 0, "did you mean \"tumbling\""),
            ("10s", 10 * SECOND, "--offset"),
            ("10s/2s", -2 * SECOND, "--offset"),
            ("session:1s", 1, "--offset"),
            ("300y", 0, ""),
            ("1000000y", 0, "too long"),
            ("400000d", 0, "292 years"),
            ("", 0, "no duration"),
        ] {
            match WindowSpec::parse(spec, Span(offset), &Zone::utc()) {
                Err(message) => assert!(message.contains(hint), "{spec}: {message}"),
                Ok(_) => assert_eq!(spec, "300y", "accepted"),
            }
        }
    }

    #[test]
    fn durations_are_humantimes_with_a_sign() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("-1h", -3600 * SECOND),
            ("250ms", 250_000_000),
            ("1h 30m", 5400 * SECOND),
            ("2d", 2 * DAY),
        ] {
            assert_eq!(parse_duration(text), Ok(Span(expected)), "{text}");
            assert_eq!(parse_saturating(text), Ok(Span(expected)), "{text}");
        }
    }
}
