//! CSV and TSV: RFC 4180 read literally, a byte after the other, with the rule for quotes that do not end.

use crate::fuzz::{Checked, Signature, Target, equal};
use std::sync::Arc;
use streamw::event::projection::{Field, Projection, ValueField};
use streamw::event::{Aside, EventBatch, RawValue};
use streamw::input::csv::{Columns, Separated};
use streamw::input::{Format, Layout, Reading, Tools};
use streamw::time::parse::{TimeFormat, TimeRules};
use streamw::time::year::YearRule;
use streamw::time::zone::Zone;

/// What comes of a row, and the line it begins in.
#[derive(Clone, Debug, PartialEq)]
enum Row {
    Blank,
    Header(usize),
    Bad(usize, &'static str),
    /// The cells of `k` and `v`, as read.
    Event(usize, [Vec<u8>; 2]),
}

/// A row: where it ends, and its cells; none if a quote in it does not end as it should.
type Cut = (usize, Option<Vec<Vec<u8>>>);

/// The row at `start`.
fn cut(bytes: &[u8], start: usize, delimiter: u8, max_line: usize) -> Cut {
    let line_end = |from: usize| bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| from + at + 1);
    let (mut at, mut cells) = (start, Vec::new());
    loop {
        let mut cell = Vec::new();
        // A row that is longer already ends with its line, whatever is quoted there.
        if bytes.get(at) == Some(&b'"') && at - start <= max_line {
            at += 1;
            loop {
                match bytes.get(at) {
                    Some(_) if at - start > max_line => return (line_end(start), None),
                    None => return (line_end(start), None),
                    Some(b'"') if bytes.get(at + 1) == Some(&b'"') => {
                        cell.push(b'"');
                        at += 2;
                    }
                    Some(b'"') => break,
                    Some(byte) => {
                        cell.push(*byte);
                        at += 1;
                    }
                }
            }
            at += 1;
            cells.push(cell);
            match &bytes[at..] {
                [byte, ..] if *byte == delimiter => {
                    at += 1;
                    continue;
                }
                [] | [b'\r'] => return (bytes.len(), Some(cells)),
                [b'\n', ..] => return (at + 1, Some(cells)),
                [b'\r', b'\n', ..] => return (at + 2, Some(cells)),
                _ => return (line_end(start), None),
            }
        }
        while at < bytes.len() && bytes[at] != delimiter && bytes[at] != b'\n' {
            cell.push(bytes[at]);
            at += 1;
        }
        let is_last = bytes.get(at) != Some(&delimiter);
        if is_last && cell.last() == Some(&b'\r') {
            cell.pop();
        }
        cells.push(cell);
        if is_last {
            return ((at + 1).min(bytes.len()), Some(cells));
        }
        at += 1;
    }
}

/// What has to come of the rows after a header of `ts`, `k`, `v`.
fn expected(bytes: &[u8], delimiter: u8, max_line: usize, is_time: impl Fn(&[u8]) -> bool) -> Vec<Row> {
    let (mut rows, mut start, mut line) = (Vec::new(), 0, 0);
    while start < bytes.len() {
        let (end, cells) = cut(bytes, start, delimiter, max_line);
        let row = &bytes[start..end];
        let length = row.strip_suffix(b"\n").unwrap_or(row).len();
        let text = row.strip_suffix(b"\n").unwrap_or(row);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_utf8 = |cell: &Vec<u8>| std::str::from_utf8(cell).is_ok();
        rows.push(match cells {
            _ if length > max_line => Row::Bad(line, "too_long"),
            None => Row::Bad(line, "quote"),
            Some(_) if text.iter().all(|byte| *byte == b' ') => Row::Blank,
            Some(cells) if cells == [&b"ts"[..], b"k", b"v"] => Row::Header(line),
            Some(cells) if cells.len() != 3 => Row::Bad(line, "ragged"),
            Some(cells) if !is_time(&cells[0]) => Row::Bad(line, "time"),
            Some(cells) if !is_utf8(&cells[1]) || !is_utf8(&cells[2]) => Row::Bad(line, "utf8"),
            Some(cells) => Row::Event(line, [cells[1].clone(), cells[2].clone()]),
        });
        let is_one_line = matches!(rows.last(), Some(Row::Bad(_, "quote")));
        line += if is_one_line { 1 } else { row.iter().filter(|byte| **byte == b'\n').count().max(1) };
        start = end;
    }
    rows
}

fn rules() -> TimeRules {
    TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written }
}

/// What cutter and decoder make of it.
fn got(bytes: &[u8], delimiter: u8, max_line: usize) -> Vec<Row> {
    let format = Separated { delimiter, columns: Columns::Named(["ts", "k", "v"].map(str::to_owned).to_vec()) };
    let field = |name: &str| Field::parse(name).expect("a field");
    let projection = Arc::new(Projection {
        time_rules: rules(),
        keys: vec![field("k")],
        values: vec![ValueField { field: field("v"), as_number: false, as_value: true }],
        ..Projection::of_times(field("ts"))
    });
    let names = ["ts", "k", "v"].map(str::to_owned);
    let reading = Reading { projection: projection.clone(), names: &names, source: "-", max_line };
    let decoder = format.decoder(reading).unwrap_or_else(|error| panic!("{error}"));
    let cut = format.cutter(max_line).cut(bytes, true);
    assert_eq!(cut.end, bytes.len(), "at the end everything is whole");
    let layout = Layout { header: None, malformed: cut.malformed };
    let mut batch = EventBatch::new(1, 3);
    batch.bytes = bytes.to_vec();
    decoder.decode(&layout, &mut batch, &mut Tools::default());
    let event = |index: usize| {
        let (key, _) = batch.keys.get(index);
        let key = match streamw::event::key::parts(key).next().expect("a part") {
            streamw::event::key::KeyPart::Text(text) => text.as_bytes().to_vec(),
            _ => Vec::new(),
        };
        let value = match batch.values[0][index] {
            RawValue::Null => Vec::new(),
            RawValue::Json(span) | RawValue::Text(span) => batch.text(span).to_vec(),
        };
        Row::Event(batch.records[index].line as usize, [key, value])
    };
    let (mut rows, mut done) = (Vec::new(), 0);
    for aside in &batch.asides {
        rows.extend((done..aside.before_event as usize).map(event));
        done = aside.before_event as usize;
        match &aside.aside {
            Aside::Blank(count) => rows.extend(vec![Row::Blank; *count as usize]),
            Aside::Header => rows.push(Row::Header(usize::MAX)),
            Aside::Bad(bad) => rows.push(Row::Bad(bad.span.line as usize, bad.reason.as_str())),
            other => panic!("there is nothing such in UTC: {other:?}"),
        }
    }
    rows.extend((done..batch.times.len()).map(event));
    rows
}

fn check(input: &[u8]) -> Checked {
    let (choice, bytes) = input.split_first().map_or((0, input), |(first, rest)| (*first as usize, rest));
    let delimiter = [b',', b'\t', b';', b' '][choice % 4];
    let max_line = [4, 12, 40, 1 << 20][choice / 4 % 4];
    let is_time = |cell: &[u8]| rules().parse_text(cell, &mut Default::default()).is_ok();
    let expected: Vec<Row> = expected(bytes, delimiter, max_line, is_time)
        .into_iter()
        .map(|row| if matches!(row, Row::Header(_)) { Row::Header(usize::MAX) } else { row })
        .collect();
    equal("rows", &expected, &got(bytes, delimiter, max_line))?;
    let kind = |row: &Row| match row {
        Row::Blank => "blank",
        Row::Header(_) => "header",
        Row::Bad(_, reason) => reason,
        Row::Event(_, cells) if cells.iter().any(|cell| cell.iter().any(|byte| b"\"\n,;\t\r ".contains(byte))) => {
            "quoted"
        }
        Row::Event(..) => "event",
    };
    let mut kinds: Vec<&str> = expected.iter().map(kind).collect();
    kinds.dedup();
    Ok(Signature::of((choice % 16, &kinds[..kinds.len().min(8)])))
}

const SEEDS: &[&str] = &[
    "1,a,2\n2,b,3\n\n3,,\n",
    "1,\"a\nb\",\"c\"\"d\"\r\n2,\"\",x\r\nts,k,v\r\n",
    "x\",\"\nx\",\"\nx\",\"\n1,2,3\n",
    "\",z\"z,\"\nx\",\"\n1,\"a\n2,b,c\"\n",
    "1,\"a\"b,c\n1,\"open\n2,b,c\n   \n\"ts\",\"k\",\"v\"\n",
    "2026-01-01,\"a long cell that goes on\nand on\",\"and on\n\n\"\n1,2\n1,2,3,4\n",
    "1\ta\t\"b\tc\"\n2\t\t\n",
    "1;\"a;b\";c\n2;d;\"\n",
    "1 \"a b\" c\n  \n1 2 3\r",
];

const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    "\"",
    "\"\"",
    "\"\"\"",
    ",",
    ",\"",
    "\",",
    "\",\"",
    "\"\n",
    "\n\"",
    ";",
    "\t",
    " ",
    "1",
    "a",
    "x\",\"\n",
    "1,2,3\n",
    "ts,k,v\n",
    "\"ts\",k,v\r\n",
    "1,\"\n",
    "\u{e9}",
    "\0",
    "2026-01-01",
    "aaaaaaaaaaaa",
    "\"a\nb\"",
    "1,\"a\"\"b\",c\n",
];

#[test]
fn csv_is_read_as_by_a_slow_reader() {
    let seeds = SEEDS
        .iter()
        .zip([12, 12, 4, 12, 12, 8, 13, 14, 15])
        .map(|(seed, choice)| [&[choice], seed.as_bytes()].concat());
    let mut seeds: Vec<Vec<u8>> = seeds.collect();
    seeds.push(b"\x0C1,\xFF,a\n1,a,\xFF\n\xFF,a,a\n".to_vec());
    Target { name: "csv", seeds, words: WORDS }.run(check);
}
