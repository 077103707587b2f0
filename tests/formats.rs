//! Bytes to records: what is an event, what is a bad record and why; the same however the bytes come in.

use serde_json::{Value, json};

use crate::history::Rng;
use crate::util::{Output, Streamw, assert_same, parse_json};

/// `line reason` of each bad record.
fn bad_records(output: &Output) -> String {
    let reported = output.lines_of_type("bad_record");
    reported
        .iter()
        .map(|line| parse_json(line))
        .map(|bad| format!("{} {}\n", bad["line"], text(&bad["reason"])))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}

/// The counters that must add up (E1), as a line.
fn counted(output: &Output) -> String {
    let summary = output.summary();
    let count = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", output.stderr));
    let [records, blank, headers, bad, events] = ["records", "blank", "headers", "bad", "events"].map(count);
    assert_eq!(records, blank + headers + bad + events, "e1: {summary}");
    assert_eq!(events, count("added") + count("late_drops") + count("unwindowed"), "{summary}");
    assert_eq!(count("panes"), count("on_time") + count("late"), "{summary}");
    assert_eq!(bad, output.lines_of_type("bad_record").len() as u64, "every bad record is reported: {summary}");
    format!("blank {blank} headers {headers} bad {bad} events {events}")
}

// --- tables --------------------------------------------------------------------------------------------------

/// What is tested, more flags, the input, the counters, `line reason` of each bad record.
type Case = (&'static str, &'static str, &'static [u8], &'static str, &'static str);

const NDJSON: &[Case] = &[
    ("a last line without an end", "", b"{\"ts\":1}\n{\"ts\":2}", "blank 0 headers 0 bad 0 events 2", ""),
    ("CRLF", "", b"{\"ts\":1}\r\n{\"ts\":2}\r\n", "blank 0 headers 0 bad 0 events 2", ""),
    ("a byte order mark", "", b"\xEF\xBB\xBF{\"ts\":1}\n{\"ts\":2}\n", "blank 0 headers 0 bad 0 events 2", ""),
    ("a second byte order mark is none", "", b"{\"ts\":1}\n\xEF\xBB\xBF{\"ts\":2}\n", "blank 0 headers 0 bad 1 events 1", "2 json\n"),
    ("blank lines", "", b"\n \n\t \r\n{\"ts\":1}\n\n", "blank 4 headers 0 bad 0 events 1", ""),
    ("nothing", "", b"", "blank 0 headers 0 bad 0 events 0", ""),
    ("only blank lines", "", b"\n\n", "blank 2 headers 0 bad 0 events 0", ""),
    ("white space around and inside", "", b"  { \"ts\" :\t1 , \"a\" : [ ] } \n", "blank 0 headers 0 bad 0 events 1", ""),
    ("an empty object", "", b"{}\n", "blank 0 headers 0 bad 1 events 0", "1 time\n"),
    ("no objects", "", b"[{\"ts\":1}]\n\"a\"\nnull\n42\n{\"ts\":1}\n", "blank 0 headers 0 bad 4 events 1", "1 json\n2 json\n3 json\n4 json\n"),
    ("two objects in a line", "", b"{\"ts\":1}{\"ts\":2}\n{\"ts\":1},\n", "blank 0 headers 0 bad 2 events 0", "1 json\n2 json\n"),
    ("n5: bad in fields nobody asked for", "", b"{\"ts\":1,\"u\":01}\n{\"ts\":1,\"u\":\"\\x\"}\n{\"ts\":1,\"u\":[1,]}\n{\"ts\":1,\"u\":nul}\n{\"ts\":1,\"u\":\"\t\"}\n", "blank 0 headers 0 bad 5 events 0", "1 json\n2 json\n3 json\n4 json\n5 json\n"),
    ("n5: bad after the last field", "", b"{\"ts\":1\n{\"ts\":1,}\n{\"ts\":1}}\n{\"ts\":1} x\n", "blank 0 headers 0 bad 4 events 0", "1 json\n2 json\n3 json\n4 json\n"),
    ("n5: no UTF-8, also in fields nobody asked for", "", b"{\"ts\":1,\"u\":\"\xFF\"}\n{\"ts\":1,\"\xC0\x80\":1}\n{\"ts\":1,\"u\":\"\xED\xA0\x80\"}\n{\"ts\":1,\"u\":\"\xF4\x90\x80\x80\"}\n{\"ts\":2}\n", "blank 0 headers 0 bad 4 events 1", "1 utf8\n2 utf8\n3 utf8\n4 utf8\n"),
    ("n5: of two equal names the last one counts", "", b"{\"ts\":\"x\",\"ts\":1}\n{\"ts\":1,\"ts\":\"x\"}\n{\"ts\":1,\"\\u0074s\":\"x\"}\n", "blank 0 headers 0 bad 2 events 1", "2 time\n3 time\n"),
    ("an escaped name is the name", "", b"{\"\\u0074\\u0073\":1}\n", "blank 0 headers 0 bad 0 events 1", ""),
    ("NULs", "", b"\0\0\n{\"ts\":1,\"u\":\"\0\"}\n{\"ts\":1}\n", "blank 0 headers 0 bad 2 events 1", "1 json\n2 json\n"),
    ("t1: times that are none", "", b"{\"ts\":null}\n{\"ts\":true}\n{\"ts\":[1]}\n{\"ts\":\"\"}\n{\"ts\":\"9999-12-31T00:00:00Z\"}\n{\"ts\":1e300}\n{\"ts\":\"25:00\"}\n", "blank 0 headers 0 bad 7 events 0", "1 time\n2 time\n3 time\n4 time\n5 time\n6 time\n7 time\n"),
    ("t1: before 1970", "", b"{\"ts\":-1}\n{\"ts\":\"1969-12-31T23:59:59Z\"}\n{\"ts\":\"1700-01-01T00:00:00Z\"}\n", "blank 0 headers 0 bad 0 events 3", ""),
    ("n4: keys", "-k k", b"{\"ts\":1,\"k\":{}}\n{\"ts\":1,\"k\":[1]}\n{\"ts\":1,\"k\":null}\n{\"ts\":1}\n{\"ts\":1,\"k\":\"\\ud800\"}\n", "blank 0 headers 0 bad 3 events 2", "1 key\n2 key\n5 key\n"),
    ("n3: values", "-a sum:v", b"{\"ts\":1,\"v\":\"1,234\"}\n{\"ts\":1,\"v\":\"0x10\"}\n{\"ts\":1,\"v\":\"NaN\"}\n{\"ts\":1,\"v\":true}\n{\"ts\":1,\"v\":{}}\n{\"ts\":1,\"v\":1e400}\n{\"ts\":1,\"v\":\"\"}\n{\"ts\":1,\"v\":\"Infinity\"}\n{\"ts\":1,\"v\":\"1 2\"}\n{\"ts\":1,\"v\":\".\"}\n{\"ts\":1,\"v\":\"1e\"}\n", "blank 0 headers 0 bad 11 events 0", "1 value\n2 value\n3 value\n4 value\n5 value\n6 value\n7 value\n8 value\n9 value\n10 value\n11 value\n"),
    ("n3: numbers in strings", "-a sum:v", b"{\"ts\":1,\"v\":\" +.5 \"}\n{\"ts\":1,\"v\":\"5.\"}\n{\"ts\":1,\"v\":\"007\"}\n{\"ts\":1,\"v\":\"-1E+2\"}\n{\"ts\":1,\"v\":\"\\u0031\"}\n", "blank 0 headers 0 bad 0 events 5", ""),
    ("n2: no value", "-a sum:v", b"{\"ts\":1,\"v\":null}\n{\"ts\":1}\n", "blank 0 headers 0 bad 0 events 2", ""),
    ("a line that is too long", "--max-line 10", b"{\"ts\":1}\n{\"ts\":1000}\n{\"ts\":100}\n{\"ts\":10}\n", "blank 0 headers 0 bad 1 events 3", "2 too_long\n"),
    ("a blank line that is too long", "--max-line 10", b"           \n{\"ts\":1}\n", "blank 0 headers 0 bad 1 events 1", "1 too_long\n"),
];

const CSV: &[Case] = &[
    ("a last line without an end", "", b"ts,v\n1,2\n2,3", "blank 0 headers 1 bad 0 events 2", ""),
    ("CRLF", "", b"ts,v\r\n1,2\r\n2,3\r\n", "blank 0 headers 1 bad 0 events 2", ""),
    ("CRLF and the time in the last column", "", b"v,ts\r\n1,2\r\n2,\"3\"\r\n", "blank 0 headers 1 bad 0 events 2", ""),
    ("a byte order mark", "", b"\xEF\xBB\xBFts,v\n1,2\n", "blank 0 headers 1 bad 0 events 1", ""),
    (
        "a byte order mark before a quoted name",
        "",
        b"\xEF\xBB\xBF\"ts\",v\n1,2\n",
        "blank 0 headers 1 bad 0 events 1",
        "",
    ),
    ("blank lines, also before the header", "", b"\n  \r\nts,v\n\n1,2\n \n", "blank 4 headers 1 bad 0 events 1", ""),
    ("a header and nothing else", "", b"ts,v\n", "blank 0 headers 1 bad 0 events 0", ""),
    ("a header without an end", "", b"ts,v", "blank 0 headers 1 bad 0 events 0", ""),
    (
        "ragged rows",
        "",
        b"ts,v\n1\n1,2,3\n1,2,\n1,\n",
        "blank 0 headers 1 bad 3 events 1",
        "2 ragged\n3 ragged\n4 ragged\n",
    ),
    ("a row equal to the header", "", b"ts,v\n1,2\nts,v\n2,3\n\"ts\",\"v\"\n", "blank 0 headers 3 bad 0 events 2", ""),
    (
        "a row nearly equal to the header",
        "",
        b"ts,v\nts,w\nts,v,\n",
        "blank 0 headers 1 bad 2 events 0",
        "2 time\n3 ragged\n",
    ),
    (
        "quotes, delimiters and newlines in quotes",
        "",
        b"ts,v\n1,\"a,b\"\n2,\"a\nb\"\n3,\"a\"\"b\"\n4,\"\"\n5,\"\n\n\"\nx,1\n",
        "blank 0 headers 1 bad 1 events 5",
        "10 time\n",
    ),
    ("names in quotes", "", b"\"a\nb\",\"t\"\"s\",ts\n1,2,3\nx,y,z\n", "blank 0 headers 1 bad 1 events 1", "4 time\n"),
    ("a quote inside a cell is text", "", b"ts,v\n1,a\"b\"c\n2,a\"\n", "blank 0 headers 1 bad 0 events 2", ""),
    (
        "text after a closing quote",
        "",
        b"ts,v\n1,\"a\"b\n2,\"a\" \n3,4\n",
        "blank 0 headers 1 bad 2 events 1",
        "2 quote\n3 quote\n",
    ),
    (
        "a quote that never closes costs its first line only",
        "",
        b"ts,v\n1,\"a\n2,b\n3,c\n",
        "blank 0 headers 1 bad 1 events 2",
        "2 quote\n",
    ),
    (
        "a quote that does not close within --max-line",
        "--max-line 12",
        b"ts,v\n1,\"a\n2,b\n3,c\n4,d\n5,e\"\n6,f\n",
        "blank 0 headers 1 bad 1 events 5",
        "2 quote\n",
    ),
    (
        "a malformed line before the header",
        "",
        b"\"a\"b,c\nts,v\n1,2\n",
        "blank 0 headers 1 bad 1 events 1",
        "1 quote\n",
    ),
    (
        "a line that is too long",
        "--max-line 10",
        b"ts,v\n1,aaaaaaaaa\n2,aaaaaaaa\n3,b\n",
        "blank 0 headers 1 bad 1 events 2",
        "2 too_long\n",
    ),
    (
        "a header that is too long",
        "--max-line 10",
        b"ts,vvvvvvvvv\nts,v\n1,2\n",
        "blank 0 headers 1 bad 1 events 1",
        "1 too_long\n",
    ),
    (
        "n5: no UTF-8 in the fields used",
        "-k v",
        b"ts,v,u\n1,\xFF,a\n2,b,\xFF\n",
        "blank 0 headers 1 bad 1 events 1",
        "2 utf8\n",
    ),
    (
        "n2: an empty cell is no value",
        "-a sum:v",
        b"ts,v\n1,\n2,\"\"\n3,x\n4, 5 \n",
        "blank 0 headers 1 bad 1 events 3",
        "4 value\n",
    ),
    ("an empty time", "", b"ts,v\n,1\n\"\",1\n", "blank 0 headers 1 bad 2 events 0", "2 time\n3 time\n"),
    ("NULs", "", b"ts,v\n1,\0\n\0,1\n", "blank 0 headers 1 bad 1 events 1", "3 time\n"),
    ("one column", "", b"ts\n1\n\n2\n", "blank 1 headers 1 bad 0 events 2", ""),
];

fn check_table(format: &str, table: &[Case]) {
    for (what, flags, input, counters, bad) in table {
        let whole = Streamw::new().args("-w 1m -l 1000000000s -t ts --stats -i").arg(format).args(flags).stdin(*input);
        // In small pieces, and with the time's field and the format found out, nothing is any different.
        for (how, run) in
            [("whole", whole.clone()), ("in ones", whole.clone().read_size(1)), ("in sevens", whole.read_size(7))]
        {
            let output = run.run();
            let what = format!("{format}, {what}, {how}: {}", output.stderr);
            assert_eq!(output.status, 0, "{what}");
            assert_same(&what, bad, &bad_records(&output));
            assert_same(&what, counters, &counted(&output));
        }
    }
}

#[test]
fn e1_ndjson_records() {
    check_table("ndjson", NDJSON);
}

#[test]
fn e1_csv_records() {
    check_table("csv", CSV);
}

#[test]
fn formats_are_told_by_the_first_bytes() {
    for (input, headers, events) in [
        (&b"{\"ts\":1}\n"[..], 0, 1),
        (b"\xEF\xBB\xBF \n {\"ts\":1}\n", 0, 1),
        (b"[1]\n{\"ts\":1}\n", 0, 1),
        (b"ts\n1\n", 1, 1),
        (b"\xEF\xBB\xBF\n\nts,v\n1,2\n", 1, 1),
        (b"\"ts\",v\n1,2\n", 1, 1),
        (b"  \n\n", 0, 0),
        (b"", 0, 0),
    ] {
        for size in [1, 7, 4096] {
            let output = Streamw::new().args("-w 1m --stats").stdin(input).read_size(size).run();
            let summary = output.summary();
            assert_eq!(
                (output.status, &summary["headers"], &summary["events"]),
                (0, &json!(headers), &json!(events)),
                "{input:?} in pieces of {size}"
            );
        }
    }
}

#[test]
fn utf16_input_is_refused_by_name() {
    for (magic, what, remedy) in [
        (&b"\xFF\xFE{\0\"\0"[..], "UTF-16", "iconv -f UTF-16 "),
        (b"\xFE\xFF\0{\0\"", "UTF-16", "iconv -f UTF-16 "),
        (b"{\0\"\0t\0s\0\"\0", "UTF-16", "iconv -f UTF-16LE "),
        (b"\0t\0s\0\n", "UTF-16", "iconv -f UTF-16BE "),
    ] {
        for flags in ["", "-i ndjson", "-i csv", "-t ts"] {
            for size in [1, 4096] {
                let output = Streamw::new().args("-w 1m").args(flags).stdin(magic).read_size(size).run();
                assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{what}: {}", output.stderr);
                assert!(
                    output.stderr.starts_with("streamw: -: ") && output.stderr.lines().count() == 1,
                    "{}",
                    output.stderr
                );
                assert!(output.stderr.contains(what) && output.stderr.contains(remedy), "{}", output.stderr);
            }
        }
    }
}

#[test]
fn nesting_of_128_is_read_and_of_129_is_bad() {
    let record = |open: &str, close: &str, depth: usize| {
        // The record itself is the first level.
        format!("{{\"ts\":1,\"u\":{}1{}}}\n", open.repeat(depth - 1), close.repeat(depth - 1))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"u\":", "}"), ("[{\"a\":", "}]")] {
        let levels = open.len() - open.replace(['[', '{'], "").len();
        let input: String = [128 / levels, 1_000, 100_000].map(|depth| record(open, close, depth)).concat();
        let just = record("[", "]", 128) + &record("[", "]", 129);
        let output = Streamw::new().args("-w 1m -t ts -a first:/u/u/0 --stats").stdin(input + &just).run();
        assert_same(open, "2 depth\n3 depth\n5 depth\n", &bad_records(&output));
        assert_same(open, "blank 0 headers 0 bad 3 events 2", &counted(&output));
    }
    // Also if it never closes, and in a small stack.
    let input = format!("{{\"ts\":1,\"u\":{}\n{{\"ts\":1}}\n", "[".repeat(900_000));
    let output = Streamw::new().args("-w 1m -t ts --stats").stdin(input).run();
    assert_same("brackets", "1 depth\n", &bad_records(&output));
}

#[test]
fn e2_a_report_says_where_and_shows_the_record() {
    let input = b"ts,v\n1,\"a\nb\"\nyesterday,\"x\n\xFFy\"\n2,3\n";
    let output = Streamw::new().args("-w 1m --stats").stdin(&input[..]).run();
    let bad: Vec<Value> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
    let [bad] = bad.as_slice() else { panic!("{}", output.stderr) };
    assert!(text(&bad["detail"]).contains("ts") && text(&bad["detail"]).contains("yesterday"), "{bad}");
    let mut bad = bad.clone();
    bad["detail"] = Value::Null;
    let expected = json!({"type": "bad_record", "source": "-", "line": 4, "offset": 13, "reason": "time", "detail": null,
        "raw": "yesterday,\"x\n\u{FFFD}y\""});
    assert_eq!(bad, expected);
}

// --- fields --------------------------------------------------------------------------------------------------

/// The values of a column, in order.
fn column(output: &Output, name: &str) -> Vec<String> {
    output.stdout.lines().map(|row| parse_json(row)[name].to_string()).collect()
}

#[test]
fn n6_keys_are_typed_and_sorted() {
    let keys = [
        "\"b\"",
        "1",
        "\"1\"",
        "true",
        "1.0",
        "1e0",
        "null",
        "false",
        "-1",
        "\"\"",
        "100e-2",
        "0.1",
        "1e-1",
        "10000000000000000000000000000001",
        "10000000000000000000000000000002",
        "\"\\u00e9\"",
        "\"é\"",
        "\"a\\nb\"",
        "-0",
        "0",
        "\"true\"",
    ];
    let input: String = keys.iter().map(|key| format!("{{\"ts\":1,\"k\":{key}}}\n")).collect();
    let output = Streamw::new().args("-w 1m -t ts -k name=k").stdin(input).run();
    let groups: Vec<String> = output.stdout.lines().map(parse_json_row("name")).collect();
    let expected = [
        "null 1",
        "false 1",
        "true 1",
        "-1 1",
        "0 2",
        "0.1 2",
        "1 4",
        "10000000000000000000000000000001 1",
        "10000000000000000000000000000002 1",
        "\"\" 1",
        "\"1\" 1",
        "\"a\\nb\" 1",
        "\"b\" 1",
        "\"true\" 1",
        "\"é\" 2",
    ];
    assert_same("groups", &expected.join("\n"), &groups.join("\n"));
}

/// `key count` as they stand in the row: numbers of any length come out as they are.
fn parse_json_row(name: &'static str) -> impl Fn(&str) -> String {
    move |row| {
        let key = row.split_once(&format!("\"{name}\":")).expect("a key").1.split_once(",\"count\":").expect("a count");
        format!("{} {}", key.0, key.1.split(',').next().expect("a number"))
    }
}

#[test]
fn fields_are_names_paths_or_pointers() {
    let record = r#"{"ts":{"at":"1970-01-01T00:00:01Z","a.b":2},"x.y":1,"x":{"y":2,"z":[10,{"q":20}],"":5},"a/b":3,"m~n":4,"0":6,"":7}"#;
    for (field, expected) in [
        ("x.y", "1"),
        ("/x/y", "2"),
        ("/x.y", "1"),
        ("/x/z/0", "10"),
        ("/x/z/1/q", "20"),
        ("/a~1b", "3"),
        ("a/b", "3"),
        ("/m~0n", "4"),
        ("m~n", "4"),
        ("0", "6"),
        ("/x/", "5"),
        ("/", "7"),
        ("x.z.w", "null"),
        ("/ts/a.b", "2"),
        ("/x/z/01", "null"),
    ] {
        let output =
            Streamw::new().args("-w 1m -t ts.at -a").arg(format!("v=max:{field}")).stdin(format!("{record}\n")).run();
        assert_eq!(column(&output, "v"), [expected], "{field}: {}", output.stderr);
        // A key is found in the same place.
        let output =
            Streamw::new().args("-w 1m -t /ts/at -k").arg(format!("k={field}")).stdin(format!("{record}\n")).run();
        assert_eq!(column(&output, "k"), [expected], "{field}: {}", output.stderr);
    }
    // The top-level name counts even if it is null; and it is looked for in each record.
    let input =
        "{\"ts\":1,\"x.y\":null,\"x\":{\"y\":2}}\n{\"ts\":61,\"x\":{\"y\":2}}\n{\"ts\":121,\"x\":{\"y\":2},\"x\":3}\n";
    let output = Streamw::new().args("-w 1m -t ts -a v=max:x.y").stdin(input).run();
    assert_eq!(column(&output, "v"), ["null", "2", "null"]);
}

#[test]
fn csv_columns_go_by_name_also_with_dots_and_as_pointers() {
    let input = "ts,x.y,/z\n1,2,3\n";
    for (field, expected) in [("x.y", "2"), ("/x.y", "2"), ("/z", "3")] {
        let output = Streamw::new().args("-w 1m -t ts -a").arg(format!("v=max:{field}")).stdin(input).run();
        assert_eq!(column(&output, "v"), [expected], "{field}: {}", output.stderr);
    }
}

#[test]
fn the_time_field_is_the_first_known_name_of_the_first_well_formed_record() {
    for (input, expected) in [
        ("{\"date\":\"2020-01-01\",\"ts\":1}\n", Some("ts")),
        ("{\"ts\":1,\"@timestamp\":2,\"timestamp\":3}\n", Some("timestamp")),
        ("nonsense\n{\"time\":\n\n{\"datetime\":1}\n{\"ts\":1}\n", Some("datetime")),
        ("{\"event_\\u0074ime\":1}\n", Some("event_time")),
        ("date,event_time\n2020-01-01,1\n", Some("event_time")),
        ("{\"a\":{\"ts\":1}}\n", None),
        ("{\"Ts\":1}\n", None),
        ("when,v\n1,2\n", None),
    ] {
        for size in [1, 4096] {
            let output = Streamw::new()
                .args("-w 1m -i")
                .arg(if input.contains('{') { "ndjson" } else { "csv" })
                .stdin(input)
                .read_size(size)
                .run();
            match expected {
                Some(name) => {
                    let said = format!("\"{name}\"");
                    let note: Vec<_> = output
                        .stderr
                        .lines()
                        .filter(|line| line.starts_with("streamw: ") && line.contains(&said))
                        .collect();
                    assert_eq!((output.status, note.len()), (0, 1), "{input}: {}", output.stderr);
                }
                None => {
                    assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{input}: {}", output.stderr);
                    assert!(output.stderr.contains("-t"), "{input}: {}", output.stderr);
                }
            }
        }
    }
}

#[test]
fn t10_a_field_that_no_record_had_is_said_once() {
    let said = |output: &Output| {
        output.stderr.lines().filter(|line| line.contains("no record had")).map(str::to_owned).collect::<Vec<_>>()
    };
    let flags = "-w 1m -t ts -k latencyms -k nothing -a sum:latencyms -a count:latencyms -a max:b";
    let once = Streamw::new().args(flags).stdin("{\"ts\":1,\"latency_ms\":2}\n{\"ts\":2,\"b\":1}\n").run();
    let lines = said(&once);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].starts_with("streamw: ") && lines[0].contains("\"latencyms\"") && lines[0].contains("latency_ms"),
        "{lines:#?}"
    );
    assert!(lines[1].contains("\"nothing\""), "{lines:#?}");
    // Nothing to say where each field was seen once, or -q asks for silence.
    let fine = Streamw::new().args("-w 1m -t ts -a sum:b").stdin("{\"ts\":1}\n{\"ts\":2,\"b\":null}\n").run();
    assert_eq!(said(&fine), [""; 0]);
    let quiet = Streamw::new().args("-q").args(flags).stdin("{\"ts\":1}\n").run();
    assert_same("stderr", "", &quiet.stderr);
}

// --- whatever comes ------------------------------------------------------------------------------------------

/// Pieces that records are made of, and break on.
const SCRAPS: &[&[u8]] = &[
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"\"",
    b",",
    b",",
    b"1",
    b"12",
    b"ts",
    b"ts,v,k\n",
    b"{\"ts\":1,\"k\":\"a\"}\n",
    b"{\"ts\":70,\"v\":-2.5e3}\n",
    b"{\"ts\":500,\"k\":\"\\u00e9\\n\",\"v\":\"7\"}\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\\",
    b"null",
    b" ",
    b"\t",
    b"\0",
    b"\xFF",
    b"\xC3\xA9",
    b"\xE2\x80\xAE",
    b"\x1B[2J",
    b"1,2,a\n",
    b"90,,\"b\"\n",
    b"1,\"x\ny\",c\n",
    b"300,1,\"q\"\"r\"\n",
    b"-5,1e3,\n",
    b"\n\n",
    b"99999999999999999999",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn garbage(rng: &mut Rng) -> Vec<u8> {
    let pieces = rng.next() % 120;
    let mut bytes = rng.pick(&[&b""[..], b"ts,v,k\n", b"{\"ts\":1}\n", b"\xEF\xBB\xBFts,k,v\r\n"]).to_vec();
    for _ in 0..pieces {
        bytes.extend(*rng.pick(SCRAPS));
    }
    bytes
}

/// All that T9 wants to be the same: rows, reports and counters, but not the seconds and the memory.
pub fn comparable(output: &Output) -> String {
    let mut text = format!("status {}\n{}---\n", output.status, output.stdout);
    for line in output.stderr.lines() {
        let end = line.find(",\"seconds\":").unwrap_or(line.len());
        text += &line[..end];
        text.push('\n');
    }
    text
}

#[test]
fn t9_whatever_comes_in_it_is_counted_and_the_same_in_any_pieces() {
    for seed in 1..=400u64 {
        let mut rng = Rng(seed);
        let input = garbage(&mut rng);
        let format = rng.pick(&["ndjson", "csv"]);
        let max_line = rng.pick(&["5", "30", "300", "1M"]);
        let flags =
            format!("-w 1m -l 5m -t ts -k k -a count -a sum:v -a first:k --stats -i {format} --max-line {max_line}");
        let run = Streamw::new().args(&flags).stdin(input.clone());
        let whole = run.clone().args("--threads 1").run();
        let what = format!("seed {seed}, {flags}\n{}\n", String::from_utf8_lossy(&input));
        match whole.status {
            0 => drop(counted(&whole)),
            _ => {
                let refusals = ["no column", "UTF-16", "a carriage return alone"];
                assert!(refusals.iter().any(|why| whole.stderr.contains(why)), "{what}{}", whole.stderr)
            }
        }
        for (threads, size) in [("1", 1), ("2", 7), ("8", 4096), ("2", 50), ("4", 90)] {
            let pieces = run.clone().args("--threads").arg(threads).read_size(size).run();
            let what = format!("{what}{threads} threads, pieces of {size}");
            assert_same(&what, &comparable(&whole), &comparable(&pieces));
        }
    }
}

#[test]
fn t9_what_comes_before_a_header_without_the_column_is_reported() {
    for (flags, input) in [
        ("-i csv -t ts", "\n\"a\"b\n\"c\"d\nwhen,v\n1,2\n"),
        ("-i csv", "\n\"a\"b\n\"c\"d\nwhen,v\n1,2\n"),
        ("-i ndjson", "\nx\n{\n{\"when\":1}\n"),
    ] {
        for size in [1, 7, 4096] {
            let output = Streamw::new().args("-w 1m --stats").args(flags).stdin(input).read_size(size).run();
            assert_eq!(output.status, 1);
            assert_eq!(bad_records(&output).lines().count(), 2, "{flags} in pieces of {size}: {}", output.stderr);
            assert_eq!(output.summary()["blank"], 1, "{flags} in pieces of {size}: {}", output.stderr);
        }
    }
}

#[test]
fn t9_threads_and_pieces_change_nothing() {
    let mut rng = Rng(20_261_120);
    let (mut ndjson, mut csv) = (String::new(), String::from("k,ts,v\n"));
    for place in 0..3_000u64 {
        let (time, key, value) = (place * 40 + rng.next() % 4_000, rng.next() % 9, rng.next() % 1_000);
        match rng.next() % 60 {
            0 => ndjson += "\n",
            1 => ndjson += "{\"ts\":}\n",
            _ => ndjson += &format!("{{\"v\":{value}.{key},\"ts\":{time},\"k\":\"k{key}\",\"u\":[\"x\"]}}\n"),
        }
        match rng.next() % 60 {
            0 => csv += "k,ts,v\r\n",
            1 => csv += "\"a\"b\n",
            2 => csv += &format!("\"x\n{key}\",{time},{value}\n"),
            _ => csv += &format!("k{key},{time},{value}\n"),
        }
    }
    for input in [ndjson, csv] {
        for window in ["1m", "10m/3m", "session:50s"] {
            let run = Streamw::new()
                .args("--time-format s -k k -a count -a sum:v -a max:v -d 5s -l 1h --stats -w")
                .arg(window)
                .stdin(input.clone());
            let whole = run.clone().args("--threads 1").run();
            assert!(whole.status == 0 && whole.stdout.lines().count() > 500, "{}", whole.stderr);
            for (threads, size) in [("1", 1), ("1", 4096), ("2", 7), ("4", 300), ("8", 1), ("8", 4096), ("16", 1 << 20)]
            {
                let pieces = run.clone().args("--threads").arg(threads).read_size(size).run();
                assert_same(
                    &format!("{window}, {threads} threads, pieces of {size}"),
                    &comparable(&whole),
                    &comparable(&pieces),
                );
            }
        }
    }
}
