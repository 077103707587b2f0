//! Input made to do harm: long, deep, garbled, colliding, far off. It is read right or reported, in bounded memory and
//! time, and nothing of it reaches a terminal that the terminal would obey.
//!
//! What is here runs always. The figures are in `hostile/full.rs`; they take some minutes and want the release build:
//!
//!     cargo test --release -- --ignored --nocapture hostile

mod controls;
mod full;
mod keys;

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::streams::{Program, command};
use crate::util::{Output, Streamw, assert_same, parse_json};

/// `line reason` of each bad record.
fn bad_records(output: &Output) -> String {
    let bad = output.lines_of_type("bad_record").into_iter().map(parse_json);
    bad.map(|bad| format!("{} {}\n", bad["line"], bad["reason"].as_str().expect("a word"))).collect()
}

/// How many of the records are bad, and how many events; all that come in are one or the other (E1).
fn bad_and_events(output: &Output) -> (u64, u64) {
    let summary = output.summary();
    let count = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("no {name}: {}", output.stderr));
    let [records, blank, headers, bad, events] = ["records", "blank", "headers", "bad", "events"].map(count);
    assert_eq!(records, blank + headers + bad + events, "e1: {summary}");
    (bad, events)
}

/// The program with stacks of 256 KiB: that of the main thread, which the shell limits, and those of the others.
fn with_small_stacks(args: &str) -> Program {
    let plain = command(args);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -s 256 && exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped()).env("RUST_MIN_STACK", "262144");
    Program::spawn(command)
}

#[test]
fn h4_a_million_brackets_take_no_stack() {
    const DEPTH: usize = 1_000_000;
    let path = "/0".repeat(200);
    // In fields nobody asks for, in one that is printed, and along a path that is looked for.
    for flags in ["", "-a first:u", &format!("-a first:/u{path} -a first:/u/a/a/a")] {
        let mut program = with_small_stacks(&format!("-w 1m -t ts --max-line 16M --stats -q {flags}"));
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let (open, close) = (open.repeat(DEPTH), close.repeat(DEPTH));
            for record in [format!("{{\"ts\":1,\"u\":{open}1{close}}}\n"), format!("{{\"ts\":1,\"u\":{open}\n"), open] {
                program.send(record);
            }
            program.send("\n{\"ts\":1}\n");
        }
        let (status, _, reports) = program.end();
        assert_eq!(status, Some(0), "{flags:.40}");
        let deep = reports.lines().filter(|line| line.contains("\"reason\":\"depth\"")).count();
        assert_eq!(deep, 6, "{flags:.40}");
        assert!(reports.contains("\"records\":8,\"blank\":0,\"headers\":0,\"bad\":6,"), "{flags:.40}");
        assert!(reports.contains("\"events\":2,"), "{flags:.40}");
    }
}

/// Bytes that are no UTF-8: every lone one, overlong forms, surrogates, beyond U+10FFFF, cut off.
fn not_utf8() -> Vec<Vec<u8>> {
    let lone = (0x80..=0xFF).map(|byte| vec![byte]);
    let longer: [&[u8]; 16] = [
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xE0\x80\x80",
        b"\xE0\x9F\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x8F\xBF\xBF",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xED\xA0\xBD\xED\xB8\x80",
        b"\xF4\x90\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xFC\x84\x80\x80\x80\x80",
        b"\xE2\x82",
        b"\xF0\x9F\x98",
        b"\xC3\xC3\xA9",
        b"\xEF\xBB\xBF\xFF",
    ];
    lone.chain(longer.map(<[u8]>::to_vec)).collect()
}

#[test]
fn h5_ndjson_that_is_not_utf8_anywhere_is_bad() {
    let mut input = Vec::new();
    for bytes in not_utf8() {
        let around: [(&[u8], &[u8]); 5] = [
            (b"{\"ts\":1,\"u\":\"", b"\"}\n"),
            (b"{\"ts\":1,\"", b"\":1}\n"),
            (b"{\"k\":\"a", b"\",\"ts\":1}\n"),
            (b"{\"ts\":1,\"u\":[{\"v\":\"a", b"b\"}]}\n"),
            (b"{\"ts\":1,\"v\":\"\\n", b"\"}\n"),
        ];
        around.iter().for_each(|(before, after)| input.extend([*before, &bytes, *after].concat()));
    }
    let records = input.iter().filter(|byte| **byte == b'\n').count() as u64;
    for size in [1, 7, usize::MAX] {
        let run = Streamw::new().args("-w 1m -t ts -k k -a first:v --stats -q -i ndjson").stdin(input.clone());
        let output = run.read_size(size).run();
        assert_eq!(bad_and_events(&output), (records, 0));
        assert_same(
            "reasons",
            &(1..=records).map(|line| format!("{line} utf8\n")).collect::<String>(),
            &bad_records(&output),
        );
    }
}

#[test]
fn h5_other_formats_need_utf8_in_the_fields_used_only() {
    // A flag that uses the field v, and the reason for which it is then bad.
    let uses = [("-k v", "utf8"), ("-a first:v", "utf8"), ("-a sum:v", "value"), ("-t v", "time"), ("-a count", "")];
    // Flags, the header, what comes before the bytes and after them.
    let formats: [(&str, [&[u8]; 3]); 4] = [
        ("-i csv", [b"ts,v\n", b"1,", b"\n"]),
        ("-i tsv --columns ts,v", [b"", b"1\t\"x", b"\"\n"]),
        ("-i logfmt", [b"", b"ts=1 v=", b"\n"]),
        ("-i regex:^(?-u:(?<ts>\\d)(?<v>.*))$", [b"", b"1", b"\n"]),
    ];
    for (format, [header, before, after]) in formats {
        for (flags, reason) in uses {
            let mut input = header.to_vec();
            not_utf8().iter().for_each(|bytes| input.extend([before, bytes, after].concat()));
            let time = if flags.starts_with("-t") { "" } else { "-t ts" };
            let output = Streamw::new().args("-w 1m --stats -q").args(format).args(time).args(flags).stdin(input).run();
            let records = not_utf8().len() as u64;
            let (bad, events) = bad_and_events(&output);
            let expected = if reason.is_empty() { (0, records) } else { (records, 0) };
            assert_eq!((bad, events), expected, "{format} {flags}");
            assert!(bad_records(&output).lines().all(|line| line.ends_with(reason)), "{format} {flags}");
            output.stdout.lines().for_each(|row| drop(parse_json(row)));
        }
    }
}

#[test]
fn h5_lines_that_end_with_a_carriage_return_alone_are_refused_by_name() {
    for (format, input) in [
        ("csv", "ts,v\r1,2\r2,3\r"),
        ("csv", "\u{feff}ts\r1"),
        ("logfmt", "ts=1\rts=2"),
        ("ndjson", "{\"ts\":1}\r{\"ts\":2}\r"),
    ] {
        for size in [1, 7, 4096] {
            let output = Streamw::new().args("-w 1m -i").arg(format).stdin(input).read_size(size).run();
            assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{format} {input:?}: {}", output.stderr);
            let message = "streamw: -: text whose lines end with a carriage return alone; try: ... | tr '\\r' '\\n' | streamw ...\n";
            assert_same(input, message, &output.stderr);
        }
    }
    // One at the very end is half a line end, and one among others is text.
    for input in ["ts,v\n1,2\r", "ts\r", "ts,v\n1,a\rb\n"] {
        let output = Streamw::new().args("-w 1m -i csv -t ts --stats -q").stdin(input).run();
        assert_eq!((output.status, bad_and_events(&output).0), (0, 0), "{input:?}: {}", output.stderr);
    }
}

#[test]
fn h6_numbers_at_the_edges_are_exact_or_bad() {
    let digits = |count: usize| "1".repeat(count);
    let tiny = format!("0.{}1", "0".repeat(4000));
    // The literal and what max prints of it; nothing if it is bad (N1, N3).
    let cases = [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("1e-400", "0.0"),
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551616", "18446744073709551616"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("170141183460469231731687303715884105728", "1.7014118346046923e+38"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("1.7976931348623159e308", ""),
        ("1e400", ""),
        ("-1e400", ""),
        ("1e99999999999999999999", ""),
        ("1e-99999999999999999999", ""),
        (&tiny, "0.0"),
        (&digits(309), "1.1111111111111112e+308"),
        (&digits(310), ""),
        (&digits(4096), ""),
        (&digits(4097), ""),
        (&digits(1_000_000), ""),
        (&format!("0.{}", digits(1_000_000)), ""),
        (&format!("1e{}", digits(1_000_000)), ""),
    ];
    let only_cells = [("NaN", ""), ("Infinity", ""), ("-inf", ""), ("0x10", ""), ("1_000", ""), ("1,5", ""), ("٣", "")];
    let mut ndjson = String::new();
    for (line, (literal, _)) in cases.iter().enumerate() {
        let _ = write!(ndjson, "{{\"ts\":{line},\"v\":{literal}}}\n{{\"ts\":{line},\"v\":\"{literal}\"}}\n");
    }
    let mut csv = String::from("ts,v\n");
    for (line, (literal, _)) in cases.iter().chain(&only_cells).enumerate() {
        let _ = write!(csv, "{line},\"{literal}\"\n{line},\" {literal}\t\"\n");
    }
    for (format, input, cases) in
        [("ndjson", ndjson, cases.to_vec()), ("csv", csv, [cases.as_slice(), &only_cells].concat())]
    {
        let run = Streamw::new().args("-w 1s -t ts -a max:v -a count:v --output-time s -q --stats --max-line 2M -i");
        let output = run.arg(format).stdin(input).run();
        let rows = cases.iter().enumerate().filter(|(_, (_, printed))| !printed.is_empty());
        let row = |(second, (_, printed)): (usize, &(&str, &str))| {
            format!("{{\"window_start\":{second},\"window_end\":{},\"max_v\":{printed},\"count_v\":2,", second + 1)
        };
        let got: Vec<&str> = output.stdout.lines().map(|row| &row[..row.find("\"pane\"").expect("a pane")]).collect();
        assert_same(format, &rows.map(row).collect::<Vec<_>>().join("\n"), &got.join("\n"));
        let bad = cases.iter().filter(|(_, printed)| printed.is_empty()).count() as u64 * 2;
        assert_eq!(bad_and_events(&output).0, bad, "{format}");
    }
}

#[test]
fn h7_many_fields_and_long_names() {
    const FIELDS: usize = 100_000;
    let mut record = String::from("{\"ts\":1,\"v\":0");
    for field in 0..FIELDS {
        let _ = write!(record, ",\"f{field}\":{field}");
    }
    record += ",\"v\":7}\n";
    let equal = format!("{{\"ts\":1,\"v\":8{}}}\n", ",\"v\":9".repeat(FIELDS));
    let name = "n".repeat(1_000_000);
    let long = format!("{{\"ts\":1,\"{name}\":1,\"v\":10}}\n");
    for input in [record.clone() + &equal + &long, long.clone() + &record + &equal] {
        let run = Streamw::new().args("-w 1m --max-line 4M -a max:v -a sum:f99999 -a count --stats");
        let output = run.stdin(input).run();
        assert!(output.stdout.contains("\"max_v\":10,\"sum_f99999\":99999,\"count\":3,"), "{:.300}", output.stdout);
        assert_eq!(bad_and_events(&output), (0, 3));
    }
    // Whoever misspells a field is not shown a megabyte.
    for input in [long.clone(), record] {
        let output = Streamw::new().args("-w 1m --max-line 4M -t ts -a max:vvv").stdin(input).run();
        assert!(output.stderr.len() < 4096 && output.stderr.contains("\"vvv\""), "{:.300}", output.stderr);
    }
    let output = Streamw::new().args("-w 1m -t when -i csv").stdin(format!("ts,{name}\n1,2\n")).run();
    assert!(output.status == 1 && output.stderr.len() < 4096, "{:.300}", output.stderr);
}

#[test]
fn h7_many_columns_and_ragged_rows() {
    const COLUMNS: usize = 20_000;
    let row = |count: usize| vec!["1"; count].join(",") + "\n";
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("c{column}")).collect();
    let input =
        names.join(",") + "\n" + &row(COLUMNS) + &row(COLUMNS - 1) + &row(COLUMNS + 1) + &row(1) + &row(COLUMNS);
    let output = Streamw::new().args("-w 1m -t c0 -k c19999 -a sum:c10000 --stats -i csv").stdin(input.clone()).run();
    assert!(output.stdout.contains("\"c19999\":\"1\",\"sum_c10000\":2,"), "{}", output.stdout);
    assert_same("bad", "3 ragged\n4 ragged\n5 ragged\n", &bad_records(&output));
    assert_eq!(bad_and_events(&output), (3, 2));
    let output = Streamw::new().args("-w 1m -t zzz -i csv").stdin(input).run();
    assert!(output.stderr.contains("and 19980 more") && output.stderr.len() < 4096, "{:.300}", output.stderr);
}

#[test]
fn h8_times_at_the_edges() {
    // What stands in the field, as a JSON value, and where its window of a second begins; nothing if it is bad (T1).
    for (time, start) in [
        ("0", "1970-01-01T00:00:00Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ("\"2038-01-19T03:14:08Z\"", "2038-01-19T03:14:08Z"),
        ("2147483648", "2038-01-19T03:14:08Z"),
        ("4294967296", "2106-02-07T06:28:16Z"),
        ("\"2016-12-31T23:59:60Z\"", "2017-01-01T00:00:00Z"),
        ("\"2016-12-31T23:59:61Z\"", ""),
        ("\"2016-12-31T22:59:60Z\"", ""),
        ("\"2016-12-31T25:00:00Z\"", ""),
        ("\"25:00\"", ""),
        ("\"2016-02-30\"", ""),
        ("\"2016-12-31T24:00:00Z\"", ""),
        ("\"9999-12-31T23:59:59Z\"", ""),
        ("\"-9999-01-01T00:00:00Z\"", ""),
        ("\"+12016-01-01T00:00:00Z\"", ""),
        ("\"0000-01-01\"", ""),
        ("-9223372036854775808", ""),
        ("9223372036854775807", ""),
        ("9223372036854775808", ""),
        ("9223372034000000000", "2262-04-11T23:47:14Z"),
        ("1e300", ""),
        ("1e-300", "1970-01-01T00:00:00Z"),
        ("\"1.5e-3\"", "1970-01-01T00:00:00Z"),
        ("\"\"", ""),
        ("\"2016-12-31T23:59:59.\"", ""),
        ("[1]", ""),
        ("true", ""),
    ] {
        let output = Streamw::new().args("-w 1s -t ts --stats -q").stdin(format!("{{\"ts\":{time}}}\n")).run();
        let row = output.stdout.lines().next().map_or(Value::Null, parse_json);
        assert_eq!(row["window_start"].as_str().unwrap_or_default(), start, "{time}: {}", output.stderr);
        assert_eq!(bad_and_events(&output), if start.is_empty() { (1, 0) } else { (0, 1) }, "{time}");
        if let Some(text) = time.strip_prefix('"') {
            let cell = Streamw::new().args("-w 1s -t ts -q").stdin(format!("ts,v\n{},\n", text.trim_end_matches('"')));
            assert_same(time, &output.stdout, &cell.run().stdout);
        }
    }
}

#[test]
fn h10_keys_that_collide_in_common_hashes_are_keys_like_others() {
    for (what, keys) in [("fnv", keys::fnv(10)), ("fx", keys::fx(4, 5))] {
        let input: String = keys.iter().chain(&keys).map(|key| format!("{{\"ts\":1,\"k\":\"{key}\"}}\n")).collect();
        let output = Streamw::new().args("-w 1m -t ts -k k -a count -a distinct:k -a mode:k -q").stdin(input).run();
        let mut expected: Vec<&str> = keys.iter().map(String::as_str).collect();
        expected.sort_unstable();
        let rows: Vec<Value> = output.stdout.lines().map(parse_json).collect();
        assert!(
            rows.iter().all(|row| row["count"] == 2 && row["distinct_k"] == 1 && row["mode_k"] == row["k"]),
            "{what}"
        );
        assert_eq!(rows.iter().map(|row| row["k"].as_str().expect("text")).collect::<Vec<_>>(), expected, "{what}");
    }
}

#[test]
fn h11_empty_windows_cost_nothing() {
    // A second in 1970 and many of today.
    let today = (0..2_000).map(|n| format!("{{\"ts\":{}}}\n", 1_800_000_000 + n)).collect::<String>();
    for flags in ["-w 1s", "-w 1s -l 1000d", "-w 1ms", "-w 10s/1s", "-w session:1ns", "-w 1mo"] {
        let output = Streamw::new().args("-t ts -q --stats").args(flags).stdin(format!("{{\"ts\":0}}\n{today}")).run();
        assert_eq!(bad_and_events(&output), (0, 2_001), "{flags}");
        let rows = output.stdout.lines().count();
        let expected = if flags.contains('/') {
            10 + 2_009
        } else if flags.contains("mo") {
            2
        } else {
            2_001
        };
        assert_eq!(rows, expected, "{flags}");
    }
}

#[test]
fn h11_ten_years_that_slide_by_a_millisecond_take_an_event_as_fast_as_any() {
    // Each event is in three hundred billion windows. Those that the watermark completes are out at once, the others wait.
    let mut program = Program::start("-w 3650d/1ms -t ts -a count -a sum:v --output-time ms");
    let records =
        (0..50_000).map(|n| format!("{{\"ts\":{}.{:09},\"v\":1}}\n", 1_800_000_000, n * 400)).collect::<String>();
    program.send(records + "{\"ts\":1800000000.02}\n");
    for row in 1..=20 {
        // (Those that begin ten years before and end within the first milliseconds.)
        let expected = format!(
            "\"window_end\":{},\"count\":{count},\"sum_v\":{count}",
            1_800_000_000_000u64 + row,
            count = row * 2_500
        );
        assert!(program.row().contains(&expected), "{row}");
    }
    assert!(program.peak_memory() < 64, "{} MiB", program.peak_memory());
    // A reader who has seen enough is not kept.
    drop(program);
}

#[test]
fn h11_more_windows_than_can_be_counted() {
    // Each event is in 9.16e18 windows, one every nanosecond; three are in more than 64 bits can tell. 400 times 6e16 windows are gone.
    let events: String = ["a", "b", "c"].iter().map(|key| format!("{{\"ts\":0,\"k\":\"{key}\"}}\n")).collect();
    let late = "{\"ts\":-60480000,\"k\":\"a\"}\n".repeat(400);
    let output = Streamw::new().args("-w 106000d/1ns -t ts -k k --strict --stats").stdin(events + &late + "x\n").run();
    let said = format!("; {} open windows were not printed", u64::MAX);
    assert!(output.status == 1 && output.stdout.is_empty() && output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(output.summary()["late_refused"], u64::MAX, "{}", output.stderr);
}

#[test]
fn h3_garbage_in_short_lines_takes_little_memory() {
    let lines = "x\n".repeat(4 << 20);
    for (format, header) in [("ndjson", ""), ("csv", "ts,v\n")] {
        let mut program = Program::start(&format!("-w 1m -t ts --bad /dev/null --threads 8 -i {format}"));
        program.send(header);
        program.send(&lines);
        program.send("{\"ts\":1}\n1,1\n{\"ts\":100}\n100,1\n");
        program.row();
        // 64 MiB for the batches, and the program itself.
        assert!(program.peak_memory() < 72, "{format}: {} MiB", program.peak_memory());
        assert_eq!(program.end().0, Some(0));
    }
}

#[test]
fn h3_quotes_that_swallow_the_next_lines_cost_no_more_than_others() {
    // Of each line the quote that it leaves open is closed by the next one, which opens another. (A reading that begins anew
    // after each malformed line would look at each of them two hundred thousand times.)
    let input = format!("ts,a,b\n{}1,2,3\n", "x\",\"\n".repeat(200_000));
    let output = Streamw::new().args("-w 1m -t ts --stats -q").stdin(input).run();
    assert_eq!(bad_and_events(&output), (200_000, 1));
    assert!(output.lines_of_type("bad_record").iter().all(|line| line.contains("\"reason\":\"quote\"")));
}

#[test]
fn a_file_name_need_not_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let here = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
    std::fs::create_dir_all(&here).expect("a directory");
    let path = here.join(std::ffi::OsString::from_vec(b"caf\xE9.csv".to_vec()));
    std::fs::write(&path, "ts,v\n1,2\nx,3\n").expect("a file");
    let output = Streamw::new().args("-w 1m -a sum:v").arg(&path).run();
    assert!(output.status == 0 && output.stdout.contains("\"sum_v\":2"), "{}", output.stderr);
    assert!(output.stderr.contains("caf\u{FFFD}.csv\",\"line\":3"), "{}", output.stderr);
}
