//! The program on live streams: rows when they are due, signals, readers that go away or do not read, flat memory.
//!
//! Nothing here sleeps: whatever is waited for is a line, an end or a full pipe. The patience only says that
//! something is wrong.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::util::{Streamw, assert_same};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program, running; its lines as they come.
pub struct Program {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub rows: Receiver<String>,
    pub reports: Receiver<String>,
}

/// The lines of a stream, read by a thread of its own.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if to.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}

pub fn command(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamw"));
    command.args(args.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Program {
    pub fn start(args: &str) -> Program {
        Program::spawn(command(args))
    }

    pub fn spawn(mut command: Command) -> Program {
        let mut child = command.spawn().expect("it starts");
        let rows = lines(child.stdout.take().expect("a pipe"));
        let reports = lines(child.stderr.take().expect("a pipe"));
        Program { stdin: child.stdin.take(), child, rows, reports }
    }

    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stdin.as_mut().expect("stdin is open").write_all(text.as_ref()).expect("stdin is read");
    }

    #[track_caller]
    pub fn row(&self) -> String {
        self.rows.recv_timeout(PATIENCE).expect("a row is due")
    }

    #[track_caller]
    pub fn report(&self) -> String {
        self.reports.recv_timeout(PATIENCE).expect("a report is due")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn kill(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for the end, with stdin as it is; gives the exit status and the lines that were not taken yet.
    fn wait(mut self) -> (Option<i32>, String, String) {
        wait_for(&mut self.child);
        let status = self.child.wait().expect("it has ended").code();
        (status, self.rows.iter().collect(), self.reports.iter().collect())
    }

    pub fn end(mut self) -> (Option<i32>, String, String) {
        self.stdin = None;
        self.wait()
    }

    /// The most memory it has held, in MiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn wait_for(child: &mut Child) {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("it runs or waits to be asked");
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&patience)).expect("a poll");
    if ended == 0 {
        let _ = child.kill();
        panic!("it should have ended by now");
    }
}

/// `[start, end) pane` of a row, in seconds.
fn brief(row: &str) -> String {
    let row = crate::util::parse_json(row);
    format!("{}..{} {} {}", row["window_start"], row["window_end"], row["count"], row["pane"].as_str().expect("a pane"))
}

#[test]
fn a_row_is_out_as_soon_as_the_watermark_allows_while_the_input_pauses() {
    // Flags, then what is sent and the rows that are due then, before anything else is sent.
    type Steps = &'static [(&'static str, &'static [&'static str])];
    let cases: &[(&str, Steps)] = &[
        (
            "-w 10s",
            &[("{\"ts\":1}\n", &[]), ("{\"ts\":10}\n", &["0..10 1 on_time"]), ("{\"ts\":35}\n", &["10..20 1 on_time"])],
        ),
        ("-w 10s -t ts -d 5s", &[("{\"ts\":1}\n{\"ts\":14.9}\n", &[]), ("{\"ts\":15}\n", &["0..10 1 on_time"])]),
        (
            "-w 10s -l 1h",
            &[
                ("{\"ts\":1}\n{\"ts\":10}\n", &["0..10 1 on_time"]),
                ("{\"ts\":2}\n", &["0..10 2 late"]),
                ("{\"ts\":3}\n{\"ts\":4}\n", &["0..10 3 late", "0..10 4 late"]),
            ],
        ),
        // A record in pieces, and the line end alone.
        ("-w 10s", &[("{\"ts\":1}\n{\"t", &[]), ("s\":10", &[]), ("}", &[]), ("\n", &["0..10 1 on_time"])]),
        ("-w 10s -i ndjson -t ts", &[("{\"ts\":1}\r\n{\"ts\":10}\r", &[]), ("\n", &["0..10 1 on_time"])]),
        ("-w 20s/10s", &[("{\"ts\":1}\n{\"ts\":20}\n", &["-10..10 1 on_time", "0..20 1 on_time"])]),
        ("-w session:5s", &[("{\"ts\":1}\n{\"ts\":5}\n", &[]), ("{\"ts\":11}\n", &["1..10 2 on_time"])]),
        ("-w 10s", &[("t", &[]), ("s,v\n1,2\n", &[]), ("10,3\n", &["0..10 1 on_time"])]),
        ("-w 10s -i csv", &[("ts,v\n1,\"a\nb\"\n", &[]), ("10,\"c\n", &[]), ("d\"\n", &["0..10 1 on_time"])]),
        ("-w 10s -i csv -t ts", &[("v,ts\r\n2,1\r\n3,\"10\"\r", &[]), ("\n", &["0..10 1 on_time"])]),
        // Behind bad records and blank lines, and with all there is in one piece.
        ("-w 10s -i ndjson --bad /dev/null", &[("\n\nx\n{\"ts\":1}\n{\"ts\":10}\n\n{\n", &["0..10 1 on_time"])]),
        (
            "-w 10s --max-line 20",
            &[
                ("{\"ts\":1}\n{\"ts\":10,\"u\":\"aaaaaaaaaaaaaaaaaaaa", &[]),
                ("aaa\"}\n{\"ts\":11}\n", &["0..10 1 on_time"]),
            ],
        ),
    ];
    for (flags, steps) in cases {
        for threads in ["1", "2", "8"] {
            let mut program = Program::start(&format!("{flags} --output-time s --threads {threads}"));
            for (text, rows) in *steps {
                program.send(text);
                for expected in *rows {
                    assert_eq!(brief(&program.row()), *expected, "{flags} after {text:?}");
                }
            }
            // What was said is all that was due: the rest comes with the end of input.
            let early = program.rows.try_recv();
            assert!(early.is_err(), "{flags}: {early:?}");
            let (status, rest, _) = program.end();
            assert_eq!((status, rest.is_empty()), (Some(0), false), "{flags}");
        }
    }
}

#[test]
fn e2_reports_come_promptly_as_well() {
    let mut program = Program::start("-w 10s -t ts");
    program.send("{\"ts\":100}\nx\n");
    assert!(program.report().starts_with("{\"type\":\"bad_record\""));
    program.send("{\"ts\":1}\n");
    assert!(program.report().starts_with("{\"type\":\"late_drop\""));
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn t10_a_missing_field_is_said_once_after_1000_records_of_a_pipe() {
    let mut program = Program::start("-w 10s -t ts -k hots");
    program.send("{\"ts\":1,\"host\":2}\n".repeat(999));
    // Something to wait for: so far nothing was said.
    program.send("x\n");
    assert!(program.report().contains("bad_record"));
    let said = program.report();
    assert!(said.starts_with("streamw: ") && said.contains("\"hots\"") && said.contains("host"), "{said}");
    program.send("{\"ts\":1,\"host\":2}\n".repeat(5000));
    let (status, rows, said) = program.end();
    assert_eq!((status, rows.lines().count(), said.as_str()), (Some(0), 1, ""));
}

#[test]
fn e3_a_signal_is_a_clean_stop() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut program = Program::start("-w 10s -t ts -k k --stats");
        program.send("{\"ts\":1}\n{\"ts\":11,\"k\":1}\n{\"ts\":12,\"k\":2}\n{\"ts\":12,\"k\":2}\n{\"ts\":13,\"k\"");
        program.row();
        program.kill(signal);
        let (got, rows, said) = program.wait();
        assert_eq!((got, rows.as_str()), (Some(status), ""), "{said}");
        assert!(said.contains("2 open windows were not printed"), "{said}");
        // Counted are the records taken.
        assert!(said.contains("\"type\":\"summary\",\"records\":4,"), "{said}");
    }
}

#[test]
fn e3_an_end_of_input_after_the_signal_is_none() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for flags in ["-w 10s -t ts", "-w 10s -t ts --threads 8"] {
            let mut program = Program::start(flags);
            program.send("{\"ts\":1}\n{\"ts\":11}\n");
            program.row();
            // As when a shell stops a whole pipeline: both are there when it looks.
            program.kill(Signal::STOP);
            program.kill(signal);
            program.stdin = None;
            program.kill(Signal::CONT);
            let (got, rows, said) = program.wait();
            assert_eq!((got, rows.as_str()), (Some(status), ""), "{said}");
            assert!(said.contains("1 open window was not printed"), "{said}");
        }
    }
}

/// A run with one engine, and one whose keys are shared out.
const RUNS: [&str; 2] = ["-w 1s -t ts --threads 2", "-w 1s -t ts -k ts --threads 8"];

#[test]
fn e3_a_signal_stops_a_run_that_is_busy_and_leaves_whole_lines() {
    RUNS.into_iter().for_each(stopped_while_busy);
}

fn stopped_while_busy(flags: &str) {
    // An endless input: only the signal ends it.
    let mut child = command(flags).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || {
        for from in (0u64..).step_by(1000) {
            let text: String = (from..from + 1000).map(|ts| format!("{{\"ts\":{ts}}}\n")).collect();
            if stdin.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    });
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    for _ in 0..5_000 {
        stdout.read_line(&mut text).expect("rows");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    stdout.read_to_string(&mut text).expect("rows");
    wait_for(&mut child);
    assert_eq!(child.wait().expect("it has ended").code(), Some(143));
    writer.join().expect("the writer sees the end");
    assert!(text.ends_with("}\n"), "{:?}", text.lines().last());
    // No row is missing before the last one.
    for (index, row) in text.lines().enumerate() {
        assert!(row.starts_with("{\"window_start\":") && row.ends_with("\"revision\":0}"), "row {index}: {row}");
    }
}

#[test]
fn e3_a_closed_stdout_ends_the_run_quietly() {
    // While more comes in, and while nothing does.
    for (goes_on, flags) in [(true, ""), (false, ""), (true, " -k ts --threads 8"), (false, " -k ts --threads 8")] {
        let mut child = command(&format!("-w 10s -t ts --stats{flags}")).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(b"{\"ts\":1}\n{\"ts\":11}\n").expect("stdin is read");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut String::new()).expect("a row");
        drop(stdout);
        if goes_on {
            // Until nobody takes it any more.
            let mut next = 20;
            let mut send = || {
                let text;
                (text, next) = row_makers(next, 4096);
                stdin.write_all(text.as_bytes())
            };
            while send().is_ok() {}
        }
        wait_for(&mut child);
        drop(stdin);
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert_eq!(child.wait().expect("it has ended").code(), Some(0), "{said}");
        assert!(!said.contains("streamw:") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn e3_help_into_a_closed_pipe_is_quiet() {
    for args in ["--help", "man", "completions bash"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command(args).stdout(writer).output().expect("it starts");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{args}");
    }
}

#[test]
fn a_closed_stderr_loses_reports_and_nothing_else() {
    let mut child = command("-w 10s -i ndjson -t ts").spawn().expect("it starts");
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all("x\n".repeat(1000).as_bytes()).expect("stdin is read");
    stdin.write_all(b"{\"ts\":1}\n{\"ts\":11}\n").expect("stdin is read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stdout.iter().filter(|byte| **byte == b'\n').count()), (Some(0), 2));
}

/// As many records as fit into `size` bytes, each of which fires a row of the one before it.
fn row_makers(first: u64, size: usize) -> (String, u64) {
    let (mut text, mut next) = (String::new(), first);
    while text.len() + 24 <= size {
        text += &format!("{{\"ts\":{next}}}\n");
        next += 1;
    }
    (text, next)
}

#[test]
fn a_reader_that_does_not_read_holds_up_the_input_and_memory_stays_flat() {
    RUNS.into_iter().for_each(held_up);
}

fn held_up(flags: &str) {
    const PAGE: usize = 4096;
    const TOO_MUCH: usize = 32 << 20;
    let mut child = command(flags).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut sent = String::new();
    let mut next = 0;
    // A pipe that can be written to takes a page without blocking. Until it cannot.
    let a_while = Timespec { tv_sec: 1, tv_nsec: 0 };
    while poll(&mut [PollFd::new(&stdin, PollFlags::OUT)], Some(&a_while)).expect("a poll") > 0 {
        assert!(sent.len() < TOO_MUCH, "it takes more and more, though nobody reads its rows");
        let text;
        (text, next) = row_makers(next, PAGE);
        stdin.write_all(text.as_bytes()).expect("stdin is read");
        sent += &text;
    }
    let program = Program { stdin: None, child, rows: channel().1, reports: channel().1 };
    assert!(program.peak_memory() < 64, "{} MiB", program.peak_memory());
    // It has not lost anything by that.
    let mut program = program;
    program.rows = lines(program.child.stdout.take().expect("a pipe"));
    drop(stdin);
    let (rest, _) = flags.split_once("--threads").expect("so many");
    let expected = Streamw::new().args(rest).args("--threads 1").stdin(sent).run();
    let rows: String = program.rows.iter().collect();
    assert_eq!(rows.len(), expected.stdout.len());
    assert!(rows == expected.stdout, "the rows differ from those of a run in one go");
    assert_eq!(program.wait().0, Some(0));
}

#[test]
fn e3_a_signal_ends_a_run_whose_reader_does_not_read() {
    // A machine so slow that no time is left for words says none.
    for flags in RUNS {
        let mut told = (0..20).map(|_| stopped_unread(flags)).filter(|said| !said.is_empty());
        let lost = "streamw: stopped by a signal; rows that nobody took are lost; 1 open window was not printed\n";
        assert_eq!(told.next().expect("it is said once at least"), lost, "{flags}");
    }
}

/// What a run says that is stopped while nobody reads its rows.
fn stopped_unread(flags: &str) -> String {
    let mut child = command(flags).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let a_while = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut next = 0;
    while poll(&mut [PollFd::new(&stdin, PollFlags::OUT)], Some(&a_while)).expect("a poll") > 0 {
        let text;
        (text, next) = row_makers(next, 4096);
        stdin.write_all(text.as_bytes()).expect("stdin is read");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    wait_for(&mut child);
    assert_eq!(child.wait().expect("it has ended").code(), Some(143));
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    said
}

#[test]
fn a_line_without_end_is_one_bad_record_in_constant_memory() {
    const MEGABYTES: usize = 96;
    // What begins the line, what fills it, what ends it, and the reasons of the bad records.
    for (flags, begin, fill, end, reasons) in [
        ("-i ndjson", "{\"ts\":1}\n", "x", "\n{\"ts\":11}\n", &["too_long"][..]),
        ("-i ndjson", "{\"ts\":1}\n{\"ts\":2,\"u\":\"", "a", "\"}\n{\"ts\":11}\n", &["too_long"]),
        ("-i ndjson", "{\"ts\":1}\n", "[", "\n{\"ts\":11}\n", &["too_long"]),
        ("-i ndjson", "{\"ts\":1}\n", "\0", "\n{\"ts\":11}\n", &["too_long"]),
        ("-i ndjson", "{\"ts\":1}\n", "\"", "\n{\"ts\":11}\n", &["too_long"]),
        ("-i csv", "ts,v\n1,2\n", "x", "\n11,2\n", &["too_long"]),
        ("-i csv", "ts,v\n1,2\n2,\"", "x", "\n11,2\n", &["too_long"]),
        ("-i csv", "ts,v\n1,2\n", "\"", "\n11,2\n", &["too_long"]),
        // A quote that does not close costs its first line; the second one is too long.
        ("-i csv", "ts,v\n1,2\n2,\"a\n", "x", "\n11,2\n", &["quote", "too_long"]),
        // It closes, but the row goes on.
        ("-i csv", "ts,v\n1,2\n2,\"a\nb\",", "x", "\n11,2\n", &["too_long"]),
    ] {
        let mut program = Program::start(&format!("-w 10s -t ts --threads 2 {flags}"));
        program.send(begin);
        let fill = fill.repeat(1 << 20);
        for _ in 0..MEGABYTES {
            program.send(&fill);
        }
        program.send(end);
        // Reading goes on at the next line: the row of the first record.
        program.row();
        let what = format!("{begin:?} {:?}...", &fill[..1]);
        for reason in reasons {
            let report = program.report();
            assert!(report.contains(&format!("\"reason\":\"{reason}\"")), "{what}: {report}");
            assert!(report.len() < 4096, "a report stays short: {what}");
        }
        let memory = program.peak_memory();
        assert!(memory < 64, "{what}: {memory} MiB");
        let (status, _, said) = program.end();
        assert_eq!((status, said.as_str()), (Some(0), ""), "{what}");
    }
}

#[test]
fn a_long_line_in_a_file_is_one_bad_record_in_constant_memory() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("long_line.ndjson");
    let mut file = fs::File::create(&path).expect("a file");
    file.write_all(b"{\"ts\":1}\n").expect("a disk");
    // A hole: zeros that take no space.
    let hole = 256 << 20;
    file.set_len(hole).expect("a disk");
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"\n{\"ts\":2}\n{\"ts\":10}\n").expect("a disk");
    // Stdin stays open behind it, so that it can be looked at.
    let mut program = Program::start(&format!("-w 10s -t ts --threads 2 {} -", path.display()));
    assert!(program.row().contains("\"count\":2"));
    let report = program.report();
    assert!(report.contains("\"line\":2,\"offset\":9,\"reason\":\"too_long\""), "{report}");
    assert!(program.peak_memory() < 64, "{} MiB", program.peak_memory());
    program.send("{\"ts\":20}\n");
    program.row();
    assert_eq!(program.end().0, Some(0));
    fs::remove_file(path).expect("the file is there");
}

#[test]
fn a_run_that_waits_does_not_wake_up() {
    let mut program = Program::start("-w 10s -t ts");
    program.send("{\"ts\":1}\n{\"ts\":11}\n");
    program.row();
    // Another run takes its time meanwhile.
    let pass_time = || {
        let input: String = (0..20_000).map(|ts| format!("{{\"ts\":{ts}}}\n")).collect();
        Streamw::new().args("-w 1s -t ts").stdin(input).run();
    };
    let switches = || -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", program.child.id())).expect("it runs");
        let status = tasks.map(|task| fs::read_to_string(task.expect("a task").path().join("status")).expect("a task"));
        let count = |status: String| {
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
        };
        status.filter_map(count).sum()
    };
    pass_time();
    let before = switches();
    pass_time();
    pass_time();
    assert_eq!(switches(), before);
    assert!(matches!(program.rows.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)));
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn t9_stdin_and_files_and_pipes_are_read_alike() {
    let input =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/access.ndjson")).expect("the file is there");
    let flags = "-t time -k path -w 1h -d 10s -l 1m -a count -a sum:bytes -q";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/access.ndjson");
    let reference = Streamw::new().args(flags).arg(file).run();
    assert!(reference.status == 0 && reference.stdout.lines().count() > 1000);
    let from_file = command(flags).stdin(fs::File::open(file).expect("a file")).output().expect("it starts");
    assert_same("stdin is a file", &reference.stdout, &String::from_utf8_lossy(&from_file.stdout));
    let mut program = Program::start(flags);
    let mut stdin = program.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || {
        input.as_bytes().chunks(4093).for_each(|piece| stdin.write_all(piece).expect("it reads"))
    });
    let (status, rows, reports) = program.end();
    writer.join().expect("all is written");
    assert_eq!(status, Some(0));
    assert_same("stdin is a pipe", &reference.stdout, &rows);
    assert_same("late drops", &reference.stderr.replace(file, "-"), &reports);
}
