//! What the rows should be, and that they are there: `--expect`, `--tolerance`, `--update-expect`, `--expect-keys`,
//! `--expect-windows`, `--report`.

use crate::util::{Output, Streamw, parse_json};
use std::fs;
use std::path::PathBuf;

/// A file of this content in a directory of the test's own.
fn file(name: &str, content: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("expect");
    fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join(name);
    fs::write(&path, content).expect("a file");
    path
}

fn run(flags: &str, files: &[(&str, &PathBuf)], input: &str) -> Output {
    let mut streamw = Streamw::new().args("-i csv -t ts -k k -w 10s -o csv").args(flags);
    for (flag, path) in files {
        streamw = streamw.arg(*flag).arg(path.as_os_str());
    }
    streamw.stdin(input).run()
}

/// The lines for people, without what comes before the name of the file.
fn told(output: &Output) -> Vec<String> {
    let lines = output.stderr.lines().filter(|line| line.starts_with("streamw: --expect"));
    lines.map(|line| line.splitn(3, ": ").last().expect("a reason").to_owned()).collect()
}

const INPUT: &str = "ts,k,v\n1,a,5\n2,b,0.1\n3,b,0.2\n11,a,7\n4,a,1\n25,a,1\n";
const GOLDEN: &str = "window_start,window_end,k,sum_v\n\
    1970-01-01T00:00:20Z,1970-01-01T00:00:30Z,a,1\n\
    1970-01-01T00:00:00Z,1970-01-01T00:00:10Z,a,6\n\
    1970-01-01T00:00:00Z,1970-01-01T00:00:10Z,b,0.3\n\
    1970-01-01T00:00:10Z,1970-01-01T00:00:20Z,a,7\n";

#[test]
fn the_final_table_is_compared_in_any_order_and_format() {
    let ndjson = |rows: &[(&str, &str, &str)]| -> String {
        let row = |(start, key, sum): &(&str, &str, &str)| {
            let end = &format!("{:02}", start.parse::<u32>().expect("seconds") + 10);
            format!(
                "{{\"k\":\"{key}\",\"sum_v\":{sum},\"window_start\":\"1970-01-01T00:00:{start}Z\",\"window_end\":\"1970-01-01T00:00:{end}Z\"}}\n"
            )
        };
        rows.iter().map(row).collect()
    };
    let whole = ndjson(&[("10", "a", "7.0"), ("20", "a", "1"), ("00", "b", "0.3"), ("00", "a", "6")]);
    for (name, golden, flags, expected) in [
        ("same.csv", GOLDEN.to_owned(), "", &[][..]),
        ("same.tsv", GOLDEN.replace(',', "\t"), "", &[]),
        ("same.ndjson", whole.clone(), "", &[]),
        (
            "off.csv",
            GOLDEN.replace(",7\n", ",7.5\n"),
            "",
            &["window_start=1970-01-01T00:00:10Z k=a: sum_v is 7 and not 7.5"],
        ),
        ("off.csv", GOLDEN.replace(",7\n", ",7.5\n"), "--tolerance 0.5", &[]),
        ("off.csv", GOLDEN.replace(",7\n", ",7.5\n"), "--tolerance 7%", &[]),
        (
            "off.csv",
            GOLDEN.replace(",7\n", ",7.5\n"),
            "--tolerance 6%",
            &["window_start=1970-01-01T00:00:10Z k=a: sum_v is 7 and not 7.5"],
        ),
        (
            "other.csv",
            GOLDEN.replace("10Z,b,0.3", "10Z,c,0.3"),
            "",
            &["window_start=1970-01-01T00:00:00Z k=b: not expected", "window_start=1970-01-01T00:00:00Z k=c: missing"],
        ),
        (
            "null.csv",
            GOLDEN.replace(",7\n", ",\n"),
            "",
            &["window_start=1970-01-01T00:00:10Z k=a: sum_v is 7 and not null"],
        ),
        ("columns.csv", GOLDEN.replace("sum_v", "sum"), "", &["it has no column sum_v", "rows have no column sum"]),
    ] {
        let path = file(name, &golden);
        let output = run(&format!("-a sum:v -l 60s -q {flags}"), &[("--expect", &path)], INPUT);
        let mut lines = told(&output);
        if let Some(last) = lines.pop() {
            let many =
                if expected.len() == 1 { "1 difference".to_owned() } else { format!("{} differences", expected.len()) };
            assert_eq!(last, many, "{name} {flags}");
        }
        assert_eq!(lines, expected, "{name} {flags}: {}", output.stderr);
        assert_eq!(output.status, if expected.is_empty() { 0 } else { 3 }, "{name} {flags}");
    }
}

#[test]
fn what_was_printed_or_updated_is_what_is_expected() {
    let session = "1,a,5\n20,a,1\n4,a,6\n12,a,7\n16,a,2\n";
    for (flags, input) in [
        ("-w 20s -a sum:v -a collect:v:3 -l 60s", INPUT.to_owned()),
        ("-w 5s -a avg:v -a top:v:2 -o ndjson -l 60s", INPUT.to_owned()),
        ("-w session:5s -l 60s -a sum:v", format!("ts,k,v\n{session}")),
        ("-w count:2 -a sum:v", INPUT.to_owned()),
        ("-w global --trigger every:2 -a sum:v", INPUT.to_owned()),
        ("-w 30s --early every:1 --updates retracting -a sum:v", INPUT.to_owned()),
    ] {
        for (index, name) in ["golden.csv", "golden.tsv", "golden.ndjson"].into_iter().enumerate() {
            let path = file(&format!("{index}-{name}"), "");
            let plain = |more: &[(&str, &PathBuf)], extra: &str| {
                let mut streamw = Streamw::new().args("-i csv -t ts -k k -q").args(flags).args(extra);
                for (flag, path) in more {
                    streamw = streamw.arg(*flag).arg(path.as_os_str());
                }
                streamw.stdin(input.clone()).run()
            };
            let updated = plain(&[("--expect", &path)], "--update-expect");
            assert_eq!(updated.status, 0, "{flags}: {}", updated.stderr);
            assert_eq!(plain(&[("--expect", &path)], "").stderr, "", "{flags} {name}");
            // And what the program prints is such a file, revisions and all.
            let ext = name.rsplit('.').next().expect("an extension");
            let more = if ext == "ndjson" || flags.contains("-o") { "" } else { "-o csv" };
            let printed = file(&format!("{index}-printed.{ext}"), &plain(&[], more).stdout);
            if ext != "tsv" && (ext == "ndjson" || !flags.contains("-o")) {
                assert_eq!(plain(&[("--expect", &printed)], "").stderr, "", "{flags} as printed, {name}");
            }
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_told_before_anything_is_printed() {
    let broken = file("broken.ndjson", "{\"a\":1}\n[]\n");
    let missing = broken.with_file_name("is-not-there");
    for (flag, path, expected) in [
        ("--expect", &missing, "is-not-there: No such file or directory"),
        ("--expect-keys", &missing, "is-not-there: No such file or directory"),
        ("--expect", &broken, "broken.ndjson: line 2 is no JSON object"),
    ] {
        let output = run("", &[(flag, path)], INPUT);
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{flag}");
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    for (flags, expected) in [
        ("--tolerance 1", "--expect <FILE>"),
        ("--update-expect", "--expect <FILE>"),
        ("--expect-windows 2026", "\"2026\" is not FROM/TO"),
        ("--expect-windows 2026-01-02/2026-01-01", "ends before it begins"),
        ("--expect-windows 2026-01-02/never", "\"never\" is not a time"),
        ("--expect-windows 1970-01-01/2026-01-01", "has more than 1000000 windows"),
    ] {
        let output = run(flags, &[], INPUT);
        assert_eq!(output.status, 2, "{flags}");
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
}

/// Violations as check, second at which the window starts, and key.
fn missing(output: &Output) -> Vec<String> {
    let line = |line: &str| {
        let line = parse_json(line);
        let start = line["window_start"].as_str().map_or("-", |start| &start[17..19]);
        format!("{} {start} {}", &line["check"].as_str().expect("a check")[9..], line["key"].as_str().unwrap_or("-"))
    };
    output.lines_of_type("violation").into_iter().map(line).collect()
}

#[test]
fn missing_data_is_a_violation() {
    let keys = file("keys.txt", "a\nb\r\n\nc\n");
    let both = file("both.txt", "a\tx\nb\tnull\n");
    for (flags, with_keys, expected) in [
        ("", true, &["keys 00 c", "keys 10 b", "keys 10 c", "keys 20 b", "keys 20 c"][..]),
        ("--expect-windows 1970-01-01T00:00:00Z/1970-01-01T00:00:30Z", false, &[]),
        ("--expect-windows 1970-01-01T00:00:00Z/1970-01-01T00:00:50Z", false, &["windows 30 -", "windows 40 -"]),
        (
            "--expect-windows 1970-01-01T00:00:05Z/1970-01-01T00:00:35Z",
            true,
            &["keys 10 b", "keys 10 c", "keys 20 b", "keys 20 c"],
        ),
        // A window that is not printed is not there.
        ("--expect-windows 1970-01-01/1970-01-01T00:00:20Z --having sum_v<7", false, &["windows 10 -"]),
    ] {
        let files: &[(&str, &PathBuf)] = if with_keys { &[("--expect-keys", &keys)] } else { &[] };
        let output = run(&format!("-a sum:v -q -l 60s {flags}"), files, INPUT);
        assert_eq!(missing(&output), expected, "{flags}: {}", output.stderr);
        assert_eq!(output.status, if expected.is_empty() { 0 } else { 3 });
    }
    let session = Streamw::new().args("-i csv -t ts -k k -w session:5s -q --expect-keys").arg(&keys).stdin(INPUT).run();
    assert_eq!(missing(&session), ["keys - c"]);
    let composite = Streamw::new().args("-i csv -t ts -k k -k v -w 1m -q --expect-keys").arg(&both);
    let composite = composite.stdin("ts,k,v\n1,a,x\n2,b,\n").run();
    assert_eq!((missing(&composite), composite.status), (vec![], 0));
}

#[test]
fn a_report_says_what_each_check_found() {
    let report = file("junit.xml", "");
    let golden = file("report.csv", &GOLDEN.replace(",7\n", ",8\n"));
    let files: &[(&str, &PathBuf)] = &[("--report", &report), ("--expect", &golden)];
    let mut streamw = Streamw::new().args("-i csv -t ts -k k -w 10s -a sum:v -l 60s -q -o csv");
    for (flag, path) in files {
        streamw = streamw.arg(*flag).arg(path.as_os_str());
    }
    for (flag, text) in [
        ("--fail-if", "sum_v > 5"),
        ("--fail-if", "k == 'z'"),
        ("--warn-if", "sum_v < 1"),
        ("--fail-if", "stats.events == 6"),
    ] {
        streamw = streamw.arg(flag).arg(text);
    }
    let output = streamw.clone().stdin(INPUT).run();
    assert_eq!(output.status, 3);
    let text = fs::read_to_string(&report).expect("a report");
    let seconds = regex::Regex::new("time=\"[0-9.]+\"").expect("a regex");
    let text = seconds.replace_all(&text, "time=\"\"");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "<testsuites tests=\"6\" failures=\"3\" errors=\"0\" time=\"\">");
    for expected in [
        "    <testcase classname=\"streamw\" name=\"run\"/>",
        "    <testcase classname=\"streamw\" name=\"--fail-if &apos;k == &apos;z&apos;&apos;\"/>",
        "      <failure type=\"check\" message=\"1 difference\">window_start=1970-01-01T00:00:10Z k=a: sum_v is 7 and not 8</failure>",
    ] {
        let expected = expected.replace("&apos;", "'");
        assert!(lines.contains(&expected.as_str()), "{expected}\n{text}");
    }
    assert!(
        text.contains(
            "name=\"--fail-if 'sum_v &gt; 5'\">\n      <failure type=\"check\" message=\"true of 2 rows\">{&quot;type&quot;"
        ),
        "{text}"
    );
    assert!(text.contains("name=\"--warn-if 'sum_v &lt; 1'\">\n      <system-out>{&quot;type&quot;"), "{text}");
    assert!(text.contains("<failure type=\"check\" message=\"true\">"), "{text}");
    // A run that fails says so in the report.
    let output = streamw.arg("--having").arg("sum_v > k").stdin(INPUT).run();
    assert_eq!(output.status, 1);
    let text = fs::read_to_string(&report).expect("a report");
    assert!(text.contains("<error type=\"failure\" message=\"--having 'sum_v &gt; k', column 7: "), "{text}");
}

#[test]
fn a_run_that_was_stopped_says_nothing_of_the_whole_table() {
    let golden = file("stopped.csv", GOLDEN);
    let output = run("-a sum:v --strict --update-expect", &[("--expect", &golden)], "ts,k,v\n1,a,5\nx,y,z\n");
    assert_eq!(output.status, 1);
    assert_eq!(fs::read_to_string(&golden).expect("a file"), GOLDEN, "the file is as it was");
    let output = run("-a sum:v --max-bad 0", &[("--expect", &golden)], "ts,k,v\n1,a,5\nx,y,z\n");
    assert_eq!((output.status, told(&output)), (3, vec![]));
}

#[test]
fn a_file_that_is_not_there_or_empty_says_how_it_is_written() {
    let nowhere = file("gone", "").with_file_name("nowhere.csv");
    let output = run("-a sum:v -q", &[("--expect", &nowhere)], INPUT);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert!(
        output.stderr.contains("nowhere.csv: No such file or directory; --update-expect writes it"),
        "{}",
        output.stderr
    );
    let output = run("-a sum:v -q -l 60s", &[("--expect", &file("empty.csv", ""))], INPUT);
    assert_eq!(
        (output.status, told(&output)),
        (3, vec!["it is empty, and there are 4 rows (--update-expect writes them)".to_owned(), "1 difference".into()])
    );
    // A row is known by its keys also where the file has none of them.
    let other = file("others.csv", "a,b\n1,2\n");
    let output = run("-a sum:v -q -l 60s", &[("--expect", &other)], INPUT);
    assert!(output.stderr.contains("window_start=1970-01-01T00:00:10Z k=a: not expected"), "{}", output.stderr);
}

#[test]
fn a_report_is_what_the_schema_of_jenkins_wants() {
    let report = file("schema.xml", "");
    let flags = "-a sum:v --fail-if k=='a' --fail-if k=='<&\"x\"' --warn-if sum_v>0 --fail-if stats.records>0";
    run(flags, &[("--report", &report)], INPUT);
    let text = fs::read_to_string(&report).expect("a report");
    // Each element may have these attributes and must have those in capitals here, and lies in that other one.
    let known = [
        ("testsuites", "name time tests failures errors", ""),
        ("testsuite", "NAME TESTS FAILURES ERRORS time", "testsuites"),
        ("testcase", "NAME classname time", "testsuite"),
        ("failure", "type message", "testcase"),
        ("error", "type message", "testcase"),
        ("system-out", "", "testcase"),
    ];
    let (mut open, mut rest, mut seen) = (Vec::new(), text.split_once("?>").expect("a declaration").1, Vec::new());
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "{before}");
        let (tag, after) = after.split_once('>').expect("an end of a tag");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let is_empty = tag.ends_with('/');
        let (name, attributes) = tag.trim_end_matches('/').split_once(' ').unwrap_or((tag, ""));
        let (_, may, parent) = known.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(open.last().copied().unwrap_or_default(), *parent, "{name}");
        let given: Vec<&str> = attributes.split('"').step_by(2).map(|part| part.trim().trim_end_matches('=')).collect();
        for attribute in given.iter().filter(|name| !name.is_empty()) {
            assert!(may.to_lowercase().split(' ').any(|may| may == *attribute), "{attribute} of {name}");
        }
        for must in may.split(' ').filter(|may| !may.is_empty() && may.to_uppercase() == **may) {
            assert!(given.contains(&must.to_lowercase().as_str()), "{must} of {name}");
        }
        seen.push(name);
        if !is_empty {
            open.push(name);
        }
    }
    assert!(open.is_empty() && seen.contains(&"failure") && seen.contains(&"system-out"), "{seen:?}");
}
