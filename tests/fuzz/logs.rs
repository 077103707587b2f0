//! logfmt and access logs, each read a second time: by a list of words, and by regular expressions.

use crate::fuzz::{Checked, Signature, Target, equal};
use regex::bytes::Regex;
use std::sync::{Arc, LazyLock};
use streamw::event::key::{KeyPart, parts};
use streamw::event::projection::{Field, Projection};
use streamw::event::{Aside, EventBatch};
use streamw::input::combined::{Combined, FIELDS};
use streamw::input::logfmt::Logfmt;
use streamw::input::{Format, Layout, Reading, Tools};
use streamw::time::parse::{TimeFormat, TimeRules};
use streamw::time::pattern::Pattern;
use streamw::time::year::YearRule;
use streamw::time::zone::Zone;

/// A line as its fields, in the order asked for: nothing where there is none. Or why it is bad.
type Fields = Result<Vec<Option<Vec<u8>>>, &'static str>;

/// What a decoder finds in each line for these keys; `Err` for a bad record, `None` for a blank line.
fn decoded(
    format: &dyn Format,
    time: &str,
    rules: TimeRules,
    keys: &[&str],
    names: &[String],
    bytes: &[u8],
) -> Vec<Option<Fields>> {
    let field = |name: &&str| Field::parse(name).expect("a field");
    let projection = Arc::new(Projection {
        time_rules: rules,
        keys: keys.iter().map(field).collect(),
        ..Projection::of_times(field(&time))
    });
    let reading = Reading { projection, names, source: "-", max_line: 200 };
    let decoder = format.decoder(reading).unwrap_or_else(|error| panic!("{error}"));
    let mut batch = EventBatch::new(0, keys.len() + 1);
    batch.bytes = bytes.to_vec();
    decoder.decode(&Layout::default(), &mut batch, &mut Tools::default());
    let mut lines = vec![None; batch.lines as usize];
    for aside in &batch.asides {
        if let Aside::Bad(bad) = &aside.aside {
            lines[bad.span.line as usize] = Some(Err(bad.reason.as_str()));
        }
    }
    for (index, record) in batch.records.iter().enumerate() {
        let part = |part: KeyPart<'_>| match part {
            KeyPart::Null => None,
            KeyPart::Bool(value) => Some(value.to_string().into_bytes()),
            KeyPart::Number(number) => Some(number.into_bytes()),
            KeyPart::Text(text) => Some(text.as_bytes().to_vec()),
        };
        lines[record.line as usize] = Some(Ok(parts(batch.keys.get(index).0).map(part).collect()));
    }
    lines
}

/// What has to come of each line: what it is read as, then the time, then the keys in UTF-8.
fn expected(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Option<Vec<Option<Vec<u8>>>>,
    is_time: impl Fn(&[u8]) -> bool,
) -> Vec<Option<Fields>> {
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n');
    let outcome = |line: &[u8]| {
        if line.len() > 200 {
            return Some(Err("too_long"));
        }
        if line.trim_ascii().is_empty() {
            return None;
        }
        let Some(fields) = read(line.strip_suffix(b"\r").unwrap_or(line)) else { return Some(Err("format")) };
        let (time, keys) = fields.split_first().expect("the time is a field");
        if !time.as_deref().is_some_and(&is_time) {
            return Some(Err("time"));
        }
        let is_utf8 = |key: &Option<Vec<u8>>| key.as_ref().is_none_or(|key| std::str::from_utf8(key).is_ok());
        // An empty cell is null.
        let keys: Vec<_> = keys.iter().map(|key| key.clone().filter(|key| !key.is_empty())).collect();
        Some(if keys.iter().all(is_utf8) { Ok(keys) } else { Err("utf8") })
    };
    if bytes.is_empty() { Vec::new() } else { lines.map(outcome).collect() }
}

fn signature(lines: &[Option<Fields>]) -> Signature {
    let kind = |line: &Option<Fields>| match line {
        None => "blank".to_owned(),
        Some(Err(reason)) => (*reason).to_owned(),
        Some(Ok(keys)) => keys.iter().map(|key| if key.is_some() { '1' } else { '0' }).collect(),
    };
    let mut kinds: Vec<String> = lines.iter().map(kind).collect();
    kinds.dedup();
    kinds.truncate(6);
    Signature::of(kinds)
}

// --- logfmt --------------------------------------------------------------------------------------------------

/// A name, and its value if it has one.
type Pair = (Vec<u8>, Option<Vec<u8>>);

/// The pairs of a line: words between blanks, a quoted value with backslashes.
fn logfmt_pairs(line: &[u8]) -> Option<Vec<Pair>> {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        let name = r#"[^\x00-\x20="]+"#;
        let quoted = r#""((?:[^"\\]|\\.)*)""#;
        Regex::new(&format!(
            r#"(?s-u)\A(?:({name})={quoted}|({name})=([^\x00-\x20"][^\x00-\x20]*|)|({name})()(?:[\x00-\x20]|\z))"#
        ))
        .expect("regex")
    });
    let (mut pairs, mut rest) = (Vec::new(), line);
    loop {
        rest = &rest[rest.iter().take_while(|byte| **byte <= b' ').count()..];
        if rest.is_empty() {
            return Some(pairs);
        }
        let found = PAIR.captures(rest)?;
        let group = |group| found.get(group).map(|text| text.as_bytes().to_vec());
        let pair = match (group(1), group(3), group(5)) {
            (Some(name), ..) => (name, Some(unescaped(&group(2).expect("a value")))),
            (_, Some(name), _) => (name, Some(unescaped(&group(4).expect("a value")))),
            (.., Some(name)) => (name, None),
            _ => unreachable!("one of them matches"),
        };
        pairs.push(pair);
        rest = &rest[found.get(0).expect("a match").end()..];
    }
}

/// A value as JSON would unescape it; as it stands where that cannot be done.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let quoted = [b"\"", text, b"\""].concat();
    match serde_json::from_slice::<String>(&quoted) {
        Ok(unescaped) => unescaped.into_bytes(),
        Err(_) => text.to_vec(),
    }
}

const KEYS: [&str; 3] = ["a", "b", "/a.b"];

fn read_logfmt(line: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let pairs = logfmt_pairs(line)?;
    if pairs.iter().all(|(_, value)| value.is_none()) {
        return None;
    }
    let last = |name: &str| {
        let (_, value) = pairs.iter().rev().find(|(found, _)| found == name.as_bytes())?;
        Some(value.clone().unwrap_or_else(|| b"true".to_vec()))
    };
    let pointed = last("/a.b").or_else(|| last("a.b"));
    // Both names mean the field; the last of them counts.
    let place = |name: &str| pairs.iter().rposition(|(found, _)| found == name.as_bytes());
    let pointed = if place("a.b") > place("/a.b") { last("a.b") } else { pointed };
    Some(vec![last("ts"), last(KEYS[0]), last(KEYS[1]), pointed])
}

fn rules(format: TimeFormat) -> TimeRules {
    TimeRules { format, zone: Zone::utc(), year: YearRule::Written }
}

fn check_logfmt(input: &[u8]) -> Checked {
    let rules = rules(TimeFormat::Auto);
    let is_time = |text: &[u8]| rules.parse_text(text, &mut Default::default()).is_ok();
    let got = decoded(&Logfmt, "ts", rules.clone(), &KEYS, &[], input);
    equal("lines", &expected(input, read_logfmt, is_time), &got)?;
    Ok(signature(&got))
}

#[test]
fn logfmt_is_read_as_by_a_slow_reader() {
    let seeds = [
        "ts=1 a=x b=\"y z\" a.b=3\nts=2 a b=\n",
        "level=info ts=2026-01-01T00:00:00Z a=\"say \\\"hi\\\" \\u00e9\\n\" b=c=d\r\n\nts=1\n",
        "ts=\"1\" a=\"\\x\" b=\"\\\\\" debug\nplain words\n=1\na\"b\"=1\nts=1 a=\"open\n",
        "ts=1 ts=2 a=1 a=2 /a.b=1 a.b=2\nts=1 a=\"\" b=\"\"x=1\n",
    ];
    let words = [
        "ts=1 ",
        "ts=",
        "a=",
        "b=\"",
        "\"",
        "=",
        "\\",
        "\\\"",
        "\\u0041",
        "\\ud800",
        " ",
        "\n",
        "\t",
        "\0",
        "a.b=1",
        "/a.b=2 ",
        "a ",
        "\u{e9}",
        "\r\n",
        "x",
        "2026-01-01",
    ];
    let mut seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    seeds.push(b"ts=1 a=\xFF b=1\nts=1 \xFF=1 a=2\nts=\xFF\n".to_vec());
    Target { name: "logfmt", seeds, words: &words }.run(check_logfmt);
}

// --- access logs ---------------------------------------------------------------------------------------------

// A user name may have blanks in it; what follows the user agent is nobody's business.
static FIRST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s-u)\A([^ ]+) ([^ ]*) (.*?) \[([^\]]*)\](.*)\z").expect("a regex"));
static SECOND: LazyLock<Regex> = LazyLock::new(|| {
    let quoted = r#" "((?:[^"\\]|\\.)*)""#;
    Regex::new(&format!(r"(?s-u)\A{quoted} ([^ ]+) (?:([^ ]*){quoted}{quoted}.*|([^ ]+))\z")).expect("a regex")
});
static REQUEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s-u)\A([^ ]*) (?:(.*) (HTTP/.*?)|(.*))\z").expect("regex"));

/// Undoes what the servers escape.
fn undone(text: &[u8]) -> Vec<u8> {
    static ESCAPE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s-u)\\(?:x([0-9a-fA-F]{2})|(.)|\z)").expect("regex"));
    let plain = |found: &regex::bytes::Captures<'_>| match (found.get(1), found.get(2).map(|c| c.as_bytes()[0])) {
        (Some(hex), _) => {
            vec![u8::from_str_radix(std::str::from_utf8(hex.as_bytes()).expect("digits"), 16).expect("digits")]
        }
        (_, Some(b'n')) => vec![b'\n'],
        (_, Some(b'r')) => vec![b'\r'],
        (_, Some(b't')) => vec![b'\t'],
        (_, Some(other)) => vec![other],
        (None, None) => vec![b'\\'],
    };
    ESCAPE.replace_all(text, plain).into_owned()
}

/// All fields, the time first.
fn read_combined(line: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let first = FIRST.captures(line)?;
    let second = SECOND.captures(&first[5])?;
    let group = |group: usize| first[group].to_vec();
    let after = |group: usize| second.get(group).map(|text| text.as_bytes().to_vec());
    let request = second[1].to_vec();
    let [method, path, protocol] = match REQUEST.captures(&request) {
        None => [Vec::new(), request.clone(), Vec::new()],
        Some(parts) => {
            let part = |group: usize| parts.get(group).map(|text| text.as_bytes().to_vec()).unwrap_or_default();
            // Of several protocols the last one counts.
            match parts.get(3) {
                Some(_) => [part(1), part(2), part(3)],
                None => [part(1), part(4), Vec::new()],
            }
        }
    };
    let bytes = after(6).or(after(3)).unwrap_or_default();
    let [referer, agent] = [4, 5].map(|group| after(group).unwrap_or_default());
    let status = second[2].to_vec();
    let fields =
        [group(1), group(2), group(3), group(4), request, method, path, protocol, status, bytes, referer, agent];
    let field = |text: Vec<u8>| match text.as_slice() {
        b"" | b"-" => None,
        _ => Some(undone(&text)),
    };
    let fields: Vec<_> = fields.into_iter().map(field).collect();
    Some([vec![fields[3].clone()], fields].concat())
}

fn check_combined(input: &[u8]) -> Checked {
    let pattern = rules(TimeFormat::Pattern(Pattern::new("%d/%b/%Y:%H:%M:%S %z").expect("a pattern")));
    let is_time = |text: &[u8]| pattern.parse_text(text, &mut Default::default()).is_ok();
    let names = FIELDS.map(str::to_owned);
    let got = decoded(&Combined, "time", rules(TimeFormat::Auto), &FIELDS, &names, input);
    equal("lines", &expected(input, read_combined, is_time), &got)?;
    Ok(signature(&got))
}

#[test]
fn access_logs_are_read_as_by_a_slow_reader() {
    let seeds = [
        "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"http://x/\" \"Agent (v 1)\"\n",
        "::1 - John Doe [17/May/2015:10:05:03 +0100] \"POST /a b HTTP/2.0 HTTP/1.0\" 404 -\nh - - [17/May/2015:10:05:03 +0000] \"-\" 408 0 \"-\" \"say \\\"hi\\\" \\x41\\\\\" 0.003\r\n",
        "h i u [17/May/2015:10:05:03 +0000] \"\\x16\\x03\\x01\" 400 5\nh i u [x] [17/May/2015:10:05:03 +0000] \"GET /\" 200 5 \"\" \"\"\n\nh\n",
        "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 \nh - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200  \"a\" \"b\"\n",
    ];
    let words = [
        "h - - ",
        "[17/May/2015:10:05:03 +0000]",
        "\"GET / HTTP/1.1\"",
        " 200 5",
        " \"a\" \"b\"",
        "\"",
        "\\",
        "\\x4",
        "\\x41",
        "[",
        "]",
        " ",
        "-",
        " HTTP/1.0",
        "\n",
        "\r\n",
        "\u{e9}",
        "\0",
        "\\\"",
        " \"-\"",
    ];
    let mut seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    seeds.push(b"h - - [17/May/2015:10:05:03 +0000] \"GET /\xFF HTTP/1.1\" 200 5\n".to_vec());
    Target { name: "combined", seeds, words: &words }.run(check_combined);
}
