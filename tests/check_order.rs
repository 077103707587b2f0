//! `--check-order`: the same input in other orders within the delay, and what comes of it.

use crate::fuzz::Random;
use crate::util::{Output, Streamw};
use std::fs;
use std::path::PathBuf;

/// A file of this content in a directory of the test's own.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check_order");
    fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join(name);
    fs::write(&path, content).expect("a file");
    path
}

fn run(flags: &str, files: &[&PathBuf]) -> Output {
    files.iter().fold(Streamw::new().args(flags), |streamw, file| streamw.arg(file.as_os_str())).run()
}

/// Records a second apart that come up to `late` seconds late, of few keys, with whole numbers, long fractions and nulls.
fn records(seed: u64, late: usize) -> String {
    let mut random = Random::new(seed);
    let record = |index: usize, random: &mut Random| {
        let time = 1_000 + index as i64 - random.below(late) as i64;
        let value = match random.below(4) {
            0 => "null".to_owned(),
            1 => format!("{}.{:022}", random.below(100), random.below(1_000_000)),
            2 => format!("{}e-30", random.below(1_000)),
            _ => random.below(1_000).to_string(),
        };
        format!("{{\"ts\":{time},\"k\":\"{}\",\"v\":{value},\"id\":{index}}}\n", random.below(3))
    };
    (0..600).map(|index| record(index, &mut random)).collect()
}

#[test]
fn the_same_table_comes_of_other_orders() {
    // (Flags, how late records come, whether some are behind the watermark.)
    for (index, (flags, late, has_late)) in [
        ("-w 10s -d 20s", 15, false),
        ("-w 10s -d 8s -l 5s", 30, true),
        ("-w 10s -d 8s -l 5s --late-rule event", 30, true),
        ("-w 30s/10s -d 8s -l 10s", 40, true),
        ("-w 10s/30s -d 8s", 30, true),
        ("-w session:4s -d 8s -l 3s", 30, true),
        ("-w session:4s -d 6s", 30, true),
        ("-w cumulate:1m/10s -d 10s -l 1m --emit final", 30, true),
        ("-w global --trigger every:7 -d 10s", 30, true),
        ("-w 10s -w session:3s -w count:7 -d 10s -l 5s", 30, true),
        ("-w 10s -d 10s -l 20s --updates retracting --early every:2", 30, true),
        ("-w 5s -d 10s -l 10s --fill null", 30, true),
        ("-w 5s -d 10s -l 10s --fill previous --fill-limit 2", 30, true),
        ("-w 10s -d 20s --dedup id", 15, false),
        ("-w 10s -d 20s --max-jump 40s", 15, false),
        ("-w 10s -d 20s --where v>100 --key-limit 3", 15, false),
        ("-w 10s -d 20s --where v>100 --where-first --threads 3", 15, false),
    ]
    .into_iter()
    .enumerate()
    {
        let path = file(&format!("same{index}.ndjson"), records(index as u64, late));
        let aggregates = "-a count -a sum:v -a avg:v -a max:v -a p90:v -a stddev:v -a distinct:v -a top:v:2 -a last:v";
        let output = run(&format!("-t ts -k k {flags} {aggregates} --check-order 8 --late /dev/null"), &[&path]);
        assert_eq!(output.status, 0, "{flags}: {}", output.stderr);
        let said: Vec<_> = output.stderr.lines().filter(|line| line.contains("--check-order 8:")).collect();
        assert_eq!(said.len(), 2, "{flags}: {}", output.stderr);
        assert!(said[0].contains(" in 8 other orders (seed 1); "), "{flags}: {}", said[0]);
        assert_eq!(said[0].contains(" were behind the watermark and still are"), has_late, "{flags}: {}", said[0]);
        let left_out = if flags.contains("count:7") { "-w count:7, last_v" } else { "last_v" };
        assert!(said[1].ends_with(&format!("left out, as it depends on arrival: {left_out}")), "{flags}: {}", said[1]);
        // The rows are those of the input's own order.
        let plain = run(&format!("-t ts -k k {flags} {aggregates} --late /dev/null"), &[&path]);
        assert_eq!(plain.stdout, output.stdout, "{flags}");
    }
}

/// Two records of one id say different things: whichever comes first counts.
const CONTRADICTION: &str = "ts,k,v,id\n1,a,1,x\n2,a,5,y\n2,b,7,x\n9,a,1,z\n";

#[test]
fn what_depends_on_the_order_is_told_and_fails() {
    let (path, report) = (file("contradiction.csv", CONTRADICTION), file("report.xml", ""));
    let flags = format!("-t ts -k k -w 10s -d 5s -a sum:v --dedup id --check-order 20 --report {}", report.display());
    let output = run(&flags, &[&path]);
    assert_eq!(output.status, 3, "{}", output.stderr);
    assert_eq!(output.stdout.lines().count(), 1, "rows are printed all the same: {}", output.stdout);
    let lines: Vec<&str> = output.stderr.lines().collect();
    let place = lines[0].split(": window_start").next().expect("a place");
    assert!(place.starts_with("streamw: --check-order 20: order ") && place.ends_with("(seed 1)"), "{place}");
    assert_eq!(lines[0], format!("{place}: window_start=1970-01-01T00:00:00Z k=a: sum_v is 6 and not 7"));
    assert_eq!(lines[1], format!("{place}: window_start=1970-01-01T00:00:00Z k=b: not expected"));
    assert!(
        lines[2].starts_with("streamw: --check-order 20: ") && lines[2].contains(": another table in "),
        "{}",
        lines[2]
    );
    assert_eq!(lines.len(), 3);
    let report = fs::read_to_string(&report).expect("a report");
    assert!(report.contains("<testcase classname=\"streamw\" name=\"--check-order 20\">\n      <failure"), "{report}");
    assert!(report.contains("k=a: sum_v is 6 and not 7&#10;window_start"), "{report}");
    // The seed makes the orders, and a run of the same flags says the same.
    assert_eq!(run(&flags, &[&path]), output);
    let said = |seed: usize| run(&format!("{flags} -q --order-seed {seed}"), &[&path]).stderr.replace("seed", "");
    assert!((2..12).any(|seed| said(seed) != output.stderr.replace("seed", "")));
}

#[test]
fn several_files_and_formats_are_one_source() {
    let files = [
        file("a.csv", "ts,k,v\n1,a,1\n4,b,2\n2,a,3\n"),
        file("b.ndjson", "{\"k\":\"a\",\"ts\":3,\"v\":4}\n\nno record\n{\"ts\":6,\"k\":\"b\",\"v\":\"5\"}\n"),
        file("c.tsv", "v\tts\tk\n\"6\"\t5\ta\n7\t12\tb\n8\t9\ta\n"),
    ];
    let output = run(
        "-t ts -k k -w 5s -d 5s -a sum:v --check-order 30 --order-seed 7 --bad /dev/null",
        &files.iter().collect::<Vec<_>>(),
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(
        output.stderr.starts_with("streamw: --check-order 30: the same 5 rows in 30 other orders (seed 7); "),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("; of 8 records, "), "{}", output.stderr);
    // Times without a year are placed as they stand.
    let log = file("years.log", "Dec 31 23:59:58 a\nJan 1 00:00:01 b\nDec 31 23:59:59 a\nJan 1 00:00:03 a\n");
    let streamw = Streamw::new().arg("-i").arg(r"regex:(?P<ts>\w+ +\d+ \S+) (?P<k>\w+)").arg("--time-format");
    let output = streamw
        .arg("%b %e %H:%M:%S")
        .args("-t ts -k k -w 2s -d 5s --year 2025 --check-order 9")
        .arg(log.as_os_str())
        .run();
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(output.stdout.contains("2026-01-01T00:00:00Z"), "{}", output.stdout);
}

#[test]
fn where_no_record_can_be_overtaken_that_is_said() {
    let path = file("apart.csv", "ts,k\n1,a\n101,a\n201,b\n");
    let output = run("-t ts -k k -w 10s -d 5s --check-order 3", &[&path]);
    assert_eq!(output.status, 0);
    assert!(output.stderr.contains("so this has shown nothing"), "{}", output.stderr);
    assert_eq!(run("-t ts -k k -w 10s -d 5s --check-order 3 -q", &[&path]).stderr, "");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let path = file("refused.csv", CONTRADICTION);
    for (flags, words) in [
        ("-w 10s", "-d, which is 0s"),
        ("-w count:3 -d 5s", "nothing is left to compare"),
        ("-w 10s -d 5s -F", "-F reads files that have no end yet"),
        ("-w 10s -d 5s --state nowhere", "--state goes on where another run was"),
        ("-w 10s -d 5s -t @now", "-t @now is the arrival itself"),
        ("-w 10s -d 5s --max-future 1h", "--max-future goes by the clock"),
        ("-w 10s -d 5s --replay 1x", "--replay goes by the clock"),
        ("-w 10s -d 5s --merge", "--merge chooses the order itself"),
        ("-w 10s -d 5s --partition k", "--partition has several watermarks"),
        ("-w 10s -d 5s --max-jump 5s --dedup id", "--max-jump with --dedup looks at what came before"),
        ("-w 10s -d 5s -k k --key-limit 1 --on-key-limit drop", "--on-key-limit takes the keys that come first"),
        ("-w 10s -d 5s --updates discarding", "--updates discarding says what came"),
    ] {
        let output = run(&format!("{flags} --check-order 2"), &[&path]);
        assert_eq!(output.status, 2, "{flags}: {}", output.stderr);
        assert!(output.stderr.contains(words), "{flags}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
    assert_eq!(run("-w 10s --order-seed 2", &[&path]).status, 2);
    // A pipe is gone when it was read; nothing is overwritten for it.
    let rows = file("kept.ndjson", "kept\n");
    let flags = format!("-i csv -t ts -w 10s -d 5s --check-order 2 --output {}", rows.display());
    let output = Streamw::new().args(&flags).stdin(CONTRADICTION).run();
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("stdin (-) is no file but a pipe"), "{}", output.stderr);
    assert_eq!(fs::read_to_string(&rows).expect("a file"), "kept\n");
}
