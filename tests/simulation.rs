//! Random histories against the reference model: the whole of stdout, the late drops and bad records in their
//! order, and the counters of the summary.
//!
//! `STREAMW_HISTORIES=100000` runs more of them. A failure prints its seed; `STREAMW_SEED=17` runs that one alone.

use std::collections::BTreeMap;
use std::env;
use std::panic::{self, AssertUnwindSafe};

use serde_json::Value;

use crate::history::{History, Kind};
use crate::model::{COUNTERS, Config, Counters, Model, Side};
use crate::util::{Output, Streamw, assert_same, parse_json, same};

/// Histories of all four kinds together.
const HISTORIES: u64 = 4000;
pub const KINDS: [Kind; 4] = [Kind::Tumbling, Kind::Sliding, Kind::Holes, Kind::Session];

#[test]
fn t2_t6_tumbling_histories_agree_with_the_model() {
    histories(Kind::Tumbling, "t2_t6_tumbling");
}

#[test]
fn t2_t6_sliding_histories_agree_with_the_model() {
    histories(Kind::Sliding, "t2_t6_sliding");
}

#[test]
fn t2_t6_histories_with_holes_agree_with_the_model() {
    histories(Kind::Holes, "t2_t6_histories_with_holes");
}

#[test]
fn t2_t7_session_histories_agree_with_the_model() {
    histories(Kind::Session, "t2_t7_session");
}

/// Counters that only flags bring about which are tested in running.rs.
const OF_OTHER_FLAGS: [&str; 4] = ["duplicates", "key_drops", "folded", "filled"];

/// The histories are worth something only if the rare things happen in them, and not rarely.
#[test]
fn histories_reach_every_rule() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in KINDS {
        for seed in 0..500 {
            let (rows, _, counters) = model(&History::new(kind, seed));
            // Those of flags that these histories do not have are looked for where they do.
            for (name, count) in counters.into_iter().filter(|(name, _)| !OF_OTHER_FLAGS.contains(name)) {
                *seen.entry(name).or_default() += count;
            }
            let marks = [
                ("born behind W", r#""pane":"late","revision":0"#),
                ("a second late update", r#""revision":2"#),
                ("replaces in a late pane", r#""pane":"late","revision":0,"replaces""#),
                ("replaces in an on_time pane", r#""pane":"on_time","revision":0,"replaces""#),
                ("two rows replaced", r#""],[""#),
                ("before 1970", r#""window_start":"1969"#),
                ("a null key", r#""k":null"#),
                ("an exact fraction", r#"_v":0.3"#),
                ("a whole range with a point", r#"range_v":0.0"#),
            ];
            for (name, mark) in marks {
                *seen.entry(name).or_default() += rows.matches(mark).count() as u64;
            }
        }
    }
    let rare: Vec<_> = seen.iter().filter(|(_, count)| **count < 10).collect();
    assert!(rare.is_empty(), "hardly ever seen: {rare:?} of {seen:?}");
}

#[test]
fn t9_long_histories_are_the_same_for_any_threads_and_reads() {
    for kind in KINDS {
        for seed in 0..6 {
            let history = History { threads: 1, read_size: usize::MAX, ..History::long(kind, seed) };
            if let Err(message) = agrees(&history) {
                panic!("kind {kind:?}, seed {seed}: {message}");
            }
            let expected = run(&history);
            for (threads, read_size) in [(2, 1000), (4, 300), (8, 4096), (16, 61)] {
                let got = run(&History { threads, read_size, ..history.clone() });
                let what = format!("kind {kind:?}, seed {seed}, {threads} threads, {read_size} bytes a read");
                assert_same(&format!("{what}: stdout"), &expected.stdout, &got.stdout);
                assert_same(&format!("{what}: stderr"), &side_lines(&expected), &side_lines(&got));
            }
        }
    }
}

fn histories(kind: Kind, test: &str) {
    histories_with(kind, test, |_| String::new());
}

/// Histories of a kind with more flags, which may depend on the seed; `test` is how to run them again.
pub fn histories_with(kind: Kind, test: &str, more_flags: impl Fn(u64) -> String) {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("STREAMW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STREAMW_HISTORIES").unwrap_or(HISTORIES).div_ceil(4),
    };
    for seed in seeds {
        let mut history = History::new(kind, seed);
        history.flags += &more_flags(seed);
        // Every history once; now and then in every way in which its bytes can arrive and be shared out (T9).
        let ways = match seed % 16 {
            0 => [1, 2, 4, 8].into_iter().flat_map(|threads| [1, 7, 4096].map(|size| (threads, size))).collect(),
            _ => vec![(history.threads, history.read_size)],
        };
        for (threads, read_size) in ways {
            let history = History { threads, read_size, ..history.clone() };
            if agrees(&history).is_err() {
                let history = shrink(history);
                let message = agrees(&history).expect_err("it was shrunk to something that fails");
                panic!("{}", report(&history, seed, test, &message));
            }
        }
    }
}

/// Whether the program does what the model says. A panic of the program is a no, too.
fn agrees(history: &History) -> Result<(), String> {
    let (expected_rows, side, counters) = model(history);
    let output = panic::catch_unwind(AssertUnwindSafe(|| run(history))).map_err(|_| "it panics".to_string())?;
    same("stdout", &expected_rows, &output.stdout)?;
    same("the JSON lines on stderr", &side, &side_lines(&output))?;
    same("the exit status", "0", &output.status.to_string())?;
    counters_agree(&counters, &output.summary())
}

fn run(history: &History) -> Output {
    Streamw::new()
        .args(&history.flags)
        .args(&format!("--stats --threads {}", history.threads))
        .stdin(history.input())
        .read_size(history.read_size)
        .run()
}

/// The rows, the lines on stderr and the counters that must come of a history.
pub fn model(history: &History) -> (String, String, Counters) {
    let mut model = Model::new(Config::parse(&history.flags));
    let mut rows = Vec::new();
    for record in &history.records {
        rows.extend(model.record(record, history.line_end.len()));
    }
    rows.extend(model.end());
    let rows = rows.iter().map(|row| format!("{row}\n")).collect();
    let side = model.side.iter().map(|line| match line {
        Side::LateDrop(line) => format!("{line}\n"),
        Side::Bad { line, offset, raw } => format!("bad line={line} offset={offset} raw={raw:?}\n"),
    });
    (rows, side.collect(), model.counters.clone())
}

/// Late drops as they stand; of bad records what the rules fix, for reason and detail are the program's own words.
fn side_lines(output: &Output) -> String {
    let lines = output.json_lines().into_iter().filter_map(|line| {
        let json = parse_json(line);
        match json["type"].as_str() {
            Some("summary") => None,
            Some("bad_record") => {
                let (line, offset) = (&json["line"], &json["offset"]);
                Some(format!("bad line={line} offset={offset} raw={:?}\n", json["raw"].as_str().unwrap_or("")))
            }
            _ => Some(format!("{line}\n")),
        }
    });
    lines.collect()
}

fn counters_agree(counters: &Counters, summary: &Value) -> Result<(), String> {
    let expected: Vec<String> = COUNTERS.iter().map(|name| format!("{name}={}", counters[name])).collect();
    let got: Vec<String> = COUNTERS.iter().map(|name| format!("{name}={}", summary[*name])).collect();
    same("the summary", &expected.join("\n"), &got.join("\n"))?;
    let count = |name: &str| summary[name].as_u64().unwrap_or(u64::MAX / 8);
    let sums = [
        ("records", vec!["blank", "headers", "bad", "duplicates", "events"]),
        ("events", vec!["added", "late_drops", "unwindowed", "key_drops"]),
        ("panes", vec!["on_time", "late"]),
    ];
    for (whole, parts) in sums {
        let sum: u64 = parts.iter().map(|part| count(part)).sum();
        same(&format!("{whole} as the sum of {parts:?}"), &count(whole).to_string(), &sum.to_string())?;
    }
    Ok(())
}

/// Leaves out records, many at a time and then few, as long as what is left still fails.
fn shrink(mut history: History) -> History {
    let mut piece = history.records.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at + piece <= history.records.len() {
            let mut smaller = history.clone();
            smaller.records.drain(at..at + piece);
            // The header of a CSV file has to stay.
            if !(at == 0 && history.flags.contains("-i csv")) && agrees(&smaller).is_err() {
                history = smaller;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    history
}

fn report(history: &History, seed: u64, test: &str, message: &str) -> String {
    format!(
        "the program and the model do not agree (seed {seed}, shrunk to {} records)\n{message}\n\
         --- input, read {} bytes at a time\n{}\n--- command\n\
         streamw {} --stats --threads {}\n--- again\nSTREAMW_SEED={seed} cargo test --test main {test}",
        history.records.len(),
        history.read_size,
        String::from_utf8_lossy(&history.input()),
        history.flags,
        history.threads,
    )
}
