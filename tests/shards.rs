//! Keys that are shared out to several threads (from `--threads 4` on): nobody sees that (T9).

use std::fmt::Write as _;

use crate::formats::comparable;
use crate::history::Rng;
use crate::streams::Program;
use crate::util::{Output, Streamw, assert_same};

/// Numbers of threads without shares, and with four, five and eight.
const THREADS: [&str; 5] = ["2", "4", "5", "8", "16"];

/// Records of so many keys, out of order, with whatever may be between events.
fn input(rng: &mut Rng, records: u64, keys: u64, is_csv: bool) -> String {
    let mut text = String::new();
    if is_csv {
        text += "ts,k,k2,v\n";
    }
    let late = *rng.pick(&[0, 20, 400]);
    let mut time: i128 = rng.between(-500, 500);
    for _ in 0..records {
        time += rng.between(0, 3) * rng.between(0, 2);
        let ts = match rng.next() % 400 {
            // Beyond the years that windows may lie in, at either end; and a stamp that makes all that follow late.
            0 => 9_223_372_036,
            1 => -9_223_372_036,
            2 if rng.chance(20) => time + 5_000,
            _ => time - rng.between(0, late),
        };
        let key = rng.next() % keys;
        let key = match key % 5 {
            0 => format!("k{key}"),
            1 => format!("a key that is longer than its head, and that others begin like: {key}"),
            2 => format!("{}{key}", "x".repeat(key as usize % 20)),
            3 => String::new(),
            _ => format!("é{key}"),
        };
        let (second, value) = (rng.next() % 3, rng.between(-50, 1000));
        let written = match (rng.next() % 50, is_csv) {
            (0, _) => writeln!(text),
            (1, true) => writeln!(text, "ts,k,k2,v"),
            (1 | 2, _) => writeln!(text, "no record"),
            (_, true) => writeln!(text, "{ts},{key},{second},{}.{}", value / 10, value.unsigned_abs() % 10),
            (_, false) => writeln!(text, "{{\"ts\":{ts},\"k\":\"{key}\",\"k2\":{second},\"v\":{}e-1}}", value),
        };
        written.expect("memory");
    }
    text
}

const AGGREGATES: &str = "-a count -a sum:v -a min:v -a avg:v -a first:v -a last:v -a p90:v -a distinct:v -a top:v:3";

/// What the rows depend on. None of this keeps keys from being shared out.
const WINDOWS: [&str; 12] = [
    "-w 30s",
    "-w 30s -d 20s",
    "-w 30s -d 10s -l 90s",
    "-w 30s -d 10s -l 90s --emit final",
    "-w 30s -d 10s -l 40s --late-rule event",
    "-w 60s/7s -d 10s -l 20s",
    "-w 10s/30s -l 20s",
    "-w cumulate:1m/10s -d 5s -l 30s",
    "-w session:15s -d 5s",
    "-w session:15s -d 5s -l 60s",
    "-w 1h --timezone Europe/Lisbon -d 10s",
    "-w 600s/1s -d 10s",
];

/// What else may be asked for.
const MORE: [&str; 12] = [
    "",
    "",
    "-k k2",
    "-o csv",
    "-o table",
    "--where v>20",
    "--where v>20 --where-first",
    "--having sum_v>100",
    "--fail-if count>5",
    "--having 1/(count-3)>0",
    "--null k5",
    "-q",
];

fn alike(what: &str, alone: &Output, shared: &Output) {
    assert_same(what, &comparable(alone), &comparable(shared));
}

#[test]
fn t9_keys_that_are_shared_out_bring_the_same() {
    let mut seen = 0;
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let is_csv = rng.chance(50);
        let (records, keys) = *rng.pick(&[(40, 3), (900, 4), (900, 60), (2_500, 700)]);
        let text = input(&mut rng, records, keys, is_csv);
        let windows = WINDOWS[seed as usize % WINDOWS.len()];
        let (more, format) = (*rng.pick(&MORE), if is_csv { "csv" } else { "ndjson" });
        let more = more.split(' ').map(|word| if word.contains('>') { format!("'{word}'") } else { word.to_owned() });
        let more = more.collect::<Vec<_>>().join(" ");
        let flags = format!("-t ts --time-format s -k k -i {format} --stats {windows} {AGGREGATES} {more}");
        let run = Streamw::new().args(&flags).stdin(text);
        let alone = run.clone().args("--threads 1").run();
        seen += alone.stdout.lines().count();
        for threads in THREADS {
            let size = *rng.pick(&[50, 333, 4096, 1 << 20]);
            let shared = run.clone().args("--threads").arg(threads).read_size(size).run();
            let what = format!("seed {seed}: {flags} --threads {threads}, pieces of {size}");
            if alone.status == 1 {
                // Where an expression fails, how much more is counted depends on the blocks.
                assert_same(&what, &alone.stdout, &shared.stdout);
                assert_eq!(shared.status, 1, "{what}: {}", shared.stderr);
                continue;
            }
            alike(&what, &alone, &shared);
        }
    }
    assert!(seen > 20_000, "only {seen} rows");
}

#[test]
fn t9_many_rows_at_once_come_in_one_order() {
    // More than a report holds: of overlapping windows that all end with the input, of late panes of one event, of sessions.
    let mut text = String::new();
    for index in 0..5_000u64 {
        writeln!(text, "{{\"ts\":{},\"k\":\"user {}\"}}", 1_000 + index % 7, index * 7919 % 1_009).expect("memory");
    }
    for window in ["-w 20s/1s -d 1h", "-w 9s/1s -l 1h", "-w session:1m", "-w 1m -l 1h", "-w 1m"] {
        let run = Streamw::new().args("-t ts --time-format s -k k -a count --stats").args(window).stdin(text.clone());
        let alone = run.clone().args("--threads 1").run();
        assert!(alone.stdout.lines().count() > 1_000, "{window}: {}", alone.stderr);
        for threads in ["4", "16"] {
            let shared = run.clone().args("--threads").arg(threads).run();
            alike(&format!("{window}, {threads} threads"), &alone, &shared);
        }
    }
}

#[test]
fn keys_are_shared_out_where_each_has_all_that_its_rows_need() {
    let said = |flags: &str| {
        let output = Streamw::new().args("-t ts -v").args(flags).stdin("{\"ts\":1,\"k\":2}\n").run();
        assert_eq!(output.status, 0, "{flags}: {}", output.stderr);
        let line = output.stderr.lines().find(|line| line.contains("keys are shared out")).map(str::to_owned);
        line.map(|line| line.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).sum::<u64>())
    };
    for (flags, shares) in [
        ("-k k -w 1m --threads 1", None),
        ("-k k -w 1m --threads 3", None),
        ("-k k -w 1m --threads 4", Some(4)),
        ("-k k -w 1m --threads 7", Some(7)),
        ("-k k -w 1m --threads 16", Some(8)),
        ("-k k -w 1m --threads 100", Some(8)),
        ("-k k -w session:1m --threads 4", Some(4)),
        ("-k k -w 1h/1m -l 5m --max-bad 5% --threads 4", Some(4)),
        // One group has one place; several windows have one order; what counts across keys stops at one record.
        ("-w 1m --threads 8", None),
        ("-k k -w 1m -w 5m --threads 8", None),
        ("-k k -w global --threads 8", None),
        ("-k k -w count:5 --threads 8", None),
        ("-k k -w 1m --strict --threads 8", None),
        ("-k k -w 1m --max-bad 5 --threads 8", None),
        ("-k k -w 1m --max-late 5 --threads 8", None),
        ("-k k -w 1m --max-jump 1h --threads 8", None),
        ("-k k -w 1m --key-limit 5 --threads 8", None),
        ("-k k -w 1m --dedup k --threads 8", None),
        ("-k k -w 1m --early every:10s --threads 8", None),
        ("-k k -w 1m --partition k --threads 8", None),
    ] {
        assert_eq!(said(flags), shares, "{flags}");
    }
}

#[test]
fn what_shares_have_said_is_out_at_once() {
    // Each row is waited for before the next event is sent; so is what is said of records.
    let mut program = Program::start("-w 10s -t ts -k k -o csv -a count --output-time s --threads 8 -d 1s");
    let mut header = true;
    for turn in 0..20 {
        let start = turn * 10;
        for key in ["a", "b", "c"] {
            program.send(format!("{{\"ts\":{start},\"k\":\"{key}\"}}\n"));
        }
        program.send(format!("{{\"ts\":{}.5,\"k\":\"d\"}}\n", start + 11));
        if std::mem::take(&mut header) {
            assert!(program.row().starts_with("window_start,"));
        }
        // The last event of each turn is the first of the next one's window.
        for key in ["a", "b", "c", "d"].into_iter().take(if turn == 0 { 3 } else { 4 }) {
            let row = program.row();
            assert!(row.starts_with(&format!("{start},")) && row.contains(&format!(",{key},")), "{row}");
        }
        // One event of the window that has just gone, and one that is none.
        program.send(format!("{{\"ts\":{start},\"k\":\"e\"}}\nx\n"));
        let (late, bad) = (program.report(), program.report());
        assert!(late.contains("late_drop") && late.contains("\"key\":\"e\""), "{late}");
        assert!(bad.contains("bad_record"), "{bad}");
    }
    let (status, rows, _) = program.end();
    assert_eq!((status, rows.lines().count()), (Some(0), 1));
}
