//! Runs with `--state` that are told to stop, whose readers go away or take nothing (F8, F9), and that are started twice
//! at once (F12). `STREAMW_STATE_RUNS=50` multiplies the runs by 50.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::resume::Place;
use crate::state_directory::runs;
use crate::util::parse_json;

const SIGNALS: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

/// More rows than a pipe holds.
const ARGS: &str = "-q -t ts -k key -w 10s -d 3s -l 20s -a count -a sum:v --late late --bad bad a.ndjson";

/// A loaded machine may be slow; a run that hangs is noticed.
const PATIENCE: Duration = Duration::from_secs(60);

fn send(signal: Signal, child: &Child) {
    kill(Pid::from_raw(child.id() as i32), signal).expect("ours");
}

/// What a run without state writes.
fn whole(place: &Place, args: &str) -> Vec<u8> {
    let output = place.streamw(args).stdout(Stdio::piped()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    output.stdout
}

/// Waits until the pipe that is a program's stdout, and that nobody reads, has no room for more.
fn wait_until_full(child: &Child) {
    let path = format!("/proc/{}/fd/1", child.id());
    let pipe = File::options().write(true).open(path).expect("it runs");
    let since = Instant::now();
    let has_room = || {
        let mut fds = [PollFd::new(&pipe, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default())).expect("a pipe") > 0
    };
    while has_room() {
        assert!(since.elapsed() < PATIENCE, "the pipe does not fill up");
        thread::sleep(Duration::from_millis(1));
    }
}

fn read_all(pipe: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).expect("a pipe");
    bytes
}

/// Status, rows and words of a run whose rows are taken.
fn finish(mut command: Command) -> (Option<i32>, Vec<u8>, String) {
    let output = command.stdout(Stdio::piped()).output().expect("it runs");
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).expect("UTF-8"))
}

/// Where rows begin among all rows.
#[track_caller]
pub fn place_of(rows: &[u8], all: &[u8], context: &str) -> usize {
    let first = rows.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_else(|| panic!("{context}: no rows"));
    let mut at = 0;
    for row in all.split_inclusive(|byte| *byte == b'\n') {
        if row == first {
            return at;
        }
        at += row.len();
    }
    panic!("{context}: a row that is none: {}", String::from_utf8_lossy(first));
}

/// What has come out of two runs is all there is, though some may have come twice. How many bytes have.
#[track_caller]
pub fn assert_joined(all: &[u8], first: &[u8], second: &[u8], context: &str) -> usize {
    assert!(all.starts_with(first), "{context}: rows before the signal are others");
    let from = place_of(second, all, context);
    assert!(from <= first.len(), "{context}: rows are missing between {} and {from}", first.len());
    assert!(all[from..] == *second, "{context}: rows after the signal are others");
    first.len() - from
}

/// Whether the state says that its run has come to an end.
fn is_clean(place: &Place) -> bool {
    let (status, shown, said) = finish(place.streamw("state show --json st"));
    assert_eq!(status, Some(0), "{said}");
    parse_json(std::str::from_utf8(&shown).expect("UTF-8"))["clean"] == true
}

/// What becomes of rows until a run has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Nobody takes any.
    None,
    /// They are taken, but far more slowly than they come.
    Slow,
}

/// Takes rows slowly.
fn read_slowly(pipe: &mut impl Read) -> Vec<u8> {
    let (mut bytes, mut some) = (Vec::new(), [0; 2_000]);
    loop {
        match pipe.read(&mut some).expect("a pipe") {
            0 => return bytes,
            count => bytes.extend_from_slice(&some[..count]),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Stops a run that nobody takes rows of, or too slowly. How long it took, how many bytes came twice, and whether all was committed.
fn stop_blocked(place: &Place, all: &[u8], reader: Reader, signals: &[Signal], flags: &str) -> (Duration, usize, bool) {
    place.forget(&["late", "bad"]);
    let args = format!("{ARGS} --state st --flush --checkpoint-interval 5ms {flags}");
    let mut child = place.streamw(&args).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    // Nothing it says may keep it.
    let hears = thread::spawn(move || read_all(&mut stderr));
    wait_until_full(&child);
    // (Whoever takes them only then still takes them all.)
    let (stopped, may_read) = crossbeam_channel::bounded::<()>(0);
    let reads = thread::spawn(move || match reader {
        Reader::Slow => read_slowly(&mut stdout),
        Reader::None => {
            let _ = may_read.recv();
            read_all(&mut stdout)
        }
    });
    let since = Instant::now();
    signals.iter().for_each(|signal| send(*signal, &child));
    let status = child.wait().expect("ours");
    let took = since.elapsed();
    drop(stopped);
    let said = String::from_utf8(hears.join().expect("it reads")).expect("UTF-8");
    let context = format!("{reader:?}, {signals:?}, {flags}: {said}");
    assert_eq!(status.code(), Some(128 + signals[0] as i32), "{context}");
    assert!(took < PATIENCE, "{context}: {took:?}");
    let first = reads.join().expect("it reads");
    // If the machine is so slow that no time was left for a checkpoint, the one before holds.
    let is_committed = is_clean(place);
    let (status, second, more) = finish(place.streamw(&args));
    assert_eq!(status, Some(0), "{context}, then {more}");
    let twice = assert_joined(all, &first, &second, &context);
    (took, twice, is_committed)
}

/// Rows that are gathered before they are written, and one more.
const GATHERED: usize = 66 << 10;

#[test]
fn f9_a_signal_ends_a_run_though_nobody_takes_its_rows() {
    let place = Place::new("f9", 30_000);
    let all = whole(&place, ARGS);
    for (signal, flags) in SIGNALS.into_iter().flat_map(|signal| [(signal, ""), (signal, "--hold")]) {
        for reader in [Reader::None, Reader::Slow] {
            stop_blocked(&place, &all, reader, &[signal], flags);
        }
    }
}

#[test]
fn f9_a_second_signal_ends_a_run_at_once_and_the_state_is_good() {
    let place = Place::new("f9-twice", 30_000);
    let all = whole(&place, ARGS);
    for signal in SIGNALS {
        stop_blocked(&place, &all, Reader::None, &[signal, signal], "");
    }
}

#[test]
fn f9_rows_of_the_end_that_nobody_takes_come_out_of_a_run_with_nothing_new() {
    let place = Place::new("f9-end", 1);
    let lines: String = (0..5_000).map(|key| format!("{{\"ts\":1,\"key\":\"key {key}\"}}\n")).collect();
    place.write("a.ndjson", lines.as_bytes());
    let all = whole(&place, ARGS);
    for signal in SIGNALS {
        stop_blocked(&place, &all, Reader::None, &[signal], "");
        let args = format!("{} --state st --flush", ARGS.replace("-q ", ""));
        let (status, rows, said) = finish(place.streamw(&args));
        assert_eq!((status, rows.as_slice()), (Some(0), &b""[..]));
        assert!(said.contains("nothing new"), "{said}");
    }
}

#[test]
#[ignore = "the strict figure, for a machine that does nothing else"]
fn f9_a_run_that_nobody_takes_rows_of_commits_and_ends_within_two_seconds() {
    let place = Place::new("f9-strict", 30_000);
    let all = whole(&place, ARGS);
    let (mut longest, mut stops) = (Duration::ZERO, 0_u32);
    for (signal, flags) in SIGNALS.into_iter().flat_map(|signal| [(signal, ""), (signal, "--hold")]) {
        for _ in 0..runs(3) {
            for reader in [Reader::None, Reader::Slow] {
                let (took, twice, is_committed) = stop_blocked(&place, &all, reader, &[signal], flags);
                assert!(is_committed && took < Duration::from_secs(2), "{signal} {flags}: {took:?}");
                assert!(!flags.is_empty() || twice <= GATHERED, "{twice} bytes twice");
                (longest, stops) = (longest.max(took), stops + 1);
            }
        }
    }
    println!(
        "{stops} stops with a blocked output, the longest in {longest:?}: none above 2 s, below {:.1} %",
        300.0 / f64::from(stops)
    );
}

#[test]
#[ignore = "the strict figure, for a machine that does nothing else"]
fn f9_a_run_that_is_busy_commits_and_ends_within_two_seconds() {
    let place = Place::new("f9-busy", 100_000);
    let args = format!("{ARGS} --state st --flush --checkpoint-interval 20ms --output out");
    let all = whole(&place, ARGS);
    let (mut longest, mut stops, mut ended) = (Duration::ZERO, 0_u32, 0);
    for (number, signal) in (0..runs(10)).flat_map(|number| SIGNALS.map(|signal| (number, signal))) {
        place.forget(&["late", "bad", "out"]);
        for further in 0.. {
            let child = place.streamw(&args).stdout(Stdio::null()).spawn().expect("it starts");
            thread::sleep(Duration::from_millis((number * 7 + further * 11) % 60));
            let since = Instant::now();
            send(signal, &child);
            let output = child.wait_with_output().expect("ours");
            let took = since.elapsed();
            if output.status.code() == Some(0) {
                ended += 1;
                break;
            }
            // Before it has begun to listen a signal does what it always does.
            let status = output.status.code();
            assert!(status == Some(128 + signal as i32) || status.is_none(), "{output:?}");
            assert!(took < Duration::from_secs(2), "{took:?}");
            (longest, stops) = (longest.max(took), stops + 1);
        }
        assert!(place.read("out") == all);
    }
    println!(
        "{stops} stops of {ended} runs, the longest in {longest:?}, 0 differences: below {:.2} %",
        300.0 / f64::from(stops.max(1))
    );
}

#[test]
fn f8_a_reader_that_goes_away_ends_the_run_quietly_and_what_it_did_not_take_comes_again() {
    let place = Place::new("f8", 30_000);
    let all = whole(&place, ARGS);
    for round in 0..runs(2) {
        place.forget(&["late", "bad"]);
        let args = format!("{ARGS} --state st --flush --checkpoint-interval 5ms");
        let mut child = place.streamw(&args).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut some = vec![0; 100 + 40_000 * round as usize % 200_000];
        stdout.read_exact(&mut some).expect("rows");
        let room = rustix::pipe::fcntl_getpipe_size(&stdout).expect("a pipe");
        drop(stdout);
        let output = child.wait_with_output().expect("ours");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "round {round}");
        let (status, rest, said) = finish(place.streamw(&args));
        assert_eq!(status, Some(0), "round {round}: {said}");
        // What the pipe had taken and nobody has read is gone, as it always is.
        let from = place_of(&rest, &all, "the rest");
        assert!(from <= some.len() + room && all[from..] == rest[..], "round {round}: from {from} on");
    }
}

#[test]
fn f12_of_two_runs_started_together_one_runs_and_the_other_says_so() {
    let place = Place::new("f12", 1);
    let lines: String = (0..100).map(|ts| format!("{{\"ts\":{ts},\"v\":{ts}}}\n")).collect();
    place.write("lines", lines.as_bytes());
    let expected = whole(&place, "-q -t ts -w 10s -a sum:v lines");
    for round in 0..runs(5) {
        place.forget(&["out"]);
        let args = "-t ts -w 10s -a sum:v --state st --flush --output out -";
        let start = || {
            let mut command = place.streamw(args);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
            let stdin = child.stdin.take().expect("a pipe");
            (child, stdin)
        };
        let mut both = vec![start(), start()];
        // Their inputs go on for ever; so it is the one that is refused that ends.
        let since = Instant::now();
        let ended = loop {
            let ended = both.iter_mut().position(|(child, _)| child.try_wait().expect("ours").is_some());
            match ended {
                Some(ended) => break ended,
                None => assert!(since.elapsed() < PATIENCE, "round {round}: both run"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        let (refused, _) = both.remove(ended);
        let refused = refused.wait_with_output().expect("ours");
        let (running, mut stdin) = both.remove(0);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "round {round}: {said}");
        assert_eq!(said.lines().count(), 1, "round {round}: {said}");
        assert!(said.contains(&format!("in use by process {}", running.id())), "round {round}: {said}");
        stdin.write_all(lines.as_bytes()).expect("it reads");
        drop(stdin);
        let output = running.wait_with_output().expect("ours");
        assert_eq!(output.status.code(), Some(0), "round {round}: {output:?}");
        assert!(place.read("out") == expected, "round {round}");
    }
    println!("{} pairs, one of each ran: below {:.1} %", runs(5), 300.0 / runs(5) as f64);
}
