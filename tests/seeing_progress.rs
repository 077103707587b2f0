//! The line that says how far a run is: when it is there, what it says, and that it mixes with nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use streamw::host::Host;
use streamw::run;

use crate::util::{Live, SharedBuffer, TestClock, assert_same};

/// Longer than from one line to the next: with this step, each batch draws one.
const STEP: Duration = Duration::from_secs(1);

/// What is written, write by write.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics here").push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of input for each read.
struct Lines(std::vec::IntoIter<String>);

impl Lines {
    fn new(text: &str) -> Lines {
        Lines(text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>().into_iter())
    }
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let line = self.0.next().unwrap_or_default();
        into[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

struct Seen {
    status: u8,
    stdout: String,
    stderr: Vec<Vec<u8>>,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.stderr.concat()).expect("UTF-8")
    }

    /// The lines that were drawn, in order.
    fn frames(&self) -> Vec<String> {
        let text = self.text();
        let frames = text.split('\r').map(str::trim_end).filter(|part| part.contains("events/s"));
        frames.map(|frame| frame.rsplit_once('\n').map_or(frame, |(_, last)| last).replace("\u{1b}[2K", "")).collect()
    }
}

/// Runs with stderr on a terminal, unless `change` makes it otherwise.
fn watch(args: &str, input: &str, change: impl FnOnce(&mut Host)) -> Seen {
    let (stdout, stderr) = (SharedBuffer::default(), Writes::default());
    let mut host = Host::piped(Lines::new(input), stdout.clone(), stderr.clone());
    host.terminals.stderr = true;
    host.clock = Box::new(TestClock::new(STEP));
    host.width = Box::new(|| 100);
    change(&mut host);
    let status = run::main(args.split_whitespace().map(Into::into).collect(), host);
    let stderr = stderr.0.lock().expect("nobody panics here").clone();
    Seen { status, stdout: stdout.text(), stderr }
}

const EVENTS: &str = "{\"ts\":1}\n{\"ts\":2}\n{\"ts\":11}\n";

fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("progress").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a directory can be made");
    path
}

// --- when ----------------------------------------------------------------------------------------------------

/// What makes a terminal another.
type Change = fn(&mut Host);

#[test]
fn the_line_is_there_only_if_it_has_a_terminal_for_itself() {
    fn terminal(host: &mut Host) {
        host.terminals.stdout = true;
    }
    fn same(host: &mut Host) {
        (host.terminals.stdout, host.terminals.is_one) = (true, true);
    }
    let here = directory("alone");
    let to_file = format!("-w 10s -t ts --output {}", here.join("rows").display());
    let cases: &[(&str, &str, Change, bool)] = &[
        ("stderr is a terminal", "-w 10s -t ts", |_| {}, true),
        ("rows go to another terminal", "-w 10s -t ts", terminal, true),
        ("rows go to the same", "-w 10s -t ts", same, false),
        ("rows go to a file", &to_file, same, true),
        ("stderr is no terminal", "-w 10s -t ts", |host| host.terminals.stderr = false, false),
        (
            "only stdout is one",
            "-w 10s -t ts -o csv",
            |host| {
                (host.terminals.stderr, host.terminals.stdout) = (false, true);
            },
            false,
        ),
        ("quiet", "-w 10s -t ts -q", |_| {}, false),
        ("dumb", "-w 10s -t ts", |host| host.terminals.is_dumb = true, false),
        ("no colour is about colour", "-w 10s -t ts --color never", |host| host.terminals.no_color = true, true),
        ("records are typed", "-w 10s -t ts -", |host| host.terminals.stdin = true, false),
    ];
    for (what, args, change, expected) in cases {
        let seen = watch(args, EVENTS, change);
        assert_eq!(seen.status, 0, "{what}: {}", seen.text());
        assert_eq!(seen.frames().len(), if *expected { 3 } else { 0 }, "{what}: {:?}", seen.text());
        if !expected {
            assert!(!seen.text().contains(['\u{1b}', '\r']), "{what}: {:?}", seen.text());
        }
    }
}

#[test]
fn a_file_that_is_a_terminal_leaves_no_room_for_the_line() {
    let terminal = Terminal::open();
    for flag in ["--output", "--late", "--bad"] {
        let seen = watch(&format!("-w 10s -t ts {flag} {}", terminal.path), EVENTS, |_| {});
        assert_eq!((seen.status, seen.frames().len()), (0, 0), "{flag}: {:?}", seen.text());
    }
}

#[test]
fn a_run_that_takes_no_time_shows_no_line() {
    let seen = watch("-w 10s -t ts -v", EVENTS, |host| host.clock = Box::new(TestClock::new(Duration::ZERO)));
    assert!(seen.status == 0 && !seen.text().contains('\r') && !seen.text().contains("\u{1b}[2K"), "{:?}", seen.text());
}

#[test]
fn in_a_pause_the_line_is_brought_up_to_date_once() {
    // Had it been woken while there was nothing new, it would have waited more often.
    assert_eq!(pauses("-w 10s -t ts", ["1 open", "1 open"]), 2);
    // Those whose keys are shared out are waited for as well.
    assert!(pauses("-w 10s -t ts -k ts --threads 8", ["1 open", "2 open"]) >= 2);
}

/// How often a run waits for a moment that has two records, each of which comes when the line has told of the one before.
fn pauses(args: &str, open: [&str; 2]) -> usize {
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let (feed, pieces) = unbounded();
    let clock = TestClock::skipping();
    let mut host = Host::piped(Fed(pieces), stdout.clone(), stderr.clone());
    host.terminals.stderr = true;
    host.clock = Box::new(clock.clone());
    host.width = Box::new(|| 100);
    let args = args.split_whitespace().map(Into::into).collect();
    let thread = std::thread::spawn(move || run::main(args, host));
    for (piece, open) in ["{\"ts\":1}\n", "{\"ts\":2}\n"].iter().zip(open) {
        feed.send(piece.as_bytes().to_vec()).expect("the run goes on");
        let expected = format!("W 1970-01-01T00:00:0{}Z  {open}", &piece[6..7]);
        let seen = stderr.wait_until(Live::PATIENCE, |text| text.contains(&expected));
        assert!(seen.contains(&expected), "{seen:?}");
    }
    drop(feed);
    assert_eq!(thread.join().expect("the run does not panic"), 0);
    assert!(stdout.text().lines().count() > 0);
    clock.waits()
}

/// Bytes as they are sent.
struct Fed(Receiver<Vec<u8>>);

impl Read for Fed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        into[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

#[test]
fn windows_that_take_long_to_count_are_counted_seldom() {
    let input: String = (0..10).map(|i| format!("{{\"ts\":1,\"k\":{i}}}\n")).collect();
    // Time passes while they are counted: a second, as the clock has it, which allows for the next after a hundred.
    let slow = watch("-w 10s -t ts -k k --threads 2", &input, |_| {});
    assert_eq!(slow.frames().len(), 10);
    assert!(slow.frames().iter().all(|frame| frame.ends_with("  1 open")), "{:?}", slow.frames());
}

// --- what ----------------------------------------------------------------------------------------------------

#[test]
fn the_line_says_how_far_the_run_is() {
    let seen = watch("-w 10s -t ts -d 1s", EVENTS, |_| {});
    let frames = seen.frames();
    let expected = [
        ("9 B  ", "  W 1970-01-01T00:00:00Z  1 open"),
        ("18 B  ", "  W 1970-01-01T00:00:01Z  1 open"),
        ("28 B  ", "  W 1970-01-01T00:00:10Z  1 open"),
    ];
    assert_eq!(frames.len(), 3, "{frames:?}");
    for (frame, (begin, end)) in frames.iter().zip(expected) {
        assert!(frame.starts_with(begin) && frame.ends_with(end), "{begin} … {end}: {frame}");
    }
}

#[test]
fn the_share_is_that_of_all_files_as_they_are_stored() {
    let here = directory("share");
    let text: String = (0..40).map(|i| format!("{{\"ts\":{i}}}\n")).collect();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    let shares = |args: &str, stdin: &str| -> Vec<String> {
        let seen = watch(&format!("-w 1h -t ts {args}"), stdin, |_| {});
        assert_eq!(seen.status, 0, "{args}: {}", seen.text());
        seen.frames().iter().map(|frame| frame.split("  ").next().unwrap_or_default().to_owned()).collect()
    };
    for (name, bytes) in [
        ("plain", text.clone().into_bytes()),
        ("gz", gzip(&text)),
        ("zst", zstd::encode_all(text.as_bytes(), 1).expect("memory")),
        ("marked", marked),
    ] {
        let path = here.join(name);
        std::fs::write(&path, &bytes).expect("a file");
        let (path, size) = (path.display(), bytes.len());
        let half_and_whole = [format!("{size}/{} B 50%", 2 * size), format!("{0}/{0} B 100%", 2 * size)];
        assert_eq!(shares(&format!("{path} {path}"), ""), half_and_whole, "{name}");
        // How much is still to come through a pipe is not known.
        let expected = [format!("{size} B"), format!("{} B", size + 9)];
        assert_eq!(shares(&format!("{path} -"), "{\"ts\":1}\n"), expected, "{name} and stdin");
    }
}

// --- beside other lines --------------------------------------------------------------------------------------

/// All kinds of lines: notes, warnings, bad records, late drops.
fn eventful() -> String {
    let mut input = String::new();
    for i in 0..30 {
        input += &format!("{{\"ts\":{},\"k\":\"\u{e9}\u{4e16}{i}\"}}\n", i * 7);
        if i % 3 == 0 {
            input += &format!("bad {i}\n");
        }
        if i % 5 == 4 {
            input += &format!("{{\"ts\":{}}}\n", i * 7 - 60);
        }
    }
    input
}

fn emulator(rows: u16, columns: u16) -> vt100::Parser {
    let some = |number| NonZeroU16::new(number).expect("there is room");
    vt100::Parser::new(some(rows), some(columns), 0)
}

/// What stands on a terminal, whose cursor is at the beginning of a line.
struct Picture {
    above: String,
    cursor_line: String,
}

fn picture(terminal: &vt100::Screen) -> Picture {
    let (row, column) = terminal.cursor_position();
    assert_eq!(column, 0, "nothing is written behind the line");
    let (rows, columns) = terminal.size();
    Picture {
        above: terminal.contents_between(0, 0, row, 0),
        cursor_line: terminal.contents_between(row, 0, rows.get(), columns.get()).trim_end().to_owned(),
    }
}

#[test]
fn the_line_mixes_with_no_other() {
    let input = eventful();
    for args in
        ["-w 10s -d 5s", "-w 10s -d 5s -a sum:nothing -v", "-w 10s -d 5s --strict", "-w 10s -d 5s --max-late 2 -v"]
    {
        let plain = watch(args, &input, |host| host.terminals.stderr = false);
        for columns in [0, 1, 20, 33, 80, 400] {
            let what = format!("{args} on {columns} columns");
            let seen = watch(&format!("{args} --color never"), &input, |host| host.width = Box::new(move || columns));
            assert_eq!(seen.status, plain.status, "{what}");
            assert_same(&what, &plain.stdout, &seen.stdout);
            let mut terminal = emulator(9999, if columns == 0 { 80 } else { columns.max(2) });
            let mut drawn = 0;
            for write in &seen.stderr {
                // As a terminal has it that turns newlines into carriage return and newline.
                terminal.process(String::from_utf8_lossy(write).replace('\n', "\r\n").as_bytes());
                let Picture { above, cursor_line } = picture(terminal.screen());
                drawn += usize::from(!cursor_line.is_empty());
                assert!(!cursor_line.contains(['{', '}']) && !cursor_line.contains("streamw"), "{what}: {cursor_line}");
                assert!(!above.contains("events/s") && above.lines().all(is_whole), "{what}:\n{above}");
            }
            assert!(drawn >= if args.contains("strict") { 1 } else { 10 }, "{what}: {drawn}");
            let Picture { above, cursor_line } = picture(terminal.screen());
            assert_eq!(cursor_line, "", "{what}: the line is gone at the end");
            if args.contains("-v") || args.contains("--strict") {
                let last = String::from_utf8_lossy(seen.stderr.last().expect("something is written"));
                assert!(
                    last.ends_with('\n') && !last.contains('\r'),
                    "{what}: it goes before the last lines: {last:?}"
                );
            }
            let without_time = |text: &str| -> String {
                text.lines().filter(|line| !line.contains(" a second")).map(|line| format!("{line}\n")).collect()
            };
            assert_same(&what, &without_time(&plain.text()), &without_time(&above));
        }
    }
}

fn is_whole(line: &str) -> bool {
    line.starts_with("streamw: ") || line.starts_with("{\"type\":") && line.ends_with('}')
}

// --- on a real terminal --------------------------------------------------------------------------------------

/// A pseudo-terminal. What is written to it by its path is read from `master`.
struct Terminal {
    master: File,
    path: String,
}

impl Terminal {
    fn open() -> Terminal {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has pseudo-terminals");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let size = rustix::termios::Winsize { ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).expect("a size");
        let path = ptsname(&master, Vec::new()).expect("a name").into_string().expect("UTF-8");
        Terminal { master: File::from(master), path }
    }

    fn slave(&self) -> File {
        use rustix::fs::{Mode, OFlags, open};
        File::from(open(self.path.as_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("a terminal"))
    }

    /// Gathers what is written, until nobody can write any more.
    fn read(self) -> (SharedBuffer, std::thread::JoinHandle<()>) {
        let (text, mut master) = (SharedBuffer::default(), self.master);
        let mut to = text.clone();
        let thread = std::thread::spawn(move || {
            // The end is told as an error.
            let _ = io::copy(&mut master, &mut to);
        });
        (text, thread)
    }
}

fn program(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamw"));
    command.args(args.split_whitespace()).env("TERM", "xterm").env_remove("NO_COLOR");
    command
}

#[test]
fn a_real_terminal_shows_the_line_and_then_the_reports_alone() {
    let terminal = Terminal::open();
    let mut child = program("-w 10s -t ts -d 1s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(terminal.slave())
        .spawn()
        .expect("the program starts");
    let (text, reader) = terminal.read();
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"{\"ts\":1}\nbad\n").expect("it is read");
    let seen = text.wait_until(Live::PATIENCE, |text| text.contains("events/s"));
    assert!(seen.contains("W 1970-01-01T00:00:00Z  1 open"), "{seen:?}");
    stdin.write_all(b"{\"ts\":12}\nbad again\n").expect("it is read");
    text.wait_until(Live::PATIENCE, |text| text.contains("bad again") && text.contains("W 1970-01-01T00:00:11Z"));
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    reader.join().expect("no panic");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    let mut screen = emulator(50, 100);
    screen.process(text.text().as_bytes());
    let Picture { above, cursor_line } = picture(screen.screen());
    let raws: Vec<_> = above.lines().map(|line| line.rsplit("\"raw\":").next().unwrap_or_default()).collect();
    assert_eq!((raws.as_slice(), cursor_line.as_str()), (&["\"bad\"}", "\"bad again\"}"][..], ""), "{above}");
}

#[test]
fn a_terminal_with_rows_has_colour_and_no_line() {
    for (no_color, flags, expected) in
        [("", "", true), ("1", "", false), ("1", "--color always", true), ("", "--color never", false)]
    {
        let terminal = Terminal::open();
        let mut child = program(&format!("-w 10s -t ts -v {flags}"))
            .env("NO_COLOR", no_color)
            .stdin(Stdio::piped())
            .stdout(terminal.slave())
            .stderr(terminal.slave())
            .spawn()
            .expect("the program starts");
        let (text, reader) = terminal.read();
        child.stdin.take().expect("a pipe").write_all(EVENTS.as_bytes()).expect("it is read");
        assert!(child.wait().expect("it ends").success());
        reader.join().expect("no panic");
        let text = text.text();
        assert!(text.contains("window_start") && text.contains("rows are table, as they go to a terminal"), "{text:?}");
        assert_eq!(text.contains("\u{1b}[1mwindow_start"), expected, "NO_COLOR={no_color} {flags}: {text:?}");
        assert_eq!(text.contains('\u{1b}'), expected, "NO_COLOR={no_color} {flags}: {text:?}");
        assert!(!text.contains("\u{1b}[2K"), "{text:?}");
    }
}

// --- open windows --------------------------------------------------------------------------------------------

#[test]
fn open_windows_are_those_whose_rows_are_still_to_come() {
    let mut random: u64 = 7;
    // Events a second apart, which share windows, and fifty, which do not.
    let mut events = |count: u64, gap: u64| -> String {
        let event = |i: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{{\"ts\":{},\"k\":{}}}\n", i * gap + (random >> 33) % 25, (random >> 40) % 7)
        };
        (0..count).map(event).collect()
    };
    for input in [events(400, 1), events(30, 50)] {
        for window in [
            "10s",
            "10s --offset 3s",
            "30s/10s",
            "30s/7s",
            "10s/30s",
            "60s/1s",
            "session:2s",
            "session:9s -l 5s",
            "10s -w 30s/10s -w session:9s",
        ] {
            for delay in [0, 5, 40, 1000] {
                let args = format!("-w {window} -t ts -k k -d {delay}s");
                let quiet = |host: &mut Host| host.terminals.stderr = false;
                let all = watch(&args, &input, quiet).stdout.lines().count();
                let stopped = watch(&format!("{args} --strict"), &format!("{input}bad\n"), quiet);
                let still = all - stopped.stdout.lines().count();
                let expected = match still {
                    0 => "(--strict)".to_owned(),
                    1 => "; 1 open window was not printed".to_owned(),
                    _ => format!("; {still} open windows were not printed"),
                };
                let said = stopped.text();
                assert!(said.lines().any(|line| line.ends_with(&expected)), "{args}: {expected}\n{said}");
            }
        }
    }
}
