//! Cumulative windows, several windows in one pass, and the guards of the watermark (T4, T6, T9, T11).

use crate::util::{Streamw, assert_same};

/// Events of a small deterministic disorder: seconds and keys.
fn events(count: u64, seed: u64) -> String {
    let mut state = seed | 1;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let event = |index: u64| {
        let ts = (index * 3 + 100).saturating_sub(next(40));
        format!("{{\"ts\":{ts},\"k\":\"{}\",\"v\":{}}}\n", next(3), next(100))
    };
    (0..count).map(event).collect()
}

fn rows(flags: &str, input: &str) -> Vec<String> {
    let output = Streamw::new()
        .args(flags)
        .args("-t ts -k k -a count -a sum:v -a first:v -q --late /dev/null")
        .stdin(input)
        .run();
    assert_eq!(output.status, 0, "{flags}: {}", output.stderr);
    output.stdout.lines().map(str::to_owned).collect()
}

/// What stands in a row after its `"window"`.
fn without_window(row: &str) -> String {
    format!("{{{}", row.split_once("\",").expect("begins with its window").1)
}

#[test]
fn t4_each_window_is_that_of_a_run_with_it_alone() {
    const SPECS: [&str; 7] = ["10s", "30s", "sliding:30s/10s", "30s/20s", "session:4s", "cumulate:60s/10s", "5s/15s"];
    for (seed, flags) in [(1, "-d 0s"), (2, "-d 20s -l 15s"), (3, "-d 5s -l 1d"), (4, "-l 10s --late-rule event")] {
        let input = events(300, seed);
        let together = rows(&format!("{flags} -w {}", SPECS.join(" -w ")), &input);
        for spec in SPECS {
            let mark = format!("{{\"window\":\"{spec}\",");
            let own: Vec<_> =
                together.iter().filter(|row| row.starts_with(&mark)).map(|row| without_window(row)).collect();
            assert_same(
                &format!("{spec} {flags}"),
                &rows(&format!("{flags} -w {spec}"), &input).join("\n"),
                &own.join("\n"),
            );
        }
    }
}

#[test]
fn t9_rows_of_several_windows_come_in_one_order() {
    let input = events(200, 7);
    // Without lateness all rows are on time: those of one advance come by end, start, key and -w; and W never goes back.
    let rows = rows("-d 60s -w 20s -w 10s -w sliding:20s/20s -w session:3s -w cumulate:20s/10s", &input);
    let place = |row: &String| {
        let row = crate::util::parse_json(row);
        let text = |name: &str| row[name].as_str().expect("text").to_owned();
        let spec = ["20s", "10s", "sliding:20s/20s", "session:3s", "cumulate:20s/10s"];
        let order = spec.iter().position(|spec| *spec == text("window"));
        (text("window_end"), text("window_start"), text("k"), order)
    };
    let places: Vec<_> = rows.iter().map(place).collect();
    assert!(places.is_sorted(), "{}", rows.join("\n"));
    assert!(places.iter().any(|place| place.3 == Some(2)) && places.len() > 200);
}

#[test]
fn t6_cumulative_windows_grow_from_the_beginning_of_their_cycle() {
    let stamps = |times: &[&str]| times.iter().map(|time| format!("{{\"ts\":\"{time}\"}}\n")).collect::<String>();
    for (flags, times, expected) in [
        (
            "-w cumulate:30s/10s",
            &["1970-01-01T00:00:05Z", "1970-01-01T00:00:25Z", "1970-01-01T00:00:31Z"][..],
            "0-10 1,0-20 1,0-30 2,30-40 1,30-50 1,30-60 1",
        ),
        ("-w cumulate:30s/10s --offset 5s", &["1969-12-31T23:59:59Z"], "-25-5 1"),
        (
            "-w cumulate:1mo/1d",
            &["1970-02-27T12:00:00Z", "1970-02-28T12:00:00Z"],
            "2678400-5011200 1,2678400-5097600 2",
        ),
        ("-w cumulate:2w/1w", &["1970-01-05T00:00:00Z"], "-259200-950400 1"),
        ("-w cumulate:1y/6mo", &["1970-03-05T00:00:00Z"], "0-15638400 1,0-31536000 1"),
        // 8 March 2026 has 23 hours in New York, 1 November 25.
        (
            "-w cumulate:1d/12h --timezone America/New_York",
            &["2026-03-08T05:30:00Z"],
            "1772946000-1772985600 1,1772946000-1773028800 1",
        ),
        ("-w cumulate:1d/6h --timezone America/New_York", &["2026-11-02T01:30:00Z"], "1793505600-1793595600 1"),
    ] {
        let output = Streamw::new().args(flags).args("-t ts -o csv --output-time s").stdin(stamps(times)).run();
        let rows = output.stdout.lines().skip(1).map(|row| {
            let cells: Vec<_> = row.split(',').collect();
            format!("{}-{} {}", cells[0], cells[1], cells[2])
        });
        assert_eq!(rows.collect::<Vec<_>>().join(","), expected, "{flags}: {}", output.stderr);
    }
    for (spec, hint) in [
        ("cumulate:1d", "cumulate:1d/1h"),
        ("cumulate:1d/7h", "divide"),
        ("cumulate:1mo/7d", "divide"),
        ("cumulate:1w/1mo", "divide"),
        ("cumulate:1h/1h --offset 1h", "--offset"),
        ("1m -w 1m", "twice"),
    ] {
        let output = Streamw::new().args(&format!("-w {spec}")).run();
        assert!(output.status == 2 && output.stderr.contains(hint), "{spec}: {}", output.stderr);
    }
}

#[test]
fn t11_the_record_that_moved_the_watermark_is_named_and_a_guard_refuses_it() {
    let mut lines: Vec<String> = (0..50).map(|second| format!("{{\"ts\":{second}}}\n")).collect();
    lines.insert(20, "{\"ts\":4000000000}\n".to_owned());
    let input = lines.concat();
    let run = |flags: &str, input: &str| {
        Streamw::new().args(flags).args("-t ts -w 10s --stats --late /dev/null").stdin(input).run()
    };
    let lost = run("", &input);
    assert_eq!(lost.summary()["late_drops"], 30);
    let advance = &lost.summary()["largest_advance"];
    assert_eq!([&advance["line"], &advance["later_drops"]], [21, 30]);
    assert!(
        lost.stderr.contains("line 21 of - moved the watermark from 1970-01-01T00:00:19Z to 2096-"),
        "{}",
        lost.stderr
    );
    // With the guard all other records give the rows they give without that line.
    let clean: String = lines.iter().filter(|line| !line.contains("4000000000")).cloned().collect();
    for guard in ["--max-jump 1d", "--max-future 1d"] {
        let guarded = run(guard, &input);
        assert_same(guard, &run("", &clean).stdout, &guarded.stdout);
        assert_eq!((guarded.status, guarded.summary()["bad"].as_u64()), (0, Some(1)), "{guard}: {}", guarded.stderr);
        assert!(!guarded.stderr.contains("moved the watermark"), "{guard}: {}", guarded.stderr);
    }
    for (flag, reason) in [("--max-jump 1d", "jump"), ("--max-future 1d", "future")] {
        let bad = run(flag, &input);
        assert!(
            bad.lines_of_type("bad_record")[0].contains(&format!("\"line\":21,\"offset\":190,\"reason\":\"{reason}\"")),
            "{}",
            bad.stderr
        );
    }
}
