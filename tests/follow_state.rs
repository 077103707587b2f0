//! `-F` with `--state`: a run that follows logs is killed, inside their rotations too, and goes on where it was (section 5,
//! RELIABILITY section 1). What is expected follows from what was written alone: nothing depends on when what happens.
//!
//! The program itself is killed, by SIGKILL. `STREAMW_STATE_RUNS=50` multiplies the rotations of the long test by 50.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::history::Rng;
use crate::state_directory::runs;
use crate::util::parse_json;

/// Only says that something is wrong; nothing waits this long in a good run.
const PATIENCE: Duration = Duration::from_secs(90);

/// A directory of logs, and the program that follows them.
pub struct Place {
    here: PathBuf,
    args: String,
    /// Whether rows go to stdout, which appends to `out`.
    appends: bool,
    child: Option<Child>,
    pub kills: u64,
    /// Whether it is let be.
    pub is_calm: bool,
}

impl Place {
    pub fn new(test: &str, args: &str) -> Place {
        let here = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("follow_state").join(test);
        let _ = fs::remove_dir_all(&here);
        fs::create_dir_all(&here).expect("a directory");
        let args = format!(
            "-t ts --output-time s --poll-interval 5ms --rotate-wait 20ms --state st --checkpoint-interval 4ms {args}"
        );
        Place { here, args, appends: true, child: None, kills: 0, is_calm: false }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.here.join(name)
    }

    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).expect("a file");
        file.write_all(text.as_ref()).expect("room");
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("a file");
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Finer than the clock by which files are stamped, which shows no order of what happens within a tick.
    fn stamp(&self, name: &str) {
        let file = File::options().append(true).open(self.path(name)).expect("a file");
        file.set_modified(SystemTime::now()).expect("its owner");
    }

    /// As gzip does: the packed file has the time of the plain one, which goes when it is whole.
    fn gzip(&self, from: &str, to: &str) {
        let modified = fs::metadata(self.path(from)).and_then(|file| file.modified()).expect("a file");
        let mut encoder = GzEncoder::new(File::create(self.path(to)).expect("a file"), Compression::fast());
        encoder.write_all(&fs::read(self.path(from)).expect("a file")).expect("room");
        encoder.finish().and_then(|file| file.set_modified(modified)).expect("room");
        fs::remove_file(self.path(from)).expect("a file");
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamw"));
        command.args(args.split_whitespace()).current_dir(&self.here).stdin(Stdio::null());
        command
    }

    /// Starts the program, unless it runs.
    pub fn start(&mut self) {
        if self.child.is_some() {
            return;
        }
        let open = |name| OpenOptions::new().append(true).create(true).open(self.here.join(name)).expect("a file");
        let mut command = self.command(&self.args);
        command.stderr(open("said"));
        if self.appends {
            command.stdout(open("out"));
        } else {
            command.args(["--output", "out"]).stdout(Stdio::null());
        }
        self.child = Some(command.spawn().expect("it starts"));
    }

    /// Kills the program, if it runs.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.kill();
        let status = child.wait().expect("ours");
        assert_eq!(status.code(), None, "it ended by itself: {}", self.text("said"));
        self.kills += 1;
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill(Pid::from_raw(child.id() as i32), signal).expect("it runs");
    }

    /// Stops the program in an orderly way.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.child.take().expect("it runs").wait().expect("ours");
        assert_eq!(status.code(), Some(143), "{}", self.text("said"));
    }

    /// Waits until this is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Place) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("ours")) {
                panic!("{what}: it ended with {status}: {}", self.text("said"));
            }
            if began.elapsed() > PATIENCE {
                let out = self.text("out");
                let (lines, last) = (out.lines().count(), out.lines().last());
                panic!("{what}: {} has {lines} lines, the last {last:?}; {}", self.here.display(), self.text("said"));
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until these are the rows in short, which are all there are then.
    fn rows(&mut self, expected: &[&str]) {
        let count = expected.len();
        self.until("rows", |place| place.text("out").matches('\n').count() >= count);
        assert_eq!(short(&self.text("out")), expected, "{}", self.text("said"));
    }

    /// Runs the program, which comes to an end by itself; how it ended, and what it said.
    fn run(&self, args: &str) -> (Option<i32>, String) {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let began = Instant::now();
        while child.try_wait().expect("ours").is_none() {
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("{args}: it goes on");
            }
            sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().expect("ours");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), said + &String::from_utf8_lossy(&output.stdout))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Bounds and counts of rows.
fn short(rows: &str) -> Vec<String> {
    let row = |row: &str| {
        let row = parse_json(row);
        format!("{}..{} {}", row["window_start"], row["window_end"], row["count"])
    };
    rows.lines().map(row).collect()
}

fn times(times: impl IntoIterator<Item = u64>) -> String {
    times.into_iter().map(|time| format!("{{\"ts\":{time}}}\n")).collect()
}

/// How a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Rename,
    /// The older file is packed each time.
    RenameAndPack,
    CopyTruncate,
}

/// Who writes a log and rotates it.
pub struct Writer {
    name: String,
    how: How,
    pub written: u64,
    pub rotations: u64,
    /// Lines and bytes in the file at hand.
    line: u64,
    offset: u64,
    /// All records so far.
    pub all: String,
    /// What is to be said of bad records.
    bad: Vec<(u64, u64, String)>,
}

impl Writer {
    pub fn new(name: &str, how: How) -> Writer {
        let (all, bad) = (String::new(), Vec::new());
        Writer { name: name.to_owned(), how, written: 0, rotations: 0, line: 0, offset: 0, all, bad }
    }

    /// Writes some lines in pieces, which end anywhere.
    pub fn write(&mut self, place: &mut Place, rng: &mut Rng, to: Option<&str>) {
        let text = self.text(rng);
        let cut = (rng.next() % (text.len() as u64 + 1)) as usize;
        for piece in [&text[..cut], &text[cut..]] {
            place.append(to.unwrap_or(&self.name), piece);
            disturb(place, rng);
        }
    }

    pub fn write_quietly(&mut self, place: &Place, rng: &mut Rng) {
        let text = self.text(rng);
        place.append(&self.name, text);
    }

    /// Some lines, of which now and then one is no record.
    fn text(&mut self, rng: &mut Rng) -> String {
        let mut text = String::new();
        for _ in 0..rng.next() % 40 {
            let n = self.written;
            self.written += 1;
            let line = match rng.next() % 30 {
                0 => format!("no record {n}\n"),
                _ => format!(
                    "{{\"ts\":{n},\"id\":\"{} {n}\",\"pad\":\"{}\"}}\n",
                    self.name,
                    "x".repeat((n % 90) as usize)
                ),
            };
            self.line += 1;
            if line.starts_with('n') {
                self.bad.push((self.line, self.offset, line.trim_end().to_owned()));
            } else {
                self.all += &line;
            }
            self.offset += line.len() as u64;
            text += &line;
        }
        text
    }

    /// Files are stamped as the system does: what happens within a tick of its clock has the same time.
    pub fn rotate(&mut self, place: &mut Place, rng: &mut Rng) {
        let name = self.name.clone();
        let numbered = |number: u64| format!("{name}.{number}");
        place.append(&name, "");
        for number in (1..=self.rotations).rev() {
            let packed = format!("{}.gz", numbered(number));
            match self.how {
                How::RenameAndPack if number == 1 => place.gzip(&numbered(1), &format!("{}.gz", numbered(2))),
                How::RenameAndPack => place.rename(&packed, &format!("{}.gz", numbered(number + 1))),
                How::Rename | How::CopyTruncate => place.rename(&numbered(number), &numbered(number + 1)),
            }
            if number < 3 {
                disturb(place, rng);
            }
        }
        match self.how {
            How::CopyTruncate => {
                fs::copy(place.path(&name), place.path(&numbered(1))).expect("room");
                disturb(place, rng);
                File::options().write(true).open(place.path(&name)).and_then(|file| file.set_len(0)).expect("a file");
            }
            How::Rename | How::RenameAndPack => {
                place.rename(&name, &numbered(1));
                disturb(place, rng);
                // Its writer does not know yet.
                self.write(place, rng, Some(&numbered(1)));
                place.append(&name, "");
            }
        }
        disturb(place, rng);
        self.rotations += 1;
        (self.line, self.offset) = (0, 0);
    }
}

/// Starts the program, kills it, or lets it be.
fn disturb(place: &mut Place, rng: &mut Rng) {
    if place.is_calm {
        if rng.next().is_multiple_of(4) {
            sleep(Duration::from_micros(rng.next() % 5_000));
        }
        return;
    }
    match rng.next() % 12 {
        0 => place.kill(),
        1 => {
            sleep(Duration::from_micros(rng.next() % 20_000));
            place.kill();
            place.start();
        }
        2 | 3 => place.start(),
        4 => sleep(Duration::from_micros(rng.next() % 20_000)),
        _ => {}
    }
}

/// What a run without state prints of a file with all records.
fn undisturbed(place: &Place, all: &str, args: &str) -> String {
    fs::write(place.path("all"), all).expect("room");
    let output = place.command(&format!("-t ts --output-time s {args} all -q")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).expect("UTF-8")
}

const WINDOWS: &str = "-w 10s -w session:3s -d 2s -a count -a first:id -a last:id";

/// One log: what comes out is what would have come without any kill, byte by byte.
fn one(how: How, appends: bool, seed: u64, rotations: u64) {
    let context = format!("{how:?}, seed {seed}");
    let mut place = Place::new(&format!("one-{how:?}-{appends}"), &format!("{WINDOWS} --bad bad -i ndjson -F log"));
    place.appends = appends;
    let (mut rng, mut log) = (Rng(seed), Writer::new("log", how));
    // From its first row on the program knows of the log; what was rotated before is none of it.
    while log.written < 300 {
        log.write_quietly(&place, &mut rng);
    }
    place.start();
    place.until("a row", |place| !place.text("out").is_empty());
    while log.rotations < rotations {
        log.write(&mut place, &mut rng, None);
        if rng.next().is_multiple_of(3) {
            log.rotate(&mut place, &mut rng);
        }
    }
    // Closes what is open; a window of its own stays so.
    let last = "{\"ts\":1000000000,\"id\":\"last\"}\n";
    log.all += last;
    place.append("log", last);
    place.start();
    let whole = undisturbed(&place, &log.all, WINDOWS);
    let open = |line: &&str| line.contains("\"last_id\":\"last\"");
    let expected: String = whole.split_inclusive('\n').filter(|line| !open(line)).collect();
    assert!(expected.len() > 1000 && expected.len() < whole.len());
    place.until(&context, |place| place.text("out").len() >= expected.len());
    place.stop();
    let out = place.text("out");
    if out != expected {
        let differing = expected.lines().zip(out.lines()).position(|(one, other)| one != other).unwrap_or_default();
        let near = |text: &str| text.lines().skip(differing.saturating_sub(1)).take(4).collect::<Vec<_>>().join("\n");
        panic!(
            "{context}: line {differing}\n{}\n--- instead of\n{}\n{}",
            near(&out),
            near(&expected),
            place.text("said")
        );
    }
    let bad: Vec<(u64, u64, String)> = place
        .text("bad")
        .lines()
        .map(parse_json)
        .map(|bad| {
            let number = |name: &str| bad[name].as_u64().expect("a number");
            (number("line"), number("offset"), bad["raw"].as_str().expect("text").to_owned())
        })
        .collect();
    assert_eq!(bad, log.bad, "{context}: {}", place.text("said"));
    println!("{context}: {} lines, {rotations} rotations, {} kills, 0 differences", log.written, place.kills);
}

/// Several logs: each event counts exactly once.
fn several(seed: u64, rotations: u64) {
    let mut place = Place::new("several", "-w count:1 -k id -i ndjson --bad bad -F a.log b.log c.log");
    let mut rng = Rng(seed);
    let mut logs = [("a.log", How::Rename), ("b.log", How::CopyTruncate), ("c.log", How::RenameAndPack)]
        .map(|(name, how)| Writer::new(name, how));
    for log in &mut logs {
        log.write_quietly(&place, &mut rng);
        place.append(&log.name, format!("{{\"ts\":0,\"id\":\"first of {}\"}}\n", log.name));
        let _ = writeln!(log.all, "{{\"ts\":0,\"id\":\"first of {}\"}}", log.name);
    }
    place.start();
    place.until("rows of each", |place| place.text("out").matches("first of").count() == 3);
    for _ in 0..3 * rotations {
        let at = (rng.next() % 3) as usize;
        logs[at].write(&mut place, &mut rng, None);
        if rng.next().is_multiple_of(3) {
            logs[at].rotate(&mut place, &mut rng);
        }
    }
    place.start();
    let id = |line: &str| parse_json(line)["id"].as_str().expect("an id").to_owned();
    let mut expected: Vec<String> = logs.iter().flat_map(|log| log.all.lines().map(id)).collect();
    let bad: usize = logs.iter().map(|log| log.bad.len()).sum();
    place.until("several", |place| {
        place.text("out").matches('\n').count() >= expected.len() && place.text("bad").matches('\n').count() >= bad
    });
    place.stop();
    let mut got: Vec<String> = place.text("out").lines().map(id).collect();
    got.sort();
    expected.sort();
    assert!(got == expected, "seed {seed}: {:?}", difference(&expected, &got));
    assert_eq!(place.text("bad").lines().count(), bad);
    println!("several, seed {seed}: {} events, {} kills, each once", expected.len(), place.kills);
}

pub fn difference(expected: &[String], got: &[String]) -> String {
    let mut text = String::new();
    for id in expected.iter().filter(|id| got.binary_search(id).is_err()) {
        let _ = write!(text, "missing {id}; ");
    }
    for pair in got.windows(2).filter(|pair| pair[0] == pair[1]) {
        let _ = write!(text, "twice {}; ", pair[0]);
    }
    text
}

#[test]
fn f1_r5_killed_inside_rotations_by_renaming_one_log_comes_out_as_if_nothing_had_happened() {
    one(How::Rename, true, 1, 10);
}

#[test]
fn f1_r4_killed_inside_rotations_by_copying_one_log_comes_out_as_if_nothing_had_happened() {
    one(How::CopyTruncate, false, 2, 10);
}

#[test]
fn f1_r14_killed_while_rotated_files_are_packed_one_log_comes_out_as_if_nothing_had_happened() {
    one(How::RenameAndPack, true, 3, 10);
}

#[test]
fn f1_killed_inside_the_rotations_of_several_logs_each_event_counts_once() {
    several(4, 8);
}

#[test]
#[ignore = "takes minutes"]
fn f1_killed_inside_many_rotations() {
    for round in 0..runs(1) {
        for (number, how) in [How::Rename, How::CopyTruncate, How::RenameAndPack].into_iter().enumerate() {
            for appends in [true, false] {
                one(how, appends, 1_000 + round * 10 + number as u64, 40);
            }
        }
        several(2_000 + round, 30);
    }
}

/// Something that happens to a log.
type Deed = fn(&Place);

fn truncate(place: &Place, name: &str) {
    File::options().write(true).open(place.path(name)).and_then(|file| file.set_len(0)).expect("a file");
}

fn copy(place: &Place, to: &str) {
    fs::copy(place.path("log"), place.path(to)).expect("room");
    place.stamp(to);
    truncate(place, "log");
}

/// What may happen while nothing runs, between records of the seconds 1 to 12 and the second 31. Nobody can lose or
/// repeat any by it.
const DEEDS: [(&str, Deed); 10] = [
    ("nothing", |place| place.append("log", times(13..30))),
    ("renamed", |place| {
        place.append("log", times(13..22));
        place.stamp("log");
        place.rename("log", "log.1");
        place.append("log", times(22..30));
    }),
    ("renamed, and nothing new yet", |place| {
        place.append("log", times(13..30));
        place.rename("log", "log.1");
    }),
    ("renamed several times", |place| {
        for (round, from) in (13..=29).enumerate() {
            place.append("log", times([from]));
            place.stamp("log");
            place.rename("log", &format!("log.{round}"));
        }
    }),
    ("renamed and packed", |place| {
        place.append("log", times(13..22));
        place.stamp("log");
        place.rename("log", "log.1");
        place.gzip("log.1", "log.1.gz");
        place.append("log", times(22..30));
    }),
    ("renamed and packed several times", |place| {
        for round in 0..5 {
            place.append("log", times(13 + 3 * round..16 + 3 * round));
            place.stamp("log");
            place.rename("log", "log.1");
            for number in (2..10).rev() {
                let _ =
                    fs::rename(place.path(&format!("log.{number}.gz")), place.path(&format!("log.{}.gz", number + 1)));
            }
            place.gzip("log.1", "log.2.gz");
        }
        place.append("log", times(28..30));
    }),
    ("copied and emptied", |place| {
        place.append("log", times(13..22));
        copy(place, "log.1");
        place.append("log", times(22..30));
    }),
    ("copied and emptied several times", |place| {
        for (copied, from) in [("log.2", 13), ("log.1", 20)] {
            place.append("log", times(from..from + 7));
            copy(place, copied);
        }
        place.append("log", times(27..30));
    }),
    ("copied, emptied and packed", |place| {
        place.append("log", times(13..22));
        copy(place, "log.1");
        place.gzip("log.1", "log.1.gz");
        place.append("log", times(22..30));
    }),
    ("made anew by a copy that keeps the old one", |place| {
        place.append("log", times(13..22));
        place.stamp("log");
        place.rename("log", "log-20260101");
        place.append("log", "");
        place.stamp("log");
        place.rename("log", "log-20260102");
        place.append("log", times(22..30));
    }),
];

#[test]
fn section_5_rotations_while_nothing_runs_lose_and_repeat_nothing() {
    for (what, deed) in DEEDS {
        for is_killed in [true, false] {
            let mut place = Place::new("down", "-w 10s -i ndjson -F log");
            // A rotation of long ago.
            place.append("log.0.gz", "");
            place.append("log.9", times(0..3));
            let file = File::options().append(true).open(place.path("log.9")).expect("a file");
            file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("its owner");
            place.append("log", times(1..13));
            place.start();
            place.rows(&["0..10 9"]);
            if is_killed {
                place.kill()
            } else {
                place.stop()
            }
            deed(&place);
            place.append("log", times([30]));
            place.start();
            place.until(what, |place| place.text("out").lines().count() >= 3);
            place.stop();
            let rows = short(&place.text("out"));
            assert_eq!(rows, ["0..10 9", "10..20 10", "20..30 10"], "{what}: {}", place.text("said"));
            drop(place);
        }
    }
}

#[test]
fn r1_r2_another_file_under_the_name_is_read_from_its_beginning() {
    let deeds: [(&str, Deed); 3] = [
        ("emptied", |place| truncate(place, "log")),
        ("written anew, longer", |place| fs::write(place.path("log"), times([15; 40])).expect("room")),
        ("deleted and made anew", |place| fs::remove_file(place.path("log")).expect("a file")),
    ];
    for (what, deed) in deeds {
        let mut place = Place::new("anew", "-w 10s -i ndjson -F log");
        place.append("log", times(1..=10));
        place.start();
        place.rows(&["0..10 9"]);
        // What was read is committed.
        place.stop();
        deed(&place);
        place.append("log", times([11, 12, 20]));
        place.start();
        let expected = if what.starts_with("written") { "10..20 43" } else { "10..20 3" };
        place.rows(&["0..10 9", expected]);
        place.stop();
    }
}

#[test]
fn section_5_from_the_end_goes_on_where_the_first_run_began() {
    let mut place = Place::new("from_end", "-w 10s -o csv -i ndjson --from end -F log a.log");
    for log in ["log", "a.log"] {
        place.append(log, times(0..9));
        place.append(log, "{\"ts\":");
    }
    place.start();
    // The header comes when the state says where everything stands.
    place.until("a header", |place| place.text("out").contains("window_start"));
    place.kill();
    for log in ["log", "a.log"] {
        place.append(log, "9}\n");
        place.append(log, times([11]));
        place.rename(log, &format!("{log}.1"));
        place.append(log, times([12, 25]));
    }
    place.start();
    place.until("rows", |place| place.text("out").lines().count() == 3);
    place.stop();
    assert!(place.text("out").contains("\n0,10,2,on_time,0\n10,20,4,on_time,0\n"), "{}", place.text("out"));
}

#[test]
fn section_5_killed_within_its_history_a_log_goes_on_there() {
    const LINES: u64 = 6_000;
    for is_rotated in [false, true] {
        let args = "-w 10s -a count -a first:ts -a last:ts";
        let mut place = Place::new("history", &format!("{args} -i ndjson --history log.2.gz --history log.1 -F log"));
        for (number, name) in ["log.2", "log.1", "log"].into_iter().enumerate() {
            place.append(name, times(number as u64 * LINES..(number as u64 + 1) * LINES));
            place.stamp(name);
        }
        place.gzip("log.2", "log.2.gz");
        let mut rng = Rng(8);
        for round in 0..6 {
            place.start();
            sleep(Duration::from_micros(rng.next() % 40_000));
            if round == 0 {
                place.until("a row", |place| !place.text("out").is_empty());
            }
            place.kill();
            if is_rotated && round == 2 {
                place.rename("log.2.gz", "log.3.gz");
                place.rename("log.1", "log.2");
                place.gzip("log.2", "log.2.gz");
                place.rename("log", "log.1");
            }
        }
        let rest = times([3 * LINES, 3 * LINES + 10]);
        place.append("log", &rest);
        let whole = undisturbed(&place, &(times(0..3 * LINES) + &rest), args);
        let expected = &whole[..whole.trim_end().rfind('\n').expect("rows") + 1];
        place.start();
        place.until("rows", |place| place.text("out").len() >= expected.len());
        place.stop();
        assert!(place.text("out") == expected, "rotated: {is_rotated}: {}", place.text("said"));
    }
}

#[test]
fn f9_hup_opens_outputs_anew_and_a_kill_after_it_loses_nothing() {
    let mut place = Place::new("hup", "-w 10s -i ndjson --bad bad -F log");
    place.appends = false;
    for round in 0..5 {
        let from = round * 20;
        place.append("log", times(from..from + 12));
        place.append("log", format!("no record {round}\n"));
        place.append("log", times(from + 12..from + 20));
        place.start();
        place.until("rows", |place| short(&place.text("out")).contains(&format!("{from}..{} 10", from + 10)));
        place.until("reports", |place| place.text("bad").contains(&format!("no record {round}")));
        place.rename("out", &format!("out.{round}"));
        place.rename("bad", &format!("bad.{round}"));
        place.signal(Signal::SIGHUP);
        place.until("new files", |place| place.path("out").exists() && place.path("bad").exists());
        if round % 2 == 0 {
            place.kill();
        }
    }
    place.append("log", times([100]));
    place.start();
    place.until("a row", |place| !place.text("out").is_empty());
    place.stop();
    let all = |name: &str| -> String {
        (0..5).map(|round| place.text(&format!("{name}.{round}"))).chain([place.text(name)]).collect()
    };
    let expected: Vec<_> = (0..10).map(|window| format!("{}..{} 10", window * 10, window * 10 + 10)).collect();
    assert_eq!(short(&all("out")), expected, "{}", place.text("said"));
    assert_eq!(all("bad").lines().count(), 5);
}

#[test]
fn f11_a_run_that_follows_goes_on_with_the_same_flags_and_files() {
    let mut place = Place::new("refused", "-w 10s -i ndjson -F a.log b.log");
    for log in ["a.log", "b.log", "c.log"] {
        place.append(log, times(0..=10));
    }
    place.start();
    place.rows(&["0..10 20"]);
    place.stop();
    let before = place.text("out");
    let flags = "-t ts --output-time s --state st --output out -i ndjson";
    for (args, needle) in [
        ("-w 20s -F a.log b.log", "-w"),
        ("-w 10s a.log b.log", "-F"),
        ("-w 10s --from end -F a.log b.log", "--from"),
        ("-w 10s --history a.log.1 -F a.log b.log", "--history"),
        ("-w 10s --idle-timeout 1s -F a.log b.log", "--idle-timeout"),
        ("-w 10s -F a.log", "b.log was followed, and has no end"),
    ] {
        let (status, said) = place.run(&format!("{flags} {args}"));
        assert!(status == Some(1) && said.contains(needle) && said.lines().count() == 1, "{args}: {said}");
    }
    assert_eq!(place.text("out"), before);
    // In another order, and with one more: after an orderly end both are allowed.
    place.args = place.args.replace("a.log b.log", "c.log b.log a.log");
    place.append("a.log", times([11, 20]));
    place.append("b.log", times([12, 20]));
    place.append("c.log", times([20]));
    place.start();
    // What the new one has of windows that were printed is too late.
    place.rows(&["0..10 20", "10..20 5"]);
    place.kill();
    place.start();
    place.append("a.log", times([30]));
    place.append("b.log", times([30]));
    place.append("c.log", times([30]));
    place.until("a row", |place| place.text("out").lines().count() == 3);
    place.stop();
    assert_eq!(short(&place.text("out"))[2], "20..30 3");
    let mut alone = Place::new("refused_alone", "-w 10s -i ndjson -F log");
    alone.append("log", times(0..=10));
    alone.start();
    alone.rows(&["0..10 10"]);
    alone.stop();
    let (status, said) = alone.run(&format!("{flags} -w 10s -F log other.log"));
    assert!(status == Some(1) && said.contains("watermark of its own"), "{said}");
}

#[test]
fn state_show_says_how_far_followed_files_are() {
    let mut place = Place::new("show", "-w 10s -i ndjson -F a.log b.log");
    place.append("a.log", times(0..=10));
    place.append("b.log", times(0..=30));
    place.start();
    place.rows(&["0..10 20"]);
    place.stop();
    let (status, said) = place.run("state show st");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("a.log: up to byte 100, line 11") && said.contains("b.log: up to byte "), "{said}");
    assert!(said.contains("-F"), "{said}");
    let (_, said) = place.run("state show --json st");
    let shown = parse_json(&said);
    assert_eq!(
        (shown["inputs"][0]["name"].as_str(), shown["inputs"][0]["offset"].as_u64()),
        (Some("a.log"), Some(100))
    );
    assert_eq!(shown["inputs"][0]["followed"].as_bool(), Some(true), "{said}");
    let (status, said) = place.run("state dump st");
    assert!(status == Some(0) && said.contains("\"window_start\":10"), "{said}");
    assert_eq!(place.run("state verify st").0, Some(0));
}
