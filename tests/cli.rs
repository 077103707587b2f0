//! The program as it is typed: flags, files, reports, exit codes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::{Value, json};
use streamw::host::Host;

use crate::util::{Output, SharedBuffer, assert_same, parse_json};

/// An empty directory of a test's own.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory can be made");
    path
}

/// The program in a directory, with arguments separated by blanks.
fn streamw(directory: &Path, args: &str) -> Command {
    let mut command = cargo_bin_cmd!("streamw");
    command.current_dir(directory).args(args.split_whitespace());
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let status = output.status.code().expect("the program is not killed");
    Output { status: status as u8, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The lines for people.
fn said(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| !line.starts_with('{')).collect()
}

#[track_caller]
fn assert_contains(text: &str, needles: &[&str]) {
    for needle in needles {
        assert!(text.contains(needle), "not said: {needle}\n--- in\n{text}");
    }
}

// --- usage ---------------------------------------------------------------------------------------------------

#[test]
fn e3_a_mistake_names_the_flag_and_the_near_miss() {
    let here = directory("usage");
    for (args, needles) in [
        ("", &["-w"][..]),
        ("-w 1m --offfset 3s", &["--offfset", "--offset"]),
        ("-w 1x", &["-w", "\"1x\""]),
        ("-w slidin:1m", &["-w", "\"slidin\"", "\"sliding\""]),
        ("-w 1M", &["-w", "\"1M\"", "mo"]),
        ("-w 0s", &["-w", "\"0s\""]),
        ("-w 10m/0s", &["-w", "\"0s\""]),
        ("-w session:0s", &["-w", "\"0s\""]),
        ("-w session:", &["-w"]),
        ("-w 1m -a mediam:x", &["-a", "\"mediam\""]),
        ("-w 1m -a summ:x", &["-a", "\"summ\"", "\"sum\""]),
        ("-w 1m -a sum", &["-a", "\"sum\"", "field"]),
        ("-w 1m -a sum:", &["-a", "field"]),
        ("-w 1m -a =count", &["-a", "="]),
        ("-w 1m -k =x", &["-k", "="]),
        ("-w 1m -k x=", &["-k", "field"]),
        ("-w 1m -d -1s", &["--watermark-delay", "-1s", "negative"]),
        ("-w 1m -l -1s", &["--allowed-lateness", "-1s", "negative"]),
        ("-w 1m -d 1M", &["--watermark-delay", "1M"]),
        ("-w 1m --offset 1m", &["--offset"]),
        ("-w 1m --offset -1m", &["--offset"]),
        ("-w 10m/1m --offset 1m", &["--offset"]),
        ("-w 1m --max-bad x", &["--max-bad", "\"x\""]),
        ("-w 1m --max-bad 101%", &["--max-bad", "101%"]),
        ("-w 1m --max-late -1", &["-1"]),
        ("-w 1m --max-late NaN%", &["--max-late", "NaN%"]),
        ("-w 1m --late-rule evnt", &["--late-rule", "evnt", "event"]),
        ("-w 1m -i cvs", &["--input-format", "cvs", "csv"]),
        ("-w 1m -o ndjsn", &["--output-format", "ndjsn", "ndjson"]),
        ("-w 1m --time-format rfc333", &["--time-format", "rfc3339"]),
        ("-w 1m --threads 0", &["--threads"]),
        ("-w 1m --threads x", &["--threads"]),
        ("-w 1m --max-line 0", &["--max-line"]),
        ("-w 1m --max-line 1T", &["--max-line", "1T"]),
        ("-w 1m --max-line 99999999999999999999", &["--max-line"]),
        ("-w 1m -t", &["--time"]),
        ("-w 1m - -", &["-", "twice"]),
    ] {
        let output = run(streamw(&here, args).write_stdin("{\"ts\":1}\n"));
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "streamw {args}\n{}", output.stderr);
        assert!(output.stderr.starts_with("streamw: "), "streamw {args}\n{}", output.stderr);
        assert_contains(&output.stderr, needles);
    }
}

#[test]
fn equal_output_columns_are_refused_and_the_way_out_is_shown() {
    let here = directory("columns");
    for (args, name) in [
        ("-k pane", "pane"),
        ("-k window_start", "window_start"),
        ("-k window", "window"),
        ("-k seq", "seq"),
        ("-k replaces", "replaces"),
        ("-k a=b -k a=c", "a"),
        ("-k a -k a", "a"),
        ("-k count", "count"),
        ("-k a -a a=count", "a"),
        ("-a sum:x -a sum:x", "sum_x"),
        ("-a sum:x.y -a sum:x_y", "sum_x_y"),
        ("-a revision=count", "revision"),
    ] {
        let output = run(streamw(&here, "-w 1m").args(args.split_whitespace()).write_stdin(""));
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "streamw {args}\n{}", output.stderr);
        assert_contains(&output.stderr, &[&format!("\"{name}\""), "NAME="]);
    }
    let fine = run(streamw(&here, "-w 1m -t ts -k p=pane -k pane_2=pane -a n=count -a sum_x_y_2=sum:x.y")
        .write_stdin("{\"ts\":1,\"pane\":2}\n"));
    assert_contains(&fine.stdout, &["\"p\":2,\"pane_2\":2,\"n\":1,\"sum_x_y_2\":null,\"pane\":\"on_time\""]);
}

#[test]
fn e3_what_is_asked_for_goes_to_stdout() {
    let here = directory("help");
    for (args, needle) in [
        ("--help", "--watermark-delay"),
        ("-h", "--watermark-delay"),
        ("--version", env!("CARGO_PKG_VERSION")),
        ("man", "streamw"),
        ("completions bash", "streamw"),
        ("completions zsh", "--window"),
    ] {
        let output = run(&mut streamw(&here, args));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "streamw {args}");
        assert_contains(&output.stdout, &[needle]);
    }
}

#[test]
fn e3_a_terminal_on_stdin_and_no_file_is_a_mistake() {
    let here = directory("terminal");
    fs::write(here.join("a.ndjson"), "{\"ts\":1}\n").expect("a file");
    let on_terminal = |args: &[&OsStr]| {
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let mut host = Host::piped(std::io::empty(), stdout.clone(), stderr.clone());
        host.terminals.stdin = true;
        let status = streamw::run::main(args.iter().map(|arg| arg.to_os_string()).collect(), host);
        Output { status, stdout: stdout.text(), stderr: stderr.text() }
    };
    let words = |args: &'static str| args.split_whitespace().map(OsStr::new).collect::<Vec<_>>();
    for args in ["", "-w 1m", "-t ts -w 1m -k a --stats"] {
        let output = on_terminal(&words(args));
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{args}");
        assert_contains(&output.stderr, &["Usage: streamw", "--window"]);
    }
    // Whoever names stdin means it, and a file needs no stdin.
    assert_eq!(on_terminal(&words("-w 1m -")).status, 0);
    let file = here.join("a.ndjson");
    let output = on_terminal(&[OsStr::new("-w1m"), file.as_os_str()]);
    assert_eq!((output.status, output.stdout.lines().count()), (0, 1), "{}", output.stderr);
}

// --- files ---------------------------------------------------------------------------------------------------

#[test]
fn t10_each_file_has_its_own_header_and_format() {
    let here = directory("several");
    fs::write(here.join("a.csv"), "ts,host,v\n1,x,1\n2,y,10\n").expect("a file");
    fs::write(here.join("b.csv"), "v,other,ts,host\r\n2,?,3,x\r\nv,other,ts,host\r\n").expect("a file");
    fs::write(here.join("c.JSONL"), "{\"host\":\"y\",\"v\":20,\"ts\":4}\n").expect("a file");
    fs::write(here.join("d"), "{\"host\":\"x\",\"v\":4,\"ts\":5}").expect("a file");
    fs::write(here.join("empty.csv"), "").expect("a file");
    let input = "host,ts,v\nx,6,8\n";
    let output =
        run(streamw(&here, "-w 1m -k host -a sum:v --stats a.csv b.csv empty.csv - c.JSONL d").write_stdin(input));
    let expected = "\
{\"window_start\":\"1970-01-01T00:00:00Z\",\"window_end\":\"1970-01-01T00:01:00Z\",\"host\":\"x\",\"sum_v\":15,\"pane\":\"on_time\",\"revision\":0}
{\"window_start\":\"1970-01-01T00:00:00Z\",\"window_end\":\"1970-01-01T00:01:00Z\",\"host\":\"y\",\"sum_v\":30,\"pane\":\"on_time\",\"revision\":0}
";
    assert_same("stdout", expected, &output.stdout);
    let summary = output.summary();
    let counts = ["records", "headers", "bad", "events"].map(|name| summary[name].as_u64());
    assert_eq!((output.status, counts), (0, [Some(10), Some(4), Some(0), Some(6)]), "{}", output.stderr);
}

#[test]
fn t10_lines_and_offsets_are_those_of_the_file() {
    let here = directory("places");
    fs::write(here.join("a.csv"), "ts\n1\nx\n").expect("a file");
    fs::write(here.join("b.csv"), "\u{feff}ts\n\n1\ny\n").expect("a file");
    let output = run(&mut streamw(&here, "-w 1m a.csv b.csv"));
    let places: Vec<Value> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
    let places: Vec<Value> =
        places.iter().map(|bad| json!([bad["source"], bad["line"], bad["offset"], bad["raw"]])).collect();
    // The offset is in the file, the byte order mark included.
    assert_eq!(places, [json!(["a.csv", 3, 5, "x"]), json!(["b.csv", 4, 9, "y"])]);
}

#[test]
fn t10_a_column_that_a_header_lacks_stops_the_run() {
    let here = directory("column");
    fs::write(here.join("day1.csv"), "ts,latencyms\n1,2\n61,2\n").expect("a file");
    fs::write(here.join("day2.csv"), "ts,latency_ms\n62,2\n").expect("a file");
    fs::write(here.join("day3.csv"), "when,what\n62,2\n").expect("a file");
    let output = run(&mut streamw(&here, "-w 1m -t ts -a sum:latencyms day1.csv day2.csv"));
    assert_eq!((output.status, output.stdout.lines().count()), (1, 1), "{}", output.stderr);
    assert_contains(
        &output.stderr,
        &["streamw: day2.csv has no column \"latencyms\"; near: latency_ms", "1 open window"],
    );
    for flags in ["-t ts -k latncyms", "-t ts -a first:latncyms", "-t latncyms"] {
        let output = run(streamw(&here, "-w 1m day1.csv").args(flags.split_whitespace()));
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{}", output.stderr);
        assert_contains(&output.stderr, &["day1.csv has no column \"latncyms\"; near: latencyms"]);
    }
    // Nothing is near: then what there is. Without -t: the names that were tried.
    let output = run(&mut streamw(&here, "-w 1m -t zzz day3.csv"));
    assert_contains(&output.stderr, &["day3.csv has no column \"zzz\"", "when", "what"]);
    let output = run(&mut streamw(&here, "-w 1m day3.csv"));
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert_contains(&output.stderr, &["day3.csv", "@timestamp", "-t", "when"]);
    // What was chosen for the first file holds for the second.
    let output = run(&mut streamw(&here, "-w 1m day1.csv day3.csv"));
    assert_eq!(output.status, 1);
    assert_contains(&output.stderr, &["day3.csv has no column \"ts\""]);
}

#[test]
fn t10_all_files_are_opened_before_the_first_row() {
    let here = directory("missing");
    fs::write(here.join("a.csv"), "ts\n1\n999\n").expect("a file");
    fs::create_dir(here.join("folder")).expect("a directory");
    for (file, why) in [("nothing.csv", "No such file"), ("folder", "directory")] {
        let output = run(streamw(&here, "-w 1m a.csv --output rows --late late").arg(file));
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{}", output.stderr);
        assert_contains(&output.stderr, &[file, why]);
        assert!(!output.stderr.contains("os error") && output.stderr.lines().count() == 1, "{}", output.stderr);
        assert!(!here.join("rows").exists() && !here.join("late").exists(), "no file is made, still less truncated");
    }
}

#[test]
fn t10_formats_go_by_extension_then_by_the_first_bytes() {
    let here = directory("formats");
    let (ndjson, csv) = ("{\"ts\":1}\n", "ts\n1\n");
    for (name, text, flags, bad) in [
        ("a.csv", csv, "", 0),
        ("a.CSV", csv, "", 0),
        ("a.ndjson", ndjson, "", 0),
        ("a.jsonl", ndjson, "", 0),
        ("a.json", ndjson, "", 0),
        ("a.log", ndjson, "", 0),
        ("a.log", csv, "", 0),
        ("csv", csv, "", 0),
        ("b.ndjson", csv, "-i csv", 0),
        ("b.csv", ndjson, "-i ndjson", 0),
        ("c.ndjson", csv, "-t ts", 2),
    ] {
        fs::write(here.join(name), text).expect("a file");
        let output = run(streamw(&here, "-w 1m --stats").args(flags.split_whitespace()).arg(name));
        assert_eq!((output.status, output.summary()["bad"].as_u64()), (0, Some(bad)), "{name}: {}", output.stderr);
    }
}

#[test]
fn an_input_is_never_overwritten() {
    let here = directory("overwrite");
    let text = "ts\n1\n";
    fs::write(here.join("a.csv"), text).expect("a file");
    std::os::unix::fs::symlink("a.csv", here.join("link.csv")).expect("a link");
    fs::hard_link(here.join("a.csv"), here.join("hard.csv")).expect("a link");
    for flag in ["--output", "--late", "--bad"] {
        for (input, name) in [
            ("a.csv", "a.csv"),
            ("a.csv", "./a.csv"),
            ("a.csv", "link.csv"),
            ("link.csv", "a.csv"),
            ("a.csv", "hard.csv"),
        ] {
            let output = run(streamw(&here, "-w 1m").args([input, flag, name]));
            assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{flag} {name}: {}", output.stderr);
            assert_contains(&output.stderr, &["streamw: ", flag, name, "input"]);
            assert_eq!(fs::read_to_string(here.join("a.csv")).expect("a file"), text, "{flag} {name}");
        }
        // Stdin may be a file as well.
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_streamw"));
        let stdin = fs::File::open(here.join("a.csv")).expect("a file");
        let output =
            command.current_dir(&here).args(["-w", "1m", flag, "a.csv"]).stdin(stdin).output().expect("it starts");
        assert_eq!(fs::read_to_string(here.join("a.csv")).expect("a file"), text, "{flag} and stdin");
        assert_eq!(output.status.code(), Some(2), "{flag} and stdin");
    }
    for [one, other] in [["--output", "--late"], ["--late", "--bad"], ["--output", "--bad"]] {
        let output = run(streamw(&here, "-w 1m link.csv").args([one, "out", other, "./out"]));
        assert_eq!(output.status, 2, "{}", output.stderr);
        assert_contains(&output.stderr, &[one, other]);
        // A device holds nothing that could be lost.
        let output = run(streamw(&here, "-w 1m link.csv").args([one, "/dev/null", other, "/dev/null"]));
        assert_eq!((output.status, output.stderr.contains("/dev/null")), (0, false), "{}", output.stderr);
    }
}

// --- reports and checks --------------------------------------------------------------------------------------

/// Two bad records, two late drops and a late update among eight records.
const MIXED: &str = "{\"ts\":1,\"k\":\"a\"}\nnonsense\n{\"ts\":100,\"k\":\"b\"}\n{\"ts\":30,\"k\":\"c\"}\n\n{\"ts\":2}\n{\"ts\":\"x\"}\n{\"ts\":101}\n";

#[test]
fn e2_late_and_bad_divert_those_lines() {
    let here = directory("divert");
    let flags = "-w 10s -t ts --stats";
    let plain = run(streamw(&here, flags).write_stdin(MIXED));
    assert_eq!(
        (plain.lines_of_type("late_drop").len(), plain.lines_of_type("bad_record").len()),
        (2, 2),
        "{}",
        plain.stderr
    );
    // Truncated at the start.
    fs::write(here.join("late"), "old\n".repeat(1000)).expect("a file");
    let diverted =
        run(streamw(&here, flags).args(["--late", "late", "--bad", "bad", "--output", "rows"]).write_stdin(MIXED));
    let file = |name: &str| fs::read_to_string(here.join(name)).expect("a file");
    assert_eq!((diverted.status, diverted.stdout.as_str()), (0, ""));
    assert_same("rows", &plain.stdout, &file("rows"));
    assert_same("late drops", &plain.lines_of_type("late_drop").join("\n"), file("late").trim_end());
    assert_same("bad records", &plain.lines_of_type("bad_record").join("\n"), file("bad").trim_end());
    assert!(diverted.lines_of_type("late_drop").is_empty() && diverted.lines_of_type("bad_record").is_empty());
    assert_eq!(diverted.summary()["late_drops"], 2);
    // Every line is there in full, and raw can be fed back in.
    let drop = parse_json(file("late").lines().next().expect("a late drop"));
    let expected = json!({"type": "late_drop", "source": "-", "line": 4, "offset": 45, "time": "1970-01-01T00:00:30Z", "key": null,
        "watermark": "1970-01-01T00:01:40Z", "late_by_ns": 70_000_000_000u64, "raw": "{\"ts\":30,\"k\":\"c\"}"});
    assert_eq!(drop, expected);
    let again: String =
        file("late").lines().map(|line| format!("{}\n", parse_json(line)["raw"].as_str().expect("a record"))).collect();
    let rows = run(streamw(&here, "-w 10s -t ts -l 1h").write_stdin(again));
    assert_eq!((rows.status, rows.stdout.lines().count(), rows.stderr.as_str()), (0, 2, ""));
}

#[test]
fn e1_checks_stop_the_run_or_judge_it_at_the_end() {
    let here = directory("checks");
    // Flags, exit status, records taken, rows, what is said.
    for (flags, status, records, rows, needles) in [
        ("", 0, 8, 3, &[][..]),
        ("--strict", 1, 2, 0, &["--strict", "1 open window was not printed"]),
        ("--max-bad 0", 3, 2, 0, &["--max-bad", "1 open window was not printed"]),
        ("--max-bad 1", 3, 7, 1, &["--max-bad", "1 open window was not printed"]),
        ("--max-bad 2", 0, 8, 3, &[]),
        ("--max-late 0", 3, 4, 1, &["--max-late", "1 open window was not printed"]),
        ("--max-late 1", 3, 6, 1, &["--max-late", "1 open window was not printed"]),
        ("--max-late 2", 0, 8, 3, &[]),
        // Two of seven records that are not blank: 28.57 %.
        ("--max-bad 28%", 3, 8, 3, &["--max-bad 28%", "2 bad records"]),
        ("--max-bad 28.6%", 0, 8, 3, &[]),
        ("--max-bad 0%", 3, 8, 3, &["--max-bad"]),
        ("--max-late 28%", 3, 8, 3, &["--max-late 28%", "2 late drops"]),
        ("--max-late 29%", 0, 8, 3, &[]),
        ("--max-late 28% --max-bad 28%", 3, 8, 3, &["--max-late 28%", "--max-bad 28%"]),
        ("--strict --max-late 0", 1, 2, 0, &["--strict"]),
    ] {
        for threads in ["1", "2", "8"] {
            let output = run(streamw(&here, "-w 10s -t ts -k k --stats")
                .args(flags.split_whitespace())
                .args(["--threads", threads])
                .write_stdin(MIXED));
            // The key is in the row, so that windows are three.
            let got = (output.status, output.summary()["records"].as_u64(), output.stdout.lines().count());
            assert_eq!(got, (status, Some(records), rows), "{flags}: {}", output.stderr);
            assert_contains(&said(&output).join("\n"), needles);
            let about_the_watermark = |line: &&str| line.contains("moved the watermark");
            let is_silent = said(&output).iter().all(about_the_watermark);
            assert_eq!(is_silent, needles.is_empty(), "{flags}: {}", output.stderr);
            let summary = output.summary();
            let count = |name: &str| summary[name].as_u64().expect("a number");
            assert_eq!(
                count("records"),
                ["blank", "headers", "bad", "events"].map(count).iter().sum::<u64>(),
                "e1: {flags}"
            );
        }
    }
    // A share of nothing is no failure.
    for flags in ["--max-bad 0%", "--max-late 0%"] {
        assert_eq!(run(streamw(&here, "-w 10s").args(flags.split_whitespace()).write_stdin("\n")).status, 0);
    }
}

#[test]
fn e1_a_check_stops_after_the_same_record_however_it_comes_in() {
    let here = directory("stop");
    let records = |n: u64| (0..n).map(|i| format!("{{\"ts\":{i},\"k\":{}}}\n", i % 7)).collect::<String>();
    // More than a block, so that others have been decoded already when the run stops.
    let input = records(30_000) + "bad\n" + &records(40_000);
    let flags = "-w 1h -k k --strict --stats -t ts";
    let reference = run(streamw(&here, flags).args(["--threads", "1"]).write_stdin(input.clone()));
    assert_eq!(
        (reference.status, reference.summary()["records"].as_u64()),
        (1, Some(30_001)),
        "{:?}",
        said(&reference)
    );
    for threads in ["2", "8"] {
        let output = run(streamw(&here, flags).args(["--threads", threads]).write_stdin(input.clone()));
        assert_same("stdout", &reference.stdout, &output.stdout);
        assert_eq!(output.summary()["bytes"], reference.summary()["bytes"]);
        assert_eq!(said(&output), said(&reference));
    }
}

#[test]
fn t4_late_rule() {
    let here = directory("late_rule");
    // W is 100: [0, 60) is gone, [60, 120) is open.
    let input = "{\"ts\":100}\n{\"ts\":61}\n{\"ts\":95}\n{\"ts\":59}\n";
    for (flags, drops) in
        [("", 1), ("--late-rule window", 1), ("--late-rule event", 3), ("--late-rule event -l 10s", 2), ("-l 41s", 0)]
    {
        let output = run(streamw(&here, "-w 1m --stats -t ts").args(flags.split_whitespace()).write_stdin(input));
        assert_eq!(
            (output.status, output.summary()["late_drops"].as_u64()),
            (0, Some(drops)),
            "{flags}: {}",
            output.stderr
        );
    }
}

#[test]
fn e2_quiet_silences_the_lines_for_people_only() {
    let here = directory("quiet");
    let loud = run(streamw(&here, "-w 10s -k nothing").write_stdin(MIXED));
    assert_eq!(said(&loud).len(), 3, "{:?}", said(&loud));
    let quiet = run(streamw(&here, "-w 10s -k nothing -q").write_stdin(MIXED));
    assert_same("the rest", &loud.json_lines().join("\n"), quiet.stderr.trim_end());
    // The reason for a failure is always told.
    for flags in ["--strict", "--max-bad 0", "--max-bad 0%", "-t nothing -i csv"] {
        let output = run(streamw(&here, "-w 10s -q").args(flags.split_whitespace()).write_stdin(MIXED));
        assert!(output.status != 0 && said(&output).len() == 1, "{flags}: {:?}", said(&output));
    }
}

#[test]
fn e3_an_output_that_cannot_be_written_is_a_failure() {
    let here = directory("full");
    for flags in
        [["--output", "/dev/full"], ["--late", "/dev/full"], ["--bad", "/dev/full"], ["--output", "no/such/folder"]]
    {
        let output = run(streamw(&here, "-w 10s -t ts -q").args(flags).write_stdin(MIXED));
        assert_eq!(output.status, 1, "{flags:?}: {}", output.stderr);
        assert!(said(&output).len() == 1 && said(&output)[0].contains(flags[1]), "{flags:?}: {:?}", said(&output));
    }
}

#[test]
fn e2_no_control_character_of_the_data_reaches_the_terminal() {
    let here = directory("control");
    let hazards = "\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31m\u{7f}\u{85}\u{202e}\u{2066}\u{200f}";
    let json = hazards.replace('\u{1b}', "\\u001b").replace('\u{7}', "\\u0007");
    let name = format!("a{hazards}\n.csv");
    fs::write(here.join(&name), format!("ts,k{hazards}\n1,{hazards}\nx{hazards},2\n3\n")).expect("a file");
    let raw_name = OsStr::from_bytes(b"b\x1b\xff.ndjson");
    fs::write(here.join(raw_name), format!("{{\"ts\":100,\"k\":\"{json}\"}}\n{hazards}\n{{\"ts\":1,\"k\":\"{json}\"}}\n{{\"ts\":\"{json}\"}}\n{{\"ts\":1,\"k{json}\":1}}\n")).expect("a file");
    let header = format!("k{hazards}");
    let runs: Vec<Vec<&OsStr>> = vec![
        vec![OsStr::new(&name), OsStr::new("-tts"), OsStr::new("--stats")],
        vec![OsStr::new(&name), OsStr::new("-tts"), OsStr::new("-k"), OsStr::new(&header)],
        vec![OsStr::new(&name), OsStr::new("-tts"), OsStr::new("-kk")],
        vec![OsStr::new(&name), OsStr::new("-tts"), OsStr::new("-k"), OsStr::new(hazards)],
        vec![OsStr::new(&name), OsStr::new("-tts"), OsStr::new("--strict")],
        vec![OsStr::new(&name), OsStr::new("-icsv"), OsStr::new("-t"), OsStr::new(hazards)],
        vec![OsStr::new(&name), OsStr::new("--output"), OsStr::new(&name)],
        vec![raw_name, OsStr::new("-tts"), OsStr::new("-kk"), OsStr::new("-afirst:k")],
        vec![raw_name, OsStr::new("-tts"), OsStr::new("-k"), OsStr::new(hazards)],
        vec![OsStr::new(hazards)],
        vec![OsStr::new("-k"), OsStr::new(hazards), OsStr::new("-k"), OsStr::new(hazards)],
        vec![OsStr::new("-a"), OsStr::new(hazards)],
        vec![OsStr::new("--late-rule"), OsStr::new(hazards)],
        vec![OsStr::new("--max-bad"), OsStr::new(hazards)],
        vec![OsStr::new("--offset"), OsStr::new(hazards)],
    ];
    for args in runs {
        let output = run(streamw(&here, "-w 1m").args(&args).write_stdin(""));
        for text in [&output.stderr, &output.stdout] {
            let hazard =
                text.chars().find(|c| *c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200f}".contains(*c)));
            assert_eq!(hazard, None, "{args:?}\n{}", text.escape_debug());
        }
    }
}

// --- output --------------------------------------------------------------------------------------------------

#[test]
fn rows_as_csv() {
    let here = directory("csv");
    let input = "{\"ts\":1,\"k\":\"a,\\\"b\\n\",\"v\":0.5}\n{\"ts\":2,\"k\":\"\"}\n{\"ts\":3,\"v\":7}\n{\"ts\":-1e9,\"k\":1}\n{\"ts\":4,\"k\":true,\"v\":null}\n";
    let output = run(streamw(&here, "-t ts -w 1m -k k -a count -a sum:v -a first:k -o csv -q").write_stdin(input));
    let expected = "window_start,window_end,k,count,sum_v,first_k,pane,revision
1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,,1,7,,on_time,0
1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,true,1,,true,on_time,0
1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,\"\",1,,\"\",on_time,0
1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,\"a,\"\"b\n\",1,0.5,\"a,\"\"b\n\",on_time,0
";
    assert_same("stdout", expected, &output.stdout);
    // A header also without a row; a column for what sessions replace.
    let output = run(streamw(&here, "-w session:5s -k a.b -a n=count -o csv").write_stdin(""));
    assert_same("stdout", "window_start,window_end,a.b,n,pane,revision,replaces\n", &output.stdout);
    let output = run(streamw(&here, "-t ts -w session:5s -l 1h -o csv --output-time s")
        .write_stdin("{\"ts\":1}\n{\"ts\":20}\n{\"ts\":5}\n"));
    let expected = "window_start,window_end,count,pane,revision,replaces\n1,6,1,on_time,0,\n1,10,2,late,0,\"[[1,6]]\"\n20,25,1,on_time,0,\n";
    assert_same("stdout", expected, &output.stdout);
}

#[test]
fn output_time() {
    let here = directory("output_time");
    let input = "{\"ts\":\"2026-01-01T00:00:00.5Z\"}\n";
    for (style, expected) in [
        ("rfc3339", "\"window_start\":\"2026-01-01T00:00:00.500Z\",\"window_end\":\"2026-01-01T00:00:00.750Z\""),
        ("s", "\"window_start\":1767225600.5,\"window_end\":1767225600.75"),
        ("ms", "\"window_start\":1767225600500,\"window_end\":1767225600750"),
        ("us", "\"window_start\":1767225600500000,\"window_end\":1767225600750000"),
        ("ns", "\"window_start\":1767225600500000000,\"window_end\":1767225600750000000"),
    ] {
        let output = run(streamw(&here, "-w 250ms --output-time").arg(style).write_stdin(input));
        assert_contains(&output.stdout, &[expected]);
    }
}
