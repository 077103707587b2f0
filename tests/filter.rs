//! Which records are events: `--where`, `--where-first`.

use crate::util::{Output, Streamw, assert_same};

fn run(flags: &str, condition: &str, input: &str) -> Output {
    Streamw::new().args("-t ts --stats -o csv").args(flags).arg("--where").arg(condition).stdin(input).run()
}

/// Columns of the rows after the window's bounds, without the header.
fn rows(output: &Output) -> Vec<&str> {
    output.stdout.lines().skip(1).map(|line| line.splitn(3, ',').nth(2).expect("three columns")).collect()
}

fn counts(output: &Output, names: &[&str]) -> Vec<u64> {
    let summary = output.summary();
    let sum = ["blank", "headers", "bad", "duplicates", "punctuation", "filtered", "events"];
    let sum: u64 = sum.iter().map(|name| summary[*name].as_u64().expect("a count")).sum();
    assert_eq!(summary["records"].as_u64(), Some(sum), "{summary}");
    names.iter().map(|name| summary[*name].as_u64().expect("a count")).collect()
}

const NDJSON: &str = r#"{"ts":1,"k":"a","ms":5,"http":{"status":200},"user agent":"curl","ok":true}
{"ts":2,"k":"b","ms":50.5,"http":{"status":500},"ok":false,"tags":["x","y"]}
{"ts":3,"k":"a","ms":null,"http":{"status":404},"ok":true}

{"ts":4,"k":"caf\u00e9","ms":"7","ok":null}
"#;

#[test]
fn records_of_which_it_is_so_are_events() {
    for (condition, expected, filtered, bad) in [
        ("true", "a 2|b 1|café 1", 0, 0),
        ("http.status >= 400", "a 1|b 1", 2, 0),
        ("http.status == 404 || k == 'b'", "a 1|b 1", 2, 0),
        ("!(k == 'a')", "b 1|café 1", 2, 0),
        ("k in ['a', 'café']", "a 2|café 1", 1, 0),
        ("k.startsWith('caf') || k.contains('b') || k.matches('^z')", "b 1|café 1", 2, 0),
        ("row[\"user agent\"] == 'curl'", "a 1", 3, 0),
        ("row[\"/http/status\"] / 2 == 100 && ok", "a 1", 3, 0),
        ("has(http.status) && ms != null", "a 1|b 1", 2, 0),
        ("tags.exists(t, t == 'x') && tags[1] == 'y'", "b 1", 3, 0),
        // What cannot be compared is a bad record, and so says the one that it is of.
        ("ms > 5", "b 1", 2, 1),
        ("ok == 1", "", 1, 3),
        ("k < 5", "", 0, 4),
    ] {
        let output = run("-i ndjson -k k -w 10s", condition, NDJSON);
        let rows: Vec<_> =
            rows(&output).iter().map(|row| row.splitn(3, ',').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(rows.join("|"), expected, "{condition}: {}", output.stderr);
        assert_eq!(counts(&output, &["filtered", "bad", "events"]), [filtered, bad, 4 - filtered - bad], "{condition}");
    }
    let output = run("-i ndjson -k k -w 10s", "ms > 5", NDJSON);
    let expected = r#""line":5,"offset":213,"reason":"expression","detail":"--where 'ms > 5', column 4: the text \"7\" and the number 5 are of unequal types and cannot be compared (double(...) makes a number of a text)""#;
    assert!(output.stderr.contains(expected), "{}", output.stderr);
}

#[test]
fn a_cell_is_what_the_other_side_is() {
    let csv = "ts,k,v\n1,5,x\n2,07,2.5\n3,,\n4,NA,3\n";
    for (condition, expected) in [
        ("k == 7", "07,1"),
        ("k == '07'", "07,1"),
        ("v >= 2.5 && k != 'q'", "07,1"),
        ("k == null", "NULL,2"),
        ("v + 1 == 3.5", "07,1"),
    ] {
        let output = run("-i csv -k k -w 10s --null NA", condition, csv);
        let rows: Vec<_> = rows(&output).iter().map(|row| row.trim_end_matches(",on_time,0")).collect();
        let expected = expected.replace("NULL", "");
        assert_eq!(rows, [expected.as_str()], "{condition}: {}", output.stderr);
    }
    // A column that is not there is told at once.
    let output = run("-i csv -w 10s", "kk == 1", csv);
    assert_eq!(output.status, 1);
    assert!(
        output.stderr.contains("-: has no column \"kk\"") || output.stderr.contains("- has no column \"kk\""),
        "{}",
        output.stderr
    );
    // In NDJSON only the end can tell.
    let output = run("-i ndjson -w 10s", "http.statsu == 1", NDJSON);
    assert!(output.stderr.contains("no record had the field \"http.statsu\""), "{}", output.stderr);
}

#[test]
fn filtered_records_move_the_watermark_unless_they_go_first() {
    // The second record would make the first one's window fire; the third is late then.
    let input = "ts,k\n1,a\n15,z\n2,a\n";
    for (flags, expected) in [("", [1, 1]), ("--where-first", [0, 2])] {
        for more in ["", "--max-jump 1000s", "-w 20s", "--threads 3"] {
            let output = run(&format!("-i csv -w 10s {flags} {more}"), "k == 'a'", input);
            let windows = if more == "-w 20s" { 2 } else { 1 };
            let late: u64 = if more == "-w 20s" { 1 } else { expected[0] };
            let counted = counts(&output, &["filtered", "late_drops"]);
            let wanted = [1, if flags.is_empty() { late.min(1) } else { 0 }];
            assert_eq!(counted, wanted, "{flags} {more} {windows}");
        }
    }
    // The order is the first thing: a time that cannot be read does not matter to what goes first.
    let input = "ts,k\n1,a\nnoon,z\n";
    assert_eq!(counts(&run("-i csv -w 10s", "k == 'a'", input), &["bad", "filtered"]), [1, 0]);
    assert_eq!(counts(&run("-i csv -w 10s --where-first", "k == 'a'", input), &["bad", "filtered"]), [0, 1]);
    // What is filtered has no key and no value that could be bad.
    let input = "{\"ts\":1,\"k\":{},\"v\":\"x\",\"keep\":0}\n{\"ts\":2,\"k\":\"a\",\"v\":1,\"keep\":1}\n";
    assert_eq!(counts(&run("-i ndjson -w 10s -k k -a sum:v", "keep == 1", input), &["bad", "filtered"]), [0, 1]);
}

#[test]
fn t9_a_filter_is_as_if_the_others_had_only_their_times() {
    // The same as a run in which the records that do not pass are folded into a key that is left out.
    let (mut all, mut random) = (String::new(), crate::fuzz::Random::new(3));
    for _ in 0..20_000 {
        let (time, value) = (random.below(4000), random.below(100));
        all += &format!(
            "{{\"ts\":{},\"k\":\"k{}\",\"v\":{value},\"keep\":{}}}\n",
            time + 2000,
            random.below(5),
            random.below(3)
        );
    }
    for flags in [
        "-w 60s -d 100s -l 300s",
        "-w session:2s -d 500s",
        "-w 1m/20s -w 5m --early every:20",
        "-w 60s --max-jump 3000s --dedup v",
    ] {
        let run = |more: &[&str], input: &str| {
            let mut streamw = Streamw::new().args("-i ndjson -t ts -k k -a count -a sum:v -q --stats").args(flags);
            for flag in more {
                streamw = streamw.arg(*flag);
            }
            streamw.stdin(input).run()
        };
        let filtered = run(&["--where", "keep == 1", "--threads", "2"], &all);
        let again = run(&["--where", "1 == keep && k != null", "--threads", "1"], &all);
        assert_same(flags, &filtered.stdout, &again.stdout);
        assert!(filtered.summary()["filtered"].as_u64() > Some(10_000));
        // Without those that do not pass, and with the watermark they move: the largest times come first in both.
        let first = run(&["--where", "keep == 1", "--where-first"], &all);
        let passing: String = all.lines().filter(|line| line.ends_with("1}")).map(|line| format!("{line}\n")).collect();
        let alone = run(&[], &passing);
        assert_same(flags, &alone.stdout, &first.stdout);
        assert_eq!(first.summary()["late_drops"], alone.summary()["late_drops"], "{flags}");
    }
}

#[test]
fn every_format_is_filtered() {
    let log = "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5\n1.2.3.4 - - [17/May/2015:10:05:04 +0000] \"GET /b HTTP/1.1\" 500 -\n";
    for (flags, condition, input) in [
        ("-i combined -t time", "status >= 500 && bytes == null", log),
        ("-i logfmt", "level == 'info' && ms > 5", "ts=1 level=info ms=7\nts=2 level=warn ms=9\n"),
        ("-i tsv", "ms > 5", "ts\tms\n1\t7\n2\t3\n"),
    ] {
        let output = Streamw::new().args(flags).args("-w 1h --stats -o csv").arg("--where").arg(condition);
        let output = if flags.contains("-t") { output } else { output.args("-t ts") }.stdin(input).run();
        assert_eq!(counts(&output, &["filtered", "events"]), [1, 1], "{flags}: {}", output.stderr);
    }
    let regex = Streamw::new().args("-t ts -w 1h --stats").arg("-i").arg("regex:^(?<ts>\\d+) (?<word>\\w+)");
    let output = regex.arg("--where").arg("word == 'a'").stdin("1 a\n2 b\n").run();
    assert_eq!(counts(&output, &["filtered", "events"]), [1, 1], "{}", output.stderr);
}

#[test]
fn mistakes_are_told_before_anything_is_read() {
    for (condition, expected) in [
        ("a = 1", "streamw: --where 'a = 1', column 3: \"=\" is no comparison; did you mean \"==\"?\n"),
        ("a + 1 == 'x' && 5", "column 7: "),
        ("row[\"\"] == 1", "a field name is missing"),
    ] {
        let output = run("-w 1m", condition, "");
        assert_eq!(output.status, 2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    let output = Streamw::new().args("-w 1m -t ts --where-first").stdin("").run();
    assert!(output.status == 2 && output.stderr.contains("--where <EXPR>"), "{}", output.stderr);
}

#[test]
fn computed_fields_are_keys_values_times_and_conditions() {
    for (format, input) in [
        (
            "-i ndjson",
            "{\"ts\":1,\"ms\":120,\"path\":\"/a/x\"}\n{\"ts\":2,\"ms\":310.5,\"path\":\"/b\\\"y\"}\n{\"ts\":13,\"ms\":null,\"path\":\"/a/z\"}\n",
        ),
        ("-i csv", "ts,ms,path\n1,120,/a/x\n2,310.5,\"/b\"\"y\"\n13,,/a/z\n"),
    ] {
        for (flags, expected) in [
            (&["--let", "slow=ms > 250", "-k", "slow", "-a", "count"][..], "false,1|true,1|false,1"),
            (&["--let", "bucket=math.floor(ms / 100) * 100", "-k", "bucket", "-a", "count"], "100,1|300,1|,1"),
            (&["--let", "s=ms / 1000", "-a", "sum:s", "-a", "max:ms"], "0.4305,310.5|,"),
            (
                &[
                    "--let",
                    "s=ms / 1000",
                    "--let",
                    "twice=s * 2",
                    "-a",
                    "sum:twice",
                    "--where",
                    "twice < 0.5 || s == null",
                ],
                "0.24|",
            ),
            (
                &["--let", "who='<' + path + '>'", "-k", "who", "-a", "first:who"],
                "</a/x>,</a/x>|\"</b\"\"y>\",\"</b\"\"y>\"|</a/z>,</a/z>",
            ),
            (&["--let", "late=ts + 100", "-t", "late", "-a", "count"], "2|1"),
            (&["--let", "parts=[ms * 1, 1]", "-a", "collect:parts:1", "--where", "ms == 120"], "\"[[120,1]]\""),
        ] {
            let mut streamw = Streamw::new().args(format).args("-w 10s -o csv");
            if !flags.contains(&"-t") {
                streamw = streamw.args("-t ts");
            }
            for flag in flags {
                streamw = streamw.arg(*flag);
            }
            let output = streamw.stdin(input).run();
            let rows: Vec<_> = rows(&output).iter().map(|row| row.trim_end_matches(",on_time,0").to_owned()).collect();
            assert_eq!(rows.join("|"), expected, "{format} {flags:?}: {}", output.stderr);
            assert_eq!(output.stderr, "", "{format} {flags:?}");
        }
    }
}

#[test]
fn what_cannot_be_computed_is_a_bad_record() {
    let output = Streamw::new()
        .args("-i ndjson -t ts -w 10s -k x --stats")
        .arg("--let")
        .arg("x=ms / n")
        .stdin("{\"ts\":1,\"ms\":1,\"n\":0}\n{\"ts\":2,\"ms\":1,\"n\":2}\n")
        .run();
    assert_eq!(counts(&output, &["bad", "events"]), [1, 1]);
    assert!(
        output
            .stderr
            .contains("\"reason\":\"expression\",\"detail\":\"--let x 'ms / n', column 4: a division by zero\""),
        "{}",
        output.stderr
    );
    for (flags, expected) in [
        (&["--let", "x"][..], "--let x: it is NAME=EXPR"),
        (&["--let", "a b=1"], "--let a b=1: it is NAME=EXPR"),
        (&["--let", "x=5"], "--let x=5: it looks at no field"),
        (&["--let", "x=ms", "--let", "x=ts"], "--let x is given twice"),
        (&["--let", "x=y", "--let", "y=ms"], "--let x 'y', column 1: y is computed by a --let, but not yet here"),
        (&["--let", "x=x + 1"], "column 1: x is computed by a --let, but not yet here"),
        (&["--let", "x=ms +"], "--let x 'ms +', column 5: the expression ends too early"),
    ] {
        let mut streamw = Streamw::new().args("-i ndjson -t ts -w 10s");
        for flag in flags {
            streamw = streamw.arg(*flag);
        }
        let output = streamw.stdin("").run();
        assert_eq!(output.status, 2, "{flags:?}");
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    // A column that is missing is named as what it is.
    let output = Streamw::new().args("-i csv -t ts -w 10s -k x --let x=mss+1").stdin("ts,ms\n1,2\n").run();
    assert!(output.status == 1 && output.stderr.contains("has no column \"mss\"; near: ms"), "{}", output.stderr);
}

#[test]
fn times_of_records_are_read_as_the_event_time_is() {
    let input = "ts,done,k\n03/Jan/2026 10:00:00,03/Jan/2026 10:00:30,a\n03/Jan/2026 10:00:05,2026-01-03T09:00:10Z,b\n";
    let rows = |flags: &[&str]| {
        let streamw = Streamw::new().args("-i csv -t ts -k k -w 1d -o csv -q --timezone Europe/Berlin");
        let streamw = flags.iter().fold(streamw, |streamw, flag| streamw.arg(*flag));
        let output = streamw.arg("--time-format").arg("%d/%b/%Y %H:%M:%S").stdin(input).run();
        assert_eq!(output.stderr, "", "{flags:?}");
        output
            .stdout
            .lines()
            .skip(1)
            .map(|line| line.splitn(3, ',').nth(2).expect("columns").to_owned())
            .collect::<Vec<_>>()
    };
    for (flags, expected) in [
        (
            &["--let", "took=timestamp(done) - timestamp(ts)", "-a", "max:took"][..],
            &["a,30,on_time,0", "b,5,on_time,0"][..],
        ),
        (&["--where", "timestamp(done) - timestamp(ts) > duration('10s')"], &["a,1,on_time,0"]),
        (&["--where", "timestamp(done) > timestamp('2026-01-03 10:00:20')"], &["a,1,on_time,0"]),
        (
            &["--where", "timestamp(ts).getHours() == 9 && timestamp(ts).getHours('Europe/Berlin') == 10"],
            &["a,1,on_time,0", "b,1,on_time,0"],
        ),
        (
            &["--let", "end=timestamp(ts) + duration('1h')", "-a", "last:end"],
            &["a,2026-01-03T10:00:00Z,on_time,0", "b,2026-01-03T10:00:05Z,on_time,0"],
        ),
    ] {
        assert_eq!(rows(flags), expected, "{flags:?}");
    }
}
