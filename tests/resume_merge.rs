//! `--merge` and `--replay` with `--state`: batches are taken in part, and a checkpoint knows how far each input is inside of
//! one. However a run is cut, what it leaves is what one leaves that was let alone.

use std::io::{Cursor, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use streamw::host::Host;
use streamw::run;
use streamw::state::{Calls, Unhindered};

use crate::history::Rng;
use crate::resume::{Case, From, Place, To, assert_equal, moment, outputs, records};
use crate::resume_calls::{EIO, Hindered, step};
use crate::state_directory::{first, runs};
use crate::util::{SharedBuffer, Streamw, parse_json};

/// What a run that was not hindered writes to, beside its state.
const WRITTEN: [&str; 3] = ["cut.out", "cut.late", "cut.bad"];

/// Three inputs of the same time, of several blocks each: packed CSV with quoted line ends and blank lines, and twice NDJSON, of
/// which one may come down a pipe.
fn merged(test: &str, lines: u64) -> Place {
    let place = Place::new(test, 1);
    let mut csv = Vec::new();
    for (number, line) in records(3, lines, 0, true).split_inclusive(|byte| *byte == b'\n').enumerate() {
        csv.extend_from_slice(line);
        if number > 0 && number % 50 == 0 {
            csv.pop();
            csv.extend_from_slice(b"\r\n\r\n");
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&csv).expect("memory");
    place.write("a.csv.gz", &packed.finish().expect("memory"));
    place.write("b.ndjson", &records(2, lines, 0, false));
    place.write("c.ndjson", &records(1, lines, 0, false));
    place
}

/// A run in this process. `@` stands for the directory and `OUT` for the outputs; what is called `-` comes from `c.ndjson`.
fn run(place: &Place, args: &str, out: &str, calls: Arc<dyn Calls>) -> (u8, String) {
    let args = format!("-q {args} --output @/OUT.out --late @/OUT.late --bad @/OUT.bad");
    let args = args.replace("OUT", out).replace('@', &place.path.display().to_string());
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut host = Host::piped(Cursor::new(place.read("c.ndjson")), stdout, stderr.clone());
    host.calls = calls;
    (run::main(args.split_whitespace().map(Into::into).collect(), host), stderr.text())
}

/// What a run leaves that keeps a state and is let alone.
fn alone(place: &Place, args: &str) -> [Vec<u8>; 3] {
    let (status, said) = run(place, &format!("{args} --state @/alone"), "alone", Arc::new(Unhindered));
    assert_eq!((status, said.as_str()), (0, ""), "{args}");
    let left = outputs(place, "alone");
    for name in ["alone.out", "alone.late", "alone.bad"] {
        std::fs::remove_file(place.path.join(name)).expect("it was written");
    }
    std::fs::remove_dir_all(place.path.join("alone")).expect("it was made");
    left
}

const FILES: &str = "@/a.csv.gz @/b.ndjson @/c.ndjson";

/// What depends on the order of records, on whose they are, and on each of the inputs' watermarks.
const CASES: [&str; 4] = [
    "-t ts -k key -w 10s -d 3s -l 5s -a count -a sum:v --max-jump 10m",
    "-t ts -w count:7 -w global --trigger every:10 -a collect:v:7 -a argmax:key:v",
    "-t ts -k key -w session:4s -w 30s/10s -d 4s -l 2s --dedup id --dedup-within 1m -a first:v -a last:v",
    "-t ts -k key -w 10s -d 3s --early every:5 --updates retracting -a count --where v>20",
];

#[test]
fn e1_a_run_that_stops_at_each_bad_or_late_record_goes_on_behind_it() {
    let place = merged("merge-stops", 1_200);
    let mut cuts = 0;
    let merged =
        CASES.map(|case| [format!("{case} --merge {FILES}"), format!("{case} --merge @/b.ndjson - @/a.csv.gz")]);
    let replayed = [
        "-t ts -k key -w 10s -l 5s -a sum:v --replay 1000000x @/b.ndjson @/a.csv.gz".to_owned(),
        "-t ts -k key -w session:4s -d 2s -a last:v --replay 1000000x -".to_owned(),
        format!("{} --merge --replay 1000000x {FILES}", CASES[0]),
    ];
    for args in merged.into_iter().flatten().chain(replayed) {
        let args = format!("{args} --flush");
        let expected = alone(&place, &args);
        assert!(expected[0].len() > 10_000 && !expected[2].is_empty(), "{args}");
        place.forget(&WRITTEN);
        let mut limit = 0;
        loop {
            let threads = 1 + limit % 3;
            let args = format!("{args} --state @/st --threads {threads} --max-bad {limit} --max-late {}", 5 * limit);
            let (status, said) = run(&place, &args, "cut", Arc::new(Unhindered));
            limit += 1;
            if status == 0 {
                assert_eq!(said, "", "{args}");
                break;
            }
            assert!(status == 3 && said.contains("stopped: more"), "{status}, {args}: {said}");
            cuts += 1;
        }
        assert_equal(&expected, &outputs(&place, "cut"), &format!("{args}, {limit} runs"));
    }
    assert!(cuts > 60, "{cuts}");
}

#[test]
fn f2_a_run_that_ends_before_any_call_leaves_what_one_does_that_is_let_alone() {
    let place = merged("merge-calls", 600);
    let mut cut = 0;
    for case in CASES {
        let args = format!("{case} --merge --flush {FILES}");
        let expected = alone(&place, &args);
        let args = format!("{args} --state @/st --checkpoint-interval 1ns");
        for number in (1..).step_by(step(17)) {
            place.forget(&WRITTEN);
            // As if it were killed there; the next comes a little further; the last is let alone.
            let calls = [number, number + 23].map(|number| Hindered::new(number, u64::MAX, EIO));
            for calls in &calls {
                let (status, said) = run(&place, &args, "cut", calls.clone());
                let is_told = said.lines().all(|line| line.starts_with("streamw: "));
                assert!(status <= 1 && is_told, "{args}, call {number}: {status}, {said}");
                cut += u64::from(status);
            }
            let (status, said) = run(&place, &args, "cut", Arc::new(Unhindered));
            assert_eq!((status, said.as_str()), (0, ""), "{args}, cut at call {number}");
            assert_equal(&expected, &outputs(&place, "cut"), &format!("{args}, cut at call {number}"));
            if calls[0].made() < number {
                break;
            }
        }
    }
    println!("{cut} runs cut off, 0 differences: below {:.1} %", 300.0 / cut as f64);
}

#[test]
fn f1_killed_at_random_moments_merged_files_give_what_one_run_gives() {
    let place = merged("merge-kills", 40_000);
    let case = Case {
        from: From::Files("a.csv.gz b.ndjson c.ndjson"),
        to: To::Appended,
        args: "--merge -t ts -k key -w 10s -d 3s -l 5s -a count -a last:v --late OUT.late --bad OUT.bad",
    };
    let since = Instant::now();
    let (status, said) = Place { path: place.path.clone(), state: "whole" }.start(&[], &case, "whole", true).end();
    assert_eq!(status, Some(0), "{said}");
    let took = since.elapsed();
    let (expected, mut kills) = (outputs(&place, "whole"), 0);
    assert!(expected.iter().all(|output| !output.is_empty()));
    for chain in first()..first() + runs(3) {
        let mut rng = Rng(chain);
        place.forget(&["killed.out", "killed.late", "killed.bad"]);
        for _ in 0..5 {
            let run = place.start(&[], &case, "killed", true);
            kills += u32::from(run.kill_after(moment(&mut rng, took)));
        }
        let (status, said) = place.start(&[], &case, "killed", true).end();
        assert_eq!(status, Some(0), "{said}");
        assert_equal(&expected, &outputs(&place, "killed"), &format!("chain {chain}"));
    }
    println!("{kills} kills of runs that went on, 0 differences: below {:.1} %", 300.0 / f64::from(kills.max(1)));
}

/// Seconds of one input.
fn seconds(seconds: std::ops::Range<u64>) -> Vec<u8> {
    seconds.flat_map(|second| format!("{{\"ts\":{second}}}\n").into_bytes()).collect()
}

const CRON: &str = "-t ts --time-format s --output-time s -o csv -w 10s --merge --state st";

/// Where the windows of all rows end.
fn ends(place: &Place) -> Vec<u64> {
    let text = place.text("out");
    let rows = text.lines().skip(1);
    rows.map(|row| row.split(',').nth(1).and_then(|end| end.parse().ok()).expect("a row")).collect()
}

#[test]
fn t5_an_input_that_has_ended_holds_the_minimum_until_a_run_does_not_name_it() {
    let place = Place::new("merge-cron", 1);
    place.write("a.ndjson", &seconds(0..30));
    place.write("b.ndjson", &seconds(0..100));
    let run = |names: &str| {
        let output = place.run(&format!("{CRON} {names}"), "out");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let nothing = "streamw: nothing new since the run before; the state in st/ stays as it is\n";
    assert_eq!(run("a.ndjson b.ndjson"), "");
    assert_eq!(ends(&place), [10, 20], "W is 29, as a may go on");
    assert_eq!(run("a.ndjson b.ndjson"), nothing);
    place.append("a.ndjson", &seconds(30..65));
    assert_eq!(run("b.ndjson a.ndjson"), "", "in any order");
    assert_eq!(ends(&place), [10, 20, 30, 40, 50, 60]);
    // Nothing has come, but nobody waits for a any more.
    assert_eq!(run("b.ndjson"), "");
    assert_eq!(ends(&place), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert_eq!(run("b.ndjson"), nothing);
    // What is new is waited for, and what comes again as well.
    place.write("c.ndjson", &seconds(95..125));
    place.append("a.ndjson", &seconds(100..115));
    assert_eq!(run("c.ndjson b.ndjson"), "");
    assert_eq!(ends(&place).last(), Some(&90), "b is at 99");
    assert_eq!(run("c.ndjson a.ndjson"), "");
    assert_eq!(ends(&place).last(), Some(&110));
    assert_eq!(run("c.ndjson a.ndjson --flush"), "");
    place.append("all.ndjson", &[seconds(0..65), seconds(0..100), seconds(95..125), seconds(100..115)].concat());
    let whole = place.run(&format!("{} -d 1h all.ndjson", CRON.replace("--merge --state st", "")), "whole");
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(place.text("out"), place.text("whole"), "each record counts once");
}

#[test]
fn f11_merging_is_a_flag_that_changes_results() {
    let place = Place::new("merge-refused", 1);
    place.write("a.ndjson", &seconds(0..30));
    place.write("b.ndjson", &seconds(0..30));
    for (first, then, was, is) in
        [("--merge", "", "made with --merge", "now no --merge"), ("", "--merge", "made with no --merge", "now --merge")]
    {
        place.forget(&["out"]);
        let args = |merge| format!("-t ts -w 10s --state st {merge} a.ndjson b.ndjson");
        assert_eq!(place.run(&args(first), "out").status.code(), Some(0));
        let rows = place.read("out");
        let refused = place.run(&args(then), "out");
        let said = String::from_utf8(refused.stderr).expect("UTF-8");
        assert!(refused.status.code() == Some(1) && said.contains(was) && said.contains(is), "{said}");
        assert_eq!(place.read("out"), rows);
    }
}

#[test]
fn t1_each_input_has_years_of_its_own_where_a_run_goes_on() {
    let place = Place::new("merge-years", 1);
    // Half a year of steps that grow, so that years end at different places of the two.
    let text = |seed: u64| {
        let (mut rng, mut day) = (Rng(seed), 0);
        let line = |_| {
            day += rng.next() % 9;
            let bad = if rng.next().is_multiple_of(20) { ",\"v\":\"x\"" } else { "" };
            let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
            format!("{{\"ts\":\"2-{month:02}-{day:02}\"{bad}}}\n")
        };
        (0..1_500).map(line).collect::<String>().replace("\"2-", "\"")
    };
    place.write("a.ndjson", text(1).as_bytes());
    place.write("b.ndjson", text(2).as_bytes());
    let args = "-t ts --time-format %m-%d --year 2001 -w 7d -a count -a sum:v --merge --flush @/a.ndjson @/b.ndjson";
    let expected = alone(&place, args);
    let rows = String::from_utf8(expected[0].clone()).expect("UTF-8");
    assert!(rows.contains("\"window_end\":\"2011-"), "{rows}");
    let mut limit = 0;
    while run(&place, &format!("{args} --state @/st --max-bad {limit}"), "cut", Arc::new(Unhindered)).0 == 3 {
        limit += 1;
    }
    assert!(limit > 50, "{limit}");
    assert_equal(&expected, &outputs(&place, "cut"), "years");
}

#[test]
fn t10_an_input_that_was_silent_is_heard_again_in_the_next_run() {
    let place = Place::new("merge-idle", 1);
    place.write("a.ndjson", &[seconds(0..30), b"bad\n".to_vec(), seconds(30..60)].concat());
    let path = place.path.display().to_string();
    let args = format!("-t ts -w 10s --merge --idle-timeout 1ms --stats --state {path}/st {path}/a.ndjson -");
    // It says nothing; the other is read on without it, up to the record that stops the run.
    let silent = Streamw::new().args(&args).args("--strict").start();
    let stopped = silent.end();
    assert_eq!(stopped.status, 1, "{}", stopped.stderr);
    assert_eq!(stopped.summary()["records"], 31);
    // Whatever is read first, all of it is.
    let output = Streamw::new().args(&args).args("--flush").stdin(seconds(10..50)).run();
    assert_eq!((output.status, output.summary()["records"].as_u64()), (0, Some(101)), "{}", output.stderr);
}

#[test]
fn a_replay_goes_on_where_it_was_at_any_pace() {
    let place = Place::new("replay-goes-on", 1);
    place.write("a.ndjson", &[seconds(0..15), seconds(4_000_000..4_000_030)].concat());
    let args = "-t ts --time-format s -w 10s --state st --checkpoint-interval 1ms a.ndjson";
    let mut command = place.streamw(&format!("{args} --replay 10000x"));
    let mut child = command.stdout(place.appended("out")).spawn().expect("it starts");
    let state = place.path.join("st/epoch");
    let is_later = || {
        let text = std::fs::read_to_string(&state).unwrap_or_default();
        text.split_whitespace().any(|word| word.parse().is_ok_and(|epoch: u64| epoch >= 1))
    };
    // It waits for the 4,000,000th second for longer than anybody here.
    while !is_later() {
        assert!(child.try_wait().expect("ours").is_none(), "it has ended");
        std::thread::yield_now();
    }
    child.kill().expect("ours");
    child.wait().expect("ours");
    let shown = place.streamw("state show --json st").stdout(Stdio::piped()).output().expect("it runs");
    let shown = parse_json(std::str::from_utf8(&shown.stdout).expect("UTF-8"));
    let offset = shown["inputs"][0]["offset"].as_u64().expect("a number");
    assert!(0 < offset && offset <= seconds(0..15).len() as u64, "a batch that was taken in part: {shown}");
    // The first of the rest comes at once.
    let output = place.run(&format!("{args} --replay 1000000x"), "out");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Without it as well.
    assert_eq!(place.run(&format!("{args} --flush"), "out").status.code(), Some(0));
    assert_eq!(place.run("-t ts --time-format s -w 10s a.ndjson", "whole").status.code(), Some(0));
    assert_eq!(place.text("out"), place.text("whole"));
}

#[test]
fn what_is_left_out_must_have_ended() {
    let place = Place::new("merge-left", 1);
    place.write("a.ndjson", &[seconds(0..30), b"bad\n".to_vec()].concat());
    place.write("b.ndjson", &seconds(0..60));
    let output = place.run(&format!("{CRON} --strict a.ndjson b.ndjson"), "out");
    assert_eq!(output.status.code(), Some(1));
    let shown = place.streamw("state show --json st").stdout(Stdio::piped()).output().expect("it runs");
    let shown = parse_json(std::str::from_utf8(&shown.stdout).expect("UTF-8"));
    // The bad record is taken in its turn, after what comes before it of the other.
    let offsets: Vec<_> = shown["inputs"].as_array().expect("a list").iter().map(|input| &input["offset"]).collect();
    assert_eq!(offsets, [&(seconds(0..30).len() + 4), &seconds(0..30).len()]);
    let output = place.run(&format!("{CRON} b.ndjson"), "out");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.code() == Some(1) && said.contains("a.ndjson has not been read to its end"), "{said}");
}
