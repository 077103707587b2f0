//! What others say: results over excerpts of real data, computed independently (`testdata/golden/make.py`); what is
//! wrong in dirty files, record by record; the suites of JSON and CSV texts.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use streamw::input::json::validate;

use crate::util::{Output, Streamw, assert_same, parse_json};

fn testdata(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "testdata", path].iter().collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(testdata(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// These counters, as `make.py` writes them.
fn counters(output: &Output, names: &[&str]) -> String {
    let summary = output.summary();
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":{}", summary[*name])).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn results_are_those_of_an_independent_computation() {
    let cases = read("golden/cases.txt");
    let cases: Vec<&str> = cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(cases.len() > 10, "the cases are there");
    for case in cases {
        let words: Vec<&str> = case.split_whitespace().collect();
        let [name, source, most, flags @ ..] = words.as_slice() else { panic!("no case: {case}") };
        let text = read(&format!("golden/{source}"));
        let lines: Vec<&str> = text.split_inclusive('\n').take(most.parse().expect("a number")).collect();
        let expected = read(&format!("golden/{name}.expected"));
        let run = Streamw::new().args(&flags.join(" ")).args("--stats").stdin(lines.concat());
        for (threads, size) in [("1", usize::MAX), ("2", 4096), ("8", 999)] {
            let output = run.clone().args("--threads").arg(threads).read_size(size).run();
            let names = ["records", "blank", "headers", "bad", "events", "late_drops"];
            let got = format!("{}{}\n", output.stdout, counters(&output, &names));
            assert_eq!(output.status, 0, "{case}: {}", output.stderr);
            assert_same(case, &expected, &got);
        }
    }
}

/// An error log of Apache, and its lines as records.
const APACHE_ERROR: &str =
    r"-i 'regex:^\[(?<time>[^\]]+)\] \[(?<level>\w+)\] (?<text>.*)$' --time-format '%a %b %d %H:%M:%S %Y' -k level";
/// A log whose milliseconds are not padded, read to the second.
const HEALTH: &str =
    r"-i 'regex:^(?<time>.*):(?<ms>\d+)\|(?<part>\w+)\|' --time-format %Y%m%d-%H:%M:%S -k part -a count -a max:ms";

/// A file, flags, the exit status, the counters, the lines and reasons of the bad records.
type Dirty = (&'static str, &'static str, u8, [u64; 5], &'static str);

const DIRTY: &[Dirty] = &[
    ("01_bom_crlf.csv", "-t lpep_pickup_datetime -a sum:trip_distance -a last:DOLocationID", 0, [60, 0, 1, 0, 59], ""),
    ("02_crlf_real.csv", "-a sum:value", 0, [100, 0, 1, 0, 99], ""),
    (
        "03_semicolon_quoted_header.csv",
        "--delimiter ; -t S.Message.received.time -a sum:A.Time.to.previous.Client.sequence.send.time",
        0,
        [61, 0, 1, 7, 53],
        "2 value, 4 value, 11 value, 17 value, 20 value, 49 value, 55 value",
    ),
    ("04_apache_error_stray_cr.log", APACHE_ERROR, 0, [81, 0, 0, 0, 81], ""),
    // Milliseconds without the zeros in front: as a fraction of three digits twelve of them are none.
    (
        "05_healthapp_unpadded_ms.log",
        "-i 'regex:^(?<time>[^|]+)' -t time --time-format %Y%m%d-%H:%M:%S:%3f",
        0,
        [57, 0, 0, 12, 45],
        "1 time, 2 time, 6 time, 23 time, 24 time, 25 time, 26 time, 33 time, 38 time, 50 time, 51 time, 52 time",
    ),
    ("05_healthapp_unpadded_ms.log", HEALTH, 0, [57, 0, 0, 0, 57], ""),
    ("06_concatenated_repeated_header.csv", "-k vehicle_id -a avg:speed", 0, [240, 0, 4, 0, 236], ""),
    (
        "07_ragged_rows.csv",
        "-k trip_headsign",
        0,
        [121, 2, 1, 9, 109],
        "11 ragged, 21 ragged, 31 ragged, 51 time, 64 ragged, 82 quote, 102 time, 105 time, 106 time",
    ),
    (
        "08_mixed.ndjson",
        "-t time",
        0,
        [60, 2, 0, 16, 42],
        "7 json, 8 json, 10 json, 11 json, 12 json, 13 json, 16 json, 33 time, 34 time, 37 time, 38 time, 45 time, 46 time, 47 time, 51 time, 57 utf8",
    ),
    (
        "08_mixed.ndjson",
        "-k channel -a sum:delta",
        0,
        [60, 2, 0, 17, 41],
        "7 json, 8 json, 10 json, 11 json, 12 json, 13 json, 16 json, 33 time, 34 time, 37 time, 38 time, 45 time, 46 time, 47 time, 51 time, 54 key, 57 utf8",
    ),
    ("09_empty.ndjson", "", 0, [0, 0, 0, 0, 0], ""),
    ("10_header_only.csv", "", 0, [1, 0, 1, 0, 0], ""),
    ("11_single_row_no_newline.csv", "-k trip_headsign -a max:speed", 0, [2, 0, 1, 0, 1], ""),
    ("14_missing_and_wrong_clock.ndjson", "-t arrived -k gateway -a min:rssi", 0, [100, 0, 0, 0, 100], ""),
    ("15_future_rows.csv", "-t BaseDateTime -k VesselType -a max:SOG", 0, [102, 0, 1, 0, 101], ""),
    ("15_future_rows.csv", "-t BaseDateTime -a sum:Draft -a first:VesselName", 0, [102, 0, 1, 0, 101], ""),
];

#[test]
fn e1_dirty_files_are_counted_exactly() {
    for (file, flags, status, expected, bad) in DIRTY {
        let path = testdata("dirty").join(file);
        let run = Streamw::new().args("-w 1h -l 1d --stats").args(flags);
        let from_file = run.clone().arg(&path).run();
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => "",
            Some("csv") => "-i csv",
            _ => "-i ndjson",
        };
        let piped = run.stdin(fs::read(&path).expect("a file")).args(format);
        for (how, output) in [("file", from_file), ("ones", piped.clone().read_size(1).run()), ("pipe", piped.run())] {
            let what = format!("{file} {flags}, as {how}");
            let counted = ["records", "blank", "headers", "bad", "events"]
                .map(|name| output.summary()[name].as_u64().expect("a number"));
            assert_eq!((output.status, &counted), (*status, expected), "{what}: {}", output.stderr);
            let reported: Vec<Value> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
            let reported: Vec<String> = reported
                .iter()
                .map(|bad| format!("{} {}", bad["line"], bad["reason"].as_str().expect("a word")))
                .collect();
            assert_same(&what, bad, &reported.join(", "));
        }
    }
}

#[test]
fn dirty_logs_and_semicolons_have_these_rows() {
    // Counted with grep and sort, and summed with Python's csv.
    for (file, flags, expected) in [
        ("04_apache_error_stray_cr.log", APACHE_ERROR, "error,48,on_time,0\nnotice,33,on_time,0\n"),
        (
            "05_healthapp_unpadded_ms.log",
            HEALTH,
            "Display,19,963,on_time,0\nSleep,19,852,on_time,0\nSteps,19,946,on_time,0\n",
        ),
        (
            "03_semicolon_quoted_header.csv",
            "--delimiter ; --null NA -t S.Message.received.time -a sum:A.Time.to.previous.Client.sequence.send.time",
            "26497,on_time,0\n",
        ),
        (
            "03_semicolon_quoted_header.csv",
            "--delimiter ; -t S.Message.received.time.ms -k S.Device.ID",
            "dev_12,11,on_time,0\ndev_13,4,on_time,0\ndev_14,10,on_time,0\ndev_16,11,on_time,0\n\
             dev_2,3,on_time,0\ndev_5,12,on_time,0\ndev_7,9,on_time,0\n",
        ),
    ] {
        let output = Streamw::new().args("-w 1d -o csv -q").args(flags).arg(testdata("dirty").join(file)).run();
        let rows: String = output.stdout.lines().skip(1).map(|row| format!("{}\n", &row[42..])).collect();
        assert_same(file, expected, &rows);
    }
}

#[test]
fn semicolons_taken_for_text_are_reported_line_by_line_with_what_helps() {
    let file = testdata("dirty/03_semicolon_quoted_header.csv");
    let output = Streamw::new().args("-w 1h --stats").arg(file).run();
    let summary = output.summary();
    assert_eq!([&summary["records"], &summary["bad"], &summary["events"]], [61, 61, 0]);
    assert_eq!(output.lines_of_type("bad_record").len(), 61);
    assert!(output.stderr.contains("another delimiter? (--delimiter ';')"), "{}", output.stderr);
}

#[test]
fn t11_without_a_guard_rows_of_the_far_future_make_the_rest_late() {
    // Two rows are a day ahead; the first of them is the 41st. All that follow are late drops, none is lost silently.
    let output = Streamw::new().args("-w 1h -t BaseDateTime --stats").arg(testdata("dirty/15_future_rows.csv")).run();
    let names = ["events", "added", "late_drops", "bad"];
    assert_same("counters", "{\"events\":101,\"added\":41,\"late_drops\":60,\"bad\":0}", &counters(&output, &names));
    assert_eq!(output.lines_of_type("late_drop").len(), 60);
}

#[test]
fn utf16_is_refused_by_name() {
    let output = Streamw::new().args("-w 1h").arg(testdata("dirty/16_utf16le.csv")).run();
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("16_utf16le.csv: UTF-16 text; try: iconv"), "{}", output.stderr);
}

#[test]
fn a_repeated_header_is_no_row_in_any_column() {
    let output = Streamw::new()
        .args("-w 1h -l 1000d -k vehicle_id -k trip_headsign -q")
        .arg(testdata("dirty/06_concatenated_repeated_header.csv"))
        .run();
    assert!(
        !output.stdout.contains("trip_headsign\":\"trip_headsign\"")
            && !output.stdout.contains("\"vehicle_id\":\"vehicle_id\"")
    );
}

// --- the suites ----------------------------------------------------------------------------------------------

fn json_suite() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(testdata("suites/JSONTestSuite"))
        .expect("the suite is there")
        .map(|entry| entry.expect("an entry").path());
    let mut cases: BTreeMap<String, Vec<u8>> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(path).expect("a file")))
        .collect();
    cases.insert("n_structure_100000_opening_arrays.json".into(), b"[".repeat(100_000));
    cases.insert("n_structure_open_array_object.json".into(), [b"[{\"\":".repeat(50_000), b"\n".to_vec()].concat());
    assert_eq!(cases.len(), 318);
    cases
}

#[test]
fn n5_jsontestsuite_as_whole_texts() {
    for (name, case) in json_suite() {
        match (name.as_bytes()[0], validate(&case)) {
            (b'y', Err(error)) => panic!("{name} is JSON, but: {error:?}"),
            (b'n', Ok(())) => panic!("{name} is no JSON"),
            _ => {}
        }
    }
}

#[test]
fn n5_jsontestsuite_as_records() {
    let cases = json_suite();
    let lines = cases.iter().map(|(name, case)| (name, case.strip_suffix(b"\n").unwrap_or(case)));
    let lines: Vec<_> = lines.filter(|(_, case)| !case.contains(&b'\n')).collect();
    assert_eq!(lines.len(), 313);
    // In a field nobody asks for, in one that is a key's neighbour, and in one that is printed.
    for flags in ["", "-a first:w", "-a first:v -a last:v"] {
        let mut input = Vec::new();
        for (_, case) in &lines {
            input.extend([b"{\"ts\":1,\"v\":", *case, b"}\n"].concat());
        }
        let output = Streamw::new().args("-w 1m -t ts --stats").args(flags).stdin(input).run();
        let bad: Vec<u64> =
            output.lines_of_type("bad_record").iter().filter_map(|line| parse_json(line)["line"].as_u64()).collect();
        for (line, (name, _)) in (1u64..).zip(&lines) {
            match (name.as_bytes()[0], bad.contains(&line)) {
                (b'y', true) => panic!("{name} is JSON, but bad with {flags:?}"),
                // In a record these two complete it: a value may be followed by another name, or by none.
                (b'n', false) => panic!("{name} is no JSON, but an event with {flags:?}"),
                _ => {}
            }
        }
        output.stdout.lines().for_each(|row| drop(parse_json(row)));
    }
}

/// A CSV text with a column `ts` put before the others. A row begins where no quote is open.
fn with_times(csv: &str) -> String {
    let mut out = String::from("ts,");
    let (mut quotes, mut chars) = (0, csv.chars().peekable());
    while let Some(c) = chars.next() {
        out.push(c);
        quotes += usize::from(c == '"');
        if c == '\n' && quotes % 2 == 0 && chars.peek().is_some() {
            out += "1,";
        }
    }
    out
}

#[test]
fn csv_spectrum() {
    let mut seen = 0;
    for entry in fs::read_dir(testdata("suites/csv-spectrum/csvs")).expect("the suite is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let input = with_times(&fs::read_to_string(&path).expect("a file"));
        let expected = fs::read_to_string(testdata(&format!("suites/csv-spectrum/json/{name}.json"))).expect("a file");
        let mut expected = match parse_json(&expected) {
            Value::Array(rows) => rows,
            row => vec![row],
        };
        if name == "location_coordinates" {
            // Upstream's JSON has the number of somebody else.
            expected[0]["Contact Phone Number"] = json!("2095257564");
        }
        let columns: Vec<String> = expected[0].as_object().expect("a row").keys().cloned().collect();
        let mut streamw = Streamw::new().args("-w 1m -t ts --stats");
        for column in &columns {
            streamw = streamw.arg("-k").arg(column);
        }
        for size in [1, 3, 4096] {
            let output = streamw.clone().stdin(input.clone()).read_size(size).run();
            assert_eq!(output.summary()["bad"], 0, "{name}: {}", output.stderr);
            let mut rows: Vec<Value> = output.stdout.lines().map(parse_json).collect();
            for row in &mut rows {
                assert_eq!(row["count"], 1, "{name}");
                // An empty cell is the key null (N6).
                *row = columns
                    .iter()
                    .map(|column| (column.clone(), if row[column].is_null() { json!("") } else { row[column].clone() }))
                    .collect();
            }
            assert_eq!(rows.len(), expected.len(), "{name}");
            assert!(
                expected.iter().all(|row| rows.contains(row)),
                "{name}\n--- expected\n{expected:#?}\n--- got\n{rows:#?}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}
