//! Times that are written without a year, as in syslog: `Mar 27 13:06:56`.
//!
//! Either the newest year is taken in which the moment is not in the future; then a record is read
//! by itself. Or the year of the first record is told, and each later record is taken in the year
//! that brings it nearest to the record before it; then records have to be placed in their order,
//! after they were decoded side by side ([`Years`]).

use super::civil::{civil_from_days, days_from_civil, days_in_month};
use super::parse::{BadTime, Moment, TimeRules};
use super::{DAY, Timestamp};

/// Where the year of a time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearRule {
    /// It is written.
    Written,
    /// It is the newest in which the time is at most a day after this moment. (Clocks differ, and so do zones.)
    NewestBefore(Timestamp),
    /// The first record is of this year (`--year`).
    First(i64),
}

/// A date and time of day without a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Yearless {
    pub month: u32,
    pub day: u32,
    /// Nanoseconds since midnight.
    pub of_day: i64,
}

/// A leap year, to keep yearless times in until they are placed: 1972 has all days there are.
const KEPT_IN: i64 = 1972;
/// 29 February comes again after at most eight years.
const LEAP_YEARS_APART: i64 = 8;

impl Yearless {
    /// The moment in a year.
    fn in_year(self, year: i64, rules: &TimeRules) -> Result<Moment, BadTime> {
        if self.day > days_in_month(year, self.month) {
            return Err(BadTime::NoSuchDay);
        }
        rules.zone.moment(self.wall_clock(year))
    }

    /// Nanoseconds on the local clock since 1970; 29 February is 1 March where there is none.
    fn wall_clock(self, year: i64) -> i128 {
        i128::from(days_from_civil(year, self.month, self.day)) * i128::from(DAY) + i128::from(self.of_day)
    }

    /// The moment by a rule; for [`YearRule::First`] one that is still to be placed.
    pub fn moment(self, rules: &TimeRules) -> Result<Moment, BadTime> {
        match rules.year {
            YearRule::Written => Err(BadTime::Unreadable),
            YearRule::NewestBefore(now) => self.newest(now, rules),
            YearRule::First(_) => super::parse::moment(self.wall_clock(KEPT_IN)),
        }
    }

    fn newest(self, now: Timestamp, rules: &TimeRules) -> Result<Moment, BadTime> {
        let latest = i128::from(now.0) + i128::from(DAY);
        let (this_year, ..) = civil_from_days(now.0.div_euclid(DAY));
        let has_day = |year: &i64| self.day <= days_in_month(*year, self.month);
        for year in (this_year - LEAP_YEARS_APART..=this_year + 1).rev().filter(has_day) {
            match self.in_year(year, rules) {
                Ok(moment) if i128::from(moment.time.0) > latest => {}
                Err(BadTime::Skipped) if self.wall_clock(year) > latest => {}
                other => return other,
            }
        }
        Err(BadTime::OutOfRange)
    }
}

/// Gives yearless times their years, in the order of the records.
#[derive(Clone, Debug)]
pub struct Years {
    rules: TimeRules,
    /// The year of the first record, until there is one.
    first: i64,
    /// The wall clock of the record before.
    last: Option<i128>,
}

impl Years {
    /// What is needed for these rules: `None` unless records have to be placed.
    pub fn new(rules: &TimeRules) -> Option<Years> {
        match rules.year {
            YearRule::First(first) => Some(Years { rules: rules.clone(), first, last: None }),
            YearRule::Written | YearRule::NewestBefore(_) => None,
        }
    }

    /// The local time of the record before; `None` before the first.
    pub fn last(&self) -> Option<i128> {
        self.last
    }

    /// Goes on after a record of this local time; before the first if there is none.
    pub fn resume(&mut self, last: Option<i128>) {
        self.last = last;
    }

    /// The local time of a moment, as it would be kept for the next record.
    pub fn local(&self, time: Timestamp) -> i128 {
        i128::from(time.0) + i128::from(self.rules.zone.offset_at(time))
    }

    /// Places a time as it was kept.
    ///
    /// # Errors
    /// [`BadTime`] if there is no such moment in its year.
    pub fn place(&mut self, kept: Timestamp) -> Result<Moment, BadTime> {
        let (_, month, day) = civil_from_days(kept.0.div_euclid(DAY));
        let time = Yearless { month, day, of_day: kept.0.rem_euclid(DAY) };
        let year = match self.last {
            None => self.first,
            Some(last) => {
                // Years of time fit an i64.
                let (year, ..) = civil_from_days(last.div_euclid(i128::from(DAY)) as i64);
                let near = [year, year - 1, year + 1].into_iter();
                near.min_by_key(|year| (time.wall_clock(*year) - last).abs()).unwrap_or(year)
            }
        };
        let moment = time.in_year(year, &self.rules);
        if moment.is_ok() {
            self.last = Some(time.wall_clock(year));
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format::TimeStyle;
    use crate::time::parse::TimeFormat;
    use crate::time::zone::Zone;

    fn rules(year: YearRule, zone: &str) -> TimeRules {
        TimeRules { format: TimeFormat::Auto, zone: Zone::parse(zone).expect(zone), year }
    }

    fn yearless(month: u32, day: u32, hour: i64) -> Yearless {
        Yearless { month, day, of_day: hour * DAY / 24 }
    }

    fn shown(moment: Result<Moment, BadTime>) -> Result<String, BadTime> {
        let mut out = Vec::new();
        TimeStyle::Rfc3339(Zone::utc()).write(&mut out, moment?.time);
        Ok(String::from_utf8(out).expect("ASCII")[..13].to_owned())
    }

    #[test]
    fn t1_the_newest_year_that_is_not_in_the_future() {
        // 2026-11-21T12:00:00Z
        let now = Timestamp(days_from_civil(2026, 11, 21) * DAY + DAY / 2);
        for (zone, time, expected) in [
            ("UTC", yearless(3, 27, 13), Ok("2026-03-27T13")),
            ("UTC", yearless(11, 22, 11), Ok("2026-11-22T11")),
            ("UTC", yearless(11, 22, 13), Ok("2025-11-22T13")),
            ("UTC", yearless(12, 31, 23), Ok("2025-12-31T23")),
            ("UTC", yearless(2, 29, 1), Ok("2024-02-29T01")),
            ("America/New_York", yearless(3, 8, 2), Err(BadTime::Skipped)),
            ("America/New_York", yearless(3, 9, 2), Ok("2026-03-09T06")),
        ] {
            let moment = time.moment(&rules(YearRule::NewestBefore(now), zone));
            assert_eq!(shown(moment), expected.map(str::to_owned), "{time:?} {zone}");
        }
        let new_year = Timestamp(days_from_civil(2026, 12, 31) * DAY + DAY / 2);
        let moment = yearless(1, 1, 3).moment(&rules(YearRule::NewestBefore(new_year), "UTC"));
        assert_eq!(shown(moment), Ok("2027-01-01T03".to_owned()), "a clock ahead of ours");
    }

    #[test]
    fn t1_each_record_is_placed_near_the_one_before_it() {
        let rules = rules(YearRule::First(2023), "UTC");
        let mut years = Years::new(&rules).expect("to be placed");
        for (time, expected) in [
            (yearless(12, 31, 23), Ok("2023-12-31T23")),
            (yearless(1, 1, 0), Ok("2024-01-01T00")),
            (yearless(12, 31, 22), Ok("2023-12-31T22")),
            (yearless(2, 29, 0), Ok("2024-02-29T00")),
            (yearless(8, 1, 0), Ok("2024-08-01T00")),
            (yearless(12, 31, 0), Ok("2024-12-31T00")),
            (yearless(2, 28, 0), Ok("2025-02-28T00")),
            (yearless(2, 29, 0), Err(BadTime::NoSuchDay)),
            (yearless(3, 1, 0), Ok("2025-03-01T00")),
        ] {
            let kept = time.moment(&rules).expect("kept").time;
            assert_eq!(shown(years.place(kept)), expected.map(str::to_owned), "{time:?}");
        }
    }
}
