//! `-F` from outside: the program follows logs that are written, rotated, truncated and taken away meanwhile (T10,
//! RELIABILITY section 1). Whatever is waited for is a line of the program or the end of it; nothing sleeps.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::util::parse_json;

/// Only says that something is wrong; nothing waits this long in a good run.
const PATIENCE: Duration = Duration::from_secs(30);

/// An empty directory, where things are written by name.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("follow").join(test);
        let _ = fs::remove_dir_all(&here);
        fs::create_dir_all(&here).expect("a directory");
        Place(here)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).expect("a file");
        file.write_all(text.as_ref()).expect("room");
    }

    /// Records of these times.
    fn times(&self, name: &str, times: impl IntoIterator<Item = u64>) {
        let records: String = times.into_iter().map(|time| format!("{{\"ts\":{time}}}\n")).collect();
        self.append(name, records);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("a file");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Starts the program and waits until it hears signals.
    fn begin(&self, args: &str) -> Running {
        let run = self.start(&format!("{args} -v"));
        run.told("rows are");
        run
    }

    fn start(&self, args: &str) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_streamw"))
            .args(args.split_whitespace())
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let rows = lines(child.stdout.take().expect("a pipe"));
        let told = lines(child.stderr.take().expect("a pipe"));
        Running { child, rows, told }
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = unbounded();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The program while it runs.
struct Running {
    child: Child,
    rows: Receiver<String>,
    told: Receiver<String>,
}

impl Running {
    /// The next row in short: its bounds in seconds and its count.
    fn row(&self) -> String {
        let row = parse_json(&self.line(&self.rows, "a row"));
        format!("{}..{} {}", row["window_start"], row["window_end"], row["count"])
    }

    fn line(&self, from: &Receiver<String>, what: &str) -> String {
        match from.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("{what} is missing; told: {:?}", self.told.try_iter().collect::<Vec<_>>()),
        }
    }

    /// The first line on stderr from here on that has this text.
    fn told(&self, text: &str) -> String {
        let mut others = Vec::new();
        loop {
            let Ok(line) = self.told.recv_timeout(PATIENCE) else { panic!("no {text:?} in {others:#?}") };
            if line.contains(text) {
                return line;
            }
            others.push(line);
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("it runs");
    }

    /// Waits until so many bytes of a file have been read, and are all it has.
    fn reach(&self, name: &str, bytes: usize) {
        self.ask(name, &format!("{name}: at byte {bytes} of {bytes} "));
    }

    /// Waits until this is so of a file.
    fn ask(&self, name: &str, text: &str) {
        loop {
            self.signal(Signal::SIGUSR1);
            if self.told(&format!("{name}: ")).contains(text) {
                return;
            }
        }
    }

    /// Stops the run; what it had still to say on stdout and stderr.
    fn stop(mut self) -> (Vec<String>, Vec<String>) {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().expect("a child");
        assert_eq!(status.code(), Some(143), "{:?}", self.told.iter().collect::<Vec<_>>());
        (self.rows.iter().collect(), self.told.iter().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

const FLAGS: &str = "-t ts -w 10s --output-time s --poll-interval 20ms --rotate-wait 100ms";

#[test]
fn t10_rows_come_as_a_log_grows_through_its_rotations() {
    for poll in ["1h", "10ms"] {
        // With events alone, and with looking alone: what is on the way to a file that is not there yet is seen by both.
        let place = Place::new("grows");
        let run = place.start(&format!("-F log {}", FLAGS.replace("20ms", poll)));
        run.told("is not there yet");
        place.times("log", [1, 2, 11]);
        assert_eq!(run.row(), "0..10 2");
        place.append("log", "{\"ts\":12}\n{\"ts\":");
        place.append("log", "21}\n");
        assert_eq!(run.row(), "10..20 2");
        if poll == "1h" {
            // Waiting for a rotation to be over is a matter of time.
            run.stop();
            continue;
        }
        place.rename("log", "log.1");
        place.times("log.1", [22]);
        place.times("log", [31]);
        assert_eq!(run.row(), "20..30 2");
        fs::remove_file(place.path("log")).expect("a file");
        place.times("log", [32, 41]);
        assert_eq!(run.row(), "30..40 2");
        File::create(place.path("log")).expect("a file");
        place.times("log", [42, 51]);
        assert_eq!(run.row(), "40..50 2");
        let (rows, told) = run.stop();
        assert!(rows.is_empty(), "{rows:?}");
        assert!(told.iter().any(|line| line.contains("1 open window was not printed")), "{told:?}");
    }
}

#[test]
fn r2_r7_unfinished_lines_are_records_if_they_can_be_and_bad_for_a_reason_of_their_own() {
    let place = Place::new("unfinished");
    place.append("log", "{\"ts\":1}\n{\"ts\":2}");
    let run = place.begin(&format!("-F log {FLAGS}"));
    run.reach("log", 17);
    place.rename("log", "log.1");
    place.append("log", "{\"ts\":3}\n{\"ts\":");
    place.rename("log", "log.2");
    place.append("log", "{\"ts\":4}\n{\"half\":");
    let partial = parse_json(&run.told("bad_record"));
    assert_eq!((partial["reason"].as_str(), partial["raw"].as_str()), (Some("partial"), Some("{\"ts\":")));
    assert_eq!((partial["line"].as_u64(), partial["offset"].as_u64()), (Some(2), Some(9)));
    // The line that is lost must have been read: only the program can tell.
    run.reach("log", 17);
    File::create(place.path("log")).expect("a file");
    let truncated = parse_json(&run.told("bad_record"));
    assert_eq!((truncated["reason"].as_str(), truncated["raw"].as_str()), (Some("truncated"), Some("{\"half\":")));
    place.times("log", [10]);
    assert_eq!(run.row(), "0..10 4");
    run.stop();
}

#[test]
fn t10_each_followed_file_has_its_watermark_and_the_smallest_counts() {
    let place = Place::new("several");
    let run = place.begin(&format!("-F a b {FLAGS}"));
    place.times("a", [1, 11, 21, 31]);
    place.times("b", [2, 12]);
    assert_eq!(run.row(), "0..10 2");
    place.times("b", [25]);
    assert_eq!(run.row(), "10..20 2");
    run.reach("a", 39);
    run.reach("b", 29);
    run.signal(Signal::SIGUSR1);
    let a = run.told("a: at byte");
    assert!(a.contains("at byte 39 of 39 (0 behind), watermark 31, active"), "{a}");
    let b = run.told("b: at byte");
    assert!(b.contains("watermark 25, active"), "{b}");
    let w = run.told("W is 25, held back by b");
    assert!(w.contains("ago"), "{w}");
    run.stop();
}

#[test]
fn t10_a_followed_file_that_is_silent_is_left_out_until_it_speaks() {
    let place = Place::new("idle");
    let run = place.begin(&format!("-F a b {FLAGS} --idle-timeout 50ms"));
    place.times("a", [1, 11]);
    // b is not even there.
    assert_eq!(run.row(), "0..10 1");
    place.times("b", [12]);
    run.ask("b", "watermark 12");
    place.times("a", [25]);
    assert_eq!(run.row(), "10..20 2");
    run.stop();
}

#[test]
fn r13_a_file_that_is_named_twice_is_read_once() {
    let place = Place::new("twice");
    place.times("log", [1, 2]);
    std::os::unix::fs::symlink("log", place.path("link")).expect("a link");
    let run = place.start(&format!("-F log link ./log {FLAGS}"));
    run.told("link is the same file as log and is read once");
    run.told("./log is the same file");
    place.times("log", [11]);
    assert_eq!(run.row(), "0..10 2");
    run.stop();
}

#[test]
fn t10_from_the_end_only_new_records_count_and_a_header_is_known() {
    let place = Place::new("from_end");
    place.append("log.csv", "ts,v\n1,5\n2,5\n11,");
    let run = place.begin(&format!("-F log.csv {FLAGS} --from end -a sum:v -a count"));
    run.reach("log.csv", 16);
    place.append("log.csv", "7\n");
    place.append("log.csv", "12,1\n21,0\n");
    let row = parse_json(&run.line(&run.rows, "a row"));
    assert_eq!(
        (row["window_start"].as_u64(), row["sum_v"].as_u64(), row["count"].as_u64()),
        (Some(10), Some(8), Some(2))
    );
    run.stop();
}

#[test]
fn t10_a_rotated_csv_file_may_repeat_its_header_change_it_or_have_none() {
    let place = Place::new("headers");
    place.append("log.csv", "ts,v\n1,1\n");
    let run = place.begin(&format!("-F log.csv {FLAGS} -a sum:v"));
    run.reach("log.csv", 9);
    for (number, text) in ["ts,v\n2,2\n", "v,new,ts\n4,x,3\n", "8,x,4\n", "ts,v\n11,0\n"].iter().enumerate() {
        place.rename("log.csv", &format!("log.csv.{number}"));
        place.append("log.csv", text);
        run.reach("log.csv", text.len());
    }
    let row = parse_json(&run.line(&run.rows, "a row"));
    assert_eq!(row["sum_v"].as_u64(), Some(15), "{row}");
    run.stop();
}

#[test]
fn t10_history_is_read_first_as_part_of_its_log() {
    let place = Place::new("history");
    place.times("log.2", [1]);
    place.times("log.1", [2]);
    place.times("log", [3, 11]);
    place.times("other", [4, 11]);
    let status = Command::new("gzip").arg("log.2").current_dir(&place.0).status().expect("gzip");
    assert!(status.success());
    let run = place.start(&format!("-F other log {FLAGS} --history log.2.gz --history log.1"));
    assert_eq!(run.row(), "0..10 4");
    run.stop();
}

#[test]
fn flags_that_make_no_sense_together_are_refused() {
    let place = Place::new("refused");
    place.times("log", [1]);
    for (args, hint) in [
        ("-F", "-F access.log"),
        ("-F log --merge", "--merge"),
        ("-F log --replay 1x", "--replay"),
        ("log --history log.1", "add -F"),
        ("log --from end", "add -F"),
        ("-F log --history other.1", "access.log.1"),
        ("-F log --history log.1 --from end", "leave out one"),
    ] {
        let mut run = place.start(&format!("{args} -w 10s"));
        assert!(run.told("streamw: ").contains(hint), "{args}");
        assert_eq!(run.child.wait().expect("a child").code(), Some(2), "{args}");
    }
    for (args, hint) in [("-F .", "no regular file"), ("-F log --history log.1", "log.1: No such file")] {
        let mut run = place.start(&format!("{args} -w 10s"));
        assert!(run.told("streamw: ").contains(hint), "{args}");
        assert_eq!(run.child.wait().expect("a child").code(), Some(1), "{args}");
    }
}

#[test]
fn f9_hup_opens_outputs_anew() {
    let place = Place::new("hup");
    let run = place.begin(&format!("-F log {FLAGS} -o csv --output out.csv --bad bad"));
    place.times("log", [1]);
    place.append("log", "no record\n");
    place.times("log", [11]);
    // A row that is in the file is written; the status comes after it.
    let written = |name: &str, text: &str| {
        let began = Instant::now();
        while !place.text(name).contains(text) {
            assert!(began.elapsed() < PATIENCE, "{name}: {}", place.text(name));
            std::thread::yield_now();
        }
    };
    written("out.csv", "0,10,1");
    written("bad", "no record");
    place.rename("out.csv", "out.csv.1");
    place.rename("bad", "bad.1");
    run.signal(Signal::SIGHUP);
    written("out.csv", "window_start");
    place.times("log", [12, 21]);
    written("out.csv", "10,20,2");
    assert_eq!(place.text("out.csv.1").lines().count(), 2);
    assert_eq!(place.text("bad"), "");
    run.stop();
}

#[test]
fn r18_a_deleted_log_is_let_go_while_nobody_takes_rows() {
    let place = Place::new("r18");
    // Far more rows than a pipe holds.
    place.times("log", (0..400_000).map(|n| n * 10));
    let mut child = Command::new(env!("CARGO_BIN_EXE_streamw"))
        .args(format!("-F log {FLAGS} --threads 1").split_whitespace())
        .current_dir(&place.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (mut stdout, told) =
        (BufReader::new(child.stdout.take().expect("a pipe")), lines(child.stderr.take().expect("a pipe")));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a row");
    let holds = || {
        let open = fs::read_dir(format!("/proc/{}/fd", child.id())).expect("it runs");
        open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).any(|file| file.starts_with(place.path("log")))
    };
    assert!(holds());
    fs::remove_file(place.path("log")).expect("a file");
    // The link of a deleted file says so behind its name, and is no path below the directory then.
    let holds_deleted = || {
        let open = fs::read_dir(format!("/proc/{}/fd", child.id())).expect("it runs");
        open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .any(|file| file.to_string_lossy().contains("/r18/log (deleted)"))
    };
    let began = Instant::now();
    while holds_deleted() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    // Rows are taken again: what was read counts, and what was not is said.
    std::thread::spawn(move || stdout.lines().for_each(drop));
    let said =
        std::iter::from_fn(|| told.recv_timeout(PATIENCE).ok()).find(|line| line.contains("bytes were not read"));
    assert!(said.is_some());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).expect("it runs");
    child.wait().expect("a child");
}

/// Writes records of the seconds from 0 on, so many in each file, and renames the file between; waits for `pause` after each.
fn write_rotating(place: &Place, rotations: u64, lines: u64, mut pause: impl FnMut(u64)) {
    for rotation in 0..rotations {
        place.times("log", (rotation * lines).max(1)..(rotation + 1) * lines);
        // Finer than the clock by which files are stamped, which shows no order of what happens within a tick.
        let file = File::options().append(true).open(place.path("log")).expect("a file");
        file.set_modified(std::time::SystemTime::now()).expect("its owner");
        place.rename("log", &format!("log.{rotation}"));
        pause(rotation);
    }
    place.times("log", [rotations * lines, rotations * lines + 1_000_000]);
}

/// Every record counts once: each window of a hundred seconds has a hundred.
fn check_all(run: Running, records: u64) {
    for window in 0..records / 100 {
        assert_eq!(run.row(), format!("{}..{} 100", window * 100, window * 100 + 100));
    }
    let (_, told) = run.stop();
    assert!(!told.iter().any(|line| line.starts_with('{')), "{told:?}");
}

fn torture(test: &str, rotations: u64, lines: u64, pause: impl FnMut(u64)) {
    let place = Place::new(test);
    place.times("log", [0]);
    let run = place.begin(&format!("-F log {}", FLAGS.replace("10s", "100s")));
    run.reach("log", 9);
    write_rotating(&place, rotations, lines, pause);
    check_all(run, rotations * lines);
}

#[test]
fn r5_r6_every_line_counts_once_through_rotations_as_fast_as_can_be() {
    torture("torture", 60, 1000, |_| ());
}

#[test]
#[ignore = "takes 100 seconds: 1,000 rotations, one every 100 ms, at 50,000 lines a second"]
fn r5_a_thousand_rotations_at_fifty_thousand_lines_a_second() {
    let began = Instant::now();
    torture("thousand", 1000, 5000, |rotation| {
        let due = began + Duration::from_millis(100) * (rotation as u32 + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    });
}

#[test]
fn r6_five_rotations_while_the_program_is_stopped() {
    let place = Place::new("stopped");
    place.times("log", [0]);
    let run = place.begin(&format!("-F log {}", FLAGS.replace("10s", "100s")));
    run.reach("log", 9);
    run.signal(Signal::SIGSTOP);
    let stopped = waitpid(Pid::from_raw(run.child.id() as i32), Some(WaitPidFlag::WUNTRACED));
    assert!(matches!(stopped, Ok(WaitStatus::Stopped(..))), "{stopped:?}");
    place.times("log", 1..100);
    for rotation in 1..=5 {
        let file = File::options().append(true).open(place.path("log")).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + rotation)).expect("its owner");
        place.rename("log", &format!("log.{}", 6 - rotation));
        place.times("log", rotation * 100..(rotation + 1) * 100);
    }
    run.signal(Signal::SIGCONT);
    place.times("log", [600, 1_000_000]);
    check_all(run, 600);
}

#[test]
fn r4_r5_logrotate_itself_loses_and_repeats_nothing() {
    let Some(logrotate) =
        ["/usr/sbin/logrotate", "/usr/bin/logrotate"].into_iter().find(|path| Path::new(path).exists())
    else {
        eprintln!("skipped: there is no logrotate");
        return;
    };
    for (test, how) in [("logrotate", "create"), ("copytruncate", "copytruncate"), ("compress", "compress\ncreate")] {
        let place = Place::new(test);
        let log = place.path("log");
        place.append("conf", format!("{} {{\nsu root root\nrotate 9\nsize 1\n{how}\n}}\n", log.display()));
        fs::set_permissions(place.path("conf"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .expect("its owner");
        place.times("log", [0]);
        let run = place.begin(&format!("-F log {}", FLAGS.replace("10s", "100s")));
        run.reach("log", 9);
        place.times("log", 1..100);
        for rotation in 1..=6 {
            let status = Command::new(logrotate).args(["-f", "-s", "state", "conf"]).current_dir(&place.0).status();
            if !status.is_ok_and(|status| status.success()) {
                eprintln!("skipped: logrotate does not want to");
                return;
            }
            place.times("log", rotation * 100..(rotation + 1) * 100);
            // What copytruncate takes away before it was copied is lost to everybody; between rotations we are awake.
            if how == "copytruncate" {
                assert_eq!(run.row(), format!("{}..{} 100", rotation * 100 - 100, rotation * 100));
            }
        }
        place.times("log", [700, 1_000_000]);
        if how == "copytruncate" {
            assert_eq!(run.row(), "600..700 100");
            run.stop();
        } else {
            check_all(run, 700);
        }
    }
}
