//! Formats beside NDJSON and CSV with a header: logs, other delimiters, times by pattern.

use crate::util::{Output, Streamw};

fn rows(flags: &str, stdin: &str) -> Output {
    Streamw::new().args(flags).args("-w 1d -o csv -q --stats").stdin(stdin.as_bytes().to_vec()).run()
}

/// The values of the rows, without window, pane and revision, one row after the other.
fn values(output: &Output) -> String {
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        cells[2..cells.len() - 2].join(",")
    };
    output.stdout.lines().skip(1).map(row).collect::<Vec<_>>().join(" ")
}

/// The reasons of bad records.
fn reasons(output: &Output) -> String {
    let bad = output.stderr.lines().filter(|line| line.contains("bad_record"));
    let reason =
        |line: &str| line.split("\"reason\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    bad.filter_map(reason).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_format_gives_its_fields() {
    for (flags, stdin, expected, bad) in [
        ("-i tsv -a sum:v", "ts\tv\n1\t2\n2\t3.5\n", "5.5", ""),
        ("-a sum:v", "ts\tv\n1\t2\n", "2", ""),
        ("-i tsv -k k", "ts\tk\n1\t\"a\tb\"\n", "a\tb,1", ""),
        ("--delimiter ; -a sum:v", "ts;v\n1;2\n2;x;y\n", "2", "ragged"),
        ("--delimiter | -i csv -a sum:v", "ts|v\n1|2\n", "2", ""),
        ("-i csv --no-header -t 1 -k 2", "1,a\n2,a\n3,b\n1,2\n", "2,1 a,2 b,1", ""),
        ("-i csv --columns ts,k -k k", "1,a\n2,a\nts,k\n3,b\n4\n", "a,2 b,1", "ragged"),
        ("-i csv --no-header -t 1", "\n\n1,2\n", "1", ""),
        ("--null NA --null - -k k -a sum:v -a count:v", "ts,k,v\n1,NA,-\n2,x,3\n3,-,NA\n", ",,0 x,3,1", ""),
        ("--null NA -k k -a sum:v", "{\"ts\":1,\"k\":\"NA\",\"v\":\"N\\u0041\"}", ",", ""),
        (
            "-i logfmt -k level -a max:ms",
            "ts=1 level=info ms=5\nts=2 level=\"a \\\"b\\\"\" ms=7\n=\nplain words\n",
            "\"a \"\"b\"\"\",7 info,5",
            "format format",
        ),
        ("-i logfmt -k debug", "ts=1 debug\nts=2\n", ",1 true,1", ""),
        ("-i regex:^(?<ts>\\d+)\\s(?<k>\\w*) -k k", "1 a\nno\n2 b c\n3 \n", ",1 a,1 b,1", "format"),
        (
            "-i combined -k status -a sum:bytes",
            "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\"\nh - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 304 -\nh\n",
            "200,5 304,",
            "format",
        ),
    ] {
        let output = rows(flags, stdin);
        assert_eq!(
            (values(&output).as_str(), reasons(&output).as_str()),
            (expected, bad),
            "{flags}: {}",
            output.stderr
        );
    }
}

#[test]
fn times_are_read_by_a_pattern() {
    for (format, time, expected) in [
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0100", "2015-05-17T09:05:03Z"),
        ("%y%m%d %H%M%S", "081109 203518", "2008-11-09T20:35:18Z"),
        ("%Y-%m-%d %H:%M:%S%.f", "2015-05-17 10:05:03.125", "2015-05-17T10:05:03.125Z"),
        ("%Y%m%d", "20150517", "2015-05-17T00:00:00Z"),
    ] {
        let run = Streamw::new().args("-i tsv -t ts -w session:1s -q --time-format").arg(format);
        let output = run.stdin(format!("ts\tx\n{time}\t1\n").into_bytes()).run();
        let expected = format!("{{\"window_start\":\"{expected}\",");
        assert!(output.stdout.starts_with(&expected), "{format} on {time}: {}{}", output.stdout, output.stderr);
    }
    let number = Streamw::new().args("-t ts -w 1d -q --time-format %Y%m%d").stdin("{\"ts\":20150517}").run();
    assert!(number.stdout.starts_with("{\"window_start\":\"2015-05-17T00:00:00Z\""), "{}", number.stderr);
}

#[test]
fn t10_a_field_that_a_format_does_not_have_is_named_with_the_near_miss() {
    for (flags, message) in [
        ("-i combined -k stauts", "- has no column \"stauts\"; near: status"),
        ("-i regex:(?<ts>.+) -k host", "- has no column \"host\"; it has: ts"),
        ("-i csv --columns ts,host -k hots", "- has no column \"hots\"; near: host"),
    ] {
        let output = Streamw::new().args(flags).args("-w 1m").stdin("x,y\n").run();
        assert_eq!(output.status, 1, "{flags}");
        assert!(output.stderr.contains(message), "{flags}: {}", output.stderr);
    }
    let logfmt = Streamw::new().args("-i logfmt -k hots -w 1m").stdin("ts=1 host=a\n").run();
    assert!(logfmt.stderr.contains("no record had the field \"hots\"; near: host"), "{}", logfmt.stderr);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for (flags, message) in [
        ("-i cvs", "did you mean \"csv\""),
        ("-i regex:(", "regex"),
        ("-i regex:x", "no named group"),
        ("--delimiter ab", "one character"),
        ("--delimiter \"", "one character"),
        ("--time-format %H:%M", "does not tell a date"),
        ("--time-format iso", "pattern with %"),
    ] {
        let output = Streamw::new().args(flags).args("-w 1m").run();
        assert_eq!(output.status, 2, "{flags}");
        assert!(output.stderr.contains(message), "{flags}: {}", output.stderr);
    }
}

/// The real log: 120 lines and one that is cut off.
#[test]
fn a_real_access_log_adds_up() {
    let log = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/access.log")).expect("the log");
    for (threads, size) in [("1", 1), ("2", 7), ("8", 4096)] {
        let run = Streamw::new().args("-i combined -w 1d -k method -a count -a sum:bytes -q --stats -o csv --threads");
        let output = run.arg(threads).stdin(log.clone()).read_size(size).run();
        // awk '{n[$6]++; s[$6]+=$10} END {for (m in n) print m, n[m], s[m]}' over the first 120 lines.
        assert_eq!(values(&output), ACCESS_BY_METHOD);
        assert_eq!(reasons(&output), "format");
    }
}

const ACCESS_BY_METHOD: &str = "GET,120,5896057";

#[test]
fn t9_garbage_in_any_format_is_counted_and_the_same_in_any_pieces() {
    const WORDS: &[&str] = &[
        "ts=1 ",
        "v=2 ",
        "a=\"x\\\" y\" ",
        "=",
        "\"",
        "\\",
        "[",
        "]",
        "1.2.3.4 - - ",
        "[17/May/2015:10:05:03 +0000] ",
        "\"GET / HTTP/1.1\" ",
        "200 ",
        "5 ",
        "\n",
        "\r\n",
        "\n",
        " ",
        "\t",
        "\u{e9}",
        "\0",
        ";",
        "9",
        "\"\" ",
        "\\x4",
    ];
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (seed >> 33) as usize % bound
    };
    for round in 0..300 {
        let mut input: Vec<u8> = (0..next(60)).flat_map(|_| WORDS[next(WORDS.len())].bytes()).collect();
        if next(4) == 0 {
            input.push(0xFF);
        }
        let flags = [
            "-i combined -k path -a sum:bytes",
            "-i logfmt -t ts -k a -a sum:v",
            "-i regex:(?<ts>\\d+).*?(?<k>[a-z]+)? -t ts -k k",
            "-i tsv --no-header -t 1",
            "--delimiter ; --columns ts -t ts",
        ][round % 5];
        let run = |threads: &str, size| {
            let run = Streamw::new().args(flags).args("-w 1m --max-line 40 -q --stats --threads").arg(threads);
            let output = run.stdin(input.clone()).read_size(size).run();
            let stderr = output.stderr.split("\"seconds\"").next().unwrap_or_default().to_owned();
            (output.status, output.stdout, stderr)
        };
        let whole = run("1", usize::MAX);
        let what = format!("round {round}: {flags} on {}", input.escape_ascii());
        assert!(whole.0 == 0 || whole.2.contains("UTF-16 text"), "{what}\n{}", whole.2);
        for (threads, size) in [("1", 1), ("2", 7), ("2", 4096)] {
            assert_eq!(run(threads, size), whole, "{what} in pieces of {size}");
        }
    }
}

#[test]
fn a_file_whose_rows_are_all_malformed_is_told_the_likely_reason() {
    let input = "\"ts\";\"v\"\n\"1\";\"2\"\n";
    let output = Streamw::new().args("-i csv -w 1m").stdin(input).run();
    assert!(output.stderr.contains("no row can be read as a header; another delimiter?"), "{}", output.stderr);
    let told = Streamw::new().args("-i csv --delimiter ; -w 1m -a sum:v -o csv -q").stdin(input).run();
    assert_eq!(values(&told), "2");
}
