//! The values of the reference model: exact decimals, aggregates computed from all events, and how both and times are
//! written. Numbers have at most nine digits behind the point here; the generator keeps to that.

use std::cmp::Ordering;

use super::{Aggregate, DAY, Event, Field, Nanos, SECOND};

/// The value of one aggregate over the events of a window, each with its arrival number, as JSON.
pub fn aggregate_over(aggregate: &Aggregate, events: &[(u64, Event)]) -> String {
    let Some(field) = &aggregate.field else {
        return events.len().to_string();
    };
    let mut present: Vec<(Nanos, u64, &Field)> = events
        .iter()
        .map(|(arrival, event)| (event.time, *arrival, event.field(field)))
        .filter(|(_, _, value)| !matches!(value, Field::Null))
        .collect();
    present.sort_by_key(|&(time, arrival, _)| (time, arrival));
    let numbers = || present.iter().map(|(_, _, value)| number(value)).collect::<Vec<Decimal>>();
    let any_pointed = || numbers().iter().any(|number| number.pointed);
    let value = match aggregate.function.as_str() {
        "count" => return present.len().to_string(),
        "first" => present.first().map(|(_, _, value)| as_read(value)),
        "last" => present.last().map(|(_, _, value)| as_read(value)),
        "min" => extent(&numbers(), Ordering::Less).map(|least| least.print()),
        "max" => extent(&numbers(), Ordering::Greater).map(|greatest| greatest.print()),
        "range" => extent(&numbers(), Ordering::Greater).map(|greatest| {
            let least = extent(&numbers(), Ordering::Less).expect("what has a greatest has a least");
            Decimal { mantissa: greatest.mantissa - least.mantissa, pointed: any_pointed() }.print()
        }),
        "sum" if present.is_empty() => None,
        "sum" => {
            let mantissa = numbers().iter().map(|number| number.mantissa).sum();
            Some(Decimal { mantissa, pointed: any_pointed() }.print())
        }
        "avg" if present.is_empty() => None,
        "avg" => Some(ratio(numbers().iter().map(|number| number.mantissa).sum(), present.len())),
        other => panic!("the model does not know the aggregate {other:?}"),
    };
    value.unwrap_or_else(|| "null".to_string())
}

/// The least or the greatest of some numbers; written without a point if any equal one was (N1).
fn extent(numbers: &[Decimal], wanted: Ordering) -> Option<Decimal> {
    let mut best: Option<Decimal> = None;
    for number in numbers {
        best = Some(match best {
            Some(best) if number.mantissa == best.mantissa => {
                Decimal { mantissa: best.mantissa, pointed: best.pointed && number.pointed }
            }
            Some(best) if number.mantissa.cmp(&best.mantissa) != wanted => best,
            _ => *number,
        });
    }
    best
}

/// An exact sum over a count, rounded once: a whole result by its conversion; any other by the division of two
/// whole numbers below 2^53, which are exact as floats.
fn ratio(mantissa: i128, count: usize) -> String {
    let (mut numerator, mut denominator) = (mantissa, Decimal::ONE * count as i128);
    while numerator % 10 == 0 && denominator % 10 == 0 && numerator != 0 {
        numerator /= 10;
        denominator /= 10;
    }
    let small = numerator.abs() < 1 << 53 && denominator < 1 << 53;
    assert!(small || numerator % denominator == 0, "the model divides small numbers only");
    let value = match numerator % denominator {
        0 => (numerator / denominator) as f64,
        _ => numerator as f64 / denominator as f64,
    };
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

fn number(field: &Field) -> Decimal {
    match field {
        Field::Number(text) | Field::Text(text) | Field::Cell(text) => {
            Decimal::parse(text.trim_matches([' ', '\t'])).expect("the generator wrote a number")
        }
        other => panic!("{other:?} is no number"),
    }
}

/// N3: a value that is not computed with is printed as it was read.
fn as_read(field: &Field) -> String {
    match field {
        Field::Null => "null".to_string(),
        Field::Bool(value) => value.to_string(),
        Field::Number(literal) => literal.clone(),
        Field::Text(text) => json_string(text),
        Field::Cell(text) if is_json_number(text) => text.clone(),
        Field::Cell(text) => json_string(text),
    }
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && serde_json::from_str::<f64>(text).is_ok()
}

/// An exact number with at most nine digits behind the point.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// In units of 1e-9.
    pub mantissa: i128,
    /// Whether it was written with a point or an exponent.
    pub pointed: bool,
}

impl Decimal {
    const PLACES: usize = 9;
    pub const ONE: i128 = 1_000_000_000;

    /// `12`, `-0.50`, `+4.`, `.5`, `007`, `2e3`, `25E-1`.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, unsigned) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, digits.strip_prefix('+').unwrap_or(digits)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let written: i128 = format!("{whole}{fraction}").parse().ok()?;
        let power = Decimal::PLACES as i32 + exponent - fraction.len() as i32;
        let factor = 10i128.pow(power.unsigned_abs());
        let mantissa = if power >= 0 { written.checked_mul(factor)? } else { written / factor };
        assert!(power >= 0 || written % factor == 0, "{text:?} has too many digits for the model");
        Some(Decimal { mantissa: if negative { -mantissa } else { mantissa }, pointed: text.contains(['.', 'e', 'E']) })
    }

    pub fn print(&self) -> String {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        let (whole, fraction) = (digits / Decimal::ONE as u128, digits % Decimal::ONE as u128);
        let fraction = format!("{fraction:0places$}", places = Decimal::PLACES);
        match fraction.trim_end_matches('0') {
            "" if self.pointed => format!("{sign}{whole}.0"),
            "" => format!("{sign}{whole}"),
            fraction => format!("{sign}{whole}.{fraction}"),
        }
    }
}

// --- text ----------------------------------------------------------------------------------------------------

pub fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// UTC, counted out year by year and month by month.
pub fn rfc3339(time: Nanos) -> String {
    let (mut days, in_day) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let is_leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += if is_leap(year) { 366 } else { 365 };
    }
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    for length in [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (second, nanos) = (in_day / SECOND, in_day % SECOND);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match nanos {
        0 => String::new(),
        _ if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        _ if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        _ => format!(".{nanos:09}"),
    };
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", days + 1)
}
