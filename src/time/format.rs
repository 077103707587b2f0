//! Timestamps as text (`--output-time`).

use super::{DAY, SECOND, Timestamp, civil::civil_from_days, zone::Zone};
use std::io::Write;

/// How moments are written in rows and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeStyle {
    /// RFC 3339 in a zone, with no fraction if whole, else 3, 6 or 9 digits.
    Rfc3339(Zone),
    /// A number of units of this many nanoseconds; a decimal if not whole.
    Units(i64),
}

impl TimeStyle {
    /// Whether the text is a JSON string (else it is a JSON number).
    pub fn is_text(&self) -> bool {
        matches!(self, TimeStyle::Rfc3339(_))
    }

    /// Appends `time` to `out`, without quotes.
    pub fn write(&self, out: &mut Vec<u8>, time: Timestamp) {
        match self {
            TimeStyle::Rfc3339(zone) if zone.is_utc() => {
                write_local(out, time.0.into());
                out.push(b'Z');
            }
            TimeStyle::Rfc3339(zone) => write_zoned(out, time, zone.offset_at(time) / SECOND),
            TimeStyle::Units(unit) => write_units(out, time, *unit),
        }
    }
}

/// With its offset, which RFC 3339 writes in minutes; a moment of local mean time, which has
/// seconds, is written in UTC.
fn write_zoned(out: &mut Vec<u8>, time: Timestamp, offset: i64) {
    if offset % 60 != 0 {
        write_local(out, time.0.into());
        out.push(b'Z');
        return;
    }
    write_local(out, i128::from(time.0) + i128::from(offset * SECOND));
    out.push(if offset < 0 { b'-' } else { b'+' });
    two(out, offset.abs() / 3600);
    out.push(b':');
    two(out, offset.abs() / 60 % 60);
}

/// Date and time of day of nanoseconds since 1970 on some clock.
fn write_local(out: &mut Vec<u8>, nanos: i128) {
    // What is left after the division fits: time has some 200,000 days.
    let days = nanos.div_euclid(DAY.into()) as i64;
    let of_day = nanos.rem_euclid(DAY.into()) as i64;
    let (year, month, day) = civil_from_days(days);
    let seconds = of_day / SECOND;
    // The range of i64 is 1677 to 2262: four digits always.
    for pair in [year / 100, year % 100] {
        two(out, pair);
    }
    out.push(b'-');
    two(out, i64::from(month));
    out.push(b'-');
    two(out, i64::from(day));
    out.push(b'T');
    two(out, seconds / 3600);
    out.push(b':');
    two(out, seconds / 60 % 60);
    out.push(b':');
    two(out, seconds % 60);
    fraction(out, of_day % SECOND);
}

fn two(out: &mut Vec<u8>, value: i64) {
    out.push(b'0' + (value / 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

fn fraction(out: &mut Vec<u8>, nanos: i64) {
    // Writing to a Vec cannot fail.
    let _ = match nanos {
        0 => Ok(()),
        n if n % 1_000_000 == 0 => write!(out, ".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => write!(out, ".{:06}", n / 1_000),
        n => write!(out, ".{n:09}"),
    };
}

fn write_units(out: &mut Vec<u8>, time: Timestamp, unit: i64) {
    let magnitude = time.0.unsigned_abs();
    let unit = unit as u64;
    if time.0 < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(magnitude / unit).as_bytes());
    let rest = magnitude % unit;
    if rest != 0 {
        let digits = unit.ilog10() as usize;
        let _ = write!(out, ".{rest:0digits$}");
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(style: TimeStyle, nanos: i64) -> String {
        let mut out = Vec::new();
        style.write(&mut out, Timestamp(nanos));
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn rfc3339_has_no_fraction_or_three_six_or_nine_digits() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_500_000_000, "1970-01-01T00:00:01.500Z"),
            (1_000_001_000, "1970-01-01T00:00:01.000001Z"),
            (951_782_400 * SECOND, "2000-02-29T00:00:00Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            assert_eq!(text(TimeStyle::Rfc3339(Zone::utc()), nanos), expected);
        }
    }

    #[test]
    fn rfc3339_in_a_zone_has_its_offset_unless_that_has_seconds() {
        for (zone, nanos, expected) in [
            ("Europe/Berlin", 0, "1970-01-01T01:00:00+01:00"),
            ("Europe/London", 1_767_225_600 * SECOND + 1, "2026-01-01T00:00:00.000000001+00:00"),
            ("America/St_Johns", 1_767_225_600 * SECOND, "2025-12-31T20:30:00-03:30"),
            ("America/New_York", -4_000_000_000 * SECOND, "1843-03-31T16:53:20Z"),
            ("Pacific/Kiritimati", i64::MAX, "2262-04-12T13:47:16.854775807+14:00"),
        ] {
            assert_eq!(text(TimeStyle::Rfc3339(Zone::parse(zone).expect(zone)), nanos), expected);
        }
    }

    #[test]
    fn numbers_are_whole_or_a_decimal() {
        for (unit, nanos, expected) in [
            (SECOND, 2 * SECOND, "2"),
            (SECOND, 1_500_000_000, "1.5"),
            (SECOND, -1, "-0.000000001"),
            (1_000_000, 1_500_000, "1.5"),
            (1_000, -2_000, "-2"),
            (1, i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(text(TimeStyle::Units(unit), nanos), expected);
        }
    }
}
