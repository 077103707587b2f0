//! Grids that follow the clock of a time zone (T6).
//!
//! Boundaries are moments at which the local clock shows a multiple of the slide (or the first of a
//! month), plus the offset. Between two changes of the clocks that is UTC shifted by a constant; this
//! module joins those stretches so that positions never go back:
//!
//! - a boundary that the clocks skipped falls on the change;
//! - a boundary that they showed twice counts once, at its first occurrence, so that a local day has 25
//!   hours; but if the change is at least as long as the slide, whole slides were repeated, and each
//!   repetition is a window of its own: a repeated hour gives two `1h` windows.

use crate::time::civil::{civil_from_days, days_from_civil};
use crate::time::zone::Zone;
use crate::time::{DAY, Span, Timestamp};
use std::sync::Arc;

/// A grid on a local clock. Its units are nanoseconds or months.
#[derive(Clone, Debug)]
pub struct LocalGrid {
    marks: Marks,
    stretches: Arc<[Stretch]>,
}

/// What boundaries are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Of this many nanoseconds, the slide of the windows.
    Nanos(i64),
    /// Of months.
    Months,
}

/// A time between two changes of the clocks.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Timestamp,
    /// What the clock shows more than UTC, less the windows' offset.
    plain: i128,
    /// Slides that were repeated before (or skipped, if negative), in nanoseconds.
    counted_on: i128,
    /// The unit that was reached before: readings that are put back behind it stay in it.
    floor: i128,
}

impl LocalGrid {
    /// The grid of a zone whose marks lie `offset` after those of the local clock.
    pub fn new(zone: &Zone, marks: Marks, offset: Span) -> LocalGrid {
        let mut stretches: Vec<Stretch> = Vec::with_capacity(zone.periods().len());
        for period in zone.periods() {
            let plain = i128::from(period.offset) - i128::from(offset.0);
            let stretch = match stretches.last() {
                None => Stretch { from: period.from, plain, counted_on: 0, floor: i128::MIN },
                Some(last) => last.followed_by(period.from, plain, marks),
            };
            stretches.push(stretch);
        }
        LocalGrid { marks, stretches: stretches.into() }
    }

    /// The unit that holds `time`.
    pub fn unit(&self, time: Timestamp) -> i128 {
        let index = self.stretches.partition_point(|stretch| stretch.from <= time) - 1;
        self.stretches[index].unit(time, self.marks)
    }

    /// Where a unit begins: the first moment in it or, if it has none, after it. `None` beyond the range of time.
    pub fn start(&self, unit: i128) -> Option<Timestamp> {
        let last_of = |index: usize| match self.stretches.get(index + 1) {
            Some(next) => self.stretches[index].unit(Timestamp(next.from.0 - 1), self.marks),
            None => i128::MAX,
        };
        // Units never go back, so the stretch can be searched for.
        let (mut low, mut high) = (0, self.stretches.len() - 1);
        while low < high {
            let middle = (low + high) / 2;
            if last_of(middle) >= unit { high = middle } else { low = middle + 1 }
        }
        let stretch = self.stretches[low];
        let start = self.marks.reading(unit)? - stretch.shift();
        if low > 0 && start < i128::from(stretch.from.0) {
            return Some(stretch.from);
        }
        i64::try_from(start).ok().map(Timestamp)
    }
}

impl Stretch {
    fn unit(&self, time: Timestamp, marks: Marks) -> i128 {
        marks.unit(i128::from(time.0) + self.shift()).max(self.floor)
    }

    /// What is added to a moment to give its reading.
    fn shift(&self) -> i128 {
        self.plain + self.counted_on
    }

    /// The stretch that follows at `from`, where the clock's own reading is `plain` ahead.
    fn followed_by(&self, from: Timestamp, plain: i128, marks: Marks) -> Stretch {
        let floor = self.unit(Timestamp(from.0 - 1), marks);
        let counted_on = match marks {
            Marks::Nanos(slide) if (plain - self.plain).abs() >= i128::from(slide) => {
                // The change repeats or skips whole slides: go on counting from the one before it.
                let slide = i128::from(slide);
                let reading = i128::from(from.0) + plain;
                let begins_one = plain > self.plain || reading.rem_euclid(slide) == 0;
                let slides = floor.div_euclid(slide) + i128::from(begins_one) - reading.div_euclid(slide);
                slides * slide
            }
            _ => self.counted_on,
        };
        Stretch { from, plain, counted_on, floor }
    }
}

impl Marks {
    /// The unit of a reading of the clock.
    fn unit(self, reading: i128) -> i128 {
        match self {
            Marks::Nanos(_) => reading,
            Marks::Months => {
                // Time has some 200,000 days.
                let (year, month, _) = civil_from_days(reading.div_euclid(DAY.into()) as i64);
                i128::from((year - 1970) * 12 + i64::from(month) - 1)
            }
        }
    }

    /// The first reading of a unit; `None` far beyond the range of time.
    fn reading(self, unit: i128) -> Option<i128> {
        match self {
            Marks::Nanos(_) => Some(unit),
            Marks::Months => {
                // Within ±10,000 years; time itself reaches less than 300.
                let unit = i64::try_from(unit).ok().filter(|unit| unit.abs() < 120_000)?;
                let day = days_from_civil(1970 + unit.div_euclid(12), unit.rem_euclid(12) as u32 + 1, 1);
                Some(i128::from(day) * i128::from(DAY))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;
    use crate::time::format::TimeStyle;

    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;

    fn shown(zone: &Zone, time: Timestamp) -> String {
        let mut out = Vec::new();
        TimeStyle::Rfc3339(zone.clone()).write(&mut out, time);
        String::from_utf8(out).expect("ASCII")
    }

    /// The boundaries after local midnight of a day, as the clock shows them.
    fn boundaries(zone: &str, marks: Marks, offset: i64, (year, month, day): (i64, u32, u32), count: usize) -> String {
        let zone = Zone::parse(zone).expect(zone);
        let step = if let Marks::Nanos(slide) = marks { i128::from(slide) } else { 1 };
        let grid = LocalGrid::new(&zone, marks, Span(offset));
        let midnight = zone.moment(i128::from(days_from_civil(year, month, day)) * i128::from(DAY)).expect("there");
        let first = grid.unit(midnight.time).div_euclid(step);
        let starts = (first..).map(|turn| grid.start(turn * step).expect("in range"));
        let starts: Vec<_> = starts.skip_while(|start| *start < midnight.time).take(count).collect();
        starts.iter().map(|start| shown(&zone, *start)[8..].replace(":00", "") + " ").collect()
    }

    #[test]
    fn t6_boundaries_around_the_changes_of_the_clocks() {
        let every = |minutes: i64| Marks::Nanos(minutes * MINUTE);
        for (zone, marks, offset, day, expected) in [
            ("America/New_York", every(60), 0, (2026, 3, 8), "08T00-05 08T01-05 08T03-04 08T04-04 "),
            ("America/New_York", every(60), 0, (2026, 11, 1), "01T00-04 01T01-04 01T01-05 01T02-05 "),
            ("America/New_York", every(30), 0, (2026, 11, 1), "01T00-04 01T00:30-04 01T01-04 01T01:30-04 01T01-05 "),
            ("America/New_York", every(120), 0, (2026, 3, 8), "08T00-05 08T03-04 08T04-04 08T06-04 "),
            ("America/New_York", every(120), 0, (2026, 11, 1), "01T00-04 01T02-05 01T04-05 "),
            ("America/New_York", every(60), 15 * MINUTE, (2026, 3, 8), "08T00:15-05 08T01:15-05 08T03-04 08T03:15-04 "),
            (
                "America/New_York",
                every(60),
                15 * MINUTE,
                (2026, 11, 1),
                "01T00:15-04 01T01:15-04 01T01:15-05 01T02:15-05 ",
            ),
            ("America/New_York", every(1440), 0, (2026, 3, 7), "07T00-05 08T00-05 09T00-04 "),
            ("America/New_York", every(1440), 6 * HOUR, (2026, 10, 31), "31T06-04 01T06-05 02T06-05 "),
            ("America/New_York", Marks::Months, 0, (2026, 3, 1), "01T00-05 01T00-04 01T00-04 "),
            // A change of thirty minutes: the hour before it is an hour and a half, or half an hour.
            ("Australia/Lord_Howe", every(60), 0, (2026, 4, 5), "05T00+11 05T01+11 05T02+10:30 05T03+10:30 "),
            ("Australia/Lord_Howe", every(60), 0, (2026, 10, 4), "04T00+10:30 04T01+10:30 04T02:30+11 04T03+11 "),
            (
                "Australia/Lord_Howe",
                every(30),
                0,
                (2026, 4, 5),
                "05T00+11 05T00:30+11 05T01+11 05T01:30+11 05T01:30+10:30 ",
            ),
            // A day that begins at one o'clock; and a midnight that comes twice begins one day, but two hours.
            ("Africa/Cairo", every(1440), 0, (2026, 4, 23), "23T00+02 24T01+03 25T00+03 "),
            ("Africa/Cairo", every(60), 0, (2026, 4, 23), "23T00+02 23T01+02 "),
            ("America/Havana", every(1440), 0, (2026, 11, 1), "01T00-04 02T00-05 "),
            ("America/Havana", every(60), 0, (2026, 11, 1), "01T00-04 01T00-05 01T01-05 "),
            ("America/Havana", every(360), 0, (2026, 11, 1), "01T00-04 01T06-05 "),
            // A day that was left out.
            ("Pacific/Apia", every(1440), 0, (2011, 12, 29), "29T00-10 31T00+14 01T00+14 "),
        ] {
            let got = boundaries(zone, marks, offset, day, expected.split_whitespace().count());
            assert_eq!(got, expected, "{zone} {marks:?}");
        }
    }

    #[test]
    fn t6_a_unit_holds_its_start_and_units_never_go_back() {
        for name in ["America/New_York", "Australia/Lord_Howe", "America/Havana", "America/St_Johns", "Pacific/Apia"] {
            let zone = Zone::parse(name).expect(name);
            for marks in [
                Marks::Nanos(30 * MINUTE),
                Marks::Nanos(HOUR),
                Marks::Nanos(6 * HOUR),
                Marks::Nanos(DAY),
                Marks::Months,
            ] {
                let grid = LocalGrid::new(&zone, marks, Span(0));
                // The first month and the last of all time begin and end outside it.
                for period in zone.periods()[1..].iter().filter(|period| period.from.0.abs() < i64::MAX - 400 * DAY) {
                    let mut last = i128::MIN;
                    for step in -100..100 {
                        let time = Timestamp(period.from.0 + step * 15 * MINUTE);
                        let unit = grid.unit(time);
                        assert!(unit >= last, "{name} {marks:?} {}", shown(&zone, time));
                        last = unit;
                        let start = grid.start(unit).expect("in range");
                        assert!(start <= time && grid.unit(start) == unit, "{name} {marks:?} {}", shown(&zone, time));
                        let next = grid.start(unit + 1).expect("in range");
                        assert!(next > time || marks != Marks::Months, "{name} {}", shown(&zone, time));
                    }
                }
            }
        }
    }
}
