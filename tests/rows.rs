//! Windows of many keys, whose rows leave the engine all at once and are written by a thread of their own: nobody sees that.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::resume::Place;
use crate::util::{Output, Streamw, assert_same};

/// More than are needed for that.
const KEYS: u64 = 9_000;

/// Events of some windows of 10 s: in each of these, of most keys, some of them out of order across its end.
fn events(windows: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for index in windows.start * KEYS..windows.end * KEYS {
        let (window, key) = (index / KEYS, index * 7919 % KEYS);
        let ts = window * 10_000 + key % 10_000 + if key % 5 == 0 { 3000 } else { 0 };
        let user = match key % 4 {
            0 => key.to_string(),
            1 => format!("\"a key that is longer than most, number {key}\""),
            2 => format!("\"u{key}\\u0000\""),
            _ => format!("\"u{key}\""),
        };
        writeln!(text, "{{\"ts\":{ts},\"k\":{user},\"v\":{}.{}}}", index % 1009, index % 97).expect("memory");
    }
    text
}

fn run(args: &str, stdin: &str) -> Output {
    Streamw::new().args("-t ts --time-format ms -k k -q").args(args).stdin(stdin).run()
}

const AGGREGATES: &str = "-a count -a sum:v -a min:v -a avg:v -a last:v -a p90:v";

#[test]
fn t9_rows_of_many_keys_are_the_same_for_any_threads() {
    let events = events(0..4);
    for (flags, rows) in [
        ("-w 10s -d 5s", true),
        ("-w 10s -d 5s -o csv --stats", true),
        ("-w 10s -d 5s -o tsv --emit final -l 5s", true),
        ("-w 10s -d 5s -o table", true),
        ("-w 10s -d 1s -l 20s", true),
        ("-w 10s -w 20s -d 5s", true),
        ("-w 20s/10s -d 5s", true),
        ("-w 10s -d 5s --having v>3000", false),
        ("-w 10s -d 5s --max-late 0", true),
    ] {
        let flags = flags.replace("v>3000", "'sum_v > 3000'");
        let alone = run(&format!("{flags} {AGGREGATES} --threads 1"), &events);
        let rest = |output: &Output| output.stderr.lines().filter(|line| !line.contains("seconds")).collect::<String>();
        assert!(!rows || alone.stdout.lines().count() > 8_000, "{flags}: {}", alone.stderr);
        for threads in [2, 4, 16] {
            let several = run(&format!("{flags} {AGGREGATES} --threads {threads}"), &events);
            assert_same(&flags, &alone.stdout, &several.stdout);
            assert_eq!((alone.status, rest(&alone)), (several.status, rest(&several)), "{flags}");
        }
    }
}

#[test]
fn t5_nothing_of_a_window_of_many_keys_stays_behind() {
    let events = events(0..4);
    let summary = |threads| {
        let stats = format!("-w 10s -d 5s -a count --stats --threads {threads}");
        let mut summary = run(&stats, &events).summary();
        let members = summary.as_object_mut().expect("an object");
        members.remove("seconds");
        summary
    };
    assert_eq!(summary(1), summary(2));
    assert_eq!(summary(2)["open_windows"], 0);
}

#[test]
fn f1_a_run_that_goes_on_writes_the_rows_of_many_keys_that_another_would_have() {
    let place = Place::new("many-keys", 1);
    let flags = format!("-t ts --time-format ms -k k -w 10s -d 5s -q {AGGREGATES} --threads 2 in.ndjson");
    place.write("in.ndjson", events(0..5).as_bytes());
    assert!(place.run(&flags, "whole").status.success());
    place.write("in.ndjson", b"");
    for piece in 0..5 {
        place.append("in.ndjson", events(piece..piece + 1).as_bytes());
        let args = format!("{flags} --state st --checkpoint-interval 1ms{}", if piece == 4 { " --flush" } else { "" });
        let output = place.run(&args, "parts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_same("rows", &place.text("whole"), &place.text("parts"));
}

#[test]
fn e3_rows_of_many_keys_that_nobody_takes_end_the_run() {
    let place = Place::new("many-keys-closed", 1);
    place.write("in.ndjson", events(0..6).as_bytes());
    for threads in [2, 4, 8] {
        let flags = format!("-t ts --time-format ms -k k -w 10s -d 5s {AGGREGATES} --threads {threads} in.ndjson");
        let mut command = place.streamw(&flags);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut String::new()).expect("a row");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
        let output = place.streamw(&flags).args(["--output", "/dev/full"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("/dev/full") && said.lines().count() == 1, "{said}");
    }
}
