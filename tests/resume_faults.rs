//! Faults of the system under a run with `--state`: calls that fail or at which it is killed, full disks, damaged files,
//! outputs that nobody reads. Where a tool is missing a test says so and passes.
//!
//! ```text
//! STREAMW_STATE_RUNS=10 cargo test --test main resume_faults -- --ignored --nocapture --test-threads 1
//! ```

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::history::Rng;
use crate::resume::{Case, From, Place, To, assert_equal, expected, outputs};
use crate::state_directory::runs;

/// Whether a command works; its complaints are nobody's business.
fn works(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Everything that is written is a file of its own.
const CASE: Case = Case {
    from: From::Files("a.ndjson b.ndjson"),
    to: To::Named,
    args: "-t ts -k key -w 10s -d 3s -l 20s -a count -a sum:v --late OUT.late --bad OUT.bad",
};

/// Lets the n-th call of some kind go wrong in runs that go on from one another, and then one run come to its end.
fn inject(test: &str, calls: &[&str], faults: &[&str], numbers: std::ops::RangeInclusive<u64>, may_fail: bool) {
    if !works(&["strace", "-f", "true"]) {
        println!("skipped: no strace");
        return;
    }
    let place = Place::new(test, 4_000);
    let expected = expected(&place, &CASE);
    let (mut started, mut ended_well) = (0, 0);
    for (call, fault) in calls.iter().flat_map(|call| faults.iter().map(move |fault| (call, fault))) {
        place.forget(&["faulty.out", "faulty.late", "faulty.bad"]);
        for number in numbers.clone() {
            let context = format!("{call} {fault} {number}");
            let rule = format!("inject={call}:{fault}:when={number}");
            let trace = format!("trace={call}");
            let by = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &rule];
            let begun = Instant::now();
            let (status, said) = place.start(&by, &CASE, "faulty", true).end();
            assert!(begun.elapsed() < Duration::from_secs(20), "{context}: hangs");
            started += 1;
            match status {
                Some(0) => ended_well += 1,
                Some(1) if may_fail => {
                    // strace itself may have something to say, too.
                    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("streamw: ")).collect();
                    assert!(!lines.is_empty(), "{context}: {said}");
                }
                _ => assert!(!may_fail && !said.contains("panicked"), "{context}: {status:?} {said}"),
            }
            assert!(!said.contains("panicked"), "{context}: {said}");
        }
        let (status, said) = place.start(&[], &CASE, "faulty", true).end();
        assert_eq!(status, Some(0), "after {call} {fault}: {said}");
        assert_equal(&expected, &outputs(&place, "faulty"), &format!("after {call} {fault}"));
    }
    println!("{started} runs went wrong, of which {ended_well} ended well all the same; 0 differences");
}

const CALLS: [&str; 10] =
    ["openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "flock", "mkdir"];

#[test]
fn f2_killed_at_some_calls_of_the_system_nothing_is_lost_or_repeated() {
    inject("f2-some", &["fdatasync", "fsync", "rename", "write"], &["signal=KILL"], 1..=3, false);
}

#[test]
fn f6_some_calls_of_the_system_fail_once_and_the_next_run_goes_on() {
    inject("f6-some", &["fdatasync", "pwrite64"], &["error=EIO", "error=ENOSPC"], 1..=2, true);
}

#[test]
#[ignore = "takes minutes"]
fn f2_killed_at_each_call_of_the_system_nothing_is_lost_or_repeated() {
    inject("f2", &CALLS, &["signal=KILL"], 1..=runs(20), false);
}

#[test]
#[ignore = "takes minutes"]
fn f6_each_call_of_the_system_fails_once_and_the_next_run_goes_on() {
    let calls = CALLS.into_iter().filter(|call| *call != "openat").collect::<Vec<_>>();
    inject("f6", &calls, &["error=EIO", "error=ENOSPC"], 1..=runs(10), true);
}

#[test]
fn f10_damage_is_refused_or_does_no_harm() {
    let place = Place::new("f10", 4_000);
    let expected = expected(&place, &CASE);
    let mut rng = Rng(10);
    let (mut refused, mut whole) = (0, 0);
    for round in 0..runs(12) {
        place.forget(&["hurt.out", "hurt.late", "hurt.bad"]);
        // Somewhere in the middle.
        place.start(&[], &CASE, "hurt", true).kill_after(Duration::from_micros(rng.next() % 60_000));
        let files = files(&place.path.join("st"));
        if files.is_empty() {
            continue;
        }
        let path = rng.pick(&files).clone();
        let mut bytes = fs::read(&path).expect("a file");
        match (rng.next() % 4, bytes.len() as u64) {
            (0, _) => fs::remove_file(&path).expect("ours"),
            (1, length) if length > 0 => bytes.truncate((rng.next() % length) as usize),
            (_, length) if length > 0 => bytes[(rng.next() % length) as usize] ^= 1 << (rng.next() % 8),
            _ => {}
        }
        if path.exists() {
            fs::write(&path, &bytes).expect("ours");
        }
        let before = outputs(&place, "hurt");
        let (status, said) = place.start(&[], &CASE, "hurt", true).end();
        let context = format!("round {round}, {}: {said}", path.display());
        match status {
            Some(1) => {
                refused += 1;
                assert_equal(&before, &outputs(&place, "hurt"), &context);
            }
            // A state that is gone altogether is a new one, and what is in the files stays.
            Some(0) if said.contains("bytes already") => refused += 1,
            _ => {
                whole += 1;
                assert_eq!(status, Some(0), "{context}");
                assert_equal(&expected, &outputs(&place, "hurt"), &context);
            }
        }
    }
    println!("{refused} refused or begun anew and told, {whole} without harm, 0 silent differences");
    assert!(whole > 0);
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn f7_a_full_disk_ends_the_run_and_once_there_is_room_it_goes_on() {
    let mut place = Place::new("f7", 20_000);
    let expected = expected(&place, &CASE);
    for what in ["state", "outputs"] {
        let at = place.path.join("disk");
        fs::create_dir_all(&at).expect("a directory");
        let at = at.to_str().expect("UTF-8").to_owned();
        if !works(&["mount", "-t", "tmpfs", "-o", "size=6M,mode=700", "none", &at]) {
            println!("skipped: no mount");
            return;
        }
        // Nearly nothing is left.
        let filler = format!("{at}/filler");
        let room = if what == "state" { 4_200 } else { 6_050 };
        fs::write(&filler, vec![0; room << 10]).expect("there is room");
        let out = if what == "outputs" { "disk/full" } else { "full" };
        place.state = if what == "state" { "disk/st" } else { "st" };
        let (status, said) = place.start(&[], &CASE, out, true).end();
        let told = said.lines().filter(|line| line.starts_with("streamw: ")).count();
        let is_full = said.contains("No space left");
        // Whatever happened, the next run with room makes it whole.
        fs::remove_file(&filler).ok();
        let (later, also) = place.start(&[], &CASE, out, true).end();
        let got = outputs(&place, out);
        let _ = works(&["umount", &at]);
        assert!(status == Some(1) && told == 1 && is_full, "{what}: {status:?} {said}");
        assert_eq!(later, Some(0), "{what}: {also}");
        assert_equal(&expected, &got, what);
    }
}

#[test]
fn f9_a_signal_ends_the_run_though_nobody_takes_the_rows() {
    let place = Place::new("f9", 60_000);
    let args = "-t ts -k key -w 1s --early every:1 --state st --checkpoint-interval 5ms a.ndjson";
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let _ = fs::remove_dir_all(place.path.join("st"));
        let mut child = place.streamw(args).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        // One row is read, then none any more: the pipe fills up.
        let mut first = [0; 1];
        stdout.read_exact(&mut first).expect("a row");
        std::thread::sleep(Duration::from_millis(300));
        let since = Instant::now();
        kill(Pid::from_raw(child.id() as i32), signal).expect("ours");
        let status = child.wait().expect("ours");
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
        assert_eq!(status.code(), Some(128 + signal as i32));
        drop(stdout);
        // The state is good: another run reads the rest.
        let mut rest = place.streamw(args).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut rows = String::new();
        rest.stdout.take().expect("a pipe").read_to_string(&mut rows).expect("UTF-8");
        assert_eq!(rest.wait().expect("ours").code(), Some(0));
        assert!(rows.lines().count() > 1_000);
    }
}

#[test]
fn hold_lets_out_only_what_a_checkpoint_has() {
    let place = Place::new("hold", 30_000);
    let args = "-t ts -k key -w 10s -d 3s -l 20s -a count -a sum:v";
    let whole = place.run(&format!("{args} a.ndjson"), "whole");
    assert_eq!(whole.status.code(), Some(0));
    let kept = format!("{args} --state st --hold --flush --checkpoint-interval 3ms a.ndjson -q --late l --bad b");
    let mut rng = Rng(4);
    let (mut rows, mut pieces) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let mut child = place.streamw(&kept).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).expect("a pipe");
            bytes
        });
        std::thread::sleep(Duration::from_micros(rng.next() % 120_000));
        let _ = child.kill();
        child.wait().expect("ours");
        pieces.push(reader.join().expect("it reads"));
    }
    let last = place.streamw(&kept).stdout(Stdio::piped()).output().expect("it runs");
    assert_eq!(last.status.code(), Some(0), "{}", String::from_utf8_lossy(&last.stderr));
    pieces.push(last.stdout);
    // What came out of each run goes on where the one before ended, but for one batch that may come again.
    for piece in pieces {
        let text = place.read("whole");
        // A line that was cut off in the middle comes again whole.
        let end = rows.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        rows.truncate(end);
        if piece.is_empty() {
            continue;
        }
        let first_line = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
        let at = find(&text, &piece[..first_line]).expect("rows of the run without state");
        assert!(at <= rows.len(), "rows are missing");
        rows.truncate(at);
        rows.extend_from_slice(&piece);
        assert!(text.starts_with(&rows), "rows that a run without state does not print");
    }
    assert!(rows == place.read("whole"));
}

fn find(text: &[u8], line: &[u8]) -> Option<usize> {
    let mut at = 0;
    text.split_inclusive(|byte| *byte == b'\n').find_map(|found| {
        let begins = at;
        at += found.len();
        found.starts_with(line).then_some(begins)
    })
}

#[test]
fn a_closed_pipe_ends_the_run_quietly_and_commits_no_row_that_nobody_took() {
    let place = Place::new("closed", 30_000);
    let args = "-t ts -k key -w 10s -d 3s -l 20s --state st --checkpoint-interval 5ms a.ndjson --late l --bad b";
    let mut child = place.streamw(args).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut some = [0; 100];
    stdout.read_exact(&mut some).expect("rows");
    drop(stdout);
    let output = child.wait_with_output().expect("ours");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let mut all = Vec::new();
    all.write_all(&place.streamw(args).stdout(Stdio::piped()).output().expect("it runs").stdout).expect("memory");
    let whole = place.run("-t ts -k key -w 10s -d 3s -l 20s a.ndjson", "whole");
    assert_eq!(whole.status.code(), Some(0));
    // The open windows wait in the state.
    let whole = place.read("whole");
    let begins =
        find(&whole, &all[..all.iter().position(|byte| *byte == b'\n').expect("a row") + 1]).expect("a row of it");
    assert!(begins <= 1 << 20 && whole[begins..].starts_with(&all), "rows are missing between the runs");
}
