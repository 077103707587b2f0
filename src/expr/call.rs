//! Functions.

use super::arithmetic::finite;
use super::value::{Type, Value, compare_numbers, digits};
use crate::event::number::Number;
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
            Plain::Int => whole(&to_number(value)?, f64::trunc, |_| 0)?,
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
            Plain::Greatest => extreme(values, std::cmp::Ordering::Greater)?,
            Plain::Least => extreme(values, std::cmp::Ordering::Less)?,
        })
    }
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
