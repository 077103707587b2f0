//! Rows that come once, duplicates, bounded keys, silent windows (T3, T4, T5, T7, T9): `--emit final`, `--dedup`,
//! `--key-limit`, `--fill`.

use std::collections::{BTreeMap, BTreeSet};

use crate::simulation::{KINDS, histories_with};
use crate::util::{Output, Streamw, parse_json};

/// The rows of NDJSON with these flags, each in short: `start..end`, the named members, pane and revision.
fn brief(output: &Output, names: &[&str]) -> Vec<String> {
    let brief = |line: &str| {
        let row = parse_json(line);
        let members: Vec<String> = names.iter().map(|name| row[*name].to_string().replace('"', "")).collect();
        let pane = row["pane"].as_str().expect("a pane");
        format!("{}..{} {} {pane} {}", row["window_start"], row["window_end"], members.join(" "), row["revision"])
    };
    output.stdout.lines().map(brief).collect()
}

fn run(flags: &str, input: impl Into<Vec<u8>>) -> Output {
    Streamw::new().args("-t ts --output-time s --stats").args(flags).stdin(input).run()
}

/// Records from `time`, `time key` or `time key id`.
fn records(text: &str) -> String {
    let record = |text: &str| {
        let mut words = text.split_whitespace();
        let mut record = format!("{{\"ts\":{}", words.next().expect("a time"));
        for (name, word) in ["k", "id"].iter().zip(words) {
            record += &format!(",\"{name}\":\"{word}\"");
        }
        record + "}\n"
    };
    text.split(',').map(record).collect()
}

#[track_caller]
fn assert_refused(flags: &str, hints: &[&str]) {
    let output = Streamw::new().args("-t ts").args(flags).run();
    assert_eq!(output.status, 2, "{flags}: {}", output.stderr);
    for hint in hints {
        assert!(output.stderr.contains(hint), "{flags}: {} has no {hint}", output.stderr);
    }
}

// --- --emit final --------------------------------------------------------------------------------------------

#[test]
fn t3_final_histories_agree_with_the_model() {
    for kind in KINDS {
        histories_with(kind, "t3_final running", |_| " --emit final".to_owned());
    }
}

#[test]
fn t3_a_final_row_comes_when_nothing_can_change_it() {
    for (flags, input, expected) in [
        // end + L = W, and one before it.
        ("-w 10s -l 5s", "1 a,14 a,3 a", "0..10 2 on_time 0;10..20 1 on_time 0"),
        ("-w 10s -l 5s", "1 a,15 a,3 a", "0..10 1 on_time 0;10..20 1 on_time 0"),
        ("-w 10s -l 5s -d 2s", "1 a,16 a,3 a", "0..10 2 on_time 0;10..20 1 on_time 0"),
        // Born behind W: on time all the same.
        ("-w 10s -l 15s", "20 a,1 a", "0..10 1 on_time 0;20..30 1 on_time 0"),
        // A lateness beyond all time lasts until the end of input.
        ("-w 10s -l 100000000d", "1 a,999999999 a,3 a", "0..10 2 on_time 0;999999990..1000000000 1 on_time 0"),
        // A session merges until it is printed.
        ("-w session:5s -l 10s", "1 a,14 a,6 a,9 a", "1..19 4 on_time 0"),
        ("-w session:5s -l 10s", "1 a,16 a,9 a,6 a", "1..6 1 on_time 0;6..14 2 on_time 0;16..21 1 on_time 0"),
        ("-w 20s/10s -l 5s", "1 a,16 a,6 a", "-10..10 1 on_time 0;0..20 3 on_time 0;10..30 1 on_time 0"),
    ] {
        let output = run(&format!("{flags} --emit final"), records(input));
        assert_eq!(brief(&output, &["count"]).join(";"), expected, "{flags}: {input}");
    }
    assert_refused("-w 10s --emit once", &["--emit", "final"]);
}

/// What is final is what all panes come to: the row of the highest revision that nothing replaces.
#[test]
fn t9_final_rows_are_those_that_are_left_of_all_panes() {
    for window in ["10s", "30s/10s", "session:4s", "cumulate:60s/20s"] {
        let flags = format!("-w {window} -k k -a count -a sum:v -d 3s -l 25s --late /dev/null");
        let mut state = 5_u64;
        let mut below = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let event = |index: u64| {
            let ts = (index * 2 + 100).saturating_sub(below(45));
            format!("{{\"ts\":{ts},\"k\":{},\"v\":{}}}\n", below(3), below(100))
        };
        let input: String = (0..500).map(event).collect();
        let mut left: BTreeMap<(String, String, String), String> = BTreeMap::new();
        for line in run(&flags, input.clone()).stdout.lines() {
            let row = parse_json(line);
            for old in row["replaces"].as_array().into_iter().flatten() {
                left.remove(&(row["k"].to_string(), old[0].to_string(), old[1].to_string()));
            }
            let at = (row["k"].to_string(), row["window_start"].to_string(), row["window_end"].to_string());
            left.insert(at, line.split(",\"pane\"").next().expect("a row").to_owned());
        }
        let output = run(&format!("{flags} --emit final"), input);
        let rows: Vec<_> = output.stdout.lines().collect();
        assert!(rows.iter().all(|row| row.ends_with("\"pane\":\"on_time\",\"revision\":0}")), "{window}");
        let rows: BTreeSet<_> =
            rows.iter().map(|row| row.split(",\"pane\"").next().expect("a row").to_owned()).collect();
        assert_eq!(rows, left.into_values().collect(), "{window}");
        assert_eq!(output.summary()["late"], 0);
        assert!(rows.len() > 50, "{window}");
    }
}
