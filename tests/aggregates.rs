//! Every aggregate from the command line to the row: values of all kinds, merging windows, CSV and NDJSON.

use crate::util::{Streamw, assert_same, parse_json};
use serde_json::Value;

/// The rows of a run, which must go well.
#[track_caller]
fn rows(args: &str, input: &str) -> Vec<Value> {
    let output = Streamw::new().args(args).stdin(input).run();
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "streamw {args}");
    output.stdout.lines().map(parse_json).collect()
}

/// The aggregates of the only row of a run, as they were printed.
#[track_caller]
fn printed(calls: &str, input: &str) -> String {
    let calls: String = calls.split(' ').map(|call| format!(" -a {call}")).collect();
    let output = Streamw::new().args(&format!("-t ts -w 1h{calls}")).stdin(input).run();
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "streamw{calls}");
    let row = output.stdout.trim_end();
    assert_eq!(row.lines().count(), 1, "{row}");
    let from = row.match_indices(",\"").nth(1).map_or(0, |(at, _)| at + 1);
    let to = row.find(",\"pane\"").expect("a pane");
    row[from..to].to_owned()
}

/// Records a second apart with these values of `v`, from second 0 on; `_` is a missing one.
fn values(list: &str) -> String {
    let record = |(second, value): (usize, &str)| match value {
        "_" => format!("{{\"ts\":{second}}}\n"),
        value => format!("{{\"ts\":{second},\"v\":{value}}}\n"),
    };
    list.split(' ').enumerate().map(record).collect()
}

#[test]
fn results_as_they_are_printed() {
    for (list, calls, expected) in [
        ("2 4 4 4 5 5 7 9", "var_pop:v stddev_pop:v", r#""var_pop_v":4.0,"stddev_pop_v":2.0"#),
        ("1 2 3 4", "var:v stddev:v", r#""var_v":1.6666666666666667,"stddev_v":1.2909944487358056"#),
        ("1 _", "var:v stddev:v var_pop:v", r#""var_v":null,"stddev_v":null,"var_pop_v":0.0"#),
        ("1000000000.1 1000000000.2 1000000000.3", "var:v", r#""var_v":0.01"#),
        ("0.1 0.2", "median:v p50:v", r#""median_v":0.15,"p50_v":0.15"#),
        ("10 40 20 30", "p0:v p99.9:v p100:v", r#""p0_v":10.0,"p99_9_v":39.97,"p100_v":40.0"#),
        ("10 40 20 30", "quantile:v:0.95 quantile:v:.5", r#""quantile_v_0_95":38.5,"quantile_v__5":25.0"#),
        (r#"1 1.0 "1" null _ true"#, "distinct:v approx_distinct:v", r#""distinct_v":3,"approx_distinct_v":3"#),
        ("\"b\" \"\\u0061\" \"é\" 10 9", "min_text:v max_text:v", "\"min_text_v\":\"10\",\"max_text_v\":\"é\""),
        (r#"3 "a" 3 "a" false"#, "mode:v", r#""mode_v":3"#),
        (
            r#"3 "a" 3 "a" false"#,
            "top:v:2 top:v:9",
            r#""top_v_2":[{"value":3,"count":2},{"value":"a","count":2}],"top_v_9":[{"value":3,"count":2},{"value":"a","count":2},{"value":false,"count":1}]"#,
        ),
        (
            r#"{"a":1} 1.50 null "x" 2"#,
            "collect:v:3 collect:v:1",
            r#""collect_v_3":[{"a":1},1.50,"x"],"collect_v_1":[{"a":1}]"#,
        ),
        ("10 99 12.5", "delta:v rate:v", r#""delta_v":2.5,"rate_v":1.25"#),
        ("10.5 99 12.5", "delta:v rate:v", r#""delta_v":2.0,"rate_v":1.0"#),
        ("3 5", "delta:v rate:v", r#""delta_v":2,"rate_v":2.0"#),
        ("3", "delta:v rate:v", r#""delta_v":0,"rate_v":null"#),
    ] {
        assert_same(&format!("{calls} of {list}"), expected, &printed(calls, &values(list)));
    }
}

#[test]
fn n2_over_no_values_aggregates_are_null_and_counts_are_0() {
    let calls = "var:v stddev:v var_pop:v stddev_pop:v median:v p99:v quantile:v:0.5 min_text:v max_text:v mode:v top:v:3 \
                 argmin:v:w argmax:v:w collect:v:3 delta:v rate:v";
    let calls: Vec<_> = calls.split_whitespace().collect();
    let got = printed(&calls.join(" "), "{\"ts\":1,\"v\":null,\"w\":1}\n{\"ts\":2,\"w\":null}\n");
    assert_eq!(got.matches(":null").count(), calls.len(), "{got}");
    let counts = printed("count:v distinct:v approx_distinct:v", &values("_ null"));
    assert_same("counts", r#""count_v":0,"distinct_v":0,"approx_distinct_v":0"#, &counts);
}

#[test]
fn order_is_by_event_time_then_by_arrival() {
    let input = r#"{"ts":5,"v":"e","n":1}
{"ts":1,"v":"a","n":4}
{"ts":3,"v":"c","n":1}
{"ts":3,"v":"d","n":1}
{"ts":1,"v":"b","n":4}
{"ts":0,"v":null,"n":0}
{"ts":9,"v":"z"}
"#;
    for (calls, expected) in [
        ("collect:v:4", r#""collect_v_4":["a","b","c","d"]"#),
        ("argmin:v:n argmax:v:n", r#""argmin_v_n":"c","argmax_v_n":"a""#),
        ("delta:n rate:n", r#""delta_n":1,"rate_n":0.2"#),
    ] {
        assert_same(calls, expected, &printed(calls, input));
    }
}

#[test]
fn rate_needs_time_between_first_and_last() {
    let input = "{\"ts\":7,\"v\":1}\n{\"ts\":7,\"v\":4}\n";
    assert_same("at one moment", r#""delta_v":3,"rate_v":null"#, &printed("delta:v rate:v", input));
}

#[test]
fn n3_cells_and_numeric_strings() {
    let csv = "ts,v,w\n0,007,1\n1,1.0,\n2,1,2\n3,,5\n4,\"a,\"\"b\",0\n";
    let output = Streamw::new()
        .args("-i csv -t ts -w 1h -o csv -a top:v:2 -a mode:v -a collect:v:9 -a distinct:v -a min_text:v -a max_text:v -a argmin:v:w -a argmax:v:w -a median:w")
        .stdin(csv)
        .run();
    let expected = r#"window_start,window_end,top_v_2,mode_v,collect_v_9,distinct_v,min_text_v,max_text_v,argmin_v_w,argmax_v_w,median_w,pane,revision
1970-01-01T00:00:00Z,1970-01-01T01:00:00Z,"[{""value"":1,""count"":2},{""value"":""007"",""count"":1}]",1,"[""007"",1.0,1,""a,\""b""]",3,007,"a,""b","a,""b",1,1.5,on_time,0
"#;
    assert_same("stdout", expected, &output.stdout);
    assert_same("null lists are empty cells", "0,,,0.0", &csv_row("count:v top:v:2 collect:v:2 var_pop:ts"));
    assert_same("strings", r#""median_v":1.5"#, &printed("median:v", &values(r#"".1e1" 2"#)));
    let bad = Streamw::new().args("-t ts -w 1h -a argmax:v:w").stdin("{\"ts\":1,\"v\":2,\"w\":\"many\"}\n").run();
    assert_eq!(parse_json(bad.lines_of_type("bad_record")[0])["reason"], "value");
}

/// The aggregates of one row over a record without `v`, as CSV.
fn csv_row(calls: &str) -> String {
    let calls: String = calls.split(' ').map(|call| format!(" -a {call}")).collect();
    let output = Streamw::new().args(&format!("-t ts -w 1h -o csv{calls}")).stdin("{\"ts\":1,\"v\":null}\n").run();
    let row = output.stdout.lines().nth(1).unwrap_or_default();
    row.split(',').skip(2).take(calls.matches("-a").count()).collect::<Vec<_>>().join(",")
}

const ALL: &[&str] = &[
    "var:v",
    "stddev:v",
    "var_pop:v",
    "stddev_pop:v",
    "median:v",
    "p90:v",
    "p99.9:v",
    "quantile:v:0.25",
    "distinct:v",
    "approx_distinct:v",
    "min_text:v",
    "max_text:v",
    "mode:v",
    "top:v:5",
    "argmin:u:v",
    "argmax:u:v",
    "collect:v:5",
    "delta:v",
    "rate:v",
    "first:v",
    "last:v",
    "range:v",
    "sum:v",
];

/// Records that come out of order, with values that repeat and values that do not.
fn scattered(count: u64) -> Vec<(u64, String)> {
    let mut state = 3u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..count)
        .map(|i| {
            let time = i / 4 + next(40);
            let value = match next(3) {
                0 => format!("{}", next(9)),
                1 => format!("{}.{}", next(100_000), next(1000)),
                _ => format!("-{}.5", next(50)),
            };
            (time, format!("{{\"ts\":{time},\"v\":{value},\"u\":\"u{}\"}}\n", next(1000)))
        })
        .collect()
}

fn all_of_them() -> String {
    ALL.iter().map(|call| format!(" -a {call}")).collect()
}

/// What a tumbling window over `range` says of the records.
fn naive(records: &[(u64, String)], range: std::ops::Range<u64>) -> Value {
    let kept: String =
        records.iter().filter(|(time, _)| range.contains(time)).map(|(_, record)| record.as_str()).collect();
    let args = format!("-t ts -w 10000h -d 1h{}", all_of_them());
    rows(&args, &kept).into_iter().next().unwrap_or_default()
}

fn aggregates(row: &Value) -> Vec<(&String, &Value)> {
    let is_bookkeeping = |name: &str| matches!(name, "window_start" | "window_end" | "pane" | "revision" | "replaces");
    row.as_object().into_iter().flatten().filter(|(name, _)| !is_bookkeeping(name)).collect()
}

#[test]
fn sliding_windows_merge_slices_into_the_same_results() {
    let records = scattered(2400);
    let input: String = records.iter().map(|(_, record)| record.as_str()).collect();
    let sliding = rows(&format!("-t ts -w sliding:240s/30s -d 1h --output-time s{}", all_of_them()), &input);
    assert!(sliding.len() > 20, "{} rows", sliding.len());
    for row in sliding {
        let bound = |name: &str| row[name].as_i64().expect("a bound").max(0) as u64;
        let expected = naive(&records, bound("window_start")..bound("window_end"));
        assert_eq!(aggregates(&row), aggregates(&expected), "from {}", row["window_start"]);
    }
}

#[test]
fn late_updates_of_sliding_windows_say_what_an_undisturbed_run_says() {
    let records = scattered(1200);
    let input: String = records.iter().map(|(_, record)| record.as_str()).collect();
    let args = |more: &str| format!("-t ts -w sliding:60s/10s --output-time s {more}{}", all_of_them());
    let on_time = rows(&args("-d 1h"), &input);
    let updated = rows(&args("-d 5s -l 1h"), &input);
    assert!(updated.len() > 2 * on_time.len(), "there are late updates");
    for row in on_time {
        let last = updated.iter().rev().find(|other| other["window_start"] == row["window_start"]).expect("the window");
        assert_eq!(aggregates(last), aggregates(&row), "from {}", row["window_start"]);
    }
}

#[test]
fn sessions_that_merge_late_say_what_the_whole_session_says() {
    let records = scattered(800);
    // Two runs of records with a hole, and a record that closes it.
    let (early, late) = (0..90, 130..300);
    let mut input = String::new();
    let mut all = Vec::new();
    for range in [early.clone(), late.clone()] {
        for (time, record) in records.iter().filter(|(time, _)| range.contains(time)) {
            input += record;
            all.push((*time, record.clone()));
        }
    }
    let bridge = "{\"ts\":110,\"v\":4.25,\"u\":\"bridge\"}\n".to_owned();
    input += &bridge;
    all.push((110, bridge));
    let got = rows(&format!("-t ts -w session:25s -d 40s -l 1h{}", all_of_them()), &input);
    let merged = got.last().expect("a row");
    assert!(merged["replaces"].is_array(), "the first session was printed: {merged}");
    assert_eq!(aggregates(merged), aggregates(&naive(&all, 0..u64::MAX)));
}

#[test]
fn threads_and_small_reads_change_nothing() {
    let input: String = scattered(1500).into_iter().map(|(_, record)| record).collect();
    let run = |threads: u32, size: usize| {
        let args = format!("-t ts -k u -w sliding:300s/60s -d 30s -l 1m --threads {threads}{}", all_of_them());
        Streamw::new().args(&args).stdin(input.clone()).read_size(size).run()
    };
    let once = run(1, usize::MAX);
    assert_same("stdout", &once.stdout, &run(4, 999).stdout);
}

#[test]
fn many_values_are_estimated_within_what_the_help_says() {
    let input: String = (0..20_000u64)
        .map(|i| format!("{{\"ts\":{},\"v\":{},\"id\":\"id-{}\"}}\n", i / 10, 1 + i * 7919 % 20_000, i % 10_000))
        .collect();
    let row = &rows("-t ts -w 10h -a approx_distinct:id -a distinct:id -a p50:v -a p99:v -a p100:v", &input)[0];
    let close = |name: &str, expected: f64, error: f64| {
        let got = row[name].as_f64().expect(name);
        assert!((got - expected).abs() <= error * expected, "{name}: {got}, not {expected}");
    };
    assert_eq!(row["distinct_id"], 10_000);
    close("approx_distinct_id", 10_000.0, 0.0081 * 3.0);
    close("p50_v", 10_000.5, 0.005);
    close("p99_v", 19_800.0, 0.005);
    close("p100_v", 20_000.0, 0.0);
}

#[test]
fn mistakes_in_aggregates_are_usage_errors() {
    for (call, hint) in [
        ("p100.5:v", "a percentile goes from p0 to p100"),
        ("quantile:v:1.5", "from 0 to 1"),
        ("top:v", "as in top:v:3"),
        ("argmin:v", "as in argmin:v:bytes"),
        ("mediann:v", "did you mean \"median\""),
    ] {
        let output = Streamw::new().args(&format!("-t ts -w 1h -a {call}")).stdin("").run();
        assert_eq!(output.status, 2, "{call}");
        assert!(output.stderr.starts_with("streamw: ") && output.stderr.contains(hint), "{call}: {}", output.stderr);
    }
}
