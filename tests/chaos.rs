//! `streamw chaos`: what it does to records is what it says, the same for the same seed, and what a run then counts.

use crate::util::{Output, Streamw, parse_json};

fn chaos(flags: &str, input: &str) -> Output {
    Streamw::new().arg("chaos").args(flags).stdin(input).run()
}

fn counts(output: &Output, names: &[&str]) -> Vec<u64> {
    let line = parse_json(output.stderr.lines().last().expect("a line"));
    names.iter().map(|name| line[*name].as_u64().unwrap_or_else(|| panic!("{name} in {line}"))).collect()
}

/// A record every ten seconds.
fn ndjson(count: usize) -> String {
    (0..count).map(|i| format!("{{\"id\":{i},\"ts\":{},\"k\":\"a,b\"}}\n", 1_767_225_600 + 10 * i)).collect()
}

fn csv(count: usize) -> String {
    let row = |i: usize| format!("2026-01-01T{:02}:{:02}:{:02}Z,\"a,\nb\",{i}\n", i / 360, i / 6 % 60, i % 6 * 10);
    "ts,k,id\n".to_owned() + &(0..count).map(row).collect::<String>()
}

#[test]
fn nothing_asked_for_is_nothing_done() {
    for input in [ndjson(100), csv(100), String::new(), "{\"ts\":1}".to_owned() + "\n"] {
        let output = chaos("", &input);
        assert_eq!((output.stdout.as_str(), output.status), (input.as_str(), 0));
    }
}

#[test]
fn the_same_seed_does_the_same_and_another_one_something_else() {
    let flags = "--late 5% --dup 5% --future 1% --drop 5% --garbage 5%";
    for input in [ndjson(2000), csv(2000)] {
        let once = chaos(&format!("{flags} --seed 3"), &input);
        assert_eq!(once, chaos(&format!("{flags} --seed 3"), &input));
        assert_ne!(once.stdout, chaos(&format!("{flags} --seed 4"), &input).stdout);
    }
}

#[test]
fn a_run_counts_what_was_done() {
    let names = ["records", "dropped", "garbage", "future", "late", "duplicated"];
    for (input, run) in [(ndjson(5000), "-i ndjson"), (csv(5000), "-i csv")] {
        let nasty = chaos(
            "--late 4% --dup 3% --future 1% --drop 2% --garbage 5% --future-by 400d --late-by 30m --seed 5",
            &input,
        );
        let [records, dropped, garbage, future, late, duplicated] = counts(&nasty, &names)[..] else { panic!("six") };
        assert_eq!(records, 5000);
        for (count, expected) in [(dropped, 100), (garbage, 250), (future, 50), (late, 200), (duplicated, 150)] {
            assert!((expected / 2..expected * 2).contains(&count), "{run}: {count} and about {expected}");
        }
        // What is from the future is a jump, what is broken is bad, what comes twice is a duplicate, and what is late by half an
        // hour finds its window gone; but for those at the end, which nothing came after.
        let output = Streamw::new()
            .args(run)
            .args("-t ts -w 1m -l 1m --max-jump 30d --dedup id --stats -q")
            .stdin(nasty.stdout)
            .run();
        let summary = output.summary();
        let count = |name: &str| summary[name].as_u64().expect("a count");
        assert_eq!(count("bad"), garbage + future, "{run}");
        assert_eq!(count("duplicates"), duplicated, "{run}");
        assert_eq!(count("late_drops"), late, "{run}");
        assert_eq!(count("events"), records - dropped - garbage - future, "{run}");
    }
}

#[test]
fn times_are_moved_as_they_were_written() {
    for (input, flags, expected) in [
        ("{\"a\":5,\"ts\":5,\"b\":5}\n", "", "{\"a\":5,\"ts\":86405,\"b\":5}\n"),
        ("{\"ts\":1767225600123}\n", "", "{\"ts\":1767312000123}\n"),
        ("{\"ts\":1767225600.5}\n", "", "{\"ts\":1767312000.5}\n"),
        ("{\"ts\":7}\n", "--time-format ms", "{\"ts\":86400007}\n"),
        ("{\"ts\" : \"2026-01-01T00:00:00Z\"}\n", "", "{\"ts\" : \"2026-01-02T00:00:00Z\"}\n"),
        ("{\"e\":{\"at\":5}}\n", "-t e.at", "{\"e\":{\"at\":86405}}\n"),
        ("ts,v\n5,5\n", "", "ts,v\n86405,5\n"),
        ("v\tat\n5\t\"5\"\n", "-t at", "v\tat\n5\t86405\n"),
        // What has no time cannot have another.
        ("{\"v\":1}\n", "", "{\"v\":1}\n"),
    ] {
        let output = chaos(&format!("--future 100% --future-by 1d {flags}"), input);
        assert_eq!(output.stdout, expected, "{input}");
    }
}

#[test]
fn late_records_come_after_newer_ones() {
    let output = chaos("--late 30% --late-by 1m --seed 2", &ndjson(500));
    let ids: Vec<u64> = output.stdout.lines().map(|line| parse_json(line)["id"].as_u64().expect("an id")).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..500).collect::<Vec<_>>(), "each comes once");
    let mut newest = 0;
    let late = ids.iter().filter(|id| {
        let is_late = **id < newest;
        newest = newest.max(**id);
        is_late
    });
    assert!(late.count() as u64 >= counts(&output, &["late"])[0] - 6);
}

#[test]
fn mistakes_are_told() {
    for (flags, expected) in [
        ("--late 5", "\"5\" is no share from 0% to 100%"),
        ("--late 60% --dup 60%", "add up to more than 100%"),
        ("--future 1% --time-format %Y-%m-%dT%H:%M:%S", "--future writes times as RFC 3339 or numbers"),
    ] {
        let output = chaos(flags, "");
        assert_eq!(output.status, 2, "{flags}");
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    let output = chaos("is-not-there", "");
    assert!(output.status == 1 && output.stderr.contains("is-not-there: No such file"), "{}", output.stderr);
}

#[test]
fn what_has_no_time_cannot_be_late() {
    for (flags, input) in [("--late 5%", "1.2.3.4 - - [17/May/2015:10:05:03 +0000]\n"), ("--future 5%", "a,b\n1,2\n")] {
        let output = chaos(flags, input);
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{flags}");
        assert!(output.stderr.contains("is the event time"), "{}", output.stderr);
    }
    assert_eq!(chaos("--drop 0%", "a,b\n1,2\n").stdout, "a,b\n1,2\n");
    let output = chaos("--late 5", "");
    assert!(output.status == 2 && output.stderr.contains("did you mean 5%?"), "{}", output.stderr);
}
