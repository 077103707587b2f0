//! Rows as metrics: Prometheus' text format, version 0.0.4. Not a stream but a picture: the newest row of each key and
//! window asked for, all of them at once.

use super::text::number;
use super::{Encoder, RowShape};
use crate::aggregate::{Raw, Value};
use crate::codec::{Damaged, Reader};
use crate::engine::pane::{Pane, Timing};
use crate::event::key::{KeyPart, parts};
use crate::event::number::Number;
use crate::time::format::TimeStyle;
use crate::time::{SECOND, Span, Timestamp};
use crate::window::Window;
use std::collections::{BTreeMap, HashSet};
use std::io::Write;

/// A key that has had no row for so long is forgotten: from the end of its newest window to the newest end of all
/// that were printed of the same `-w`.
const KEPT: Span = Span(86_400 * SECOND);

/// What every metric's name begins with.
const PREFIX: &str = "streamw_";

/// The metric besides the aggregates.
const WINDOW_END: &str = "streamw_window_end_seconds";

/// Keeps the newest rows and writes them all.
pub struct Prometheus {
    shape: RowShape,
    /// Per window asked for.
    pub(super) pictures: Vec<Picture>,
    /// Per aggregate column, whether it had values that are no numbers, and whether that has been said.
    refused: Vec<Refused>,
    /// Labels that more than one key has, until they are said.
    clash: Option<String>,
    has_told_clash: bool,
    pub(super) has_news: bool,
}

/// The newest rows of one window asked for.
#[derive(Default)]
pub(super) struct Picture {
    pub(super) rows: BTreeMap<Box<[u8]>, Row>,
    pub(super) newest_end: Option<Timestamp>,
    /// How many rows there may be before those that are too old are looked for.
    enough: usize,
}

pub(super) struct Row {
    pub(super) window: Window,
    /// The numbers, each ended by a newline; an empty line where there is none.
    pub(super) numbers: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    No,
    Unsaid,
    Said,
}

impl Prometheus {
    /// No rows yet.
    pub fn new(shape: RowShape) -> Prometheus {
        Prometheus {
            pictures: (0..shape.windows.len().max(1)).map(|_| Picture::default()).collect(),
            refused: vec![Refused::No; shape.plan.columns.len()],
            clash: None,
            has_told_clash: false,
            has_news: false,
            shape,
        }
    }

    /// How many numbers each row has.
    pub(super) fn columns(&self) -> usize {
        self.shape.plan.columns.len()
    }

    /// The labels of each row that is shown, and the row. Labels have no types, so that two keys may have the same;
    /// then the first is shown.
    fn series(&mut self) -> Vec<(Vec<u8>, &Row)> {
        let (mut series, mut seen) = (Vec::new(), HashSet::new());
        for (spec, picture) in self.pictures.iter_mut().enumerate() {
            picture.forget();
            for (key, row) in &picture.rows {
                let labels = labels(&self.shape, spec, key);
                if seen.insert(labels.clone()) {
                    series.push((labels, row));
                } else {
                    self.clash.get_or_insert_with(|| String::from_utf8_lossy(&labels).into_owned());
                }
            }
        }
        series
    }
}

impl Encoder for Prometheus {
    fn header(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, pane: &Pane<'_>, _out: &mut Vec<u8>) {
        let Some(picture) = self.pictures.get_mut(pane.spec) else { return };
        let age = |window: &Window| (window.end, window.start);
        // A correction of an older window is older than the row that is shown; windows without bounds are never corrected.
        let is_older = |row: &Row| pane.events.is_none() && age(&row.window) > age(&pane.window);
        // What is taken back is followed by what it is now.
        if pane.timing == Timing::Retract || picture.rows.get(pane.key).is_some_and(is_older) {
            return;
        }
        let mut numbers = Vec::new();
        for (column, refused) in self.shape.plan.columns.iter().zip(&mut self.refused) {
            if !write_number(&self.shape.value(column, pane), &mut numbers) && *refused == Refused::No {
                *refused = Refused::Unsaid;
            }
            numbers.push(b'\n');
        }
        self.has_news = true;
        picture.put(pane.key, Row { window: pane.window, numbers: numbers.into() });
    }

    fn picture(&mut self, out: &mut Vec<u8>) {
        self.has_news = false;
        let names: Vec<String> = self.shape.plan.columns.iter().map(|column| column.name.clone()).collect();
        let series = self.series();
        // A metric's samples stand together.
        let mut columns: Vec<Vec<u8>> = vec![Vec::new(); names.len()];
        let mut ends = Vec::new();
        for (labels, row) in series {
            let numbers = row.numbers.split(|byte| *byte == b'\n');
            for ((column, name), number) in columns.iter_mut().zip(&names).zip(numbers) {
                if !number.is_empty() {
                    sample(column, &metric(name), &labels, |out| out.extend_from_slice(number));
                }
            }
            sample(&mut ends, WINDOW_END, &labels, |out| TimeStyle::Units(SECOND).write(out, row.window.end));
        }
        for (name, samples) in names.iter().zip(columns) {
            family(out, &metric(name), &format!("{name} of the newest window of each key"), &samples);
        }
        family(out, WINDOW_END, "end of the newest window of each key, in seconds since 1970", &ends);
    }

    fn is_picture(&self) -> bool {
        true
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.save_pictures(out);
    }

    fn restore(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.restore_pictures(bytes)
    }

    fn has_news(&self) -> bool {
        self.has_news
    }

    fn remark(&mut self) -> Option<String> {
        let columns = self.shape.plan.columns.iter().zip(&mut self.refused);
        let unsaid: Vec<_> = columns
            .filter(|(_, refused)| **refused == Refused::Unsaid)
            .map(|(column, refused)| {
                *refused = Refused::Said;
                column.name.as_str()
            })
            .collect();
        if !unsaid.is_empty() {
            return Some(format!(
                "-o prometheus has only numbers and leaves out what is none of: {}",
                unsaid.join(" ")
            ));
        }
        let labels = self.clash.take().filter(|_| !self.has_told_clash)?;
        self.has_told_clash = true;
        Some(format!(
            "several keys have the labels {labels}, which have no types; -o prometheus shows the first of them"
        ))
    }
}

impl Picture {
    fn put(&mut self, key: &[u8], row: Row) {
        self.newest_end = self.newest_end.max(Some(row.window.end));
        match self.rows.get_mut(key) {
            Some(newest) => *newest = row,
            None => {
                self.rows.insert(key.into(), row);
                if self.rows.len() > self.enough {
                    self.forget();
                    // Looking through all rows is paid for by as many new ones.
                    self.enough = self.rows.len() * 2 + 1_000;
                }
            }
        }
    }

    /// Forgets what has had no row for too long.
    fn forget(&mut self) {
        if let Some(oldest) = self.newest_end.map(|end| end.saturating_sub(KEPT)) {
            self.rows.retain(|_, row| row.window.end >= oldest);
        }
    }
}

/// Appends a value if it is a number; whether it is one, or nothing.
fn write_number(value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Null => true,
        Value::Raw(Raw::Json(json)) if Number::parse(json).is_some() => {
            out.extend_from_slice(json);
            true
        }
        value => number(out, value),
    }
}

fn family(out: &mut Vec<u8>, metric: &str, help: &str, samples: &[u8]) {
    if !samples.is_empty() {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a Vec cannot fail.
        let _ = write!(out, "# HELP {metric} {help}\n# TYPE {metric} gauge\n");
        out.extend_from_slice(samples);
    }
}

fn sample(out: &mut Vec<u8>, metric: &str, labels: &[u8], value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(metric.as_bytes());
    out.extend_from_slice(labels);
    out.push(b' ');
    value(out);
    out.push(b'\n');
}

/// `{name="value",...}`, or nothing. A null key has an empty label, which is as good as none to Prometheus.
fn labels(shape: &RowShape, spec: usize, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut label = |name: &str, value: &str| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{name}=\"{value}\"");
    };
    if let Some(window) = shape.windows.get(spec) {
        label("window", window);
    }
    for (name, part) in shape.keys.iter().zip(parts(key)) {
        let value = match part {
            KeyPart::Null => String::new(),
            KeyPart::Bool(value) => value.to_string(),
            KeyPart::Number(number) => number,
            KeyPart::Text(text) => text.into_owned(),
        };
        label(&label_name(name), &value);
    }
    if !out.is_empty() {
        out.push(b'}');
    }
    out
}

fn metric(column: &str) -> String {
    PREFIX.to_owned() + &sanitized(column)
}

/// A label may not begin with a digit; two underscores are Prometheus' own.
fn label_name(key: &str) -> String {
    let name = sanitized(key);
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("__") || name.is_empty() {
        return format!("key_{name}");
    }
    name
}

fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Refuses rows of which two columns would have the same name as a metric or as a label.
///
/// # Errors
/// A message for people.
pub fn check(shape: &RowShape) -> Result<(), String> {
    let columns = shape.plan.columns.iter().map(|column| ("-a", column.name.as_str(), metric(&column.name)));
    let keys = shape.keys.iter().map(|key| ("-k", key.as_str(), label_name(key)));
    let mut taken = vec![WINDOW_END.to_owned(), "window".to_owned()];
    for (flag, name, shown) in columns.chain(keys) {
        if taken.contains(&shown) {
            return Err(format!(
                "{flag}: with -o prometheus more than one would be called {shown}; name \"{name}\" otherwise with NAME="
            ));
        }
        taken.push(shown);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_prometheus_takes() {
        for (name, as_metric, as_label) in [
            ("p99_9_ms", "streamw_p99_9_ms", "p99_9_ms"),
            ("http.status", "streamw_http_status", "http_status"),
            ("9 é", "streamw_9__", "key_9__"),
            ("__name__", "streamw___name__", "key___name__"),
            ("a:b", "streamw_a_b", "a_b"),
        ] {
            assert_eq!((metric(name).as_str(), label_name(name).as_str()), (as_metric, as_label));
        }
    }

    #[test]
    fn a_key_without_rows_for_a_day_is_forgotten_and_memory_is_bounded() {
        let mut picture = Picture::default();
        let row =
            |end: i64| Row { window: Window { start: Timestamp(end - 1), end: Timestamp(end) }, numbers: [].into() };
        let hour = 3_600 * SECOND;
        for (end, key) in [(0, b"a"), (hour, b"b"), (25 * hour, b"c")] {
            picture.put(key, row(end));
        }
        picture.forget();
        assert_eq!(picture.rows.keys().map(|key| key[0]).collect::<Vec<_>>(), [b'b', b'c']);
        // A new key a second, for twelve days.
        let mut most = 0;
        for second in 0..12 * 86_400_i64 {
            picture.put(&second.to_be_bytes(), row(25 * hour + second * SECOND));
            most = most.max(picture.rows.len());
        }
        assert!(most < 2 * 86_400 + 2_000, "{most} rows");
    }
}
