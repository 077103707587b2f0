//! Which rows are printed, and what must not be so: `--having`, `--fail-if`, `--warn-if`, `--for`.

use crate::util::{Output, Streamw, assert_same, parse_json};
use serde_json::json;

/// Events `TIME KEY VALUE`.
fn events(text: &str) -> String {
    let line = |event: &str| {
        let words: Vec<_> = event.split_whitespace().collect();
        format!("{{\"ts\":{},\"k\":\"{}\",\"v\":{}}}\n", words[0], words[1], words[2])
    };
    text.split('|').map(line).collect()
}

fn run(flags: &str, expressions: &[&str], input: &str) -> Output {
    let mut streamw = Streamw::new().args("-i ndjson -t ts -k k -o csv").args(flags);
    for expression in expressions {
        streamw = streamw.arg(*expression);
    }
    streamw.stdin(events(input)).run()
}

/// The rows without the window's end and the header.
fn rows(output: &Output) -> Vec<String> {
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        format!("{} {}", &cells[0][14..19], cells[2..].join(" "))
    };
    output.stdout.lines().skip(1).map(row).collect()
}

/// What was violated, and in which rows.
fn violations(output: &Output) -> Vec<String> {
    let said = |line: &str| {
        let line = parse_json(line);
        let row = &line["row"];
        let window = row["window_start"].as_str().map_or("", |start| &start[14..19]);
        format!(
            "{} {} {window} {}",
            line["check"].as_str().expect("a check"),
            row["k"].as_str().unwrap_or("-"),
            line["values"]
        )
    };
    output.lines_of_type("violation").into_iter().map(said).collect()
}

const SIX: &str = "1 a 5 | 2 b 7 | 11 a 1 | 12 b 20 | 21 a 9 | 22 a 9";

#[test]
fn having_lets_rows_through() {
    for (condition, expected) in [
        ("sum_v > 6", &["00:00 b 1 7 on_time 0", "00:10 b 1 20 on_time 0", "00:20 a 2 18 on_time 0"][..]),
        ("k == 'a' && count == 1", &["00:00 a 1 5 on_time 0", "00:10 a 1 1 on_time 0"]),
        ("row[\"sum_v\"] / count == 9", &["00:20 a 2 18 on_time 0"]),
        ("window_start >= '1970-01-01T00:00:20Z'", &["00:20 a 2 18 on_time 0"]),
        ("k in ['c']", &[]),
        ("revision > 0", &[]),
    ] {
        let output = run("-w 10s -a count -a sum:v --stats", &["--having", condition], SIX);
        assert_eq!(rows(&output), expected, "{condition}");
        let summary = output.summary();
        let counts = ["panes", "on_time"].map(|name| summary[name].as_u64());
        assert_eq!(counts, [Some(expected.len() as u64); 2], "{condition}: the summary counts rows printed");
        assert_eq!(output.status, 0);
    }
}

#[test]
fn a_table_stays_right_when_a_correction_is_left_out() {
    for (flags, condition, input, expected) in [
        // A late event makes a row that was printed one that is none; a later one makes it one again.
        (
            "-w 10s -l 60s -a sum:v",
            "sum_v < 10",
            "1 a 5 | 11 a 1 | 2 a 6 | 3 a -5 | 4 a 1",
            &[
                "00:00 a 5 on_time 0",
                "00:00 a 11 retract 1",
                "00:00 a 6 late 2",
                "00:00 a 7 late 3",
                "00:10 a 1 on_time 0",
            ][..],
        ),
        // What was never printed is not taken back.
        ("-w 10s -l 60s -a sum:v", "sum_v > 10", "1 a 5 | 11 a 1 | 2 a 1 | 3 a 1", &[]),
        // Whoever asks for kinds of panes gets these and nothing else.
        (
            "-w 10s -l 60s -a sum:v",
            "pane == 'on_time'",
            "1 a 5 | 11 a 1 | 2 a 6",
            &["00:00 a 5 on_time 0", "00:10 a 1 on_time 0"],
        ),
        // Sessions: the row that takes the place of one printed is not printed itself.
        (
            "-w session:5s -l 60s -a sum:v",
            "sum_v < 10",
            "1 a 5 | 20 a 1 | 4 a 6",
            &[
                "00:01 a 5 on_time 0",
                "00:01 a 11 retract 0 \"[[\"\"1970-01-01T00:00:01Z\"\" \"\"1970-01-01T00:00:06Z\"\"]]\"",
                "00:20 a 1 on_time 0 ",
            ],
        ),
        // Early rows, and a difference instead of the whole, which takes nothing back.
        (
            "-w 10s --early every:1 -a sum:v",
            "sum_v < 10",
            "1 a 5 | 2 a 6",
            &["00:00 a 5 early 0", "00:00 a 11 retract 1"],
        ),
        ("-w 10s --early every:1 --updates discarding -a sum:v", "sum_v < 6", "1 a 5 | 2 a 6", &["00:00 a 5 early 0"]),
        (
            "-w 10s --early every:1 --updates retracting -a sum:v",
            "sum_v < 10",
            "1 a 5 | 2 a 6",
            &["00:00 a 5 early 0", "00:00 a 5 retract 1"],
        ),
    ] {
        let output = run(flags, &["--having", condition], input);
        let rows: Vec<_> = rows(&output).iter().map(|row| row.trim_end().to_owned()).collect();
        let expected: Vec<_> = expected.iter().map(|row| row.trim_end()).collect();
        assert_eq!(rows, expected, "{flags} --having {condition}");
    }
}

#[test]
fn e3_a_violation_is_said_with_its_row_and_fails_the_run() {
    let output = run("-w 10s -a count -a sum:v", &["--fail-if", "sum_v < 6 && k != 'c'"], SIX);
    assert_eq!(output.status, 3);
    assert_eq!(rows(&output).len(), 5, "all rows are printed");
    let first = parse_json(output.lines_of_type("violation")[0]);
    let expected = json!({
        "type": "violation", "check": "--fail-if", "expression": "sum_v < 6 && k != 'c'",
        "row": {
            "window_start": "1970-01-01T00:00:00Z", "window_end": "1970-01-01T00:00:10Z", "k": "a", "count": 1,
            "sum_v": 5, "pane": "on_time", "revision": 0
        },
        "values": {"k": "a", "sum_v": 5}
    });
    assert_eq!(first, expected);
    assert!(
        output.stderr.ends_with("streamw: --fail-if 'sum_v < 6 && k != 'c'': true of 2 rows\n"),
        "{}",
        output.stderr
    );
}

#[test]
fn checks_of_rows_and_of_the_summary() {
    for (checks, status, expected) in [
        (&["--fail-if", "count > 5"][..], 0, &[][..]),
        (&["--warn-if", "sum_v > 19"], 0, &["--warn-if b 00:10 {\"sum_v\":20}"]),
        (
            &["--fail-if", "sum_v == 20", "--warn-if", "count == 2", "--fail-if", "k == 'c'"],
            3,
            &["--fail-if b 00:10 {\"sum_v\":20}", "--warn-if a 00:20 {\"count\":2}"],
        ),
        (&["--fail-if", "stats.records > 6"], 0, &[]),
        (
            &["--fail-if", "stats.late_drops + stats.bad >= 0 && stats.events == 6"],
            3,
            &["--fail-if -  {\"stats.bad\":0,\"stats.events\":6,\"stats.late_drops\":0}"],
        ),
        (&["--warn-if", "stats.panes != 5"], 0, &[]),
        (
            &["--having", "k == 'a'", "--fail-if", "k == 'b'", "--fail-if", "stats.panes == 3"],
            3,
            &["--fail-if -  {\"stats.panes\":3}"],
        ),
    ] {
        let output = run("-w 10s -a count -a sum:v", checks, SIX);
        assert_eq!(
            (violations(&output), output.status),
            (expected.iter().map(|s| s.to_string()).collect(), status),
            "{checks:?}"
        );
    }
}

#[test]
fn for_so_many_consecutive_windows_of_a_key() {
    for (flags, n, input, expected) in [
        ("-w 10s", "2", "1 a 9 | 11 a 9 | 21 a 9", &["00:10", "00:20"][..]),
        ("-w 10s", "3", "1 a 9 | 11 a 9 | 21 a 9", &["00:20"]),
        // Another key, a window that is in order, and one that is not there end it.
        ("-w 10s", "2", "1 a 9 | 11 b 9 | 21 a 9 | 31 a 1 | 41 a 9 | 61 a 9", &[]),
        ("-w 20s/10s", "2", "11 a 9", &["00:10"]),
        ("-w cumulate:30s/10s", "3", "1 a 9", &["00:00"]),
        ("-w count:1", "2", "1 a 9 | 2 a 9 | 3 a 1", &["00:02"]),
        ("-w session:5s", "2", "1 a 9 | 20 a 9 | 40 a 1 | 60 a 9", &["00:20"]),
        // A late row fills the hole.
        ("-w 10s -l 60s", "3", "1 a 9 | 21 a 9 | 31 a 9 | 12 a 9", &["00:10", "00:30"]),
    ] {
        let name = if flags.contains("count") { "first_time" } else { "window_start" };
        let output = run(flags, &["-a", "sum:v", "--fail-if", "sum_v > 5", "--for", n], input);
        let starts: Vec<_> = (output.lines_of_type("violation").into_iter())
            .map(|line| parse_json(line)["row"][name].as_str().expect("a time")[14..19].to_owned())
            .collect();
        assert_eq!(starts, expected, "{flags} --for {n}: {input}");
        assert_eq!(output.status, if expected.is_empty() { 0 } else { 3 });
    }
}

#[test]
fn many_keys_do_not_pile_up_and_series_are_still_found() {
    // Each key fails in two windows; the series of most are over when others begin.
    let mut input = String::new();
    for window in 0..3000 {
        for key in [window, window + 1] {
            input += &format!("{{\"ts\":{},\"k\":\"k{key:04}\",\"v\":9}}\n", window * 10);
        }
    }
    let output = Streamw::new()
        .args("-i ndjson -t ts -k k -w 10s -a sum:v --for 2 -o csv")
        .args("--fail-if sum_v>5")
        .stdin(input)
        .run();
    assert_eq!(output.lines_of_type("violation").len(), 2999);
}

#[test]
fn what_cannot_be_judged_ends_the_run() {
    let message = "column 7: the number 5 and the text \"a\" are of unequal types and cannot be compared";
    for (checks, rows_before) in
        [(&["--having", "sum_v > k"][..], 0), (&["--fail-if", "sum_v > k"], 1), (&["--warn-if", "sum_v > k"], 1)]
    {
        for threads in ["1", "4"] {
            let output = run("-w 10s -a sum:v --threads", &[&[threads][..], checks].concat(), SIX);
            assert_eq!((output.status, rows(&output).len()), (1, rows_before), "{checks:?}");
            assert!(output.stderr.contains(message), "{}", output.stderr);
            assert!(output.stderr.contains("\"k\":\"a\",\"sum_v\":5"), "the row is shown: {}", output.stderr);
        }
    }
    let output = run("-w 10s", &["--fail-if", "stats.bad / stats.late > 1"], SIX);
    assert_eq!(output.status, 1);
    assert!(output.stderr.contains("column 11: a division by zero"), "{}", output.stderr);
}

#[test]
fn mistakes_name_the_flag_the_column_and_what_was_meant() {
    for (checks, expected) in [
        (
            &["--having", "cuont > 1"][..],
            "streamw: --having 'cuont > 1', column 1: there is no column \"cuont\"; did you mean \"count\"?\n",
        ),
        (
            &["--fail-if", "count > 1 and k == 'a'"],
            "streamw: --fail-if 'count > 1 and k == 'a'', column 11: \"and\" is not expected here; did you mean \"&&\"?\n",
        ),
        (
            &["--fail-if", "zzz"],
            "there is no column \"zzz\" (rows have: window_start window_end k count pane revision)",
        ),
        (
            &["--warn-if", "stats.lat_drops > 1"],
            "column 1: the summary has no \"lat_drops\"; did you mean \"late_drops\"?",
        ),
        (&["--having", "cnt < 5"], "column 1: there is no column \"cnt\"; did you mean \"count\"?"),
        (&["--fail-if", "winndow_start > 'a'"], "did you mean \"window_start\"?"),
        (&["--having", "stats.bad > 1"], "stats.bad is of the run as a whole, for --fail-if and --warn-if"),
        (&["--fail-if", "stat.bad > 1"], "there is no column \"stat.bad\"; did you mean \"stats.bad\"?"),
        (
            &["--fail-if", "timestmp(window_start) > timestamp(0)"],
            "column 1: there is no function timestmp; did you mean \"timestamp\"?",
        ),
        (
            &["--fail-if", "window_start > timestamp(0)"],
            "column 14: a text cannot be compared with a time (timestamp(...)",
        ),
        (&["--fail-if", "count > stats.bad"], "make two checks of it"),
        (&["--fail-if", "count"], "column 1: a condition is needed, such as count > 100, and this is a number"),
        (&["--fail-if", "count > 'x'"], "column 7: a number cannot be compared with a text"),
        (&["--fail-if", "stats > 1"], "stats alone is nothing"),
        (&["--for", "3"], "--for N is for checks of rows"),
        (&["--for", "3", "--fail-if", "stats.bad > 1"], "--for N is for checks of rows"),
    ] {
        let output = run("-w 10s -a count", checks, SIX);
        assert_eq!(output.status, 2, "{checks:?}");
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
}

#[test]
fn a_check_without_a_violation_changes_nothing() {
    let plain = run("-w 10s -a sum:v --stats -q", &[], SIX);
    let checked = run("-w 10s -a sum:v --stats -q", &["--fail-if", "sum_v > 99", "--having", "true"], SIX);
    assert_same("stdout", &plain.stdout, &checked.stdout);
    assert_eq!(checked.status, 0);
    assert_eq!(plain.summary()["panes"], checked.summary()["panes"]);
}
