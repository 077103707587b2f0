//! What would read a text that is refused as a time: said in the report, never done unasked (T1).

use super::parse::{TimeCache, TimeFormat, TimeRules};
use super::pattern::Pattern;
use std::fmt::Write as _;

/// Forms that are met often, each with the patterns it may mean: a run of digits is `0`, one of letters `a`, one of
/// blanks a blank, and the sign of an offset `+`.
const FORMS: &[(&str, &[&str])] = &[
    ("0/a/0:0:0:0 +0", &["%d/%b/%Y:%H:%M:%S %z"]),
    ("0/a/0:0:0:0", &["%d/%b/%Y:%H:%M:%S"]),
    ("a a 0 0:0:0 0", &["%a %b %e %H:%M:%S %Y"]),
    ("a a 0 0:0:0.0 0", &["%a %b %e %H:%M:%S%.f %Y"]),
    ("a, 0 a 0 0:0:0 +0", &["%a, %d %b %Y %H:%M:%S %z"]),
    ("a, 0 a 0 0:0:0 a", &["%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S UTC"]),
    ("a 0 0:0:0", &["%b %e %H:%M:%S"]),
    ("a 0 0:0:0.0", &["%b %e %H:%M:%S%.f"]),
    ("a 0 0 0:0:0", &["%b %e %Y %H:%M:%S"]),
    ("a 0, 0 0:0:0", &["%b %e, %Y %H:%M:%S"]),
    ("a 0, 0 0:0:0 a", &["%b %e, %Y %I:%M:%S %p"]),
    ("0 a 0 0:0:0", &["%d %b %Y %H:%M:%S"]),
    ("0 a 0 0:0:0 +0", &["%d %b %Y %H:%M:%S %z"]),
    ("0-a-0 0:0:0", &["%d-%b-%Y %H:%M:%S"]),
    ("0-a-0", &["%d-%b-%Y"]),
    ("0.0.0 0:0:0", &["%d.%m.%Y %H:%M:%S", "%Y.%m.%d %H:%M:%S"]),
    ("0.0.0 0:0", &["%d.%m.%Y %H:%M", "%Y.%m.%d %H:%M"]),
    ("0.0.0", &["%d.%m.%Y", "%Y.%m.%d"]),
    ("0/0/0 0:0:0", &["%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"]),
    ("0/0/0 0:0:0.0", &["%Y/%m/%d %H:%M:%S%.f", "%m/%d/%Y %H:%M:%S%.f", "%d/%m/%Y %H:%M:%S%.f"]),
    ("0/0/0 0:0", &["%Y/%m/%d %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"]),
    ("0/0/0 0:0:0 a", &["%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p"]),
    ("0/0/0, 0:0:0 a", &["%m/%d/%Y, %I:%M:%S %p", "%d/%m/%Y, %I:%M:%S %p"]),
    ("0/0/0 0:0 a", &["%m/%d/%Y %I:%M %p", "%d/%m/%Y %I:%M %p"]),
    ("0/0/0", &["%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y"]),
    ("0-0-0 0:0:0", &["%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"]),
    ("0-0-0 0:0", &["%d-%m-%Y %H:%M", "%m-%d-%Y %H:%M", "%Y-%m-%d %H:%M"]),
    ("0-0-0 0:0:0 a", &["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S GMT", "%Y-%m-%d %I:%M:%S %p"]),
    ("0-0-0 0:0:0.0 a", &["%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%d %H:%M:%S%.f GMT"]),
    ("0-0-0-0:0:0", &["%Y-%m-%d-%H:%M:%S"]),
    ("0-0-0_0:0:0", &["%Y-%m-%d_%H:%M:%S"]),
    ("0a0", &["%Y%m%dT%H%M%S"]),
    ("0a0a", &["%Y%m%dT%H%M%SZ"]),
    ("0 0", &["%Y%m%d %H%M%S", "%y%m%d %H%M%S"]),
    ("0 0:0:0", &["%Y%m%d %H:%M:%S", "%y%m%d %H:%M:%S"]),
    ("0-0:0:0", &["%Y%m%d-%H:%M:%S"]),
    ("0-0:0:0:0", &["%Y%m%d-%H:%M:%S:%3f"]),
    ("0-0:0:0.0", &["%Y%m%d-%H:%M:%S%.f"]),
    ("0-0", &["%Y%m%d-%H%M%S"]),
    ("0_0", &["%Y%m%d_%H%M%S"]),
    ("0", &["%Y%m%d%H%M%S"]),
];

/// Times of day, of any day.
const WITHOUT_DATE: [&str; 4] = ["0:0:0", "0:0:0.0", "0:0", "0:0:0 a"];

/// No time in a usual form is longer, in bytes.
const LONGEST: usize = 48;

/// What reads a text that these rules refuse, in a few words for its report; nothing if that cannot be said.
#[cold]
pub fn advice(text: &[u8], rules: &TimeRules) -> Option<String> {
    let text = text.trim_ascii();
    if text.len() > LONGEST {
        return None;
    }
    if rules.format != TimeFormat::Auto {
        let auto = TimeRules { format: TimeFormat::Auto, ..rules.clone() };
        return auto.parse_text(text, &mut TimeCache::default()).ok().map(|_| "--time-format auto reads it".into());
    }
    let form = form(text);
    if WITHOUT_DATE.contains(&form.as_str()) {
        return Some("a time of day, without its date".into());
    }
    let (_, patterns) = FORMS.iter().find(|(known, _)| *known == form)?;
    // A zone that is spelt out, and not read, must be the one of times without an offset.
    let is_apt = |pattern: &&&str| rules.zone.is_utc() || !["UTC", "GMT", "Z"].iter().any(|end| pattern.ends_with(end));
    let mut said = String::new();
    for pattern in patterns.iter().filter(is_apt).filter(|pattern| reads(pattern, text)) {
        let _ = write!(said, "{}'{pattern}'", if said.is_empty() { "--time-format " } else { " or " });
    }
    (!said.is_empty()).then(|| said + " reads it")
}

fn reads(pattern: &str, text: &[u8]) -> bool {
    Pattern::new(pattern).is_ok_and(|pattern| pattern.admits(text))
}

fn form(text: &[u8]) -> String {
    let mut form = String::new();
    for (index, byte) in text.iter().enumerate() {
        let sign = match byte {
            b'0'..=b'9' => '0',
            b'a'..=b'z' | b'A'..=b'Z' => 'a',
            b'-' if index > 0 && text[index - 1] == b' ' => '+',
            byte if byte.is_ascii() => char::from(*byte),
            _ => '?',
        };
        if !(matches!(sign, '0' | 'a' | ' ') && form.ends_with(sign)) {
            form.push(sign);
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::year::YearRule;
    use crate::time::zone::Zone;

    fn advise(format: TimeFormat, zone: &str, text: &str) -> String {
        let rules = TimeRules { format, zone: Zone::parse(zone).expect(zone), year: YearRule::Written };
        advice(text.as_bytes(), &rules).unwrap_or_default()
    }

    #[test]
    fn patterns_are_named_that_read_the_text() {
        for (text, expected) in [
            ("17/May/2015:10:05:03 +0000", "--time-format '%d/%b/%Y:%H:%M:%S %z' reads it"),
            ("17/May/2015:10:05:03 -0700", "--time-format '%d/%b/%Y:%H:%M:%S %z' reads it"),
            ("Sun Dec  4 04:47:44 2005", "--time-format '%a %b %e %H:%M:%S %Y' reads it"),
            ("Sun Dec 04 04:47:44 2005", "--time-format '%a %b %e %H:%M:%S %Y' reads it"),
            ("Sun, 04 Dec 2005 04:47:44 GMT", "--time-format '%a, %d %b %Y %H:%M:%S GMT' reads it"),
            ("Mar 27 13:06:56", "--time-format '%b %e %H:%M:%S' reads it"),
            ("27.03.2026 13:00:01", "--time-format '%d.%m.%Y %H:%M:%S' reads it"),
            (" 03/27/2026 1:00 ", "--time-format '%m/%d/%Y %H:%M' reads it"),
            ("03/04/2026", "--time-format '%m/%d/%Y' or '%d/%m/%Y' reads it"),
            ("3/4/2026 1:02:03 PM", "--time-format '%m/%d/%Y %I:%M:%S %p' or '%d/%m/%Y %I:%M:%S %p' reads it"),
            ("081109 203615", "--time-format '%y%m%d %H%M%S' reads it"),
            ("20171223-22:15:29:606", "--time-format '%Y%m%d-%H:%M:%S:%3f' reads it"),
            ("20260101T120000Z", "--time-format '%Y%m%dT%H%M%SZ' reads it"),
            ("20260101120000", "--time-format '%Y%m%d%H%M%S' reads it"),
            ("2026-01-01 12:00:00 UTC", "--time-format '%Y-%m-%d %H:%M:%S UTC' reads it"),
            ("2026-1-1 9:05:00", "--time-format '%Y-%m-%d %H:%M:%S' reads it"),
            ("13:00:01", "a time of day, without its date"),
            // Nothing that would read them is known.
            ("31/Feb/2015:10:05:03 +0000", ""),
            ("99.99.2026", ""),
            ("yesterday", ""),
            ("", ""),
            ("ünlängst", ""),
        ] {
            assert_eq!(advise(TimeFormat::Auto, "UTC", text), expected, "{text}");
        }
        assert_eq!(advise(TimeFormat::Auto, "Europe/Berlin", "2026-01-01 12:00:00 UTC"), "");
        assert_eq!(advise(TimeFormat::Units(super::super::SECOND), "UTC", "2026-01-01"), "--time-format auto reads it");
        assert_eq!(advise(TimeFormat::Rfc3339, "UTC", "2026-01-01 12:00"), "--time-format auto reads it");
        assert_eq!(advise(TimeFormat::Rfc3339, "UTC", "noon"), "");
    }

    #[test]
    fn every_form_has_a_pattern_that_reads_what_it_writes() {
        for (known, patterns) in FORMS {
            for pattern in *patterns {
                let moment = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
                let moment = moment + jiff::SignedDuration::from_millis(1_123);
                let written = jiff::fmt::strtime::format(pattern, &moment).expect(pattern);
                assert_eq!(form(written.as_bytes()), *known, "{pattern} writes {written}");
                assert!(reads(pattern, written.as_bytes()), "{pattern}");
            }
        }
    }
}
