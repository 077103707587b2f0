//! The program as a whole on whatever comes: it ends well or says why, each record is counted once, what leaves it is whole
//! JSON without control characters, and nothing depends on threads or on the pieces in which the input comes.

use crate::fuzz::{Checked, Signature, Target, equal};
use crate::util::{Output, Streamw};
use serde_json::Value;

/// Flags for inputs of each format, with what the fields are called in the seeds.
const FLAGS: &[&str] = &[
    "-i ndjson -t ts -k k -a count -a sum:v -a first:v -a top:k:2 -w 1m -l 5m",
    "-t ts -w 10s/3s -d 2s -l 10s -k k",
    "-i ndjson -w session:5s -l 1d -a collect:v:3 -a distinct:v",
    "-i csv -t ts -k k -a sum:v -a mode:k -w 1h",
    "-i csv -t timestamp -a avg:value -w 1d -l 1000d",
    "--delimiter ; -a max:v -w 1m",
    "-i tsv --no-header -t 1 -k 2 -w 1m",
    "-i csv --columns ts,k,v -k k -a last:v -w session:1m",
    "-i combined -k status -k path -a sum:bytes -w 1h -d 60s",
    "-i logfmt -t ts -k a -a max:b -w 1m",
    "-i regex:^(?<time>\\S+)\\s(?<k>\\w+).*?(?<v>\\d+)? -k k -a sum:v -w 1d",
    "-t dep_utc -k origin -a avg:dep_delay -w 3h -d 1h -l 1d",
];

/// All that T9 wants to be the same.
fn comparable(output: &Output) -> String {
    let lines = output.stderr.lines().map(|line| &line[..line.find(",\"seconds\":").unwrap_or(line.len())]);
    format!("status {}\n{}---\n{}", output.status, output.stdout, lines.collect::<Vec<_>>().join("\n"))
}

fn check_counters(summary: &Value) -> Result<(), String> {
    let count = |name: &str| summary[name].as_u64().ok_or_else(|| format!("no {name} in {summary}"));
    let sum = |names: &[&str]| names.iter().map(|name| count(name)).sum::<Result<u64, _>>();
    equal("e1: records", &count("records")?, &sum(&["blank", "headers", "bad", "events"])?)?;
    equal("events", &count("events")?, &sum(&["added", "late_drops", "unwindowed"])?)?;
    equal("panes", &count("panes")?, &sum(&["on_time", "late"])?)
}

fn check(input: &[u8]) -> Checked {
    let (choice, bytes) = input.split_first().map_or((0, input), |(first, rest)| (*first as usize, rest));
    let flags = FLAGS[choice % FLAGS.len()];
    let max_line = ["1M", "100", "20"][choice / FLAGS.len() % 3];
    let run = Streamw::new().args(flags).args("--stats --max-line").arg(max_line).stdin(bytes);
    let whole = run.clone().args("--threads 1").run();
    if whole.stderr.contains("defect")
        || !matches!(whole.status, 0 | 1)
        || whole.status == 1 && !whole.stderr.contains("streamw: ")
    {
        return Err(format!("{flags}: status {}, {}", whole.status, whole.stderr));
    }
    let harmful = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
    if whole.stdout.contains(harmful) || whole.stderr.contains(harmful) {
        return Err(format!("a control character: {:?}{:?}", whole.stdout, whole.stderr));
    }
    for line in whole.stdout.lines().chain(whole.json_lines()) {
        serde_json::from_str::<Value>(line).map_err(|error| format!("{error}: {line}"))?;
    }
    let summary = whole.summary();
    if summary != Value::Null {
        check_counters(&summary)?;
        equal(
            "bad records are reported",
            &summary["bad"].as_u64(),
            &Some(whole.lines_of_type("bad_record").len() as u64),
        )?;
        equal(
            "late drops are reported",
            &summary["late_drops"].as_u64(),
            &Some(whole.lines_of_type("late_drop").len() as u64),
        )?;
        equal("panes are rows", &summary["panes"].as_u64(), &Some(whole.stdout.lines().count() as u64))?;
    }
    let sizes = [1, 2, 3, 7, 16, 50, 333];
    let size = sizes[bytes.len() % sizes.len()];
    let pieces = run.args("--threads").arg(["1", "2", "5"][bytes.len() % 3]).read_size(size).run();
    equal(&format!("{flags} in pieces of {size}"), &comparable(&whole), &comparable(&pieces))?;
    let count = |name: &str| summary[name].as_u64().unwrap_or(0).min(3);
    let mut reasons: Vec<String> = whole
        .lines_of_type("bad_record")
        .iter()
        .map(|line| line.split("\"reason\":").nth(1).unwrap_or("")[..6].to_owned())
        .collect();
    reasons.dedup();
    reasons.truncate(4);
    Ok(Signature::of((
        choice % (3 * FLAGS.len()),
        whole.status,
        ["events", "late", "late_drops", "blank", "headers"].map(count),
        reasons,
    )))
}

#[test]
fn whatever_comes_in_it_is_counted_reported_and_the_same_in_any_pieces() {
    let ndjson = "{\"ts\":1,\"k\":\"a\",\"v\":1.5}\n{\"ts\":70,\"k\":\"b\",\"v\":\"2\"}\n{\"ts\":30,\"k\":\"a\\u001b\",\"v\":[1]}\n\n{\"ts\":\"x\"}\n{\"ts\":500}\r\n{\"ts\":2}\n";
    let csv = "ts,k,v\n1,a,1.5\n70,\"b\nc\",2\n30,a,\n1,2\nx,\"y\n\n500,\"q\"\"r\",3\nts,k,v\n2,a,1\n";
    let nab = "timestamp,value\r\n2014-01-07 02:55:00,78.2\r\n2014-01-07 02:00:00,79.4\r\n2014-01-07 03:00:00,x\r\n";
    let logfmt = "ts=1 a=x b=2\nts=70 a=\"y z\" b=3.5\nnothing\nts=2 a=x\n";
    let combined = include_str!("../../testdata/access.log").lines().take(4).collect::<Vec<_>>().join("\n");
    let flights =
        include_str!("../../testdata/golden/flights.csv").lines().take(8).collect::<Vec<_>>().join("\n") + "\n";
    let mixed = include_bytes!("../../testdata/dirty/08_mixed.ndjson");
    let lines = "2015-05-17 info 12 ms\n2015-05-18 warn\nbad\n";
    let semicolons = csv.replace(',', ";");
    let tabs = csv.replace(',', "\t");
    let texts = [ndjson, ndjson, ndjson, csv, nab, &semicolons, &tabs, csv, &combined, logfmt, lines, &flights];
    let seed = |(choice, text): (u8, &&str)| [&[choice], text.as_bytes()].concat();
    let mut seeds: Vec<Vec<u8>> = (0..).zip(&texts).map(seed).chain((12..).zip(&texts).map(seed)).collect();
    seeds.push([&[0], &mixed[..4000]].concat());
    seeds.push(b"\x01\xEF\xBB\xBF{\"ts\":1}\n\xFF\n".to_vec());
    let words = [
        "\n",
        "\r\n",
        "\r",
        "\"",
        "\"\"",
        ",",
        ";",
        "\t",
        "1",
        "ts",
        "ts,k,v\n",
        "{\"ts\":1,\"k\":\"a\"}\n",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\\",
        "null",
        " ",
        "\0",
        "\u{e9}",
        "\u{202e}",
        "\u{1b}[2J",
        "1,2,a\n",
        "1,\"x\ny\",c\n",
        "-5",
        "1e3",
        "99999999999999999999",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "=",
        "ts=5 a=1\n",
        "\u{feff}",
        "x\",\"\n",
        "2014-01-07 02:00:00",
        "300",
    ];
    Target { name: "pipeline", seeds, words: &words }.run(check);
}
