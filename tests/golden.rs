//! Results over excerpts of real data: what an independent computation says (`testdata/golden/make.py`), and what
//! is wrong in dirty files, record by record.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

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

/// A file, flags, the exit status, the counters, the lines and reasons of the bad records.
type Dirty = (&'static str, &'static str, u8, [u64; 5], &'static str);

const DIRTY: &[Dirty] = &[
    ("01_bom_crlf.csv", "-t lpep_pickup_datetime -a sum:trip_distance -a last:DOLocationID", 0, [60, 0, 1, 0, 59], ""),
    ("02_crlf_real.csv", "-a sum:value", 0, [100, 0, 1, 0, 99], ""),
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
        let piped = run
            .stdin(fs::read(&path).expect("a file"))
            .args("-i")
            .arg(&file[file.len() - 3..].replace("son", "ndjson"));
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
