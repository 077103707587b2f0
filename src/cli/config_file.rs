//! A file of flags (`--config`): TOML whose names are those of flags. Which flags there are is not known here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A line of the file.
pub struct Entry {
    /// The name, as written.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// What it is set to.
    pub value: Value,
}

/// What a name is set to.
pub enum Value {
    /// A text or a number, as written.
    Text(String),
    /// Several of them.
    List(Vec<String>),
    /// `true` or `false`.
    Switch(bool),
}

/// A file is longer than this by mistake only.
const MOST_BYTES: u64 = 1 << 20;

/// Reads a file; its entries are in the order of lines.
///
/// # Errors
/// For people: the file, the line, and what is wrong there.
pub fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let name = path.display();
    let text = read_text(path).map_err(|error| {
        let error = error.to_string();
        format!("--config {name}: {}", error.split(" (os error").next().unwrap_or(&error))
    })?;
    parse(&text).map_err(|(line, message)| format!("line {line} of {name}: {message}"))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("is longer than 1 MiB, and so no file of flags"));
    }
    Ok(text)
}

/// Which line, and what is wrong there.
type Refusal = (usize, String);

fn parse(text: &str) -> Result<Vec<Entry>, Refusal> {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (line(at), format!("not TOML: {}", error.message()))
    })?;
    let mut entries = table.into_inner().into_iter().collect::<Vec<_>>();
    entries.sort_by_key(|(name, _)| name.span().start);
    let entry = |(name, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let line = line(name.span().start);
        let name = String::from(name.into_inner());
        match read_value(value.into_inner()) {
            Some(value) => Ok(Entry { name, line, value }),
            None => Err((line, format!("{name} must be a text, a number, a list of them, true or false"))),
        }
    };
    entries.into_iter().map(entry).collect()
}

fn read_value(value: DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::Boolean(value) => Value::Switch(value),
        DeValue::Array(values) => {
            Value::List(values.into_iter().map(|value| scalar(value.into_inner())).collect::<Option<_>>()?)
        }
        value => Value::Text(scalar(value)?),
    })
}

fn scalar(value: DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
