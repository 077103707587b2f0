//! NDJSON: a recursive reader that makes documents, and what has to come of each line by N2 to N6.

use crate::fuzz::{Checked, Signature, Target, equal};
use std::sync::Arc;
use streamw::event::number::Number;
use streamw::event::projection::{Field, Projection, ValueField};
use streamw::event::{Aside, EventBatch, RawValue, Reason, key};
use streamw::input::ndjson::Ndjson;
use streamw::input::{Format, Layout, Reading, Tools};
use streamw::time::parse::{TimeCache, TimeFormat, TimeRules};
use streamw::time::year::YearRule;
use streamw::time::zone::Zone;

/// A document. Names and texts are `None` where they have half a surrogate pair.
#[derive(Clone, Debug)]
enum Json<'a> {
    Null(&'a str),
    Bool(&'a str, bool),
    Number(&'a str),
    Text(&'a str, Option<String>),
    Array(&'a str, Vec<Json<'a>>),
    Object(&'a str, Vec<(Option<String>, Json<'a>)>),
}

/// Reads one value and the white space around it; gives what is left.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn blank(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn next(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self) -> Option<Json<'a>> {
        self.blank();
        let begun = self.0;
        let value = match begun.chars().next()? {
            '{' => Json::Object("", self.members()?),
            '[' => Json::Array("", self.items()?),
            '"' => Json::Text("", self.text()?),
            't' => self.next("true").map(|()| Json::Bool("", true))?,
            'f' => self.next("false").map(|()| Json::Bool("", false))?,
            'n' => self.next("null").map(|()| Json::Null(""))?,
            _ => self.number().map(|()| Json::Number(""))?,
        };
        let raw = &begun[..begun.len() - self.0.len()];
        self.blank();
        Some(match value {
            Json::Object(_, members) => Json::Object(raw, members),
            Json::Array(_, items) => Json::Array(raw, items),
            Json::Text(_, text) => Json::Text(raw, text),
            Json::Bool(_, value) => Json::Bool(raw, value),
            Json::Null(_) => Json::Null(raw),
            Json::Number(_) => Json::Number(raw),
        })
    }

    fn members(&mut self) -> Option<Vec<(Option<String>, Json<'a>)>> {
        let mut members = Vec::new();
        self.next("{")?;
        self.blank();
        while self.next("}").is_none() {
            if !members.is_empty() {
                self.next(",")?;
                self.blank();
            }
            let name = self.text()?;
            self.blank();
            self.next(":")?;
            members.push((name, self.value()?));
        }
        Some(members)
    }

    fn items(&mut self) -> Option<Vec<Json<'a>>> {
        let mut items = Vec::new();
        self.next("[")?;
        self.blank();
        while self.next("]").is_none() {
            if !items.is_empty() {
                self.next(",")?;
            }
            items.push(self.value()?);
        }
        Some(items)
    }

    /// A text; inside, nothing if it is none that UTF-8 can hold.
    fn text(&mut self) -> Option<Option<String>> {
        self.next("\"")?;
        let mut units: Vec<u16> = Vec::new();
        let mut chars = self.0.char_indices();
        loop {
            let (at, c) = chars.next()?;
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(String::from_utf16(&units).ok());
                }
                '\\' => {
                    let plain = match chars.next()?.1 {
                        'u' => {
                            let hex = self.0.get(at + 2..at + 6)?;
                            (0..4).try_for_each(|_| chars.next().map(|_| ()))?;
                            if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                                return None;
                            }
                            units.push(u16::from_str_radix(hex, 16).ok()?);
                            continue;
                        }
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        c @ ('"' | '\\' | '/') => c,
                        _ => return None,
                    };
                    units.push(plain as u16);
                }
                c if c < ' ' => return None,
                c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_some = rest.len() < self.0.len();
        self.0 = rest;
        is_some.then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.next("-");
        if self.next("0").is_none() {
            self.digits()?;
        }
        if self.next(".").is_some() {
            self.digits()?;
        }
        if self.next("e").or_else(|| self.next("E")).is_some() {
            let _ = self.next("+").or_else(|| self.next("-"));
            self.digits()?;
        }
        Some(())
    }
}

fn document(text: &str) -> Option<Json<'_>> {
    let mut reader = Reader(text);
    let value = reader.value()?;
    reader.0.is_empty().then_some(value)
}

impl<'a> Json<'a> {
    fn raw(&self) -> &'a str {
        match self {
            Json::Null(raw) | Json::Bool(raw, _) | Json::Number(raw) | Json::Text(raw, _) => raw,
            Json::Array(raw, _) | Json::Object(raw, _) => raw,
        }
    }

    /// The last member of this name (N5).
    fn member(&self, wanted: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(_, members) => {
                members.iter().rev().find(|(name, _)| name.as_deref() == Some(wanted)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn step(&self, step: &str) -> Option<&Json<'a>> {
        match self {
            Json::Array(_, items) => {
                let place: usize = step.parse().ok()?;
                if place.to_string() == step { items.get(place) } else { None }
            }
            other => other.member(step),
        }
    }

    /// What a field is in this record: a top-level name before a path.
    fn field(&self, field: &str) -> Option<&Json<'a>> {
        let path: Vec<String> = match field.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
            None => match self.member(field) {
                Some(found) => return Some(found),
                None => field.split('.').map(str::to_owned).collect(),
            },
        };
        path.iter().try_fold(self, |value, step| value.step(step))
    }
}

/// How deep the brackets nest that stand outside of texts, as far as they can be told.
fn depth(line: &str) -> usize {
    let (mut depth, mut deepest, mut in_text) = (0usize, 0, false);
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_text => drop(bytes.next()),
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What comes of a line.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Blank,
    Bad(Vec<&'static str>),
    Event { time: i64, key: Vec<u8>, numbers: Vec<Option<String>>, values: Vec<Option<String>> },
}

/// Fields as they are named on the command line.
struct Wanted {
    time: &'static str,
    keys: &'static [&'static str],
    numbers: &'static [&'static str],
    values: &'static [&'static str],
    nulls: &'static [&'static str],
}

const WANTED: &[Wanted] = &[
    Wanted { time: "ts", keys: &["k"], numbers: &["n"], values: &["v"], nulls: &[] },
    Wanted { time: "ts", keys: &["a.b", "k"], numbers: &["/n", "/a/0"], values: &["a", "/a/b/0/c"], nulls: &["NA"] },
    Wanted { time: "/t/0", keys: &["/", "é"], numbers: &["n.n", "n"], values: &["n.n.n", "v"], nulls: &[] },
    Wanted { time: "a.b.c", keys: &[], numbers: &[], values: &["/a~1b", "/m~0n"], nulls: &["", "null"] },
];

fn rules() -> TimeRules {
    TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written }
}

fn projection(wanted: &Wanted) -> Projection {
    let field = |name: &&str| Field::parse(name).expect("a field");
    let values = wanted.numbers.iter().map(|name| ValueField { field: field(name), as_number: true, as_value: false });
    let others = wanted.values.iter().map(|name| ValueField { field: field(name), as_number: false, as_value: true });
    Projection {
        time_rules: rules(),
        keys: wanted.keys.iter().map(field).collect(),
        values: values.chain(others).collect(),
        nulls: wanted.nulls.iter().map(|null| (*null).to_owned()).collect(),
        ..Projection::of_times(field(&wanted.time))
    }
}

/// What has to come of a line, without its end, by the slow reading.
fn expected(line: &[u8], wanted: &Wanted, max_line: usize) -> Outcome {
    if line.len() > max_line {
        return Outcome::Bad(vec!["too_long"]);
    }
    if line.trim_ascii().is_empty() {
        return Outcome::Blank;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Ok(line) = std::str::from_utf8(line) else { return Outcome::Bad(vec!["utf8"]) };
    if depth(line) > 128 {
        // Whichever stands first.
        return Outcome::Bad(vec!["depth", "json"]);
    }
    let read = document(line);
    let by_serde = serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    assert_eq!(read.is_some(), by_serde, "the slow reading is wrong itself: {line}");
    match read {
        Some(record @ Json::Object(..)) => event(&record, wanted),
        _ => Outcome::Bad(vec!["json"]),
    }
}

fn event(record: &Json<'_>, wanted: &Wanted) -> Outcome {
    match try_event(record, wanted) {
        Ok(event) => event,
        Err(reason) => Outcome::Bad(vec![reason]),
    }
}

fn try_event(record: &Json<'_>, wanted: &Wanted) -> Result<Outcome, &'static str> {
    let rules = rules();
    let time = match record.field(wanted.time) {
        Some(Json::Number(raw)) => rules.parse_number(raw.as_bytes()),
        Some(Json::Text(_, Some(text))) => rules.parse_text(text.as_bytes(), &mut TimeCache::default()),
        _ => return Err("time"),
    };
    let time = time.map_err(|_| "time")?.time.0;
    let nulled = |field: &str| match record.field(field) {
        None | Some(Json::Null(_)) => None,
        Some(Json::Text(_, Some(text))) if wanted.nulls.contains(&text.as_str()) => None,
        some => some,
    };
    let mut key = Vec::new();
    for field in wanted.keys {
        match nulled(field) {
            None => key::push_null(&mut key),
            Some(Json::Bool(_, value)) => key::push_bool(&mut key, *value),
            Some(Json::Text(_, Some(text))) => key::push_text(&mut key, text.as_bytes()),
            Some(Json::Number(raw)) if key::push_number(&mut key, raw.as_bytes()) => {}
            Some(_) => return Err("key"),
        }
    }
    let number = |field: &&str| match nulled(field) {
        None => Ok(None),
        Some(Json::Number(text)) => Ok(Some(Number::parse(text.as_bytes()).ok_or("value")?)),
        Some(Json::Text(_, Some(text))) => Ok(Some(Number::parse(text.as_bytes()).ok_or("value")?)),
        Some(_) => Err("value"),
    };
    let numbers: Result<Vec<_>, _> = wanted.numbers.iter().map(number).collect();
    let numbers = numbers?.into_iter().map(|number| number.map(|number| format!("{number:?}"))).collect();
    let values = wanted.values.iter().map(|field| nulled(field).map(|value| value.raw().to_owned())).collect();
    Ok(Outcome::Event { time, key, numbers, values })
}

/// What the decoder makes of a block, line by line.
fn decoded(bytes: &[u8], wanted: &Wanted, max_line: usize) -> Vec<Outcome> {
    let projection = Arc::new(projection(wanted));
    let reading = Reading { projection: projection.clone(), names: &[], source: "-", max_line };
    let decoder = Ndjson.decoder(reading).unwrap_or_else(|error| panic!("{error}"));
    let mut batch = EventBatch::new(projection.values.len(), projection.fields().count());
    batch.bytes = bytes.to_vec();
    decoder.decode(&Layout::default(), &mut batch, &mut Tools::default());
    let mut lines = vec![Outcome::Blank; batch.lines as usize];
    let (mut blank, mut told) = (0, 0);
    for aside in &batch.asides {
        match &aside.aside {
            Aside::Blank(count) => blank += *count as usize,
            Aside::Bad(bad) => {
                lines[bad.span.line as usize] = Outcome::Bad(vec![bad.reason.as_str()]);
                told += 1;
                assert!(bad.reason != Reason::TooLong || bad.span.text.len <= 256);
            }
            other => panic!("there is nothing such in NDJSON in UTC: {other:?}"),
        }
    }
    for (index, record) in batch.records.iter().enumerate() {
        let raw = |column: &Vec<RawValue>| match column[index] {
            RawValue::Null => None,
            RawValue::Json(span) => Some(String::from_utf8(batch.text(span).to_vec()).expect("UTF-8")),
            RawValue::Text(_) => panic!("NDJSON has no cells"),
        };
        let count = wanted.numbers.len();
        lines[record.line as usize] = Outcome::Event {
            time: batch.times[index].0,
            key: batch.keys.get(index).0.to_vec(),
            numbers: batch.numbers[..count]
                .iter()
                .map(|column| column[index].as_ref().map(|number| format!("{number:?}")))
                .collect(),
            values: batch.values[count..].iter().map(raw).collect(),
        };
        told += 1;
    }
    assert_eq!(told + blank, lines.len(), "each line is told once");
    lines
}

fn check(input: &[u8]) -> Checked {
    let (choice, bytes) = input.split_first().map_or((0, input), |(first, rest)| (*first as usize, rest));
    let wanted = &WANTED[choice % WANTED.len()];
    let max_line = [10, 100, 1000, 1 << 20][choice / WANTED.len() % 4];
    let got = decoded(bytes, wanted, max_line);
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = if bytes.is_empty() { Vec::new() } else { lines.collect() };
    equal("lines", &lines.len(), &got.len())?;
    let mut kinds = Vec::new();
    for (line, got) in lines.iter().zip(&got) {
        let expected = expected(line, wanted, max_line);
        match (&expected, got) {
            (Outcome::Bad(reasons), Outcome::Bad(reason)) if reasons.contains(&reason[0]) => {}
            _ => equal(&format!("a line, with {}", wanted.time), &expected, got)?,
        }
        kinds.push(match got {
            Outcome::Blank => "blank",
            Outcome::Bad(reason) => reason[0],
            Outcome::Event { values, .. } if values.iter().any(Option::is_some) => "event with a value",
            Outcome::Event { .. } => "event",
        });
    }
    // What it came to, and a little of how it was written.
    kinds.dedup();
    let marks: u32 = [&b"\\u"[..], b"\\", b"{\"", b"[", b" ", b"\r\n", b"e"]
        .iter()
        .map(|mark| u32::from(memchr::memmem::find(bytes, mark).is_some()))
        .fold(0, |all, bit| all << 1 | bit);
    Ok(Signature::of((choice, kinds.len().min(20), &kinds[..kinds.len().min(6)], marks)))
}

const SEEDS: &[&str] = &[
    "{\"ts\":1,\"k\":\"a\",\"n\":1.5,\"v\":[1,{\"x\":null}]}\n{\"ts\":2,\"k\":\"b\",\"n\":-2,\"v\":\"x\"}\n{\"ts\":3,\"k\":\"a\",\"n\":\"7\",\"v\":true}\n",
    "{\"ts\":\"2026-01-01T00:00:00Z\",\"k\":null,\"n\":null,\"v\":{\"a\":1}}\r\n{\"ts\":\"2026-01-01T00:00:00.123Z\",\"k\":1e2,\"n\":1e-7,\"v\":1}\r\n",
    "{\"a\":{\"b\":[{\"c\":1}]},\"ts\":1767225600123,\"a.b\":true,\"k\":\"\\u00e9\\n\"}\n{\"a\":{\"b\":[{\"c\":2}]},\"ts\":1767225600124,\"k\":\"é\"}\n",
    "{\"t\":[1,2],\"\":\"e\",\"é\":3,\"n\":{\"n\":{\"n\":4}}}\n{\"t\":[1],\"\":5,\"n\":1}\n{\"n\":{\"n\":1},\"t\":[2],\"v\":\"\\ud83d\\ude00\"}\n",
    "{\"a\":{\"b\":{\"c\":1}},\"a/b\":1,\"m~n\":2}\n{\"a.b.c\":2,\"a\":{\"b\":{\"c\":1}},\"a/b\":null}\n{\"ts\":1,\"ts\":2}\n",
    " { \"ts\" : 1 , \"k\" : [ ] } \n\n\t\n{\"ts\":1,\"k\":\"a\",\"k\":\"b\"}\n{}\n[]\n1\nnull\n\"a\"\n{\"ts\":1}{}\n",
    "{\"ts\":1,\"n\":0.1234567890123456789,\"k\":170141183460469231731687303715884105728}\n{\"ts\":1,\"n\":123456789012345678901234567890}\n",
];

const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u0041",
    "\\ud800",
    "\\ud83d\\ude00",
    "\\n",
    "\\/",
    " ",
    "\t",
    "\u{c}",
    "\0",
    "\u{7f}",
    "\u{e9}",
    "\u{1f600}",
    "\u{feff}",
    "true",
    "false",
    "null",
    "1",
    "-",
    "0",
    ".",
    "e",
    "E+",
    "1e400",
    "-0.0",
    "01",
    "1.",
    "\"ts\":1",
    "\"ts\"",
    "\"k\":",
    "\"n\":",
    "\"v\":",
    "\"a\":{\"b\":",
    "\"a.b\":",
    "\"\":",
    "\"NA\"",
    "\"\"",
    "[[[[[[[[",
    "]]]]]]]]",
    "{\"a\":",
    "\"\\u0074s\":1",
    "{\"ts\":1,\"k\":\"a\",\"n\":1,\"v\":2}\n",
    "2026-01-01T00:00:00Z",
    "\"field_with_a_name_1\":",
    "\"field_with_a_name_2\":\"",
    "\"field_with_a_name_1\":\"x\",\"ts\"",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

#[test]
fn ndjson_is_read_as_by_a_slow_reader() {
    let all = [&b"\xFF"[..], b"\xC3", b"\xED\xA0\x80", b"\xE2\x80\xAE"];
    // The first byte chooses what is asked for.
    let mut seeds: Vec<Vec<u8>> =
        SEEDS.iter().zip(0..).map(|(seed, at)| [&[at % 4 + 12], seed.as_bytes()].concat()).collect();
    seeds.extend(all.iter().map(|bytes| [b"\x0C{\"ts\":1,\"k\":\"", *bytes, b"\"}\n{\"ts\":1}\n"].concat()));
    // Records that are alike, but for what comes at the end of a long name, and for blanks, escapes and order now and then.
    let alike = |n: usize| {
        let (name, blank) = (["field_with_a_name_1", "field_with_a_name_2"][n / 3 % 2], [" ", ""][n % 2]);
        format!("{{\"{name}\":\"x{n}\",\"ts\":{n},{blank}\"k\":\"a\",\"another_name_of_24_bytes\":{n}.5,\"v\":true}}\n")
    };
    seeds.push([b"\x0C".to_vec(), (0..12).map(alike).collect::<String>().into_bytes()].concat());
    seeds.push([b"\x0D".to_vec(), (0..4).map(|n| alike(n * 3)).collect::<String>().into_bytes()].concat());
    seeds.push([b"\x0C{\"ts\":1,\"u\":", "[".repeat(127).as_bytes(), "]".repeat(127).as_bytes(), b"}\n"].concat());
    seeds.push(
        [b"\x0C{\"ts\":1,\"u\":", "{\"a\":".repeat(128).as_bytes(), b"1", "}".repeat(128).as_bytes(), b"}\n"].concat(),
    );
    Target { name: "ndjson", seeds, words: WORDS }.run(check);
}
