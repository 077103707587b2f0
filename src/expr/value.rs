//! Values of expressions: what they are, and how they compare.

use super::moment;
use crate::event::number::{Number, write_exact};
use crate::time::{Span, Timestamp};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Nothing: missing, null, an empty cell.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// A cell of a format without types: a number where one is needed (N3), else a text. Never empty.
    Cell(&'a str),
    /// A moment.
    Time(Timestamp),
    /// A length of time.
    Duration(Span),
    /// Several values.
    List(Vec<Value<'a>>),
    /// Values by name.
    Object(Vec<(String, Value<'a>)>),
}

/// What kind of value something is, as far as that is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known.
    Any,
    /// Null.
    Null,
    /// True or false.
    Bool,
    /// A number, or null.
    Number,
    /// A text, or null.
    Text,
    /// A list, or null.
    List,
    /// A moment, or null.
    Time,
    /// A length of time, or null.
    Duration,
    /// Values by name, or null.
    Object,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "a value",
            Type::Null => "null",
            Type::Bool => "true or false",
            Type::Number => "a number",
            Type::Text => "a text",
            Type::List => "a list",
            Type::Time => "a time",
            Type::Duration => "a duration",
            Type::Object => "an object",
        })
    }
}

/// Most characters of a text that a message shows.
const MOST_SHOWN: usize = 40;

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => write!(f, "the number {}", digits(number)),
            Value::Text(text) => write_text(f, text),
            Value::Cell(text) => write_text(f, text),
            Value::Time(time) => write!(f, "the time {}", moment::written(*time)),
            Value::Duration(span) => write!(f, "the duration {}", moment::written_duration(*span)),
            Value::List(_) => f.write_str("a list"),
            Value::Object(_) => f.write_str("an object"),
        }
    }
}

/// The digits of a number.
pub fn digits(number: &Number) -> String {
    let mut digits = Vec::new();
    match number.exact() {
        Some((mantissa, scale)) => write_exact(&mut digits, mantissa, scale, false),
        None => return number.to_f64().to_string(),
    }
    String::from_utf8_lossy(&digits).into_owned()
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => write!(f, "the text \"{}...\"", &text[..end]),
        None => write!(f, "the text \"{text}\""),
    }
}

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }

    /// A whole number.
    pub fn count(count: u64) -> Value<'a> {
        Value::Number(Number::of_exact(count.into(), 0, false))
    }

    /// The value of a JSON text; `None` if it is none. (Numbers inside of lists and objects are exact to 17 digits.)
    pub fn of_json(json: &[u8]) -> Option<Value<'static>> {
        match json.first()? {
            b'-' | b'0'..=b'9' => Number::parse(json).map(Value::Number),
            _ => serde_json::from_slice(json).ok().map(Value::of_serde),
        }
    }

    fn of_serde(value: serde_json::Value) -> Value<'static> {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => {
                Number::parse(number.to_string().as_bytes()).map_or(Value::Null, Value::Number)
            }
            serde_json::Value::String(text) => Value::Text(Cow::Owned(text)),
            serde_json::Value::Array(values) => Value::List(values.into_iter().map(Value::of_serde).collect()),
            serde_json::Value::Object(members) => {
                Value::Object(members.into_iter().map(|(name, value)| (name, Value::of_serde(value))).collect())
            }
        }
    }

    /// The text, if it is one.
    #[inline]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Cell(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one, or a cell that is one where one is needed.
    #[inline]
    pub fn as_number(&self) -> Option<Cow<'_, Number>> {
        match self {
            Value::Number(number) => Some(Cow::Borrowed(number)),
            Value::Cell(text) => Number::parse(text.as_bytes()).map(Cow::Owned),
            _ => None,
        }
    }

    /// As a condition: null says no.
    ///
    /// # Errors
    /// It is none.
    #[inline]
    pub fn truth(&self) -> Result<bool, String> {
        match self {
            Value::Bool(value) => Ok(*value),
            Value::Null => Ok(false),
            Value::Cell("true") => Ok(true),
            Value::Cell("false") => Ok(false),
            other => Err(format!("{other} is neither true nor false")),
        }
    }

    /// How it compares with another; not at all if either is null.
    ///
    /// # Errors
    /// They are of types that do not compare.
    pub fn compare(&self, other: &Value<'_>) -> Result<Option<Ordering>, String> {
        let unequal = || match (self, other) {
            (Value::List(_), Value::List(_)) | (Value::Object(_), Value::Object(_)) => {
                "lists and objects have no order, and can only be equal or not".to_owned()
            }
            _ => format!("{self} and {other} are of unequal types and cannot be compared{}", self.hint(other)),
        };
        Ok(Some(match (self, other) {
            (Value::Null, _) | (_, Value::Null) => return Ok(None),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Bool(a), Value::Cell(_)) => a.cmp(&other.truth().map_err(|_| unequal())?),
            (Value::Cell(_), Value::Bool(b)) => self.truth().map_err(|_| unequal())?.cmp(b),
            (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
            (Value::Cell(a), Value::Cell(b)) => match (self.as_number(), other.as_number()) {
                (Some(a), Some(b)) => compare_numbers(&a, &b),
                _ => a.cmp(b),
            },
            (Value::Cell(_), Value::Number(_)) | (Value::Number(_), Value::Cell(_)) => {
                match (self.as_number(), other.as_number()) {
                    (Some(a), Some(b)) => compare_numbers(&a, &b),
                    _ => return Err(unequal()),
                }
            }
            _ => match (self.as_text(), other.as_text()) {
                (Some(a), Some(b)) => a.cmp(b),
                _ => return Err(unequal()),
            },
        }))
    }

    /// Whether it equals another; not known if either is null. Inside of lists and objects null equals null.
    ///
    /// # Errors
    /// They are of types that do not compare.
    pub fn equals(&self, other: &Value<'_>) -> Result<Option<bool>, String> {
        let inside = |a: &Value<'_>, b: &Value<'_>| match (a, b) {
            (Value::Null, Value::Null) => Ok(true),
            (a, b) => a.equals(b).map(|equal| equal.unwrap_or(false)),
        };
        Ok(Some(match (self, other) {
            (Value::List(a), Value::List(b)) => {
                let mut is_equal = a.len() == b.len();
                for (a, b) in a.iter().zip(b) {
                    is_equal = is_equal && inside(a, b)?;
                }
                is_equal
            }
            (Value::Object(a), Value::Object(b)) => {
                let mut is_equal = a.len() == b.len();
                for (name, value) in a {
                    let theirs = b.iter().find(|(other, _)| other == name);
                    is_equal = is_equal && theirs.map_or(Ok(false), |(_, theirs)| inside(value, theirs))?;
                }
                is_equal
            }
            (a, b) => return Ok(a.compare(b)?.map(Ordering::is_eq)),
        }))
    }

    /// What helps where a text that looks like a number, or a text, is compared with a number or a time.
    fn hint(&self, other: &Value<'_>) -> &'static str {
        let is_digits =
            |value: &Value<'_>| matches!(value, Value::Text(text) if Number::parse(text.as_bytes()).is_some());
        match (self, other) {
            (Value::Number(_), text) | (text, Value::Number(_)) if is_digits(text) => {
                " (double(...) makes a number of a text)"
            }
            (Value::Time(_), Value::Text(_) | Value::Cell(_) | Value::Number(_))
            | (Value::Text(_) | Value::Cell(_) | Value::Number(_), Value::Time(_)) => {
                " (timestamp(...) makes a time of it)"
            }
            (Value::Duration(_), Value::Text(_) | Value::Cell(_))
            | (Value::Text(_) | Value::Cell(_), Value::Duration(_)) => " (duration(...) makes a duration of a text)",
            _ => "",
        }
    }
}

/// By value; an exact number and one that is not are compared as `f64`.
#[inline]
pub fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (a, b) {
        (Number::Float(_), _) | (_, Number::Float(_)) => a.to_f64().total_cmp(&b.to_f64()),
        _ => a.compare(b),
    }
}
