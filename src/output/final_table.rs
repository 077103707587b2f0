//! The table that rows make in the end, and what a file says it should be (`--expect`).

use super::RowShape;
use super::row::{Row, json_of};
use crate::engine::pane::{Pane, Timing};
use crate::event::number::Number;
use crate::expr::{Lookup, Value, compare_numbers, digits, seconds, written};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

/// A value as it is compared.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Bool(bool),
    Number(Number),
    /// A text, or a list as compact JSON.
    Text(String),
}

/// How far numbers may be apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Tolerance {
    /// Not at all.
    #[default]
    Exact,
    /// By so much.
    Absolute(f64),
    /// By this share of the larger one.
    Relative(f64),
    /// Numbers that are not exact, by this share of the larger one, or of 1 if that is more; exact ones not at all.
    OfFloats(f64),
}

impl FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Tolerance, String> {
        let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        let tolerance = match text.strip_suffix('%') {
            Some(share) => number(share).map(|share| Tolerance::Relative(share / 100.0)),
            None => number(text).map(Tolerance::Absolute),
        };
        tolerance.ok_or_else(|| format!("\"{text}\" is neither a distance, such as 0.001, nor a share, such as 0.1%"))
    }
}

impl Tolerance {
    fn allows(self, a: &Number, b: &Number) -> bool {
        let distance = || (a.to_f64() - b.to_f64()).abs();
        let larger = || a.to_f64().abs().max(b.to_f64().abs());
        compare_numbers(a, b).is_eq()
            || match self {
                Tolerance::Exact => false,
                Tolerance::Absolute(most) => distance() <= most,
                Tolerance::Relative(share) => distance() <= share * larger(),
                Tolerance::OfFloats(_) if a.exact().is_some() && b.exact().is_some() => false,
                Tolerance::OfFloats(share) => distance() <= share * larger().max(1.0),
            }
    }
}

impl Cell {
    fn of(value: Value<'_>) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Bool(value),
            Value::Number(number) => Cell::Number(number),
            Value::Text(text) => Cell::Text(text.into_owned()),
            Value::Cell("") => Cell::Null,
            Value::Cell(text) => Cell::Text(text.to_owned()),
            Value::Time(time) => Cell::Text(written(time)),
            Value::Duration(span) => Cell::Number(seconds(span)),
            list @ (Value::List(_) | Value::Object(_)) => {
                let mut json = Vec::new();
                json_of(&mut json, &in_order(list));
                Cell::Text(String::from_utf8_lossy(&json).into_owned())
            }
        }
    }

    fn is(&self, other: &Cell, tolerance: Tolerance) -> bool {
        let number = |cell: &Cell| match cell {
            Cell::Number(number) => Some(number.clone()),
            Cell::Text(text) => Number::parse(text.as_bytes()),
            _ => None,
        };
        match (self, other) {
            (Cell::Number(_), _) | (_, Cell::Number(_)) => match (number(self), number(other)) {
                (Some(a), Some(b)) => tolerance.allows(&a, &b),
                _ => false,
            },
            (a, b) => a.to_string() == b.to_string(),
        }
    }
}

/// With the members of objects in the order of their names, as they have none of their own.
fn in_order(value: Value<'_>) -> Value<'_> {
    match value {
        Value::List(values) => Value::List(values.into_iter().map(in_order).collect()),
        Value::Object(mut members) => {
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(name, value)| (name, in_order(value))).collect())
        }
        value => value,
    }
}

/// As in a cell of CSV, where types do not show.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => Ok(()),
            Cell::Bool(value) => write!(f, "{value}"),
            Cell::Number(number) => f.write_str(&digits(number)),
            Cell::Text(text) => f.write_str(text),
        }
    }
}

/// What a row is known by, in the order in which tables are written: end, start, key, window, number.
type Identity = (Timestamp, Timestamp, Box<[u8]>, usize, Option<u64>);

/// The rows that hold, each with its newest revision.
#[derive(Debug)]
pub struct FinalTable {
    shape: RowShape,
    /// The columns that are compared, and whether each tells which row it is.
    slots: Vec<(usize, bool)>,
    rows: BTreeMap<Identity, Vec<Cell>>,
}

/// A table read from a file: names, and rows by name.
#[derive(Debug, Default)]
pub struct Expected {
    names: Vec<String>,
    rows: Vec<HashMap<String, Cell>>,
}

/// A row's revision, whether it takes back another, and the row.
type Revised<'a> = (f64, bool, &'a HashMap<String, Cell>);

/// Differences that are told.
const MOST_TOLD: usize = 20;

impl FinalTable {
    /// No rows of a shape yet.
    pub fn new(shape: RowShape) -> FinalTable {
        let slots = shape.table_slots();
        FinalTable { shape, slots, rows: BTreeMap::new() }
    }

    /// The same without the columns that depend on the order of arrival.
    pub fn of_any_order(shape: RowShape) -> FinalTable {
        let mut table = FinalTable::new(shape);
        let FinalTable { shape, slots, .. } = &mut table;
        slots.retain(|(slot, _)| !shape.heeds_arrival(*slot));
        table
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Takes the next row that is printed.
    pub fn take(&mut self, pane: &Pane<'_>) {
        let identity =
            |start, end| (end, start, Box::from(pane.key), pane.spec, pane.events.and_then(|events| events.seq));
        for window in pane.replaces {
            self.rows.remove(&identity(window.start, window.end));
        }
        let identity = match pane.events {
            None => identity(pane.window.start, pane.window.end),
            Some(_) => identity(Timestamp::MIN, Timestamp::MIN),
        };
        if pane.timing == Timing::Retract {
            self.rows.remove(&identity);
            return;
        }
        let row = Row { shape: &self.shape, pane };
        let cell = |(slot, _): &(usize, bool)| Cell::of(row.value(*slot).unwrap_or(Value::Null));
        let cells = self.slots.iter().map(cell).collect();
        self.rows.insert(identity, cells);
    }

    /// What differs from another table of the same columns, as [`FinalTable::differences`] says it.
    pub fn differences_from(&self, other: &FinalTable, tolerance: Tolerance) -> (Vec<String>, usize) {
        let (mut told, mut count) = (Vec::new(), 0);
        let mut tell = |text: &dyn Fn() -> String| {
            count += 1;
            if told.len() < MOST_TOLD {
                told.push(text());
            }
        };
        let missing = other.rows.iter().filter(|(identity, _)| !self.rows.contains_key(*identity));
        for (identity, cells) in &self.rows {
            let Some(theirs) = other.rows.get(identity) else {
                tell(&|| format!("{}: not expected", self.shown(cells)));
                continue;
            };
            for (place, (own, their)) in cells.iter().zip(theirs).enumerate() {
                if !own.is(their, tolerance) {
                    tell(&|| format!("{}: {}", self.shown(cells), self.unequal(place, own, their)));
                }
            }
        }
        for (_, cells) in missing {
            tell(&|| format!("{}: missing", self.shown(cells)));
        }
        (told, count)
    }

    /// What a row is known by.
    fn shown(&self, cells: &[Cell]) -> String {
        let names = self.shape.names();
        let keys = self.slots.iter().zip(cells).filter(|((_, tells), _)| *tells);
        let keys: Vec<_> = keys.map(|((slot, _), cell)| (names[*slot], cell.to_string())).collect();
        shown(keys.iter().map(|(name, text)| (*name, text)))
    }

    /// `count is 3 and not 4`
    fn unequal(&self, place: usize, own: &Cell, their: &Cell) -> String {
        let [is, not] = [own, their].map(|cell| match cell.to_string() {
            empty if empty.is_empty() => "null".to_owned(),
            text => text,
        });
        format!("{} is {is} and not {not}", self.shape.names()[self.slots[place].0])
    }

    /// What differs from a table, for people; the first so many differences, and how many there are.
    pub fn differences(&self, expected: &Expected, tolerance: Tolerance) -> (Vec<String>, usize) {
        let names = self.shape.names();
        if expected.names.is_empty() && !self.rows.is_empty() {
            let rows = crate::error::counted(self.rows.len() as u64, "row");
            return (vec![format!("it is empty, and there are {rows} (--update-expect writes them)")], 1);
        }
        let mut told = Vec::new();
        let ours: Vec<&str> = self.slots.iter().map(|(slot, _)| names[*slot]).collect();
        let of_panes = ["pane", "revision", "replaces"];
        for (place, name) in ours.iter().enumerate() {
            // In NDJSON what is null in all rows may be left out.
            let is_null = || self.rows.values().all(|cells| matches!(cells[place], Cell::Null));
            if !expected.names.iter().any(|known| known == name) && !is_null() {
                told.push(format!("it has no column {name}"));
            }
        }
        for name in &expected.names {
            if !ours.contains(&name.as_str()) && !of_panes.contains(&name.as_str()) {
                told.push(format!("rows have no column {name}"));
            }
        }
        let is_common = |place: &usize| expected.names.iter().any(|known| known == ours[*place]);
        let common: Vec<usize> = (0..ours.len()).filter(is_common).collect();
        let (keys, values): (Vec<usize>, Vec<usize>) = common.into_iter().partition(|place| self.slots[*place].1);
        let mut wanted = expected.latest(&keys.iter().map(|place| ours[*place]).collect::<Vec<_>>());
        for cells in self.rows.values() {
            let text = |place: &usize| cells[*place].to_string();
            let identity: Vec<String> = keys.iter().map(text).collect();
            let shown = self.shown(cells);
            match wanted.remove(&identity) {
                None => told.push(format!("{shown}: not expected")),
                Some(row) => {
                    for place in &values {
                        let theirs = row.get(ours[*place]).unwrap_or(&Cell::Null);
                        if !cells[*place].is(theirs, tolerance) {
                            told.push(format!("{shown}: {}", self.unequal(*place, &cells[*place], theirs)));
                        }
                    }
                }
            }
        }
        let mut missing: Vec<_> = wanted.into_keys().collect();
        missing.sort();
        for identity in missing {
            told.push(format!("{}: missing", shown(keys.iter().map(|place| ours[*place]).zip(&identity))));
        }
        let count = told.len();
        told.truncate(MOST_TOLD);
        (told, count)
    }

    /// The table as a file of a format.
    pub fn write(&self, format: TableFormat) -> Result<Vec<u8>, String> {
        let names = self.shape.names();
        let names: Vec<&str> = self.slots.iter().map(|(slot, _)| names[*slot]).collect();
        let mut out = Vec::new();
        match format {
            TableFormat::Ndjson => {
                for cells in self.rows.values() {
                    for (index, (name, cell)) in names.iter().zip(cells).enumerate() {
                        out.push(if index == 0 { b'{' } else { b',' });
                        super::text::json_string(&mut out, name);
                        out.push(b':');
                        json_cell(&mut out, cell);
                    }
                    out.extend_from_slice(b"}\n");
                }
            }
            TableFormat::Delimited(delimiter) => {
                let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(&mut out);
                let failed = |error: csv::Error| error.to_string();
                writer.write_record(&names).map_err(failed)?;
                for cells in self.rows.values() {
                    writer.write_record(cells.iter().map(Cell::to_string)).map_err(failed)?;
                }
                writer.flush().map_err(|error| error.to_string())?;
            }
        }
        Ok(out)
    }
}

fn json_cell(out: &mut Vec<u8>, cell: &Cell) {
    match cell {
        Cell::Text(text)
            if text.starts_with(['[', '{']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() =>
        {
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Text(text) => super::text::json_string(out, text),
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => json_of(out, &Value::Bool(*value)),
        Cell::Number(number) => json_of(out, &Value::Number(number.clone())),
    }
}

/// `window_start=..., k=a`
fn shown<'a>(identity: impl Iterator<Item = (&'a str, &'a String)>) -> String {
    let parts: Vec<_> =
        identity.filter(|(name, _)| *name != "window_end").map(|(name, text)| format!("{name}={text}")).collect();
    if parts.is_empty() { "the row".into() } else { parts.join(" ") }
}

/// How a table is written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// A JSON object a line.
    Ndjson,
    /// With a header, between these.
    Delimited(u8),
}

impl TableFormat {
    /// That of a file's name.
    pub fn of(path: &std::path::Path) -> TableFormat {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => TableFormat::Delimited(b','),
            Some("tsv") => TableFormat::Delimited(b'\t'),
            _ => TableFormat::Ndjson,
        }
    }
}

impl Expected {
    /// Reads a table.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(bytes: &[u8], format: TableFormat) -> Result<Expected, String> {
        match format {
            TableFormat::Ndjson => Expected::of_json(bytes),
            TableFormat::Delimited(delimiter) => Expected::of_csv(bytes, delimiter),
        }
    }

    fn of_json(bytes: &[u8]) -> Result<Expected, String> {
        let mut expected = Expected::default();
        for (index, line) in
            bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
        {
            let Some(Value::Object(members)) = Value::of_json(line.trim_ascii()) else {
                return Err(format!("line {} is no JSON object", index + 1));
            };
            let mut row = HashMap::new();
            for (name, value) in members {
                if !expected.names.contains(&name) {
                    expected.names.push(name.clone());
                }
                row.insert(name, Cell::of(value));
            }
            expected.rows.push(row);
        }
        Ok(expected)
    }

    fn of_csv(bytes: &[u8], delimiter: u8) -> Result<Expected, String> {
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(bytes);
        let failed = |error: csv::Error| error.to_string();
        let names: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let cell = |text: &str| match Value::of_json(text.as_bytes()) {
                Some(list @ (Value::List(_) | Value::Object(_))) => Cell::of(list),
                _ => Cell::of(Value::Cell(text)),
            };
            rows.push(names.iter().cloned().zip(record.iter().map(cell)).collect());
        }
        Ok(Expected { names, rows })
    }

    /// The rows that hold, by what they are known by: those of the highest revision, if the file has several.
    fn latest(&self, keys: &[&str]) -> HashMap<Vec<String>, &HashMap<String, Cell>> {
        let mut latest: HashMap<Vec<String>, Revised<'_>> = HashMap::new();
        let text = |row: &HashMap<String, Cell>, name: &str| row.get(name).map_or_else(String::new, Cell::to_string);
        for row in &self.rows {
            let identity: Vec<String> = keys.iter().map(|key| text(row, key)).collect();
            let replaced: Vec<[String; 2]> = serde_json::from_str(&text(row, "replaces")).unwrap_or_default();
            for [start, end] in &replaced {
                let bounds = |(key, text): (&&str, &String)| match *key {
                    "window_start" => start.clone(),
                    "window_end" => end.clone(),
                    _ => text.clone(),
                };
                latest.remove(&keys.iter().zip(&identity).map(bounds).collect::<Vec<_>>());
            }
            let revision = text(row, "revision").parse().unwrap_or(0.0);
            if latest.get(&identity).is_none_or(|(known, ..)| *known <= revision) {
                latest.insert(identity, (revision, text(row, "pane") == "retract", row));
            }
        }
        latest
            .into_iter()
            .filter(|(_, (_, is_gone, _))| !is_gone)
            .map(|(identity, (.., row))| (identity, row))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_number_where_they_are_numbers() {
        let number = |text: &str| Cell::Number(Number::parse(text.as_bytes()).expect(text));
        let text = |text: &str| Cell::Text(text.to_owned());
        for (a, b, tolerance, is_same) in [
            (number("1.50"), text("1.5"), "0", true),
            (number("1"), number("1.001"), "0", false),
            (number("1"), number("1.001"), "0.001", true),
            (number("1000"), number("1001"), "0.1%", true),
            (number("1000"), number("1002"), "0.1%", false),
            (text("1.50"), text("1.5"), "1", false),
            (text("a"), text("a"), "0", true),
            (number("1"), text("a"), "1", false),
            (Cell::Null, text(""), "0", true),
            (Cell::Null, number("0"), "1", false),
            (Cell::Bool(true), text("true"), "0", true),
        ] {
            let tolerance: Tolerance = tolerance.parse().expect(tolerance);
            assert_eq!(a.is(&b, tolerance), is_same, "{a:?} {b:?} {tolerance:?}");
            assert_eq!(b.is(&a, tolerance), is_same, "{b:?} {a:?} {tolerance:?}");
        }
        for wrong in ["-1", "x", "5%%", "NaN", "inf"] {
            assert!(wrong.parse::<Tolerance>().is_err(), "{wrong}");
        }
    }
}
