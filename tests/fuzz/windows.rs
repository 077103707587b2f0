//! Window specifications and durations: a regular expression and exact fractions; and for every window what T6 says of it.

use crate::fuzz::{Checked, Signature, Target, equal};
use num_bigint::BigInt;
use regex::Regex;
use std::sync::LazyLock;
use streamw::time::zone::Zone;
use streamw::time::{Span, Timestamp};
use streamw::window::WindowId;
use streamw::window::spec::{WindowSpec, parse_duration, parse_saturating};

/// Nanoseconds of a unit of fixed length.
fn unit(name: &str) -> Option<i64> {
    const SECOND: i64 = 1_000_000_000;
    Some(match name {
        "ns" | "nsec" | "nanos" => 1,
        "us" | "usec" | "micros" | "µs" => 1_000,
        "ms" | "msec" | "millis" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => 86_400 * SECOND,
        "w" | "wk" | "wks" | "week" | "weeks" => 7 * 86_400 * SECOND,
        _ => return None,
    })
}

static DURATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A([+-]?)((?:\s*[0-9]+(?:\.[0-9]+)?\s*[a-zA-Zµ]+)+)\s*\z").expect("a regex"));
static PART: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"([0-9]+)(?:\.([0-9]+))?\s*([a-zA-Zµ]+)").expect("a regex"));

/// A duration in nanoseconds; nothing if it is none, or not whole.
fn nanos(text: &str) -> Option<BigInt> {
    let text = text.trim();
    if matches!(text, "0" | "+0" | "-0") {
        return Some(BigInt::ZERO);
    }
    let found = DURATION.captures(text)?;
    let mut sum = BigInt::ZERO;
    for part in PART.captures_iter(&found[2]) {
        let after = part.get(2).map_or("", |digits| digits.as_str());
        let digits: BigInt = format!("{}{after}", &part[1]).parse().expect("digits");
        let (nanos, one) = (digits * unit(&part[3])?, BigInt::from(10).pow(after.len() as u32));
        if &nanos % &one != BigInt::ZERO {
            return None;
        }
        sum += nanos / one;
    }
    Some(if &found[1] == "-" { -sum } else { sum })
}

fn check_duration(text: &str) -> Result<Option<i64>, String> {
    let (got, saturated, exact) = (parse_duration(text), parse_saturating(text), nanos(text));
    if let (Ok(got), saturated) = (&got, &saturated) {
        equal(text, &exact, &Some(BigInt::from(got.0)))?;
        equal(text, &Ok(*got), saturated)?;
    }
    match (&saturated, &exact) {
        (Ok(_), None) => return Err(format!("{text:?} is no duration, but {saturated:?}")),
        (Ok(cut), Some(exact)) => {
            let limit = BigInt::from(i64::MAX);
            equal(text, &BigInt::from(cut.0), &exact.clone().clamp(-limit.clone(), limit))?;
        }
        // What is too large, or too fine, for humantime is refused; nothing of a usual size is.
        (Err(message), Some(_)) if text.len() < 12 && !text.contains('.') => {
            return Err(format!("{text:?}: {message}"));
        }
        (Err(_), _) => {}
    }
    Ok(got.ok().map(|span| span.0))
}

/// A moment, as likely far off as near.
fn moments(seed: &[u8]) -> impl Iterator<Item = i64> {
    let mut random = crate::fuzz::Random::new(seed.iter().fold(7, |all, byte| all * 31 % 1_000_003 + u64::from(*byte)));
    let some = (0..12).map(move |place| (random.next() << 11 | random.next() >> 42) as i64 >> (place * 5));
    [0, 1, -1, i64::MIN, i64::MAX, i64::MIN + 1, i64::MAX - 1].into_iter().chain(some)
}

fn check_window(text: &str, offset: i64, zone: &Zone) -> Result<String, String> {
    let spec = match WindowSpec::parse(text, Span(offset), zone) {
        Ok(spec) => spec,
        Err(message) => return Ok(message.rsplit(' ').next().unwrap_or_default().to_owned()),
    };
    for moment in moments(text.as_bytes()) {
        let time = Timestamp(moment);
        let holds = |window: streamw::window::Window| window.start <= time && time < window.end;
        match &spec {
            WindowSpec::Sliced(sliced) => {
                let Some(slice) = sliced.slice(time) else { continue };
                let what = || format!("{text} offset {offset} in {} at {moment}", zone.name());
                if slice.bounds.start > time || slice.bounds.end <= time && slice.bounds.end != Timestamp::MAX {
                    return Err(format!("{}: the slice {:?} does not hold it", what(), slice.bounds));
                }
                let windows = sliced.windows(slice.id);
                let (first, last) = (windows.start.0, windows.end.0 - 1);
                if first > last {
                    continue;
                }
                let inside = [first, last, first + (last - first) / 2].map(|id| sliced.window(WindowId(id)));
                let outside = [first.checked_sub(1), last.checked_add(1)].into_iter().flatten();
                let mut outside = outside.map(|id| sliced.window(WindowId(id)));
                if !inside.iter().all(|window| holds(*window)) {
                    return Err(format!("{}: one of {inside:?} does not hold it", what()));
                }
                // (Those that are cut off at the ends of time may seem to.)
                let is_cut =
                    |window: &streamw::window::Window| window.start == Timestamp::MIN || window.end == Timestamp::MAX;
                if let Some(window) = outside.find(|window| holds(*window) && !is_cut(window)) {
                    return Err(format!("{}: {window:?} holds it, but is not among its windows", what()));
                }
            }
            WindowSpec::Sessions(sessions) => {
                let end = nanos(text.rsplit(':').next().unwrap_or_default()).map(|gap| gap + moment);
                let got = sessions.window(time).map(|window| BigInt::from(window.end.0));
                equal(text, &end.filter(|end| *end <= BigInt::from(i64::MAX)), &got)?;
            }
            WindowSpec::Count(size) => equal(text, &true, &(*size > 0))?,
            WindowSpec::Global(_) => {}
        }
    }
    Ok(format!("{spec:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned())
}

/// Plain tumbling and sliding windows in UTC, by integers alone.
fn check_plain(text: &str, offset: i64) -> Result<(), String> {
    let Some((size, slide)) = text.split_once('/') else { return Ok(()) };
    let is_calendar =
        |length: &str| Regex::new(r"\A\s*[0-9]+\s*(w|wk|wks|week|weeks)\s*\z").expect("a regex").is_match(length);
    let (Some(length), Some(step)) = (nanos(size), nanos(slide)) else { return Ok(()) };
    let (Ok(length), Ok(step)) = (i64::try_from(length), i64::try_from(step)) else { return Ok(()) };
    let Ok(WindowSpec::Sliced(sliced)) = WindowSpec::parse(text, Span(offset), &Zone::utc()) else { return Ok(()) };
    if is_calendar(slide) {
        return Ok(());
    }
    for moment in moments(text.as_bytes()) {
        let (t, length, step) = (i128::from(moment), i128::from(length), i128::from(step));
        let last = (t - i128::from(offset)).div_euclid(step) * step + i128::from(offset);
        let first = last - (length - (t - last) - 1).div_euclid(step) * step;
        let count = if t - last >= length { 0 } else { (last - first) / step + 1 };
        let fits = |bound: i128| i64::try_from(bound).is_ok();
        let expected = match count {
            0 => None,
            _ if fits(first) && fits(last + length) => Some((first, last, count)),
            _ => None,
        };
        let got = sliced.slice(Timestamp(moment)).and_then(|slice| {
            let windows = sliced.windows(slice.id);
            let count = i128::from(windows.end.0) - i128::from(windows.start.0);
            let start = |id: i64| i128::from(sliced.window(WindowId(id)).start.0);
            (count > 0).then(|| (start(windows.start.0), start(windows.end.0 - 1), count))
        });
        equal(&format!("{text} offset {offset} at {moment}"), &expected, &got)?;
    }
    Ok(())
}

static LOCAL: LazyLock<[Zone; 2]> =
    LazyLock::new(|| ["America/New_York", "Australia/Lord_Howe"].map(|name| Zone::parse(name).expect("a zone")));

fn check(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let (spec, offset) = text.split_once('\n').unwrap_or((&text, "0"));
    let duration = check_duration(spec)?;
    let offset = check_duration(offset)?.unwrap_or(0);
    let kind = check_window(spec, offset, &Zone::utc())?;
    check_plain(spec, offset)?;
    let kinds = LOCAL.iter().map(|zone| check_window(spec, offset, zone)).collect::<Result<Vec<_>, _>>()?;
    let mut shape: Vec<char> = spec.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.dedup();
    shape.truncate(12);
    Ok(Signature::of((kind, kinds, duration.map(i64::signum), offset.signum(), shape)))
}

#[test]
fn windows_and_durations_are_read_as_by_a_slow_reader() {
    let seeds = [
        "1m",
        "tumbling:90s\n-3s",
        "sliding:10m/1m\n30s",
        "10m/3m",
        "7s/10s",
        "session:30m",
        "session:1ns",
        "cumulate:1d/1h",
        "1w\n1d",
        "2w/1w",
        "1mo",
        "12mo/1mo\n6h",
        "1y",
        "1d\n6h",
        "3650d/1ms",
        "106000d/1ns",
        "count:100",
        "global",
        "1h 30m 15s",
        "1.5h",
        "0.000000001s",
        "1 wk",
        "1yr",
        "1M",
        "1month",
        "-5s",
        "+5s",
        "1 5s",
        "400000d",
        "99999999999999999999s",
        "1h/45m\n-44m",
    ];
    let words = [
        "tumbling:",
        "sliding:",
        "session:",
        "cumulate:",
        "count:",
        "global",
        "/",
        ":",
        "\n",
        "-",
        "+",
        " ",
        ".",
        "0",
        "1",
        "9",
        "60",
        "365",
        "ns",
        "us",
        "µs",
        "ms",
        "s",
        "sec",
        "m",
        "min",
        "h",
        "d",
        "w",
        "wk",
        "weeks",
        "mo",
        "M",
        "months",
        "y",
        "yr",
        "years",
        "hours",
        "\u{a0}",
        "106751d",
        "9223372036854775807ns",
        "1e3",
    ];
    let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    Target { name: "windows", seeds, words: &words }.run(check);
}
