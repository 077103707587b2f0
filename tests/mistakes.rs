//! What a new user does wrong, and what he is told: the reason, the place, and what to do instead.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::util::{Output, Streamw, assert_same};

const ACCESS: &str =
    "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"Agent (like Gecko, 1)\"\n";
const SYSLOG: &str = "Mar 27 13:06:56 host sshd[1291]: Server listening on 0.0.0.0 port 22.\n";
const APACHE_ERROR: &str = "[Sun Dec 04 04:47:44 2005] [notice] ready\n";

/// A run over a file of this name that holds these bytes, in an own directory.
fn run(name: &str, bytes: &[u8], flags: &str) -> Output {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
    fs::create_dir_all(&here).expect("a directory");
    let path = here.join(name);
    fs::write(&path, bytes).expect("a file");
    let mut output = Streamw::new().args(flags).arg(&path).run();
    output.stderr = output.stderr.replace(&format!("{}/", here.display()), "");
    output
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn tar() -> Vec<u8> {
    let mut tar = vec![0; 1024];
    tar[..10].copy_from_slice(b"access.log");
    tar[257..262].copy_from_slice(b"ustar");
    tar[512..512 + ACCESS.len()].copy_from_slice(ACCESS.as_bytes());
    tar
}

#[test]
fn what_cannot_be_read_is_refused_by_name_with_what_helps() {
    const NO_TIME: &str = "has none of the fields timestamp @timestamp time ts event_time datetime date; name the event time with -t, one of:";
    let headless = "; this was taken for the header of a CSV file (-i tells another format; -i regex:RE takes lines of text apart)";
    for (name, bytes, flags, expected) in [
        (
            "semi.csv",
            b"ts;v\n1;2\n".to_vec(),
            "",
            format!("semi.csv {NO_TIME} ts;v; another delimiter? (--delimiter ';')"),
        ),
        (
            "semi.csv",
            b"ts;v\n1;2\n".to_vec(),
            "-t ts",
            "semi.csv has no column \"ts\"; near: ts;v; another delimiter? (--delimiter ';')".into(),
        ),
        (
            "pipe.csv",
            b"ts|v\n1|2\n".to_vec(),
            "",
            format!("pipe.csv {NO_TIME} ts|v; another delimiter? (--delimiter '|')"),
        ),
        (
            "tabs.csv",
            b"ts\tv\n1\t2\n".to_vec(),
            "",
            format!("tabs.csv {NO_TIME} ts\\u{{9}}v; another delimiter? (-i tsv)"),
        ),
        ("sys.log", SYSLOG.into(), "", format!("sys.log {NO_TIME} {}{headless}", SYSLOG.trim_end())),
        ("names.csv", b"when it was,v\n1,2\n".to_vec(), "", format!("names.csv {NO_TIME} when it was v")),
        ("case.csv", b"TS,v\n1,2\n".to_vec(), "-t ts", "case.csv has no column \"ts\"; near: TS".into()),
        ("a.bin", b"\x89PNG\r\n\x1a\n".to_vec(), "", format!("a.bin {NO_TIME} \u{FFFD}PNG; is it text at all?")),
        ("a.tar", tar(), "", "a.tar: a tar archive; try: tar -xOf - < a.tar | streamw ...".into()),
        ("a.tar.gz", gzip(&tar()), "", "a.tar.gz: a tar archive; try: tar -xzOf - < a.tar.gz | streamw ...".into()),
        (
            "a.csv.gz.gz",
            gzip(&gzip(b"ts\n")),
            "",
            "a.csv.gz.gz: packed twice; try: gzip -dc < a.csv.gz.gz | streamw ...".into(),
        ),
        (
            "a.csv.bz2",
            b"BZh91AY&SY\x1b\x2c".to_vec(),
            "",
            "a.csv.bz2: data packed with bzip2; try: bzip2 -dc < a.csv.bz2 | streamw ...".into(),
        ),
        (
            "a.xz",
            b"\xFD7zXZ\0\0\x04".to_vec(),
            "-i ndjson",
            "a.xz: data packed with xz; try: xz -dc < a.xz | streamw ...".into(),
        ),
        ("a.zip", b"PK\x03\x04\x14\0".to_vec(), "", "a.zip: a zip archive; try: funzip < a.zip | streamw ...".into()),
        (
            "a.parquet",
            b"PAR1\x15\x04\0".to_vec(),
            "",
            "a.parquet: a Parquet file; try: duckdb -csv -c \"from 'a.parquet'\" | streamw -i csv ...".into(),
        ),
        (
            "a.db",
            b"SQLite format 3\0\x10".to_vec(),
            "",
            "a.db: an SQLite database; try: sqlite3 -csv -header a.db 'select * from TABLE' | streamw -i csv ..."
                .into(),
        ),
    ] {
        let output = run(name, &bytes, &format!("-w 1m {flags}"));
        let (stderr, message) = (output.stderr.replace('\t', "\\u{9}"), format!("streamw: {expected}\n"));
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{name}: {stderr}");
        assert_same(name, &message, &stderr);
    }
    let here = env!("CARGO_TARGET_TMPDIR");
    let output = Streamw::new().args("-w 1m").arg(here).run();
    assert_same("a directory", &format!("streamw: {here}: is a directory\n"), &output.stderr);
    let output = Streamw::new().args("-w 1m nowhere.csv").run();
    assert_same("no file", "streamw: nowhere.csv: No such file or directory\n", &output.stderr);
}

#[test]
fn inputs_that_begin_as_something_else_are_explained_once_and_counted() {
    let nothing = |bad: &str| format!("streamw: no record could be read: {bad}, and no event\n");
    for (name, text, bad, events, expected) in [
        (
            "array.json",
            "[{\"ts\":1},{\"ts\":2}]",
            1,
            0,
            "streamw: array.json begins as a JSON array, and one object a line is read; try: jq -c '.[]' < array.json | streamw ...\n".to_owned()
                + &nothing("1 bad record"),
        ),
        (
            "array_lines.json",
            "[\n{\"ts\":1},\n{\"ts\":2}\n]\n",
            3,
            1,
            "streamw: array_lines.json begins as a JSON array, and one object a line is read; try: jq -c '.[]' < array_lines.json | streamw ...\n\
             streamw: the event time is \"ts\" (choose another with -t)\n"
                .to_owned(),
        ),
        (
            "pretty.json",
            "{\n  \"ts\": 1\n}\n{\n  \"ts\": 2\n}\n",
            6,
            0,
            "streamw: pretty.json begins as JSON over several lines, and one object a line is read; try: jq -c . < pretty.json | streamw ...\n"
                .to_owned()
                + &nothing("6 bad records"),
        ),
        (
            "error.log",
            APACHE_ERROR,
            1,
            0,
            "streamw: error.log was taken for NDJSON, as it begins with [; if it is a log, -i regex:RE takes its lines apart\n".to_owned()
                + &nothing("1 bad record"),
        ),
        // A bad record among good ones needs no word.
        ("one.json", "x\n{\"ts\":1}\n", 1, 1, "streamw: the event time is \"ts\" (choose another with -t)\n".to_owned()),
        ("empty.csv", "", 0, 0, String::new()),
        ("mark.csv", "\u{feff}", 0, 0, String::new()),
    ] {
        let output = run(name, text.as_bytes(), "-w 1m --stats");
        let people: String =
            output.stderr.lines().filter(|line| !line.starts_with('{')).map(|line| format!("{line}\n")).collect();
        assert_same(name, &expected, &people);
        let summary = output.summary();
        assert_eq!((output.status, &summary["bad"], &summary["events"]), (0, &bad.into(), &events.into()), "{name}");
        assert_eq!(output.lines_of_type("bad_record").len(), bad, "{name}");
    }
}

#[test]
fn access_logs_and_logfmt_are_known_by_their_first_line() {
    let common = "::1 - John [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.0\" 304 -\r\n";
    let logfmt = "level=info ts=2026-01-01T00:00:00Z msg=\"a, b\"\n";
    for (what, text, expected) in [
        ("combined", ACCESS, "read as combined, by its first bytes"),
        ("common", common, "read as combined, by its first bytes"),
        ("after blank lines", &format!("\n\n{common}"), "read as combined, by its first bytes"),
        ("logfmt", logfmt, "read as logfmt, by its first bytes"),
        // What is not so beyond doubt is as ever.
        (
            "a request cut off",
            "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /, time",
            "read as csv, by its first bytes",
        ),
        ("no time", "1.2.3.4 - - [time,v] \"GET / HTTP/1.0\" 304 -\n", "read as csv, by its first bytes"),
        ("a header with =", "time,a=b\n1,2\n", "read as csv, by its first bytes"),
        ("one pair", "time=x\n", "read as csv, by its first bytes"),
        ("a flag", "time=x y z\n", "read as csv, by its first bytes"),
    ] {
        for size in [1, 30, 4096] {
            let output = Streamw::new().args("-w 1m -v").stdin(text).read_size(size).run();
            assert!(output.stderr.contains(&format!("-: {expected}\n")), "{what}: {}", output.stderr);
            if !expected.contains("csv") {
                assert!(output.stdout.contains("\"count\":1,"), "{what}: {}", output.stderr);
            }
        }
    }
    // Nor where something else was told.
    let output = Streamw::new().args("-w 1m -v --columns a,time").stdin(ACCESS).run();
    assert!(output.stderr.contains("read as csv"), "{}", output.stderr);
}

#[test]
fn times_in_other_forms_say_which_pattern_reads_them() {
    for (input, flags, expected) in [
        ("time\n27.03.2026 13:00\n", "", "is not a time (--time-format '%d.%m.%Y %H:%M' reads it)"),
        ("time\n17/May/2015:10:05:03 +0000\n", "", "is not a time (--time-format '%d/%b/%Y:%H:%M:%S %z' reads it)"),
        ("time\n13:00:01\n", "", "is not a time (a time of day, without its date)"),
        ("time\n1767225600000\n", "--time-format s", "is outside the years 1677 to 2262 (--time-format auto reads it)"),
        (
            "{\"time\":20260101120000}\n",
            "",
            "is outside the years 1677 to 2262 (--time-format '%Y%m%d%H%M%S' reads it)",
        ),
        ("time\nnoon\n", "", "is not a time"),
    ] {
        let output = Streamw::new().args("-w 1m").args(flags).stdin(input).run();
        let detail = crate::util::parse_json(output.lines_of_type("bad_record")[0])["detail"].clone();
        assert!(detail.as_str().is_some_and(|detail| detail.ends_with(expected)), "{detail}");
        if let Some((_, pattern)) = expected.split_once("--time-format ")
            && let Some(pattern) = pattern.strip_suffix(" reads it)")
        {
            let told = Streamw::new().args(&format!("-w 1m -q --time-format {pattern}")).stdin(input).run();
            assert!(told.stdout.contains("\"count\":1,"), "{pattern}: {}", told.stderr);
        }
    }
}

#[test]
fn mistakes_on_the_command_line_say_what_to_write() {
    for (flags, expected) in [
        ("", "-w is missing: which windows? For example -w 1m, -w 10m/1m or -w session:30m"),
        (
            "-w 60",
            "-w: \"60\" is no duration (time unit needed, for example 60sec or 60ms); examples: 90s, 1h 30m, 250ms",
        ),
        ("-w 1M", "-w: \"1M\": M is ambiguous; use m for minutes, mo for calendar months (in -w only)"),
        ("-w session", "-w: \"session\" needs a gap, as in session:30m"),
        ("-w tumbling", "-w: \"tumbling\" needs a size, as in tumbling:1m"),
        ("-w sliding", "-w: \"sliding\" needs a size and a slide, as in sliding:10m/1m"),
        ("-w cumulate:", "-w: \"cumulate:\" needs a size and a step, as in cumulate:1d/1h"),
        ("-w count", "-w: \"count\" needs a number of events, as in count:100"),
        ("-w tumble:1m", "-w: unknown window kind \"tumble\"; did you mean \"tumbling\"?"),
        ("-w 1m -a sum", "-a: \"sum\" needs a field, as in sum:latency_ms"),
        ("-w 1m -a summ:v", "-a: unknown aggregate \"summ\"; did you mean \"sum\"?"),
        (
            "-w 1m -a count -a count",
            "-a: two output columns would be called \"count\"; name this one otherwise with NAME=",
        ),
        ("-w 1m -i apache", "unknown format \"apache\"; did you mean \"combined\"? (known: auto"),
        ("-w 1m -i json", "unknown format \"json\"; did you mean \"ndjson\"? (known: auto"),
        ("-w 1m -d 5", "\"5\" is no duration (time unit needed, for example 5sec or 5ms)"),
        ("-w 1m --timezone Europe/Berln", "did you mean \"Europe/Berlin\"?"),
        (
            "-w 1m --time-format YYYY-MM-DD",
            "\"YYYY-MM-DD\" is neither auto, rfc3339, s, ms, us, ns nor a pattern with %",
        ),
        ("-w 1m --colour never", "a similar argument exists: '--color'"),
    ] {
        let output = Streamw::new().args(flags).arg("-").stdin("{\"ts\":1}\n").run();
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{flags}: {}", output.stderr);
        assert!(
            output.stderr.starts_with("streamw: ") && output.stderr.contains(expected),
            "{flags}: {}",
            output.stderr
        );
    }
}

#[test]
fn an_input_with_the_newest_first_is_told_why_most_of_it_is_late() {
    let newest_first = (0..100).rev().map(|second| format!("{{\"ts\":{}}}\n", second * 60)).collect::<String>();
    let hint = "streamw: 99 of 100 events were dropped as late, as the first was ahead of them; -d says how far an input is out \
                of order (one with the newest first can be turned round: tac FILE | streamw ...)";
    let run = Streamw::new().args("-w 1m -t ts --late /dev/null").stdin(newest_first.clone());
    assert_same("all in one line", &format!("{hint}\n"), &run.clone().run().stderr);
    assert_same("enough of a delay", "", &run.args("-d 2h").run().stderr);
    // A single record that is far ahead is named instead (T11).
    let ahead = format!("{{\"ts\":0}}\n{newest_first}");
    let stderr = Streamw::new().args("-w 1m -t ts --late /dev/null").stdin(ahead).run().stderr;
    assert!(
        stderr.starts_with("streamw: line 2 of - moved the watermark from") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn one_is_not_spoken_of_as_many() {
    let bad = "{\"ts\":1}\nx\n";
    for (flags, input, expected) in [
        ("--max-bad 1%", bad, "1 bad record in 2 records, which is more than --max-bad 1% allows"),
        ("-i ndjson --max-bad 1%", "x\n", "no record could be read: 1 bad record, and no event"),
        ("-i ndjson --max-bad 1%", "x\n", "1 bad record in 1 record, which is more than --max-bad 1% allows"),
        ("--max-bad 0", bad, "1 open window was not printed"),
        ("--columns ts,v -i csv", "1\n", "1 cell, and the header has 2"),
    ] {
        let output = Streamw::new().args("-w 1m").args(flags).stdin(input).run();
        assert!(output.stderr.contains(expected), "{flags}: {}", output.stderr);
    }
}
