//! `streamw chaos`: clean records in, nasty ones out, the same ones for the same seed. For rehearsals, and for tests.

use crate::cli::chaos::Chaos;
use crate::error::TIME_FIELDS;
use crate::event::number::{Number, pow10, write_exact};
use crate::event::projection::Field;
use crate::random::Random;
use crate::time::format::TimeStyle;
use crate::time::parse::{TimeCache, TimeFormat, TimeRules};
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use crate::time::{SECOND, Timestamp};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufRead, BufReader, Read, Write};

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    records: u64,
    dropped: u64,
    garbage: u64,
    future: u64,
    late: u64,
    duplicated: u64,
}

impl Tally {
    /// A JSON line for stderr.
    pub fn line(&self) -> String {
        let Tally { records, dropped, garbage, future, late, duplicated } = self;
        format!(
            "{{\"type\":\"chaos\",\"records\":{records},\"dropped\":{dropped},\"garbage\":{garbage},\"future\":{future},\
             \"late\":{late},\"duplicated\":{duplicated}}}\n"
        )
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Drop,
    Garbage,
    Future,
    Late,
    Twice,
    Nothing,
}

/// How records are written.
enum Form {
    Json,
    /// Between these; and the place of the time, if the header has it.
    Cells(u8, Option<usize>),
}

/// Reads the inputs and writes what becomes of them.
///
/// # Errors
/// Reading or writing failed.
pub fn run(config: &Chaos, inputs: Vec<Box<dyn Read>>, out: &mut dyn Write) -> io::Result<Tally> {
    let rules = TimeRules { format: config.time_format.clone(), zone: Zone::utc(), year: YearRule::Written };
    let mut work = Work {
        config,
        rules,
        random: Random::new(config.seed),
        tally: Tally::default(),
        newest: Timestamp::MIN,
        held: BinaryHeap::new(),
        header: None,
        out,
    };
    for input in inputs {
        work.input(BufReader::with_capacity(1 << 18, input))?;
    }
    while let Some(Reverse((.., record))) = work.held.pop() {
        work.out.write_all(&record)?;
    }
    work.out.flush()?;
    Ok(work.tally)
}

/// Records on their way.
struct Work<'a> {
    config: &'a Chaos,
    rules: TimeRules,
    random: Random,
    tally: Tally,
    /// The newest time of what has been written, but for times from the future.
    newest: Timestamp,
    /// Late ones: when each is due, its number, and its bytes.
    held: BinaryHeap<Reverse<(Timestamp, u64, Vec<u8>)>>,
    header: Option<Vec<u8>>,
    out: &'a mut dyn Write,
}

impl Work<'_> {
    fn input(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let mut record = Vec::new();
        let mut form = None;
        let mut field = self.config.time.clone();
        while next_record(&mut input, &mut record, matches!(form, Some(Form::Cells(..))))? {
            if record.trim_ascii().is_empty() {
                self.out.write_all(&record)?;
                continue;
            }
            let form = match &form {
                Some(form) => form,
                None => {
                    let is_header = !record.trim_ascii_start().starts_with(b"{");
                    let found = if is_header { self.header(&record, &mut field)? } else { Form::Json };
                    let found = form.insert(found);
                    if is_header {
                        continue;
                    }
                    found
                }
            };
            if let (Form::Json, None) = (form, &field) {
                field = first_time_field(&record);
            }
            self.record(&record, form, field.as_deref().unwrap_or(TIME_FIELDS[0]))?;
        }
        Ok(())
    }

    /// Writes a header, once, and finds the time in it.
    fn header(&mut self, record: &[u8], field: &mut Option<String>) -> io::Result<Form> {
        let delimiter = if record.contains(&b'\t') && !record.contains(&b',') { b'\t' } else { b',' };
        let names = cells(record, delimiter);
        let place = match field {
            Some(field) => names.iter().position(|name| name == field),
            None => TIME_FIELDS.iter().find_map(|known| names.iter().position(|name| name == known)),
        };
        if place.is_none() && (self.config.late > 0.0 || self.config.future > 0.0) {
            let message = "no column of the first line is the event time, which --late and --future need; name it with -t \
                           (NDJSON, CSV and TSV are read, no logs)";
            return Err(io::Error::other(message));
        }
        if self.header.as_deref() != Some(record) {
            self.out.write_all(record)?;
            self.header = Some(record.to_vec());
        }
        Ok(Form::Cells(delimiter, place))
    }

    fn record(&mut self, record: &[u8], form: &Form, field: &str) -> io::Result<()> {
        self.tally.records += 1;
        let (fate, time) = (self.fate(), self.time(record, form, field));
        match (fate, time) {
            (Fate::Drop, _) => self.tally.dropped += 1,
            (Fate::Garbage, _) => {
                self.tally.garbage += 1;
                self.out.write_all(&broken(record, form))?;
            }
            (Fate::Future, Some(time)) => match self.moved(record, form, field, time) {
                Some(moved) => {
                    self.tally.future += 1;
                    self.out.write_all(&moved)?;
                }
                None => self.pass(record, Some(time))?,
            },
            (Fate::Late, Some(time)) => {
                self.tally.late += 1;
                let due = time.saturating_add(self.config.late_by);
                self.held.push(Reverse((due, self.tally.records, with_end(record))));
            }
            (Fate::Twice, time) => {
                self.tally.duplicated += 1;
                self.out.write_all(&with_end(record))?;
                self.pass(record, time)?;
            }
            (_, time) => self.pass(record, time)?,
        }
        Ok(())
    }

    /// One number decides, so that a record's fate depends on nothing but its place and the flags.
    fn fate(&mut self) -> Fate {
        let Chaos { drop, garbage, future, late, dup, .. } = *self.config;
        let mut rest = self.random.share();
        for (share, fate) in [
            (drop, Fate::Drop),
            (garbage, Fate::Garbage),
            (future, Fate::Future),
            (late, Fate::Late),
            (dup, Fate::Twice),
        ] {
            if rest < share {
                return fate;
            }
            rest -= share;
        }
        Fate::Nothing
    }

    /// Writes a record as it is, and after it the late ones that are due.
    fn pass(&mut self, record: &[u8], time: Option<Timestamp>) -> io::Result<()> {
        self.out.write_all(&with_end(record))?;
        self.newest = self.newest.max(time.unwrap_or(Timestamp::MIN));
        while self.held.peek().is_some_and(|Reverse((due, ..))| *due <= self.newest) {
            if let Some(Reverse((.., late))) = self.held.pop() {
                self.out.write_all(&late)?;
            }
        }
        Ok(())
    }

    fn time(&self, record: &[u8], form: &Form, field: &str) -> Option<Timestamp> {
        let text = self.time_text(record, form, field)?;
        let moment = match text {
            Value::String(text) => self.rules.parse_text(text.as_bytes(), &mut TimeCache::default()),
            Value::Number(number) => self.rules.parse_number(number.to_string().as_bytes()),
            _ => return None,
        };
        moment.ok().map(|moment| moment.time)
    }

    /// The time as written.
    fn time_text(&self, record: &[u8], form: &Form, field: &str) -> Option<Value> {
        match form {
            Form::Json => {
                let value: Value = serde_json::from_slice(record).ok()?;
                let field = Field::parse(field).ok()?;
                let top = value.get(&field.name).filter(|_| field.is_name);
                let found = top.or_else(|| {
                    field.path.iter().try_fold(&value, |value, part| match value {
                        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
                        value => value.get(part),
                    })
                });
                found.cloned()
            }
            Form::Cells(delimiter, place) => cells(record, *delimiter).into_iter().nth((*place)?).map(Value::String),
        }
    }

    /// The record with a time from the future, written as the time was.
    fn moved(&self, record: &[u8], form: &Form, field: &str, time: Timestamp) -> Option<Vec<u8>> {
        let written = self.time_text(record, form, field)?;
        let text = match &written {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let later = match Number::parse(text.as_bytes()) {
            Some(number) => self.later_number(&number)?,
            None => {
                let mut later = Vec::new();
                TimeStyle::Rfc3339(Zone::utc()).write(&mut later, time.saturating_add(self.config.future_by));
                String::from_utf8(later).ok()?
            }
        };
        match form {
            Form::Json => {
                let later = if written.is_string() { Value::String(later).to_string() } else { later };
                let name = field.rsplit(['.', '/']).next().unwrap_or(field);
                replaced(record, name, &written.to_string(), &later)
            }
            Form::Cells(delimiter, place) => {
                let mut cells = cells(record, *delimiter);
                *cells.get_mut((*place)?)? = later;
                let mut writer = csv::WriterBuilder::new().delimiter(*delimiter).from_writer(Vec::new());
                writer.write_record(&cells).ok()?;
                writer.into_inner().ok()
            }
        }
    }

    fn later_number(&self, number: &Number) -> Option<String> {
        let (mantissa, scale) = number.exact()?;
        let unit = match self.rules.format {
            TimeFormat::Units(unit) => unit,
            _ => match number.to_f64().abs() {
                seconds if seconds < 1e11 => SECOND,
                millis if millis < 1e14 => 1_000_000,
                micros if micros < 1e17 => 1_000,
                _ => 1,
            },
        };
        let more = i128::from(self.config.future_by.0).checked_mul(pow10(scale))? / i128::from(unit);
        let mut text = Vec::new();
        write_exact(&mut text, mantissa.checked_add(more)?, scale, false);
        String::from_utf8(text).ok()
    }
}

/// Reads the next record with its line end; of several lines, if a quote is open.
fn next_record(input: &mut impl BufRead, record: &mut Vec<u8>, has_quotes: bool) -> io::Result<bool> {
    record.clear();
    loop {
        let read = input.read_until(b'\n', record)?;
        let is_open = has_quotes && record.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        if read == 0 || !is_open {
            return Ok(!record.is_empty());
        }
    }
}

fn cells(record: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(record);
    let first = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
    first.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

fn first_time_field(record: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(record).ok()?;
    TIME_FIELDS.iter().find(|name| value.get(**name).is_some()).map(|name| (*name).to_owned())
}

/// The last record of a file may have no line end.
fn with_end(record: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    if record.last() != Some(&b'\n') {
        record.push(b'\n');
    }
    record
}

/// What cannot be read any more: half an object, or a cell too many.
fn broken(record: &[u8], form: &Form) -> Vec<u8> {
    let text = record.trim_ascii_end();
    let mut broken = match form {
        Form::Json => text[..text.len().div_ceil(2)].to_vec(),
        Form::Cells(delimiter, _) => [text, &[*delimiter], b"garbage"].concat(),
    };
    broken.push(b'\n');
    broken
}

/// A record in which a member has another value.
fn replaced(record: &[u8], name: &str, written: &str, later: &str) -> Option<Vec<u8>> {
    let name = Value::String(name.to_owned()).to_string();
    for at in memchr::memmem::find_iter(record, name.as_bytes()) {
        let rest = record[at + name.len()..].trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
        if value.starts_with(written.as_bytes()) {
            let begin = record.len() - value.len();
            let after = &record[begin + written.len()..];
            return Some(with_end(&[&record[..begin], later.as_bytes(), after].concat()));
        }
    }
    None
}
