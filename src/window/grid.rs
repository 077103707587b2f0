//! The lines that window bounds lie on: multiples of a unit from an origin (T6).

use super::local::LocalGrid;
use crate::time::civil::{civil_from_days, days_from_civil};
use crate::time::{DAY, Span, Timestamp};

/// What windows are measured in. Sizes and slides are whole numbers of its units.
#[derive(Clone, Debug)]
pub enum Grid {
    /// Nanoseconds from the epoch plus this offset.
    Nanos(Span),
    /// Calendar months in UTC from January 1970, each beginning this much after midnight of its first day.
    Months(Span),
    /// Nanoseconds or months by the clock of a time zone.
    Local(LocalGrid),
}

impl Grid {
    /// The unit that holds `time`: floor division, also before 1970.
    #[inline]
    pub fn unit(&self, time: Timestamp) -> i128 {
        match self {
            Grid::Local(grid) => grid.unit(time),
            Grid::Nanos(offset) => i128::from(time.0) - i128::from(offset.0),
            Grid::Months(offset) => {
                let local = i128::from(time.0) - i128::from(offset.0);
                let days = local.div_euclid(i128::from(DAY));
                // An i64 of nanoseconds is about 107,000 days.
                let (year, month, _) = civil_from_days(days as i64);
                i128::from((year - 1970) * 12 + i64::from(month) - 1)
            }
        }
    }

    /// Where a unit begins; `None` beyond the range of time.
    #[inline]
    pub fn start(&self, unit: i128) -> Option<Timestamp> {
        let nanos = match self {
            Grid::Local(grid) => return grid.start(unit),
            Grid::Nanos(offset) => unit + i128::from(offset.0),
            Grid::Months(offset) => {
                // Within ±10,000 years; time itself reaches less than 300.
                let unit = i64::try_from(unit).ok().filter(|unit| unit.abs() < 120_000)?;
                let day = days_from_civil(1970 + unit.div_euclid(12), unit.rem_euclid(12) as u32 + 1, 1);
                i128::from(day) * i128::from(DAY) + i128::from(offset.0)
            }
        };
        i64::try_from(nanos).ok().map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t6_a_unit_holds_its_start_and_not_its_end() {
        for grid in [
            Grid::Nanos(Span(0)),
            Grid::Nanos(Span(-7)),
            Grid::Months(Span(0)),
            Grid::Months(Span(6 * 3600 * 1_000_000_000)),
        ] {
            for unit in [-3_000, -13, -12, -1, 0, 1, 11, 12, 600, 3_000] {
                let start = grid.start(unit).expect("in range");
                let next = grid.start(unit + 1).expect("in range");
                assert_eq!(grid.unit(start), unit, "{grid:?}");
                assert_eq!(grid.unit(Timestamp(next.0 - 1)), unit, "{grid:?}");
                assert_eq!(grid.unit(next), unit + 1, "{grid:?}");
            }
        }
    }

    #[test]
    fn t1_bounds_beyond_the_range_of_time_are_none() {
        assert_eq!(Grid::Nanos(Span(1)).start(i128::from(i64::MAX)), None);
        assert_eq!(Grid::Months(Span(0)).start((2262 - 1970) * 12 + 4), None);
        assert!(Grid::Months(Span(0)).start((2262 - 1970) * 12 + 3).is_some());
    }
}
