//! Rows that come once, duplicates, bounded keys, silent windows (T3, T4, T5, T7, T9): `--emit final`, `--dedup`,
//! `--key-limit`, `--fill`.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Kind};
use crate::simulation::{KINDS, histories_with, model};
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
        histories_with(kind, "t3_final_histories", |_| " --emit final".to_owned());
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

// --- --dedup -------------------------------------------------------------------------------------------------

/// A length of time in the unit in which the windows of a history are given.
fn length(flags: &str, number: u64) -> String {
    let window = flags.split(" -w ").nth(1).and_then(|rest| rest.split([' ', '/']).next()).expect("a window");
    let unit: String = window.trim_start_matches("session:").chars().filter(char::is_ascii_alphabetic).collect();
    format!("{number}{unit}")
}

/// Flags for a history of a kind.
fn dedup_flags(kind: Kind, seed: u64) -> String {
    let field = ["n", "s", "v", "k"][seed as usize / 5 % 4];
    let flags = History::new(kind, seed).flags;
    match seed % 5 {
        0 | 1 => format!(" --dedup {field}"),
        2 => format!(" --dedup {field} --dedup-within {}", length(&flags, seed / 20 % 12)),
        3 => format!(" --dedup {field} --dedup-within {}", length(&flags, seed / 20 % 4 * 250)),
        _ => format!(" --dedup {field} --emit final"),
    }
}

#[test]
fn dedup_histories_agree_with_the_model() {
    for kind in KINDS {
        histories_with(kind, "dedup_histories", |seed| dedup_flags(kind, seed));
    }
}

/// How often these are counted in histories of all kinds.
#[track_caller]
fn assert_reached(names: &[&str], flags: impl Fn(Kind, u64) -> String) {
    for name in names {
        let count = |kind: Kind, seed: u64| {
            let mut history = History::new(kind, seed);
            history.flags += &flags(kind, seed);
            model(&history).2[name]
        };
        let sum: u64 = KINDS.iter().flat_map(|kind| (0..200).map(|seed| count(*kind, seed))).sum();
        assert!(sum > 200, "{name} is hardly ever seen: {sum}");
    }
}

#[test]
fn dedup_histories_have_duplicates() {
    assert_reached(&["duplicates"], dedup_flags);
}

#[test]
fn dedup_counts_what_was_seen_and_takes_it_for_no_event() {
    for (flags, input, rows, duplicates, late_drops) in [
        ("", "1 a x,2 a x,3 b x,4 a y", "0..10 2 on_time 0", 2, 0),
        // Values are typed, and null is never a duplicate.
        ("", "1 a,2 a,3 a", "0..10 3 on_time 0", 0, 0),
        // Across windows, until those of the first are gone: end + L = W.
        ("-l 5s", "1 a x,11 a x,15 a y,16 a x", "0..10 1 on_time 0;10..20 2 on_time 0", 1, 0),
        ("-d 5s", "1 a x,14 a y,9 a x", "0..10 1 on_time 0;10..20 1 on_time 0", 1, 0),
        ("-d 5s", "1 a x,15 a y,16 a x", "0..10 1 on_time 0;10..20 2 on_time 0", 0, 0),
        // A duplicate moves no watermark.
        ("", "1 a x,99 a x,2 a y", "0..10 2 on_time 0", 1, 0),
        // The id of a late drop does not count.
        ("--dedup-within 1h", "30 a y,1 a x,31 a x,32 a x", "30..40 2 on_time 0", 1, 1),
        ("--dedup-within 2s", "1 a x,3 a x,4 a x,6 a x", "0..10 2 on_time 0", 2, 0),
        ("--dedup-within 0s", "1 a x,1 a x,2 a x", "0..10 2 on_time 0", 1, 0),
        // Of several windows the longest counts.
        ("-w 60s", "1 a x,12 a y,13 a x", "0..10 1 on_time 0;10..20 1 on_time 0;0..60 2 on_time 0", 1, 0),
    ] {
        let output = run(&format!("-w 10s --dedup id {flags}"), records(input));
        assert_eq!(brief(&output, &["count"]).join(";"), rows, "{flags}: {input}");
        let summary = output.summary();
        assert_eq!(
            (&summary["duplicates"], &summary["late_drops"]),
            (&duplicates.into(), &late_drops.into()),
            "{input}"
        );
    }
}

#[test]
fn dedup_ids_are_those_of_keys_and_bad_ones_make_bad_records() {
    let input = "{\"ts\":1,\"id\":1}\n{\"ts\":2,\"id\":\"1\"}\n{\"ts\":3,\"id\":1.0}\n{\"ts\":4,\"id\":[1]}\n{\"ts\":5,\"id\":null}\n\
                 {\"ts\":6,\"id\":null}\n{\"ts\":7,\"id\":\"NA\"}\n{\"ts\":8,\"id\":\"NA\"}\n";
    let output = run("-w 10s --dedup id --null NA", input);
    assert_eq!(brief(&output, &["count"]), ["0..10 6 on_time 0"]);
    let summary = output.summary();
    assert_eq!((&summary["duplicates"], &summary["bad"]), (&1.into(), &1.into()));
    assert!(output.stderr.contains("id \\\"id\\\" is an object or an array"), "{}", output.stderr);
    // A bad record's id does not count, and a duplicate is judged by no guard.
    let jump =
        run("-w 10s --dedup id --max-jump 5s -l 1h", records("1 a x,100 a y,3 a y,200 a x,300 a z,300 a z,300 a z"));
    assert_eq!((&jump.summary()["duplicates"], &jump.summary()["bad"]), (&1.into(), &3.into()), "{}", jump.stderr);
    let csv = run("-w 10s -i csv --dedup id", "ts,id\n1,7\n2,7\n3,\n4,\n");
    assert_eq!(brief(&csv, &["count"]), ["0..10 3 on_time 0"]);
    let missing = run("-w 10s -i csv --dedup iid", "ts,id\n1,7\n");
    assert!(missing.status == 1 && missing.stderr.contains("near: id"), "{}", missing.stderr);
    assert_refused("-w 10s --dedup-within 5s", &["--dedup <FIELD>"]);
    assert_refused("-w 10s -w count:5 --dedup id", &["--dedup-within"]);
    let count = run("-w count:2 --dedup id --dedup-within 5s", records("1 a x,2 a y,2 a x,9 a x"));
    assert_eq!((count.stdout.lines().count(), &count.summary()["duplicates"]), (2, &1.into()), "{}", count.stdout);
    assert_refused("-w 10s --dedup id --dedup-within -5s", &["--dedup-within", "negative"]);
}

// --- --key-limit ---------------------------------------------------------------------------------------------

/// Flags for a history of a kind that has keys.
fn limit_flags(kind: Kind, seed: u64) -> String {
    let more = if History::new(kind, seed).flags.contains(" -k ") { "" } else { " -k k" };
    let dedup = if seed.is_multiple_of(7) { " --dedup n" } else { "" };
    let how = if seed.is_multiple_of(2) { "other" } else { "drop" };
    format!("{more} --key-limit {} --on-key-limit {how}{dedup}", seed / 2 % 4 + 1)
}

#[test]
fn key_limit_histories_agree_with_the_model() {
    for kind in KINDS {
        histories_with(kind, "key_limit_histories", |seed| limit_flags(kind, seed));
    }
    assert_reached(&["folded", "key_drops"], limit_flags);
}

#[test]
fn key_limit_folds_or_drops_what_is_one_too_many() {
    for (flags, input, rows, folded, drops) in [
        (
            "other",
            "1 a,2 b,3 c,4 a,5 d",
            "0..10 a 2 null on_time 0;0..10 b 1 null on_time 0;0..10 null 2 true on_time 0",
            2,
            0,
        ),
        ("drop", "1 a,2 b,3 c,4 a,5 d", "0..10 a 2 null on_time 0;0..10 b 1 null on_time 0", 0, 2),
        // The key null is one of them, and none of the others.
        (
            "other",
            "1,2 a,3 b,4",
            "0..10 null 2 null on_time 0;0..10 a 1 null on_time 0;0..10 null 1 true on_time 0",
            1,
            0,
        ),
        // Whose windows are gone has no state: there is room again.
        (
            "drop",
            "1 a,2 b,11 c,12 d,13 a",
            "0..10 a 1 null on_time 0;0..10 b 1 null on_time 0;10..20 d 1 null on_time 0;10..20 a 1 null on_time 0",
            0,
            1,
        ),
        // A late drop takes nobody's place, and a dropped event is one for the watermark.
        ("drop", "11 a,12 b,1 c,23 d,15 e", "10..20 a 1 null on_time 0;10..20 b 1 null on_time 0", 0, 1),
    ] {
        let output = run(&format!("-w 10s -k k --key-limit 2 --on-key-limit {flags}"), records(input));
        let mut expected: Vec<_> = rows.split(';').collect();
        let mut got = brief(&output, &["k", "count", "other"]);
        expected.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, expected, "{flags}: {input}");
        let summary = output.summary();
        assert_eq!((&summary["folded"], &summary["key_drops"]), (&folded.into(), &drops.into()), "{input}");
    }
}

#[test]
fn key_limit_fails_unless_told_otherwise_and_says_where() {
    let output = run("-w 10s -k k --key-limit 2", records("1 a,2 b,3 a,4 c,5 a"));
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    let said = "stopped at line 4 of -: its key is one more than --key-limit allows";
    assert!(output.stderr.contains(said) && output.stderr.contains("--on-key-limit"), "{}", output.stderr);
    assert_refused("-w 10s --key-limit 2", &["-k FIELD"]);
    assert_refused("-w 10s -k k --key-limit 0", &["--key-limit"]);
    assert_refused("-w 10s -k k --on-key-limit drop", &["--key-limit <N>"]);
    assert_refused("-w 10s -k other", &["\"other\"", "-k my_other=other"]);
}

/// Each -w is judged by itself (T4), and the row of others comes last of its window, marked in CSV too.
#[test]
fn key_limit_is_one_for_each_window() {
    let input = records("1 a,2 b,11 c,12 a,13 d");
    let flags = "-k k --key-limit 2 --on-key-limit other";
    let both = run(&format!("-w 10s -w 30s {flags}"), input.clone());
    for window in ["10s", "30s"] {
        let alone = run(&format!("-w {window} {flags}"), input.clone());
        let mark = format!("{{\"window\":\"{window}\",");
        let own: Vec<_> = both.stdout.lines().filter_map(|row| row.strip_prefix(&mark)).collect();
        let expected: Vec<_> = alone.stdout.lines().map(|row| &row[1..]).collect();
        assert_eq!(own, expected, "{window}");
    }
    assert_eq!(both.summary()["folded"], 3);
    let csv = run("-w 30s -k k -k id --key-limit 2 --on-key-limit other -o csv", input);
    let rows: Vec<_> = csv.stdout.lines().collect();
    assert_eq!(rows[0], "window_start,window_end,k,id,count,pane,revision,other");
    assert_eq!((rows[1], rows[3]), ("0,30,a,,2,on_time,0,", "0,30,,,2,on_time,0,true"));
}

#[test]
fn key_limit_and_dedup_bound_what_is_kept() {
    let peak = |flags: &str, count: u64| {
        let input: String = (0..count).map(|i| format!("{{\"ts\":{},\"k\":{i},\"id\":{i}}}\n", i / 100)).collect();
        run(flags, input).summary()["peak_state_bytes"].as_u64().expect("a number")
    };
    for flags in ["-w 1d -k k --key-limit 20 --on-key-limit other", "-w 10s --dedup id", "-w session:3s --dedup id"] {
        let (few, many) = (peak(flags, 5_000), peak(flags, 50_000));
        assert!(many < few * 3 / 2, "{flags}: {few}, then {many} bytes");
    }
}
