//! `--replay`: a recorded input at the pace of its event time.

use crate::util::{Output, SharedBuffer, Streamw, TestClock, assert_same, same};
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use streamw::host::{Clock, Host};
use streamw::run;

/// Runs with a clock that skips waits; also how long it would have taken.
fn replay(args: &str, stdin: &[u8]) -> (Output, Duration) {
    let clock = TestClock::skipping();
    let began = clock.now();
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut host = Host::piped(Cursor::new(stdin.to_vec()), stdout.clone(), stderr.clone());
    host.clock = Box::new(clock.clone());
    let status = run::main(args.split_whitespace().map(Into::into).collect(), host);
    (Output { status, stdout: stdout.text(), stderr: stderr.text() }, clock.now() - began)
}

const RECORDS: &[u8] =
    b"\n{\"ts\":100}\n{\"ts\":101}\nbad\n{\"ts\":104}\n{\"ts\":102}\n\n{\"ts\":130}\n{\"ts\":90}\nbad\n";

#[test]
fn records_come_at_the_pace_of_their_times() {
    for (args, seconds) in [
        ("", 0.0),
        ("--replay 1x", 30.0),
        ("--replay 10x", 3.0),
        ("--replay 0.5x", 60.0),
        ("--replay 1x --replay-max-gap 5s", 9.0),
        ("--replay 2x --replay-max-gap 5s", 4.5),
        ("--replay 1x --replay-max-gap 0s", 0.0),
    ] {
        let (output, took) = replay(&format!("-w 10s -t ts -q {args}"), RECORDS);
        assert_eq!((output.status, took), (0, Duration::from_secs_f64(seconds)), "{args}");
    }
}

#[test]
fn t9_a_replay_gives_the_bytes_of_a_run_without_it() {
    let access = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/access.ndjson")).expect("a file");
    let lines = access.split_inclusive(|byte| *byte == b'\n').take(2_000).collect::<Vec<_>>().concat();
    for (input, args) in [
        (RECORDS, "-w 10s -t ts -l 1s"),
        (RECORDS, "-w 10s -w session:2s -t ts -a first:ts -a sum:ts --max-jump 20s"),
        (RECORDS, "-w 10s -t ts --max-bad 1"),
        (RECORDS, "-w 10s -t ts --max-late 0"),
        (&lines, "-w 1h -t time -k path -k method -d 1m -l 5m -a sum:bytes -a collect:status:3 -a top:path:2"),
        (&lines, "-w session:5m -t time -k ip -a p50:bytes -a argmax:path:bytes"),
        (b"ts,\"k\"\n1,\"a\"\"\nb\"\n1,2,3\n2021-01-01,c\nts,k\n2,d\n", "-i csv -w 1s -t ts -k k -a last:k"),
        (
            b"Dec 31 23:59:58 a\nFeb 30 00:00:00 b\nJan  1 00:00:03 c\n",
            "-i regex:^(?<t>.{15})\\s(?<h>.) -t t --time-format %b%e%H:%M:%S --year 2020 -w 1m -k h",
        ),
    ] {
        let with_stats = format!("{args} --stats");
        let (mut plain, _) = replay(&with_stats, input);
        for speed in ["1x", "1000000x"] {
            let (mut replayed, _) = replay(&format!("{with_stats} --replay {speed} --threads 2"), input);
            for output in [&mut plain, &mut replayed] {
                // The time it took is exempt, and what it says of waiting is for people.
                let kept =
                    output.stderr.lines().filter(|line| !line.contains("is replayed in")).map(|line| {
                        line.split_once(",\"seconds\":").map_or(line, |(before, _)| before).to_owned() + "\n"
                    });
                output.stderr = kept.collect();
            }
            assert_eq!(plain.status, replayed.status, "{args}");
            same("stdout", &plain.stdout, &replayed.stdout)
                .and(same("stderr", &plain.stderr, &replayed.stderr))
                .unwrap_or_else(|message| panic!("{args} --replay {speed}: {message}"));
        }
    }
}

#[test]
fn a_long_wait_is_said_once_with_what_shortens_it() {
    let input = b"{\"ts\":0}\n{\"ts\":3600}\n{\"ts\":7200}\n";
    let (output, took) = replay("-w 1m -t ts --replay 2x", input);
    assert_eq!((output.status, took), (0, Duration::from_secs(3600)));
    let said = "streamw: the next record is replayed in 30m (--replay-max-gap DUR makes long gaps shorter)\n";
    assert_same("stderr", said, &output.stderr);
    let (output, _) = replay("-w 1m -t ts --replay 2x --replay-max-gap 1m", input);
    assert_same("stderr", "", &output.stderr);
}

#[test]
fn a_speed_that_is_none_is_a_mistake() {
    for (args, expected) in [
        ("--replay 10", "\"10\" is no speed, such as 1x, 10x or 0.5x"),
        ("--replay 0x", "\"0x\" is no speed"),
        ("--replay=-1x", "\"-1x\" is no speed"),
        ("--replay infx", "\"infx\" is no speed"),
        ("--replay nanx", "\"nanx\" is no speed"),
        ("--replay-max-gap 1s", "--replay-max-gap is for --replay, as in --replay 1x --replay-max-gap 1m"),
        ("--replay 1x --replay-max-gap=-1s", "is negative"),
    ] {
        let output = Streamw::new().args("-w 1m -t ts").args(args).run();
        assert_eq!(output.status, 2, "{args}");
        assert!(output.stderr.contains(expected), "{args}: {}", output.stderr);
    }
}

#[test]
fn a_replay_that_waits_shows_its_rows_and_ends_at_once_when_asked() {
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay");
    std::fs::create_dir_all(&here).expect("a directory");
    let file = here.join("hours.ndjson");
    // The second record's window is due when it comes; the fourth comes an hour later.
    std::fs::write(&file, "{\"ts\":0}\n{\"ts\":0.01}\n{\"ts\":0.05}\n{\"ts\":3600}\n").expect("a file");
    for (signal, status) in [(Some(Signal::INT), 130), (Some(Signal::TERM), 143), (None, 0)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_streamw"))
            .args(["-w", "20ms", "-t", "ts", "-o", "csv", "--replay", "1x"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut rows = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut row = String::new();
        for _ in ["header", "row"] {
            row.clear();
            rows.read_line(&mut row).expect("a row");
        }
        assert_eq!(row, "1970-01-01T00:00:00Z,1970-01-01T00:00:00.020Z,2,on_time,0\n");
        match signal {
            Some(signal) => kill_process(Pid::from_child(&child), signal).expect("it runs"),
            None => drop(rows),
        }
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{signal:?}");
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
        assert_eq!(said.contains("stopped by a signal; 1 open window was not printed"), signal.is_some(), "{said}");
    }
}
