//! A run that is killed and started again, any number of times, leaves the same bytes as one that is left alone (F1).
//!
//! The program itself is killed: at random moments, and where strace is there at counted calls. `STREAMW_STATE_RUNS=50`
//! multiplies the runs by 50; with `STREAMW_STATE_FROM=50` they are the next 50.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::history::Rng;
use crate::state_directory::{first, runs};

/// How the records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Files, named.
    Files(&'static str),
    /// One file, as stdin.
    Redirected(&'static str),
    /// One file, through a pipe that begins with it each time.
    Piped(&'static str),
}

/// Where the rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// stdout, appending to a file.
    Appended,
    /// `--output`.
    Named,
}

/// A directory of inputs and outputs.
pub struct Place {
    pub path: PathBuf,
    /// Where runs keep their state.
    pub state: &'static str,
}

fn below(rng: &mut Rng, limit: u64) -> u64 {
    rng.next() % limit
}

/// A moment of a run that may take so long.
pub fn moment(rng: &mut Rng, took: Duration) -> Duration {
    Duration::from_micros(below(rng, took.as_micros() as u64 + 1))
}

/// Records out of order, some too late, some bad, in several files.
pub fn records(seed: u64, lines: u64, first: u64, csv: bool) -> Vec<u8> {
    let mut rng = Rng(seed);
    let mut text = if csv { b"ts,key,v,id\n".to_vec() } else { Vec::new() };
    for line in first..first + lines {
        let late = if below(&mut rng, 40) == 0 { below(&mut rng, 400) } else { below(&mut rng, 8) };
        let (ts, key, v) =
            ((1_700_000_000 + line / 20).saturating_sub(late), below(&mut rng, 30), below(&mut rng, 10_000));
        let id = if below(&mut rng, 10) == 0 { line - below(&mut rng, line.min(50) + 1) } else { line };
        let written = match (below(&mut rng, 500), csv) {
            (0, _) => writeln!(text, "no record {line}"),
            (1, false) => writeln!(text, "{{\"ts\":{ts},\"key\":\"k{key}\",\"v\":\"none\"}}"),
            (_, true) => writeln!(text, "{ts},\"k{key}\",{}.{:02},{id}", v / 100, v % 100),
            (_, false) => {
                writeln!(text, "{{\"ts\":{ts},\"key\":\"k{key}\",\"v\":{}.{:02},\"id\":{id}}}", v / 100, v % 100)
            }
        };
        written.expect("memory");
    }
    text
}

impl Place {
    /// A directory with inputs of so many lines each.
    pub fn new(test: &str, lines: u64) -> Place {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("resume").join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for tests");
        let place = Place { path, state: "st" };
        place.write("a.ndjson", &records(1, lines, 0, false));
        place.write("b.ndjson", &records(2, lines, lines, false));
        let csv = records(3, lines, 0, true);
        place.write("a.csv", &csv);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&csv).expect("memory");
        place.write("a.csv.gz", &packed.finish().expect("memory"));
        place
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path.join(name), bytes).expect("a file");
    }

    pub fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path.join(name)).expect("a file");
        file.write_all(bytes).expect("it is written");
    }

    /// Removes outputs and the state.
    pub fn forget(&self, outputs: &[&str]) {
        for name in outputs {
            let _ = fs::remove_file(self.path.join(name));
        }
        let _ = fs::remove_dir_all(self.path.join(self.state));
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path.join(name)).unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("UTF-8")
    }

    /// The program here, with arguments separated by blanks.
    pub fn streamw(&self, args: &str) -> Command {
        self.command(&[env!("CARGO_BIN_EXE_streamw")], args)
    }

    fn command(&self, program: &[&str], args: &str) -> Command {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).args(args.split_whitespace()).current_dir(&self.path);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs with stdout appended to a file; what it said.
    pub fn run(&self, args: &str, out: &str) -> Output {
        let mut command = self.streamw(args);
        command.stdout(self.appended(out)).output().expect("it runs")
    }

    pub fn appended(&self, name: &str) -> File {
        OpenOptions::new().append(true).create(true).open(self.path.join(name)).expect("an output")
    }

    /// Lets the program run as a case has it, with another program before it if any.
    pub fn start(&self, before: &[&str], case: &Case, out: &str, with_state: bool) -> Running {
        let mut args = case.args.replace("OUT", out);
        if let To::Named = case.to {
            args += &format!(" --output {out}.out");
        }
        if with_state {
            args += &format!(" --state {} --flush --checkpoint-interval 3ms", self.state);
        }
        if let From::Files(names) = case.from {
            args = format!("{args} {names}");
        }
        let mut program = before.to_vec();
        program.push(env!("CARGO_BIN_EXE_streamw"));
        let mut command = self.command(&program, &args);
        if case.to == To::Appended {
            command.stdout(self.appended(&format!("{out}.out")));
        } else {
            command.stdout(Stdio::null());
        }
        let mut cat = None;
        match case.from {
            From::Files(_) => {}
            From::Redirected(name) => _ = command.stdin(File::open(self.path.join(name)).expect("an input")),
            From::Piped(name) => {
                let mut feeder = Command::new("cat");
                feeder.arg(self.path.join(name)).stdout(Stdio::piped()).stderr(Stdio::null());
                let feeder = cat.insert(feeder.spawn().expect("cat runs"));
                command.stdin(feeder.stdout.take().expect("a pipe"));
            }
        }
        Running { child: command.spawn().expect("it starts"), cat }
    }
}

pub struct Running {
    child: Child,
    /// What feeds it. It ends when nobody reads any more.
    cat: Option<Child>,
}

impl Running {
    /// Its number as a process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
        (self.child.wait().expect("it ends").code(), said)
    }

    /// Waits until there is such a file, or the run has ended.
    pub fn wait_for(&mut self, path: &Path) {
        while !path.exists() && self.child.try_wait().expect("ours").is_none() {
            sleep(Duration::from_millis(1));
        }
    }

    /// Kills it some time later, unless it has ended; whether it had not.
    pub fn kill_after(mut self, time: Duration) -> bool {
        sleep(time);
        let goes_on = self.child.try_wait().expect("ours").is_none();
        let _ = self.child.kill();
        let _ = self.child.wait();
        goes_on
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(cat) = &mut self.cat {
            let _ = cat.kill();
            let _ = cat.wait();
        }
    }
}

/// What is computed, where it comes from and where it goes. `OUT` stands for names of outputs.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub from: From,
    pub to: To,
    pub args: &'static str,
}

const REPORTS: &str = "--late OUT.late --bad OUT.bad";

/// Every kind of window, format, input and output at least once.
fn cases() -> Vec<Case> {
    let case = |from, to, args: &str| Case { from, to, args: Box::leak(format!("{args} {REPORTS}").into_boxed_str()) };
    vec![
        case(From::Files("a.ndjson"), To::Appended, "-t ts -k key -w 10s -d 3s -l 20s -a count -a sum:v -a p90:v"),
        case(From::Files("a.ndjson b.ndjson"), To::Named, "-k key -w 1m/10s -d 3s -a avg:v -a max:v -a first:v"),
        case(From::Redirected("a.ndjson"), To::Appended, "-k key -w session:5s -d 3s -l 10s -a count -a last:v"),
        case(From::Piped("a.ndjson"), To::Appended, "-k key -w cumulate:1m/10s -d 3s -a count -a distinct:v"),
        case(From::Files("a.csv"), To::Appended, "-o csv -k key -w 10s -w session:3s -d 3s -l 5s -a top:v:2"),
        case(
            From::Files("a.csv.gz"),
            To::Named,
            "-o csv -k key -w count:100 -w global --trigger every:1000 -a stddev:v",
        ),
        case(From::Piped("a.csv"), To::Named, "-k key -w 10s -d 3s --early every:7 --updates retracting -a median:v"),
        case(
            From::Redirected("a.csv"),
            To::Appended,
            "-w 30s -d 3s --dedup id --dedup-within 1m -a collect:v:3 -a argmax:key:v",
        ),
        case(
            From::Files("a.ndjson b.ndjson"),
            To::Appended,
            "-k key -w 2s -d 3s --fill previous --fill-limit 3 -a sum:v",
        ),
        case(
            From::Files("a.ndjson"),
            To::Named,
            "-k key -w 10s -d 3s -l 20s --having count>8 --warn-if count>9 --for 2",
        ),
    ]
}

/// What a run that is left alone, and keeps no state, writes.
pub fn expected(place: &Place, case: &Case) -> [Vec<u8>; 3] {
    let (status, said) = place.start(&[], case, "alone", false).end();
    assert_eq!(status, Some(0), "{case:?}: {said}");
    outputs(place, "alone")
}

pub fn outputs(place: &Place, out: &str) -> [Vec<u8>; 3] {
    ["out", "late", "bad"].map(|kind| place.read(&format!("{out}.{kind}")))
}

#[track_caller]
pub fn assert_equal(expected: &[Vec<u8>; 3], got: &[Vec<u8>; 3], context: &str) {
    for (kind, (expected, got)) in ["rows", "late drops", "bad records"].iter().zip(expected.iter().zip(got)) {
        if expected != got {
            let at = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
            let near = |bytes: &[u8]| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(200).min(bytes.len())..(at + 200).min(bytes.len())])
                    .into_owned()
            };
            panic!(
                "{context}: {kind} differ at byte {at} of {} and {}\n--- expected\n{}\n--- got\n{}",
                expected.len(),
                got.len(),
                near(expected),
                near(got)
            );
        }
    }
}

#[test]
fn f1_killed_at_random_moments_the_outputs_are_those_of_one_run() {
    let mut all = 0;
    for (number, case) in cases().iter().enumerate() {
        let place = Place::new(&format!("f1-{number}"), 40_000);
        let since = Instant::now();
        let expected = expected(&place, case);
        let took = since.elapsed();
        assert!(
            expected[0].len() > 10_000
                && !expected[1].is_empty() | case.args.contains("count:")
                && !expected[2].is_empty()
        );
        for chain in first()..first() + runs(1) {
            let mut rng = Rng(chain * 1_000 + number as u64);
            place.forget(&["killed.out", "killed.late", "killed.bad"]);
            let mut kills = 0;
            for _ in 0..4 {
                let run = place.start(&[], case, "killed", true);
                kills += u32::from(run.kill_after(moment(&mut rng, took)));
            }
            let (status, said) = place.start(&[], case, "killed", true).end();
            assert_eq!(status, Some(0), "{case:?} after {kills} kills: {said}");
            let context = format!("{case:?}, chain {chain}");
            assert_equal(&expected, &outputs(&place, "killed"), &context);
            all += kills;
        }
    }
    println!("{all} kills of runs that went on, 0 differences: below {:.2} %", 300.0 / f64::from(all.max(1)));
}

#[test]
fn t5_a_run_with_state_that_is_left_alone_writes_what_one_without_does() {
    for (number, case) in cases().iter().enumerate() {
        let place = Place::new(&format!("alone-{number}"), 5_000);
        let expected = expected(&place, case);
        let (status, said) = place.start(&[], case, "kept", true).end();
        assert_eq!(status, Some(0), "{case:?}: {said}");
        assert_equal(&expected, &outputs(&place, "kept"), &format!("{case:?}"));
    }
}
