//! Transcripts: histories in small steps, each with what must come out of it, worked out by hand.
//!
//! One file of `testdata/transcripts` is one history, named after the rule that it shows:
//!
//! ```text
//! # why this is so
//! flags  -k k -w 10s -l 5s -a count
//! in     3s a 1 | 12s a 5                        events: time, then the columns
//! out    [0s,10s) a count=1 on_time 0            a row: window, keys, aggregates, pane, revision
//! in     4s a 2
//! out    [0s,10s) a count=2 late 1
//! in     20s a
//! in     9s a 7
//! drop   9s a 7 line=5 W=20s late_by=11s         a late drop on stderr
//! end
//! out    [10s,20s) a count=1 on_time 0
//! stats  late_drops=1                            some counters of the summary
//! ```
//!
//! Times are seconds since the epoch. `columns` names the columns (`k v`); `_` is a field that is not there; a
//! word that is no JSON is a string. `in raw TEXT` is a record as it stands and `bad line=N` what becomes of it.
//! `out` may end in `replaces [0s,4s) [6s,9s)`. Without `in` and `end`, each `refused FLAGS` is a usage error.
//!
//! What must come out of a step must come out before the next one: each transcript is run cut short after each
//! step, with a pause after each step, and as a whole; and the reference model must agree with it.

use std::fs;
use std::path::Path;

use crate::model::{Config, Event, Field, Meaning, Model, Record, Side, duration, json_string, rfc3339};
use crate::util::{Output, Streamw, parse_json, same};

const ALWAYS: &str = "-i ndjson -t ts --time-format ns --stats";

#[derive(Default)]
struct Transcript {
    name: String,
    flags: String,
    steps: Vec<Step>,
    /// The JSON lines on stderr: whole for late drops, `bad line=N` for bad records.
    side: Vec<String>,
    stats: Vec<(String, u64)>,
    refused: Vec<String>,
}

/// What goes in, or the end of input, and the rows that come out.
#[derive(Default)]
struct Step {
    records: Vec<Record>,
    ends: bool,
    rows: Vec<String>,
}

// --- reading -------------------------------------------------------------------------------------------------

impl Transcript {
    fn parse(name: &str, text: &str) -> Transcript {
        let mut transcript = Transcript { name: name.to_string(), ..Transcript::default() };
        let mut columns = vec!["k", "v"];
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match verb {
                "flags" => transcript.flags = rest.to_string(),
                "columns" => columns = rest.split_whitespace().collect(),
                "refused" => transcript.refused.push(rest.to_string()),
                "in" => {
                    let records = match rest.strip_prefix("raw ") {
                        Some(raw) => vec![Record { raw: raw.into(), meaning: Meaning::Bad }],
                        None => rest.split('|').map(|event| record(event, &columns)).collect(),
                    };
                    transcript.steps.push(Step { records, ..Step::default() });
                }
                "end" => transcript.steps.push(Step { ends: true, ..Step::default() }),
                "out" => {
                    let row = row(rest, &transcript.flags);
                    transcript.steps.last_mut().expect("something goes in first").rows.push(row);
                }
                "drop" => {
                    let line = transcript.late_drop(rest, &columns);
                    transcript.side.push(line);
                }
                "bad" => transcript.side.push(format!("bad {rest}")),
                "stats" => transcript.stats.extend(rest.split_whitespace().map(|word| {
                    let (name, count) = word.split_once('=').expect("a counter is NAME=COUNT");
                    (name.to_string(), count.parse().expect("a count"))
                })),
                _ => panic!("{name}: what is {line:?}?"),
            }
        }
        let ends = transcript.steps.last().is_some_and(|step| step.ends);
        assert!(ends || !transcript.refused.is_empty(), "{name}: a transcript ends with `end`");
        transcript
    }

    /// `3s a 1 line=4 W=20s late_by=17s`
    fn late_drop(&self, text: &str, columns: &[&str]) -> String {
        let (event, said) = text.split_at(text.find("line=").expect("a drop has a line"));
        let said = |name: &str| {
            let mut values = said.split_whitespace().filter_map(|word| word.split_once('='));
            values.find(|(key, _)| *key == name).expect("a drop has line, W and late_by").1
        };
        let dropped = record(event, columns);
        let line: usize = said("line").parse().expect("a line number");
        let before: Vec<&Record> = self.steps.iter().flat_map(|step| &step.records).take(line).collect();
        assert_eq!(before[line - 1].raw, dropped.raw, "{}: line {line} is the one that is dropped", self.name);
        let offset: usize = before[..line - 1].iter().map(|record| record.raw.len() + 1).sum();
        let keys: Vec<String> = keys(&self.flags)
            .map(|name| {
                let column = columns.iter().position(|column| *column == name).expect("a key is a column");
                json_word(event.split_whitespace().nth(column + 1).unwrap_or("_"))
            })
            .collect();
        let key = match keys.as_slice() {
            [] => "null".to_string(),
            [one] => one.clone(),
            several => format!("[{}]", several.join(",")),
        };
        format!(
            r#"{{"type":"late_drop","source":"-","line":{line},"offset":{offset},"time":"{}","key":{key},"watermark":"{}","late_by_ns":{},"raw":{}}}"#,
            time(event.split_whitespace().next().expect("an event has a time")),
            time(said("W")),
            duration(said("late_by")),
            json_string(&String::from_utf8_lossy(&dropped.raw)),
        )
    }

    /// The input of some steps.
    fn input(&self, steps: usize) -> Vec<u8> {
        let records = self.steps[..steps].iter().flat_map(|step| &step.records);
        records.flat_map(|record| [record.raw.as_slice(), b"\n"].concat()).collect()
    }

    /// The output of some steps.
    fn rows(&self, steps: usize) -> String {
        let rows = self.steps[..steps].iter().flat_map(|step| &step.rows);
        rows.map(|row| format!("{row}\n")).collect()
    }

    fn streamw(&self) -> Streamw {
        Streamw::new().args(ALWAYS).args(&self.flags)
    }
}

fn time(word: &str) -> String {
    rfc3339(duration(word))
}

fn keys(flags: &str) -> impl Iterator<Item = &str> {
    let words = flags.split_whitespace();
    words.clone().zip(words.skip(1)).filter(|(flag, _)| *flag == "-k").map(|(_, name)| name)
}

/// A word as JSON: as it stands if it is JSON, else as a string; `_` is nothing.
fn json_word(word: &str) -> String {
    match word {
        "_" => "null".to_string(),
        _ if serde_json::from_str::<serde_json::Value>(word).is_ok() => word.to_string(),
        _ => json_string(word),
    }
}

/// `3s a 1`
fn record(text: &str, columns: &[&str]) -> Record {
    let mut words = text.split_whitespace();
    let time = duration(words.next().expect("an event has a time"));
    let (mut raw, mut fields) = (format!(r#"{{"ts":{time}"#), Vec::new());
    for (name, word) in columns.iter().zip(words).filter(|(_, word)| *word != "_") {
        let value = json_word(word);
        let field = match parse_json(&value) {
            serde_json::Value::Null => Field::Null,
            serde_json::Value::Bool(value) => Field::Bool(value),
            serde_json::Value::String(text) => Field::Text(text),
            _ => Field::Number(value.clone()),
        };
        raw += &format!(r#","{name}":{value}"#);
        fields.push((name.to_string(), field));
    }
    Record { raw: (raw + "}").into_bytes(), meaning: Meaning::Event(Event { time, fields }) }
}

/// `[0s,10s) a count=1 sum_v=2.5 on_time 0 replaces [0s,4s)`
fn row(text: &str, flags: &str) -> String {
    let bounds = |word: &str| {
        let bounds = word.strip_prefix('[').and_then(|word| word.strip_suffix(')'));
        let (start, end) = bounds.and_then(|word| word.split_once(',')).expect("a window is [START,END)");
        (time(start), time(end))
    };
    let mut words = text.split_whitespace().peekable();
    let (start, end) = bounds(words.next().expect("a row has a window"));
    let mut row = format!(r#"{{"window_start":"{start}","window_end":"{end}""#);
    for name in keys(flags) {
        row += &format!(r#","{name}":{}"#, json_word(words.next().expect("a row has its keys")));
    }
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        row += &format!(r#","{name}":{value}"#);
        words.next();
    }
    let (pane, revision) = (words.next().expect("a pane"), words.next().expect("a revision"));
    row += &format!(r#","pane":"{pane}","revision":{revision}"#);
    if words.next().is_some_and(|word| word == "replaces") {
        let list: Vec<String> = words.map(bounds).map(|(start, end)| format!(r#"["{start}","{end}"]"#)).collect();
        row += &format!(r#","replaces":[{}]"#, list.join(","));
    }
    row + "}"
}

// --- running -------------------------------------------------------------------------------------------------

/// Runs `check` over the transcripts and reports the first few that fail; a failure can take its time.
fn over_all(check: impl Fn(&Transcript) -> Result<(), String>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/transcripts");
    let entries = fs::read_dir(&directory).expect("there are transcripts");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are transcripts");
    let mut failures = Vec::new();
    for path in paths {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let transcript = Transcript::parse(&name, &fs::read_to_string(&path).expect("a transcript is text"));
        if let Err(message) = check(&transcript) {
            failures.push(format!("=== {name}: streamw {ALWAYS} {}\n{message}", transcript.flags));
        }
        if failures.len() == 3 {
            break;
        }
    }
    assert!(failures.is_empty(), "{} transcripts fail\n{}", failures.len(), failures.join("\n"));
}

/// Late drops as they stand, bad records as `bad line=N`.
fn side_lines(output: &Output) -> String {
    let lines = output.json_lines().into_iter().filter_map(|line| {
        let json = parse_json(line);
        match json["type"].as_str() {
            Some("summary") => None,
            Some("bad_record") => Some(format!("bad line={}\n", json["line"])),
            _ => Some(format!("{line}\n")),
        }
    });
    lines.collect()
}

fn whole_run_agrees(transcript: &Transcript, output: &Output) -> Result<(), String> {
    let side: String = transcript.side.iter().map(|line| format!("{line}\n")).collect();
    same("stdout", &transcript.rows(transcript.steps.len()), &output.stdout)?;
    same("the JSON lines on stderr", &side, &side_lines(output))?;
    same("the exit status", "0", &output.status.to_string())?;
    let summary = output.summary();
    for (name, count) in &transcript.stats {
        same(&format!("the counter {name}"), &count.to_string(), &summary[name].to_string())?;
    }
    Ok(())
}

#[test]
fn transcripts_hold_for_any_threads_and_reads() {
    over_all(|transcript| {
        for (threads, read_size) in [(1, usize::MAX), (1, 1), (2, 7), (8, 64)] {
            if !transcript.steps.is_empty() {
                let threads = format!("--threads {threads}");
                let run = transcript.streamw().args(&threads).stdin(transcript.input(transcript.steps.len()));
                whole_run_agrees(transcript, &run.read_size(read_size).run())?;
            }
        }
        Ok(())
    });
}

/// Nothing comes out too early or too late: with `--strict` a bad record after a step ends the run there, and
/// what is open then is not printed (E1).
#[test]
fn transcripts_hold_cut_short_after_each_step() {
    over_all(|transcript| {
        let has_bad = |step: &Step| step.records.iter().any(|record| matches!(record.meaning, Meaning::Bad));
        let steps = transcript.steps.iter().take_while(|step| !step.ends && !has_bad(step)).count();
        for step in 1..=steps {
            let input = [transcript.input(step).as_slice(), b"stop here\n"].concat();
            let output = transcript.streamw().arg("--strict").stdin(input).run();
            same(&format!("stdout after step {step}"), &transcript.rows(step), &output.stdout)?;
            same("the exit status", "1", &output.status.to_string())?;
        }
        Ok(())
    });
}

/// A pause of the input brings out everything that W allows (DESIGN.md 4).
#[test]
fn transcripts_hold_live_with_a_pause_after_each_step() {
    over_all(|transcript| {
        if transcript.steps.is_empty() {
            return Ok(());
        }
        let live = transcript.streamw().start();
        for (number, step) in (1..).zip(&transcript.steps).take_while(|(_, step)| !step.ends) {
            live.send(step.records.iter().flat_map(|record| [&record.raw, &b"\n"[..]].concat()).collect::<Vec<u8>>());
            let expected = transcript.rows(number);
            same(&format!("stdout in the pause after step {number}"), &expected, &live.stdout_like(&expected))?;
        }
        whole_run_agrees(transcript, &live.end())
    });
}

#[test]
fn transcripts_of_usage_errors_are_refused() {
    over_all(|transcript| {
        for flags in &transcript.refused {
            let output = Streamw::new().args("-i ndjson -t ts").args(flags).stdin("{\"ts\":1}\n").run();
            same(&format!("the exit status of {flags:?}"), "2", &output.status.to_string())?;
            same(&format!("stdout of {flags:?}"), "", &output.stdout)?;
            same(&format!("whether stderr says why {flags:?}"), "true", &(!output.stderr.is_empty()).to_string())?;
        }
        Ok(())
    });
}

#[test]
fn the_model_agrees_with_the_transcripts() {
    over_all(|transcript| {
        if transcript.steps.is_empty() {
            return Ok(());
        }
        let mut model = Model::new(Config::parse(&transcript.flags));
        for (number, step) in (1..).zip(&transcript.steps) {
            let rows: Vec<String> = if step.ends {
                model.end()
            } else {
                step.records.iter().flat_map(|record| model.record(record, 1)).collect()
            };
            same(&format!("the model's output of step {number}"), &step.rows.join("\n"), &rows.join("\n"))?;
        }
        let side = model.side.iter().map(|line| match line {
            Side::LateDrop(line) => line.clone(),
            Side::Bad { line, .. } => format!("bad line={line}"),
        });
        same("the model's late drops", &transcript.side.join("\n"), &side.collect::<Vec<_>>().join("\n"))?;
        for (name, count) in &transcript.stats {
            let got = model.counters[name.as_str()];
            same(&format!("the model's counter {name}"), &count.to_string(), &got.to_string())?;
        }
        Ok(())
    });
}
