//! Functions.

use super::arithmetic::finite;
use super::moment::{self, LocalClock, Part, Times};
use super::value::{Type, Value, compare_numbers, digits};
use crate::event::number::Number;
use crate::time::SECOND;
use memchr::memmem::Finder;
use regex::Regex;
use std::borrow::Cow;

/// A function, with what of its arguments is known beforehand.
#[derive(Clone, Debug)]
pub enum Function {
    /// Of one or more values.
    Plain(Plain),
    /// A test of a text.
    Test(TextTest),
    /// `timestamp(...)`.
    Time(Box<Times>),
    /// `getHours()` and its like, by a clock.
    Part(Part, LocalClock),
}

/// What a text is tested for.
#[derive(Clone, Debug)]
pub enum TextTest {
    /// `startsWith` with a text that stands in the expression.
    StartsWith(String),
    /// `endsWith`, the same.
    EndsWith(String),
    /// `contains`, the same.
    Contains(Box<Finder<'static>>),
    /// `matches`.
    Matches(Regex),
}

impl TextTest {
    /// Whether a text passes.
    #[inline]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::StartsWith(start) => text.as_bytes().starts_with(start.as_bytes()),
            TextTest::EndsWith(end) => text.as_bytes().ends_with(end.as_bytes()),
            TextTest::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            TextTest::Matches(expression) => expression.is_match(text),
        }
    }

    /// The test of this name for a text; `None` if there is none.
    ///
    /// # Errors
    /// A regular expression that is none.
    pub fn named(name: &str, argument: &str) -> Option<Result<TextTest, String>> {
        Some(Ok(match name {
            "startsWith" => TextTest::StartsWith(argument.to_owned()),
            "endsWith" => TextTest::EndsWith(argument.to_owned()),
            "contains" => TextTest::Contains(Box::new(Finder::new(argument.as_bytes()).into_owned())),
            "matches" => match Regex::new(argument) {
                Ok(expression) => TextTest::Matches(expression),
                Err(error) => {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    return Some(Err(format!("\"{argument}\" is no regular expression: {why}")));
                }
            },
            _ => return None,
        }))
    }
}

/// Functions whose arguments may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    StartsWith,
    EndsWith,
    Contains,
    Size,
    Double,
    Int,
    Text,
    Bool,
    Lower,
    Upper,
    Trim,
    Abs,
    Floor,
    Ceil,
    Round,
    Greatest,
    Least,
    Uint,
    Duration,
    Truncate,
    Sign,
    Root,
    IndexOf,
    LastIndexOf,
    CharAt,
    Substring,
    Replace,
    Split,
    Join,
}

/// A function's name, whether it stands behind its first argument (`text.size()`) and may stand before all
/// (`size(text)`), how many arguments it has at least and at most, and what it yields.
pub struct Listed {
    /// As it is written.
    pub name: &'static str,
    /// What it is.
    pub function: Plain,
    /// `value.name(...)`.
    pub is_method: bool,
    /// `name(...)`.
    pub is_free: bool,
    /// The fewest arguments, the value before the point included.
    pub least: usize,
    /// The most.
    pub most: usize,
    /// What it yields.
    pub kind: Type,
}

const fn method(name: &'static str, function: Plain, arguments: usize, kind: Type) -> Listed {
    Listed { name, function, is_method: true, is_free: false, least: arguments, most: arguments, kind }
}

const fn free(name: &'static str, function: Plain, kind: Type) -> Listed {
    Listed { name, function, is_method: false, is_free: true, least: 1, most: 1, kind }
}

/// All of them; `matches` stands beside, as it needs its argument beforehand.
pub const FUNCTIONS: &[Listed] = &[
    method("startsWith", Plain::StartsWith, 2, Type::Bool),
    method("endsWith", Plain::EndsWith, 2, Type::Bool),
    method("contains", Plain::Contains, 2, Type::Bool),
    Listed { is_free: true, ..method("size", Plain::Size, 1, Type::Number) },
    method("lowerAscii", Plain::Lower, 1, Type::Text),
    method("upperAscii", Plain::Upper, 1, Type::Text),
    method("trim", Plain::Trim, 1, Type::Text),
    free("double", Plain::Double, Type::Number),
    free("int", Plain::Int, Type::Number),
    free("string", Plain::Text, Type::Text),
    free("bool", Plain::Bool, Type::Bool),
    free("math.abs", Plain::Abs, Type::Number),
    free("math.floor", Plain::Floor, Type::Number),
    free("math.ceil", Plain::Ceil, Type::Number),
    free("math.round", Plain::Round, Type::Number),
    Listed { most: usize::MAX, ..free("math.greatest", Plain::Greatest, Type::Number) },
    Listed { most: usize::MAX, ..free("math.least", Plain::Least, Type::Number) },
    free("uint", Plain::Uint, Type::Number),
    free("duration", Plain::Duration, Type::Duration),
    free("math.trunc", Plain::Truncate, Type::Number),
    free("math.sign", Plain::Sign, Type::Number),
    free("math.sqrt", Plain::Root, Type::Number),
    Listed { most: 3, ..method("indexOf", Plain::IndexOf, 2, Type::Number) },
    Listed { most: 3, ..method("lastIndexOf", Plain::LastIndexOf, 2, Type::Number) },
    method("charAt", Plain::CharAt, 2, Type::Text),
    Listed { most: 3, ..method("substring", Plain::Substring, 2, Type::Text) },
    method("replace", Plain::Replace, 3, Type::Text),
    method("split", Plain::Split, 2, Type::List),
    Listed { most: 2, ..method("join", Plain::Join, 1, Type::Text) },
];

/// Functions that are known beside those, as they need an argument beforehand or are none.
pub const OTHERS: [&str; 4] = ["matches", "has", "timestamp", "dyn"];

/// What CEL has, or an extension of it that is widely known, and is left out here.
pub const LEFT_OUT: &[&str] = &[
    "type",
    "bytes",
    "format",
    "quote",
    "reverse",
    "optMap",
    "optFlatMap",
    "orValue",
    "hasValue",
    "value",
    "slice",
    "flatten",
    "distinct",
    "sort",
    "sortBy",
    "first",
    "last",
    "range",
    "lists.range",
    "cel.bind",
    "cel.block",
    "optional.of",
    "optional.none",
    "optional.ofNonZeroValue",
    "strings.quote",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "base64.encode",
    "base64.decode",
    "regex.replace",
    "regex.extract",
    "regex.extractAll",
    "math.isNaN",
    "math.isInf",
    "math.isFinite",
    "math.bitAnd",
    "math.bitOr",
    "math.bitXor",
    "math.bitNot",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "transformList",
    "transformMap",
    "transformMapEntry",
];

impl Function {
    /// What it says of values. Of null, tests say no and everything else null.
    ///
    /// # Errors
    /// Why it says nothing.
    pub fn call<'a>(&self, values: &[Value<'a>]) -> Result<Value<'a>, String> {
        match self {
            Function::Test(test) => match &values[0] {
                Value::Null => Ok(Value::Bool(false)),
                value => value.as_text().map(|text| Value::Bool(test.holds(text))).ok_or_else(|| no_text(value)),
            },
            Function::Plain(function) => function.call(values),
            Function::Time(_) | Function::Part(..) if matches!(values[0], Value::Null) => Ok(Value::Null),
            Function::Time(times) => times.read(&values[0]).map(Value::Time),
            Function::Part(part, clock) => part.of(&values[0], clock).map(whole_number),
        }
    }
}

impl Plain {
    fn call<'a>(self, values: &[Value<'a>]) -> Result<Value<'a>, String> {
        if values.iter().any(|value| matches!(value, Value::Null)) {
            let is_test = matches!(self, Plain::StartsWith | Plain::EndsWith | Plain::Contains);
            return Ok(if is_test { Value::Bool(false) } else { Value::Null });
        }
        let value = &values[0];
        let text = |value: &Value<'a>| value.as_text().map(str::to_owned).ok_or_else(|| no_text(value));
        Ok(match self {
            Plain::StartsWith => Value::Bool(text(value)?.starts_with(&text(&values[1])?)),
            Plain::EndsWith => Value::Bool(text(value)?.ends_with(&text(&values[1])?)),
            Plain::Contains => Value::Bool(text(value)?.contains(&text(&values[1])?)),
            Plain::Size => size(value)?,
            Plain::Lower => Value::Text(Cow::Owned(text(value)?.to_ascii_lowercase())),
            Plain::Upper => Value::Text(Cow::Owned(text(value)?.to_ascii_uppercase())),
            Plain::Trim => Value::Text(Cow::Owned(text(value)?.trim().to_owned())),
            Plain::Double => Value::Number(to_number(value)?),
            Plain::Int => match value {
                // Towards the past, as windows are cut.
                Value::Time(time) => whole_number(time.0.div_euclid(SECOND)),
                value => whole(&to_number(value)?, f64::trunc, |_| 0)?,
            },
            Plain::Text => to_text(value)?,
            Plain::Bool => Value::Bool(match value {
                Value::Text(text) if text == "true" => true,
                Value::Text(text) if text == "false" => false,
                other => other.truth()?,
            }),
            Plain::Abs => {
                let number = number(value)?;
                let is_negative = number.to_f64() < 0.0;
                Value::Number(if is_negative { super::arithmetic::negated(&number) } else { number })
            }
            Plain::Floor => whole(&number(value)?, f64::floor, |rest| -i128::from(rest < 0))?,
            Plain::Ceil => whole(&number(value)?, f64::ceil, |rest| i128::from(rest > 0))?,
            Plain::Round => round(&number(value)?)?,
            Plain::Uint => match to_number(value)? {
                number if number.to_f64() < 0.0 => return Err(format!("{value} is below 0")),
                number => whole(&number, f64::trunc, |_| 0)?,
            },
            Plain::Duration => Value::Duration(moment::duration(value)?),
            Plain::Truncate => whole(&number(value)?, f64::trunc, |_| 0)?,
            Plain::Sign => whole_number(match number(value)?.to_f64() {
                below if below < 0.0 => -1,
                above if above > 0.0 => 1,
                _ => 0,
            }),
            Plain::Root => match number(value)?.to_f64() {
                below if below < 0.0 => return Err(format!("{value} has no square root")),
                float => Value::Number(finite(float.sqrt())?),
            },
            Plain::IndexOf | Plain::LastIndexOf => {
                let found = place_of(&text(value)?, &text(&values[1])?, values.get(2), self == Plain::LastIndexOf)?;
                whole_number(found)
            }
            Plain::CharAt => {
                let (text, place) = (text(value)?, place(&values[1])?);
                let length = text.chars().count();
                if place > length {
                    return Err(format!("{place} is beyond a text of {length}"));
                }
                Value::Text(Cow::Owned(text.chars().nth(place).map(String::from).unwrap_or_default()))
            }
            Plain::Substring => {
                let text = text(value)?;
                let length = text.chars().count();
                let (from, to) = (place(&values[1])?, values.get(2).map_or(Ok(length), place)?);
                if from > to || to > length {
                    return Err(format!("from {from} to {to} is no part of a text of {length}"));
                }
                Value::Text(Cow::Owned(text.chars().skip(from).take(to - from).collect()))
            }
            Plain::Replace => replaced(&text(value)?, &text(&values[1])?, &text(&values[2])?)?,
            Plain::Split => {
                let (text, at) = (text(value)?, text(&values[1])?);
                let part = |part: &str| Value::Text(Cow::Owned(part.to_owned()));
                match at.is_empty() {
                    true => Value::List(text.chars().map(|c| part(c.encode_utf8(&mut [0; 4]))).collect()),
                    false => Value::List(text.split(&at).map(part).collect()),
                }
            }
            Plain::Join => {
                let Value::List(items) = value else { return Err(format!("{value} is no list")) };
                let with = values.get(1).map_or(Ok(String::new()), text)?;
                let items = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                Value::Text(Cow::Owned(items.join(&with)))
            }
            Plain::Greatest => extreme(values, std::cmp::Ordering::Greater)?,
            Plain::Least => extreme(values, std::cmp::Ordering::Less)?,
        })
    }
}

fn whole_number<'a>(number: i64) -> Value<'a> {
    Value::Number(Number::of_exact(number.into(), 0, false))
}

/// A place in a text, in characters.
fn place(value: &Value<'_>) -> Result<usize, String> {
    let whole = number(value)?.exact().filter(|(_, scale)| *scale == 0);
    whole.and_then(|(place, _)| usize::try_from(place).ok()).ok_or_else(|| format!("{value} is no place in a text"))
}

/// Where a part of a text begins, in characters; -1 if it has none such. Looked for from a place on, or the last up to it.
fn place_of(text: &str, part: &str, from: Option<&Value<'_>>, is_last: bool) -> Result<i64, String> {
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
    let found = match (from.map(place).transpose()?, is_last) {
        (from, false) => {
            let from = byte(from.unwrap_or(0));
            text[from..].find(part).map(|at| from + at)
        }
        (None, true) => text.rfind(part),
        (Some(last), true) => {
            let end = (byte(last) + part.len()).min(text.len());
            // A part ends where a character does.
            let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
            text[..end].rfind(part).filter(|at| *at <= byte(last))
        }
    };
    Ok(found.map_or(-1, |at| text[..at].chars().count() as i64))
}

/// A text with all parts that are equal to one replaced, if that is not by far longer.
fn replaced<'a>(text: &str, part: &str, by: &str) -> Result<Value<'a>, String> {
    const LONGEST: usize = 1 << 20;
    let parts = if part.is_empty() { text.chars().count() + 1 } else { text.matches(part).count() };
    if text.len().saturating_add(parts.saturating_mul(by.len())) > LONGEST {
        return Err("a text of more than 1 MiB would come of it".into());
    }
    Ok(Value::Text(Cow::Owned(text.replace(part, by))))
}

fn no_text(value: &Value<'_>) -> String {
    format!("{value} is no text")
}

/// Characters of a text, members of a list.
fn size<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::Cell(text) => text.chars().count(),
        Value::List(values) => values.len(),
        Value::Object(members) => members.len(),
        other => return Err(format!("{other} has no size")),
    };
    Ok(Value::count(size as u64))
}

/// A number where one is needed.
pub fn number(value: &Value<'_>) -> Result<Number, String> {
    value.as_number().map(Cow::into_owned).ok_or_else(|| format!("{value} is no number"))
}

/// A number of whatever can be made one.
fn to_number(value: &Value<'_>) -> Result<Number, String> {
    match value {
        Value::Text(text) => Number::parse(text.as_bytes()).ok_or_else(|| format!("{value} is no number")),
        value => number(value),
    }
}

fn to_text<'a>(value: &Value<'a>) -> Result<Value<'a>, String> {
    Ok(Value::Text(match value {
        Value::Text(text) => text.clone(),
        Value::Cell(text) => Cow::Borrowed(*text),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Number(number) => Cow::Owned(digits(number)),
        Value::Time(time) => Cow::Owned(moment::written(*time)),
        Value::Duration(span) => Cow::Owned(moment::written_duration(*span)),
        other => return Err(format!("{other} cannot be made a text")),
    }))
}

/// A whole number near another; `correct` says what is added to the part before the point, by the rest behind it.
fn whole<'a>(number: &Number, float: fn(f64) -> f64, correct: fn(i128) -> i128) -> Result<Value<'a>, String> {
    Ok(Value::Number(match number.exact() {
        Some((mantissa, scale)) => {
            let unit = crate::event::number::pow10(scale);
            Number::of_exact(mantissa / unit + correct(mantissa % unit), 0, false)
        }
        None => finite(float(number.to_f64()))?,
    }))
}

/// The nearest whole number; halves go away from zero.
fn round<'a>(number: &Number) -> Result<Value<'a>, String> {
    Ok(Value::Number(match number.exact() {
        Some((mantissa, scale)) => {
            let unit = crate::event::number::pow10(scale);
            let (whole, rest) = (mantissa / unit, mantissa % unit);
            Number::of_exact(if rest.abs() >= unit - rest.abs() { whole + rest.signum() } else { whole }, 0, false)
        }
        None => finite(number.to_f64().round())?,
    }))
}

fn extreme<'a>(values: &[Value<'a>], wanted: std::cmp::Ordering) -> Result<Value<'a>, String> {
    let mut best = number(&values[0])?;
    for value in &values[1..] {
        let number = number(value)?;
        if compare_numbers(&number, &best) == wanted {
            best = number;
        }
    }
    Ok(Value::Number(best))
}
